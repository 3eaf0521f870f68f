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
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/cenkalti/backoff/v5"

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
	offset, err := persist(ctx, c, func() (int64, error) {
		offset, err := c.offset(topic, partition, at, isolation)
		if err != nil {
			_ = c.client.RefreshMetadata(topic) // the leader may have moved; if this fails, so does the next try
		}
		return offset, err
	})
	if err != nil {
		return 0, fmt.Errorf("offset of %s/%d: %w", topic, partition, reason(c.needs(err, describes(topic))))
	}
	return offset, nil
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
	request := sarama.NewOffsetRequest(c.conf.Version)
	request.IsolationLevel = isolation
	request.AddBlock(topic, partition, at, 1)
	response, err := leader.GetAvailableOffsets(request)
	if err != nil {
		_ = leader.Close() // the connection has failed; its own error adds nothing
		return 0, err
	}
	block := response.GetBlock(topic, partition)
	if block == nil {
		return 0, sarama.ErrIncompleteResponse
	}
	return block.Offset, orNil(block.Err)
}

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

// persist calls try until it succeeds, returns an error that is not retriable, or ctx ends. A wait longer than
// patience, for many tries or for one, is reported. When ctx ends, a try that still runs is abandoned (see await).
func persist[T any](ctx context.Context, c *Cluster, try func() (T, error)) (T, error) {
	return persistEvery(ctx, c, retryPause, try)
}

// persistEvery is persist with another first pause; the pauses grow.
func persistEvery[T any](ctx context.Context, c *Cluster, first time.Duration, try func() (T, error)) (T, error) {
	var silence silence
	silence.begin()
	return retry(ctx, c, first, silence.lasts, func() (T, error) { return await(ctx, try) })
}

// retry is persistEvery for a try that heeds ctx itself, and that reports how long the broker has been silent: one that
// sends much for long is not waited for. It abandons no goroutine. Silent is called by another goroutine.
func retry[T any](ctx context.Context, c *Cluster, first time.Duration, silent func() time.Duration,
	try func() (T, error)) (T, error) {
	var mu sync.Mutex
	var last error
	var failing time.Time // since when
	var trying, over bool
	wait := wait{cluster: c}
	var report *time.Timer
	mu.Lock() // until report is set
	report = time.AfterFunc(c.limits.patience, func() {
		mu.Lock()
		defer mu.Unlock()
		waited := silent()
		if !failing.IsZero() && !trying {
			waited = max(waited, time.Since(failing))
		}
		switch {
		case ctx.Err() != nil || over:
		case waited >= c.limits.patience:
			wait.report(last)
		default:
			const soon = 20 * time.Millisecond // a try may be at work, and fail
			report.Reset(max(c.limits.patience-waited, soon))
		}
	})
	mu.Unlock()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = first, time.Second
	result, err := backoff.Retry(ctx, func() (T, error) {
		mu.Lock()
		trying = true
		mu.Unlock()
		result, err := try()
		if err != nil && !retriable(err) {
			err = backoff.Permanent(err)
		}
		return result, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		last, trying = err, false
		if failing.IsZero() {
			failing = time.Now()
			report.Reset(c.limits.patience)
		}
		if time.Since(failing) >= c.limits.patience {
			wait.report(err) // the reason may have changed
		}
	}))
	report.Stop()
	mu.Lock() // report may be running
	defer mu.Unlock()
	over = true
	wait.over(err == nil)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		err = ctx.Err() // backoff returns the cause, callers expect ctx.Err
	}
	return result, err
}

// wait is one thing that is waited for.
type wait struct {
	cluster  *Cluster
	reported bool
}

// report reports the wait. All waits of a cluster are reported as one, as they mostly have one cause.
func (w *wait) report(cause error) {
	c := w.cluster
	c.outage.Lock()
	defer c.outage.Unlock()
	if !w.reported {
		w.reported = true
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

// over ends the wait. If it was the last reported one and ended with a response, that is reported, too.
func (w *wait) over(responded bool) {
	c := w.cluster
	c.outage.Lock()
	defer c.outage.Unlock()
	if !w.reported {
		return
	}
	w.reported = false
	c.outage.waits--
	if c.outage.waits > 0 {
		return
	}
	c.outage.text = ""
	if responded {
		c.notice("%s answers again", c.Addresses())
	}
}

// retriable reports whether an error may go away by itself (Kafka's RetriableException): a broker is down or starting,
// or a leader is being elected.
func retriable(err error) bool {
	var code sarama.KError
	var refused *AccessError
	if errors.As(err, &refused) {
		return refused.passing
	}
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
	if isNotKafka(err) || isExhausted(err) {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, sarama.ErrOutOfBrokers) ||
		errors.Is(err, sarama.ErrNotConnected) || errors.Is(err, sarama.ErrIncompleteResponse) ||
		errors.Is(err, sarama.ErrBrokerNotFound) || errors.Is(err, sarama.ErrControllerNotAvailable)
}

// isExhausted reports whether this process, or this machine, has no descriptor left for another connection. No broker
// is to blame for that, and waiting does not help: what we have open, we keep.
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// notice reports something to the user.
func (c *Cluster) notice(format string, args ...any) {
	if c.config.Notice != nil {
		c.config.Notice(fmt.Sprintf(format, args...))
	}
}

// orNil returns nil for the code NONE, else the code.
func orNil(code sarama.KError) error {
	if code == sarama.ErrNoError {
		return nil
	}
	return code
}

// reason returns the part of an error of sarama or net that helps the user, without their wrapping.
func reason(err error) error {
	var (
		lookup  *net.DNSError
		address *net.AddrError
		op      *net.OpError
		code    sarama.KError
		peer    *notKafkaError
		refused *AccessError
		denied  *DeniedError
		told    *advertisedError
		missing missingTopicError
	)
	switch {
	case isExhausted(err):
		return errors.New("too many open files: every partition takes a connection; raise the limit (ulimit -n)")
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &denied):
		return denied
	case errors.As(err, &told):
		return told
	case errors.As(err, &missing):
		return missing
	case errors.As(err, &peer):
		return peer
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
		return errors.New("it closed the connection")
	}
	return err
}

// cause strips the name of the system call: "connect: connection refused" says no more than "connection refused".
func cause(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return err
}
