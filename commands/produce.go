package commands

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/archive"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
	"bizumctl/commands/view"
)

const delayMax = 1000 * time.Hour

type produceOptions struct {
	cluster     settings.Cluster
	files       fileOptions
	pauses      pauses
	rate        flags.Rate
	count       int64
	duration    time.Duration
	seed        uint64
	accounts    int
	names       string // file; "": the list that is built in
	concepts    string // file; "": the list that is built in
	input       string // file of messages, or -; "": they are made
	dryRun      bool
	bad         string
	compression string
	partitions  int
	skew        float64 // 0: all accounts are alike
	receipt     string  // file; "": none
	faults      faultsFlag
	metrics     string // address to serve the run's figures at; "": none
	asked       asked

	nameList, conceptList [][]byte
	rejected              int64 // lines of the input that were skipped
}

// asked is which flags were given, of those whose default is not what happens when they are left out.
type asked struct{ rate, delays, partitions bool }

// pauses are the bounds of a random pause.
type pauses struct{ min, max time.Duration }

func defaultPauses() pauses { return pauses{min: time.Second, max: 10 * time.Second} }

func (p *pauses) flags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "min-delay", Value: p.min, Destination: &p.min, Usage: "shortest pause `TIME`"},
		&cli.DurationFlag{Name: "max-delay", Value: p.max, Destination: &p.max, Usage: "longest pause `TIME`"},
	}
}

func (p *pauses) check() error {
	if p.min < 0 || p.max < p.min || p.max > delayMax {
		return misuse.Errorf("--min-delay %v, --max-delay %v: want 0 ≤ min ≤ max ≤ %v", p.min, p.max, delayMax)
	}
	return nil
}

func defaultProduce() produceOptions {
	return produceOptions{cluster: settings.DefaultCluster(), files: defaultFiles(), pauses: defaultPauses(),
		seed: rand.Uint64(), accounts: 1, bad: "stop", compression: "none", partitions: 1}
}

func newProduce(env Env) *cli.Command {
	o := defaultProduce()
	return &cli.Command{
		Name: "produce", Usage: "send made-up bizums, or given ones",
		Description: help.Examples("Sends a bizum, waits a random pause, and so on. A missing topic is made.",
			"bizumctl produce                                a bizum every 1 to 10 s",
			"bizumctl produce --rate 1000 -n 60000 --seed 7  the same minute of load"),
		Flags: slices.Concat(o.pauses.flags(), []cli.Flag{
			&cli.GenericFlag{Name: "rate", Value: &o.rate, Usage: "`N` a second instead of pauses, or max"},
			flags.Count(&o.count, "stop after `N` bizums"),
			&cli.DurationFlag{Name: "duration", Aliases: []string{"d"}, Destination: &o.duration,
				Usage: "stop after `TIME`"},
			&cli.Uint64Flag{Name: "seed", Value: o.seed, Destination: &o.seed, DefaultText: "random",
				Usage: "the same `N`: the same bizums and pauses"},
			&cli.IntFlag{Name: "accounts", Value: o.accounts, Destination: &o.accounts,
				Usage: "spread over `N` accounts, cuenta-1 to cuenta-N"},
			&cli.StringFlag{Name: "names", Destination: &o.names, Usage: "`FILE` of names, one a line"},
			&cli.StringFlag{Name: "concepts", Destination: &o.concepts, Usage: "`FILE` of concepts, one a line"},
			&cli.StringFlag{Name: "input", Destination: &o.input,
				Usage: "send the messages of `FILE`, or - for standard input"},
			&cli.StringFlag{Name: "bad", Value: o.bad, Destination: &o.bad,
				Usage: "`WHAT` to do with a line of --input that is no message: stop, skip; skip reports it"},
			&cli.BoolFlag{Name: "dry-run", Destination: &o.dryRun, Usage: "print the messages instead of sending them"},
			&cli.StringFlag{Name: "compression", Value: o.compression, Destination: &o.compression,
				Usage: "`CODEC`: none, gzip, snappy, lz4, zstd"},
			&cli.IntFlag{Name: "partitions", Value: o.partitions, Destination: &o.partitions,
				Usage: "make a missing topic with `N` partitions"},
			metricsFlag(&o.metrics),
		}, o.receiptFlags(), o.files.flags("write text files into folder `DIR` instead of sending"), o.cluster.Flags()),
		Action: func(c *cli.Context) error {
			o.asked = asked{rate: c.IsSet("rate"), delays: c.IsSet("min-delay") || c.IsSet("max-delay"),
				partitions: c.IsSet("partitions")}
			switch {
			case o.asked.rate && o.asked.delays:
				return misuse.Errorf("--rate and --min-delay, --max-delay exclude each other")
			case o.dryRun && o.metrics != "":
				return misuse.Errorf("--dry-run sends nothing: leave out --metrics")
			case o.input != "" && (c.IsSet("accounts") || c.IsSet("names") || c.IsSet("concepts") || c.IsSet("skew")):
				return misuse.Errorf("--input sends given messages: leave out --accounts, --skew, --names and --concepts")
			}
			if err := cmp.Or(o.suitFiles(c), o.suitReceipt(c)); err != nil {
				return err
			}
			return o.run(c.Context, env, newConsole(env, o.cluster.Speech))
		},
	}
}

