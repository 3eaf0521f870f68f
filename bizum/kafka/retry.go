package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/cenkalti/backoff/v5"
)

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
