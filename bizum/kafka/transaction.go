package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"bizumctl/bizum/record"
)

// Timeouts of transactions.
const (
	transactionTimeout = 10 * time.Second     // after which the coordinator aborts one that nobody ends
	transactionPause   = 2 * time.Millisecond // before the first retry: markers of the one before are being written
	stepTimeout        = 15 * time.Second     // a step that takes longer has failed
	hangingTimeout     = 5 * time.Second      // what is completed is visible much earlier
)

// TransactionalPartition writes to the outputs of one partition of a group's source topic, exactly once: its
// transactions carry the records and the group's position.
//
// It relies on what Kafka guarantees since 2.5 (KIP-98, KIP-447): Fence ends what a former owner of the same
// transactional id had open and makes the brokers refuse all it still sends; what a transaction wrote and the position
// in it become visible together, or never; a position is accepted only from a member of the group's current generation.
// The caller owns the order of the steps: Fence, then what it wants to read, then as often as it likes Begin, Write,
// Flush, Commit, End. Each step is one request, or a few, and is retried for up to 15 s. After an error of
// a step the caller does not know what the brokers have done; only Fence of a new TransactionalPartition decides it.
// Group.Run joins again after an error that a new session may mend; the others are final.
//
// The versions of its requests are explained in transactionrequests.go.
type TransactionalPartition struct {
	log           *PartitionLog
	claim         *Claim
	id            string // transactional
	producer      Producer
	txCoordinator *coordinator
	outputs       []*output
}

// output is a topic that a TransactionalPartition writes to, in the partition of its number.
type output struct {
	topic  string
	writer *Writer // nil before the first record
	joined bool    // to the open transaction
	next   atomic.Int64
}

// How many records the batches of all transactional partitions of a process may have together, and each at least. Fewer
// at once are slower: with 16 partitions by a third.
const (
	sharedRecordsMax    = 40_000
	partitionRecordsMin = 500
)

// Transactional prepares to write to the outputs of log, which is that of the claimed partition. It connects with the
// first request. The caller closes it, and log.
func (c *Claim) Transactional(log *PartitionLog) *TransactionalPartition {
	g := c.group
	id := fmt.Sprintf("bizumctl/%s/%s/%d", g.name, g.topic, c.Partition)
	t := &TransactionalPartition{log: log, claim: c, id: id, txCoordinator: g.cluster.transactionCoordinator(id)}
	for _, topic := range log.config.Outputs {
		t.outputs = append(t.outputs, &output{topic: topic})
	}
	return t
}

// Close closes the connections. An open transaction is aborted by the next Fence, or by Kafka after its timeout.
func (t *TransactionalPartition) Close() {
	for _, o := range t.outputs {
		if o.writer != nil {
			o.writer.Close()
		}
	}
	t.txCoordinator.close()
}

// Fence makes us the only producer with this partition's transactional id, and ends what a former one had open.
func (t *TransactionalPartition) Fence(ctx context.Context) error {
	if err := t.initProducer(ctx); err != nil {
		return err
	}
	return t.endHanging(ctx)
}

// endHanging ends a transaction that Kafka takes for completed, but whose markers it has not written everywhere. Kafka
// 4.3.1 was seen to leave them out, in __consumer_offsets and in our topics, when the only broker was killed just then
// and started again: nobody could read a position or the output's end any more. An empty transaction of the same
// producer writes the missing markers. It is aborted, unless the position counts what hangs in an output: then the
// position has its marker already, and the transaction was committed.
func (t *TransactionalPartition) endHanging(ctx context.Context) error {
	l := t.log
	stable, err := l.awaitStable(ctx, hangingTimeout)
	if err == nil && stable {
		wait, cancel := context.WithTimeout(ctx, hangingTimeout)
		_, err = l.committed(wait)
		cancel()
	}
	switch {
	case err == nil && stable:
		return nil
	case err != nil && !stable: // it is not known whether anything hangs
		return t.failed(ctx, "taking over", err)
	case ctx.Err() != nil:
		return t.failed(ctx, "taking over", ctx.Err())
	case stable:
		_, err = await(ctx, func() (map[int32]Position, error) {
			return l.cluster.askCommitted(l.groupCoordinator, l.config.Group, l.config.Source, []int32{l.config.Partition})
		})
		if !errors.Is(err, sarama.ErrUnstableOffsetCommit) {
			return t.failed(ctx, "taking over", err)
		}
	}
	commit := false
	if !stable {
		if commit, err = l.hangingIsCounted(ctx); err != nil {
			return t.failed(ctx, "taking over", err)
		}
	}
	l.cluster.notice("%s/%d: ending a transaction that Kafka has lost track of", l.config.Source, l.config.Partition)
	for _, o := range t.outputs {
		o.joined = false
		if err := t.join(ctx, o); err != nil {
			return err
		}
	}
	if err := t.joinGroup(ctx); err != nil {
		return err
	}
	return t.End(ctx, commit)
}

