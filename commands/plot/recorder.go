// Package plot draws the balance of a run: it records how the balances of accounts move, within bounded memory, and
// makes a picture of them, SVG or PNG. It knows no topic and no flag.
package plot

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"bizumctl/bizum"
)

const (
	accountsMax = 1000 // whose balances are recorded
	bucketsMax  = 1024 // of one account in one partition: as many as a picture has columns
)

// Recorder records balances over time. Of millions of payments it keeps buckets of time, each with the lowest, the
// highest and the last balance, so that no extreme is lost; their width adapts to what comes.
type Recorder struct {
	initial bizum.Amount
	account string // the only one that is recorded; "": all
	now     func() time.Time

	mu       sync.Mutex
	parts    map[int32]*Part
	accounts map[string]struct{} // read without mu once it is full
	full     atomic.Bool
	left     atomic.Bool // accounts are left out, because there were too many
}

// NewRecorder makes a recorder of accounts that open with a balance; with a name only of that account.
func NewRecorder(initial bizum.Amount, account string, now func() time.Time) *Recorder {
	return &Recorder{initial: initial, account: account, now: now, parts: make(map[int32]*Part),
		accounts: make(map[string]struct{})}
}

// Part records the payments of one partition, in one goroutine at a time.
type Part struct {
	recorder *Recorder
	lines    map[string]*line
	key      []byte // of the last payment
	line     *line  // of it; nil: it is not recorded
	latest   int64  // times after it are not believed
	payments int64
	untimed  int64 // payments without a time that can be believed
}

// Part returns what records a partition.
func (r *Recorder) Part(partition int32) *Part {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[partition]
	if p == nil {
		p = &Part{recorder: r, lines: make(map[string]*line)}
		r.parts[partition] = p
	}
	return p
}

// Moved records a payment of a topic that is added up: what it does to an account that opens with the initial balance.
// The account may have payments in other partitions, too. The key is that of the message, the time in milliseconds.
func (p *Part) Moved(key []byte, at int64, change bizum.Amount) {
	if l := p.find(bizum.KeyOf(key), p.recorder.initial); l != nil {
		p.add(l, at, change, l.last+change)
	}
}

// Booked records a payment that a ledger has, all of whose account's payments are in one partition.
func (p *Part) Booked(account []byte, at int64, change, balance bizum.Amount) {
	if l := p.find(account, balance-change); l != nil {
		p.add(l, at, change, balance)
	}
}

func (p *Part) add(l *line, at int64, change, balance bizum.Amount) {
	p.payments++
	l.moved += magnitude(change)
	if timed := p.believes(at); timed {
		l.add(at, balance)
	} else {
		p.untimed++
		l.addUntimed(balance)
	}
}

// find returns the line of an account; nil: it is not recorded.
func (p *Part) find(account []byte, opening bizum.Amount) *line {
	if p.key != nil && bytes.Equal(account, p.key) {
		return p.line
	}
	l, known := p.lines[string(account)]
	if !known {
		if p.recorder.wants(account) {
			l = &line{opening: opening, last: opening}
			p.lines[string(account)] = l
		}
	}
	p.key, p.line = append(p.key[:0], account...), l
	return l
}

// wants reports whether an account is recorded.
func (r *Recorder) wants(account []byte) bool {
	if r.account != "" && string(account) != r.account {
		return false
	}
	if !r.full.Load() {
		r.mu.Lock()
		defer r.mu.Unlock()
	}
	if _, known := r.accounts[string(account)]; known {
		return true
	}
	if r.full.Load() {
		r.left.Store(true)
		return false
	}
	r.accounts[string(account)] = struct{}{}
	r.full.Store(len(r.accounts) == accountsMax)
	return true
}

// Times that are believed: after Kafka's records had none, and not in a future that only a wrong clock has seen. One
// such record would else push all others into a corner of the picture.
const (
	earliest = 946_684_800_000 // the year 2000, in milliseconds
	ahead    = 24 * time.Hour
)

func (p *Part) believes(at int64) bool {
	if at > p.latest {
		p.latest = p.recorder.now().Add(ahead).UnixMilli()
	}
	return at >= earliest && at <= p.latest
}

// line is how the balance of an account moves in one partition.
type line struct {
	opening, last bizum.Amount
	moved         uint64 // the sum of all changes, up or down
	buckets       []bucket
	width         int64 // of a bucket, in milliseconds, or in payments while there are no times
	timed         bool  // at is a time; else the number of a payment
	at            int64 // of the last payment
}

// bucket is what happened in a stretch of time.
type bucket struct {
	at             int64 // the first payment
	low, high, end bizum.Amount
}

// add adds the balance after a payment. Times never go back: a payment that says so comes at that of the one before,
// because that is the order in which they were booked.
func (l *line) add(at int64, balance bizum.Amount) {
	switch {
	case !l.timed: // those before it had no time, so they are put at this one
		l.timed, l.width = true, 1
		l.at = at
		l.buckets = merged(l.buckets, at)
	case at < l.at:
		at = l.at
	}
	l.put(at, balance)
}

// addUntimed adds the balance after a payment that has no time.
func (l *line) addUntimed(balance bizum.Amount) {
	if l.timed {
		l.put(l.at, balance)
		return
	}
	l.width = max(l.width, 1)
	l.put(l.at+1, balance)
}

func (l *line) put(at int64, balance bizum.Amount) {
	l.at, l.last = at, balance
	if n := len(l.buckets); n > 0 && l.buckets[n-1].at/l.width == at/l.width {
		b := &l.buckets[n-1]
		b.low, b.high, b.end = min(b.low, balance), max(b.high, balance), balance
		return
	}
	for len(l.buckets) == bucketsMax {
		l.widen()
	}
	l.buckets = append(l.buckets, bucket{at, balance, balance, balance})
}

// widen doubles the width of the buckets.
func (l *line) widen() {
	l.width *= 2
	kept := l.buckets[:1]
	for _, b := range l.buckets[1:] {
		if last := &kept[len(kept)-1]; last.at/l.width == b.at/l.width {
			last.join(b)
		} else {
			kept = append(kept, b)
		}
	}
	l.buckets = kept
}

func (b *bucket) join(next bucket) {
	b.low, b.high, b.end = min(b.low, next.low), max(b.high, next.high), next.end
}

// merged returns all buckets as one.
func merged(buckets []bucket, at int64) []bucket {
	if len(buckets) == 0 {
		return nil
	}
	one := buckets[0]
	for _, b := range buckets[1:] {
		one.join(b)
	}
	one.at = at
	return append(buckets[:0], one)
}

func magnitude(a bizum.Amount) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}
