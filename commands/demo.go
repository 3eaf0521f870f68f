package commands

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/devbroker"
	"bizumctl/commands/console"
)

type demoOptions struct {
	shared
	initial            bizum.Amount
	producers          int
	minDelay, maxDelay time.Duration
	count              int64
	listen             string
	asked              bool // for that address, and no other
}

func newDemo(env Env) *cli.Command {
	o := demoOptions{initial: 2000_00}
	return &cli.Command{
		Name: "demo", Usage: "a broker, producers and the balance, in one command",
		Description: examples("Runs an embedded broker, producers and balance. Other terminals can join in.",
			"bizumctl demo",
			"bizumctl demo --min-delay 10ms --max-delay 50ms --count 200"),
		Flags: append([]cli.Flag{
			&cli.GenericFlag{Name: "initial", Value: &o.initial, Usage: "`EUROS` that the account opens with"},
			&cli.IntFlag{Name: "producers", Value: 2, Destination: &o.producers, Usage: "run `N` producers"},
			&cli.DurationFlag{Name: "min-delay", Value: time.Second, Destination: &o.minDelay,
				Usage: "shortest pause `TIME` of a producer"},
			&cli.DurationFlag{Name: "max-delay", Value: 10 * time.Second, Destination: &o.maxDelay,
				Usage: "longest pause `TIME`"},
			&cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Destination: &o.count,
				Usage: "stop after `N` bizums of all producers together"},
			listenFlag(&o.listen),
		}, o.speech()...),
		Action: func(c *cli.Context) error {
			o.asked = c.IsSet("listen")
			return o.run(c.Context, env, newConsole(env, o.shared))
		},
	}
}

func (o *demoOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if o.producers < 1 || o.producers > 1000 {
		return misuse("--producers %d: want 1 to 1000", o.producers)
	}
	produce := produceOptions{shared: o.shared, minDelay: o.minDelay, maxDelay: o.maxDelay, paced: true,
		accounts: 1, partitions: 1, compression: "none"}
	if err := cmp.Or(produce.validate(), notNegative("count", o.count)); err != nil {
		return err
	}
	broker, address, err := o.start(screen)
	if err != nil {
		return err
	}
	defer broker.Close()
	screen.Noticef("an embedded broker listens on %s, its data in memory", address)
	screen.Noticef("in another terminal: bizumctl consume%s", brokersFlag(address))

	cluster := shared{brokers: address, topic: "bizums", color: o.color, quiet: o.quiet, verbose: o.verbose}
	produce.shared = cluster
	if err := produce.makeTopic(ctx, env, screen); err != nil {
		return interrupted(ctx, err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var producers sync.WaitGroup
	failed := make(chan error, o.producers)
	for i := range o.producers {
		one := produce
		one.seed = rand.Uint64()
		one.count = o.count / int64(o.producers)
		if int64(i) < o.count%int64(o.producers) {
			one.count++
		}
		if o.count > 0 && one.count == 0 {
			continue // fewer bizums than producers
		}
		producers.Go(func() {
			if err := one.run(ctx, env, mute(env.Now)); err != nil {
				failed <- err
				stop()
			}
		})
	}
	balance := balanceOptions{shared: cluster, initial: o.initial, count: o.count, output: "table", bad: "skip"}
	err = balance.run(ctx, env, screen)
	stop()
	producers.Wait()
	select {
	case err = <-failed:
	default:
	}
	return err
}

// makeTopic makes the topic first, so that nobody has to wait for it.
func (o *produceOptions) makeTopic(ctx context.Context, env Env, screen *console.Console) error {
	cluster, err := o.open(env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	_, err = cluster.CreateTopic(ctx, o.topic, keptForEver(o.partitions))
	return err
}

// start takes another free port when the usual one is taken.
func (o *demoOptions) start(screen *console.Console) (broker *devbroker.Broker, address string, err error) {
	broker, address, err = startBroker(o.listen, "")
	if errors.Is(err, syscall.EADDRINUSE) && !o.asked {
		screen.Noticef("%s is taken, so another port", o.listen)
		return startBroker("localhost:0", "")
	}
	return broker, address, err
}

// mute is a console for those who work in the background.
func mute(now func() time.Time) *console.Console {
	return console.New(console.Options{Stdout: io.Discard, Stderr: io.Discard, Now: now,
		Getenv: func(string) string { return "" }, Color: console.Never, Quiet: true})
}