// plan returns what the flags mean together. Given messages are sent at once, unless a pace is asked for.
func (o *produceOptions) plan() producer.Plan {
	plan := producer.Plan{Mode: producer.Paused, DelayMin: o.pauses.min, DelayMax: o.pauses.max, Seed: o.seed,
		Given: o.input != "", Count: o.count, Duration: o.duration}
	switch {
	case o.rate.PerSecond > 0:
		plan.Mode, plan.PerSecond = producer.Steady, o.rate.PerSecond
	case o.rate.Max, o.input != "" && !o.asked.delays:
		plan.Mode = producer.Unpaced
	}
	return plan
}

func (o *produceOptions) check() error {
	if err := o.pauses.check(); err != nil {
		return err
	}
	switch {
	case o.duration < 0:
		return misuse.Errorf("--duration (-d) %v: want a time above 0", o.duration)
	case o.accounts < 1:
		return misuse.Errorf("--accounts %d: want 1 or more", o.accounts)
	case o.partitions < 1 || o.partitions > 10_000:
		return misuse.Errorf("--partitions %d: want 1 to 10000", o.partitions)
	}
	if err := flags.NotNegative("count", o.count); err != nil {
		return err
	}
	if err := kafka.CheckCompression(o.compression); err != nil {
		return misuse.Errorf("%w", err)
	}
	return flags.OneOf("bad", o.bad, "stop", "skip")
}

func (o *produceOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.check(); err != nil {
		return err
	}
	work := func(ctx context.Context) error { return o.work(ctx, env, screen) }
	if o.dryRun || o.plan().Mode == producer.Paused { // it writes what it sends
		return view.WhileRead(ctx, screen, work)
	}
	return work(ctx)
}

func (o *produceOptions) work(ctx context.Context, env Env, screen *console.Console) error {
	messages, err := o.source(env, screen)
	if err != nil {
		return err
	}
	columns := console.StatementOptions{Accounts: console.OneAccount}
	if o.accounts > 1 {
		columns.Accounts = console.SeveralAccounts
	}
	statement := console.NewStatement(screen, columns)
	config := producer.Config{Plan: o.plan(), Now: env.Now, Report: screen.Report,
		Show: func(m *producer.Message, at time.Time) error {
			if err := statement.Row(at.UnixMilli(), bizum.KeyOf(m.Key), &m.Payment, 0); err != nil {
				return err
			}
			return screen.Flush()
		}}
	switch {
	case o.dryRun:
		config.Show = nil
		return producer.New(config).Run(ctx, messages, producer.ToLines(screen.Line, screen.Flush))
	case o.files.dir != "":
		return o.writeFiles(ctx, env, messages, config, screen)
	}
	config.Progress = func(measure func() event.Sending) {
		if screen.ProgressDue() {
			screen.Report(measure())
		}
	}
	return o.send(ctx, env, messages, config, screen)
}

