package page

import (
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
)

// BalanceConfig is what a page says of a run that keeps balances.
type BalanceConfig struct {
	Topic   string
	Group   string       // that shares the topic; "": the run is alone
	Account string       // the only one that is shown; "": all are
	Initial bizum.Amount // with which every account opens
	Version string
	Now     func() time.Time
}

// Balance is what a run that keeps balances has booked so far, for those who look on. Its memory is bounded: see
// accounts, line, ring and totals for what is kept, and what is not. Its methods may be called from several
// goroutines.
type Balance struct {
	config  BalanceConfig
	began   time.Time
	stream  *stream
	listing chan struct{} // has one while accounts are listed; see list

	mu         sync.Mutex
	books      map[int32]*bizum.Book // by partition in a group, else one
	opened     int                   // accounts in the books
	sum        bizum.Amount          // of all balances
	sumOver    bool                  // which does not fit
	net        bizum.Amount          // what payments have changed in it
	partitions partitions
	changed    bool // what others have booked; see Joined and Taken
	run        runState
	latest     int64 // the last time in a line, in milliseconds

	payments sums
	rounded  int64
	arrived  time.Time // of the last payment
	pace     pace
	names    *totals
	concepts *totals
	known    accounts
	line     *line // of net, so that an account which opens, or comes from a ledger, is no jump
	rows     ring
	rejected rejected
	sent     sentRows

	writer    rowWriter
	commits   Times
	latency   Times
	takeovers int64
	nextList  time.Time
}

// NewBalance returns an empty page.
func NewBalance(c BalanceConfig) *Balance {
	b := &Balance{config: c, began: c.Now(), books: make(map[int32]*bizum.Book), names: newTotals(),
		concepts: newTotals(), known: accounts{by: make(map[string]*account)}, line: newLine(), rows: ring{max: rowsKept},
		partitions: partitions{by: make(map[int32]*partition)}, writer: newRowWriter(), listing: make(chan struct{}, 1)}
	b.stream = newStream(b)
	return b
}

// rowsKept is how many rows of all accounts are kept, and copied at most of those that are added at once: at millions a
// second nobody could read the others.
const (
	rowsKept   = 200
	rowsCopied = 64
)

// alone is the only book of a run that is not in a group: an account's payments may be in any partition.
const alone = -1

func (b *Balance) book(partition int32) *bizum.Book {
	if b.config.Group == "" {
		partition = alone
	}
	book := b.books[partition]
	if book == nil {
		book = bizum.NewBook(b.config.Initial)
		b.books[partition] = book
	}
	return book
}

// Add adds payments that are booked, and in a group committed, in their order.
func (b *Balance) Add(rows []Row) {
	if len(rows) == 0 {
		return
	}
	now := b.config.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run.begin()
	b.arrived = now
	b.pace.add(now, int64(len(rows)))
	b.known.begin(now.UnixMilli() / movesEvery)
	copied := max(len(rows)-rowsCopied, 0) // from here on
	skipped := int64(copied)
	var known *account
	for i := range rows {
		r := &rows[i]
		if known == nil || known.name != string(r.Account) {
			known = b.known.find(r.Account)
		}
		b.count(r, known, now)
		switch {
		case i >= copied:
			b.keep(r, known, skipped)
			skipped = 0
		case known != nil && known.followed != nil:
			known.followed.skipped++
		}
		if i+1 == len(rows) || string(rows[i+1].Account) != string(r.Account) {
			b.book(r.Partition).Set(r.Account, r.Balance)
		}
	}
}

// count adds a payment to all that is added up.
func (b *Balance) count(r *Row, known *account, now time.Time) {
	at, change := b.timeOf(r.Timestamp, now), r.Change()
	if r.Opens {
		b.opened++
		b.add(r.Balance - change)
	}
	b.add(change)
	b.line.open(at, b.net)
	b.net += change
	b.line.set(at, b.net)
	b.payments.add(&r.Payment)
	b.names.add(r.Name, &r.Payment)
	b.concepts.add(r.Concept, &r.Payment)
	if r.Rounded {
		b.rounded++
	}
	if sent := r.Timestamp; sent >= b.began.UnixMilli() {
		took := max(now.UnixMilli()-sent, 0) // a timestamp may be of any year to come
		b.latency.Add(time.Duration(took)*time.Millisecond, 1)
	}
	if known == nil {
		return
	}
	known.partition, known.balance = r.Partition, r.Balance
	known.change(b.known.epoch, change)
	if f := known.followed; f != nil {
		f.line.open(at, r.Balance-change)
		f.line.set(at, r.Balance)
	}
}

// keep copies a row.
func (b *Balance) keep(r *Row, known *account, skipped int64) {
	b.rows.add(r, skipped)
	if known != nil && known.followed != nil {
		known.followed.rows.add(r, known.followed.skipped)
		known.followed.skipped = 0
	}
}

// add adds to the sum of all balances.
func (b *Balance) add(change bizum.Amount) {
	sum, fits := b.sum.Add(change)
	b.sum = sum
	b.sumOver = b.sumOver || !fits && change != 0
}

// timeOf returns the place of a payment in a line, in milliseconds: its own time, unless that lies in the future or
// before that of another payment.
func (b *Balance) timeOf(timestamp int64, now time.Time) int64 {
	if timestamp < 0 {
		timestamp = b.latest
	}
	b.latest = max(b.latest, min(timestamp, now.UnixMilli()))
	return b.latest
}

// Rows collects the payments of one goroutine, so that not each of them is a call of Add. Their texts have to be valid
// until Flush.
type Rows struct {
	balance *Balance
	rows    []Row
}

// BlockRows is how many rows are best added at once: few enough for the processor's cache.
const BlockRows = 512

// Rows returns a collector.
func (b *Balance) Rows() *Rows { return &Rows{balance: b, rows: make([]Row, 0, BlockRows)} }

// Add collects a payment.
func (r *Rows) Add(e *bizum.Entry, partition int32, offset, timestamp int64) {
	r.rows = append(r.rows, Row{*e, partition, offset, timestamp})
	if len(r.rows) == BlockRows {
		r.Flush()
	}
}

// Flush adds what was collected.
func (r *Rows) Flush() {
	r.balance.Add(r.rows)
	r.rows = r.rows[:0]
}

// Moved says that a partition was handled, or in a group committed, up to a position.
func (b *Balance) Moved(number int32, position int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.partitions.moved(number, position)
}

// Committed says how long a commit took, and up to where.
func (b *Balance) Committed(number int32, position int64, took time.Duration) {
	b.commits.Add(took, 1)
	b.Moved(number, position)
}

// Ends says where the partitions end, or that the broker does not say.
func (b *Balance) Ends(ends map[int32]int64, away error) {
	now := b.config.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run.asked(now, away)
	if away == nil {
		b.partitions.setEnds(ends, now)
	}
}

// Gone says that the broker answers, and that there is no topic.
func (b *Balance) Gone(topic error) {
	now := b.config.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run.missing(now, topic)
}

// Report notes what a page shows of an event.
func (b *Balance) Report(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, ok := e.(event.Rejected); ok {
		b.run.begin()
		b.rejected.add(&r, b.config.Now())
		return
	}
	b.run.report(e)
}

// end tells those who look on that the run has ended.
func (b *Balance) end() {
	b.mu.Lock()
	b.run.ended = true
	b.mu.Unlock()
	b.stream.end()
}
