package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// What sarama does that the package works around, as seen in v1.61.1, and how to know that a work-around can go:
//
//   - Its calls take no context, so await abandons them when one ends. Until Client and Broker take contexts.
//   - Its retries neither heed a context nor report what they wait for, so clientConfig disables them. Until they do.
//   - Broker.sendAndReceive holds the broker's lock until the response arrives, which allows one request at a time. So
//     readers, writers and coordinators have connections of their own, and Group pauses sarama's claims and reads by
//     itself. Until sendAndReceive waits without the lock.
//   - Broker allocates what the first bytes of a response claim, and may take a late response for that of another
//     request. So checkedConn passes on complete responses only, of bounded size, and none after an error. Until
//     TestLateResponse and TestNotKafka pass with a net.Dialer.
//   - Broker keeps its connection after errors other than those of shouldCloseBrokerConn. So notKafkaError is a
//     net.Error, and Cluster.offset closes the leader's connection after an error. Until it closes after each.
//   - Client forgets brokers that failed until metadata is refreshed. So newProducer and askOffset refresh it. Until
//     TestProducerIDRefused and TestOutage pass without.
//   - Client.RefreshMetadata returns ErrLeaderNotAvailable if only some partitions have no leader, so refresh ignores
//     it. Until TestLeaderless passes without.
//   - Client.Controller returns ErrNoTopicsToUpdateMetadata before the first topic, because Metadata.Full is off. So
//     admin refreshes one. Until TestTopic passes without.
//   - A consumer group blocks unless Errors is read, so Cluster.Group drains it. Until Consumer.Return.Errors may be off
//     without a line in the log for each error.
//   - ConsumerGroup.Consume returns only when the last heartbeat has a response or has timed out. So Group.consume
//     abandons it. Until TestTerminatedWhileHung (commands) passes without.
//   - A session ends for all claims when ConsumeClaim returns, so claims.ConsumeClaim waits for its end. Until a claim
//     may end alone.
//   - sarama.Logger is one for the process, so the first Open sets it. Until it is a field of Config.
//   - It hands out the socket below its own TLS, and forgets which mechanisms a broker offers and why it closed a
//     connection. So dialer speaks TLS, and checkedConn looks at the responses to a login. Until Broker returns the
//     connection that it speaks on, and those errors.
//   - ErrProducerFenced has no text, so reason returns errFenced. Until its Error has one.

// process guards sarama's log, which is one for the process; the first Open sets it.
var process sync.Once

// clientConfig disables the retries of sarama: persist retries instead, heeds a context and reports waits.
func clientConfig(d *dialer) (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = d.config.ClientID
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, d
	c.Net.ReadTimeout = produceTimeout + 2*time.Second
	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.RefreshFrequency = 0
	c.Metadata.Retry.Max = 0
	if d.config.SASL != nil {
		return c, d.config.SASL.configure(c, d.config.Notice)
	}
	return c, nil
}

func connected(address string, conf *sarama.Config) (*sarama.Broker, error) {
	broker := sarama.NewBroker(address)
	if err := broker.Open(conf); err != nil {
		return nil, err
	}
	if _, err := broker.Connected(); err != nil {
		return nil, err
	}
	return broker, nil
}

// refresh updates the metadata of a topic. A partition without a leader is no error here.
func (c *Cluster) refresh(topic string) error {
	err := c.client.RefreshMetadata(topic)
	switch {
	case errors.Is(err, sarama.ErrLeaderNotAvailable):
		return nil
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return missingTopicError(topic)
	}
	return err
}

// missingTopicError names a topic that does not exist. It is a sarama.ErrUnknownTopicOrPartition.
type missingTopicError string

func (e missingTopicError) Error() string {
	return fmt.Sprintf("topic %q does not exist; a broker without a folder forgets it when it stops", string(e))
}

func (missingTopicError) Is(target error) bool { return target == ErrNoTopic }

func (missingTopicError) Unwrap() error { return sarama.ErrUnknownTopicOrPartition }

// admin returns a client for the controller, which sarama looks up only along with a topic.
func (c *Cluster) admin(topic string) (sarama.ClusterAdmin, error) {
	if err := c.client.RefreshMetadata(topic); err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil, err
	}
	return sarama.NewClusterAdminFromClient(c.client)
}

// await runs a call of sarama, which takes no context. When ctx ends first, the call is abandoned: it goes on in its
// goroutine, so it must not write what the caller uses.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	return awaitOr(ctx, call, func(T) {})
}

// awaitOr is await, and calls abandon with the result of an abandoned call.
func awaitOr[T any](ctx context.Context, call func() (T, error), abandon func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result)
	go func() {
		value, err := call()
		select {
		case done <- result{value, err}:
		case <-ctx.Done():
			abandon(value)
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// notKafkaError means that the peer is no broker that we can speak to, and that a retry does not help. It is a
// net.Error because sarama keeps a connection after most other errors.
type notKafkaError struct{ reason string }

func (e *notKafkaError) Error() string { return e.reason }
func (*notKafkaError) Timeout() bool   { return false }
func (*notKafkaError) Temporary() bool { return false }

// isNotKafka reports whether err is a notKafkaError.
func isNotKafka(err error) bool {
	var peer *notKafkaError
	return errors.As(err, &peer)
}
