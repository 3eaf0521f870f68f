// Package event has what the rooms report while they work, as values: a wait, a gap in a log, a file that was closed.
// It knows neither who reports nor how a person is shown it.
package event

import (
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// Event is one of the types of this package.
type Event interface{ event() }

// Of following a topic.
type (
	// WaitingForTopic means that a topic does not exist yet.
	WaitingForTopic struct{ Topic, Brokers string }
	// WaitingForRecords means that nothing has come for a while.
	WaitingForRecords struct{ Topic, Brokers string }
	// WaitingForGroup means that a group has not let us in yet: it waits for its members, also for one that died.
	WaitingForGroup struct{ Group, Topic, Brokers string }
	// WaitingForPartition means that the other members of a group have all partitions of a topic.
	WaitingForPartition struct{ Group, Topic string }
	// PartitionAdded means that a topic has got another partition since the start.
	PartitionAdded struct {
		Topic     string
		Partition int32
	}
	// Resumed means that a partition is read on from where it was left, and not from where it was asked for.
	Resumed struct {
		record.Position
		By string // who knows where: a group, a folder
	}
	// Skipped means that a log no longer has what was asked for, as Reason says; reading goes on at Next.
	Skipped struct {
		Reason error
		Next   int64
	}
	// Rejected means that a message is not a payment that can be booked or written.
	Rejected struct {
		record.Position
		Reason error
		Value  []byte // the message, or its beginning; valid during the call
	}
)

// Of a group's ledger.
type (
	// TopicCreated means that a topic which a ledger needs was missing and is there now.
	TopicCreated struct{ Topic string }
	// WaitingForLedger means that what a ledger has is still being read, which comes before new records.
	WaitingForLedger struct{ Group, Topic string }
	// WaitingForHeading means that a ledger waits for the member that begins it: the one that has partition Of.
	WaitingForHeading struct {
		Topic         string
		Partition, Of int32
	}
	// LedgerBegun means that a new ledger begins at Offset, because its topic does, and not at 0.
	LedgerBegun struct{ record.Position }
	// LedgerResumed means that a ledger goes on at Offset.
	LedgerResumed struct {
		record.Position
		Accounts int
		Sole     bizum.Account // if there is one
	}
	// PositionReplaced means that a group's position is not the one that its ledger has stored: the ledger goes on at
	// Offset, after its last entry.
	PositionReplaced struct {
		record.Position
		Found int64 // what something else has set; -1: it is gone
	}
	// GapAccepted means that messages from From on are gone before they were booked. The ledger goes on at Offset, where
	// its topic begins now.
	GapAccepted struct {
		record.Position
		From int64
	}
)

// Of writing files.
type (
	// ForeignFiles means that a folder has files that are not ours; Names are the first of them.
	ForeignFiles struct {
		Dir   string
		Names []string
	}
	// WaitingForWriter means that another process still writes a partition that is ours now.
	WaitingForWriter struct {
		Dir       string
		Partition int32
	}
	// FilesBegun means that files will come, and when one is closed.
	FilesBegun struct {
		Dir, Format    string
		Records, Bytes int64
		Age            time.Duration
	}
	// FileClosed means that a file is complete and has its name.
	FileClosed struct {
		Name           string
		Rows, Rejected int64
		Bytes          int64
	}
	// Filing is how far a run has come.
	Filing struct {
		Rows    int64
		Elapsed time.Duration
	}
)

// Of sending.
type (
	// TopicRecreated means that a topic which was there is gone, and was made again.
	TopicRecreated struct{ Topic string }
	// Behind means that the broker does not take records as fast as was asked for.
	Behind struct {
		PerSecond float64 // asked for
		By        time.Duration
	}
	// HoldingBack means that messages which are to be late are all that is left to send.
	HoldingBack struct {
		Messages int64
		Left     time.Duration // until the last one is sent
	}
	// RejectedLine means that a line which was given to be sent is no message. Reason has its place.
	RejectedLine struct {
		Reason error
		Value  []byte // the line; valid during the call
	}
	// Sending is how far a run has come.
	Sending struct {
		Acknowledged, InFlight    int64
		Of                        int64 // how many are to be sent; 0: endless
		PerSecond, BytesPerSecond float64
		P99                       time.Duration
	}
)

func (WaitingForTopic) event()     {}
func (WaitingForRecords) event()   {}
func (WaitingForGroup) event()     {}
func (WaitingForPartition) event() {}
func (PartitionAdded) event()      {}
func (Resumed) event()             {}
func (Skipped) event()             {}
func (Rejected) event()            {}
func (TopicCreated) event()        {}
func (WaitingForLedger) event()    {}
func (WaitingForHeading) event()   {}
func (LedgerBegun) event()         {}
func (LedgerResumed) event()       {}
func (PositionReplaced) event()    {}
func (GapAccepted) event()         {}
func (ForeignFiles) event()        {}
func (WaitingForWriter) event()    {}
func (FilesBegun) event()          {}
func (FileClosed) event()          {}
func (Filing) event()              {}
func (TopicRecreated) event()      {}
func (Behind) event()              {}
func (HoldingBack) event()         {}
func (RejectedLine) event()        {}
func (Sending) event()             {}
