package balance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// fold reads partitions side by side up to their stops, and counts.
type fold struct {
	topic  *consumer.Consumer
	strict bool // ends at the first rejected message
	report func(event.Event)

	seen, bad, rounded atomic.Int64
}

// books are what a fold makes of partitions, a book for each. Only the sums of the books say what an account has: its
// payments may be in any partition.
type books struct {
	*fold

	mu    sync.Mutex
	books []*bizum.Book
	none  *bizum.Book // which all the books are like
}

// ReplayConfig says how a topic is added up.
type ReplayConfig struct {
	Initial bizum.Amount      // with which every account opens
	Strict  bool              // end at the first rejected message
	Report  func(event.Event) // called from several goroutines
	Watch   *Watch            // nil: nobody looks on
	// Moved returns what is told of the payments of a partition, in their order and before they are booked; nil: nobody.
	// It does not go with Watch.
	Moved func(partition int32) func(key []byte, timestamp int64, change bizum.Amount)
}

// Replayed is what a topic adds up to.
type Replayed struct {
	Book *bizum.Book
	Counts
}

// Counts are how many messages were added up, or not.
type Counts struct{ Booked, Rejected, Rounded int64 }

func (f *fold) counts() Counts {
	return Counts{Booked: f.seen.Load(), Rejected: f.bad.Load(), Rounded: f.rounded.Load()}
}

// Replay adds up a topic when only the closing balances are wanted: its partitions in any order, side by side. When ctx
// ends it returns what it has.
func Replay(ctx context.Context, topic *consumer.Consumer, config ReplayConfig) (*Replayed, error) {
	counting := &fold{topic: topic, strict: config.Strict, report: config.Report}
	if config.Watch != nil {
		return replayWatched(ctx, &watched{fold: counting, watch: config.Watch, book: bizum.NewBook(config.Initial)})
	}
	f := &books{fold: counting, none: bizum.NewBook(config.Initial)}
	err := topic.RunEach(ctx, func(ctx context.Context, partition int32, from int64) error {
		p := &replay{fold: f.fold, book: f.another()}
		if config.Moved != nil {
			p.moved = config.Moved(partition)
		}
		return f.partition(ctx, partition, from, p.batch)
	})
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	book, merged := f.merged()
	if merged != nil {
		return nil, merged
	}
	return &Replayed{Book: book, Counts: f.counts()}, err
}

func replayWatched(ctx context.Context, w *watched) (*Replayed, error) {
	err := w.topic.RunEach(ctx, func(ctx context.Context, partition int32, from int64) error {
		pending := newBlock()
		return w.partition(ctx, partition, from, func(b *kafka.Batch) error { return w.batch(b, pending) })
	})
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return &Replayed{Book: w.book, Counts: w.counts()}, err
}

// partition hands over the batches of a partition until its stop, if it has one.
func (f *fold) partition(ctx context.Context, partition int32, from int64, batch func(*kafka.Batch) error) error {
	end := f.topic.StopOf(partition)
	if from >= end {
		return nil
	}
	position, err := f.topic.Within(ctx, partition, from)
	if err != nil {
		return err
	}
	err = f.topic.Read(ctx, partition, position, func(b kafka.Batch) error {
		b.Limit(from, end)
		if err := batch(&b); err != nil {
			return err
		}
		if b.Next >= end {
			return consumer.ErrDone
		}
		return nil
	})
	if errors.Is(err, consumer.ErrDone) { // of this partition
		return nil
	}
	return err
}

// another returns a book for one more partition.
func (f *books) another() *bizum.Book {
	f.mu.Lock()
	defer f.mu.Unlock()
	book := f.none.Another()
	f.books = append(f.books, book)
	return book
}

// replay books the payments of one partition.
type replay struct {
	*fold
	book  *bizum.Book
	moved func(key []byte, timestamp int64, change bizum.Amount) // may be nil
}

// batch books a batch.
func (f *replay) batch(b *kafka.Batch) error {
	var postings [bizum.PrefetchMax]bizum.Posting
	var offsets [bizum.PrefetchMax]int64
	full, seen, rounded := 0, int64(0), int64(0)
	post := func() error {
		booked, err := f.book.ApplyAll(postings[:full])
		if err != nil {
			position := record.Position{Topic: b.Topic, Partition: b.Partition, Offset: offsets[booked]}
			return fmt.Errorf("message at %v: %w", position, err)
		}
		seen += int64(full)
		full = 0
		return nil
	}
	for r := range b.Records {
		change, isRounded, err := bizum.ParseChange(r.Value)
		if err != nil {
			if err := f.rejected(r.Position, err, r.Value); err != nil {
				return err
			}
			continue
		}
		if isRounded {
			rounded++
		}
		if f.moved != nil {
			f.moved(r.Key, r.Timestamp, change)
		}
		postings[full].Key, postings[full].Change = r.Key, change
		offsets[full] = r.Offset
		if full++; full < bizum.PrefetchMax {
			continue
		}
		if err := post(); err != nil {
			return err
		}
	}
	if err := post(); err != nil {
		return err
	}
	f.count(seen, rounded)
	return nil
}

// count counts the payments of a batch.
func (f *fold) count(seen, rounded int64) {
	if seen > 0 {
		f.topic.Seen()
		f.seen.Add(seen)
		f.rounded.Add(rounded)
	}
}

func (f *fold) rejected(place record.Position, reason error, value []byte) error {
	if f.strict {
		return fmt.Errorf("message at %v: %w", place, reason)
	}
	f.bad.Add(1)
	f.topic.Seen()
	f.report(event.Rejected{Position: place, Reason: reason, Value: value})
	return nil
}

// merged returns the sum of the books.
func (f *books) merged() (*bizum.Book, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := f.none
	for i, book := range f.books {
		if i == 0 {
			sum = book
		} else if err := sum.Merge(book); err != nil {
			return nil, err
		}
	}
	return sum, nil
}
