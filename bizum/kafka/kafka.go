// Package kafka moves records in and out of topics, and keeps positions and groups. It knows sarama, and nothing about
// money.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/cenkalti/backoff/v5"

	"bizumctl/bizum/kafka/batch"
)

// What callers may meet and act on.
var (
	// ErrUnreachable means that no broker answered the first request.
	ErrUnreachable = errors.New("no broker answers")
	// ErrNoTopic means that the cluster has no such topic.
	ErrNoTopic = errors.New("topic does not exist")
	// ErrNewTopic means that another topic has taken the name of the one that was read.
	ErrNewTopic = errors.New("the topic was deleted and made anew")
)

// errFenced is what sarama has no text for.
var errFenced = errors.New("another producer took over our transactional id")

// Limits of time. A person is told after patience what is being waited for.
const (
	retryPause   = 50 * time.Millisecond // the first one; each is longer than the one before
	firstContact = 4500 * time.Millisecond
	patience     = 3 * time.Second
	dialTimeout  = 3 * time.Second
)

// limits are those of the times above that tests make shorter.
type limits struct {
	patience time.Duration // patience
	silent   time.Duration // silentTimeout
}

// Config says where the cluster is and how the waiting is told.
type Config struct {
	Brokers        []string
	ClientID       string
	SessionTimeout time.Duration // of a group's member that died; 0: 6 s
	// Notice is told, in words, what is being waited for and when that is over. It is called from several goroutines.
	Notice func(string)
	// Log takes the lines of the client library's log; nil: there is none.
	Log io.Writer
}

// Cluster is the way to the brokers. Each Reader and Writer has connections of its own, because sarama holds a
// connection for the whole round trip of a request; this client only looks up who leads what.
type Cluster struct {
	config Config
	client sarama.Client
	conf   *sarama.Config // of the connections that carry records
	memory *memory

	produceConns produceConns
	limits       limits

	outage struct {
		sync.Mutex
		waits int    // that have been told of
		text  string // that was told last
	}
}

// process guards what sarama has only once for the whole process; the first Open decides.
var process sync.Once

// Open prepares a cluster. It does not connect: the first request does.
func Open(config Config) (*Cluster, error) {
	process.Do(func() {
		if config.Log != nil {
			sarama.Logger = log.New(config.Log, "", 0)
		}
	})
	if config.SessionTimeout == 0 {
		config.SessionTimeout = 6 * time.Second
	}
	lookups := clientConfig(config)
	lookups.Net.ReadTimeout = 2 * time.Second
	client, err := sarama.NewClient(config.Brokers, lookups)
	if err != nil {
		return nil, fmt.Errorf("brokers %q: %w", strings.Join(config.Brokers, ","), err)
	}
	return &Cluster{config: config, client: client, conf: clientConfig(config),
		memory:       newMemory(responseBytesMax, decompressedBytesMax, batch.NewDecompressor()),
		produceConns: produceConns{open: make(map[leaderConn]*produceConn)},
		limits:       limits{patience: patience, silent: silentTimeout}}, nil
}

// clientConfig turns off the client's own retries: persist has ours, which know a context and tell what they wait for.
func clientConfig(config Config) *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = config.ClientID
	c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, dialer{dialTimeout}
	c.Net.ReadTimeout = produceTimeout + 2*time.Second
	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.RefreshFrequency = 0
	c.Metadata.Retry.Max = 0
	return c
}

// Close closes the connections of look-ups and of writers.
func (c *Cluster) Close() {
	c.client.Close()
	c.produceConns.close()
}

// Partitions lists a topic's partitions. It asks once: errors are ErrUnreachable and ErrNoTopic, or what the cluster
// holds against us.
func (c *Cluster) Partitions(ctx context.Context, topic string) ([]int32, error) {
	ctx, cancel := context.WithTimeout(ctx, firstContact)
	defer cancel()
	partitions, err := await(ctx, func() ([]int32, error) {
		if err := c.refresh(topic); err != nil {
			return nil, err
		}
		return c.client.Partitions(topic)
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w at %s in time; is that the port of a Kafka broker?", ErrUnreachable, c.Addresses())
	case errors.Is(err, sarama.ErrOutOfBrokers) || isNotKafka(err):
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.Addresses(), reason(err))
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return nil, fmt.Errorf("%q: %w", topic, ErrNoTopic)
	case err != nil:
		return nil, fmt.Errorf("topic %q: %w", topic, reason(err))
	}
	return partitions, nil
}

