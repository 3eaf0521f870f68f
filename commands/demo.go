package commands

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

type demoOptions struct {
	speech    settings.Speech
	initial   bizum.Amount
	producers int
	pauses    pauses
	count     int64
	listen    string
	asked     bool // for that address, and no other
	page      string
	askedPage bool
}

func newDemo(env Env) *cli.Command {
	o := demoOptions{speech: settings.DefaultSpeech(), initial: defaultBalance().initial, producers: 2,
		pauses: defaultPauses(), listen: defaultListen, page: flags.DefaultPage}
	return &cli.Command{
		Name: "demo", Usage: "a broker, producers and the balance, in one command",
		Description: help.Examples("Runs an embedded broker, producers and balance. Other terminals can join in.",
			"bizumctl demo                          and open http://"+flags.DefaultPage+"/",
			"bizumctl demo --min-delay 10ms --max-delay 50ms --count 200"),
		Flags: slices.Concat([]cli.Flag{
			&cli.GenericFlag{Name: "initial", Value: &o.initial, Usage: "`EUROS` that the account opens with"},
			&cli.IntFlag{Name: "producers", Value: o.producers, Destination: &o.producers, Usage: "run `N` producers"},
		}, o.pauses.flags(), []cli.Flag{
			flags.Count(&o.count, "stop after `N` bizums of all producers together"),
			listenFlag(&o.listen),
			flags.Page(&o.page, "serve the live page, and metrics, at `[ADDRESS]`"),
		}, o.speech.Flags()),
		Action: func(c *cli.Context) error {
			o.asked, o.askedPage = c.IsSet("listen"), c.IsSet("page")
			return o.run(c.Context, env, newConsole(env, o.speech))
		},
	}
}

func (o *demoOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if o.producers < 1 || o.producers > 1000 {
		return misuse.Errorf("--producers %d: want 1 to 1000", o.producers)
	}
	if err := o.pauses.check(); err != nil {
		return err
	}
	if err := flags.NotNegative("count", o.count); err != nil {
		return err
	}
	keep := keepInDemo
	broker, address, err := o.start(screen, keep)
	if err != nil {
		return err
	}
	defer broker.Close()
	screen.Noticef("an embedded broker on %s keeps its last %v in memory", address, &keep)
	noticeOpen(screen, broker)
	screen.Noticef("in another terminal: bizumctl consume%s", brokersFlag(address))

	cluster := settings.DefaultCluster()
	cluster.Brokers, cluster.Speech = address, o.speech
	if err := makeTopic(ctx, env, cluster, screen); err != nil {
		return interrupted(ctx, err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := o.produce(ctx, env, cluster, stop)
	balance := defaultBalance()
	balance.cluster, balance.initial, balance.count = cluster, o.initial, o.count
	balance.page, balance.port = o.page, !o.askedPage
	err = balance.run(ctx, env, screen)
	stop()
	if producing := failed(); producing != nil {
		return producing
	}
	return err
}

// produce runs the producers. The first one that fails calls stop; failed waits for all of them and returns its error.
func (o *demoOptions) produce(ctx context.Context, env Env, cluster settings.Cluster,
	stop func()) (failed func() error) {
	var runs []func() error
	for _, count := range producer.Shares(o.count, o.producers) {
		produce := defaultProduce() // its seed is a new one
		produce.cluster, produce.pauses, produce.count = cluster, o.pauses, count
		runs = append(runs, func() error { return produce.run(ctx, env, mute(env.Now)) })
	}
	return producer.Together(runs, stop)
}

// makeTopic creates the topic first, so that nobody has to wait for it.
func makeTopic(ctx context.Context, env Env, options settings.Cluster, screen *console.Console) error {
	cluster, err := options.Open(ctx, env.settings(), screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	_, _, err = producer.EnsureTopic(ctx, cluster, options.Topic, defaultProduce().partitions)
	return err
}

// start takes another free port when the usual one is taken.
func (o *demoOptions) start(screen *console.Console, keep flags.ByteSize) (broker *devbroker.Broker, address string,
	err error) {
	config := devbroker.Config{Listen: o.listen, Keep: int64(keep)}
	broker, address, err = startBroker(config)
	if errors.Is(err, hints.AddressInUse) && !o.asked {
		screen.Noticef("%s is taken, so another port", o.listen)
		config.Listen = "localhost:0"
		return startBroker(config)
	}
	return broker, address, err
}

// mute returns a console for those who work in the background.
func mute(now func() time.Time) *console.Console {
	return console.New(console.Options{Stdout: io.Discard, Stderr: io.Discard, Now: now,
		Getenv: func(string) string { return "" }, Color: console.Never, Quiet: true})
}
