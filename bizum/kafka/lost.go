package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// LostError means that a topic no longer has records that it acknowledged to a Writer.
type LostError struct {
	Topic   string
	Records int64 // acknowledged until it was noticed: what went is no more than that
	Cause   error // ErrNewTopic, ErrNoTopic, or errShorter
}

// errShorter is of a log that ends before records it had acknowledged: a leader was elected that did not have them
// (unclean.leader.election.enable), or its disk was lost.
var errShorter = errors.New("its log has become shorter")

func (e *LostError) Error() string {
	reason := e.Cause.Error()
	switch {
	case errors.Is(e.Cause, ErrNewTopic):
		reason = "it was deleted and recreated"
	case errors.Is(e.Cause, ErrNoTopic):
		reason = "it was deleted"
	}
	records := "1 record"
	if e.Records != 1 {
		records = fmt.Sprintf("up to %d records", e.Records)
	}
	return fmt.Sprintf("topic %q has lost what it had acknowledged, %s: %s", e.Topic, records, reason)
}

func (e *LostError) Unwrap() error { return e.Cause }

// lost returns a LostError of what was acknowledged so far, nil if that is nothing.
func (w *Writer) lost(cause error) error {
	if acknowledged := w.acks.Load(); acknowledged > 0 {
		return &LostError{w.topic, acknowledged, cause}
	}
	return nil
}

// checkTopic returns a LostError if the topic is not the one that has acknowledged records. It asks the leader of a
// partition, which is sure to know the topic that it writes. Other errors are those of asking.
func (w *Writer) checkTopic(partition int32) error {
	id, err := w.cluster.idAtLeader(w.topic, partition)
	if err != nil {
		return err
	}
	if w.id.CompareAndSwap(nil, id) || w.id.Load() == id {
		return nil
	}
	if err := w.lost(ErrNewTopic); err != nil {
		return err
	}
	w.id.Store(id)
	return nil
}

// idAtLeader returns the id of a topic, as the leader of a partition knows it.
func (c *Cluster) idAtLeader(topic string, partition int32) (string, error) {
	leader, err := c.client.Leader(topic, partition)
	if err != nil {
		return "", err
	}
	id, err := topicID(leader, c.conf, topic)
	var code sarama.KError
	if err != nil && !errors.As(err, &code) {
		_ = leader.Close() // the connection has failed; its own error adds nothing
	}
	return id, err
}

// verifyTimeout is how long Verify may take.
const verifyTimeout = time.Second / 2

// Verify returns a LostError if the topic that acknowledged the Writer's records was deleted, or recreated. It is for
// the end of a run, also of one whose ctx has ended; a broker that does not respond in time is no error.
func (w *Writer) Verify(ctx context.Context) error {
	if gone := w.gone.Load(); gone > 0 {
		return &LostError{w.topic, gone, ErrNewTopic}
	}
	return w.verify(context.WithoutCancel(ctx), w.senders[0].partition)
}

func (w *Writer) verify(ctx context.Context, partition int32) error {
	if w.acks.Load() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, w.checkTopic(partition) })
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return w.lost(ErrNoTopic)
	}
	if lost := (*LostError)(nil); errors.As(err, &lost) {
		return lost
	}
	return nil
}

// failure returns the error that ends the Writer. That a topic is not the one that it was explains others.
func (s *partitionSender) failure(err error) error {
	w := s.writer
	if lost := (*LostError)(nil); errors.As(err, &lost) {
		return lost
	}
	if lost := w.verify(w.ctx, s.partition); lost != nil {
		return lost
	}
	err = w.cluster.needs(err, writes(w.topic), idempotent, transacts(s.producer.TransactionalID))
	return fmt.Errorf("writing to %s/%d: %w", w.topic, s.partition, reason(err))
}

// restarted returns the error of a log that acknowledges records at offsets where it had acknowledged others. It is
// none if the topic was made again, and the Writer may go on with it: a log that knows no producer takes any sequence
// number.
func (s *partitionSender) restarted() error {
	w := s.writer
	if w.missing != nil {
		if _, id, err := w.cluster.Identity(w.ctx, w.topic); err != nil {
			return err
		} else if id != s.topicID {
			s.moveTo(id)
			return nil
		}
	}
	if lost := w.verify(w.ctx, s.partition); lost != nil {
		return lost
	}
	return w.lost(errShorter)
}
