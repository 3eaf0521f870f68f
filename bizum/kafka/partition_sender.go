package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"bizumctl/bizum/kafka/batch"
)

// partitionSender sends the batches of one partition to its leader. Only the goroutine of run changes its fields,
// except open and first, which belong to Append. A connection that is still being opened when the
// Writer is closed (see connect) changes none of them.
//
// It relies on what Kafka guarantees an idempotent producer (KIP-98): a broker takes a batch only if its sequence
// number follows the one before, and recognizes the last five batches it has taken (ProducerStateEntry). So up to five
// may be in flight; after a failure everything unacknowledged can be sent again; and the first batch has to be sent
// alone (see window).
type partitionSender struct {
	writer      *Writer
	partition   int32
	producer    Producer
	topicID     string              // of the topic that it writes to, if it may begin again with another
	open        *producerBatch      // being filled by Append
	first       float64             // share of the limits at which the first batch is full; then 0
	queue       chan *producerBatch // full, to be sent
	inFlight    []*producerBatch    // sent, not acknowledged, in order
	sequence    int32
	next        int64 // offset after the last record acknowledged
	conn        *produceConn
	responses   chan response
	outstanding int  // requests without a response
	known       bool // the broker knows the producer: it has taken a batch
	wait        wait
	refused     time.Time               // since when the broker refuses, zero if it does not
	awaited     atomic.Pointer[silence] // of the broker that resend waits for, nil if none; read by any goroutine
}

type response struct {
	batch  *producerBatch
	offset int64 // of its first record
	err    error
}

func (s *partitionSender) queueUp() {
	// Counted here and not by the record: that would wait each time for the record to be in memory.
	s.writer.pending.Add(int64(s.open.records.Len()))
	s.queue <- s.open // has room for all batches there are
	s.open, s.first = nil, 0
}

// takes reports whether the open batch has room for a record of a size. The first batches are limited to a share each,
// or those of all partitions would become full at the same time, and Append would wait while they are compressed.
func (s *partitionSender) takes(size int) bool {
	records, bytes := s.writer.records, int(s.writer.bytes.Load())
	if s.first > 0 {
		records, bytes = int(float64(records)*s.first), int(float64(bytes)*s.first)
	}
	return s.open.records.Len() < records && s.open.records.Bytes()+size <= bytes
}

// run sends the batches until the Writer is closed or fails.
func (s *partitionSender) run() {
	w := s.writer
	look := time.NewTicker(w.cluster.limits.patience)
	defer look.Stop()
	for {
		queue := s.queue
		if len(s.inFlight) >= s.window() {
			queue = nil
		}
		var err error
		select {
		case b := <-queue:
			s.number(b)
			err = s.send(b)
		case r := <-s.responses:
			err = s.acknowledge(r)
		case <-look.C:
			if s.outstanding > 0 && s.conn.silence.lasts() >= w.cluster.limits.patience {
				s.wait.report(nil)
			}
		case <-w.ctx.Done():
			return
		}
		if err != nil {
			err = s.recover(err)
		}
		if err != nil && w.ctx.Err() != nil {
			return
		}
		if err != nil {
			w.fail(s.failure(err))
			return
		}
	}
}

// window returns how many batches may be in flight: only one until the broker knows the producer. A broker that does
// not accepts any sequence number first, so it would take the second batch after it had refused the first.
func (s *partitionSender) window() int {
	if s.known {
		return inFlightMax
	}
	return 1
}

// number assigns a batch its sequence number. Sequence numbers count records and wrap around to 0 after 2^31-1.
func (s *partitionSender) number(b *producerBatch) {
	b.sequence = s.sequence
	s.sequence = after(b.sequence, b.records.Len())
	s.inFlight = append(s.inFlight, b)
}

func after(sequence int32, records int) int32 {
	return int32((int64(sequence) + int64(records)) & 0x7fffffff)
}

