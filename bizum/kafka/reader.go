package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka/batch"
	"bizumctl/bizum/record"
)

// The reader guarantees
//
//   - every committed record from a position on, once and in order, and the position after what it has delivered,
//     which also advances over markers, aborted records and compacted ones;
//   - that a corrupt batch ends the read with an error that names topic/partition@offset, after all batches before it
//     were delivered and before anything of it is;
//   - retries: a broker that is down, a new leader, a lost connection, even in the middle of a response;
//   - bounded memory, however many partitions are read and whatever they hold (see memory).
//
// It relies on Kafka's fetch protocol as of KIP-98 (read_committed: nothing after the last stable offset is sent, and
// aborted transactions are listed) and KIP-74 (the first batch of a response is complete, however large). Sarama opens
// and authenticates its connections; the requests on them are in connection.go and fetch.go, the decoding of batches in
// package batch.

// fetchWait is how long a broker waits for a record before it returns an empty response.
const fetchWait = 500 * time.Millisecond

// deliverBytes is about how many bytes of records are delivered at once: few enough that they are in the processor's
// cache still from the check.
const deliverBytes = 512 << 10

// Batch holds committed records of a partition. Next is the position after them, which advances even where there are
// no records. The batch, and the keys and values of its records, are valid until the function it was passed to returns.
type Batch struct {
	Topic      string
	Partition  int32
	From, Next int64

	first, end             int64 // offsets to deliver, end excluded
	batches                []batch.Batch
	response, decompressed *buffer // hold the records
}

// Records yields the records of the batch in order. It reuses the Record.
func (b *Batch) Records(yield func(*record.Record) bool) {
	r := &record.Record{Position: record.Position{Topic: b.Topic, Partition: b.Partition}}
	within := func(r *record.Record) bool { return r.Offset < b.first || r.Offset < b.end && yield(r) }
	for i := range b.batches {
		each := yield
		if part := &b.batches[i]; part.First < b.first || part.Last >= b.end {
			each = within // a fetch returns complete batches, with records before the position
		}
		if !b.batches[i].Each(r, each) {
			return
		}
	}
}

// Limit restricts Records to the offsets from first to before end.
func (b *Batch) Limit(first, end int64) {
	b.first, b.end = max(b.first, first), min(b.end, end)
}

func (b *Batch) release() {
	// The batches are part of the response, which may be in use still, and would keep the decompressed records alive.
	clear(b.batches)
	for _, used := range []*buffer{b.response, b.decompressed} {
		if used != nil {
			used.release()
		}
	}
}

// OutOfRangeError means that the position is before the start of the log or after its end.
type OutOfRangeError struct {
	Topic      string
	Partition  int32
	Position   int64
	Start, End int64 // of the log
}

func (e *OutOfRangeError) Error() string {
	if e.Position > e.End {
		return fmt.Sprintf("%s/%d ends at offset %d, before position %d: was the topic recreated?",
			e.Topic, e.Partition, e.End, e.Position)
	}
	return fmt.Sprintf("%s/%d starts at offset %d: %d offsets from %d on are gone",
		e.Topic, e.Partition, e.Start, e.Start-e.Position, e.Position)
}

// corruptError means that a batch, or a response, cannot be decoded.
type corruptError struct {
	position string
	cause    error
}

func (e *corruptError) Error() string {
	return fmt.Sprintf("corrupt batch at %s: %v", e.position, e.cause)
}

// Read calls deliver with the committed records of a partition from position on, batch by batch. While deliver runs,
// the next batches are fetched and decompressed. A batch may be empty: at the end of the log one arrives every
// fetchWait.
//
// Read retries what is retriable, such as a broker that is down, without limit. It returns the error of deliver, the
// end of ctx, an OutOfRangeError if the log has no such position, ErrNewTopic if the topic was recreated, or an error
// that a retry does not help: of a corrupt batch, or of the cluster.
func (c *Cluster) Read(ctx context.Context, topic string, partition int32, position int64,
	deliver func(Batch) error) error {
	return c.reader(topic, "", partition, position).run(ctx, deliver)
}

