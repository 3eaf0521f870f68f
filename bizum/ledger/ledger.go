// Package ledger keeps the balances of a topic's accounts exactly once: every payment becomes one entry, in order,
// whenever a process is killed. It owns the order of the steps that guarantee it, and the ledger's topics and
// records. Of Kafka it sees two small interfaces, Log and Output; it prints nothing.
//
// The ledger of a source topic is a topic of as many partitions. The payments are in the source; the ledger has, for
// each of them, the balance after it:
//
//   - first the heading, with an empty key: `1;<source topic id>;<partitions>;<initial balance>`
//   - then entries, keyed by account: `Nombre;Cantidad;Concepto;tipo;Saldo;offset`
//
// A message that is no payment is rejected: it goes to a topic of its own, with the reason and its offset as headers.
// Entries, rejected messages and the group's position are one transaction. The metadata of the position, `1 <highest
// booked offset>`, shows later whether the position and the ledger belong together.
package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// Log reads one partition of the source, the partitions of a ledger, and the group's position. It reads only what is
// committed (read_committed, KIP-98) and retries what passes, so that each error ends the work of the partition.
// An offset of -1 means none.
type Log interface {
	// Committed returns the group's position in the partition, once no open transaction can change it, and its metadata.
	Committed(ctx context.Context) (position int64, metadata string, err error)
	// Bounds returns the first offset of our partition of a topic, and its last stable offset.
	Bounds(ctx context.Context, topic string) (start, end int64, err error)
	// ReadSource calls deliver for each batch from a position on, with the position after it, until deliver returns an
	// error or ctx ends. It returns an error, too, if retention has deleted the position.
	ReadSource(ctx context.Context, position int64,
		deliver func(next int64, records iter.Seq[*record.Record]) error) error
	// ReadToEnd calls each for the records of any partition of a topic, from an offset or from the start if that is
	// higher, up to the last stable offset at the time of the call. It returns the partition's start, and that offset.
	ReadToEnd(ctx context.Context, topic string, partition int32, from int64,
		each func(*record.Record) error) (start, end int64, err error)
	// AwaitStable waits until transactions that have written to our partition of the ledger's topics are completed.
	AwaitStable(ctx context.Context) error
}

// Output writes one partition of a ledger's topics in transactions: Begin, Write as often as there is something, Flush,
// Commit, End. Only with End(true) does any of it become visible, all together. After an error of a step nobody knows
// what the brokers have done; only Fence, of a new Output, settles it.
type Output interface {
	// Fence aborts what a former owner has open, and makes the brokers refuse all it still sends.
	Fence(ctx context.Context) error
	// Begin begins a transaction that writes to a topic. It waits until the one before is completed, and so visible.
	Begin(ctx context.Context, topic string) error
	// Write appends a record to our partition of a topic.
	Write(ctx context.Context, topic string, key, value []byte, timestamp int64, headers ...record.Header) error
	// Flush waits until what was written is on all in-sync replicas.
	Flush(ctx context.Context) error
	// NextOffset returns the offset after the last record that Flush has waited for in a topic, 0 if that is not known.
	NextOffset(topic string) int64
	// Commit adds the group's position, and metadata, to the transaction. It fails if we are no longer a member.
	Commit(ctx context.Context, position int64, metadata string) error
	// End commits or aborts the transaction.
	End(ctx context.Context, commit bool) error
}

// StopError is an error that a person has to decide about: the ledger does not guess.
type StopError struct {
	Cause   Cause
	Initial bizum.Amount // of OtherInitial: with which the ledger's accounts open
	Reason  string
}

func (e *StopError) Error() string { return e.Reason }

// Cause is why a ledger cannot be continued as it is.
type Cause int

// Causes of a StopError.
const (
	OtherSource  Cause = iota // the source was recreated, has got partitions, or has lost what was booked
	OtherInitial              // accounts open with another balance
	OtherWriter               // the ledger has records that it does not write
	Emptied                   // the ledger lacks what the group's position counts
	Gap                       // retention has deleted messages that were not booked
	OtherUse                  // the group has a position, but no ledger
	Divided                   // its partitions have different headings
)

func stop(cause Cause, format string, args ...any) error {
	return &StopError{Cause: cause, Reason: fmt.Sprintf(format, args...)}
}

// UncommittedError means that a run has ended before what it had booked could be committed.
type UncommittedError struct {
	Bizums int
	Cause  error
}

