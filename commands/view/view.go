// Package view is what a person sees of a topic: records, entries and balances in an output format, with what was
// counted as they went by. It knows what there is to see, and neither flags nor where records come from.
package view

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// WhileRead runs what shows data, as long as somebody reads it.
func WhileRead(ctx context.Context, screen *console.Console, run func(ctx context.Context) error) error {
	ctx, stop := screen.WhileRead(ctx)
	defer stop()
	err := run(ctx)
	if err == nil && errors.Is(context.Cause(ctx), console.ErrClosedPipe) {
		return console.ErrClosedPipe
	}
	return err
}

// View counts what is shown of a topic, and what is rejected.
type View struct {
	Console *console.Console
	Strict  bool              // end at the first rejected message
	Count   int64             // of bizums to show; 0: endless
	Report  func(event.Event) // of what is rejected

	Shown, Rejected, Rounded int64
}

// Checked returns a handler of records that shows the good ones.
func (v *View) Checked(show func(*record.Record, *bizum.Payment) error) func(*record.Record) error {
	return func(r *record.Record) error {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			return v.reject(r.Position, err, r.Value)
		}
		if p.Rounded {
			v.Rounded++
		}
		return show(r, &p)
	}
}

// Wrote counts a bizum once it is written, and ends the run with the last one that is wanted.
func (v *View) Wrote(err error) error {
	if err != nil {
		return err
	}
	v.Shown++
	if v.Shown == v.Count {
		return consumer.ErrDone
	}
	return nil
}

func (v *View) reject(position record.Position, reason error, value []byte) error {
	if v.Strict {
		return fmt.Errorf("message at %v: %w", position, reason)
	}
	v.Rejected++
	if err := v.Console.Flush(); err != nil { // so that it comes after what came before it
		return err
	}
	v.Report(event.Rejected{Position: position, Reason: reason, Value: value})
	return nil
}

// Summary shows what was counted.
func (v *View) Summary() {
	v.Console.Noticef("%s%s", console.Plural(v.Shown, "bizum", "bizums"), Exceptions(v.Rounded, v.Rejected))
}

// Exceptions is what a summary adds when there were any.
func Exceptions(rounded, rejected int64) string {
	var text strings.Builder
	if rounded > 0 {
		fmt.Fprintf(&text, ", %s of them rounded to cents", console.Count(rounded))
	}
	if rejected > 0 {
		fmt.Fprintf(&text, ", %s rejected", console.Count(rejected))
	}
	return text.String()
}
