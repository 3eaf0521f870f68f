package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// Audit proves a ledger from its topic.
type Audit struct {
	Topics        Topics
	SourceID      string
	Partitions    int32
	CompactionLag time.Duration // of the ledger: compaction has taken no entry that is younger
	Now           func() time.Time
	PartitionOf   func(key []byte, partitions int32) int32 // as in Ledger
	Progress      func(payments int)                       // called now and then, from the goroutines of all partitions
}

// Proof is what an audit of one partition found. The range is what it compared: From is where the source begins, To the
// group's position.
type Proof struct {
	Partition int32
	Heading   *Heading // nil: the ledger is empty
	From, To  int64
	Payments  int64 // good messages in the range
	Rejected  int64
	Accounts  int
	Compacted int64 // payments whose entries compaction has taken, which later ones stand for
	Unbooked  int64 // messages from To on, up to the source's end when the audit began

	Missing, Double, Wrong int64
	First                  [3]string // of each of them
}

// kinds of difference, as indices of Proof.First.
const (
	missing = iota
	double
	wrong
)

// Right reports whether no difference was found.
func (p *Proof) Right() bool { return p.Missing+p.Double+p.Wrong == 0 }

// auditor compares one partition: it reads the source and computes a book of its own, and reads the ledger and the
// rejected messages beside it. All three are in the order of the source's offsets.
type auditor struct {
	*Audit
	log    Log
	number int32
	proof  *Proof
	book   *bizum.Book
	line   []byte

	ledger   *cursor
	rejected *cursor
	start    int64              // of the source
	end      int64              // of the source
	counted  int64              // the highest offset that the group's position says is booked
	owed     map[string]*absent // accounts with payments that have no entry, and none after them
}

// written is a record of the ledger, or a rejected message.
type written struct {
	place  int64 // in its own topic
	offset int64 // in the source
	entry  posted
	key    []byte
	value  []byte
	fault  error // why it is no entry
}

type absent struct {
	payments int64
	first    string // of them, described
}

// Partition audits one partition. An error means that nothing could be proved: it is one of log, or that of a topic
// or a ledger that cannot be compared.
func (a *Audit) Partition(ctx context.Context, number int32, log Log) (*Proof, error) {
	committed, meta, err := log.Committed(ctx)
	if err != nil {
		return nil, err
	}
	counted, ours := parseMetadata(meta)
	if ours = ours && committed >= 0; !ours {
		counted = none
		if committed, err = a.afterLast(ctx, number, log); err != nil {
			return nil, err
		}
	}
	start, end, err := log.Bounds(ctx, a.Topics.Source)
	if err == nil && committed > end {
		err = fmt.Errorf("partition %d: the topic ends at offset %d, before position %d: it has lost messages that were "+
			"booked", number, end, committed)
	}
	if err == nil {
		err = log.AwaitStable(ctx) // the position is there, so its entries are about to be
	}
	if err != nil {
		return nil, err
	}
	k := &auditor{Audit: a, log: log, number: number, start: start, end: end, counted: counted,
		owed:  make(map[string]*absent),
		proof: &Proof{Partition: number, From: start, To: committed}}
	return k.proof, k.run(ctx)
}

// afterLast returns the position that a ledger implies without the group's: after the last message booked or rejected.
func (a *Audit) afterLast(ctx context.Context, number int32, log Log) (int64, error) {
	last := none
	_, _, err := log.ReadToEnd(ctx, a.Topics.Entries, number, 0, func(written *record.Record) error {
		if e, err := parsePosted(written.Value); err == nil && len(written.Key) > 0 {
			last = max(last, e.offset)
		}
		return nil
	})
	if err == nil {
		_, _, err = log.ReadToEnd(ctx, a.Topics.Rejected, number, 0, func(r *record.Record) error {
			origin, err := rejectedOffset(r)
			last = max(last, origin)
			return err
		})
	}
	return last + 1, err
}

