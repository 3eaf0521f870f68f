package kafka

import (
	"context"
	"time"
)

// stablePause is between two looks at whether transactions have ended.
const stablePause = 50 * time.Millisecond

// AwaitStable waits until no transaction is open in what the partitions of a topic have now (KIP-98: such records,
// and all after them, are not sent to those who read committed ones). It waits no longer than within, and returns
// how many offsets are still behind an open transaction then. Waiting, if set, is called once, when there is
// something to wait for. Its errors are those of Partitions and Offset.
func (c *Cluster) AwaitStable(ctx context.Context, topic string, within time.Duration,
	waiting func(offsets int64)) (behind int64, err error) {
	partitions, err := c.Partitions(ctx, topic)
	if err != nil {
		return 0, err
	}
	written := make(map[int32]int64)
	for _, p := range partitions {
		if written[p], err = c.highWatermark(ctx, topic, p); err != nil {
			return 0, err
		}
	}
	for deadline := time.Now().Add(within); ; {
		if behind, err = c.unstable(ctx, topic, written); err != nil || behind == 0 || time.Now().After(deadline) {
			return behind, err
		}
		if waiting != nil {
			waiting(behind)
			waiting = nil
		}
		select {
		case <-time.After(stablePause):
		case <-ctx.Done():
			return behind, ctx.Err()
		}
	}
}

// unstable returns how many offsets before those that are given cannot be read yet.
func (c *Cluster) unstable(ctx context.Context, topic string, written map[int32]int64) (offsets int64, err error) {
	for p, end := range written {
		stable, err := c.Offset(ctx, topic, p, End)
		if err != nil {
			return 0, err
		}
		offsets += max(end-stable, 0)
	}
	return offsets, nil
}
