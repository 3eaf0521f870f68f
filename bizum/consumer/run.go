package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// delivery is a batch on its way to the handler. Its reader waits until it is settled: the batch is valid for so long,
// and in a group its position may then be committed.
type delivery struct {
	kafka.Batch
	first   int64 // what comes before it, in a log that ended before it, is not wanted
	settled chan<- settlement
}

// settlement is the position up to which a batch was handled, how many of its records were, and whether the partition
// has come to its stop.
type settlement struct {
	position int64
	records  int64
	done     bool
}

// UncommittedError means that a group's last positions may be lost, so that records which were handled come again.
type UncommittedError struct {
	Brokers, Group string
	Records        int64 // of all partitions
}

func (e *UncommittedError) Error() string {
	bizums := "the last bizum"
	if e.Records != 1 {
		bizums = fmt.Sprintf("the last %d bizums", e.Records)
	}
	return fmt.Sprintf("%s does not answer: %s may not be committed to group %q, and be shown again", e.Brokers, bizums,
		e.Group)
}

// Run calls handle for every record, from one goroutine, until there is an end: the one that was asked for, an error,
// ErrDone, or ctx ends. After each batch it calls flush; only then is a position committed. Ends that were asked for,
// and a ctx that ends, are no error; an UncommittedError may be one.
func (c *Consumer) Run(ctx context.Context, handle func(*record.Record) error, flush func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.waitToBegin()
	left, err := c.read(ctx)
	if err != nil {
		return Failure(err)
	}
	err = Failure(c.handleAll(ctx, handle, flush))
	if flushed := flush(); err == nil {
		err = flushed
	}
	close(c.ended)
	stop()
	leaving := <-left
	var lost *UncommittedError
	if errors.As(leaving, &lost) {
		lost.Records = c.uncommitted.Load()
	}
	return cmp.Or(err, leaving)
}

// read begins to read, in goroutines. Left is closed, or has an error, once a group has been left.
func (c *Consumer) read(ctx context.Context) (left <-chan error, err error) {
	done := make(chan error, 1)
	if c.config.Group != "" {
		if c.members, err = c.cluster.Group(c.config.Group, c.config.Topic); err != nil {
			return nil, err
		}
		if err := c.reportStored(ctx); err != nil {
			c.members.Close()
			return nil, err
		}
		go func() {
			err := c.readClaims(ctx)
			c.End(err)
			done <- err
		}()
		return done, nil
	}
	close(done)
	for p, from := range c.starts {
		go c.readAll(ctx, p, from)
	}
	if c.grows() {
		go c.readNew(ctx, func(p int32) { go c.readAll(ctx, p, 0) })
	}
	return done, nil
}

// readAll reads a partition that is ours alone.
func (c *Consumer) readAll(ctx context.Context, partition int32, from int64) {
	position, err := c.Within(ctx, partition, from)
	settled := make(chan settlement, 1)
	if err == nil {
		err = c.Read(ctx, partition, position, func(b kafka.Batch) error {
			_, err := c.deliver(ctx, delivery{b, from, settled}, settled)
			return err
		})
	}
	c.End(err)
}

// deliver hands a batch to the handler and waits until it is settled.
func (c *Consumer) deliver(ctx context.Context, d delivery, settled <-chan settlement) (settlement, error) {
	select {
	case c.batches <- d:
	case <-c.ended:
		return settlement{}, ErrDone
	case <-ctx.Done():
		return settlement{}, ctx.Err()
	}
	if s, ok := c.settlement(settled); ok {
		return s, nil
	}
	return settlement{}, ErrDone
}

// handleAll is the one place where records are handled.
func (c *Consumer) handleAll(ctx context.Context, handle func(*record.Record) error, flush func() error) error {
	positions := make(map[int32]int64)
	for p, from := range c.starts {
		positions[p] = from
	}
	defer c.patience.end()
	var idle, until <-chan time.Time
	if c.config.Idle > 0 {
		idle = time.After(c.config.Idle)
	}
	if c.pending {
		left, _ := c.config.Until.untilThen(c.config.Now())
		until = time.After(left)
	}
	c.AwaitGroup(ctx)
	for c.config.Group != "" || !c.reached(positions) {
		select {
		case d := <-c.batches:
			position, seen, err := c.handleBatch(&d, handle)
			if flushed := flush(); flushed != nil {
				return flushed
			}
			positions[d.Partition] = position
			if c.config.Handled != nil {
				c.config.Handled(d.Partition, position)
			}
			d.settled <- settlement{position, int64(seen), position >= c.StopOf(d.Partition)}
			if err != nil {
				return err
			}
			if seen > 0 {
				c.patience.end()
				if c.config.Idle > 0 {
					idle = time.After(c.config.Idle)
				}
			}
		case <-until:
			if err := c.setStops(ctx); err != nil {
				return err
			}
			c.AwaitGroup(ctx)
		case <-idle:
			return nil
		case err := <-c.failures:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// handleBatch handles a batch's records up to the partition's stop, and returns the position after the last of them.
func (c *Consumer) handleBatch(d *delivery, handle func(*record.Record) error) (position int64, seen int, err error) {
	stop, seenFrom := c.StopOf(d.Partition), c.seenFrom[d.Partition]
	d.Limit(d.first, stop)
	for r := range d.Records {
		if r.Offset >= seenFrom {
			seen++
		}
		if err := handle(r); err != nil {
			position := r.Offset
			if errors.Is(err, ErrDone) {
				position++
			}
			return position, seen, err
		}
	}
	// What was left out stays ahead of the position, which never goes back either.
	return max(d.From, min(d.Next, stop)), seen, nil
}

// reached reports whether every partition has come to its stop.
func (c *Consumer) reached(positions map[int32]int64) bool {
	if len(c.stops) == 0 {
		return false
	}
	for p, stop := range c.stops {
		if positions[p] < stop {
			return false
		}
	}
	return true
}
