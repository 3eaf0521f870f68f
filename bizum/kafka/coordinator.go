package kafka

import (
	"errors"
	"sync"

	"github.com/IBM/sarama"
)

// coordinator is a connection to the broker that coordinates a group or a transactional id. Each partition has its own
// ones: sarama holds a connection for the round trip of a request, so on a shared one each commit would wait for all.
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

// request calls send with a connection to the coordinator, and returns its error. After an error of the connection, and
// after NOT_COORDINATOR and COORDINATOR_NOT_AVAILABLE, the next request looks the coordinator up again.
func (c *coordinator) request(send func(*sarama.Broker) error) error {
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
	err := send(c.broker)
	var code sarama.KError
	if err != nil && (!errors.As(err, &code) || code == sarama.ErrNotCoordinatorForConsumer ||
		code == sarama.ErrConsumerCoordinatorNotAvailable) {
		go c.broker.Close()
		c.broker = nil
	}
	return err
}

// close closes the connection in the background, after a request in flight.
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
