package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// whileRead runs what shows data, as long as somebody reads it.
func whileRead(ctx context.Context, screen *console.Console, run func(ctx context.Context) error) error {
	ctx, stop := screen.WhileRead(ctx)
	defer stop()
	err := run(ctx)
	if err == nil && errors.Is(context.Cause(ctx), console.ErrClosedPipe) {
		return console.ErrClosedPipe
	}
	return err
}

// view counts what is shown of a topic, and what is rejected.
type view struct {
	console *console.Console
	strict  bool     // end at the first rejected message
	count   int64    // of bizums to show; 0: endless
	picture *picture // of what is shown; nil: none
	page    *page    // nil: there is none

	seen, bad, rounded int64
}

// checked returns a handler of records that shows the good ones.
func (v *view) checked(show func(*record.Record, *bizum.Payment) error) func(*record.Record) error {
	return func(r *record.Record) error {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			return v.rejected(r.Position, err, r.Value)
		}
		if p.Rounded {
			v.rounded++
		}
		return show(r, &p)
	}
}

// shown counts a bizum once it is written.
func (v *view) shown(err error) error {
	if err != nil {
		return err
	}
	v.seen++
	if v.seen == v.count {
		return consumer.ErrDone
	}
	return nil
}

func (v *view) rejected(position record.Position, reason error, value []byte) error {
	if v.strict {
		return fmt.Errorf("message at %v: %w", position, reason)
	}
	v.bad++
	if err := v.console.Flush(); err != nil { // so that it comes after what came before it
		return err
	}
	v.page.reporting(v.console.Report)(event.Rejected{Position: position, Reason: reason, Value: value})
	return nil
}

func (v *view) summary() {
	v.console.Noticef("%s%s", console.Plural(v.seen, "bizum", "bizums"), exceptions(v.rounded, v.bad))
}

// exceptions is what a summary adds when there were any.
func exceptions(rounded, rejected int64) string {
	var text strings.Builder
	if rounded > 0 {
		fmt.Fprintf(&text, ", %s of them rounded to cents", console.Count(rounded))
	}
	if rejected > 0 {
		fmt.Fprintf(&text, ", %s rejected", console.Count(rejected))
	}
	return text.String()
}

// Flags of the commands that show a topic.

func exitFlag(value *bool) cli.Flag {
	return &cli.BoolFlag{Name: "exit", Aliases: []string{"e"}, Destination: value,
		Usage: "stop at the end that there is now"}
}

func jsonFlag(value *bool) cli.Flag {
	return &cli.BoolFlag{Name: "json", Destination: value, Usage: "short for --output json"}
}

// jsonOutput applies --json to the output of a command.
func jsonOutput(c *cli.Context, json bool, output *string) error {
	switch {
	case json && c.IsSet("output"):
		return misuse("--output and --json exclude each other")
	case json:
		*output = "json"
	}
	return nil
}

func countFlag(value *int64, usage string) cli.Flag {
	return &cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Destination: value, Usage: usage}
}

func badFlag(value *string) cli.Flag {
	return &cli.StringFlag{Name: "bad", Value: *value, Destination: value,
		Usage: "`WHAT` to do with a rejected message: skip, stop; skip reports it"}
}

func safeFlag(value *bool) cli.Flag {
	return &cli.BoolFlag{Name: "csv-safe", Destination: value, Usage: "csv in which spreadsheets find no formula"}
}

// checkView is what a command that shows a topic wants of its flags.
func checkView(output, bad string, safe bool, count int64, outputs ...string) error {
	if err := oneOf("output", output, outputs...); err != nil {
		return err
	}
	if safe && output != "csv" {
		return misuse("--csv-safe goes with --output csv")
	}
	if err := oneOf("bad", bad, "skip", "stop"); err != nil {
		return err
	}
	return notNegative("count", count)
}

func notNegative[N int64 | time.Duration](flag string, n N) error {
	if n < 0 {
		return misuse("--%s %v: want 0 (endless) or more", flag, n)
	}
	return nil
}