// initProducer requests a new epoch of the transactional id.
func (t *TransactionalPartition) initProducer(ctx context.Context) error {
	return t.step(ctx, "taking over", func() (err error) {
		t.producer, err = t.txCoordinator.initProducer(t.id)
		return err
	})
}

// Begin begins a transaction with our partition of an output in it. It waits until the transaction before is completed:
// until its records, and its position, are visible.
func (t *TransactionalPartition) Begin(ctx context.Context, topic string) error {
	for _, o := range t.outputs {
		o.joined = false
	}
	return t.join(ctx, t.output(topic))
}

// join adds our partition of an output to the transaction. Kafka begins the transaction with the first one; while the
// one before is being completed, it returns CONCURRENT_TRANSACTIONS (TransactionCoordinator).
func (t *TransactionalPartition) join(ctx context.Context, o *output) error {
	if o.joined {
		return nil
	}
	err := t.step(ctx, "beginning a transaction", func() error {
		return t.txCoordinator.addPartitions(t.producer, o.topic, t.log.config.Partition)
	})
	if err == nil {
		o.joined = true
	}
	return err
}

// Write appends a record to our partition of an output, and adds that to the transaction if it is not in it yet. Full
// batches are sent while more is written; their errors are returned by a later Write, or by Flush.
func (t *TransactionalPartition) Write(ctx context.Context, topic string, key, value []byte, timestamp int64,
	headers ...record.Header) error {
	o := t.output(topic)
	if err := t.join(ctx, o); err != nil {
		return err
	}
	if o.writer == nil {
		w, err := t.newWriter(ctx, o)
		if err != nil {
			return t.failed(ctx, "writing", err)
		}
		o.writer = w
	}
	var encoded []Header
	for _, h := range headers {
		encoded = append(encoded, Header(h))
	}
	if err := o.writer.Append(ctx, key, value, timestamp, 0, encoded...); err != nil {
		return t.failed(ctx, "writing", err)
	}
	return nil
}

// output returns the output of a name.
func (t *TransactionalPartition) output(topic string) *output {
	for _, o := range t.outputs {
		if o.topic == topic {
			return o
		}
	}
	panic(fmt.Sprintf("kafka: internal error: %q is no output", topic))
}

func (t *TransactionalPartition) newWriter(ctx context.Context, o *output) (*Writer, error) {
	return t.log.cluster.NewWriter(ctx, o.topic, WriterConfig{Compression: "none", Producer: t.producer,
		Partition: &t.log.config.Partition, GiveUp: stepTimeout,
		Records: min(max(sharedRecordsMax/t.claim.claimed, partitionRecordsMin), batchRecords),
		Acked: func(a Ack) {
			next := a.Offset + int64(len(a.Marks))
			if a.Offset < 0 {
				next = 0
			}
			o.next.Store(next)
		}})
}

// Flush sends what was written and waits until all in-sync replicas have it.
func (t *TransactionalPartition) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	for _, o := range t.outputs {
		if o.writer == nil {
			continue
		}
		if err := o.writer.Flush(ctx); err != nil {
			return t.failed(ctx, "writing", err)
		}
	}
	return nil
}

// NextOffset returns the offset in an output after the last record that Flush has waited for. It is 0 if nothing was
// written, or if the broker had the record from an earlier try and no longer knows its offset.
func (t *TransactionalPartition) NextOffset(topic string) int64 { return t.output(topic).next.Load() }