func (c *Cluster) reader(topic, id string, partition int32, position int64) *reader {
	return &reader{cluster: c, topic: topic, id: id, partition: partition, position: position,
		memory: c.memory, isolation: sarama.ReadCommitted,
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(c.config.ClientID))}
}

// errAtEnd ends a read at its end offset.
var errAtEnd = errors.New("at the end")

// readToEnd calls each for the committed records of a partition from an offset, or from the start of the log if that is
// higher, to the last stable offset at the time of the call. It returns that start and that end. A record is valid
// until each returns. Its errors are those of Read. Reads that share a memory must not wait for each other.
func (c *Cluster) readToEnd(ctx context.Context, memory *memory, topic string, partition int32, from int64,
	each func(*record.Record) error) (start, end int64, err error) {
	start, end, err = c.bounds(ctx, topic, partition)
	if from = max(from, start); err != nil || from >= end {
		return start, end, err
	}
	r := c.reader(topic, "", partition, from)
	r.memory = memory
	err = r.run(ctx, func(b Batch) error {
		for r := range b.Records {
			if r.Offset >= end {
				break
			}
			if err := each(r); err != nil {
				return err
			}
		}
		if b.Next >= end {
			return errAtEnd
		}
		return nil
	})
	if errors.Is(err, errAtEnd) {
		err = nil
	}
	return start, end, err
}

// reader fetches one partition over a connection of its own.
type reader struct {
	cluster   *Cluster
	topic     string
	partition int32
	id        string // of the topic, once known
	position  int64  // of the next request
	bytes     int32  // to request for a large batch; 0: the usual
	memory    *memory
	isolation sarama.IsolationLevel
	formatter *kmsg.RequestFormatter

	conn      *fetchConn
	silence   silence   // of the broker
	asked     bool      // a request for position is in flight
	throttled time.Time // until when no request may be sent
}

// batchesReady is how many batches may wait to be delivered.
const batchesReady = 2

// run calls deliver, and fetches in another goroutine, which has ended when it returns.
func (r *reader) run(ctx context.Context, deliver func(Batch) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.memory.readers.Add(1)
	defer r.memory.readers.Add(-1)
	batches := make(chan Batch, batchesReady)
	var ended, refused error
	go func() {
		defer close(batches)
		defer r.disconnect()
		ended = r.readAll(ctx, batches)
	}()
	for b := range batches {
		if refused == nil && ctx.Err() == nil {
			if refused = deliver(b); refused != nil {
				stop()
			}
		}
		b.release()
	}
	return cmp.Or(refused, ended)
}

func (r *reader) readAll(ctx context.Context, batches chan<- Batch) error {
	for {
		response, f, err := r.fetch(ctx)
		switch {
		case errors.Is(err, sarama.ErrOffsetOutOfRange):
			if err := r.outOfRange(ctx); err != nil {
				return err
			}
			continue // a leader that was behind has caught up
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errFetchResponse):
			return r.corrupt(r.position, err)
		case err != nil:
			return fmt.Errorf("reading %s/%d@%d: %w", r.topic, r.partition, r.position,
				reason(r.cluster.needs(err, reads(r.topic))))
		}
		err = r.split(ctx, response, f, batches)
		response.release()
		if err != nil {
			return err
		}
	}
}

func (r *reader) corrupt(offset int64, cause error) error {
	return &corruptError{fmt.Sprintf("%s/%d@%d", r.topic, r.partition, offset), cause}
}

