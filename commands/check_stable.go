package commands

import (
	"context"
	"time"

	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
)

// stableWithin is longer than transactions are open by default (transaction.timeout.ms, 60 s) and a broker takes
// to abort those whose producer is gone (transaction.abort.timed.out.transaction.cleanup.interval.ms, 10 s).
const stableWithin = 75 * time.Second

// awaitStable waits until all that the topic has can be read, and notes what still cannot.
func (o *checkOptions) awaitStable(ctx context.Context, cluster *kafka.Cluster, screen *console.Console,
	config *check.Config) (err error) {
	config.Unstable, err = cluster.AwaitStable(ctx, o.cluster.Topic, stableWithin, func(offsets int64) {
		screen.Noticef("topic %q: %s behind an open transaction: waiting for its end, %s at most", o.cluster.Topic,
			console.Plural(offsets, "offset is", "offsets are"), console.Duration(stableWithin))
	})
	return err
}
