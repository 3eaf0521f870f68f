package ledger

import (
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

const (
	sharedShownMax = 100_000         // entries that all open transactions hold for Show
	finishTimeout  = 4 * time.Second // for an open transaction, once ctx has ended
)

// partition is a partition of the ledger that is ours, from taking it over until it is revoked.
type partition struct {
	ledger *Ledger
	log    Log
	output Output
	number int32
	state  *state

	stop      int64     // in the source; to reach it is committed at once
	position  int64     // in the source, after what was booked
	committed int64     // the group's position, as far as we know; none if it is not ours
	open      bool      // a transaction, whose entries are in state already
	uncertain bool      // what the brokers have done, or where in the ledger it is
	end       error     // with which to end once what came before it is committed
	full      bool      // there is no room for more entries
	last      time.Time // of a commit
	line      []byte
	done      Committed // by the open transaction
	texts     []byte    // of its entries
}

// batch is what the reading goroutine hands to the booking one.
type batch struct {
	next    int64
	records iter.Seq[*record.Record]
	booked  chan struct{} // closed when its records are no longer used
}

// Run takes a partition over, books its messages and commits them every Interval until ctx ends; then it commits what
// is booked, within 4 s, and returns nil. A StopError needs a person's decision. All other errors are those of log
// and output, which can no longer be used, of Show, and of messages at which to stop.
func (l *Ledger) Run(ctx context.Context, number int32, log Log, output Output) (err error) {
	p := l.partition(number, log, output)
	steps, cancel := outlast(ctx, finishTimeout)
	defer cancel()
	defer p.close(steps)
	if err := p.takeOver(ctx, steps); err != nil {
		if ctx.Err() != nil {
			return nil // nothing was booked yet
		}
		return err
	}
	p.reportStart()
	if l.Taken != nil {
		l.Taken(number, p.position, p.state.book)
	}
	l.Ready(number)
	for {
		err := p.book(ctx, steps)
		var reading readError
		switch isReading := errors.As(err, &reading); {
		case ctx.Err() != nil && isReading:
			return reading.error
		case ctx.Err() != nil:
			return p.unfinished(err)
		case !isReading:
			return err
		}
		// Retention may have deleted what comes next.
		position, err := p.findPosition(ctx, p.position, metadata(p.state.booked))
		if err != nil {
			return err
		}
		if position == p.position {
			return reading.error
		}
		p.position = position
	}
}

// readError is an error of reading the source.
type readError struct{ error }

func (l *Ledger) partition(number int32, log Log, output Output) *partition {
	p := &partition{ledger: l, log: log, output: output, number: number, state: l.takeState(number), stop: math.MaxInt64}
	if l.Stop != nil {
		p.stop = l.Stop(number)
	}
	return p
}

// outlast returns a context that ends so long after another one does.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return late, func() {
		stop()
		cancel()
	}
}

// book books what the source has and commits it, every Interval, until ctx ends. What was begun may outlast ctx, in
// steps.
func (p *partition) book(ctx, steps context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	batches, failed, ended := make(chan batch), make(chan error, 1), make(chan struct{})
	defer close(ended)
	go func() { failed <- p.read(reading, batches, ended) }()
	due := p.ledger.after(p.ledger.Interval) // nil: nothing waits to be committed
	for p.end == nil && !p.full {
		select {
		case b := <-batches:
			at("fetched")
			if err := p.bookBatch(steps, b); err != nil {
				return err
			}
			close(b.booked)
		case <-due:
			due = nil
		case err := <-failed:
			if ctx.Err() != nil {
				return p.commit(steps)
			}
			if err := p.commit(steps); err != nil {
				return err
			}
			return readError{err}
		case <-ctx.Done():
			return p.commit(steps)
		}
		wait := p.ledger.Interval - p.ledger.Now().Sub(p.last)
		switch {
		case p.position == p.committed: // nothing to commit
		case wait > 0 && !p.reaches(p.stop) && len(p.done.Entries)+len(p.done.Rejected) < p.ledger.shownMax():
			if due == nil {
				due = p.ledger.after(wait)
			}
		default:
			if err := p.commit(steps); err != nil {
				return err
			}
		}
	}
	if err := p.commit(steps); err != nil {
		return err
	}
	if p.end != nil {
		return p.end
	}
	<-ctx.Done()
	return nil
}

