package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// Times of following a topic.
const (
	waitingAfter     = 3 * time.Second // with nothing to see, a person is told what is being waited for
	lookForNew       = 10 * time.Second
	lookForTopic     = time.Second
	commitEvery      = 200 * time.Millisecond
	askPositions     = 200 * time.Millisecond
	lastCommitWithin = 5 * time.Second
)

// errEnough is what a handler answers when it wants no more; the record it was given counts as handled.
var errEnough = errors.New("enough")

// follower reads the partitions of a topic side by side and hands their records, one at a time, to one handler. What
// commands see of a topic, they see through it.
type follower struct {
	cluster    *kafka.Cluster
	topic      string
	console    *console.Console
	now        func() time.Time
	from       place
	until      place         // nil text: no end
	exit       bool          // stop at the end that there was at the start
	idle       time.Duration // stop after so long without a record; 0: never
	partitions []int32       // only these; empty: all, also new ones
	group      string        // share the partitions with its other members; "": read them all

	starts map[int32]int64 // by partition, where reading begins
	stops  map[int32]int64 // and where it ends, if it does

	members  *kafka.Group
	counts   func(metadata string) bool // whether a group's position is worth anything; nil: it is
	awaiting bool                       // for the group to come to the stops
	batches  chan delivery
	failures chan error
	ended    chan struct{} // closed when no more batches are taken
}

// delivery is a batch on its way to the handler. Its reader waits until it is settled: the batch is good for so long,
// and in a group the position may then be committed.
type delivery struct {
	kafka.Batch
	first   int64 // what comes before it, in a log that ended before it, is not wanted
	settled chan<- settlement
}

// settlement says how far a batch was handled, and whether that is as far as is wanted.
type settlement struct {
	position int64
	done     bool
}

// run calls handle for every record until there is an end: the one asked for, an error, errEnough, or ctx ends. After
// each batch it calls flush; only then is a position committed. Ends that were asked for, and ctx, are no error.
func (f *follower) run(ctx context.Context, handle func(*record.Record) error,
	flush func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f.starts, f.stops = make(map[int32]int64), make(map[int32]int64)
	f.batches, f.failures, f.ended = make(chan delivery), make(chan error, 1), make(chan struct{})
	if err := f.begin(ctx); err != nil {
		return unlessAsked(err)
	}
	left, err := f.read(ctx)
	if err != nil {
		return err
	}
	err = cmp.Or(unlessAsked(f.handleAll(ctx, handle, flush)), flush())
	close(f.ended)
	stop()
	select {
	case leaving := <-left:
		return cmp.Or(err, leaving)
	case <-time.After(lastCommitWithin):
		return fmt.Errorf("%s does not answer: the last bizums may not be committed to group %q, and be shown again",
			f.cluster.Addresses(), f.group)
	}
}

