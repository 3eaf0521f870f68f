package kafka

import "github.com/IBM/sarama"

// The requests of a transaction to its coordinator (KIP-98). AddPartitionsToTxn, AddOffsetsToTxn and EndTxn version 2
// and InitProducerId version 4 are the first in which brokers return PRODUCER_FENCED to those who were fenced
// (KIP-588); to older brokers sarama sends older versions, which return INVALID_PRODUCER_EPOCH. All are below those of
// KIP-890 (from 5 on), in which a transaction begins by itself and raises the epoch.

// initProducer requests a new epoch of a transactional id, which ends what its former producer had open. With id and
// epoch -1 (KIP-360) that is not refused, whoever had it last.
func (c *coordinator) initProducer(id string) (p Producer, err error) {
	err = c.request(func(coordinator *sarama.Broker) error {
		response, err := coordinator.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, TransactionalID: &id,
			TransactionTimeout: transactionTimeout, ProducerID: -1, ProducerEpoch: -1})
		if err != nil {
			return err
		}
		p = Producer{TransactionalID: id, ID: response.ProducerID, Epoch: response.ProducerEpoch}
		return orNil(response.Err)
	})
	return p, err
}

// addPartitions adds partitions of a topic to the open transaction, or begins one with them.
func (c *coordinator) addPartitions(p Producer, topic string, partitions ...int32) error {
	return c.request(func(coordinator *sarama.Broker) error {
		response, err := coordinator.AddPartitionsToTxn(&sarama.AddPartitionsToTxnRequest{Version: 2,
			TransactionalID: p.TransactionalID, ProducerID: p.ID, ProducerEpoch: p.Epoch,
			TopicPartitions: map[string][]int32{topic: partitions}})
		if err != nil {
			return err
		}
		return c.cluster.needs(firstError(response.Errors[topic], len(partitions)), writes(topic))
	})
}

// end commits the open transaction, or aborts it.
func (c *coordinator) end(p Producer, commit bool) error {
	return c.request(func(coordinator *sarama.Broker) error {
		response, err := coordinator.EndTxn(&sarama.EndTxnRequest{Version: 2, TransactionalID: p.TransactionalID,
			ProducerID: p.ID, ProducerEpoch: p.Epoch, TransactionResult: commit})
		if err != nil {
			return err
		}
		return orNil(response.Err)
	})
}

// firstError returns the first error of so many partitions of a request.
func firstError(partitions []*sarama.PartitionError, count int) error {
	if len(partitions) != count {
		return sarama.ErrIncompleteResponse
	}
	for _, p := range partitions {
		if err := orNil(p.Err); err != nil {
			return err
		}
	}
	return nil
}
