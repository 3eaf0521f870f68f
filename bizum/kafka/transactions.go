package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
)

// Transactions are those of a producer that writes to all partitions of a topic, one transaction after the other
// (KIP-98), with no group and no position. The caller owns the order of the steps: Begin, what the Writer is given, its
// Flush, End. Each step is retried for up to 15 s. The brokers abort a transaction that nobody ends after 10 s.
type Transactions struct {
	cluster     *Cluster
	topic       string
	producer    Producer
	partitions  []int32
	coordinator *coordinator
}

// NewTransactions makes us the only producer with a transactional id, and ends what a former one had open. The caller
// closes it.
func (c *Cluster) NewTransactions(ctx context.Context, topic, id string) (*Transactions, error) {
	partitions, err := persist(ctx, c, func() ([]int32, error) { return c.led(topic) })
	if err != nil {
		return nil, topicError(topic, c.needs(err, writes(topic)))
	}
	t := &Transactions{cluster: c, topic: topic, partitions: slices.Clone(partitions),
		coordinator: c.transactionCoordinator(id)}
	err = t.step(ctx, id, "beginning transactions", func(coordinator *sarama.Broker) error {
		// The version and the -1 are those of TransactionalPartition.
		response, err := coordinator.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, TransactionalID: &id,
			TransactionTimeout: transactionTimeout, ProducerID: -1, ProducerEpoch: -1})
		if err != nil {
			return err
		}
		t.producer = Producer{TransactionalID: id, ID: response.ProducerID, Epoch: response.ProducerEpoch}
		return orNil(response.Err)
	})
	return t, err
}

// Producer is for the Writer of these transactions.
func (t *Transactions) Producer() Producer { return t.producer }

// Close closes the connection. The brokers abort a transaction that is open.
func (t *Transactions) Close() { t.coordinator.close() }

// Begin begins a transaction with all partitions in it. It waits until the one before is completed.
func (t *Transactions) Begin(ctx context.Context) error {
	id := t.producer.TransactionalID
	return t.step(ctx, id, "beginning a transaction", func(coordinator *sarama.Broker) error {
		response, err := coordinator.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{Version: 2,
			TransactionalID: id, ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch,
			TopicPartitions: map[string][]int32{t.topic: t.partitions}})
		if err != nil {
			return err
		}
		results := response.Errors[t.topic]
		if len(results) != len(t.partitions) {
			return sarama.ErrIncompleteResponse
		}
		for _, p := range results {
			if err := orNil(p.Err); err != nil {
				return t.cluster.needs(err, writes(t.topic))
			}
		}
		return nil
	})
}

// End commits the transaction, or aborts it. It returns when the coordinator has decided so; readers see it a little
// later.
func (t *Transactions) End(ctx context.Context, commit bool) error {
	id := t.producer.TransactionalID
	return t.step(ctx, id, "ending a transaction", func(coordinator *sarama.Broker) error {
		response, err := coordinator.EndTxn(&sarama.EndTxnRequest{Version: 2, TransactionalID: id,
			ProducerID: t.producer.ID, ProducerEpoch: t.producer.Epoch, TransactionResult: commit})
		if err != nil {
			return err
		}
		return orNil(response.Err)
	})
}

// step tries until it succeeds, for up to stepTimeout.
func (t *Transactions) step(ctx context.Context, id, doing string, try func(*sarama.Broker) error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	_, err := persistEvery(ctx, t.cluster, transactionPause, func() (struct{}, error) {
		return struct{}{}, t.coordinator.request(try)
	})
	if err != nil {
		return fmt.Errorf("%s of %q: %w", doing, id, reason(t.cluster.needs(err, transacts(id))))
	}
	return nil
}
