package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// Times of transactions.
const (
	transactionTimeout = 10 * time.Second     // after which the coordinator aborts one that nobody ends
	transactionPause   = 2 * time.Millisecond // before the first retry: markers of the one before are being written
	stepWithin         = 15 * time.Second     // a step that takes longer has failed
	hangsAfter         = 5 * time.Second      // what is completed is visible much earlier
)

// Task is the work of one partition, exactly once: it reads a partition of the group's topic and writes to the same
// partition of two others, the output and an aside for what does not belong there, in transactions that carry the
// group's position.
//
// It relies on what Kafka says of transactions since 2.5 (KIP-447): Fence ends what a former owner of the same
// transactional id had open and refuses all it still sends; what a transaction wrote and the position in it become
// visible together, or never; a position is taken only from a member of the group's current generation. The caller owns
// the order of the steps: Fence, then what it wants to know, then as often as it likes Begin, Write and Aside, Flush,
// Commit, End. Each step waits, bounded, for what goes away by itself. After an error of a step the caller does not know
// what the brokers have done; only a new Task's Fence settles it.
//
// Its methods use built-in types, so that those who call them need not know this package.
type Task struct {
	*Trail
	claim     *Claim
	id        string // transactional
	producer  Producer
	transacts *coordinator
	writers   map[string]*Writer
	part      []string     // of the open transaction: topics whose partition was added to it
	written   atomic.Int64 // the offset after the last record that the output is known to have taken from us
}

// How many records the batches of a process's tasks may have together, and each at least. Fewer at once are slower: with
// 16 partitions by a third.
const (
	recordsMax   = 40_000
	recordsLeast = 500
)

// Task prepares the work of a claimed partition. Close it.
func (c *Claim) Task(sourceID, output, aside string, partitions int32) *Task {
	g := c.group
	id := fmt.Sprintf("bizumctl/%s/%s/%d", g.name, g.topic, c.Partition)
	t := &Task{Trail: g.cluster.Trail(g.name, g.topic, sourceID, output, aside, c.Partition, partitions),
		claim: c, id: id, transacts: g.cluster.transactionCoordinator(id), writers: make(map[string]*Writer)}
	return t
}

// Close gives up what is open. It is settled by the next Fence, or by Kafka after the transaction's timeout.
func (t *Task) Close() {
	for _, w := range t.writers {
		w.Close()
	}
	t.transacts.close()
	t.Trail.Close()
}

// Fence makes us the only writer with this partition's transactional id, and ends what a former one had open.
func (t *Task) Fence(ctx context.Context) error {
	if err := t.initProducer(ctx); err != nil {
		return err
	}
	return t.unhang(ctx)
}

// unhang ends a transaction that Kafka takes for completed, but whose end it has not written everywhere. Kafka 4.3.1 was
// seen to leave it out, in its topic of positions and in ours, when the only broker was killed just then and started
// again: nobody could read a position or the output's end any more. An empty transaction of the same producer that is
// aborted writes the missing ends. If the position had one already, the caller notices that the output does not.
func (t *Task) unhang(ctx context.Context) error {
	settled, err := t.settled(ctx, hangsAfter)
	if err == nil && settled {
		wait, cancel := context.WithTimeout(ctx, hangsAfter)
		_, err = t.cluster.committed(wait, t.commits, t.group, t.source, []int32{t.partition})
		cancel()
	}
	switch {
	case err == nil && settled:
		return nil
	case err != nil && !settled: // it is not known whether anything hangs
		return t.again(ctx, "taking over", err)
	case ctx.Err() != nil:
		return t.again(ctx, "taking over", ctx.Err())
	case settled:
		_, err = t.cluster.askCommitted(t.commits, t.group, t.source, []int32{t.partition})
		if !errors.Is(err, sarama.ErrUnstableOffsetCommit) {
			return t.again(ctx, "taking over", err)
		}
	}
	t.cluster.notice("%s/%d: ending a transaction that Kafka has lost track of", t.source, t.partition)
	if err := t.Begin(ctx); err != nil {
		return err
	}
	if err := t.join(ctx, t.aside); err != nil {
		return err
	}
	if err := t.joinPosition(ctx); err != nil {
		return err
	}
	return t.End(ctx, false)
}

