package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
	"bizumctl/commands/plot"
)

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
func (o *balanceOptions) newPicture(now func() time.Time) *plot.Picture {
	if o.plot == "" {
		return nil
	}
	return plot.NewPicture(plot.PictureConfig{File: o.plot, Initial: o.initial, Account: o.account, Now: now,
		Title: plot.Title{Topic: o.cluster.Topic, Group: o.group, Zone: time.Local}})
}

// drawn draws the picture of a run that has ended, and returns its error; if that is none, that of the drawing. A run
// that has failed has no picture: it would look like that of a whole one.
func (o *balanceOptions) drawn(ctx context.Context, picture *plot.Picture, screen *console.Console, err error) error {
	ended := err == nil || ctx.Err() != nil || errors.Is(err, console.ErrClosedPipe)
	if picture == nil || !ended {
		return err
	}
	what, failed := picture.Draw()
	if failed != nil {
		failed = fmt.Errorf("drawing the picture: %w", failed)
		return errors.Join(err, failed)
	}
	screen.Noticef("drew %s: %s", o.plot, what)
	return err
}
