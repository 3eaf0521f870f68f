package kafka

import (
	"context"
	"fmt"
	"slices"
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
	err = t.step(ctx, id, "beginning transactions", func() (err error) {
		t.producer, err = t.coordinator.initProducer(id)
		return err
	})
	return t, err
}

// Producer is for the Writer of these transactions.
func (t *Transactions) Producer() Producer { return t.producer }

// Close closes the connection. The brokers abort a transaction that is open.
func (t *Transactions) Close() { t.coordinator.close() }

// Begin begins a transaction with all partitions in it. It waits until the one before is completed.
func (t *Transactions) Begin(ctx context.Context) error {
	return t.step(ctx, t.producer.TransactionalID, "beginning a transaction", func() error {
		return t.coordinator.addPartitions(t.producer, t.topic, t.partitions...)
	})
}

// End commits the transaction, or aborts it. It returns when the coordinator has decided so; readers see it a little
// later.
func (t *Transactions) End(ctx context.Context, commit bool) error {
	return t.step(ctx, t.producer.TransactionalID, "ending a transaction", func() error {
		return t.coordinator.end(t.producer, commit)
	})
}

// step tries until it succeeds, for up to stepTimeout.
func (t *Transactions) step(ctx context.Context, id, doing string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	_, err := persistEvery(ctx, t.cluster, transactionPause, func() (struct{}, error) { return struct{}{}, try() })
	if err != nil {
		return fmt.Errorf("%s of %q: %w", doing, id, reason(t.cluster.needs(err, transacts(id))))
	}
	return nil
}