func (k *auditor) run(ctx context.Context) error {
	k.ledger, k.rejected = k.entries(ctx), k.rejections(ctx)
	defer k.ledger.stop()
	defer k.rejected.stop()
	if found, err := k.heading(); !found {
		if err == nil {
			err = k.read(ctx, func(*record.Record) error { return nil }) // nothing is booked yet
		}
		return err
	}
	k.before()
	if err := k.compare(ctx); err != nil {
		return err
	}
	k.proof.Accounts = k.book.Len()
	now, meta, err := k.log.Committed(ctx)
	if _, ours := parseMetadata(meta); !ours {
		now = math.MaxInt64
	}
	k.after(max(now, k.proof.To))
	if err == nil && len(k.owed) > 0 { // entries that are newer than the cursor's end may stand for them
		_, _, err = k.readEntries(ctx, 0, func(written *record.Record) error {
			if e, err := parsePosted(written.Value); err == nil && e.offset >= k.proof.To {
				k.settleOwed(written.Key)
			}
			return nil
		})
	}
	for _, owed := range k.owed {
		k.proof.Missing += owed.payments
		k.first(missing, owed.first)
	}
	if k.counted < k.start && k.ledger.last < k.counted { // else it was missed above
		k.count(missing, "%s/%d: the group's position counts payments up to offset %d, the ledger has them up to %d",
			k.Topics.Entries, k.number, k.counted, k.ledger.last)
	}
	return errors.Join(err, k.ledger.err, k.rejected.err)
}

// heading begins the ledger, and the book. Without one there is nothing to prove.
func (k *auditor) heading() (found bool, err error) {
	first := k.ledger.now
	if first == nil {
		if k.ledger.err == nil && k.proof.To > 0 {
			return false, fmt.Errorf("ledger %s/%d is empty, but the group has position %d", k.Topics.Entries, k.number,
				k.proof.To)
		}
		return false, k.ledger.err
	}
	heading, err := ParseHeading(first.key, first.value)
	if err == nil {
		err = heading.differs(Heading{k.SourceID, k.Partitions, heading.Initial})
	}
	if err != nil {
		return false, fmt.Errorf("ledger %s/%d@%d: %w", k.Topics.Entries, k.number, first.place, err)
	}
	k.proof.Heading = &heading
	k.book = bizum.NewBook(heading.Initial)
	k.ledger.advance()
	return true, nil
}

// before takes the balances that the ledger has from before the source's start as they are.
func (k *auditor) before() {
	for w := k.ledger.now; w != nil && w.offset < k.start; w = k.ledger.now {
		if w.fault != nil || w.offset <= k.ledger.last {
			k.stray(k.ledger, w, "payment")
		} else {
			k.book.Set(w.key, w.entry.balance)
		}
		k.ledger.advance()
	}
	for w := k.rejected.now; w != nil && w.offset < k.start; w = k.rejected.now {
		k.rejected.advance()
	}
}

var errThere = errors.New("at the end")

// compare goes through the source up to the group's position.
func (k *auditor) compare(ctx context.Context) error { return k.read(ctx, k.message) }

// read calls booked for the source's messages up to the group's position, and counts those after it.
func (k *auditor) read(ctx context.Context, booked func(*record.Record) error) error {
	if k.start >= k.end {
		return nil
	}
	err := k.log.ReadSource(ctx, k.start, func(next int64, records iter.Seq[*record.Record]) error {
		before := k.proof.Payments
		defer func() { k.Progress(int(k.proof.Payments - before)) }()
		if k.book != nil {
			records = ahead(k.book, records)
		}
		for r := range records {
			switch {
			case r.Offset >= k.end:
				return errThere
			case r.Offset >= k.proof.To:
				k.proof.Unbooked++
			default:
				if err := booked(r); err != nil {
					return err
				}
			}
		}
		if next >= k.end {
			return errThere
		}
		return nil
	})
	if errors.Is(err, errThere) {
		return nil
	}
	return err
}

