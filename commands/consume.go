package commands

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/format"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

type consumeOptions struct {
	shared
	fileOptions
	from, until place
	exit        bool
	count       int64
	idle        time.Duration
	partitions  []int
	group       string
	output      string
	raw, json   bool
	bad         string
}

func newConsume(env Env) *cli.Command {
	var o consumeOptions
	_ = o.from.Set("beginning")
	var partitions cli.IntSlice
	return &cli.Command{
		Name: "consume", Usage: "show bizums",
		Description: examples("Shows the bizums of a topic, and goes on with those to come.",
			"bizumctl consume --from -20            the last 20 of each partition, then what comes",
			"bizumctl consume --raw --exit > all    every value as it was received, up to now",
			"bizumctl consume --dir pagos/          Parquet files, for Spark, DuckDB, pandas"),
		Flags: slices.Concat([]cli.Flag{
			&cli.GenericFlag{Name: "from", Value: &o.from,
				Usage: "`PLACE` to begin: beginning, end, offset N, -N before the end, @TIME, @-1h"},
			&cli.GenericFlag{Name: "until", Value: &o.until, Usage: "`PLACE` to stop before, in the same forms"},
			&cli.BoolFlag{Name: "exit", Aliases: []string{"e"}, Destination: &o.exit,
				Usage: "stop at the end that there is now"},
			&cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Destination: &o.count, Usage: "stop after `N` bizums"},
			&cli.DurationFlag{Name: "idle-timeout", Destination: &o.idle, Usage: "stop after `TIME` without one"},
			&cli.IntSliceFlag{Name: "partition", Aliases: []string{"p"}, Destination: &partitions,
				Usage: "only partition `P`; may be repeated"},
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "share the partitions in consumer group `NAME`, and go on where it was"},
			o.sessionFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Destination: &o.output,
				Usage: "`FORMAT`: table, text, json, csv, raw; with --dir parquet, text, json, csv"},
			&cli.BoolFlag{Name: "raw", Destination: &o.raw, Usage: "short for --output raw: values as received, unchecked"},
			&cli.BoolFlag{Name: "json", Destination: &o.json, Usage: "short for --output json"},
			badFlag(&o.bad),
			&cli.BoolFlag{Name: "csv-safe", Destination: &o.safe, Usage: "csv files in which spreadsheets find no formula"},
		}, o.fileOptions.flags("write files into folder `DIR`, each bizum exactly once"), o.shared.flags()),
		Action: func(c *cli.Context) error {
			o.partitions = partitions.Value()
			if (o.raw || o.json) && c.IsSet("output") || o.raw && o.json {
				return misuse("--output, --raw and --json exclude each other")
			}
			if o.group != "" && len(o.partitions) > 0 {
				return misuse("--group shares out the partitions itself: leave out --partition (-p)")
			}
			if err := o.suitFiles(c); err != nil {
				return err
			}
			return o.run(c.Context, env, newConsole(env, o.shared))
		},
	}
}

func badFlag(value *string) cli.Flag {
	return &cli.StringFlag{Name: "bad", Value: "skip", Destination: value,
		Usage: "`WHAT` to do with a rejected message: skip (and tell), stop"}
}

func (o *consumeOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	switch {
	case o.raw:
		o.output = "raw"
	case o.json:
		o.output = "json"
	}
	outputs := []string{"table", "text", "json", "csv", "raw"}
	if o.dir != "" {
		outputs = format.Names[:]
	}
	if err := cmp.Or(oneOf("output", o.output, outputs...), oneOf("bad", o.bad, "skip", "stop"),
		notNegative("count", o.count), notNegative("idle-timeout", o.idle)); err != nil {
		return err
	}
	partitions, err := partitionNumbers(o.partitions)
	if err != nil {
		return err
	}
	cluster, err := o.open(env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	f := &follower{cluster: cluster, topic: o.topic, console: screen, now: env.Now, from: o.from, until: o.until,
		exit: o.exit, idle: o.idle, partitions: partitions, group: o.group}
	if o.dir != "" {
		return (&filing{follower: f, options: o}).run(ctx)
	}
	view := &view{console: screen, topic: o.topic, stop: o.bad == "stop", count: o.count}
	show, err := o.shower(view)
	if err != nil {
		return err
	}
	err = f.run(ctx, show, screen.Flush)
	if err == nil || ctx.Err() != nil {
		view.summary()
	}
	return err
}

// shower makes the handler that shows a record in the output format.
func (o *consumeOptions) shower(v *view) (func(*record.Record) error, error) {
	switch o.output {
	case "raw":
		return func(r *record.Record) error { return v.shown(v.console.Line(r.Value)) }, nil
	case "table":
		statement := console.NewStatement(v.console, false)
		return v.checked(func(r *record.Record, p *bizum.Payment) error {
			return v.shown(statement.Row(r.Timestamp, bizum.KeyOf(r.Key), p, 0))
		}), nil
	}
	lines, err := console.NewLines(v.console, o.output, false)
	return v.checked(func(r *record.Record, p *bizum.Payment) error {
		return v.shown(lines.Row(r, p, 0))
	}), err
}

// view counts what a reader shows and rejects.
type view struct {
	console *console.Console
	topic   string
	stop    bool  // at the first rejected message
	count   int64 // of bizums to show; 0: endless

	seen, bad, rounded int64
}

// checked makes a handler of records that shows the good ones.
func (v *view) checked(show func(*record.Record, *bizum.Payment) error) func(*record.Record) error {
	return func(r *record.Record) error {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			return v.rejected(r.Position, err)
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
	if v.seen++; v.seen == v.count {
		return errEnough
	}
	return nil
}

func (v *view) rejected(place record.Position, reason error) error {
	if v.stop {
		return fmt.Errorf("message at %v: %w", place, reason)
	}
	v.bad++
	if err := v.console.Flush(); err != nil { // so that it comes after what came before it
		return err
	}
	v.console.Report(event.Rejected{Position: place, Reason: reason})
	return nil
}

func (v *view) summary() {
	v.console.Noticef("%s%s", console.Plural(v.seen, "bizum", "bizums"), v.asides())
}

// asides tells what a summary adds when there was any.
func (v *view) asides() string {
	var text strings.Builder
	if v.rounded > 0 {
		fmt.Fprintf(&text, ", %d of them rounded to cents", v.rounded)
	}
	if v.bad > 0 {
		fmt.Fprintf(&text, ", %d rejected", v.bad)
	}
	return text.String()
}

func notNegative[N int64 | time.Duration](flag string, n N) error {
	if n < 0 {
		return misuse("--%s %v: want 0 (endless) or more", flag, n)
	}
	return nil
}

func partitionNumbers(list []int) (numbers []int32, err error) {
	for _, p := range list {
		if p < 0 || p > 1<<31-1 {
			return nil, misuse("--partition (-p) %d: no such partition", p)
		}
		numbers = append(numbers, int32(p))
	}
	return numbers, nil
}