// send sends a batch on the leader's connection. The response arrives in responses.
func (s *partitionSender) send(b *producerBatch) error {
	if err := s.seal(b); err != nil {
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	w := s.writer
	blocked := time.AfterFunc(w.cluster.limits.patience, func() { s.wait.report(nil) })
	defer blocked.Stop()
	err := s.conn.produce(s.producer.TransactionalID, w.topic, s.partition, b.sealed, func(offset int64, err error) {
		s.responses <- response{b, offset, err} // has room for all that are outstanding
	})
	if err == nil {
		s.outstanding++
	}
	return err
}

// connect sets conn to the connection to the leader. If the Writer is closed meanwhile, the connection that is being
// opened stays with the cluster, for other writers.
func (s *partitionSender) connect() error {
	if s.conn != nil {
		return nil
	}
	var connecting silence
	connecting.begin()
	s.awaited.Store(&connecting)
	defer s.awaited.Store(nil)
	w, partition := s.writer, s.partition
	conn, err := await(w.ctx, func() (*produceConn, error) {
		conn, err := w.cluster.produceConn(w.topic, partition)
		if err == nil && w.missing == nil { // else beginAgain compares
			err = w.checkTopic(partition)
		}
		return conn, err
	})
	if err == nil {
		s.conn = conn
	}
	return err
}

// seal encodes a batch when it is first sent; a retry sends the same bytes.
func (s *partitionSender) seal(b *producerBatch) (err error) {
	if b.sealed != nil {
		return nil
	}
	p := s.producer
	compressor := s.writer.compressor()
	defer s.writer.giveBack(compressor)
	b.sealed, err = b.records.Seal(batch.Producer{ID: p.ID, Epoch: p.Epoch, Sequence: b.sequence,
		Transactional: p.TransactionalID != ""}, compressor, b.packed)
	if err == nil && compressor.Codec != batch.None {
		b.packed = b.sealed
	}
	return err
}

// acknowledge processes a response. Acked is called in the order of the batches, so a batch that is acknowledged before
// an earlier one waits for it.
func (s *partitionSender) acknowledge(r response) error {
	s.outstanding--
	if r.err != nil && !errors.Is(r.err, sarama.ErrDuplicateSequenceNumber) {
		return r.err
	}
	if s.writer.ctx.Err() != nil { // closed: select may take a response all the same
		return s.writer.ctx.Err()
	}
	s.known, s.refused = true, time.Time{}
	r.batch.acked, r.batch.offset = true, r.offset
	w := s.writer
	s.wait.over(true)
	for len(s.inFlight) > 0 && s.inFlight[0].acked {
		b := s.inFlight[0]
		if b.offset >= 0 && b.offset < s.next {
			if err := s.restarted(); err != nil {
				return err
			}
		}
		s.next = max(s.next, b.offset+int64(b.records.Len()))
		s.inFlight = slices.Delete(s.inFlight, 0, 1)
		w.acks.Add(int64(b.records.Len()))
		if w.acked != nil {
			w.acked(Ack{Partition: s.partition, Offset: b.offset, Bytes: b.bytes, Marks: b.marks})
		}
		w.pending.Add(-int64(b.records.Len()))
		if !b.extra {
			w.free <- b
		}
	}
	select {
	case w.progress <- struct{}{}:
	default:
	}
	return nil
}

// recover waits for every outstanding response, then resends what is not acknowledged, one batch at a time, until the
// broker has taken all of it. Errors of batches that followed a failed one are ignored: they say nothing about the
// batch.
func (s *partitionSender) recover(cause error) error {
	if err := s.drain(cause); err != nil {
		return err
	}
	outOfOrder := errors.Is(cause, sarama.ErrOutOfOrderSequenceNumber) && s.writer.missing != nil // of a topic made again
	if !retriable(cause) && !errors.Is(cause, sarama.ErrMessageSizeTooLarge) && !outOfOrder {
		return cause
	}
	_, err := retry(s.writer.ctx, s.writer.cluster, retryPause, s.silent,
		func() (struct{}, error) {
			err := s.resend()
			missing := errors.Is(err, sarama.ErrUnknownTopicOrPartition)
			if s.writer.missing == nil || !missing && !errors.Is(err, sarama.ErrOutOfOrderSequenceNumber) {
				return struct{}{}, err
			}
			if missing {
				s.writer.missing(s.writer.ctx)
			}
			again, failed := s.beginAgain()
			if failed == nil && again {
				err = s.resend()
			}
			return struct{}{}, cmp.Or(failed, err)
		})
	return err
}

// beginAgain waits for the topic, and reports whether it is a new one, which has nothing of what was sent. Then what
// is not acknowledged is numbered from 0 on, by a new producer: a broker that has forgotten the topic may have given
// our id to another one, and an empty log takes no other first number (KAFKA-15591).
func (s *partitionSender) beginAgain() (again bool, err error) {
	w := s.writer
	_, id, err := w.cluster.Identity(w.ctx, w.topic)
	if err != nil || id == s.topicID {
		return false, err
	}
	producer, err := persist(w.ctx, w.cluster, func() (Producer, error) { return w.cluster.newProducer(w.topic) })
	if err != nil {
		return false, err
	}
	s.moveTo(id)
	s.producer, s.sequence, s.known = producer, 0, false
	for _, b := range s.inFlight {
		b.acked, b.sealed, b.sequence = false, nil, s.sequence
		s.sequence = after(s.sequence, b.records.Len())
	}
	return true, nil
}

// moveTo makes a topic with this id the one that is written to. What the one before had acknowledged is gone.
func (s *partitionSender) moveTo(id string) {
	if w := s.writer; w.id.CompareAndSwap(s.topicID, id) {
		w.gone.Store(w.acks.Load())
	}
	s.topicID, s.next = id, 0
}

// silent returns how long the broker that resend waits for has been silent. Any goroutine may call it.
func (s *partitionSender) silent() time.Duration {
	if waiting := s.awaited.Load(); waiting != nil {
		return waiting.lasts()
	}
	return 0
}

// drain waits for every outstanding response. It gives the connection up, and closes it unless cause is an error code
// of the broker.
func (s *partitionSender) drain(cause error) error {
	for s.outstanding > 0 {
		select {
		case r := <-s.responses:
			_ = s.acknowledge(r)
		case <-s.writer.ctx.Done():
			return s.writer.ctx.Err()
		}
	}
	var code sarama.KError
	if s.conn != nil && !errors.As(cause, &code) { // not an error code: the connection itself is broken
		s.conn.fail(cause)
	}
	s.conn = nil
	return nil
}

// resend sends the unacknowledged batches in order, each after the one before is acknowledged.
func (s *partitionSender) resend() error {
	for len(s.inFlight) > 0 {
		b := s.inFlight[0]
		err := s.send(b)
		if err == nil {
			err = s.receiveResponse()
		}
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) && b.records.Len() > 1 {
			s.split()
			continue
		}
		if err != nil {
			return cmp.Or(s.drain(err), s.refuse(err))
		}
	}
	return nil
}

