package balance

import (
	"fmt"
	"sync"

	"bizumctl/bizum"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
)

// watched are partitions that are added up side by side, but into one book, so that who looks on sees the balance of an
// account whose payments are in several of them.
type watched struct {
	*fold
	watch *Watch

	mu   sync.Mutex // held while payments are booked and shown, so that both have one order
	book *bizum.Book
}

// Watch is for who looks on while a topic is added up.
type Watch struct {
	// Booked is called with payments of a partition that were booked, some at a time; all calls are in the order in
	// which they were. The entries' texts are valid during the call.
	Booked func(partition int32, entries []ledger.Entry)
	// Handled is called when a partition was handled up to a position, from several goroutines.
	Handled func(partition int32, position int64)
}

// watchedBlock is how many payments are shown at once: not each of them is a call, and they stay in the processor's
// cache.
const watchedBlock = 512

// block is payments of one partition on their way into the book.
type block struct {
	entries  []ledger.Entry
	postings []bizum.Posting
}

func newBlock() *block {
	return &block{make([]ledger.Entry, 0, watchedBlock), make([]bizum.Posting, 0, watchedBlock)}
}

// batch books a batch, by way of a block that is empty.
func (w *watched) batch(b *kafka.Batch, pending *block) error {
	seen, rounded := int64(0), int64(0)
	for r := range b.Records {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			if err := w.rejected(r.Position, err, r.Value); err != nil {
				return err
			}
			continue
		}
		seen++
		if p.Rounded {
			rounded++
		}
		pending.entries = append(pending.entries,
			ledger.Entry{Entry: bizum.Entry{Payment: p}, Offset: r.Offset, Timestamp: r.Timestamp})
		pending.postings = append(pending.postings, bizum.Posting{Key: r.Key, Change: p.Change()})
		if len(pending.entries) == watchedBlock {
			if err := w.post(b, pending); err != nil {
				return err
			}
		}
	}
	if err := w.post(b, pending); err != nil {
		return err
	}
	w.watch.Handled(b.Partition, b.Next)
	w.count(seen, rounded)
	return nil
}

// post books a block, shows it, and empties it.
func (w *watched) post(b *kafka.Batch, full *block) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	booked, err := w.book.ApplyAll(full.postings)
	if err != nil {
		position := record.Position{Topic: b.Topic, Partition: b.Partition, Offset: full.entries[booked].Offset}
		return fmt.Errorf("message at %v: %w", position, err)
	}
	for i := range full.entries {
		e, p := &full.entries[i], &full.postings[i]
		e.Account, e.Balance, e.Opens = p.Key, p.Balance, p.Opens
	}
	w.watch.Booked(b.Partition, full.entries)
	full.entries, full.postings = full.entries[:0], full.postings[:0]
	return nil
}
