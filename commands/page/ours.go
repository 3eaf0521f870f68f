package page

import (
	"iter"

	"bizumctl/bizum"
)

// Joined says which partitions the group has given us. Those of others are theirs to show.
func (b *Balance) Joined(ours []int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.partitions.retain(ours)
	for number := range b.books {
		if b.partitions.by[number] == nil {
			b.known.drop(number)
			b.close(number)
			b.changed = true
		}
	}
	b.recount()
}

// close forgets the balances of a partition.
func (b *Balance) close(number int32) {
	if book := b.books[number]; book != nil {
		b.opened -= book.Len()
		delete(b.books, number)
	}
}

// recount adds up all balances again.
func (b *Balance) recount() {
	b.sum, b.sumOver = 0, false
	for _, book := range b.books {
		total, fits := book.Total()
		b.sumOver = b.sumOver || !fits
		b.add(total)
	}
	b.line.open(b.timeOf(-1, b.config.Now()), b.net)
}

// Taken says that a partition was taken over, where it goes on, and the balances that its ledger has.
func (b *Balance) Taken(number int32, position int64, balances iter.Seq2[[]byte, bizum.Amount]) {
	now := b.config.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.takeovers++
	b.run.begin()
	b.close(number)
	if before := b.partitions.by[number]; before != nil && before.known && before.position != position {
		b.changed = true
	}
	b.partitions.moved(number, position)
	b.latest = max(b.latest, now.UnixMilli())
	book := b.book(number)
	for name, balance := range balances {
		if b.config.Account != "" && b.config.Account != string(name) {
			continue
		}
		book.Set(name, balance)
		if known := b.known.find(name); known != nil && known.followed != nil {
			known.partition, known.balance = number, balance
			if l := known.followed.line; !l.begun || l.last != balance { // others may have booked meanwhile
				l.set(b.latest, balance)
			}
		}
	}
	b.opened += book.Len()
	b.recount()
}
