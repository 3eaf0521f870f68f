// Package ledger keeps the balances of a topic's accounts exactly once: every good message becomes one entry, in order,
// whatever is killed when. It knows the order of the steps that make this so, and what a ledger looks like; of the
// message log it sees a small interface, and nothing of the screen.
//
// The ledger of a source topic is a topic of as many partitions. What the account's payments were is in the source; the
// ledger has, for each of them, the balance after it:
//
//   - first the heading, with an empty key: `1;<source topic id>;<partitions>;<initial balance>`
//   - then entries, keyed by account: `Nombre;Cantidad;Concepto;tipo;Saldo;offset`
//
// A message that is no payment goes, with the reason, to a topic beside it. Entries, what was set aside and the group's
// position are one transaction. The words that go with a position, `1 <highest booked offset>`, tell later whether the
// position and the ledger belong together.
package ledger

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// Partition is what the ledger needs of one partition of the message log. An offset of -1 means none. After an error of a step nobody knows what has happened; only Fence, on a
// new Partition, settles that.
type Partition interface {
	Reading
	// Fence ends what a former owner had open, and refuses all that it still tries.
	Fence(ctx context.Context) error
	// FirstOutput answers the first record of any partition of the ledger.
	FirstOutput(ctx context.Context, partition int32) (key, value []byte, found bool, err error)
	// LastAside answers the source offset that was set aside last.
	LastAside(ctx context.Context) (int64, error)

	// A transaction: Begin, Write and Aside, Flush, Commit, End. Flush answers the offset in the ledger after what was
	// written, 0 if it does not know. Only with End(true) does any of it become visible, together.
	Begin(ctx context.Context) error
	Write(ctx context.Context, key, value []byte, timestamp int64) error
	Aside(ctx context.Context, key, value []byte, timestamp, offset int64, reason string) error
	Flush(ctx context.Context) (after int64, err error)
	Commit(ctx context.Context, position int64, metadata string) error
	End(ctx context.Context, commit bool) error
}

// Reading is the part of Partition that only reads, which is all that an audit needs.
type Reading interface {
	// Committed answers the group's position, and only when no transaction is about to change it.
	Committed(ctx context.Context) (position int64, metadata string, err error)
	// Bounds answers the first offset that the source still has, and the one after its last.
	Bounds(ctx context.Context) (start, end int64, err error)
	// ReadSource hands batches to deliver, each with the position after it, until deliver answers an error or ctx ends.
	ReadSource(ctx context.Context, position int64,
		deliver func(next int64, records iter.Seq[*record.Record]) error) error
	// ReadOutput goes through the ledger from an offset, or from where it starts, to the end that there is now.
	ReadOutput(ctx context.Context, from int64,
		each func(*record.Record) error) (start, end int64, err error)
	// ReadAside goes through what was set aside, by its place there and its offset in the source.
	ReadAside(ctx context.Context, each func(offset, origin int64) error) error
	// Settle waits for transactions that are being completed, as far as they matter to the ledger.
	Settle(ctx context.Context) error
	// PartitionOf answers to which partition of the source a key belongs.
	PartitionOf(key []byte) int32
}

// StopError is what a person has to decide: the ledger does not guess.
type StopError struct {
	Reason string
	Cure   string
}

func (e *StopError) Error() string { return e.Reason }

func stop(reason, cure string) error { return &StopError{reason, cure} }

// Ledger keeps a ledger's partitions, as many at once as its process is given. What it knows of a partition it keeps in
// mind, so that a partition that comes back is not read again.
type Ledger struct {
	Heading
	Source, Name string        // topics, to name a place
	Interval     time.Duration // between commits
	AcceptGap    bool          // go on where messages are missing that the source has lost
	Strict       bool          // stop at the first message that is rejected

	Now func() time.Time
	// Ready is told when a partition was taken over.
	Ready func(partition int32)
	// Tell says what a person should know of a partition.
	Tell func(partition int32, text string)
	// Take says whether an entry of an account is wanted for Show, and whether there is room for it; nil: none is wanted.
	// Without room the partition is not kept on. Untake gives room back, of entries that were not committed after all.
	Take   func(account []byte) (wanted, room bool)
	Untake func(entries int)
	// Show is told what was committed, if that is anything. It is called by the goroutines of all partitions. Its error
	// ends Keep.
	Show func(Committed) error

	mu       sync.Mutex
	pages    map[int32]*page
	ours     int            // partitions
	headings map[int32]bool // of partitions that have ours
}

// Committed is what a transaction has made visible.
type Committed struct {
	Partition int32
	Entries   []Entry // those that were wanted
	Rejected  []Rejected
	Booked    int            // entries in all
	Rounded   int            // of them
	Accounts  int            // in this partition, so far
	Sole      *bizum.Account // it, if there is only one
}

// Entry is a payment in the ledger. Its texts are good until Show has returned.
type Entry struct {
	bizum.Entry
	Offset    int64
	Timestamp int64 // in milliseconds
}

// Rejected is a message that was set aside.
type Rejected struct {
	Offset int64
	Reason error
}

// page is what we know of a partition: its ledger up to an offset of it.
type page struct {
	book   *bizum.Book
	next   int64 // in the ledger, what is not yet in book
	booked int64 // the highest source offset in book
	headed bool
}

// recall hands out what is known of a partition. Until it is remembered again it counts as unknown.
func (l *Ledger) recall(number int32) *page {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.pages[number]
	delete(l.pages, number)
	if known == nil {
		return l.blank()
	}
	return known
}

// Check says what is wrong when the source topic is not, or no longer, what the ledger is kept of.
func (l *Ledger) Check(now Heading) error { return l.Heading.differs(now) }

func (l *Ledger) blank() *page { return &page{book: bizum.NewBook(l.Initial), booked: none} }

func (l *Ledger) remember(number int32, p *page) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages == nil {
		l.pages = make(map[int32]*page)
	}
	l.pages[number] = p
}

// Retain forgets all partitions but those that are ours now: somebody else goes on with the others.
func (l *Ledger) Retain(ours []int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ours = len(ours)
	for number := range l.pages {
		if !slices.Contains(ours, number) {
			delete(l.pages, number)
		}
	}
}

// shown is how many entries a transaction may hold for Show: what is bounded is all partitions together.
func (l *Ledger) shown() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(shownMost/max(l.ours, 1), 1000)
}

func (l *Ledger) hasAgreed(number int32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.headings[number]
}

func (l *Ledger) agreed(number int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.headings == nil {
		l.headings = make(map[int32]bool)
	}
	l.headings[number] = true
}
