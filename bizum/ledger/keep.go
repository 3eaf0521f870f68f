package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// What a transaction holds at most for Show, and how long one that was begun may take to end when ctx has ended.
const (
	shownMost    = 100_000
	finishWithin = 4 * time.Second
)

// keeper keeps one partition, from taking it over until it is taken away.
type keeper struct {
	*Ledger
	Partition
	number int32
	page   *page

	position  int64     // after what was booked
	committed int64     // the group's, as far as we know
	open      bool      // a transaction, whose entries are in the page already
	doubtful  bool      // what the brokers have done, or where it is
	end       error     // why to end, once what came before it is committed
	full      bool      // no more is wanted: others have what was
	last      time.Time // of a commit
	line      []byte
	done      Committed // by the open transaction
	texts     []byte    // of its entries
}

type batch struct {
	next    int64
	booked  chan struct{} // closed when its records are of no use any more
	records iter.Seq[*record.Record]
}

// Keep keeps a partition until ctx ends, and then commits what it has booked, within 4 s. Nil is its answer then. A
// StopError wants a person; all other errors are those of the Partition, which is of no use any more.
func (l *Ledger) Keep(ctx context.Context, number int32, p Partition) (err error) {
	k := l.keeper(number, p)
	steps, cancel := outlasting(ctx, finishWithin)
	defer cancel()
	defer k.leave(steps)
	if err := k.takeOver(ctx, steps); err != nil {
		if ctx.Err() != nil {
			return nil // nothing was booked yet
		}
		return err
	}
	k.greet()
	k.Ready(number)
	for {
		err := k.run(ctx, steps)
		var unread unreadError
		if !errors.As(err, &unread) {
			return err
		}
		// The topic may have lost what comes next, by retention.
		position, err := k.goOnAt(ctx, k.position, metadata(k.page.booked))
		if err != nil {
			return err
		}
		if position == k.position {
			return unread.error
		}
		k.position = position
	}
}

// unreadError is why the source cannot be read on.
type unreadError struct{ error }

func (l *Ledger) keeper(number int32, p Partition) *keeper {
	return &keeper{Ledger: l, Partition: p, number: number, page: l.recall(number)}
}

// outlasting is a context that ends a while after another.
func outlasting(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(while, cancel) })
	return longer, cancel
}

