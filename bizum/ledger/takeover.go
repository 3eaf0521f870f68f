package ledger

import (
	"context"
	"fmt"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// takeOver makes us the partition's only writer and finds out where to go on. Each step is taken only when the one
// before is done: what is read before the former owner is fenced, or while its last transaction is being completed,
// may change again. Only what is begun may outlast ctx, in steps.
func (p *partition) takeOver(ctx, steps context.Context) error {
	if err := p.output.Fence(ctx); err != nil { //mutant:fence
		return err
	}
	at("fenced")
	committed, meta, err := p.log.Committed(ctx)
	if err != nil {
		return err
	}
	at("position")                         //mutant:position-read
	if err := p.restore(ctx); err != nil { //mutant:restore
		return p.divided(ctx, err)
	}
	at("restored") //mutant:restored
	if p.position, err = p.findPosition(ctx, committed, meta); err != nil {
		return err
	}
	if p.committed = committed; p.position != committed || meta != metadata(p.state.booked) {
		p.committed = none // it is not ours, and means nothing
	}
	if err := p.compareHeadings(ctx); err != nil { //mutant:headings
		return err
	}
	if !p.state.headed {
		if err := p.writeHeading(steps); err != nil {
			return err
		}
	}
	at("headed")
	return nil
}

// restore reads what the ledger has and state does not.
func (p *partition) restore(ctx context.Context) error {
	from := p.state.next
	start, end, err := p.restoreFrom(ctx, from)
	if from > 0 && err == nil && (start > from || end < from) { // it is not the ledger that we knew
		p.state = p.ledger.emptyState()
		start, end, err = p.restoreFrom(ctx, 0)
	}
	if err != nil {
		return err
	}
	if !p.state.headed && start > 0 {
		return p.foreign(start, "the ledger begins there: what came before, and its heading, is gone")
	}
	p.state.next = max(p.state.next, end)
	return nil
}

// restoreFrom reads the ledger from an offset on into the state, and returns where the ledger starts and ends.
func (p *partition) restoreFrom(ctx context.Context, from int64) (start, end int64, err error) {
	restored := &restored{book: p.state.book}
	defer restored.flush() // of what was read before an error, too: the state counts it
	return p.log.ReadToEnd(ctx, p.ledger.Topics.Entries, p.number, from, func(r *record.Record) error {
		return p.restoreRecord(r, restored)
	})
}

// restored are balances on their way into a book. They are set some at a time, so that the book can prefetch their
// accounts.
type restored struct {
	book     *bizum.Book
	n        int
	accounts [bizum.PrefetchMax][]byte
	balances [bizum.PrefetchMax]bizum.Amount
	text     []byte // of the accounts: a record is not valid for long enough
}

func (b *restored) set(account []byte, balance bizum.Amount) {
	start := len(b.text)
	b.text = append(b.text, account...)
	b.accounts[b.n], b.balances[b.n] = b.text[start:], balance
	if b.n++; b.n == len(b.accounts) {
		b.flush()
	}
}

func (b *restored) flush() {
	b.book.Prefetch(b.accounts[:b.n])
	for i, account := range b.accounts[:b.n] {
		b.book.Set(account, b.balances[i])
	}
	b.n, b.text = 0, b.text[:0]
}

// restoreRecord takes a record of the ledger into the state, and its balance into what is restored.
func (p *partition) restoreRecord(r *record.Record, restored *restored) error {
	at("restoring")
	s := p.state
	if !s.headed {
		heading, err := ParseHeading(r.Key, r.Value)
		if err != nil {
			return p.foreign(r.Offset, err.Error())
		}
		if err := heading.differs(p.ledger.Heading); err != nil { //mutant:own-heading
			return err // and the state, which may be cached, is not that of a ledger of ours
		}
		s.headed = true //mutant:headed
		s.next = r.Offset + 1
		return nil
	}
	entry, err := parsePosted(r.Value)
	switch {
	case len(r.Key) == 0:
		return p.foreign(r.Offset, "an entry without an account")
	case err != nil:
		return p.foreign(r.Offset, fmt.Sprintf("%v: account %.40q, %.80q", err, r.Key, r.Value))
	case entry.offset <= s.booked:
		return p.foreign(r.Offset, fmt.Sprintf("an entry for offset %d of the topic stands after one for %d", entry.offset,
			s.booked))
	}
	restored.set(r.Key, entry.balance)
	s.booked, s.next = entry.offset, r.Offset+1
	return nil
}

// foreign returns the error of a ledger that something else has written to.
func (p *partition) foreign(offset int64, what string) error {
	return stop(OtherWriter, "record at %s/%d@%d: %s", p.ledger.Topics.Entries, p.number, offset, what)
}

// findPosition returns the source offset to go on at, from the group's position and its metadata, and from what the
// ledger has.
func (p *partition) findPosition(ctx context.Context, committed int64, meta string) (position int64, err error) {
	counted, ours := parseMetadata(meta)
	ours = ours && committed >= 0
	start, end, err := p.log.Bounds(ctx, p.ledger.Topics.Source)
	if err != nil {
		return 0, err
	}
	switch booked := p.state.booked; {
	case ours && counted > booked: //mutant:counted-beyond
		return 0, stop(Emptied, "ledger %s/%d: the group's position counts payments up to offset %d, the ledger has them "+
			"up to %d: was it emptied or cut?", p.ledger.Topics.Entries, p.number, counted, booked)
	case ours && counted == booked && committed > counted: //mutant:position-ours
		position = committed
	default:
		if position, err = p.positionFromLedger(ctx, committed, start); err != nil {
			return 0, err
		}
	}
	if position > end {
		return 0, stop(OtherSource, "partition %d: the topic ends at offset %d, before position %d: it has lost messages "+
			"that were booked", p.number, end, position)
	}
	if start > position {
		if !p.ledger.AcceptGap { //mutant:gap
			return 0, stop(Gap, "partition %d: the topic starts at offset %d: %d offsets from %d on are gone, unbooked",
				p.number, start, start-position, position)
		}
		p.ledger.Report(event.GapAccepted{Position: p.at(start), From: position})
		position = start
	}
	return position, nil
}

// positionFromLedger returns the offset after the last message that was booked or rejected. The group's position is
// missing, or is not ours.
func (p *partition) positionFromLedger(ctx context.Context, committed, start int64) (int64, error) {
	rejected, err := lastRejected(ctx, p.log, p.ledger.Topics.Rejected, p.number)
	if err != nil {
		return 0, err
	}
	last := max(p.state.booked, rejected) //mutant:rejected
	switch {
	case last >= 0:
		p.ledger.Report(event.PositionReplaced{Position: p.at(last + 1), Found: committed})
	case committed >= 0 && !p.state.headed:
		return 0, stop(OtherUse, "partition %d: the group has position %d, but no ledger: something else uses it",
			p.number, committed)
	case committed >= 0:
		p.ledger.Report(event.PositionReplaced{Position: p.at(0), Found: committed})
	case start > 0 && !p.state.headed:
		p.ledger.Report(event.LedgerBegun{Position: p.at(start)})
		return start, nil
	}
	return last + 1, nil
}