func (e *UncommittedError) Error() string {
	bizums := "1 bizum was"
	if e.Bizums != 1 {
		bizums = fmt.Sprintf("%d bizums were", e.Bizums)
	}
	return fmt.Sprintf("%s booked, but not committed; the new owner books them again: %v", bizums, e.Cause)
}

func (e *UncommittedError) Unwrap() error { return e.Cause }

// Ledger books the messages of a topic's partitions, of as many at once as its process is assigned. It caches the
// state of a partition, so that one that is assigned again need not be read again.
type Ledger struct {
	Heading   Heading
	Topics    Topics
	Interval  time.Duration // between commits
	AcceptGap bool          // go on where retention has deleted messages that were not booked
	Strict    bool          // stop at the first message that is rejected

	// Stop returns the position in a partition of the source at which a run ends; nil: none. It is committed without
	// waiting for Interval.
	Stop func(partition int32) int64

	Now func() time.Time
	// After returns a channel that receives once a duration has passed; nil: time.After.
	After func(time.Duration) <-chan time.Time
	// PartitionOf returns the partition, of so many, where Java's client sends a key.
	PartitionOf func(key []byte, partitions int32) int32

	// Ready is called when a partition was taken over.
	Ready func(partition int32)
	// Taken, if set, is called when a partition was taken over, before anything of it is booked: with the position at which
	// it goes on, and the book of the balances that the ledger has, good during the call.
	Taken func(partition int32, position int64, book *bizum.Book)
	// Committed, if set, is called after each commit, also of nothing but a position, with how long it took.
	Committed func(partition int32, position int64, took time.Duration)
	// Report is called with what a person should know of a partition.
	Report func(event.Event)
	// Reserve reports whether an entry of an account is wanted in Show, and whether there is room for it; nil: none is
	// wanted. Without room the partition is not booked any further. Release returns the room of entries that were not
	// committed.
	Reserve func(account []byte) (wanted, room bool)
	Release func(entries int)
	// Show is called with what was committed, unless that is nothing but a position. It is called from the goroutines of
	// all partitions. Its error ends Run.
	Show func(Committed) error

	mu       sync.Mutex
	states   map[int32]*state
	assigned int  // partitions
	agreed   bool // the ledger's first heading is ours
}

// Committed is what a transaction has made visible.
type Committed struct {
	Partition int32
	Position  int64   // of the group, from now on
	Entries   []Entry // those that were wanted
	Rejected  []Rejected
	Booked    int            // entries in all
	Rounded   int            // of them
	Accounts  int            // in this partition, so far
	Sole      *bizum.Account // it, if there is only one
}

// Entry is an entry of the ledger. Its texts are valid until Show has returned.
type Entry struct {
	bizum.Entry
	Offset    int64
	Timestamp int64 // in milliseconds
}

// Rejected is a message that was rejected.
type Rejected struct {
	Offset int64
	Reason error
	Start  []byte // of the message
}

// rejectedStartMax is how many bytes of a rejected message are shown at most.
const rejectedStartMax = 256

// state is what a partition of the ledger has, up to an offset of it.
type state struct {
	book   *bizum.Book
	next   int64 // offset in the ledger of the first record that is not in book
	booked int64 // the highest source offset in book
	headed bool
}

// Check returns a StopError if the ledger cannot be continued under another heading than it has.
func (l *Ledger) Check(now Heading) error { return l.Heading.differs(now) }

// Retain drops the state of all partitions but those that are assigned to us: other members go on with the others.
func (l *Ledger) Retain(assigned []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.assigned = len(assigned)
	for number := range l.states {
		if !slices.Contains(assigned, number) {
			delete(l.states, number)
		}
	}
}

func (l *Ledger) emptyState() *state {
	return &state{book: bizum.NewBook(l.Heading.Initial), booked: none}
}

// takeState removes the state of a partition from the cache, or returns an empty one. After an error it is not known
// to be what the ledger has, and is not put back.
func (l *Ledger) takeState(number int32) *state {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.states[number]
	delete(l.states, number)
	if known == nil {
		return l.emptyState()
	}
	return known
}

func (l *Ledger) putState(number int32, s *state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.states == nil {
		l.states = make(map[int32]*state)
	}
	l.states[number] = s
}

// shownMax is how many entries a transaction of a partition may hold for Show. The bound is that of all partitions.
func (l *Ledger) shownMax() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(sharedShownMax/max(l.assigned, 1), 1000)
}

func (l *Ledger) hasAgreed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.agreed
}

func (l *Ledger) setAgreed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.agreed = true
}