// message finds what the record of a message should be, in the ledger or among the rejected ones, and compares.
func (k *auditor) message(r *record.Record) error {
	offset, timestamp, key, value := r.Offset, r.Timestamp, r.Key, r.Value
	payment, err := bizum.ParsePayment(value)
	if err == nil {
		err = belongs(key, k.number, k.Partitions, k.PartitionOf)
	}
	if err != nil {
		k.proof.Rejected++
		k.skip(k.rejected, offset, "rejected message")
		if w := k.rejected.now; w == nil || w.offset != offset {
			k.count(missing, "%s/%d@%d: %v, but it was not rejected", k.Topics.Source, k.number, offset, err)
			return nil
		}
		k.rejected.advance()
		return nil
	}
	k.proof.Payments++
	key = bizum.KeyOf(key)
	k.skip(k.ledger, offset, "payment")
	w := k.ledger.now
	booked := w != nil && w.offset == offset
	want, known := posted{payment, 0, offset}, true
	if k.start > 0 && !k.knows(key) { // its balance at the start is not there any more
		if known = booked; booked {
			want.balance = w.entry.balance
			k.book.Set(key, want.balance)
		}
	} else {
		posting := bizum.Posting{Key: key, Change: payment.Change()}
		if err := k.book.Post(&posting); err != nil {
			return fmt.Errorf("message at %s/%d@%d: %w", k.Topics.Source, k.number, offset, err)
		}
		want.balance = posting.Balance
	}
	if !booked {
		k.absent(key, &want, known, timestamp)
		return nil
	}
	k.line = appendPosted(k.line[:0], &payment, want.balance, offset)
	if should := k.line; string(w.key) != string(key) || string(w.value) != string(should) { //mutant:wrong
		k.count(wrong, "%s/%d@%d: account %.60q has %.200q, should be account %.60q with %.200q",
			k.Topics.Entries, k.number, w.place, w.key, w.value, key, should)
	}
	k.settleOwed(key)
	k.ledger.advance()
	return nil
}

func (k *auditor) knows(account []byte) bool {
	_, known := k.book.Balance(account)
	return known
}

// settleOwed notes that a later entry of the account stands for those that are not there any more.
func (k *auditor) settleOwed(key []byte) {
	if len(k.owed) > 0 && k.owed[string(key)] != nil {
		k.proof.Compacted += k.owed[string(key)].payments
		delete(k.owed, string(key))
	}
}

// absent is a payment without an entry: compaction may have taken it, if it is old enough and a later entry of its
// account stands for it. When one of a message from the future was booked is not known.
func (k *auditor) absent(key []byte, want *posted, known bool, timestamp int64) {
	age := k.Now().Sub(time.UnixMilli(timestamp))
	young := age >= 0 && age < k.CompactionLag
	if owed := k.owed[string(key)]; owed != nil && !young {
		owed.payments++
		return
	}
	text := fmt.Sprintf("%s/%d@%d: account %.60q has no entry for it", k.Topics.Source, k.number, want.offset, key)
	if known {
		text += fmt.Sprintf(", should have %.200q", appendPosted(nil, &want.Payment, want.balance, want.offset))
	}
	if young {
		k.count(missing, "%s", text)
	} else {
		k.owed[string(key)] = &absent{1, text}
	}
}

// skip passes over records that stand for an offset before the next one of their kind: there is none like that, or it
// was there before.
func (k *auditor) skip(c *cursor, offset int64, kind string) {
	for w := c.now; w != nil && (w.fault != nil || w.offset < offset); w = c.now {
		k.stray(c, w, kind)
		c.advance()
	}
}

func (k *auditor) stray(c *cursor, w *written, kind string) {
	switch {
	case w.fault != nil:
		k.count(wrong, "%s/%d@%d: %v: account %.60q, %.200q", c.topic, k.number, w.place, w.fault, w.key, w.value)
	case w.offset <= c.last:
		k.count(double, "%s/%d@%d: a second record for offset %d of %s, or one out of order: account %.60q, %.200q",
			c.topic, k.number, w.place, w.offset, k.Topics.Source, w.key, w.value)
	default:
		k.count(wrong, "%s/%d@%d: no %s at offset %d of %s: account %.60q, %.200q", c.topic, k.number, w.place, kind,
			w.offset, k.Topics.Source, w.key, w.value)
	}
}

// after looks at what is left: nothing may stand for what the group has not come to.
func (k *auditor) after(position int64) {
	for _, c := range []*cursor{k.ledger, k.rejected} {
		for w := c.now; w != nil; w = c.now {
			if w.fault != nil || w.offset < k.proof.To || w.offset >= position || w.offset <= c.last {
				k.stray(c, w, "message booked")
			}
			c.advance()
		}
	}
}

// count counts a difference, and keeps the first of its kind.
func (k *auditor) count(kind int, format string, args ...any) {
	*[]*int64{missing: &k.proof.Missing, double: &k.proof.Double, wrong: &k.proof.Wrong}[kind]++
	if k.proof.First[kind] == "" {
		k.first(kind, fmt.Sprintf(format, args...))
	}
}

func (k *auditor) first(kind int, text string) {
	if k.proof.First[kind] == "" {
		k.proof.First[kind] = text
	}
}
