package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
)

// RunClaims calls own for each partition that the group gives us, in a goroutine each, as kafka.Group.Run does, until
// ctx ends, own returns an error, or End is called. Joined is called with what is ours at the start of each session.
// The error may be one that Failure takes for an end that was asked for.
func (c *Consumer) RunClaims(ctx context.Context, joined func(partitions []int32),
	own func(ctx context.Context, claim *kafka.Claim) error) (err error) {
	if c.members, err = c.cluster.Group(c.config.Group, c.config.Topic); err != nil {
		return err
	}
	defer c.members.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer c.watch(func() { c.End(ErrDone) })()
	c.members.Joined = func(partitions []int32) {
		c.joined(partitions)
		joined(partitions)
	}
	ended := make(chan error, 1)
	go func() {
		select {
		case err := <-c.failures:
			ended <- err
			stop()
		case <-ctx.Done():
			ended <- nil
		}
	}()
	err = c.members.Run(ctx, own)
	stop()
	asked := <-ended
	return cmp.Or(err, asked)
}

// readClaims reads the partitions that the group gives us.
func (c *Consumer) readClaims(ctx context.Context) error {
	defer c.members.Close()
	c.members.Joined = c.joined
	return c.members.Run(ctx, func(session context.Context, claim *kafka.Claim) error {
		return c.readClaim(session, claim, func() bool { return ctx.Err() != nil || c.isOver() })
	})
}

// joined reports a wait of which nothing else would be seen.
func (c *Consumer) joined(partitions []int32) {
	if len(partitions) == 0 {
		c.patience.waitFor(nil)
		c.config.Report(event.WaitingForPartition{Group: c.config.Group, Topic: c.config.Topic})
		return
	}
	c.WaitForRecords()
}

// readClaim reads a partition as long as it is ours, and commits what was flushed. Over reports whether the run has
// ended, and not only the session.
func (c *Consumer) readClaim(ctx context.Context, claim *kafka.Claim, over func() bool) error {
	position, first, err := c.positionOf(ctx, claim.Partition)
	if err != nil {
		return err
	}
	committed, last, records := position, time.Now(), int64(0)
	commit := func(ctx context.Context) error {
		err := claim.Commit(ctx, position)
		if err == nil {
			committed, last, records = position, time.Now(), 0
		}
		return err
	}
	settled := make(chan settlement, 1)
	err = c.Read(ctx, claim.Partition, position, func(b kafka.Batch) error {
		s, err := c.deliver(ctx, delivery{b, first, settled}, settled)
		if err != nil {
			return err
		}
		position = s.position
		records += s.records
		if position != committed && (s.done || time.Since(last) >= commitEvery) { // AwaitGroup waits for that of the stop
			if err := commit(ctx); err != nil {
				return err
			}
		}
		if s.done {
			c.wake()
			return ErrDone
		}
		return nil
	})
	if position != committed {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommitWithin)
		defer cancel()
		failed := commit(late)
		if failed != nil && late.Err() != nil {
			c.uncommitted.Add(records)
			failed = &UncommittedError{Brokers: c.cluster.Addresses(), Group: c.config.Group, Records: records}
		}
		if failed != nil && records > 0 && over() {
			return failed
		} // else the partition's new owner shows it again
	}
	if ctx.Err() != nil || errors.Is(err, ErrDone) {
		return nil
	}
	return err
}

// positionOf returns where a partition of the group is read from, and the offset before which nothing of it is wanted.
func (c *Consumer) positionOf(ctx context.Context, partition int32) (position, first int64, err error) {
	stored, err := c.members.Committed(ctx, []int32{partition})
	if err != nil {
		return 0, 0, err
	}
	position = stored[partition].Offset
	if position >= 0 {
		return position, 0, nil
	}
	if _, known := c.starts[partition]; known { // else it was added since, and nothing of it is left out
		if first, err = c.StartOf(ctx, partition); err != nil {
			return 0, 0, err
		}
	}
	position, err = c.Within(ctx, partition, first)
	return position, first, err
}

// reportStored reports, when it was asked for where reading begins, that the group has a position already.
func (c *Consumer) reportStored(ctx context.Context) error {
	if !c.config.FromAsked {
		return nil
	}
	partitions := slices.Sorted(maps.Keys(c.starts))
	stored, err := c.members.Committed(ctx, partitions)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if position := stored[p].Offset; position >= 0 {
			c.ReportResumed(fmt.Sprintf("group %q", c.config.Group), p, position)
		}
	}
	return nil
}

// settlement waits until a batch was handled. It returns false when it never will be.
func (c *Consumer) settlement(settled <-chan settlement) (s settlement, ok bool) {
	select {
	case s = <-settled:
		return s, true
	case <-c.ended:
	}
	select { // it may have been the last one that was handled
	case s = <-settled:
		return s, true
	default:
		return s, false
	}
}

// isOver reports whether the run has handled its last batch.
func (c *Consumer) isOver() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// AwaitGroup ends the run when the group, in all its members, has come to every stop. Without a stop it does nothing.
func (c *Consumer) AwaitGroup(ctx context.Context) {
	if c.config.Group != "" && len(c.stops) > 0 && !c.awaiting {
		c.awaiting = true
		go c.awaitPositions(ctx, maps.Clone(c.stops))
	}
}

// Committed is called by own of RunClaims when it has committed the group's position in its partition.
func (c *Consumer) Committed(partition int32, position int64) {
	c.progress.moved(partition, position)
	if position >= c.StopOf(partition) {
		c.wake()
	}
}

// wake makes awaitPositions look at once.
func (c *Consumer) wake() {
	select {
	case c.moved <- struct{}{}:
	default:
	}
}

// awaitPositions asks for the positions of the group until they have come to the stops: when one of ours has, and every
// positionsEvery for those of other members.
func (c *Consumer) awaitPositions(ctx context.Context, stops map[int32]int64) {
	partitions := slices.Collect(maps.Keys(stops))
	for {
		positions, err := c.members.Committed(ctx, partitions)
		if err != nil {
			c.End(err)
			return
		}
		reached := true
		for _, p := range partitions {
			position := positions[p].Offset
			if position < 0 || c.config.Counts != nil && !c.config.Counts(positions[p].Metadata) {
				position = c.starts[p]
			}
			reached = reached && position >= stops[p]
		}
		if reached {
			c.End(ErrDone)
			return
		}
		select {
		case <-c.moved:
		case <-time.After(positionsEvery):
		case <-ctx.Done():
			return
		}
	}
}
