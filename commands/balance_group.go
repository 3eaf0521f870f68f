package commands

import (
	"context"
	"time"

	"bizumctl/bizum/balance"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	"bizumctl/commands/view"
)

// A commit interval has to leave a transaction time to end before Kafka ends it.
const (
	commitIntervalMin = time.Millisecond
	commitIntervalMax = 5 * time.Second
)

// runGroup is balance in a group: every payment is booked once, in a ledger whose partitions are shared.
func (o *balanceOptions) runGroup(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.checkPlot(); err != nil {
		return err
	}
	if o.interval < commitIntervalMin || o.interval > commitIntervalMax {
		return misuse.Errorf("--commit-interval %v: want %v to %v", o.interval, commitIntervalMin, commitIntervalMax)
	}
	cluster, err := openGroup(ctx, env, &o.cluster, o.group, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	page, err := o.openPage(ctx, env, cluster, screen)
	if err != nil {
		return err
	}
	defer page.Close()
	topic, err := consumer.Open(ctx, cluster, consumer.Config{Topic: o.cluster.Topic, From: consumer.Offset(0),
		Exit: o.exit, Group: o.group, Counts: ledger.Ours, Now: env.Now,
		Report: page.Reporting(report(&o.cluster, screen))})
	if err != nil {
		return consumer.Failure(err)
	}
	picture := o.newPicture(env.Now)
	entries, err := view.NewGroup(screen, view.GroupConfig{Topic: o.cluster.Topic, Count: o.count, Output: o.shown(),
		Report: page.Reporting(screen.Report), Watch: picture.WatchGroup(page.WatchGroup())})
	if err != nil {
		return err
	}
	config := balance.GroupConfig{Topic: o.cluster.Topic, Group: o.group,
		Initial: o.initial, Interval: o.interval, AcceptGap: o.gap, Strict: o.bad == "stop", Now: env.Now,
		Report: page.Reporting(screen.Report), Reserve: entries.Reserve, Release: entries.Release, Show: entries.Show}
	page.Join(&config)
	group, err := balance.OpenGroup(ctx, cluster, config)
	if err != nil {
		return interrupted(ctx, err)
	}
	run := func(ctx context.Context) error {
		if o.exit {
			defer screen.Follow(topic.Progress)()
		}
		return group.Run(ctx, topic)
	}
	if o.output == "none" {
		err = run(ctx)
	} else {
		err = view.WhileRead(ctx, screen, run)
	}
	if err == nil {
		entries.Summary()
	}
	return o.drawn(ctx, picture, screen, hints.NewLedger(err))
}
