package kafka

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// How much is asked for at once. A fetch waits at the broker for the first record that comes, at most fetchWait.
const (
	fetchBytes    = 2 << 20
	fetchBytesMax = 256 << 20 // what a batch may grow to before reading it is given up
	fetchWait     = 500 * time.Millisecond
)

// Record is a message as Kafka keeps it. Key and Value are good until the batch is let go; a Value of nil is a
// tombstone.
type Record struct {
	Key, Value []byte
	Offset     int64
	Timestamp  int64 // in milliseconds

	headers []*sarama.RecordHeader
}

// Time is the record's timestamp.
func (r *Record) Time() time.Time { return time.UnixMilli(r.Timestamp) }

// Header answers the value of the first header of this name, nil if there is none.
func (r *Record) Header(name string) []byte {
	for _, h := range r.headers {
		if string(h.Key) == name {
			return h.Value
		}
	}
	return nil
}

// Batch is what one fetch brought of a partition. Next is the position after it, which moves on even where there are
// no records: over transaction markers, aborted records and what compaction has taken.
type Batch struct {
	Partition  int32
	From, Next int64

	batches []*sarama.RecordBatch
}

// Records goes through the batch in order.
func (b *Batch) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, batch := range b.batches {
			first, last := batch.FirstTimestamp.UnixMilli(), batch.MaxTimestamp.UnixMilli()
			for _, r := range batch.Records {
				offset := batch.FirstOffset + r.OffsetDelta
				if offset < b.From { // a fetch brings whole batches, also what lies before the position
					continue
				}
				at := first + r.TimestampDelta.Milliseconds()
				if batch.LogAppendTime {
					at = last
				}
				if !yield(Record{Key: r.Key, Value: r.Value, Offset: offset, Timestamp: at, headers: r.Headers}) {
					return
				}
			}
		}
	}
}

// OutOfRangeError means that the log no longer has, or does not yet have, the position that was asked for.
type OutOfRangeError struct {
	Topic      string
	Partition  int32
	Position   int64
	Start, End int64 // what the log has
}

func (e *OutOfRangeError) Error() string {
	if e.Position > e.End {
		return fmt.Sprintf("%s/%d ends at offset %d, before position %d: was the topic made anew?",
			e.Topic, e.Partition, e.End, e.Position)
	}
	return fmt.Sprintf("%s/%d starts at offset %d: %d offsets from %d on are gone",
		e.Topic, e.Partition, e.Start, e.Start-e.Position, e.Position)
}

// reader fetches one partition over a connection of its own.
type reader struct {
	cluster   *Cluster
	topic     string
	partition int32
	position  int64
	least     int32  // bytes to ask for
	bytes     int32  // and what is asked for now
	id        string // of the topic, once known
	broker    *sarama.Broker
}

// Read hands the committed records of a partition, from position on, to deliver, batch by batch, until deliver answers
// an error, ctx ends, or reading cannot go on. A broker that is away is waited for. A batch may be empty: each
// fetchWait brings one, so that whoever is at the end learns it. The position being outside the log is an
// OutOfRangeError.
func (c *Cluster) Read(ctx context.Context, topic string, partition int32, position int64,
	deliver func(Batch) error) error {
	return c.read(ctx, topic, "", partition, position, fetchBytes, deliver)
}

// read asks for so many bytes at once, of no topic but the one with this id; "": any.
func (c *Cluster) read(ctx context.Context, topic, id string, partition int32, position int64, bytes int32,
	deliver func(Batch) error) error {
	r := &reader{cluster: c, topic: topic, id: id, partition: partition, position: position, least: bytes, bytes: bytes}
	defer r.disconnect()
	for {
		batch, err := r.next(ctx)
		if err != nil {
			return err
		}
		if err := deliver(batch); err != nil {
			return err
		}
	}
}

// errAtEnd ends a Read that has come to where it should.
var errAtEnd = errors.New("at the end")