// refresh looks up anew who leads what. That a partition has no leader just now is for whoever wants that partition.
func (c *Cluster) refresh(topic string) error {
	err := c.client.RefreshMetadata(topic)
	if errors.Is(err, sarama.ErrLeaderNotAvailable) {
		return nil
	}
	return err
}

// Addresses names the brokers we were given.
func (c *Cluster) Addresses() string { return strings.Join(c.config.Brokers, ",") }

// Where an offset may be asked for, besides the time of a record in milliseconds.
const (
	Start int64 = sarama.OffsetOldest
	End   int64 = sarama.OffsetNewest // the last stable offset: what an open transaction holds back is not there yet
)

// Offset answers the offset of Start, of End, or of the first record with at least this timestamp; for a time after
// every record it answers the End.
func (c *Cluster) Offset(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	offset, err := c.askOffset(ctx, topic, partition, at, sarama.ReadCommitted)
	if err == nil && offset < 0 && at != End {
		return c.Offset(ctx, topic, partition, End)
	}
	return offset, err
}

// highWatermark answers the offset after the last record, whether committed or not.
func (c *Cluster) highWatermark(ctx context.Context, topic string, partition int32) (int64, error) {
	return c.askOffset(ctx, topic, partition, End, sarama.ReadUncommitted)
}

func (c *Cluster) askOffset(ctx context.Context, topic string, partition int32, at int64,
	isolation sarama.IsolationLevel) (int64, error) {
	offset, err := persist(ctx, c, func() (int64, error) {
		offset, err := c.offset(topic, partition, at, isolation)
		if err != nil {
			_ = c.client.RefreshMetadata(topic) // the leader may have moved; the next try meets any error itself
		}
		return offset, err
	})
	if err != nil {
		return 0, fmt.Errorf("offset of %s/%d: %w", topic, partition, reason(err))
	}
	return offset, nil
}

// bounds answers where a partition starts and ends.
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
	request := sarama.NewOffsetRequest(c.conf.Version)
	request.IsolationLevel = isolation
	request.AddBlock(topic, partition, at, 1)
	response, err := leader.GetAvailableOffsets(request)
	if err != nil {
		_ = leader.Close() // it is dead already
		return 0, err
	}
	block := response.GetBlock(topic, partition)
	if block == nil {
		return 0, sarama.ErrIncompleteResponse
	}
	return block.Offset, orNil(block.Err)
}

// leader is the address of a partition's leader.
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

// open makes a connection of the caller's own.
func (c *Cluster) open(address string) (*sarama.Broker, error) { return connected(address, c.conf) }

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

// persist tries until it succeeds, meets an error that waiting does not mend, or ctx ends. When that takes long, in
// many tries or in one that hangs, it tells so.
func persist[T any](ctx context.Context, c *Cluster, try func() (T, error)) (T, error) {
	return persistEvery(ctx, c, retryPause, try)
}

// persistEvery is persist with another first pause; each pause is longer than the one before.
func persistEvery[T any](ctx context.Context, c *Cluster, first time.Duration, try func() (T, error)) (T, error) {
	var silence silence
	silence.begin()
	return retry(ctx, c, first, silence.lasts, func() (T, error) { return await(ctx, try) })
}

// retry is persistEvery for tries that heed ctx themselves, and that know for how long the broker has
// been silent: one that takes long to send much is not waited for. It leaves nothing behind. Silent may
// be called by another goroutine.
func retry[T any](ctx context.Context, c *Cluster, first time.Duration, silent func() time.Duration,
	try func() (T, error)) (T, error) {
	var mu sync.Mutex
	var last error
	var over bool
	wait := wait{cluster: c}
	var told *time.Timer
	mu.Lock() // until told is set
	told = time.AfterFunc(c.limits.patience, func() {
		mu.Lock()
		defer mu.Unlock()
		switch left := c.limits.patience - silent(); {
		case ctx.Err() != nil || over:
		case left > 0:
			told.Reset(left)
		default:
			wait.tell(last)
		}
	})
	mu.Unlock()
	var failing time.Time // since when
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = first, time.Second
	result, err := backoff.Retry(ctx, func() (T, error) {
		result, err := try()
		if err != nil && !retriable(err) {
			err = backoff.Permanent(err)
		}
		return result, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		last = err
		if failing.IsZero() {
			failing = time.Now()
		}
		if time.Since(failing) > c.limits.patience {
			wait.tell(err) // it may be for another reason by now
		}
	}))
	told.Stop()
	mu.Lock() // it may be telling just now
	defer mu.Unlock()
	over = true
	wait.over(err == nil)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		err = ctx.Err() // backoff answers why ctx ended, which is not what the caller asked
	}
	return result, err
}

