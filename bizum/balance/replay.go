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

// fold adds up partitions side by side, each in a book of its own. Only the sums of the books say what an account has:
// its payments may be in any partition.
type fold struct {
	topic  *consumer.Consumer
	strict bool // ends at the first rejected message
	report func(event.Event)

	seen, bad, rounded atomic.Int64

	mu    sync.Mutex
	books []*bizum.Book
	none  *bizum.Book // which all the books are like
}

// ReplayConfig says how a topic is added up.
type ReplayConfig struct {
	Initial bizum.Amount      // with which every account opens
	Strict  bool              // end at the first rejected message
	Report  func(event.Event) // called from several goroutines
}

// Replayed is what a topic adds up to.
type Replayed struct {
	Book                      *bizum.Book
	Booked, Rejected, Rounded int64
}

// Replay adds up a topic when only the closing balances are wanted: its partitions in any order, side by side. When ctx
// ends it returns what it has.
func Replay(ctx context.Context, topic *consumer.Consumer, config ReplayConfig) (*Replayed, error) {
	f := &fold{topic: topic, none: bizum.NewBook(config.Initial), strict: config.Strict, report: config.Report}
	err := topic.RunEach(ctx, f.partition)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	book, merged := f.merged()
	if merged != nil {
		return nil, merged
	}
	return &Replayed{Book: book, Booked: f.seen.Load(), Rejected: f.bad.Load(), Rounded: f.rounded.Load()}, err
}

// partition books a partition until its stop, if it has one.
func (f *fold) partition(ctx context.Context, partition int32, from int64) error {
	book := f.another()
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
		if err := f.batch(&b, book); err != nil {
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
func (f *fold) another() *bizum.Book {
	f.mu.Lock()
	defer f.mu.Unlock()
	book := f.none.Another()
	f.books = append(f.books, book)
	return book
}

// batch books a batch.
func (f *fold) batch(b *kafka.Batch, book *bizum.Book) error {
	var postings [bizum.PrefetchMax]bizum.Posting
	var offsets [bizum.PrefetchMax]int64
	full, seen, rounded := 0, int64(0), int64(0)
	post := func() error {
		booked, err := book.ApplyAll(postings[:full])
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
	if seen > 0 {
		f.topic.Seen()
		f.seen.Add(seen)
		f.rounded.Add(rounded)
	}
	return nil
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
func (f *fold) merged() (*bizum.Book, error) {
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
