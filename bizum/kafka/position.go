package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// Position is what a group has committed for a partition: the next offset to read, -1 if nothing, and metadata.
type Position struct {
	Offset   int64
	Metadata string
}

// Committed returns the group's positions, of all the partitions. It waits for transactions that are being completed
// (RequireStable, KIP-447) and retries what is retriable, until ctx ends.
func (g *Group) Committed(ctx context.Context, partitions []int32) (map[int32]Position, error) {
	return g.cluster.committed(ctx, g.coordinator, g.name, g.topic, partitions)
}

// errOldGroups is that of a broker without KIP-447.
var errOldGroups = errors.New("its Kafka is older than 2.5, from which on groups work")

func (c *Cluster) committed(ctx context.Context, coordinator *coordinator, group, topic string,
	partitions []int32) (map[int32]Position, error) {
	positions, err := persistEvery(ctx, c, transactionPause, func() (map[int32]Position, error) {
		return c.askCommitted(coordinator, group, topic, partitions)
	})
	if err != nil {
		return nil, fmt.Errorf("positions of group %q: %w", group, reason(c.needs(err, member(group), describes(topic))))
	}
	return positions, nil
}

func (c *Cluster) askCommitted(coordinator *coordinator, group, topic string,
	partitions []int32) (positions map[int32]Position, err error) {
	err = coordinator.request(func(broker *sarama.Broker) error {
		request := sarama.NewOffsetFetchRequest(c.conf.Version, group, map[string][]int32{topic: partitions})
		// UNSTABLE_OFFSET_COMMIT while a transaction may change it (KIP-447)
		request.RequireStable = true //mutant:stable
		response, err := broker.FetchOffset(request)
		if errors.As(err, new(sarama.PacketEncodingError)) { // the broker takes no version that has it
			return errOldGroups
		}
		if err != nil {
			return err
		}
		positions, err = positionsIn(response, topic, partitions)
		return err
	})
	return positions, err
}

func positionsIn(response *sarama.OffsetFetchResponse, topic string, partitions []int32) (map[int32]Position, error) {
	err := orNil(response.Err)
	if errors.Is(err, sarama.ErrGroupIDNotFound) { // kfake returns it where Kafka returns -1
		err = nil
	}
	positions := make(map[int32]Position)
	for _, p := range partitions {
		positions[p] = Position{Offset: -1}
		if block := response.GetBlock(topic, p); block != nil {
			positions[p] = Position{block.Offset, block.Metadata}
			err = cmp.Or(err, orNil(block.Err))
		}
	}
	return positions, err
}