// Commit adds the group's position in the source, and its metadata, to the transaction. TxnOffsetCommit version 3
// carries the member and generation of our session (KIP-447): the coordinator refuses it once the group has gone on
// without us.
func (t *TransactionalPartition) Commit(ctx context.Context, position int64, metadata string) error {
	if err := t.joinGroup(ctx); err != nil {
		return err
	}
	l := t.log
	request := &sarama.TxnOffsetCommitRequest{Version: 3, TransactionalID: t.id, GroupID: l.config.Group,
		ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch,
		GenerationID: t.claim.generation, MemberID: t.claim.member,
		Topics: map[string][]*sarama.PartitionOffsetMetadata{l.config.Source: {{Partition: l.config.Partition,
			Offset: position, LeaderEpoch: -1, Metadata: &metadata}}}}
	return t.step(ctx, "committing the position", func() error {
		return l.groupCoordinator.request(func(coordinator *sarama.Broker) error {
			response, err := coordinator.TxnOffsetCommit(request)
			if err != nil {
				return err
			}
			return l.cluster.needs(firstError(response.Topics[l.config.Source], 1), reads(l.config.Source))
		})
	})
}

// joinGroup adds the group's partition of __consumer_offsets to the transaction.
func (t *TransactionalPartition) joinGroup(ctx context.Context) error {
	return t.step(ctx, "committing the position", func() error {
		return t.txCoordinator.request(func(coordinator *sarama.Broker) error {
			response, err := coordinator.AddOffsetsToTxn(&sarama.AddOffsetsToTxnRequest{Version: 2, TransactionalID: t.id,
				ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch, GroupID: t.log.config.Group})
			if err != nil {
				return err
			}
			return orNil(response.Err)
		})
	})
}

// End commits the transaction, or aborts it. It returns when the coordinator has decided so; readers see it a little
// later, when the markers are written.
func (t *TransactionalPartition) End(ctx context.Context, commit bool) error {
	return t.step(ctx, "ending the transaction", func() error { return t.txCoordinator.end(t.producer, commit) })
}

// step tries until it succeeds, for up to stepTimeout.
func (t *TransactionalPartition) step(ctx context.Context, doing string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	_, err := persistEvery(ctx, t.log.cluster, transactionPause, func() (struct{}, error) { return struct{}{}, try() })
	if err != nil {
		return t.failed(ctx, doing, err)
	}
	return nil
}

// sessionError ends a session: what the brokers have done is not known, or another member has the partition, and all
// that helps is to join again and to begin with Fence.
type sessionError struct {
	error
	taken bool // by another member, which goes on from what was committed
}

func (e sessionError) Unwrap() error { return e.error }

// failed adds partition and step to an error, and makes it a sessionError if a new session may help.
func (t *TransactionalPartition) failed(ctx context.Context, doing string, err error) error {
	place := fmt.Sprintf("%s/%d", t.log.config.Source, t.log.config.Partition)
	err = t.log.cluster.needs(err, transacts(t.id), member(t.log.config.Group))
	var refused refusedError
	switch {
	case fenced(err) || lostSession(err):
		err := fmt.Errorf("%s was taken over by another member, or our transaction ran out of time", place)
		return sessionError{err, true}
	case ctx.Err() != nil: // not wrapped: errors.Is must not report the end of ctx
		return sessionError{error: fmt.Errorf("%s: %s: %v", place, doing, reason(context.DeadlineExceeded))}
	case retriable(err) || errors.As(err, &refused) || errors.Is(err, sarama.ErrOutOfOrderSequenceNumber):
		return sessionError{error: fmt.Errorf("%s: %s: %w", place, doing, reason(err))}
	}
	return fmt.Errorf("%s: %s: %w", place, doing, reason(err))
}

// fenced reports whether the transactional id has another producer by now, or our transaction was aborted. Kafka 4.3.1
// returns the first two; the others are what brokers have returned to those who came too late before and after it:
// INVALID_TXN_STATE when the coordinator has timed the transaction out, UNKNOWN_PRODUCER_ID and
// INVALID_PRODUCER_ID_MAPPING when it has forgotten the producer (KIP-360, KIP-890).
func fenced(err error) bool {
	var code sarama.KError
	return errors.Is(err, errFenced) || errors.As(err, &code) && slices.Contains([]sarama.KError{
		sarama.ErrInvalidProducerEpoch, sarama.ErrProducerFenced, sarama.ErrInvalidTxnState,
		sarama.ErrInvalidProducerIDMapping, sarama.ErrUnknownProducerID}, code)
}
