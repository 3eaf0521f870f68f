package ledger

import (
	"bytes"
	"context"
	"errors"
	"time"

	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// writeHeading writes the heading, in a transaction of its own: before any entry.
func (p *partition) writeHeading(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	l, emptyKey := p.ledger, []byte{} // not nil, which a compacted topic refuses
	if err := p.output.Write(ctx, l.Topics.Entries, emptyKey, l.Heading.Value(), l.Now().UnixMilli()); err != nil {
		return p.failed(err)
	}
	if err := p.commit(ctx); err != nil {
		return err
	}
	p.state.headed = true
	if p.output.NextOffset(l.Topics.Entries) == 0 { //mutant:heading-place
		p.uncertain = true // where the heading is, is not known
	}
	return nil
}

// headingEvery is how often a member looks whether the ledger was begun.
const (
	headingEvery     = 100 * time.Millisecond
	headingLooksMax  = 30 // then it is reported that it waits
	headingPartition = 0  // the one whose heading comes first
)

// compareHeadings returns a StopError if the ledger has another heading than ours. The heading of partition 0 comes
// first, and others are written only when it is there and is the same: so of processes that begin a ledger at once,
// with different headings, the one that has partition 0 goes on, and the others stop.
func (p *partition) compareHeadings(ctx context.Context) error {
	l := p.ledger
	if p.number == headingPartition && !l.hasAgreed() {
		for other := range l.Heading.Partitions { // it may be the only one that is missing, or that differs
			if other == headingPartition {
				continue
			}
			if _, err := p.compareHeading(ctx, other); err != nil {
				return err
			}
		}
		if !p.state.headed {
			return nil
		}
		l.setAgreed()
	}
	for looks := 1; !l.hasAgreed(); looks++ {
		found, err := p.compareHeading(ctx, headingPartition)
		if found || err != nil || p.state.headed {
			return err
		}
		if looks == headingLooksMax {
			l.Report(event.WaitingForHeading{Topic: l.Topics.Source, Partition: p.number, Of: headingPartition})
		}
		select {
		case <-l.after(headingEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// compareHeading reports whether another partition of the ledger has a heading, and returns a StopError if it is not
// ours.
func (p *partition) compareHeading(ctx context.Context, other int32) (found bool, err error) {
	l := p.ledger
	heading, err := p.headingOf(ctx, other)
	if heading == nil || err != nil {
		return false, err
	}
	if err := heading.differs(l.Heading); err != nil { //mutant:other-heading
		if p.state.headed {
			err = stop(Divided, "ledger %s/%d: %v; but partition %d begins with %q", l.Topics.Entries, other, err, p.number,
				l.Heading.Value())
		}
		return true, err
	}
	if other == headingPartition {
		l.setAgreed()
	}
	return true, nil
}

// divided returns a StopError that can be followed if the partitions of the ledger differ in how accounts open, and
// otherwise err, that of restoring.
func (p *partition) divided(ctx context.Context, err error) error {
	var other *StopError
	if !errors.As(err, &other) || other.Cause != OtherInitial || p.number == headingPartition {
		return err
	}
	first, failed := p.headingOf(ctx, headingPartition)
	if failed != nil || first == nil || first.Initial == other.Initial {
		return err
	}
	return stop(Divided, "ledger %s: the accounts of partition %d open with %v, those of partition %d with %v",
		p.ledger.Topics.Entries, headingPartition, first.Initial, p.number, other.Initial)
}

// headingOf returns the heading of a partition of the ledger, nil if it has none yet.
func (p *partition) headingOf(ctx context.Context, number int32) (*Heading, error) {
	first, err := p.firstRecord(ctx, number)
	if first == nil || err != nil {
		return nil, err
	}
	heading, err := ParseHeading(first.Key, first.Value)
	if err != nil {
		return nil, stop(OtherSource, "ledger %s/%d: %v", p.ledger.Topics.Entries, number, err)
	}
	return &heading, nil
}

var errFound = errors.New("found")

// firstRecord returns key and value of the first record of a partition of the ledger, nil if there is none yet.
func (p *partition) firstRecord(ctx context.Context, number int32) (first *record.Record, err error) {
	_, _, err = p.log.ReadToEnd(ctx, p.ledger.Topics.Entries, number, 0, func(r *record.Record) error {
		first = &record.Record{Position: r.Position, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return first, err
}
