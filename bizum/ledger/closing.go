package ledger

import (
	"context"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// Closing is what a partition of a ledger has come to.
type Closing struct {
	Heading  *Heading // nil: the ledger is empty
	Book     *bizum.Book
	Position int64 // in the source, up to which it is booked, at least
	End      int64 // of the source
}

// ReadClosing reads what a partition of a ledger has come to, from what is committed, beside those who keep it. Now
// is the heading that it would have now, but for its initial balance. The error is one of log, or a StopError.
func ReadClosing(ctx context.Context, log Log, topics Topics, number int32, now Heading) (*Closing, error) {
	position, meta, err := log.Committed(ctx) // before the entries, which then are not behind it
	if err == nil {
		err = log.AwaitStable(ctx)
	}
	if err != nil {
		return nil, err
	}
	p := &partition{ledger: &Ledger{Heading: now, Topics: topics}, number: number, log: log}
	p.state = p.ledger.emptyState()
	restored := &restored{book: p.state.book}
	closing := &Closing{Book: p.state.book}
	_, _, err = log.ReadToEnd(ctx, topics.Entries, number, 0, func(r *record.Record) error {
		if !p.state.headed {
			if heading, err := ParseHeading(r.Key, r.Value); err == nil {
				p.ledger.Heading.Initial = heading.Initial
				closing.Heading = &heading
			}
		}
		return p.restoreRecord(r, restored)
	})
	restored.flush()
	if err != nil {
		return nil, err
	}
	if closing.Position = position; !Ours(meta) || position < 0 {
		closing.Position = p.state.booked + 1
	}
	_, closing.End, err = log.Bounds(ctx, topics.Source)
	return closing, err
}
