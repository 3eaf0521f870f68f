package commands

import (
	"context"
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
	safe        bool // csv files in which spreadsheets find no formula
	from, until boundFlag
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
	_ = o.from.Set("beginning")
	var partitions cli.IntSlice
	var raw, json bool
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
			&cli.BoolFlag{Name: "json", Destination: &json, Usage: "short for --output json"},
			badFlag(&o.bad),
			&cli.BoolFlag{Name: "csv-safe", Destination: &o.safe,
				Usage: "csv files in which spreadsheets find no formula"},
		}, o.files.flags("write files into folder `DIR`, each bizum exactly once"), o.cluster.flags()),
		Action: func(c *cli.Context) error {
			o.partitions = partitions.Value()
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
	if err := checkView(o.output, o.bad, o.count, outputs...); err != nil {
		return err
	}
	if err := notNegative("idle-timeout", o.idle); err != nil {
		return err
	}
	partitions, err := partitionNumbers(o.partitions)
	if err != nil {
		return err
	}
	cluster, err := o.cluster.open(env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	config := consumer.Config{Topic: o.cluster.topic, From: o.from.bound, Until: o.until.bound, Exit: o.exit,
		Idle: o.idle, Partitions: partitions, Group: o.group, Now: env.Now, Report: screen.Report}
	if o.files.dir != "" {
		return o.writeFiles(ctx, env, cluster, config, screen)
	}
	view := &view{console: screen, strict: o.bad == "stop", count: o.count}
	err = o.show(ctx, cluster, config, view)
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
	lines, err := console.NewLines(v.console, o.output, false)
	return v.checked(func(r *record.Record, p *bizum.Payment) error {
		return v.shown(lines.Row(r, p, 0))
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
