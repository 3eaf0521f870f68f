// Package kafka reads and writes the records of topics, and commits positions of consumer groups. It knows sarama, and
// nothing about money.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"bizumctl/bizum/kafka/batch"
)

// Errors that callers may act on.
var (
	// ErrUnreachable means that no broker answered the first request.
	ErrUnreachable = errors.New("no broker answers")
	// ErrNoTopic means that the cluster has no such topic.
	ErrNoTopic = errors.New("topic does not exist")
	// ErrNewTopic means that the topic of that name is not the one that was read before.
	ErrNewTopic = errors.New("the topic was deleted and recreated")
)

// errFenced replaces sarama.ErrProducerFenced, which has no useful text.
var errFenced = errors.New("another producer took over our transactional id")

// Timeouts. A wait is reported after patience.
const (
	retryPause   = 50 * time.Millisecond // the first one; they grow
	firstContact = 4500 * time.Millisecond
	patience     = 3 * time.Second
	dialTimeout  = 3 * time.Second
)

// limits are the timeouts that tests shorten.
type limits struct {
	patience time.Duration // patience
	silent   time.Duration // silentTimeout
}

// Config is how to reach a cluster and where to report waits.
type Config struct {
	Brokers        []string
	ClientID       string
	SessionTimeout time.Duration // after which a group removes a member that died; 0: 6 s
	// TLS, unless nil, returns how to speak TLS on a new connection: certificates change while we run. Without a
	// ServerName the certificate has to be for the host of the broker's address.
	TLS     func() (*tls.Config, error)
	Subject string // of our certificate in TLS, empty if there is none
	SASL    *SASL  // nil: we do not authenticate
	// Notice, if set, is called with a text for the user when a wait takes long and when it is over, from several
	// goroutines.
	Notice func(string)
	// Log receives the log of the client library, unless it is nil.
	Log io.Writer
}

// Cluster is a client of a Kafka cluster. Each Reader and Writer has connections of its own, because sarama holds a
// connection for the whole round trip of a request; this client only looks up leaders.
type Cluster struct {
	config Config
	client sarama.Client
	conf   *sarama.Config // of the connections that carry records
	dialer *dialer
	memory *memory
	// restoring is the memory of ReadToEnd: the readers of sources may wait for what it reads.
	restoring *memory

	produceConns produceConns
	limits       limits

	outage struct {
		sync.Mutex
		waits int    // that were reported and go on
		text  string // reported last
	}
}

// Open returns a client of a cluster. It does not connect: the first request does. Its errors are those of the
// configuration.
func Open(config Config) (*Cluster, error) {
	process.Do(func() {
		if config.Log != nil {
			sarama.Logger = log.New(config.Log, "", 0)
		}
	})
	if config.SessionTimeout == 0 {
		config.SessionTimeout = 6 * time.Second
	}
	dialer := newDialer(config)
	lookups, err := clientConfig(dialer)
	if err != nil {
		return nil, err
	}
	conf := *lookups
	lookups.Net.ReadTimeout = 2 * time.Second
	client, err := sarama.NewClient(config.Brokers, lookups)
	if err != nil {
		return nil, fmt.Errorf("brokers %q: %w", strings.Join(config.Brokers, ","), err)
	}
	decompressor := batch.NewDecompressor()
	return &Cluster{config: config, client: client, conf: &conf, dialer: dialer,
		memory:       newMemory(responseBytesMax, decompressedBytesMax, decompressor),
		restoring:    newMemory(restoreBytesMax, restoreBytesMax, decompressor),
		produceConns: produceConns{open: make(map[leaderConn]*produceConn)},
		limits:       limits{patience: patience, silent: silentTimeout}}, nil
}

// Close closes the connections of look-ups and of writers. Those of readers and groups end with their calls.
func (c *Cluster) Close() {
	c.client.Close()
	c.produceConns.close()
}

// Partitions returns a topic's partitions. It asks once, without retries; its errors are ErrUnreachable, ErrNoTopic or
// another error of the cluster.
func (c *Cluster) Partitions(ctx context.Context, topic string) ([]int32, error) {
	ctx, cancel := context.WithTimeout(ctx, c.firstContact())
	defer cancel()
	partitions, err := await(ctx, func() ([]int32, error) {
		if err := c.refresh(topic); err != nil {
			return nil, err
		}
		return c.client.Partitions(topic)
	})
	switch {
	case errors.As(err, new(*AccessError)):
		return nil, reason(err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w at %s in time; is that the port of a Kafka broker?", ErrUnreachable, c.Addresses())
	case isExhausted(err):
		return nil, fmt.Errorf("connecting to %s: %w", c.Addresses(), reason(err))
	case errors.Is(err, sarama.ErrOutOfBrokers) || isNotKafka(err):
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.Addresses(), reason(err))
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return nil, fmt.Errorf("%q: %w", topic, ErrNoTopic)
	case err != nil:
		return nil, topicError(topic, c.needs(err, describes(topic)))
	}
	return partitions, nil
}

// topicError adds the topic's name to an error that does not have it.
func topicError(name string, err error) error {
	if err = reason(err); errors.As(err, new(*DeniedError)) {
		return err
	}
	return fmt.Errorf("topic %q: %w", name, err)
}

// firstContact is how long the first request may take.
func (c *Cluster) firstContact() time.Duration {
	if c.config.SASL != nil && c.config.SASL.Token != nil {
		return firstContact + tokenTimeout
	}
	return firstContact
}

// Addresses returns the configured brokers, separated by commas.
func (c *Cluster) Addresses() string { return c.config.addresses() }

func (c Config) addresses() string { return strings.Join(c.Brokers, ",") }

// leader returns the address of a partition's leader.
func (c *Cluster) leader(topic string, partition int32) (string, error) {
	if err := c.refresh(topic); err != nil {
		return "", err
	}
	leader, err := c.client.Leader(topic, partition)
	if err != nil {
		return "", err
	}
	return leader.Addr(), nil
}

// open returns a connection for the caller alone.
func (c *Cluster) open(address string) (*sarama.Broker, error) { return connected(address, c.conf) }