// receiveResponse waits for the next response and processes it.
func (s *partitionSender) receiveResponse() error {
	s.awaited.Store(s.conn.silence)
	defer s.awaited.Store(nil)
	select {
	case r := <-s.responses:
		return s.acknowledge(r)
	case <-s.writer.ctx.Done():
		return s.writer.ctx.Err()
	}
}

// refusedError is a retriable error that has lasted too long. It does not unwrap to its cause, so it is not retried; it
// matches ErrNoTopic.
type refusedError struct{ cause error }

func (e refusedError) Error() string        { return e.cause.Error() }
func (e refusedError) Is(target error) bool { return target == ErrNoTopic && e.cause == ErrNoTopic }

// refuse returns a refusedError once the broker has returned error codes for longer than giveUp. Errors of the
// connection do not count: a broker that is down may come back.
func (s *partitionSender) refuse(err error) error {
	var code sarama.KError
	if !errors.As(err, &code) {
		s.refused = time.Time{}
		return err
	}
	if s.refused.IsZero() {
		s.refused = time.Now()
	}
	if time.Since(s.refused) > s.writer.giveUp {
		return fmt.Errorf("refused for %v: %w", s.writer.giveUp, refusedError{reason(code)})
	}
	return err
}

// split divides a batch that is larger than the topic accepts into two, and makes Append fill smaller ones.
func (s *partitionSender) split() {
	b := s.inFlight[0]
	half := b.records.Len() / 2
	first := &producerBatch{extra: true, sequence: b.sequence}
	rest := &producerBatch{extra: true, sequence: after(b.sequence, half)}
	for r := range b.records.Records {
		to := first
		if r.Offset >= int64(half) {
			to = rest
		}
		to.records.AppendRecord(r)
		to.bytes += len(r.Key) + len(r.Value)
		to.marks = append(to.marks, b.marks[r.Offset])
	}
	s.inFlight = slices.Replace(s.inFlight, 0, 1, first, rest)
	smaller := int64(max(first.records.Bytes(), rest.records.Bytes()))
	s.writer.bytes.Store(min(smaller, s.writer.bytes.Load())) // another partition may have needed smaller ones
	if !b.extra {
		s.writer.free <- b
	}
}
