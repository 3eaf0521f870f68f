package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
	"bizumctl/commands/plot"
)

// picture is drawn of a balance when its run ends. All methods of a nil one do nothing.
type picture struct {
	*plot.Recorder
	file  string
	title plot.Title
}

// checkPlot refuses a picture that cannot be drawn, before the run that it would be of.
func (o *balanceOptions) checkPlot() error {
	if o.plot == "" {
		return nil
	}
	err := plot.CheckFile(o.plot)
	switch {
	case errors.Is(err, plot.ErrFormat):
		return misuse.Errorf("--plot %q: %w", o.plot, err)
	case err != nil:
		return fmt.Errorf("the picture cannot be written: %w", err)
	}
	return nil
}

// newPicture prepares a picture if one is asked for.
func (o *balanceOptions) newPicture(now func() time.Time) *picture {
	if o.plot == "" {
		return nil
	}
	return &picture{plot.NewRecorder(o.initial, o.account, now), o.plot,
		plot.Title{Topic: o.cluster.Topic, Group: o.group, Zone: time.Local}}
}

// rows returns what shows an entry of a topic that is added up, so that the picture has it, too.
func (p *picture) rows(show func(*record.Record, *bizum.Entry) error) func(*record.Record, *bizum.Entry) error {
	if p == nil {
		return show
	}
	return func(r *record.Record, e *bizum.Entry) error {
		err := show(r, e)
		if err == nil {
			p.Part(r.Partition).Moved(r.Key, r.Timestamp, e.Change())
		}
		return err
	}
}

// moved returns what a replay tells the picture of; nil if there is none.
func (p *picture) moved() func(partition int32) func(key []byte, timestamp int64, change bizum.Amount) {
	if p == nil {
		return nil
	}
	return func(partition int32) func([]byte, int64, bizum.Amount) { return p.Part(partition).Moved }
}

// watchGroup returns what a group tells of the entries that it has committed: whom it told before, and the picture.
func (p *picture) watchGroup(other func(int32, []ledger.Entry)) func(partition int32, entries []ledger.Entry) {
	if p == nil {
		return other
	}
	return func(partition int32, entries []ledger.Entry) {
		if other != nil {
			other(partition, entries)
		}
		part := p.Part(partition)
		for i := range entries {
			e := &entries[i]
			part.Booked(e.Account, e.Timestamp, e.Change(), e.Balance)
		}
	}
}

// drawn draws the picture of a run that has ended, and returns its error; if that is none, that of the drawing. A run
// that has failed has no picture: it would look like that of a whole one.
func (p *picture) drawn(ctx context.Context, screen *console.Console, err error) error {
	ended := err == nil || ctx.Err() != nil || errors.Is(err, console.ErrClosedPipe)
	if p == nil || !ended {
		return err
	}
	what, failed := p.Write(p.file, p.title)
	if failed != nil {
		failed = fmt.Errorf("drawing the picture: %w", failed)
		return errors.Join(err, failed)
	}
	screen.Noticef("drew %s: %s", p.file, what)
	return err
}