// run books what the source has and commits it, every Interval.
func (k *keeper) run(ctx, steps context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	batches, failed, ended := make(chan batch), make(chan error, 1), make(chan struct{})
	defer close(ended)
	go func() { failed <- k.read(reading, batches, ended) }()
	due := time.NewTimer(k.Interval)
	defer due.Stop()
	for k.end == nil && !k.full {
		select {
		case b := <-batches:
			at("fetched")
			if err := k.book(steps, b); err != nil {
				return err
			}
			close(b.booked)
		case <-due.C:
		case err := <-failed:
			if ctx.Err() == nil {
				return cmp.Or(k.commit(steps), error(unreadError{err}))
			}
			return k.finish(steps)
		case <-ctx.Done():
			return k.finish(steps)
		}
		wait := k.Interval - k.Now().Sub(k.last)
		switch {
		case k.position == k.committed: // nothing to commit
		case wait > 0 && len(k.done.Entries)+len(k.done.Rejected) < k.shown():
			due.Reset(wait)
		default:
			if err := k.commit(steps); err != nil {
				return err
			}
		}
	}
	if err := cmp.Or(k.commit(steps), k.end); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// finish commits what is booked when there is nothing more to do.
func (k *keeper) finish(ctx context.Context) error {
	booked := k.done.Booked
	err := k.commit(ctx)
	switch {
	case err == nil || !k.doubtful: // the error is that of Show
		return err
	case !k.open:
		return nil // a position alone is no loss
	}
	return fmt.Errorf("%d bizums were booked, but not committed; who goes on books them again: %w", booked, err)
}

// read hands over the batches of the source, and waits until each is booked, or nothing more is: only so long are its
// records good.
func (k *keeper) read(ctx context.Context, batches chan<- batch, ended <-chan struct{}) error {
	return k.ReadSource(ctx, k.position, func(next int64,
		records iter.Seq[*record.Record]) error {
		b := batch{next, make(chan struct{}), records}
		select {
		case batches <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-b.booked:
		case <-ended:
		}
		return nil
	})
}

// book books a batch in the open transaction. What comes from the future is booked as of now, and what has no time, or
// one before 1970, as of then: Kafka 4 takes no other timestamps, unless a topic is made to (LogValidator; how it tells
// what is long past from what is to come overflows).
func (k *keeper) book(ctx context.Context, b batch) (err error) {
	now := k.Now().UnixMilli()
	for r := range ahead(k.page.book, b.records) {
		if !k.open {
			err = k.begin(ctx)
		}
		if err == nil {
			err = k.message(ctx, r, max(min(r.Timestamp, now), 0))
		}
		if err != nil || k.end != nil || k.full {
			return err
		}
		k.position = r.Offset + 1
	}
	k.position = b.next
	return nil
}

// ahead goes through records of one batch, and has a book prefetch their accounts, some at a time.
func ahead(book *bizum.Book, records iter.Seq[*record.Record]) iter.Seq[*record.Record] {
	return func(yield func(*record.Record) bool) {
		var block [64]record.Record
		var keys [len(block)][]byte
		n := 0
		hand := func() bool {
			book.Prefetch(keys[:n])
			for i := range block[:n] {
				if !yield(&block[i]) {
					return false
				}
			}
			n = 0
			return true
		}
		for r := range records {
			block[n], keys[n] = *r, r.Key
			if n++; n == len(block) && !hand() {
				return
			}
		}
		hand()
	}
}

// message makes an entry of a good message, and sets a rejected one aside, with a timestamp that Kafka takes.
func (k *keeper) message(ctx context.Context, r *record.Record, timestamp int64) error {
	key, offset := r.Key, r.Offset
	payment, err := bizum.ParsePayment(r.Value)
	if err == nil {
		err = belongs(key, k.number, k.Partitions, k.PartitionOf)
	}
	if err != nil {
		return k.reject(ctx, r, timestamp, err)
	}
	at("parsed")
	if len(key) == 0 {
		key = defaultAccount
	}
	wanted, room := false, true
	if k.Take != nil {
		if wanted, room = k.Take(key); !room {
			k.full = true
			return nil
		}
	}
	entry, err := k.page.book.Apply(key, payment)
	if err != nil {
		return fmt.Errorf("message at %s/%d@%d: %w", k.Source, k.number, offset, err)
	}
	at("applied")
	if wanted {
		k.done.Entries = append(k.done.Entries, Entry{k.kept(entry), offset, timestamp})
	}
	k.done.Booked++
	if payment.Rounded {
		k.done.Rounded++
	}
	k.page.booked = offset
	k.line = appendPosted(k.line[:0], &posted{payment, entry.Balance, offset})
	if err := k.Write(ctx, key, k.line, timestamp); err != nil {
		return k.doubt(err)
	}
	at("written")
	return nil
}

// kept returns an entry that stays good after its batch, until what is done has been shown.
func (k *keeper) kept(e bizum.Entry) bizum.Entry {
	for _, text := range []*[]byte{&e.Name, &e.Concept, &e.Account} {
		start := len(k.texts)
		k.texts = append(k.texts, *text...)
		*text = k.texts[start:len(k.texts):len(k.texts)]
	}
	return e
}

// keyMost is the longest name of an account, in bytes.
const keyMost = bizum.MaxMessage

var defaultAccount = []byte(bizum.DefaultAccount)

// belongs says why a message's account is not kept in this partition. There is one book for an account: where its key
// belongs.
func belongs(key []byte, number, partitions int32, partitionOf func(key []byte) int32) error {
	if len(key) > keyMost {
		return errors.New("key longer than 64 KiB")
	}
	if partitions == 1 {
		return nil
	}
	if len(key) == 0 {
		return fmt.Errorf("no key: in a topic of %d partitions it must name the account", partitions)
	}
	if home := partitionOf(key); home != number {
		return fmt.Errorf("key %.40q belongs in partition %d: its sender must choose partitions as Java's client does "+
			"(kcat: -X partitioner=murmur2_random)", key, home)
	}
	return nil
}

func (k *keeper) reject(ctx context.Context, r *record.Record, timestamp int64, reason error) error {
	if k.Strict {
		k.end = fmt.Errorf("message at %s/%d@%d: %w", k.Source, k.number, r.Offset, reason)
		return nil
	}
	cut := func(b []byte) []byte { return b[:min(len(b), bizum.MaxMessage)] }
	if err := k.Aside(ctx, cut(r.Key), cut(r.Value), timestamp, r.Offset, reason.Error()); err != nil {
		return k.doubt(err)
	}
	k.done.Rejected = append(k.done.Rejected, Rejected{r.Offset, reason})
	return nil
}

func (k *keeper) begin(ctx context.Context) error {
	if err := k.Begin(ctx); err != nil {
		return k.doubt(err)
	}
	at("begun")
	k.open = true
	return nil
}

// commit makes what was booked visible, with the position after it, and then shows it.
func (k *keeper) commit(ctx context.Context) error {
	if !k.open && k.position == k.committed {
		return nil
	}
	after, err := k.Flush(ctx)
	if err != nil {
		return k.doubt(err)
	}
	at("sent")
	if err := k.Commit(ctx, k.position, metadata(k.page.booked)); err != nil {
		return k.doubt(err)
	}
	at("positioned")
	if err := k.End(ctx, true); err != nil {
		return k.doubt(err)
	}
	at("committed")
	k.page.next = max(k.page.next, after)
	k.doubtful = k.doubtful || after == 0 && k.done.Booked > 0
	k.open, k.committed, k.last = false, k.position, k.Now()
	done := k.done
	k.done = Committed{}
	defer func() { k.texts = k.texts[:0] }()
	if len(done.Rejected)+done.Booked == 0 {
		return nil
	}
	done.Partition, done.Accounts = k.number, k.page.book.Len()
	if done.Accounts == 1 {
		done.Sole = &k.page.book.Accounts()[0]
	}
	return k.Show(done)
}

// doubt notes that a step has failed, so that nothing is built on what it may have done.
func (k *keeper) doubt(err error) error {
	k.doubtful = true
	return err
}

// leave gives up what is open, and remembers the page if it is as the ledger is.
func (k *keeper) leave(ctx context.Context) {
	if k.Untake != nil {
		k.Untake(len(k.done.Entries))
	}
	if k.open && !k.doubtful {
		_ = k.End(ctx, false) // else it ends by its timeout, or when somebody takes over
	}
	if !k.open && !k.doubtful {
		k.remember(k.number, k.page)
	}
}

// greet says where the partition goes on.
func (k *keeper) greet() {
	switch accounts := k.page.book.Len(); {
	case accounts == 1:
		account := k.page.book.Accounts()[0]
		k.tell("going on at offset %d: account %s has %v €", k.position, account.Name, account.Balance)
	case accounts > 1:
		k.tell("going on at offset %d: %d accounts", k.position, accounts)
	}
}

func (k *keeper) tell(format string, args ...any) { k.Tell(k.number, fmt.Sprintf(format, args...)) }
