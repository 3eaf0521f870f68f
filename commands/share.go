package commands

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"bizumctl/bizum/kafka"
)

// readShared reads the partitions that the group gives us.
func (f *follower) readShared(ctx context.Context) error {
	defer f.members.Close()
	f.members.Joined = f.joined
	return f.members.Run(ctx, f.readClaim)
}

// joined tells a person who would see nothing why that is.
func (f *follower) joined(partitions []int32) {
	if len(partitions) == 0 {
		f.console.Noticef("the other members of group %q have all partitions of %q; waiting for one", f.group, f.topic)
	}
}

// readClaim reads a partition as long as it is ours, and commits what was flushed.
func (f *follower) readClaim(ctx context.Context, claim *kafka.Claim) error {
	p := claim.Partition
	stored, err := f.members.Committed(ctx, []int32{p})
	if err != nil {
		return err
	}
	position, first := stored[p].Offset, int64(0)
	if position < 0 {
		if _, known := f.starts[p]; known { // else it was added since, and nothing of it is left out
			first, err = f.resolve(ctx, p, &f.from)
		}
		if err == nil {
			position, err = f.within(ctx, p, first)
		}
		if err != nil {
			return err
		}
	}
	committed, last := position, time.Now()
	commit := func(ctx context.Context) error {
		err := claim.Commit(ctx, position)
		if err == nil {
			committed, last = position, time.Now()
		}
		return err
	}
	settled := make(chan settlement, 1)
	err = f.readFrom(ctx, p, position, func(b kafka.Batch) error {
		s, err := f.deliver(ctx, delivery{b, first, settled}, settled)
		if err != nil {
			return err
		}
		if position = s.position; s.done {
			return errEnough
		}
		if position == committed || time.Since(last) < commitEvery {
			return nil
		}
		return commit(ctx)
	})
	if position != committed {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommitWithin)
		defer cancel()
		if failed := commit(last); failed != nil && f.isOver() {
			return failed
		} // else whoever has the partition next shows it again
	}
	if ctx.Err() != nil || errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// settlement waits until a batch was handled. It answers false when it never will be.
func (f *follower) settlement(settled <-chan settlement) (s settlement, ok bool) {
	select {
	case s = <-settled:
		return s, true
	case <-f.ended:
	}
	select { // it may have been the last one that was handled
	case s = <-settled:
		return s, true
	default:
		return s, false
	}
}

// isOver says whether the run has handled its last batch.
func (f *follower) isOver() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

// awaitGroup begins to wait for the whole group, once it is known where to stop.
func (f *follower) awaitGroup(ctx context.Context) {
	if f.group != "" && len(f.stops) > 0 && !f.awaiting {
		f.awaiting = true
		go f.awaitPositions(ctx, maps.Clone(f.stops))
	}
}

// awaitPositions ends the run when the group, in all its members, has come to every stop.
func (f *follower) awaitPositions(ctx context.Context, stops map[int32]int64) {
	partitions := slices.Collect(maps.Keys(stops))
	for {
		positions, err := f.members.Committed(ctx, partitions)
		if err != nil {
			f.fail(err)
			return
		}
		reached := true
		for _, p := range partitions {
			position := positions[p].Offset
			if position < 0 || f.counts != nil && !f.counts(positions[p].Metadata) {
				position = f.starts[p]
			}
			reached = reached && position >= stops[p]
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