// send is the run when messages go into a topic.
func (o *produceOptions) send(ctx context.Context, env Env, messages producer.Source, config producer.Config,
	screen *console.Console) error {
	cluster, err := o.cluster.Open(ctx, env.settings(), screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	missing, err := o.ensureTopic(ctx, cluster, screen)
	if err != nil || ctx.Err() != nil {
		return interrupted(ctx, err)
	}
	run := producer.New(config)
	to, err := o.target(ctx, env, cluster, run, missing)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer to.Close()
	stop, err := o.serveMetrics(ctx, env, cluster, run, to.Writer.Pending, screen)
	if err != nil {
		return err
	}
	defer stop()
	err = run.Run(ctx, messages, to.Sink)
	sent := view.Sent{Figures: run.Figures(), Pending: to.Writer.Pending(), Rejected: o.rejected, ByRate: o.asked.rate,
		Asked: o.rate.PerSecond, Mode: o.plan().Mode}
	sent.Summary(screen)
	lost := to.Writer.Verify(ctx)
	if err != nil && lost != nil {
		screen.Noticef("%v", lost)
	}
	return cmp.Or(o.finish(ctx, screen, to.Recorded, err), lost)
}

// ensureTopic creates the topic if it is missing. If it was ours to create, or the broker is an embedded one, it
// returns what creates it again: such a broker may have forgotten it.
func (o *produceOptions) ensureTopic(ctx context.Context, cluster *kafka.Cluster,
	screen *console.Console) (again func(context.Context), err error) {
	has, created, err := producer.EnsureTopic(ctx, cluster, o.cluster.Topic, o.partitions)
	if err != nil {
		return nil, err
	}
	id, _, err := cluster.Identity(ctx, o.cluster.Topic)
	if err != nil {
		return nil, err
	}
	partitions := console.Plural(has, "partition", "partitions")
	embedded := id == devbroker.ClusterID
	switch {
	case created && embedded: // it keeps as much as it was started with
		screen.Noticef("made topic %q with %s", o.cluster.Topic, partitions)
	case created:
		screen.Noticef("made topic %q with %s; its records do not expire", o.cluster.Topic, partitions)
	case o.asked.partitions && has != o.partitions:
		screen.Noticef("topic %q has %s already: --partitions does not apply", o.cluster.Topic, partitions)
	}
	if !created && !embedded {
		return nil, nil
	}
	return producer.Recreate(cluster, o.cluster.Topic, has, screen.Report), nil
}

// writeFiles is the run when messages go into a folder.
func (o *produceOptions) writeFiles(ctx context.Context, env Env, messages producer.Source, config producer.Config,
	screen *console.Console) error {
	out, err := archive.NewLineFiles(o.files.dir, o.cluster.Topic, env.Now(), os.Getpid())
	if err != nil {
		return err
	}
	sink := producer.ToFiles(out, producer.FileConfig{Records: o.files.records, Bytes: int64(o.files.bytes),
		Age: o.files.age})
	recorder, err := o.newRecorder(ctx, env, nil)
	if err != nil {
		return err
	}
	var recorded *producer.Recorded
	var to producer.Sink = sink
	if recorder != nil {
		recorded = producer.RecordedFiles(recorder, sink)
		to = recorded
	}
	err = producer.New(config).Run(ctx, messages, to)
	bizums, files := sink.Closed()
	screen.Noticef("%s in %s%s", console.Plural(bizums, "bizum", "bizums"), console.Plural(files, "file", "files"),
		view.Exceptions(0, o.rejected))
	err = o.finish(ctx, screen, recorded, err)
	closed := out.Close()
	return cmp.Or(err, closed)
}
