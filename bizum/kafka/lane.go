package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// lane is the way of one partition's batches to its leader. Its goroutine runs run; what Append touches, open, is
// Append's alone until it is sealed.
//
// It relies on what Kafka says of an idempotent producer: a broker takes a batch only if its sequence number follows
// the one before, and knows again the last five that it has taken. So up to five may be under way; after a failure
// everything not acknowledged may be sent once more; and the first batch has to arrive alone (see window).
type lane struct {
	writer      *Writer
	partition   int32
	open        *producerBatch      // being filled by Append
	queue       chan *producerBatch // full, to be sent
	inFlight    []*producerBatch    // sent, not acknowledged, in order
	sequence    int32
	broker      *sarama.Broker
	answers     chan answer
	outstanding int  // requests without an answer
	heard       bool // an acknowledgement, since the last look
	known       bool // to the broker: it has taken a batch
	wait        wait
	refused     time.Time // since when the broker refuses, zero if it does not
}

// produceVersion is the last one that a broker of Kafka 2.5 answers in full; Kafka 4 takes versions from 3 on.
const produceVersion = 7

type answer struct {
	batch  *producerBatch
	offset int64 // of its first record
	err    error
}

func (l *lane) seal() {
	l.queue <- l.open // has room for all batches there are
	l.open = nil
}

// run sends the lane's batches until the Writer is closed or fails.
func (l *lane) run() {
	w := l.writer
	silence := time.NewTicker(patience)
	defer silence.Stop()
	for {
		queue := l.queue
		if len(l.inFlight) >= l.window() {
			queue = nil
		}
		var err error
		select {
		case b := <-queue:
			l.number(b)
			err = l.send(b)
		case a := <-l.answers:
			err = l.settle(a)
		case <-silence.C:
			if l.outstanding > 0 && !l.heard {
				l.wait.tell(nil)
			}
			l.heard = false
		case <-w.ctx.Done():
			return
		}
		if err != nil {
			err = l.recover(err)
		}
		if err != nil && w.ctx.Err() != nil {
			return // what recover left behind may still be at work on the lane
		}
		if err != nil {
			w.fail(fmt.Errorf("writing to %s/%d: %w", w.topic, l.partition, reason(err)))
			return
		}
	}
}

// window is how many batches may be under way. Only one, until the broker knows the producer: a broker that does not
// takes any sequence number for the first one, and so would take the second batch when it has refused the first.
func (l *lane) window() int {
	if l.known {
		return inFlightMax
	}
	return 1
}

// number gives a batch its place in the order. Sequence numbers count records and begin again at 0 after 2^31-1.
func (l *lane) number(b *producerBatch) {
	b.sequence = l.sequence
	l.sequence = after(b.sequence, len(b.records))
	l.inFlight = append(l.inFlight, b)
}

func after(sequence int32, records int) int32 {
	return int32((int64(sequence) + int64(records)) & 0x7fffffff)
}

// send writes a batch to the leader's connection. Its answer comes to answers.
func (l *lane) send(b *producerBatch) error {
	if l.broker == nil {
		broker, err := l.writer.connection(l.partition)
		if err != nil {
			return err
		}
		l.broker = broker
	}
	w := l.writer
	request := &sarama.ProduceRequest{
		Version: produceVersion, RequiredAcks: sarama.WaitForAll, Timeout: int32(produceTimeout.Milliseconds()),
	}
	transactional := w.producer.TransactionalID != ""
	if transactional {
		request.TransactionalID = &w.producer.TransactionalID
	}
	request.AddBatch(w.topic, l.partition, &sarama.RecordBatch{
		Version: 2, Codec: w.codec, CompressionLevel: sarama.CompressionLevelDefault,
		ProducerID: w.producer.ID, ProducerEpoch: w.producer.Epoch, FirstSequence: b.sequence,
		FirstTimestamp: time.UnixMilli(b.first), MaxTimestamp: time.UnixMilli(b.last),
		LastOffsetDelta: int32(len(b.records) - 1), Records: b.pointed(), PartitionLeaderEpoch: -1,
		IsTransactional: transactional,
	})
	err := l.broker.AsyncProduce(request, func(response *sarama.ProduceResponse, err error) {
		a := answer{batch: b, offset: -1, err: err}
		if err == nil {
			if block := response.GetBlock(w.topic, l.partition); block == nil {
				a.err = sarama.ErrIncompleteResponse
			} else {
				a.offset, a.err = block.Offset, orNil(block.Err)
			}
		}
		l.answers <- a // has room for all that are outstanding
	})
	if err == nil {
		l.outstanding++
		l.heard = l.heard || l.outstanding == 1 // before it, there was nothing to hear
	}
	return err
}

