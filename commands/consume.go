package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

type consumeOptions struct {
	cluster     clusterOptions
	files       fileOptions
	safe        bool // csv in which spreadsheets find no formula
	from, until boundFlag
	fromAsked   bool
	exit        bool
	count       int64
	idle        time.Duration
	partitions  []int
	group       string
	output      string
	bad         string
}

func newConsume(env Env) *cli.Command {
	o := consumeOptions{cluster: defaultCluster(), files: defaultFiles(), output: "table", bad: "skip"}
	o.from, o.until = boundFlag{"beginning", consumer.Beginning(), env.Now}, boundFlag{now: env.Now}
	var partitions cli.IntSlice
	var raw, json bool
	return &cli.Command{
		Name: "consume", Usage: "show bizums",
		Description: examples("Shows the bizums of a topic, and goes on with those to come.",
			"bizumctl consume --from -20          the last 20 of each partition and more",
			"bizumctl consume --raw --exit > all  every value as it was received, up to now",
			"bizumctl consume --dir pagos/        Parquet files, for Spark, DuckDB, pandas"),
		Flags: slices.Concat([]cli.Flag{
			&cli.GenericFlag{Name: "from", Value: &o.from,
				Usage: "`PLACE` to begin: beginning, end, an offset, -20 (before the end), @-1h, @-2d, @today, @08:00, " +
					"@2026-11-22T15:04 (local time), @2026-11-22T15:04Z (with its zone)"},
			&cli.GenericFlag{Name: "until", Value: &o.until, Usage: "`PLACE` to stop before, in the same forms"},
			exitFlag(&o.exit),
			countFlag(&o.count, "stop after `N` bizums"),
			&cli.DurationFlag{Name: "idle-timeout", Destination: &o.idle, Usage: "stop after `TIME` without one"},
			&cli.IntSliceFlag{Name: "partition", Aliases: []string{"p"}, Destination: &partitions,
				Usage: "only partition `P`; may be repeated"},
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "share the partitions in consumer group `NAME`, and go on where it was"},
			o.cluster.sessionFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: o.output, Destination: &o.output,
				Usage: "`FORMAT`: table, text, json, csv, raw; with --dir parquet, text, json, csv"},
			&cli.BoolFlag{Name: "raw", Destination: &raw,
				Usage: "short for --output raw: values as received, unchecked"},
			jsonFlag(&json),
			badFlag(&o.bad), safeFlag(&o.safe),
		}, o.files.flags("write files into folder `DIR`, each bizum exactly once"), o.cluster.flags()),
		Action: func(c *cli.Context) error {
			o.partitions, o.fromAsked = partitions.Value(), c.IsSet("from")
			if (raw || json) && c.IsSet("output") || raw && json {
				return misuse("--output, --raw and --json exclude each other")
			}
			switch {
			case raw:
				o.output = "raw"
			case json:
				o.output = "json"
			}
			if o.group != "" && len(o.partitions) > 0 {
				return misuse("--group shares out the partitions itself: leave out --partition (-p)")
			}
			if err := o.suitFiles(c); err != nil {
				return err
			}
			return o.run(c.Context, env, newConsole(env, o.cluster.speech))
		},
	}
}

func (o *consumeOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	outputs := []string{"table", "text", "json", "csv", "raw"}
	if o.files.dir != "" {
		outputs = format.Names[:]
	}
	if err := checkView(o.output, o.bad, o.safe, o.count, outputs...); err != nil {
		return err
	}
	if err := notNegative("idle-timeout", o.idle); err != nil {
		return err
	}
	partitions, err := partitionNumbers(o.partitions)
	if err != nil {
		return err
	}
	cluster, err := o.cluster.open(ctx, env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	config := consumer.Config{Topic: o.cluster.topic, From: o.from.bound, FromAsked: o.fromAsked,
		Until: o.until.bound, Exit: o.exit, Idle: o.idle, Partitions: partitions, Group: o.group, Now: env.Now,
		Report: o.cluster.report(screen)}
	if o.files.dir != "" {
		return o.writeFiles(ctx, env, cluster, config, screen)
	}
	view := &view{console: screen, strict: o.bad == "stop", count: o.count}
	err = whileRead(ctx, screen, func(ctx context.Context) error { return o.show(ctx, cluster, config, view) })
	if err == nil || ctx.Err() != nil {
		view.summary()
	}
	return err
}

func (o *consumeOptions) show(ctx context.Context, cluster *kafka.Cluster, config consumer.Config, view *view) error {
	show, err := o.shower(view)
	if err != nil {
		return err
	}
	topic, err := consumer.Open(ctx, cluster, config)
	if err != nil {
		return consumer.Failure(err)
	}
	defer view.console.Follow(topic.Progress)()
	return topic.Run(ctx, show, view.console.Flush)
}

// shower makes the handler that shows a record in the output format.
func (o *consumeOptions) shower(v *view) (func(*record.Record) error, error) {
	switch o.output {
	case "raw":
		return func(r *record.Record) error { return v.shown(v.console.Line(r.Value)) }, nil
	case "table":
		statement := console.NewStatement(v.console, console.StatementOptions{})
		return v.checked(func(r *record.Record, p *bizum.Payment) error {
			return v.shown(statement.Row(r.Timestamp, bizum.KeyOf(r.Key), p, 0))
		}), nil
	}
	lines, err := console.NewLines(v.console, o.output, format.Options{Safe: o.safe})
	return v.checked(func(r *record.Record, p *bizum.Payment) error {
		err := lines.Row(r, p, 0)
		if errors.Is(err, format.ErrLineBreak) {
			return v.rejected(r.Position, err, r.Value)
		}
		return v.shown(err)
	}), err
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
