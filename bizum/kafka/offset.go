package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"
)

// Positions for Offset, besides a timestamp in milliseconds (ListOffsets).
const (
	Start int64 = sarama.OffsetOldest
	End   int64 = sarama.OffsetNewest // the last stable offset: open transactions lie beyond it
)

// Offset returns the offset of Start, of End, or of the first record whose timestamp is at least at; the End if there
// is no such record. It retries what is retriable until ctx ends.
func (c *Cluster) Offset(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	offset, err := c.askOffset(ctx, topic, partition, at, sarama.ReadCommitted)
	if err == nil && offset < 0 && at != End {
		return c.Offset(ctx, topic, partition, End)
	}
	return offset, err
}

// highWatermark returns the offset after the last record, committed or not.
func (c *Cluster) highWatermark(ctx context.Context, topic string, partition int32) (int64, error) {
	return c.askOffset(ctx, topic, partition, End, sarama.ReadUncommitted)
}

func (c *Cluster) askOffset(ctx context.Context, topic string, partition int32, at int64,
	isolation sarama.IsolationLevel) (int64, error) {
	offset, err := askLeaders(ctx, c, topic, func() (int64, error) { return c.offset(topic, partition, at, isolation) })
	if err != nil {
		return 0, fmt.Errorf("offset of %s/%d: %w", topic, partition, reason(c.needs(err, describes(topic))))
	}
	return offset, nil
}

// askLeaders is persist for a try that asks leaders of a topic, which may have moved when it fails.
func askLeaders[T any](ctx context.Context, c *Cluster, topic string, try func() (T, error)) (T, error) {
	return persist(ctx, c, func() (T, error) {
		result, err := try()
		if err != nil {
			_ = c.client.RefreshMetadata(topic) // if this fails, so does the next try
		}
		return result, err
	})
}

// endsWithin is how long Ends asks: less than after which a wait is reported, because others report it.
const endsWithin = 2 * time.Second

// Ends returns the End of each partition of a topic. It is for who looks on again and again: it soon gives up.
func (c *Cluster) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, endsWithin)
	defer cancel()
	partitions, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := askLeaders(ctx, c, topic, func() (map[int32]int64, error) { return c.ends(topic, partitions) })
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%s does not answer", c.Addresses())
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, reason(c.needs(err, describes(topic))))
	}
	return ends, nil
}

// ends asks the leaders side by side, each once for all its partitions: a topic may have many, and the way be long.
func (c *Cluster) ends(topic string, partitions []int32) (map[int32]int64, error) {
	led := make(map[*sarama.Broker][]int32)
	for _, number := range partitions {
		leader, err := c.client.Leader(topic, number)
		if err != nil {
			return nil, err
		}
		led[leader] = append(led[leader], number)
	}
	var mu sync.Mutex
	var asking errgroup.Group
	ends := make(map[int32]int64, len(partitions))
	for leader, numbers := range led {
		asking.Go(func() error {
			offsets, err := c.offsets(leader, topic, numbers, End, sarama.ReadCommitted)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(ends, offsets)
			return err
		})
	}
	return ends, asking.Wait()
}

// Messages returns about how many messages a topic has; 0 if that cannot be found out, which others then report.
func (c *Cluster) Messages(ctx context.Context, topic string) (sum int64) {
	partitions, err := c.Partitions(ctx, topic)
	if err != nil {
		return 0
	}
	for _, p := range partitions {
		start, end, err := c.bounds(ctx, topic, p)
		if err != nil {
			return 0
		}
		sum += end - start
	}
	return sum
}

// bounds returns the Start and End of a partition.
func (c *Cluster) bounds(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	if start, err = c.Offset(ctx, topic, partition, Start); err == nil {
		end, err = c.Offset(ctx, topic, partition, End)
	}
	return start, end, err
}

func (c *Cluster) offset(topic string, partition int32, at int64, isolation sarama.IsolationLevel) (int64, error) {
	leader, err := c.client.Leader(topic, partition)
	if err != nil {
		return 0, err
	}
	offsets, err := c.offsets(leader, topic, []int32{partition}, at, isolation)
	return offsets[partition], err
}

// offsets asks the leader of some partitions.
func (c *Cluster) offsets(leader *sarama.Broker, topic string, partitions []int32, at int64,
	isolation sarama.IsolationLevel) (map[int32]int64, error) {
	request := sarama.NewOffsetRequest(c.conf.Version)
	request.IsolationLevel = isolation
	for _, partition := range partitions {
		request.AddBlock(topic, partition, at, 1)
	}
	response, err := leader.GetAvailableOffsets(request)
	if err != nil {
		_ = leader.Close() // the connection has failed; its own error adds nothing
		return nil, err
	}
	offsets := make(map[int32]int64, len(partitions))
	for _, partition := range partitions {
		block := response.GetBlock(topic, partition)
		if block == nil {
			return nil, sarama.ErrIncompleteResponse
		}
		if err := orNil(block.Err); err != nil {
			return nil, err
		}
		offsets[partition] = block.Offset
	}
	return offsets, nil
}
