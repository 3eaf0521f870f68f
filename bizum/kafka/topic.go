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

// Topic is what a cluster says of a topic.
type Topic struct {
	ID          string // of the topic that has the name now; brokers before 2.8 know none, and it is all zeros
	Partitions  int32
	Replication int16
	Compacted   bool // its cleanup policy takes away what has a later record of the same key
	Deleted     bool // its cleanup policy takes away what is old
	// CompactionLag is how long compaction leaves a record alone.
	CompactionLag time.Duration
}

// Topic describes a topic that exists.
func (c *Cluster) Topic(ctx context.Context, name string) (Topic, error) {
	topic, err := persist(ctx, c, func() (Topic, error) { return c.describe(name) })
	if err != nil {
		return topic, fmt.Errorf("topic %q: %w", name, reason(err))
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
	case len(found) == 0:
		return topic, sarama.ErrUnknownTopicOrPartition
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
	return topic, orNil(described[0].ErrorCode)
}

// Names of settings.
const (
	cleanupPolicy = "cleanup.policy"
	compactionLag = "min.compaction.lag.ms"
)

// admin looks up who the controller is, which the client finds out only along with a topic.
func (c *Cluster) admin(topic string) (sarama.ClusterAdmin, error) {
	if err := c.client.RefreshMetadata(topic); err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil, err
	}
	return sarama.NewClusterAdminFromClient(c.client)
}

// TopicSpec says how a topic is made.
type TopicSpec struct {
	Partitions  int32
	Replication int16             // 0: the broker's default
	Settings    map[string]string // by the names that Kafka gives them
}

// CreateTopic makes a topic and waits until it can be used. It answers false when there was one already.
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
		return false, fmt.Errorf("creating topic %q: %w", topic, reason(err))
	}
	return created, nil
}

// led lists a topic's partitions once each of them has a leader.
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

// topicID asks a broker which topic has this name now. Brokers before 2.8 know none: it is all zeros then.
func topicID(broker *sarama.Broker, conf *sarama.Config, topic string) (id string, err error) {
	response, err := askTopic(broker, conf, topic)
	if err != nil {
		return "", err
	}
	return response.Topics[0].Uuid.String(), nil
}

// askTopic asks a broker what it knows of one topic, which is there if there is no error.
func askTopic(broker *sarama.Broker, conf *sarama.Config, topic string) (*sarama.MetadataResponse, error) {
	request := sarama.NewMetadataRequest(conf.Version, []string{topic})
	request.AllowAutoTopicCreation = false
	response, err := broker.GetMetadata(request)
	if err != nil {
		return nil, err
	}
	if len(response.Topics) == 0 {
		return nil, sarama.ErrUnknownTopicOrPartition
	}
	return response, orNil(response.Topics[0].Err)
}