// settle takes an answer. Batches are let go in order, so that acknowledgements come in order too.
func (l *lane) settle(a answer) error {
	l.outstanding--
	if a.err != nil && !errors.Is(a.err, sarama.ErrDuplicateSequenceNumber) {
		return a.err
	}
	l.heard, l.known, l.refused = true, true, time.Time{}
	a.batch.acked, a.batch.offset = true, a.offset
	w := l.writer
	l.wait.over(true)
	for len(l.inFlight) > 0 && l.inFlight[0].acked {
		b := l.inFlight[0]
		l.inFlight = slices.Delete(l.inFlight, 0, 1)
		if w.acked != nil {
			w.acked(Ack{Partition: l.partition, Offset: b.offset, Bytes: len(b.arena), Marks: b.marks})
		}
		w.pending.Add(-int64(len(b.records)))
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

// recover waits for every outstanding answer and then sends what is not acknowledged again, one batch at a time, until
// the broker has taken all of it. What a batch was told after another had failed says nothing about itself.
func (l *lane) recover(cause error) error {
	if err := l.quiet(cause); err != nil {
		return err
	}
	if !passing(cause) && !errors.Is(cause, sarama.ErrMessageSizeTooLarge) {
		return cause
	}
	_, err := persist(l.writer.ctx, l.writer.cluster, func() (struct{}, error) { return struct{}{}, l.resend() })
	return err
}

func (l *lane) quiet(cause error) error {
	for l.outstanding > 0 {
		select {
		case a := <-l.answers:
			_ = l.settle(a)
		case <-l.writer.ctx.Done():
			return l.writer.ctx.Err()
		}
	}
	var code sarama.KError
	if !errors.As(cause, &code) { // not the broker's word: the connection itself is broken
		l.writer.drop(l.broker)
	}
	l.broker = nil
	return nil
}

func (l *lane) resend() error {
	for len(l.inFlight) > 0 {
		b := l.inFlight[0]
		err := l.send(b)
		if err == nil {
			err = l.settle(<-l.answers)
		}
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) && len(b.records) > 1 {
			l.split()
			continue
		}
		if err != nil {
			return cmp.Or(l.quiet(err), l.refuse(err))
		}
	}
	return nil
}

// refusedError is a passing error that did not pass. It is none that passing knows, but one that hints know.
type refusedError struct{ cause error }

func (e refusedError) Error() string        { return e.cause.Error() }
func (e refusedError) Is(target error) bool { return target == ErrNoTopic && e.cause == ErrNoTopic }

// refuse makes an error that has lasted too long one that is not waited for. Only the broker's own word counts: as long
// as it is away, it may come back.
func (l *lane) refuse(err error) error {
	var code sarama.KError
	if !errors.As(err, &code) {
		l.refused = time.Time{}
		return err
	}
	if l.refused.IsZero() {
		l.refused = time.Now()
	}
	if time.Since(l.refused) > l.writer.giveUp {
		return fmt.Errorf("refused for %v: %w", l.writer.giveUp, refusedError{reason(code)})
	}
	return err
}

// split makes two of a batch that is larger than the topic takes, and has Append fill smaller ones from now on.
func (l *lane) split() {
	b := l.inFlight[0]
	half := len(b.records) / 2
	rest := &producerBatch{arena: []byte{}, extra: true, sequence: after(b.sequence, half)}
	for i, r := range b.records[half:] {
		rest.add(r.Key, r.Value, b.first+r.TimestampDelta.Milliseconds(), b.marks[half+i])
		rest.records[i].Headers = r.Headers
	}
	b.records, b.marks = b.records[:half], b.marks[:half]
	b.arena = b.arena[:len(b.arena)-len(rest.arena)]
	l.inFlight = slices.Insert(l.inFlight, 1, rest)
	smaller := int64(max(len(b.arena), len(rest.arena)) + recordOverhead*(half+1))
	l.writer.bytes.Store(min(smaller, l.writer.bytes.Load())) // another lane may have made less do
}