// fetch retries a fetch of the position until there is a response. After an error it connects again: the leader may
// have changed.
func (r *reader) fetch(ctx context.Context) (response *buffer, f fetched, err error) {
	response, err = retry(ctx, r.cluster, retryPause, r.silence.lasts, func() (*buffer, error) {
		if r.conn == nil {
			known := r.id
			r.silence.begin()
			conn, err := awaitOr(ctx, func() (connection, error) { return r.connect(known) }, connection.abandon)
			r.silence.end()
			if err != nil {
				return nil, err
			}
			r.conn, r.id, r.asked = conn.fetchConn, conn.topicID, false
		}
		response, err := r.exchange(ctx)
		if err == nil {
			f, err = parseFetched(response.bytes, r.topic, r.partition)
			if err != nil {
				response.release()
			}
		}
		if err != nil {
			r.disconnect()
		}
		return response, err
	})
	r.throttled = time.Now().Add(min(f.throttle, throttleMax))
	return response, f, err
}

// throttleMax bounds the throttle time that a broker imposes (KIP-219).
const throttleMax = time.Minute

// exchange sends the request, unless it is in flight already, and receives the response.
func (r *reader) exchange(ctx context.Context) (*buffer, error) {
	if !r.asked {
		if err := sleepUntil(ctx, r.throttled); err != nil {
			return nil, err
		}
		if err := r.ask(); err != nil {
			return nil, err
		}
	}
	r.asked = false
	size, err := r.conn.responseSize(ctx)
	if err != nil {
		return nil, err
	}
	const besides = 1 << 20 // what a response has besides batches: aborted transactions
	if size < 0 || size > batch.BytesMax+besides {
		return nil, &notKafkaError{fmt.Sprintf("the response of the broker at %s claims to have %d bytes",
			r.conn.RemoteAddr(), size)}
	}
	response, err := r.borrow(ctx, size)
	if err != nil {
		return nil, err
	}
	if response.bytes, err = r.conn.response(ctx, response.bytes, int(size)); err != nil {
		response.release()
		return nil, err
	}
	return response, nil
}

// borrow waits for memory for a response. A response of the requested size is allocated now, a larger one as it
// arrives; a small one does not wait.
func (r *reader) borrow(ctx context.Context, size int64) (*buffer, error) {
	const small = 1 << 10
	if size <= small {
		b := new(buffer)
		b.retain()
		return b, nil
	}
	b, err := r.memory.responses.borrow(ctx, size)
	if err == nil && b.bytes == nil && size <= int64(r.memory.fetchBytes())+1<<10 {
		b.bytes = make([]byte, 0, 1<<bits.Len64(uint64(size-1)))
	}
	return b, err
}

// ask sends the request for what is at the position.
func (r *reader) ask() error {
	r.asked = true
	bytes := max(r.bytes, r.memory.fetchBytes())
	return r.conn.send(r.formatter, fetchRequest(r.topic, r.partition, r.position, bytes, r.isolation))
}

func (r *reader) disconnect() {
	if r.conn != nil {
		_ = r.conn.Close() // its requests do not matter any more
		r.conn = nil
	}
}

// connection is the result of connect.
type connection struct {
	*fetchConn
	topicID string
}

func (c connection) abandon() {
	if c.fetchConn != nil {
		_ = c.Close()
	}
}

// connect opens a connection to the leader. It returns ErrNewTopic if the topic has another id than known, because a
// position means nothing in another topic. It may outlive fetch (see awaitOr), so it sets no field of the reader.
func (r *reader) connect(known string) (found connection, err error) {
	address, err := r.cluster.leader(r.topic, r.partition)
	if err != nil {
		return found, err
	}
	found.fetchConn, err = r.cluster.newFetchConn(address, &r.silence, func(broker *sarama.Broker) (err error) {
		found.topicID, err = topicID(broker, r.cluster.conf, r.topic)
		if err == nil && known != "" && found.topicID != known {
			err = ErrNewTopic
		}
		return err
	})
	return found, err
}

