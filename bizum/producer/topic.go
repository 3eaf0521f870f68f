package producer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
)

// EnsureTopic creates a topic if it is missing, with so many partitions, and keeps its records for ever. It returns how
// many it has. The errors are those of kafka.Cluster.
func EnsureTopic(ctx context.Context, cluster *kafka.Cluster, topic string, partitions int) (has int, created bool,
	err error) {
	there, err := cluster.Partitions(ctx, topic)
	if !errors.Is(err, kafka.ErrNoTopic) {
		return len(there), false, err
	}
	created, err = cluster.CreateTopic(ctx, topic,
		kafka.TopicSpec{Partitions: int32(partitions), Settings: map[string]string{"retention.ms": "-1"}})
	if err == nil && !created { // another process was quicker
		there, err = cluster.Partitions(ctx, topic)
		return len(there), false, err
	}
	return partitions, created, err
}

// Recreate returns what creates a topic again that is gone, as EnsureTopic does, for kafka.WriterConfig.
func Recreate(cluster *kafka.Cluster, topic string, partitions int, report func(event.Event)) func(context.Context) {
	return func(ctx context.Context) {
		_, created, err := EnsureTopic(ctx, cluster, topic, partitions)
		if err == nil && created { // else the writer goes on waiting, and says so
			report(event.TopicRecreated{Topic: topic})
		}
	}
}

// topicSink puts messages into a topic.
type topicSink struct {
	writer *kafka.Writer
	names  *nameHeaders // nil: none
}

// ToTopic returns a sink that puts messages into a topic. What they were due, in nanoseconds, is the mark of the
// writer's acknowledgements, as Producer.Acked wants it.
func ToTopic(writer *kafka.Writer) Sink { return &topicSink{writer: writer} }

// UnacknowledgedError means that a run was interrupted before the broker had acknowledged all messages.
type UnacknowledgedError struct{ Pending int64 }

func (e *UnacknowledgedError) Error() string {
	if e.Pending == 1 {
		return "interrupted before 1 bizum was acknowledged"
	}
	return fmt.Sprintf("interrupted before %d bizums were acknowledged", e.Pending)
}

func (s *topicSink) Put(ctx context.Context, m *Message, due, now time.Time) error {
	if s.names != nil {
		return s.writer.AppendEncoded(ctx, m.Key, m.Value, now.UnixMilli(), due.UnixNano(), s.names.of(m.N))
	}
	return s.writer.Append(ctx, m.Key, m.Value, now.UnixMilli(), due.UnixNano())
}

func (s *topicSink) Push() { s.writer.Push() }

func (s *topicSink) Flush(ctx context.Context) error {
	err := s.writer.Flush(ctx)
	if err != nil && ctx.Err() != nil {
		return &UnacknowledgedError{Pending: s.writer.Pending()}
	}
	return err
}

func (s *topicSink) Failed() <-chan struct{} { return s.writer.Failed() }

// lineSink hands messages to functions.
type lineSink struct {
	line  func(line []byte) error
	flush func() error
	err   error
}

// ToLines returns a sink that hands the value of each message to line, and calls flush for what was handed over.
func ToLines(line func([]byte) error, flush func() error) Sink {
	return &lineSink{line: line, flush: flush}
}

func (s *lineSink) Put(_ context.Context, m *Message, _, _ time.Time) error { return s.line(m.Value) }
func (s *lineSink) Push()                                                   { s.err = s.flush() }
func (s *lineSink) Failed() <-chan struct{}                                 { return nil }

func (s *lineSink) Flush(context.Context) error {
	flushed := s.flush()
	return cmp.Or(s.err, flushed)
}
