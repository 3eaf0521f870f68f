package commands

import (
	"context"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/consumer"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
	"bizumctl/commands/view"
)

type consumeOptions struct {
	cluster     settings.Cluster
	files       fileOptions
	safe        bool // csv in which spreadsheets find no formula
	from, until flags.Bound
	fromAsked   bool
	exit        bool
	count       int64
	idle        time.Duration
	partitions  []int
	group       string
	output      string
	bad         string
	metrics     string // address to serve the run's figures at; "": none
}

func newConsume(env Env) *cli.Command {
	o := consumeOptions{cluster: settings.DefaultCluster(), files: defaultFiles(), output: "table", bad: "skip"}
	o.from, o.until = flags.Bound{Text: "beginning", At: consumer.Beginning(), Now: env.Now},
		flags.Bound{Now: env.Now}
	var partitions cli.IntSlice
	var raw, json bool
	return &cli.Command{
		Name: "consume", Usage: "show bizums",
		Description: help.Examples("Shows the bizums of a topic, and goes on with those to come.",
			"bizumctl consume --from -20          the last 20 of each partition and more",
			"bizumctl consume --raw --exit > all  every value as it was received, up to now",
			"bizumctl consume --dir pagos/        Parquet files, for Spark, DuckDB, pandas"),
		Flags: slices.Concat([]cli.Flag{
			&cli.GenericFlag{Name: "from", Value: &o.from,
				Usage: "`PLACE` to begin: beginning, end, an offset, -20 (before the end), @-1h, @-2d, @today, @08:00, " +
					"@2026-11-22T15:04 (local time), @2026-11-22T15:04Z (with its zone)"},
			&cli.GenericFlag{Name: "until", Value: &o.until, Usage: "`PLACE` to stop before, in the same forms"},
			flags.Exit(&o.exit),
			flags.Count(&o.count, "stop after `N` bizums"),
			&cli.DurationFlag{Name: "idle-timeout", Destination: &o.idle, Usage: "stop after `TIME` without one"},
			&cli.IntSliceFlag{Name: "partition", Aliases: []string{"p"}, Destination: &partitions,
				Usage: "only partition `P`; may be repeated"},
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "share the partitions in consumer group `NAME`, and go on where it was"},
			o.cluster.SessionFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: o.output, Destination: &o.output,
				Usage: "`FORMAT`: table, text, json, csv, raw; with --dir parquet, text, json, csv"},
			&cli.BoolFlag{Name: "raw", Destination: &raw,
				Usage: "short for --output raw: values as received, unchecked"},
			flags.JSON(&json),
			flags.Bad(&o.bad), flags.CSVSafe(&o.safe),
			metricsFlag(&o.metrics),
		}, o.files.flags("write files into folder `DIR`, each bizum exactly once"), o.cluster.Flags()),
		Action: func(c *cli.Context) error {
			o.partitions, o.fromAsked = partitions.Value(), c.IsSet("from")
			if (raw || json) && c.IsSet("output") || raw && json {
				return misuse.Errorf("--output, --raw and --json exclude each other")
			}
			switch {
			case raw:
				o.output = "raw"
			case json:
				o.output = "json"
			}
			if o.group != "" && len(o.partitions) > 0 {
				return misuse.Errorf("--group shares out the partitions itself: leave out --partition (-p)")
			}
			if err := o.suitFiles(c); err != nil {
				return err
			}
			return o.run(c.Context, env, newConsole(env, o.cluster.Speech))
		},
	}
}

func (o *consumeOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	outputs := []string{"table", "text", "json", "csv", "raw"}
	if o.files.dir != "" {
		outputs = format.Names[:]
	}
	if err := flags.CheckView(o.output, o.bad, o.safe, o.count, outputs...); err != nil {
		return err
	}
	if err := flags.NotNegative("idle-timeout", o.idle); err != nil {
		return err
	}
	partitions, err := partitionNumbers(o.partitions)
	if err != nil {
		return err
	}
	cluster, err := o.cluster.Open(ctx, env.settings(), screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	config := consumer.Config{Topic: o.cluster.Topic, From: o.from.At, FromAsked: o.fromAsked,
		Until: o.until.At, Exit: o.exit, Idle: o.idle, Partitions: partitions, Group: o.group, Now: env.Now,
		Report: report(&o.cluster, screen)}
	if o.files.dir != "" {
		return o.writeFiles(ctx, env, cluster, config, screen)
	}
	shown := &view.View{Console: screen, Strict: o.bad == "stop", Count: o.count, Report: screen.Report}
	err = view.WhileRead(ctx, screen, func(ctx context.Context) error { return o.show(ctx, cluster, config, shown) })
	if err == nil || ctx.Err() != nil {
		shown.Summary()
	}
	return err
}

func (o *consumeOptions) show(ctx context.Context, cluster *kafka.Cluster, config consumer.Config,
	shown *view.View) error {
	show, err := shown.Records(o.output, o.safe)
	if err != nil {
		return err
	}
	topic, err := consumer.Open(ctx, cluster, config)
	if err != nil {
		return consumer.Failure(err)
	}
	defer shown.Console.Follow(topic.Progress)()
	return topic.Run(ctx, show, shown.Console.Flush)
}

func partitionNumbers(list []int) (numbers []int32, err error) {
	for _, p := range list {
		if p < 0 || p > 1<<31-1 {
			return nil, misuse.Errorf("--partition (-p) %d: no such partition", p)
		}
		numbers = append(numbers, int32(p))
	}
	return numbers, nil
}
