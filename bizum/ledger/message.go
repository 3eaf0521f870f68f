package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// bookBatch books a batch in the open transaction. A message from the future is booked with the time of now, and one
// without a time, or from before 1970, with that of 1970: Kafka 4 accepts no others, unless a topic is configured so
// (LogValidator; its test of what is too old overflows).
func (p *partition) bookBatch(ctx context.Context, b batch) error {
	now := p.ledger.Now().UnixMilli()
	for r := range ahead(p.state.book, b.records) {
		if !p.open {
			if err := p.begin(ctx); err != nil {
				return err
			}
		}
		if err := p.bookMessage(ctx, r, max(min(r.Timestamp, now), 0)); err != nil {
			return err
		}
		if p.end != nil || p.full {
			return nil
		}
		p.position = r.Offset + 1
	}
	p.position = b.next
	return nil
}

// ahead returns the records of a batch, and has a book prefetch their accounts, some at a time.
func ahead(book *bizum.Book, records iter.Seq[*record.Record]) iter.Seq[*record.Record] {
	return func(yield func(*record.Record) bool) {
		var block [bizum.PrefetchMax]record.Record
		var keys [len(block)][]byte
		n := 0
		flush := func() bool {
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
			if n++; n == len(block) && !flush() {
				return
			}
		}
		flush()
	}
}

// bookMessage writes the entry of a payment, or rejects a message, with a timestamp that Kafka accepts.
func (p *partition) bookMessage(ctx context.Context, r *record.Record, timestamp int64) error {
	l, key := p.ledger, r.Key
	payment, err := bizum.ParsePayment(r.Value)
	if err == nil {
		err = belongs(key, p.number, l.Heading.Partitions, l.PartitionOf)
	}
	if err != nil {
		return p.reject(ctx, r, timestamp, err)
	}
	at("parsed")
	key = bizum.KeyOf(key)
	wanted, room := false, true
	if l.Reserve != nil {
		if wanted, room = l.Reserve(key); !room {
			p.full = true
			return nil
		}
	}
	posting := bizum.Posting{Key: key, Change: payment.Change()}
	if err := p.state.book.Post(&posting); err != nil {
		return fmt.Errorf("message at %s/%d@%d: %w", l.Topics.Source, p.number, r.Offset, err)
	}
	at("applied")
	if wanted {
		entry := p.clone(bizum.Entry{Payment: payment, Account: key, Balance: posting.Balance, Opens: posting.Opens})
		p.done.Entries = append(p.done.Entries, Entry{entry, r.Offset, timestamp})
	}
	p.done.Booked++
	if payment.Rounded {
		p.done.Rounded++
	}
	p.state.booked = r.Offset
	p.line = appendPosted(p.line[:0], &payment, posting.Balance, r.Offset)
	if err := p.output.Write(ctx, l.Topics.Entries, key, p.line, timestamp); err != nil { //mutant:write
		return p.failed(err)
	}
	at("written")
	return nil
}

// clone returns a copy of an entry that outlasts its batch: its texts are valid until the open transaction was shown.
func (p *partition) clone(e bizum.Entry) bizum.Entry {
	for _, text := range []*[]byte{&e.Name, &e.Concept, &e.Account} {
		start := len(p.texts)
		p.texts = append(p.texts, *text...)
		*text = p.texts[start:len(p.texts):len(p.texts)]
	}
	return e
}

// keyBytesMax is the longest name of an account.
const keyBytesMax = bizum.MessageBytesMax

// belongs returns an error if a message's account is not booked in this partition. An account has one book, in the
// partition of its key.
func belongs(key []byte, number, partitions int32, partitionOf func(key []byte, partitions int32) int32) error {
	if len(key) > keyBytesMax {
		return errors.New("key longer than 64 KiB")
	}
	if partitions == 1 {
		return nil
	}
	if len(key) == 0 {
		return fmt.Errorf("no key: in a topic of %d partitions it must name the account", partitions)
	}
	if home := partitionOf(key, partitions); home != number { //mutant:home
		return fmt.Errorf("key %.40q belongs in partition %d: its sender must choose partitions as Java's client does "+
			"(kcat: -X partitioner=murmur2_random)", key, home)
	}
	return nil
}

// reject writes a message, cut at 64 KiB, to the topic of rejected ones.
func (p *partition) reject(ctx context.Context, r *record.Record, timestamp int64, reason error) error {
	if p.ledger.Strict {
		p.end = fmt.Errorf("message at %s/%d@%d: %w", p.ledger.Topics.Source, p.number, r.Offset, reason)
		return nil
	}
	cut := func(b []byte) []byte { return b[:min(len(b), bizum.MessageBytesMax)] }
	if err := p.output.Write(ctx, p.ledger.Topics.Rejected, cut(r.Key), cut(r.Value), timestamp,
		rejectedHeaders(r.Offset, reason)...); err != nil {
		return p.failed(err)
	}
	p.done.Rejected = append(p.done.Rejected, Rejected{r.Offset, reason,
		bytes.Clone(r.Value[:min(len(r.Value), rejectedStartMax)])})
	return nil
}
