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

// lane is the way of one partition's batches to its leader. Its goroutine runs run, and changes all there is of it but
// open, which is Append's until it is queued. What run leaves behind when the Writer is closed, a connection that is
// being opened (see connect), touches nothing of the lane.
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
	conn        *produceConn
	answers     chan answer
	outstanding int  // requests without an answer
	known       bool // to the broker: it has taken a batch
	wait        wait
	refused     time.Time               // since when the broker refuses, zero if it does not
	awaited     atomic.Pointer[silence] // of whom resend waits for; nil: nobody. Whoever tells of it asks, too
}

type answer struct {
	batch  *producerBatch
	offset int64 // of its first record
	err    error
}

func (l *lane) queueUp() {
	l.queue <- l.open // has room for all batches there are
	l.open = nil
}

// run sends the lane's batches until the Writer is closed or fails.
func (l *lane) run() {
	w := l.writer
	look := time.NewTicker(w.cluster.limits.patience)
	defer look.Stop()
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
		case <-look.C:
			if l.outstanding > 0 && l.conn.silence.lasts() >= w.cluster.limits.patience {
				l.wait.tell(nil)
			}
		case <-w.ctx.Done():
			return
		}
		if err != nil {
			err = l.recover(err)
		}
		if err != nil && w.ctx.Err() != nil {
			return
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
	l.sequence = after(b.sequence, b.records.Len())
	l.inFlight = append(l.inFlight, b)
}

func after(sequence int32, records int) int32 {
	return int32((int64(sequence) + int64(records)) & 0x7fffffff)
}

// send sends a batch on the leader's connection. Its answer comes to answers.
func (l *lane) send(b *producerBatch) error {
	if err := l.seal(b); err != nil {
		return err
	}
	if err := l.connect(); err != nil {
		return err
	}
	w := l.writer
	err := l.conn.produce(w.producer.TransactionalID, w.topic, l.partition, b.sealed, func(offset int64, err error) {
		l.answers <- answer{b, offset, err} // has room for all that are outstanding
	})
	if err == nil {
		l.outstanding++
	}
	return err
}

// connect finds the connection to the leader. One that is still being opened when the Writer is closed is left behind:
// it is the cluster's, for whoever writes next.
func (l *lane) connect() error {
	if l.conn != nil {
		return nil
	}
	var connecting silence
	connecting.begin()
	l.awaited.Store(&connecting)
	defer l.awaited.Store(nil)
	w, partition := l.writer, l.partition
	conn, err := await(w.ctx, func() (*produceConn, error) { return w.cluster.produceConn(w.topic, partition) })
	if err == nil {
		l.conn = conn
	}
	return err
}

// seal makes of a batch what is sent, once: the same bytes are sent again.
func (l *lane) seal(b *producerBatch) (err error) {
	if b.sealed != nil {
		return nil
	}
	p := l.writer.producer
	compressor := l.writer.compressor()
	defer l.writer.giveBack(compressor)
	b.sealed, err = b.records.Seal(batch.Producer{ID: p.ID, Epoch: p.Epoch, Sequence: b.sequence,
		Transactional: p.TransactionalID != ""}, compressor, b.packed)
	if err == nil && compressor.Codec != batch.None {
		b.packed = b.sealed
	}
	return err
}

// settle takes an answer. Batches are let go in order, so that acknowledgements come in order too.
func (l *lane) settle(a answer) error {
	l.outstanding--
	if a.err != nil && !errors.Is(a.err, sarama.ErrDuplicateSequenceNumber) {
		return a.err
	}
	if l.writer.ctx.Err() != nil { // closed: select may take an answer all the same
		return l.writer.ctx.Err()
	}
	l.known, l.refused = true, time.Time{}
	a.batch.acked, a.batch.offset = true, a.offset
	w := l.writer
	l.wait.over(true)
	for len(l.inFlight) > 0 && l.inFlight[0].acked {
		b := l.inFlight[0]
		l.inFlight = slices.Delete(l.inFlight, 0, 1)
		if w.acked != nil {
			w.acked(Ack{Partition: l.partition, Offset: b.offset, Bytes: b.bytes, Marks: b.marks})
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

// recover waits for every outstanding answer and then sends what is not acknowledged again, one batch at a time, until
// the broker has taken all of it. What a batch was told after another had failed says nothing about itself.
func (l *lane) recover(cause error) error {
	if err := l.quiet(cause); err != nil {
		return err
	}
	if !passing(cause) && !errors.Is(cause, sarama.ErrMessageSizeTooLarge) {
		return cause
	}
	_, err := retry(l.writer.ctx, l.writer.cluster, retryPause, l.silent,
		func() (struct{}, error) { return struct{}{}, l.resend() })
	return err
}

// silent returns for how long whom resend waits for has been silent. Unlike the rest, it is asked by any goroutine.
func (l *lane) silent() time.Duration {
	if s := l.awaited.Load(); s != nil {
		return s.lasts()
	}
	return 0
}

// quiet waits for every outstanding answer.
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
	if l.conn != nil && !errors.As(cause, &code) { // not the broker's word: the connection itself is broken
		l.conn.fail(cause)
	}
	l.conn = nil
	return nil
}

func (l *lane) resend() error {
	for len(l.inFlight) > 0 {
		b := l.inFlight[0]
		err := l.send(b)
		if err == nil {
			err = l.settleNext()
		}
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) && b.records.Len() > 1 {
			l.split()
			continue
		}
		if err != nil {
			return cmp.Or(l.quiet(err), l.refuse(err))
		}
	}
	return nil
}

// settleNext waits for the next answer, and takes it.
func (l *lane) settleNext() error {
	l.awaited.Store(l.conn.silence)
	defer l.awaited.Store(nil)
	select {
	case a := <-l.answers:
		return l.settle(a)
	case <-l.writer.ctx.Done():
		return l.writer.ctx.Err()
	}
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
	l.inFlight = slices.Replace(l.inFlight, 0, 1, first, rest)
	smaller := int64(max(first.records.Bytes(), rest.records.Bytes()))
	l.writer.bytes.Store(min(smaller, l.writer.bytes.Load())) // another lane may have made less do
	if !b.extra {
		l.writer.free <- b
	}
}