// initProducer asks for a new epoch of the transactional id.
func (t *Task) initProducer(ctx context.Context) error {
	return t.step(ctx, "taking over", func() error {
		return t.transacts.ask(func(coordinator *sarama.Broker) error {
			response, err := coordinator.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, TransactionalID: &t.id,
				TransactionTimeout: transactionTimeout, ProducerID: -1, ProducerEpoch: -1})
			if err != nil {
				return err
			}
			t.producer = Producer{TransactionalID: t.id, ID: response.ProducerID, Epoch: response.ProducerEpoch}
			return orNil(response.Err)
		})
	})
}

// Begin begins a transaction.
func (t *Task) Begin(ctx context.Context) error {
	t.part = t.part[:0]
	return t.join(ctx, t.output)
}

// join adds our partition of a topic to the transaction.
func (t *Task) join(ctx context.Context, topic string) error {
	if slices.Contains(t.part, topic) {
		return nil
	}
	err := t.step(ctx, "beginning a transaction", func() error {
		return t.transacts.ask(func(coordinator *sarama.Broker) error {
			response, err := coordinator.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{Version: 2,
				TransactionalID: t.id, ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch,
				TopicPartitions: map[string][]int32{topic: {t.partition}}})
			if err != nil {
				return err
			}
			return errorOf(response.Errors[topic])
		})
	})
	if err == nil {
		t.part = append(t.part, topic)
	}
	return err
}

// errorOf is the answer for the one partition that was asked for.
func errorOf(partitions []*sarama.PartitionError) error {
	if len(partitions) != 1 {
		return sarama.ErrIncompleteResponse
	}
	return orNil(partitions[0].Err)
}

// Write appends a record to the output. Full batches are sent while more are written.
func (t *Task) Write(ctx context.Context, key, value []byte, timestamp int64) error {
	w, err := t.writer(ctx, t.output)
	if err == nil {
		err = w.Append(ctx, key, value, timestamp, 0)
	}
	return t.again(ctx, "writing", err)
}

// Headers of a record that was set aside.
const (
	reasonHeader = "reason"
	offsetHeader = "offset"
)

// Aside appends a record that does not belong in the output, with its offset in the source and the reason.
func (t *Task) Aside(ctx context.Context, key, value []byte, timestamp, offset int64, reason string) error {
	if err := t.join(ctx, t.aside); err != nil {
		return err
	}
	w, err := t.writer(ctx, t.aside)
	if err == nil {
		err = w.Append(ctx, key, value, timestamp, 0, Header{Key: reasonHeader, Value: []byte(reason)},
			Header{Key: offsetHeader, Value: strconv.AppendInt(nil, offset, 10)})
	}
	return t.again(ctx, "writing", err)
}

func (t *Task) writer(ctx context.Context, topic string) (*Writer, error) {
	if w := t.writers[topic]; w != nil {
		return w, nil
	}
	config := WriterConfig{Compression: "none", Producer: t.producer, Partition: &t.partition, GiveUp: stepWithin,
		Records: min(max(recordsMax/t.claim.share, recordsLeast), batchRecords)}
	if topic == t.output {
		config.Acked = func(a Ack) {
			after := a.Offset + int64(len(a.Marks))
			if a.Offset < 0 {
				after = 0
			}
			t.written.Store(after)
		}
	}
	w, err := t.cluster.NewWriter(ctx, topic, config)
	if err == nil {
		t.writers[topic] = w
	}
	return w, err
}

// Flush waits until all that was written is acknowledged, and answers the offset in the output after the last record of
// it, as far as that is known; 0 if it is not.
func (t *Task) Flush(ctx context.Context) (after int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	for _, w := range t.writers {
		if err := w.Flush(ctx); err != nil {
			return 0, t.again(ctx, "writing", err)
		}
	}
	return t.written.Load(), nil
}

