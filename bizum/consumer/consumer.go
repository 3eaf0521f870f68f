// Package consumer follows a topic: where its partitions are read from and up to, those that are added meanwhile, alone
// or as a member of a group. It hands records to a function that it is given, reports what happens as events, and knows
// nothing of what a record means.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

const (
	newPartitionEvery = 10 * time.Second
	topicEvery        = time.Second
	positionsEvery    = 200 * time.Millisecond
	commitEvery       = 200 * time.Millisecond

	lastCommitWithin = 4 * time.Second // of the positions of a run in a group that ends, which may take 5 s in all
)

// ErrDone is what a handler returns when it wants no more; the record that it was given counts as handled. It is also
// the error of an end that was asked for before anything was read.
var ErrDone = errors.New("done")

// Failure returns err unless it is an end that was asked for: ErrDone, or a context that was cancelled.
func Failure(err error) error {
	if errors.Is(err, ErrDone) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Config says what is to be read of a topic.
type Config struct {
	Topic      string
	From       Bound         // where reading begins
	FromAsked  bool          // by somebody who wants to know where it does not begin there
	Until      Bound         // where it ends, if there is such a bound; a time to come is for Run only
	Exit       bool          // stop at the end that there is at the start
	Idle       time.Duration // stop after so long without a record; 0: never
	Partitions []int32       // only these; empty: all, also those that are added
	Group      string        // share the partitions with its other members; "": read them all
	// Counts reports whether a position that the group has committed, with this metadata, is of this work; nil: it is.
	Counts func(metadata string) bool

	// Handled, if set, is called when Run has handled a partition up to a position, from its one goroutine.
	Handled func(partition int32, position int64)

	Now    func() time.Time
	Report func(event.Event) // called from several goroutines
}

// Consumer reads a topic once, by one of its methods Run, RunEach and RunClaims.
type Consumer struct {
	cluster *kafka.Cluster
	config  Config

	starts map[int32]int64 // by partition, where reading begins
	stops  map[int32]int64 // and where it ends, if it does
	// ends are the stops that were known at the start, and progress how far their partitions have come.
	ends     map[int32]int64
	progress progress
	// pending means that the bound at which reading ends is a time to come, so that stops are known only then.
	pending bool

	batches  chan delivery
	failures chan error
	ended    chan struct{} // closed when no more batches are taken

	patience    patience
	resumed     sync.Once       // is reported
	members     *kafka.Group    // of a run in a group
	awaiting    bool            // for the group to come to the stops
	moved       chan struct{}   // has one when we have committed the position of a stop
	uncommitted atomic.Int64    // records that were handled, and whose position could not be committed at the end
	seenFrom    map[int32]int64 // by partition; what comes before is not seen
	seen        func()          // of a run that does not hand over record by record
}

// Open waits for the topic, unless Exit is set, and finds out where to start and to stop. The error is ErrDone when the
// topic did not come within Idle.
func Open(ctx context.Context, cluster *kafka.Cluster, config Config) (*Consumer, error) {
	c := &Consumer{cluster: cluster, config: config,
		starts: make(map[int32]int64), stops: make(map[int32]int64), batches: make(chan delivery),
		failures: make(chan error, 1), ended: make(chan struct{}), seen: func() {},
		patience: patience{report: config.Report}, moved: make(chan struct{}, 1)}
	partitions, err := c.awaitTopic(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range config.Partitions {
		if !slices.Contains(partitions, p) {
			return nil, fmt.Errorf("topic %q has no partition %d: it has %d", config.Topic, p, len(partitions))
		}
	}
	if len(config.Partitions) > 0 {
		partitions = config.Partitions
	}
	for _, p := range partitions {
		if c.starts[p], err = c.StartOf(ctx, p); err != nil {
			return nil, err
		}
		if config.Exit {
			if c.stops[p], err = cluster.Offset(ctx, config.Topic, p, kafka.End); err != nil {
				return nil, err
			}
		}
	}
	if !config.Until.exists() {
		c.measure()
		return c, nil
	}
	c.measure()
	_, c.pending = config.Until.untilThen(config.Now())
	if c.pending {
		return c, nil
	}
	err = c.setStops(ctx)
	c.measure()
	return c, err
}

// awaitTopic lists the topic's partitions, once there is one.
func (c *Consumer) awaitTopic(ctx context.Context) ([]int32, error) {
	reported := false
	var idle <-chan time.Time
	if c.config.Idle > 0 {
		idle = time.After(c.config.Idle)
	}
	for {
		partitions, err := c.cluster.Partitions(ctx, c.config.Topic)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		missing := errors.Is(err, kafka.ErrNoTopic)
		away := reported && errors.Is(err, kafka.ErrUnreachable) // the broker was there, and may come back
		if c.config.Exit || !missing && !away {
			return partitions, err
		}
		if !reported {
			c.config.Report(event.WaitingForTopic{Topic: c.config.Topic, Brokers: c.cluster.Addresses()})
			reported = true
		}
		select {
		case <-time.After(topicEvery):
		case <-idle:
			return nil, ErrDone
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// setStops applies the bound at which reading ends.
func (c *Consumer) setStops(ctx context.Context) error {
	for p := range c.starts {
		stop, err := c.config.Until.resolve(ctx, c.cluster, c.config.Topic, p, c.config.Now())
		if err != nil {
			return err
		}
		if known, ok := c.stops[p]; !ok || stop < known {
			c.stops[p] = stop
		}
	}
	return nil
}

// SeenFrom returns where a bound is in the partitions that there were at the start. What Run hands over before it is
// not taken for something that a person sees.
func (c *Consumer) SeenFrom(ctx context.Context, b Bound) (map[int32]int64, error) {
	offsets := make(map[int32]int64)
	for p := range c.starts {
		offset, err := b.resolve(ctx, c.cluster, c.config.Topic, p, c.config.Now())
		if err != nil {
			return nil, err
		}
		offsets[p] = offset
	}
	c.seenFrom = offsets
	return offsets, nil
}

// Starts returns where the partitions that there were at the start are read from.
func (c *Consumer) Starts() map[int32]int64 { return maps.Clone(c.starts) }

// Stops returns where they are read up to, if they are.
func (c *Consumer) Stops() map[int32]int64 { return maps.Clone(c.stops) }

// StopOf returns the offset at which the reading of a partition ends, which is never reached when there is none.
func (c *Consumer) StopOf(partition int32) int64 {
	if stop, ok := c.stops[partition]; ok {
		return stop
	}
	return math.MaxInt64
}

// StartOf looks up where the reading of a partition begins.
func (c *Consumer) StartOf(ctx context.Context, partition int32) (int64, error) {
	return c.config.From.resolve(ctx, c.cluster, c.config.Topic, partition, c.config.Now())
}

// Within returns an offset to read from when the log may end before the one that was asked for: that one, or the end.
func (c *Consumer) Within(ctx context.Context, partition int32, from int64) (int64, error) {
	end, err := c.cluster.Offset(ctx, c.config.Topic, partition, kafka.End)
	return min(from, end), err
}

// Read hands the batches of a partition to deliver, as kafka.Cluster.Read does. Where the log starts after the
// position, it reports how many offsets are gone and goes on from there.
func (c *Consumer) Read(ctx context.Context, partition int32, from int64, deliver func(kafka.Batch) error) error {
	deliver = c.progress.following(deliver)
	for {
		err := c.cluster.Read(ctx, c.config.Topic, partition, from, deliver)
		var out *kafka.OutOfRangeError
		if !errors.As(err, &out) || out.Position > out.Start {
			return err
		}
		c.config.Report(event.Skipped{Reason: out, Next: out.Start})
		from = out.Start
	}
}

// End ends a run, with the first error that it is given; ErrDone is an end that was asked for.
func (c *Consumer) End(err error) {
	if err != nil {
		select {
		case c.failures <- err:
		default:
		}
	}
}

// Seen is called by those who read batches, for one that has records.
func (c *Consumer) Seen() { c.seen() }

// watch reports what is waited for when nothing has been seen for a while, and ends a run that is idle. It returns what
// stops it.
func (c *Consumer) watch(end func()) (stop func()) {
	c.waitToBegin()
	if c.config.Idle == 0 {
		c.seen = c.patience.end
		return c.seen
	}
	idling := time.AfterFunc(c.config.Idle, end)
	c.seen = func() {
		c.patience.end()
		idling.Reset(c.config.Idle)
	}
	return func() {
		c.patience.end()
		idling.Stop()
	}
}

// waitToBegin waits for what comes first in a run.
func (c *Consumer) waitToBegin() {
	if c.config.Group != "" {
		c.patience.waitFor(event.WaitingForGroup{Group: c.config.Group, Topic: c.config.Topic,
			Brokers: c.cluster.Addresses()})
		return
	}
	c.WaitForRecords()
}

// WaitForRecords says that nothing but records is waited for, until one is seen. A wait that lasts is reported.
func (c *Consumer) WaitForRecords() {
	c.patience.waitFor(event.WaitingForRecords{Topic: c.config.Topic, Brokers: c.cluster.Addresses()})
}

// WaitFor says that something else is waited for first.
func (c *Consumer) WaitFor(what event.Event) { c.patience.waitFor(what) }

// ReportResumed reports, of the first partition of a run, that it is not read from where it was asked for, if it was.
func (c *Consumer) ReportResumed(by string, partition int32, offset int64) {
	if c.config.FromAsked {
		c.resumed.Do(func() {
			c.config.Report(event.Resumed{By: by,
				Position: record.Position{Topic: c.config.Topic, Partition: partition, Offset: offset}})
		})
	}
}

// grows reports whether partitions that are added are read too.
func (c *Consumer) grows() bool {
	return len(c.config.Partitions) == 0 && !c.config.Exit && !c.config.Until.exists()
}

// readNew calls read for each partition that is added, until ctx ends.
func (c *Consumer) readNew(ctx context.Context, read func(partition int32)) {
	known := len(c.starts)
	for {
		select {
		case <-time.After(newPartitionEvery):
		case <-ctx.Done():
			return
		}
		partitions, err := c.cluster.Partitions(ctx, c.config.Topic)
		if err != nil {
			continue // a broker that is away is reported by those who read
		}
		for ; known < len(partitions); known++ {
			c.config.Report(event.PartitionAdded{Topic: c.config.Topic, Partition: int32(known)})
			read(int32(known))
		}
	}
}

// RunEach calls own for each partition, in a goroutine each, until all of them have returned. The first error of one
// ends all; so does Idle, and neither that nor a context that ends is an error.
func (c *Consumer) RunEach(ctx context.Context,
	own func(ctx context.Context, partition int32, from int64) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer c.watch(stop)()
	var mu sync.Mutex
	var failed error
	var running sync.WaitGroup
	run := func(partition int32, from int64) {
		running.Go(func() {
			if err := own(ctx, partition, from); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if failed == nil {
					failed = Failure(err)
				}
				stop()
			}
		})
	}
	for p, from := range c.starts {
		run(p, from)
	}
	if c.grows() {
		running.Go(func() { c.readNew(ctx, func(p int32) { run(p, 0) }) })
	}
	running.Wait()
	return failed
}
