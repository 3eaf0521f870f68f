package kafka

import (
	"context"

	"github.com/IBM/sarama"
)

// Identity returns the ids of the cluster and of a topic. A recreated topic has another id (KIP-516); it is empty from
// brokers before 2.8. It retries what is retriable, such as a topic that does not exist yet, until ctx ends.
func (c *Cluster) Identity(ctx context.Context, topic string) (cluster, id string, err error) {
	response, err := persist(ctx, c, func() (*sarama.MetadataResponse, error) {
		address, err := c.leader(topic, 0)
		if err != nil {
			return nil, err
		}
		broker, err := c.open(address)
		if err != nil {
			return nil, err
		}
		defer broker.Close()
		return askTopic(broker, c.conf, topic)
	})
	if err != nil {
		return "", "", topicError(topic, c.needs(err, describes(topic)))
	}
	if response.ClusterID != nil {
		cluster = *response.ClusterID
	}
	if uuid := response.Topics[0].Uuid; uuid != (sarama.Uuid{}) {
		id = uuid.String()
	}
	return cluster, id, nil
}