// unlessAsked leaves of the errors that end a run those that nobody asked for.
func unlessAsked(err error) error {
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// begin waits for the topic and finds out where to start and to stop.
func (f *follower) begin(ctx context.Context) error {
	partitions, err := f.awaitTopic(ctx)
	if err != nil {
		return err
	}
	for _, p := range f.partitions {
		if !slices.Contains(partitions, p) {
			return fmt.Errorf("topic %q has no partition %d: it has %d", f.topic, p, len(partitions))
		}
	}
	if len(f.partitions) > 0 {
		partitions = f.partitions
	}
	for _, p := range partitions {
		if f.starts[p], err = f.resolve(ctx, p, &f.from); err != nil {
			return err
		}
		if f.exit {
			if f.stops[p], err = f.cluster.Offset(ctx, f.topic, p, kafka.End); err != nil {
				return err
			}
		}
	}
	if f.until.text != "" && !f.untilLater() {
		return f.setStops(ctx)
	}
	return nil
}

// awaitTopic lists the topic's partitions, once there is one.
func (f *follower) awaitTopic(ctx context.Context) ([]int32, error) {
	told := false
	var idle <-chan time.Time
	if f.idle > 0 {
		idle = time.After(f.idle)
	}
	for {
		partitions, err := f.cluster.Partitions(ctx, f.topic)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		missing := errors.Is(err, kafka.ErrNoTopic)
		if f.exit || !missing && !(told && errors.Is(err, kafka.ErrUnreachable)) { // once it was there, it may come back
			return partitions, err
		}
		if !told {
			f.console.Noticef("waiting for topic %q to be made at %s", f.topic, f.cluster.Addresses())
			told = true
		}
		select {
		case <-time.After(lookForTopic):
		case <-idle:
			return nil, errEnough
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// resolve finds the offset that a place means in a partition. An offset beyond the end stays what it is.
func (f *follower) resolve(ctx context.Context, partition int32, p *place) (int64, error) {
	switch {
	case p.byTime:
		at := max(p.moment(f.now()).UnixMilli(), 0) // below, numbers have meanings of their own
		return f.cluster.Offset(ctx, f.topic, partition, at)
	case p.back > 0:
		end, err := f.cluster.Offset(ctx, f.topic, partition, kafka.End)
		if err != nil {
			return 0, err
		}
		start, err := f.cluster.Offset(ctx, f.topic, partition, kafka.Start)
		return max(end-p.back, start), err
	case p.at >= 0:
		return p.at, nil
	}
	return f.cluster.Offset(ctx, f.topic, partition, p.at)
}

// untilLater says whether --until names a time to come: what it means is known only then.
func (f *follower) untilLater() bool { return f.until.byTime && f.until.moment(f.now()).After(f.now()) }

// setStops applies --until.
func (f *follower) setStops(ctx context.Context) error {
	for p := range f.starts {
		stop, err := f.resolve(ctx, p, &f.until)
		if err != nil {
			return err
		}
		if known, ok := f.stops[p]; !ok || stop < known {
			f.stops[p] = stop
		}
	}
	return nil
}

// read begins to read, in goroutines. Left tells when there is nothing to wait for at the end: a group has been left.
func (f *follower) read(ctx context.Context) (left <-chan error, err error) {
	done := make(chan error, 1)
	if f.group != "" {
		if f.members, err = f.cluster.Group(f.group, f.topic); err != nil {
			return nil, err
		}
		go func() {
			err := f.readShared(ctx)
			f.fail(err)
			done <- err
		}()
		return done, nil
	}
	close(done)
	for p, from := range f.starts {
		go f.readAll(ctx, p, from)
	}
	if len(f.partitions) == 0 && !f.exit && f.until.text == "" {
		go f.readNew(ctx, len(f.starts), func(p int32) { go f.readAll(ctx, p, 0) })
	}
	return done, nil
}

// fail ends the run with the first error there is.
func (f *follower) fail(err error) {
	if err != nil {
		select {
		case f.failures <- err:
		default:
		}
	}
}

// readAll reads a partition that is ours alone.
func (f *follower) readAll(ctx context.Context, partition int32, from int64) {
	position, err := f.within(ctx, partition, from)
	settled := make(chan settlement, 1)
	if err == nil {
		err = f.readFrom(ctx, partition, position, func(b kafka.Batch) error {
			_, err := f.deliver(ctx, delivery{b, from, settled}, settled)
			return err
		})
	}
	f.fail(err)
}

// within answers an offset to read from where the log ends before the one that a person named.
func (f *follower) within(ctx context.Context, partition int32, from int64) (int64, error) {
	end, err := f.cluster.Offset(ctx, f.topic, partition, kafka.End)
	return min(from, end), err
}

// readFrom reads a partition. Where the log starts after the position, it tells how many offsets are gone and goes on
// from there.
func (f *follower) readFrom(ctx context.Context, partition int32, from int64, deliver func(kafka.Batch) error) error {
	for {
		err := f.cluster.Read(ctx, f.topic, partition, from, deliver)
		var out *kafka.OutOfRangeError
		if !errors.As(err, &out) || out.Position > out.Start {
			return err
		}
		f.console.Noticef("%v; going on from offset %d", out, out.Start)
		from = out.Start
	}
}

// deliver hands a batch to the handler and waits until it is settled.
func (f *follower) deliver(ctx context.Context, d delivery, settled <-chan settlement) (settlement, error) {
	select {
	case f.batches <- d:
	case <-f.ended:
		return settlement{}, errEnough
	case <-ctx.Done():
		return settlement{}, ctx.Err()
	}
	if s, ok := f.settlement(settled); ok {
		return s, nil
	}
	return settlement{}, errEnough
}

// readNew reads partitions that are added later, from their beginning.
func (f *follower) readNew(ctx context.Context, known int, read func(partition int32)) {
	for {
		select {
		case <-time.After(lookForNew):
		case <-ctx.Done():
			return
		}
		partitions, err := f.cluster.Partitions(ctx, f.topic)
		if err != nil {
			continue // a broker that is away is told of by those who read
		}
		for ; known < len(partitions); known++ {
			f.console.Noticef("topic %q has a new partition, %d", f.topic, known)
			read(int32(known))
		}
	}
}

// handleAll is the one place where records are handled.
func (f *follower) handleAll(ctx context.Context, handle func(*record.Record) error, flush func() error) error {
	positions := make(map[int32]int64)
	for p, from := range f.starts {
		positions[p] = from
	}
	waiting := time.NewTimer(waitingAfter)
	defer waiting.Stop()
	var idle, until <-chan time.Time
	if f.idle > 0 {
		idle = time.After(f.idle)
	}
	if f.until.text != "" && f.untilLater() {
		until = time.After(f.until.moment(f.now()).Sub(f.now()))
	}
	f.awaitGroup(ctx)
	for f.group != "" || !f.reached(positions) {
		select {
		case d := <-f.batches:
			position, seen, err := f.handleBatch(&d, handle)
			if flushed := flush(); flushed != nil {
				return flushed
			}
			positions[d.Partition] = position
			stop, stops := f.stops[d.Partition]
			d.settled <- settlement{position, stops && position >= stop}
			if err != nil {
				return err
			}
			if seen > 0 {
				waiting.Stop()
				if f.idle > 0 {
					idle = time.After(f.idle)
				}
			}
		case <-waiting.C:
			f.console.Noticef("waiting for bizums in topic %q at %s", f.topic, f.cluster.Addresses())
		case <-until:
			if err := f.setStops(ctx); err != nil {
				return err
			}
			f.awaitGroup(ctx)
		case <-idle:
			return nil
		case err := <-f.failures:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// handleBatch handles a batch's records up to the partition's stop, and answers the position after the last of them.
func (f *follower) handleBatch(d *delivery, handle func(*record.Record) error) (position int64, seen int,
	err error) {
	stop, stops := f.stops[d.Partition]
	if !stops {
		stop = math.MaxInt64
	}
	d.Limit(d.first, stop)
	for r := range d.Records {
		seen++
		if err := handle(r); err != nil {
			position := r.Offset
			if errors.Is(err, errEnough) {
				position++
			}
			return position, seen, err
		}
	}
	if stops { // what was left out stays ahead of the position, which never goes back either
		return max(d.From, min(d.Next, stop)), seen, nil
	}
	return d.Next, seen, nil
}

// reached says whether every partition has come to its stop.
func (f *follower) reached(positions map[int32]int64) bool {
	if len(f.stops) == 0 {
		return false
	}
	for p, stop := range f.stops {
		if positions[p] < stop {
			return false
		}
	}
	return true
}
