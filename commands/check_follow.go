package commands

import (
	"context"
	"fmt"

	"bizumctl/bizum/check"
	"bizumctl/bizum/compare"
	"bizumctl/bizum/consumer"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
)

// live compares runs that go on, until they have ended and their payments have come, or are lost.
func (o *checkOptions) live(ctx context.Context, env Env, screen *console.Console, config *check.Config) (*check.Report,
	error) {
	config.Latest = check.LatestOf(o.receipts, env.Now, func(path string) {
		screen.Noticef("the run of %s was killed: what is in its journal is judged", path)
	})
	comparison, err := check.NewNumbered(*config)
	if err != nil {
		return nil, misuse.Errorf("%w", err)
	}
	cluster, err := o.cluster.Open(ctx, env.settings(), screen)
	if err != nil {
		return nil, err
	}
	defer cluster.Close()
	topic, err := consumer.Open(ctx, cluster, consumer.Config{Topic: o.cluster.Topic, From: consumer.Beginning(),
		Now: env.Now, Report: screen.Report})
	if err != nil {
		return nil, consumer.Failure(err)
	}
	err = compare.Follow(ctx, topic, comparison, compare.Config{Columns: o.columns}, compare.Following{
		Grace: o.grace, Now: env.Now,
		Report: func(s compare.Standing) {
			if screen.ProgressDue() {
				screen.ShowProgress(fmt.Sprintf("%s came, %s outstanding, %s of them for more than %s",
					console.Count(s.Came), console.Count(s.Outstanding), console.Count(s.Lost),
					console.Duration(o.grace)))
			}
		},
	})
	return comparison.Report(), unusable(err)
}
