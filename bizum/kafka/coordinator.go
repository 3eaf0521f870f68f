package kafka

import (
	"errors"
	"sync"

	"github.com/IBM/sarama"
)

// coordinator is a connection of our own to the broker that coordinates a group or a transactional id.
type coordinator struct {
	cluster *Cluster
	find    func() (*sarama.Broker, error)

	mu     sync.Mutex
	broker *sarama.Broker
	closed bool
}

func (c *Cluster) groupCoordinator(group string) *coordinator {
	return &coordinator{cluster: c, find: func() (*sarama.Broker, error) {
		if err := c.client.RefreshCoordinator(group); err != nil {
			return nil, err
		}
		return c.client.Coordinator(group)
	}}
}

func (c *Cluster) transactionCoordinator(id string) *coordinator {
	return &coordinator{cluster: c, find: func() (*sarama.Broker, error) {
		if err := c.client.RefreshTransactionCoordinator(id); err != nil {
			return nil, err
		}
		return c.client.TransactionCoordinator(id)
	}}
}

// ask puts a question to the coordinator. After an answer that another broker is it, or none, it looks for it anew the
// next time.
func (c *coordinator) ask(question func(*sarama.Broker) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return sarama.ErrClosedClient
	}
	if c.broker == nil {
		found, err := c.find()
		if err != nil {
			return err
		}
		if c.broker, err = c.cluster.open(found.Addr()); err != nil {
			c.broker = nil
			return err
		}
	}
	err := question(c.broker)
	var code sarama.KError
	if err != nil && (!errors.As(err, &code) || code == sarama.ErrNotCoordinatorForConsumer ||
		code == sarama.ErrConsumerCoordinatorNotAvailable) {
		go c.broker.Close()
		c.broker = nil
	}
	return err
}

// close lets go of the connection. A question that is still open is left behind with it.
func (c *coordinator) close() {
	go func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closed = true
		if c.broker != nil {
			_ = c.broker.Close() // it may be dead
		}
	}()
}