// ReadToEnd hands the committed records of a partition to each, from a position to the end that there is now, and
// answers where the log starts and ends. If it starts after the position, it reads from there.
func (c *Cluster) ReadToEnd(ctx context.Context, topic string, partition int32, from int64,
	each func(Record) error) (start, end int64, err error) {
	start, end, err = c.bounds(ctx, topic, partition)
	if from = max(from, start); err != nil || from >= end {
		return start, end, err
	}
	err = c.Read(ctx, topic, partition, from, func(b Batch) error {
		for r := range b.Records() {
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

// next fetches until something moves or fetchWait has passed.
func (r *reader) next(ctx context.Context) (Batch, error) {
	for {
		block, err := r.fetch(ctx)
		var garbled sarama.PacketDecodingError
		switch {
		case errors.As(err, &garbled) && r.bytes > 1:
			r.bytes = 1 // one batch at a time, to deliver the good ones before the corrupt one and to know its offset
			continue
		case errors.As(err, &garbled):
			return Batch{}, fmt.Errorf("corrupt batch at %s/%d@%d: %s", r.topic, r.partition, r.position, garbled.Info)
		case errors.Is(err, sarama.ErrOffsetOutOfRange):
			return Batch{}, r.outOfRange(ctx)
		case ctx.Err() != nil:
			return Batch{}, ctx.Err()
		case err != nil:
			return Batch{}, fmt.Errorf("reading %s/%d@%d: %w", r.topic, r.partition, r.position, reason(err))
		}
		batch, err := r.batch(block)
		if err != nil || batch.Next > r.position || !block.Partial {
			r.position, r.bytes = batch.Next, r.least
			return batch, err
		}
		if r.bytes > fetchBytesMax/2 {
			return Batch{}, fmt.Errorf("batch at %s/%d@%d is larger than %d bytes",
				r.topic, r.partition, r.position, fetchBytesMax)
		}
		r.bytes *= 2
	}
}

// fetch asks for what is at the position until there is an answer. After an error it takes a new connection: the leader
// may be another by then. A try that ctx leaves behind touches nothing of the reader, and closes its connection itself.
func (r *reader) fetch(ctx context.Context) (*sarama.FetchResponseBlock, error) {
	const cutMost = 3
	broker, id, request, cut := r.broker, r.id, r.request(), 0
	r.broker = nil
	block, err := persist(ctx, r.cluster, func() (block *sarama.FetchResponseBlock, err error) {
		if broker == nil {
			if broker, id, err = r.connect(id); err != nil {
				return nil, err
			}
		}
		block, err = r.ask(broker, request)
		if err != nil || ctx.Err() != nil {
			go broker.Close()
			broker = nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) { // of a connection, or of what is compressed: only that lasts
			if cut++; cut == cutMost {
				err = sarama.PacketDecodingError{Info: "it ends too early"}
			}
		}
		return block, err
	})
	if err == nil {
		r.broker, r.id = broker, id
	}
	return block, err
}

// connect opens a connection to the leader, and makes sure that the topic is the one that was read before: of another
// one of the same name the position would mean nothing.
func (r *reader) connect(known string) (*sarama.Broker, string, error) {
	address, err := r.cluster.leader(r.topic, r.partition)
	if err != nil {
		return nil, known, err
	}
	broker, err := r.cluster.open(address)
	if err != nil {
		return nil, known, err
	}
	id, err := topicID(broker, r.cluster.conf, r.topic)
	if err == nil && known != "" && id != known {
		err = ErrNewTopic
	}
	if err != nil {
		go broker.Close()
		return nil, known, err
	}
	return broker, id, nil
}

func (r *reader) request() *sarama.FetchRequest {
	// The partition's own limit is what counts: kfake leaves the aborted transactions out of a response that the other one
	// has cut.
	request := &sarama.FetchRequest{
		Version: 11, MinBytes: 1, MaxBytes: math.MaxInt32, MaxWaitTime: int32(fetchWait.Milliseconds()),
		Isolation: sarama.ReadCommitted, SessionEpoch: -1, // no fetch session: one partition needs none
	}
	request.AddBlock(r.topic, r.partition, r.position, r.bytes, -1)
	return request
}

func (r *reader) ask(broker *sarama.Broker, request *sarama.FetchRequest) (*sarama.FetchResponseBlock, error) {
	response, err := broker.Fetch(request)
	if err != nil {
		return nil, err
	}
	if err := orNil(sarama.KError(response.ErrorCode)); err != nil {
		return nil, err
	}
	block := response.GetBlock(r.topic, r.partition)
	if block == nil {
		return nil, sarama.ErrIncompleteResponse
	}
	return block, orNil(block.Err)
}

func (r *reader) disconnect() {
	if r.broker != nil {
		go r.broker.Close()
	}
}

// batch takes out of a response what a reader of committed records may see.
func (r *reader) batch(block *sarama.FetchResponseBlock) (Batch, error) {
	batch := Batch{Partition: r.partition, Next: r.position, From: r.position}
	aborted := make(map[int64]bool)           // producer ids whose open transaction ends in an abort
	transactions := block.AbortedTransactions // in the order in which they ended
	slices.SortFunc(transactions, func(a, b *sarama.AbortedTransaction) int {
		return cmp.Compare(a.FirstOffset, b.FirstOffset)
	})
	for _, set := range block.RecordsSet {
		records := set.RecordBatch
		if records == nil {
			return batch, fmt.Errorf("batch at %s/%d@%d is of a format older than Kafka 0.11",
				r.topic, r.partition, batch.Next)
		}
		if records.PartialTrailingRecord {
			block.Partial = true
			batch.Next = max(batch.Next, records.FirstOffset)
			return batch, nil
		}
		batch.Next = max(batch.Next, records.LastOffset()+1)
		for len(transactions) > 0 && transactions[0].FirstOffset <= records.LastOffset() {
			aborted[transactions[0].ProducerID] = true
			transactions = transactions[1:]
		}
		switch {
		case records.Control:
			if endsAborted(records) {
				delete(aborted, records.ProducerID)
			}
		case records.IsTransactional && aborted[records.ProducerID]:
		default:
			batch.batches = append(batch.batches, records)
		}
	}
	if len(block.RecordsSet) == 0 {
		batch.Next = max(batch.Next, afterEmpty(block))
	}
	return batch, nil
}

// endsAborted says whether a control batch is the marker of an abort: its key is a version and a type, 0 for abort
// (Kafka's ControlRecordType).
func endsAborted(control *sarama.RecordBatch) bool {
	key := control.Records[0].Key
	return len(key) >= 4 && binary.BigEndian.Uint16(key[2:]) == 0
}

// afterEmpty answers the offset after batches that compaction has emptied, or 0. Sarama keeps neither such batches nor,
// in anything exported, where they end; without it a reader would stand before them for ever. Probing further ahead
// instead could jump over records. A test fails if the field is gone.
func afterEmpty(block *sarama.FetchResponseBlock) int64 {
	next := reflect.ValueOf(block).Elem().FieldByName("recordsNextOffset")
	if next.IsNil() {
		return 0
	}
	return next.Elem().Int()
}

// outOfRange finds out what the log has instead.
func (r *reader) outOfRange(ctx context.Context) error {
	start, end, err := r.cluster.bounds(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	return &OutOfRangeError{r.topic, r.partition, r.position, start, end}
}
