package commands

import (
	"context"
	"errors"
	"time"

	"bizumctl/bizum/kafka"
)

// readShared reads the partitions that the group gives us.
func (f *follower) readShared(ctx context.Context) error {
	group, err := f.cluster.Group(f.group, f.topic)
	if err != nil {
		return err
	}
	defer group.Close()
	if len(f.stops) > 0 {
		go f.awaitPositions(ctx, group)
	}
	return group.Run(ctx, func(ctx context.Context, claim *kafka.Claim) error { return f.readClaim(ctx, group, claim) })
}

// readClaim reads a partition as long as it is ours, and commits what was flushed.
func (f *follower) readClaim(ctx context.Context, group *kafka.Group, claim *kafka.Claim) error {
	p := claim.Partition
	stored, err := group.Committed(ctx, []int32{p})
	if err != nil {
		return err
	}
	position := stored[p]
	if position < 0 {
		if position, err = f.resolve(ctx, p, &f.from); err != nil {
			return err
		}
	}
	committed, last := position, time.Now()
	settled := make(chan settlement, 1)
	err = f.readFrom(ctx, p, position, func(b kafka.Batch) error {
		err := f.deliver(ctx, delivery{b, settled})
		if err != nil {
			return err
		}
		var s settlement
		select {
		case s = <-settled:
		case <-f.ended:
			select { // it may have been the last one that was handled
			case s = <-settled:
			default:
				return errEnough
			}
		}
		if position = s.position; s.done {
			return errEnough
		}
		if position == committed || time.Since(last) < commitEvery {
			return nil
		}
		committed, last = position, time.Now()
		return claim.Commit(ctx, position)
	})
	if position != committed {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommitWithin)
		defer cancel()
		if err := claim.Commit(ctx, position); err != nil {
			select {
			case <-f.ended:
				return err
			default:
				return nil // the session is lost; whoever has the partition next shows it again
			}
		}
	}
	if ctx.Err() != nil || errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// awaitPositions ends the run when the group, in all its members, has come to every stop.
func (f *follower) awaitPositions(ctx context.Context, group *kafka.Group) {
	var partitions []int32
	for p := range f.stops {
		partitions = append(partitions, p)
	}
	for {
		positions, err := group.Committed(ctx, partitions)
		if err != nil {
			f.fail(err)
			return
		}
		reached := true
		for _, p := range partitions {
			position := positions[p]
			if position < 0 {
				position = f.starts[p]
			}
			reached = reached && position >= f.stops[p]
		}
		if reached {
			f.fail(errEnough)
			return
		}
		select {
		case <-time.After(askPositions):
		case <-ctx.Done():
			return
		}
	}
}
