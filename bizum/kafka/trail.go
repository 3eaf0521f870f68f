package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"bizumctl/bizum/record"
)

// Trail is what is there of one partition's work in a group: the source, the output, the aside and the position. It
// only reads; Task does the work.
//
// Its methods use types that those who call them share with this package.
type Trail struct {
	cluster       *Cluster
	group         string
	source        string // topics
	id            string // of the source
	output, aside string
	partition     int32
	partitions    int32 // of the source

	commits *coordinator
}

// Trail prepares to read, of a source with an id: another topic of that name is ErrNewTopic. Close it.
func (c *Cluster) Trail(group, source, id, output, aside string, partition, partitions int32) *Trail {
	return &Trail{cluster: c, group: group, source: source, id: id, output: output, aside: aside,
		partition: partition, partitions: partitions, commits: c.groupCoordinator(group)}
}

// Close lets go of the connection.
func (t *Trail) Close() { t.commits.close() }

// Committed answers the group's position, -1 if there is none, and the words that came with it. It waits for a
// transaction that is being completed.
func (t *Trail) Committed(ctx context.Context) (position int64, metadata string, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	all, err := t.cluster.committed(ctx, t.commits, t.group, t.source, []int32{t.partition})
	if err != nil {
		err = brokenError{error: err}
	}
	return all[t.partition].Offset, all[t.partition].Metadata, err
}

// Bounds answers where the source's partition starts and ends.
func (t *Trail) Bounds(ctx context.Context) (start, end int64, err error) {
	topic, err := t.cluster.Topic(ctx, t.source)
	if err == nil && topic.ID != t.id {
		err = ErrNewTopic
	}
	if err != nil {
		return 0, 0, err
	}
	return t.cluster.bounds(ctx, t.source, t.partition)
}

// ReadSource hands the records of the source to deliver, batch by batch, with the position after
// each batch, until deliver returns an error or ctx ends. Records are good until deliver returns.
func (t *Trail) ReadSource(ctx context.Context, position int64,
	deliver func(next int64, records iter.Seq[*record.Record]) error) error {
	return t.cluster.reader(t.source, t.id, t.partition, position).run(ctx, func(b Batch) error {
		return deliver(b.Next, b.Records)
	})
}

// ReadOutput goes through the committed records of the output, from an offset, or from where the log starts, to the end
// that there is now, and answers that start and end.
func (t *Trail) ReadOutput(ctx context.Context, from int64,
	each func(*record.Record) error) (start, end int64, err error) {
	return t.cluster.ReadToEnd(ctx, t.output, t.partition, from, each)
}

// FirstOutput answers the first committed record of any partition of the output, and false if there is none yet.
func (t *Trail) FirstOutput(ctx context.Context, partition int32) (key, value []byte, found bool, err error) {
	_, _, err = t.cluster.ReadToEnd(ctx, t.output, partition, 0, func(r *record.Record) error {
		key, value, found = bytes.Clone(r.Key), bytes.Clone(r.Value), true
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return key, value, found, err
}

var errFound = errors.New("found")

// ReadAside goes through what was set aside, from the first to the last there is now: the offset of each in the source.
func (t *Trail) ReadAside(ctx context.Context, each func(offset, origin int64) error) error {
	_, _, err := t.cluster.ReadToEnd(ctx, t.aside, t.partition, 0, func(r *record.Record) error {
		origin, err := t.origin(r)
		if err != nil {
			return err
		}
		return each(r.Offset, origin)
	})
	return err
}

// Settle waits until all that is in the output and the aside now is committed or aborted; but no longer than Kafka lets
// a transaction be open that nobody ends.
func (t *Trail) Settle(ctx context.Context) error {
	_, err := t.settled(ctx, settleWithin)
	return err
}

// settled waits so long, and answers whether it is so.
func (t *Trail) settled(ctx context.Context, within time.Duration) (settled bool, err error) {
	wait, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, topic := range []string{t.output, t.aside} {
		written, err := t.cluster.highWatermark(wait, topic, t.partition)
		for stable := int64(0); err == nil && stable < written; {
			stable, err = t.cluster.Offset(wait, topic, t.partition, End)
			time.Sleep(transactionPause) // between two questions
		}
		if err != nil && wait.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// settleWithin is longer than a transaction of ours can be open, and Kafka takes to notice.
const settleWithin = 2 * transactionTimeout

// LastAside answers which offset of the source was set aside last, -1 if none was.
func (t *Trail) LastAside(ctx context.Context) (last int64, err error) {
	last = -1
	for back := int64(1000); ; back *= 10 { // what comes last may be markers, or aborted
		end, err := t.cluster.Offset(ctx, t.aside, t.partition, End)
		if err != nil {
			return -1, err
		}
		_, _, err = t.cluster.ReadToEnd(ctx, t.aside, t.partition, max(end-back, 0), func(r *record.Record) (err error) {
			last, err = t.origin(r)
			return err
		})
		if err != nil || last >= 0 || end <= back {
			return last, err
		}
	}
}

// origin reads which offset of the source a record of the aside comes from.
func (t *Trail) origin(r *record.Record) (int64, error) {
	offset, err := strconv.ParseInt(string(r.Headers.Get(offsetHeader)), 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("record at %s/%d@%d is none of ours: header %q is %q", t.aside, t.partition, r.Offset,
			offsetHeader, r.Headers.Get(offsetHeader))
	}
	return offset, nil
}

// PartitionOf answers to which of the source's partitions a key belongs.
func (t *Trail) PartitionOf(key []byte) int32 { return PartitionOf(key, t.partitions) }