// reaches reports whether the next commit is the one that reaches a position.
func (p *partition) reaches(position int64) bool {
	return p.committed < position && position <= p.position
}

func (l *Ledger) after(d time.Duration) <-chan time.Time {
	if l.After == nil {
		return time.After(d)
	}
	return l.After(d)
}

// unfinished returns what an error means when ctx has ended: that of Show is one as it is, and a position alone that is
// not committed is no loss.
func (p *partition) unfinished(err error) error {
	if err != nil && p.uncertain {
		if !p.open {
			return nil
		}
		return &UncommittedError{p.done.Booked + len(p.done.Rejected), err}
	}
	return err
}

// read sends the batches of the source, and waits until each is booked, or nothing more is: its records are valid only
// until deliver returns.
func (p *partition) read(ctx context.Context, batches chan<- batch, ended <-chan struct{}) error {
	return p.log.ReadSource(ctx, p.position, func(next int64, records iter.Seq[*record.Record]) error {
		b := batch{next, records, make(chan struct{})}
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

func (p *partition) begin(ctx context.Context) error {
	if err := p.output.Begin(ctx, p.ledger.Topics.Entries); err != nil {
		return p.failed(err)
	}
	at("begun")
	p.open = true
	return nil
}

// commit makes what was booked visible, with the position after it, and then shows it.
func (p *partition) commit(ctx context.Context) error {
	if !p.open && p.position == p.committed {
		return nil
	}
	began := p.ledger.Now()
	if err := p.output.Flush(ctx); err != nil {
		return p.failed(err)
	}
	at("sent")
	if err := p.output.Commit(ctx, p.position, metadata(p.state.booked)); err != nil { //mutant:position
		return p.failed(err)
	}
	at("positioned")
	if err := p.output.End(ctx, true); err != nil { //mutant:end
		return p.failed(err)
	}
	at("committed")
	next := p.output.NextOffset(p.ledger.Topics.Entries)
	p.state.next = max(p.state.next, next)
	if next == 0 && p.done.Booked > 0 { //mutant:entries-place
		p.uncertain = true
	}
	p.open, p.committed, p.last = false, p.position, p.ledger.Now()
	if p.ledger.Committed != nil {
		p.ledger.Committed(p.number, p.committed, p.last.Sub(began))
	}
	return p.show() //mutant:show
}

// show passes on what was committed.
func (p *partition) show() error {
	done := p.done
	p.done = Committed{}
	defer func() { p.texts, p.done.Entries = p.texts[:0], done.Entries[:0] }() // their memory is used again
	if len(done.Rejected)+done.Booked == 0 {
		return nil
	}
	done.Partition, done.Position, done.Accounts = p.number, p.committed, p.state.book.Len()
	if done.Accounts == 1 {
		done.Sole = &p.state.book.Accounts()[0]
	}
	return p.ledger.Show(done)
}

// failed notes that a step has failed, so that nothing is built on what it may have done.
func (p *partition) failed(err error) error {
	p.uncertain = true
	return err
}

// close aborts what is open, and caches the state if it is what the ledger has.
func (p *partition) close(ctx context.Context) {
	if p.ledger.Release != nil {
		p.ledger.Release(len(p.done.Entries))
	}
	if p.uncertain { //mutant:uncertain
		return // what is open ends by its timeout, or when the partition is taken over
	}
	if p.open { //mutant:open
		_ = p.output.End(ctx, false)
		return
	}
	p.ledger.putState(p.number, p.state)
}

// reportStart reports where the partition goes on.
func (p *partition) reportStart() {
	resumed := event.LedgerResumed{Position: p.at(p.position), Accounts: p.state.book.Len()}
	switch {
	case resumed.Accounts == 0:
		return
	case resumed.Accounts == 1:
		resumed.Sole = p.state.book.Accounts()[0]
	}
	p.ledger.Report(resumed)
}

// at returns a position in the source.
func (p *partition) at(offset int64) record.Position {
	return record.Position{Topic: p.ledger.Topics.Source, Partition: p.number, Offset: offset}
}
