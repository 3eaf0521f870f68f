package commands

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// fold adds up partitions side by side, each in a book of its own. Only the sums of the books say
// what an account has: its payments may be in any partition.
type fold struct {
	*follower
	strict  bool // ends at the first rejected message
	waiting *time.Timer

	seen, bad, rounded atomic.Int64

	mu    sync.Mutex
	books []*bizum.Book
	sum   *bizum.Book // of the books, in the end
}

// fold is balance when only the closing balances are wanted.
func (o *balanceOptions) fold(ctx context.Context, f *follower) error {
	fold := &fold{follower: f, sum: bizum.NewBook(o.initial), strict: o.bad == "stop"}
	err := fold.run(ctx)
	if err != nil && ctx.Err() == nil {
		return err
	}
	book, merged := fold.merged()
	if merged != nil {
		return merged
	}
	view := &view{console: f.console, seen: fold.seen.Load(), bad: fold.bad.Load(), rounded: fold.rounded.Load()}
	o.summary(view, book)
	return err
}

func (f *fold) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f.starts, f.stops, f.failures = make(map[int32]int64), make(map[int32]int64), make(chan error, 1)
	if err := f.begin(ctx); err != nil {
		return unlessAsked(err)
	}
	f.waiting = time.AfterFunc(waitingAfter, func() {
		f.console.Noticef("waiting for bizums in topic %q at %s", f.topic, f.cluster.Addresses())
	})
	defer f.waiting.Stop()
	var reading sync.WaitGroup
	read := func(partition int32, from int64) {
		book := f.sum.Another()
		f.mu.Lock()
		f.books = append(f.books, book)
		f.mu.Unlock()
		reading.Go(func() {
			if err := f.add(ctx, partition, from, book); err != nil {
				f.fail(err)
				stop()
			}
		})
	}
	for p, from := range f.starts {
		read(p, from)
	}
	if !f.exit {
		reading.Go(func() { f.readNew(ctx, len(f.starts), func(p int32) { read(p, 0) }) })
	}
	reading.Wait()
	select {
	case err := <-f.failures:
		return unlessAsked(err)
	default:
		return nil
	}
}

// add books a partition until its stop, if it has one.
func (f *fold) add(ctx context.Context, partition int32, from int64, book *bizum.Book) error {
	end, ends := f.stops[partition]
	if !ends {
		end = math.MaxInt64
	}
	if from >= end {
		return nil
	}
	position, err := f.within(ctx, partition, from)
	if err != nil {
		return err
	}
	err = f.readFrom(ctx, partition, position, func(b kafka.Batch) error {
		b.Limit(from, end)
		if err := f.batch(&b, book); err != nil {
			return err
		}
		if b.Next >= end {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) { // of this partition
		return nil
	}
	return err
}

// block is how many payments are booked together: the book looks their accounts up at once.
const block = 64

// batch books a batch.
func (f *fold) batch(b *kafka.Batch, book *bizum.Book) error {
	var postings [block]bizum.Posting
	var offsets [block]int64
	full, seen, rounded := 0, int64(0), int64(0)
	post := func() error {
		booked, err := book.ApplyAll(postings[:full])
		if err != nil {
			return fmt.Errorf("message at %v: %w", record.Position{Topic: b.Topic, Partition: b.Partition, Offset: offsets[booked]}, err)
		}
		seen += int64(full)
		full = 0
		return nil
	}
	for r := range b.Records {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			if err := f.rejected(r.Position, err); err != nil {
				return err
			}
			continue
		}
		if p.Rounded {
			rounded++
		}
		postings[full] = bizum.Posting{Key: r.Key, Change: p.Change()}
		offsets[full] = r.Offset
		if full++; full < block {
			continue
		}
		if err := post(); err != nil {
			return err
		}
	}
	if err := post(); err != nil {
		return err
	}
	if seen > 0 {
		f.waiting.Stop()
		f.seen.Add(seen)
		f.rounded.Add(rounded)
	}
	return nil
}

func (f *fold) rejected(place record.Position, reason error) error {
	if f.strict {
		return fmt.Errorf("message at %v: %w", place, reason)
	}
	f.bad.Add(1)
	f.waiting.Stop()
	f.console.Report(event.Rejected{Position: place, Reason: reason})
	return nil
}

// merged returns the sum of the books.
func (f *fold) merged() (*bizum.Book, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, book := range f.books {
		if err := f.sum.Merge(book); err != nil {
			return nil, err
		}
	}
	return f.sum, nil
}