// wait is something that is being waited for, and whether that was told.
type wait struct {
	cluster *Cluster
	told    bool
}

// tell says what is being waited for. All the waits of a cluster are told as one, for they are mostly of one cause.
func (w *wait) tell(cause error) {
	c := w.cluster
	c.outage.Lock()
	defer c.outage.Unlock()
	if !w.told {
		w.told = true
		c.outage.waits++
	}
	text := "no answer yet"
	if cause != nil {
		text = reason(cause).Error()
	}
	if text != c.outage.text {
		c.notice("waiting for %s: %s", c.Addresses(), text)
	}
	c.outage.text = text
}

// over ends the wait, and tells that there was an answer when nothing else is waited for.
func (w *wait) over(answered bool) {
	c := w.cluster
	c.outage.Lock()
	defer c.outage.Unlock()
	if !w.told {
		return
	}
	w.told = false
	c.outage.waits--
	if c.outage.waits > 0 {
		return
	}
	c.outage.text = ""
	if answered {
		c.notice("%s answers again", c.Addresses())
	}
}

// await runs a call of sarama, which knows no context, and leaves it behind when ctx ends first.
func await[T any](ctx context.Context, call func() (T, error)) (T, error) {
	return awaitOr(ctx, call, func(T) {})
}

// awaitOr is await, and abandons what a call returns that was left behind.
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

// passing says whether an error goes away by itself: a broker is down or starting, or a leader is being elected.
func retriable(err error) bool {
	var code sarama.KError
	if errors.As(err, &code) {
		switch code {
		case sarama.ErrUnknownTopicOrPartition, sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition,
			sarama.ErrRequestTimedOut, sarama.ErrBrokerNotAvailable, sarama.ErrReplicaNotAvailable,
			sarama.ErrNetworkException, sarama.ErrOffsetsLoadInProgress, sarama.ErrConsumerCoordinatorNotAvailable,
			sarama.ErrNotCoordinatorForConsumer, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend,
			sarama.ErrNotController, sarama.ErrKafkaStorageError, sarama.ErrFencedLeaderEpoch,
			sarama.ErrUnknownLeaderEpoch, sarama.ErrOffsetNotAvailable, sarama.ErrPreferredLeaderNotAvailable,
			sarama.ErrEligibleLeadersNotAvailable, sarama.ErrUnstableOffsetCommit, sarama.ErrConcurrentTransactions:
			return true
		}
		return false
	}
	if isNotKafka(err) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, sarama.ErrOutOfBrokers) ||
		errors.Is(err, sarama.ErrNotConnected) || errors.Is(err, sarama.ErrIncompleteResponse) ||
		errors.Is(err, sarama.ErrBrokerNotFound) || errors.Is(err, sarama.ErrControllerNotAvailable)
}

// notice tells what a person should know.
func (c *Cluster) notice(format string, args ...any) {
	if c.config.Notice != nil {
		c.config.Notice(fmt.Sprintf(format, args...))
	}
}

// orNil turns the protocol's code for success into no error.
func orNil(code sarama.KError) error {
	if code == sarama.ErrNoError {
		return nil
	}
	return code
}

// reason digs out of sarama's and net's wrapping the words that help a person.
func reason(err error) error {
	var (
		lookup  *net.DNSError
		address *net.AddrError
		op      *net.OpError
		code    sarama.KError

		stranger *notKafkaError
	)
	switch {
	case errors.As(err, &stranger):
		return stranger
	case errors.As(err, &lookup):
		return fmt.Errorf("host %q not found", lookup.Name)
	case errors.As(err, &address):
		return fmt.Errorf("address %q: %s", address.Addr, address.Err)
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) && op.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%s: %w", op.Addr, cause(op.Err))
	case errors.As(err, &op):
		return cause(op.Err)
	case errors.As(err, &code) && code == sarama.ErrProducerFenced:
		return errFenced
	case errors.As(err, &code) && code == sarama.ErrUnknownTopicOrPartition:
		return ErrNoTopic
	case errors.As(err, &code):
		return code
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closed the connection; does it want TLS or a password?")
	}
	return err
}

// cause takes the system call's name off an error: "connect: connection refused" says nothing more than its end.
func cause(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return err
}
