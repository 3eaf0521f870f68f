package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// Topic describes a topic.
type Topic struct {
	ID          string // of the topic that has the name now (KIP-516); all zeros from brokers before 2.8
	Partitions  int32
	Replication int16
	Compacted   bool // cleanup.policy has compact
	Deleted     bool // cleanup.policy has delete
	// CompactionLag is min.compaction.lag.ms: how long compaction keeps every record (KIP-58).
	CompactionLag time.Duration
}

// Topic describes a topic. It waits for a broker that is away, and for a topic that does not exist yet: its errors are
// the end of ctx and those of the cluster that are not retriable.
func (c *Cluster) Topic(ctx context.Context, name string) (Topic, error) {
	topic, err := persist(ctx, c, func() (Topic, error) { return c.describe(name) })
	if err != nil {
		return topic, topicError(name, c.needs(err, describes(name)))
	}
	return topic, nil
}

func (c *Cluster) describe(name string) (topic Topic, err error) {
	admin, err := c.admin(name)
	if err != nil {
		return topic, err
	}
	found, err := admin.DescribeTopics([]string{name})
	switch {
	case err != nil:
		return topic, err
	case len(found) == 0 || found[0].Err == sarama.ErrUnknownTopicOrPartition:
		return topic, missingTopicError(name)
	case found[0].Err != sarama.ErrNoError:
		return topic, found[0].Err
	case len(found[0].Partitions) == 0:
		return topic, sarama.ErrLeaderNotAvailable
	}
	topic = Topic{ID: found[0].Uuid.String(), Partitions: int32(len(found[0].Partitions)),
		Replication: int16(len(found[0].Partitions[0].Replicas))}
	described, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: name,
		ConfigNames: []string{cleanupPolicy, compactionLag}}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return topic, err
	}
	if len(described) != 1 {
		return topic, sarama.ErrIncompleteResponse
	}
	for _, s := range described[0].Configs {
		switch s.Name {
		case cleanupPolicy:
			topic.Compacted = strings.Contains(s.Value, "compact")
			topic.Deleted = strings.Contains(s.Value, "delete")
		case compactionLag:
			ms, _ := strconv.ParseInt(s.Value, 10, 64) // Kafka's own number
			topic.CompactionLag = time.Duration(ms) * time.Millisecond
		}
	}
	return topic, c.needs(orNil(described[0].ErrorCode), right{"DescribeConfigs", topicResource, name})
}

// Names of settings (TopicConfig).
const (
	cleanupPolicy = "cleanup.policy"
	compactionLag = "min.compaction.lag.ms"
)

// TopicSpec is how to create a topic.
type TopicSpec struct {
	Partitions  int32
	Replication int16             // 0: the broker's default
	Settings    map[string]string // by their names in TopicConfig
}

// CreateTopic creates a topic, if there is none of that name, and waits until every partition has a leader. It reports
// whether it has created it. Its errors are the end of ctx and those of the cluster that are not retriable.
func (c *Cluster) CreateTopic(ctx context.Context, topic string, spec TopicSpec) (created bool, err error) {
	const byBroker = -1 // the broker's default replication factor
	detail := &sarama.TopicDetail{NumPartitions: spec.Partitions, ReplicationFactor: cmp.Or(spec.Replication, byBroker),
		ConfigEntries: make(map[string]*string)}
	for name, value := range spec.Settings {
		detail.ConfigEntries[name] = &value
	}
	created, err = persist(ctx, c, func() (bool, error) {
		admin, err := c.admin(topic)
		if err != nil {
			return false, err
		}
		err = admin.CreateTopic(topic, detail, false)
		if errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return false, nil
		}
		return true, err
	})
	if err == nil {
		_, err = persist(ctx, c, func() ([]int32, error) { return c.led(topic) })
	}
	if err != nil {
		return false, fmt.Errorf("creating topic %q: %w", topic, reason(c.needs(err, right{"Create", topicResource, topic},
			right{"Create", clusterResource, ""})))
	}
	return created, nil
}

// led returns a topic's partitions if each of them has a leader.
func (c *Cluster) led(topic string) ([]int32, error) {
	if err := c.client.RefreshMetadata(topic); err != nil {
		return nil, err
	}
	all, err := c.client.WritablePartitions(topic)
	if err == nil && len(all) == 0 {
		err = sarama.ErrLeaderNotAvailable
	}
	return all, err
}

// topicID returns the id of the topic that has this name now (KIP-516); all zeros from brokers before 2.8.
func topicID(broker *sarama.Broker, conf *sarama.Config, topic string) (id string, err error) {
	response, err := askTopic(broker, conf, topic)
	if err != nil {
		return "", err
	}
	return response.Topics[0].Uuid.String(), nil
}

// askTopic returns a broker's metadata of one topic, or the topic's error code.
func askTopic(broker *sarama.Broker, conf *sarama.Config, topic string) (*sarama.MetadataResponse, error) {
	request := sarama.NewMetadataRequest(conf.Version, []string{topic})
	request.AllowAutoTopicCreation = false
	response, err := broker.GetMetadata(request)
	if err != nil {
		return nil, err
	}
	if len(response.Topics) == 0 || response.Topics[0].Err == sarama.ErrUnknownTopicOrPartition {
		return nil, missingTopicError(topic)
	}
	return response, orNil(response.Topics[0].Err)
}