// Commit puts the group's next position, and words with it, into the transaction.
func (t *Task) Commit(ctx context.Context, position int64, metadata string) error {
	if err := t.joinPosition(ctx); err != nil {
		return err
	}
	request := &sarama.TxnOffsetCommitRequest{Version: 3, TransactionalID: t.id, GroupID: t.group,
		ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch,
		GenerationID: t.claim.generation, MemberID: t.claim.member,
		Topics: map[string][]*sarama.PartitionOffsetMetadata{t.source: {{Partition: t.partition,
			Offset: position, LeaderEpoch: -1, Metadata: &metadata}}}}
	return t.step(ctx, "committing the position", func() error {
		return t.commits.ask(func(coordinator *sarama.Broker) error {
			response, err := coordinator.TxnOffsetCommit(request)
			if err != nil {
				return err
			}
			return errorOf(response.Topics[t.source])
		})
	})
}

// joinPosition adds the group's positions to the transaction.
func (t *Task) joinPosition(ctx context.Context) error {
	return t.step(ctx, "committing the position", func() error {
		return t.transacts.ask(func(coordinator *sarama.Broker) error {
			response, err := coordinator.AddOffsetsToTxn(&sarama.AddOffsetsToTxnRequest{Version: 2, TransactionalID: t.id,
				ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch, GroupID: t.group})
			if err != nil {
				return err
			}
			return orNil(response.Err)
		})
	})
}

// End makes all of the transaction visible, or nothing of it.
func (t *Task) End(ctx context.Context, commit bool) error {
	return t.step(ctx, "ending the transaction", func() error {
		return t.transacts.ask(func(coordinator *sarama.Broker) error {
			response, err := coordinator.EndTxn(&sarama.EndTxnRequest{Version: 2, TransactionalID: t.id,
				ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch, TransactionResult: commit})
			if err != nil {
				return err
			}
			return orNil(response.Err)
		})
	})
}

// step tries until it succeeds, for as long as a step may take.
func (t *Task) step(ctx context.Context, doing string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	_, err := persistEvery(ctx, t.cluster, transactionPause, func() (struct{}, error) { return struct{}{}, try() })
	return t.again(ctx, doing, err)
}

// brokenError ends a session: what the brokers have done is not known, or they have turned to somebody else, and all
// that helps is to join again and to begin with Fence.
type brokenError struct {
	error
	taken bool // by another member, who goes on from what was committed
}

func (e brokenError) Unwrap() error { return e.error }

// again says of an error in which partition and step it came, and whether a new session may help.
func (t *Task) again(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	place := fmt.Sprintf("%s/%d", t.source, t.partition)
	var refused refusedError
	switch {
	case fenced(err) || lostSession(err):
		err := fmt.Errorf("%s was taken over by another member, or our transaction ran out of time", place)
		return brokenError{err, true}
	case ctx.Err() != nil: // which is not wrapped: it would say that whoever waits has given up
		return brokenError{error: fmt.Errorf("%s: %s: %v", place, doing, reason(context.DeadlineExceeded))}
	case passing(err) || errors.As(err, &refused) || errors.Is(err, sarama.ErrOutOfOrderSequenceNumber):
		return brokenError{error: fmt.Errorf("%s: %s: %w", place, doing, reason(err))}
	}
	return fmt.Errorf("%s: %s: %w", place, doing, reason(err))
}

// fenced says whether a broker knows somebody else by our transactional id, or has ended our transaction. Kafka 4.3.1
// answers the first two; the others are what brokers have said to those who came too late before and after it.
func fenced(err error) bool {
	var code sarama.KError
	return errors.Is(err, errFenced) || errors.As(err, &code) && slices.Contains([]sarama.KError{
		sarama.ErrInvalidProducerEpoch, sarama.ErrProducerFenced, sarama.ErrInvalidTxnState,
		sarama.ErrInvalidProducerIDMapping, sarama.ErrUnknownProducerID}, code)
}