// split delivers the batches of a response. It sends the next request before it decompresses them.
func (r *reader) split(ctx context.Context, response *buffer, f fetched, batches chan<- Batch) error {
	from := r.position
	parsed, bad := r.parse(f.records, response.batches)
	response.batches = parsed
	if bad == nil {
		r.askAhead()
	}
	d := &delivery{reader: r, batches: batches, response: response, from: from, gathered: parsed[:0],
		aborted: abortedIn(f.aborted)}
	for i := range parsed {
		b := parsed[i]
		if err := d.add(ctx, &b); err != nil {
			return cmp.Or(d.flush(ctx, max(d.from, b.First)), err)
		}
	}
	return cmp.Or(d.flush(ctx, r.position), bad)
}

// askAhead sends the next request unless we are throttled. If that fails, fetch connects and sends it again.
func (r *reader) askAhead() {
	if r.conn != nil && !time.Now().Before(r.throttled) && r.ask() != nil {
		r.disconnect()
	}
}

// parse decodes the headers of the batches of a response, and moves the position after them. The error is that of the
// batch at the position. Checksums are left for later, so that the next request need not wait for them: should one be
// wrong, that request does no harm.
func (r *reader) parse(records []byte, parsed []batch.Batch) ([]batch.Batch, error) {
	position, bytes := r.position, int32(0)
	for len(records) > 0 {
		b, rest, err := batch.Parse(records)
		switch {
		case errors.Is(err, batch.ErrPartial):
			if r.position == position { // only a part of a batch larger than the request
				if r.bytes > 0 && batch.Size(records) <= int64(r.bytes) {
					return parsed, r.corrupt(position, errors.New("the broker sends only a part of it"))
				}
				bytes = int32(min(max(batch.Size(records), 2*int64(max(r.bytes, fetchBytesMax))), batch.BytesMax))
			}
			rest = nil
		case errors.Is(err, batch.ErrOldFormat):
			return parsed, fmt.Errorf("batch at %s/%d@%d: %w", r.topic, r.partition, r.position, err)
		case err != nil:
			return parsed, r.corrupt(max(batch.FirstOffset(records), r.position), err)
		case len(parsed) > 0 && b.First < r.position:
			return parsed, r.corrupt(r.position, fmt.Errorf("it begins at offset %d", b.First))
		case b.Last >= r.position:
			parsed = append(parsed, b)
			r.position = b.Last + 1
		default: // it lies before the request, unless it is corrupt
			if err := b.CheckSum(); err != nil {
				return parsed, r.corrupt(r.position, err)
			}
		}
		records = rest
		if len(records) == 0 && r.position == position && err == nil {
			return parsed, r.corrupt(position, errors.New("the broker sends only what lies before it"))
		}
	}
	r.bytes = bytes
	return parsed, nil
}

// abortedIn returns the aborted transactions of a response, before its first batch.
func abortedIn(transactions []abortedTransaction) *aborted {
	slices.SortFunc(transactions, func(a, b abortedTransaction) int { return cmp.Compare(a.first, b.first) })
	return &aborted{ahead: transactions, open: make(map[int64]bool)}
}

// aborted tracks, as the batches of a response are read in order, which producers have a transaction open that was
// aborted.
type aborted struct {
	ahead []abortedTransaction
	open  map[int64]bool // by producer
}

// before opens the transactions that begin at an offset or before it.
func (a *aborted) before(offset int64) {
	for len(a.ahead) > 0 && a.ahead[0].first <= offset {
		a.open[a.ahead[0].producer] = true
		a.ahead = a.ahead[1:]
	}
}

// outOfRange returns an OutOfRangeError with the bounds of the log, or nil, after a pause, if the position is in
// range by now.
func (r *reader) outOfRange(ctx context.Context) error {
	start, end, err := r.cluster.bounds(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	if start <= r.position && r.position <= end {
		const pause = 200 * time.Millisecond
		return sleepUntil(ctx, time.Now().Add(pause))
	}
	return &OutOfRangeError{r.topic, r.partition, r.position, start, end}
}

// sleepUntil waits for a time, or for ctx to end.
func sleepUntil(ctx context.Context, when time.Time) error {
	if !time.Now().Before(when) {
		return nil
	}
	select {
	case <-time.After(time.Until(when)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
