package kafka

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/IBM/sarama"

	"bizumctl/bizum/record"
)

// PartitionLog reads what belongs to one partition of a group's work: the partition of the source topic, the partitions
// of the same number in the topics that the work is written to, its outputs, and the position that the group has
// committed. TransactionalPartition writes.
//
// All reading is read_committed (KIP-98): what an open transaction has written, and what comes after it, is not there
// yet. An error is final: what is retriable is retried, without limit where no limit is named, until ctx ends.
type PartitionLog struct {
	cluster *Cluster
	config  PartitionLogConfig

	groupCoordinator *coordinator
}

// PartitionLogConfig names what a PartitionLog reads.
type PartitionLogConfig struct {
	Group     string
	Source    string   // topic
	SourceID  string   // of the source topic when the work began, see Topic
	Outputs   []string // topics
	Partition int32
	// SideBySide says that an output is read while another, or the source, is waited for, as an audit does. A memory that
	// they shared could be held by the one that waits, so each read has one of its own, of 3 MiB.
	SideBySide bool
	// Counts reports whether a position counts what a record of an output stands for: whoever committed it had written
	// that, in the same transaction or an earlier one. It may be nil: none does.
	Counts func(position Position, topic string, r *record.Record) bool
}

// PartitionLog returns the log of one partition. It connects with the first request. If the source topic no longer has
// the id SourceID, methods that read the source return ErrNewTopic. The caller closes it.
func (c *Cluster) PartitionLog(config PartitionLogConfig) *PartitionLog {
	return &PartitionLog{cluster: c, config: config, groupCoordinator: c.groupCoordinator(config.Group)}
}

// Close closes the connection to the group's coordinator.
func (l *PartitionLog) Close() { l.groupCoordinator.close() }

// Committed returns the position that the group has committed in the source partition, -1 if there is none, and its
// metadata. It waits for a transaction that is being completed (RequireStable, KIP-447), up to 20 s. Unless the cluster
// does not let us, only a new session helps after an error: Group.Run joins again.
func (l *PartitionLog) Committed(ctx context.Context) (position int64, metadata string, err error) {
	ctx, cancel := context.WithTimeout(ctx, stableTimeout)
	defer cancel()
	committed, err := l.committed(ctx)
	switch {
	case errors.As(err, new(*DeniedError)) || errors.As(err, new(*AccessError)):
		return 0, "", err
	case err != nil:
		return 0, "", sessionError{error: err}
	}
	return committed.Offset, committed.Metadata, nil
}

func (l *PartitionLog) committed(ctx context.Context) (Position, error) {
	partition := l.config.Partition
	all, err := l.cluster.committed(ctx, l.groupCoordinator, l.config.Group, l.config.Source, []int32{partition})
	return all[partition], err
}

// Bounds returns the first offset of our partition of a topic and its last stable offset. For the source, the error is
// ErrNewTopic if the topic was recreated.
func (l *PartitionLog) Bounds(ctx context.Context, topic string) (start, end int64, err error) {
	if topic == l.config.Source {
		found, err := l.cluster.Topic(ctx, topic)
		if err == nil && found.ID != l.config.SourceID {
			err = ErrNewTopic
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return l.cluster.bounds(ctx, topic, l.config.Partition)
}

// ReadSource calls deliver for each batch of the source partition from position on, with the position after it, until
// deliver returns an error or ctx ends; it returns that error. Records are valid until deliver returns. It returns an
// OutOfRangeError if the partition has no such position, and ErrNewTopic if the topic was recreated.
func (l *PartitionLog) ReadSource(ctx context.Context, position int64,
	deliver func(next int64, records iter.Seq[*record.Record]) error) error {
	r := l.cluster.reader(l.config.Source, l.config.SourceID, l.config.Partition, position)
	return r.run(ctx, func(b Batch) error {
		return deliver(b.Next, b.Records)
	})
}

// ReadToEnd calls each for the committed records of any partition of a topic, from an offset, or from the partition's
// start if that is higher, up to the last stable offset at the time of the call. It returns that start and that end. A
// record is valid until each returns. Its errors are those of Cluster.Read. Unless the log is read side by side with
// others, all such reads share a memory, so that each must not wait for another of them.
func (l *PartitionLog) ReadToEnd(ctx context.Context, topic string, partition int32, from int64,
	each func(*record.Record) error) (start, end int64, err error) {
	memory := l.cluster.restoring
	if l.config.SideBySide {
		memory = newMemory(3*fetchBytesMin, 2*decompressBytes, memory.decompressor)
	}
	return l.cluster.readToEnd(ctx, memory, topic, partition, from, each)
}

// stableTimeout is longer than a transaction of ours can be open and Kafka takes to notice that it timed out.
const stableTimeout = 2 * transactionTimeout

// AwaitStable waits until every record that our partitions of the outputs have now is committed or aborted, but no
// longer than a transaction can be open that nobody ends; then it returns nil too.
func (l *PartitionLog) AwaitStable(ctx context.Context) error {
	_, err := l.awaitStable(ctx, stableTimeout)
	return err
}

// awaitStable is AwaitStable with a timeout, and reports whether the outputs are stable.
func (l *PartitionLog) awaitStable(ctx context.Context, timeout time.Duration) (stable bool, err error) {
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, topic := range l.config.Outputs {
		written, err := l.cluster.highWatermark(wait, topic, l.config.Partition)
		for lastStable := int64(0); err == nil && lastStable < written; {
			lastStable, err = l.cluster.Offset(wait, topic, l.config.Partition, End)
			time.Sleep(transactionPause) // between two requests
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

// hangingIsCounted reports whether the group's position counts what hangs in the outputs, the first record that is
// neither committed nor aborted. A position that hangs, too, counts nothing.
func (l *PartitionLog) hangingIsCounted(ctx context.Context) (counted bool, err error) {
	if l.config.Counts == nil {
		return false, nil
	}
	wait, cancel := context.WithTimeout(ctx, hangingTimeout)
	defer cancel()
	position, err := l.committed(wait)
	if err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			err = nil
		}
		return false, err
	}
	for _, topic := range l.config.Outputs {
		stable, err := l.cluster.Offset(ctx, topic, l.config.Partition, End)
		if err != nil {
			return false, err
		}
		end, err := l.cluster.highWatermark(ctx, topic, l.config.Partition)
		if err != nil {
			return false, err
		}
		if stable >= end {
			continue
		}
		r := l.cluster.reader(topic, "", l.config.Partition, stable)
		r.isolation = sarama.ReadUncommitted
		err = r.run(ctx, func(b Batch) error {
			for r := range b.Records {
				counted = l.config.Counts(position, topic, r)
				return errAtEnd
			}
			if b.Next >= end {
				return errAtEnd
			}
			return nil
		})
		if !errors.Is(err, errAtEnd) {
			return false, err
		}
		if counted {
			return true, nil
		}
	}
	return false, nil
}
