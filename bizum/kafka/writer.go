package kafka

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"bizumctl/bizum/kafka/batch"
)

// Limits of a batch and of what is in flight.
const (
	batchBytes     = 500_000 // before compression
	batchRecords   = 10_000
	recordOverhead = 16 // the most that the encoding adds to a key and a value, for records of this size
	inFlightMax    = 5  // batches of a partition: a broker recognizes a duplicate among the last five
	memoryBytesMax = 24 << 20
	produceTimeout = 10 * time.Second
)

// Ack acknowledges consecutive records of a partition: all in-sync replicas have them.
type Ack struct {
	Partition int32
	Offset    int64   // of the first one; -1 if the broker had them already and no longer knows it
	Bytes     int     // of keys and values
	Marks     []int64 // as given to Append, one a record; valid until Acked returns
}

// WriterConfig configures a Writer.
type WriterConfig struct {
	Compression string    // none, gzip, snappy, lz4, zstd
	Acked       func(Ack) // may be nil; called from several goroutines, one a partition
	// GiveUp is how long a broker may return retriable errors before that is an error; 0: 2 minutes, as in Java's
	// client (delivery.timeout.ms). A broker that is down is waited for without limit.
	GiveUp time.Duration
	// Missing is called when the topic does not exist any more, and may create it again. What the new one lacks and was
	// not acknowledged is then written to it. Missing is called from several goroutines; nil: the topic is waited for.
	Missing func(context.Context)
	// Producer is for transactions that the caller begins and ends; without a TransactionalID the Writer requests a
	// producer id of its own. An epoch may have only one Writer for a partition, in all its transactions: the sequence
	// numbers of a second one would begin at 0, and the broker would take its records for duplicates.
	Producer Producer
	// Records limits the records of a batch; 0: 10,000.
	Records int
	// Partition receives all records, whatever their keys; nil: each goes to the partition of its key.
	Partition *int32
}

// Header is a header of a record.
type Header = batch.Header

// Producer identifies a producer to the brokers.
type Producer struct {
	TransactionalID string
	ID              int64
	Epoch           int16
}

// Writer appends records to a topic, each exactly once and in order within a partition: it is an idempotent producer
// (KIP-98) with acks=all.
//
// Append, Push and Flush are for one goroutine. Append fills a batch for each partition; a full one is sent by itself,
// Push sends the others. Each partition has a partitionSender, whose goroutine sends its batches with several in
// flight. After an error it waits for the responses in flight, then resends what is not acknowledged, one batch at a
// time, in order and with the same sequence numbers, by which the broker recognizes duplicates. It retries until the
// broker has taken it; an error that is not retriable ends the Writer. Memory is bounded: Append waits when the broker
// is slower than the caller.
type Writer struct {
	cluster *Cluster
	topic   string
	acked   func(Ack)
	codec   batch.Codec
	giveUp  time.Duration
	records int // limit of a batch
	missing func(context.Context)

	senders []*partitionSender
	// compressors are as many as can run at once, not one a partition: a gzip encoder takes a MiB. Nil is one to be
	// made.
	compressors chan *batch.Compressor
	free        chan *producerBatch // batches for Append to fill; nil is one to be made
	next        int                 // partition of the next record without a key
	bytes       atomic.Int64        // limit of a batch

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	pending  atomic.Int64 // records queued, not acknowledged
	acks     atomic.Int64 // records acknowledged
	gone     atomic.Int64 // of them, by topics that are gone
	id       atomic.Value // string, of the topic, once known
	progress chan struct{}
	failed   chan struct{} // closed when err is set
	failOnce sync.Once
	err      error
}

// producerBatch is a run of records for one partition.
type producerBatch struct {
	records  batch.Builder
	bytes    int // of keys and values
	marks    []int64
	packed   []byte // buffer for the compressed records
	sealed   []byte // encoded; nil until first sent
	sequence int32
	acked    bool
	offset   int64 // of the first record, once acked
	extra    bool  // made by split, so not returned to free
}

// CheckCompression returns an error unless name is a codec.
func CheckCompression(name string) error {
	_, err := batch.ParseCodec(name)
	return err
}

// NewWriter returns a Writer to a topic. It retries what is retriable, such as a topic that does not exist yet, until
// ctx ends. The caller closes it.
func (c *Cluster) NewWriter(ctx context.Context, topic string, config WriterConfig) (*Writer, error) {
	codec, err := batch.ParseCodec(config.Compression)
	if err != nil {
		return nil, err
	}
	partitions, err := persist(ctx, c, func() ([]int32, error) { return c.led(topic) })
	if err != nil {
		return nil, topicError(topic, c.needs(err, writes(topic)))
	}
	if config.Partition != nil {
		partitions = []int32{*config.Partition}
	}
	producer := config.Producer
	if producer.TransactionalID == "" {
		producer, err = persist(ctx, c, func() (Producer, error) { return c.newProducer(topic) })
	}
	if err != nil {
		return nil, fmt.Errorf("beginning to write to %q: %w", topic, reason(c.needs(err, writes(topic), idempotent)))
	}
	topicID := ""
	if config.Missing != nil {
		if _, topicID, err = c.Identity(ctx, topic); err != nil {
			return nil, err
		}
	}
	w := &Writer{
		cluster: c, topic: topic, acked: config.Acked, codec: codec, giveUp: cmp.Or(config.GiveUp, 2*time.Minute),
		records:  cmp.Or(config.Records, batchRecords),
		missing:  config.Missing,
		progress: make(chan struct{}, 1), failed: make(chan struct{}),
	}
	if topicID != "" {
		w.id.Store(topicID)
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	batches := len(partitions) + inFlightMax + 2 // one a partition to fill, and those in flight
	w.bytes.Store(int64(min(batchBytes, max(memoryBytesMax/batches, 16<<10))))
	w.free = make(chan *producerBatch, batches)
	for range batches {
		w.free <- nil
	}
	w.compressors = make(chan *batch.Compressor, runtime.GOMAXPROCS(0))
	for range cap(w.compressors) {
		w.compressors <- nil
	}
	for i, p := range partitions {
		s := &partitionSender{writer: w, partition: p, producer: producer, topicID: topicID, wait: wait{cluster: c},
			first: float64(i+1) / float64(len(partitions)),
			queue: make(chan *producerBatch, batches), responses: make(chan response, inFlightMax)}
		w.senders = append(w.senders, s)
		go s.run()
	}
	return w, nil
}

// newProducer requests a producer id (InitProducerId).
func (c *Cluster) newProducer(topic string) (Producer, error) {
	id, err := c.client.InitProducerID()
	if err != nil {
		_ = c.client.RefreshMetadata(topic) // brings back brokers that failed, see sarama.go
		return Producer{}, err
	}
	return Producer{ID: id.ProducerID, Epoch: id.ProducerEpoch}, orNil(id.Err)
}

// Append adds a record to the batch of its key's partition, chosen as Java's client does; records without a key go to
// the partitions in turn. The timestamp is in milliseconds; mark is returned in the Ack. Key and value are copied,
// headers are not. Its errors are the end of ctx and the one that ended the Writer.
func (w *Writer) Append(ctx context.Context, key, value []byte, timestamp, mark int64, headers ...Header) error {
	s := w.senders[0]
	if len(w.senders) > 1 {
		s = w.senders[w.choose(key)]
	}
	size := len(key) + len(value) + recordOverhead
	for _, h := range headers {
		size += len(h.Key) + len(h.Value) + recordOverhead
	}
	if s.open != nil && !s.takes(size) {
		s.queueUp()
	}
	if s.open == nil {
		b, err := w.take(ctx)
		if err != nil {
			return err
		}
		s.open = b
	}
	s.open.add(key, value, timestamp, mark, headers...)
	return nil
}

func (w *Writer) choose(key []byte) int {
	if len(key) == 0 {
		w.next++
		return w.next % len(w.senders)
	}
	return int(PartitionOf(key, int32(len(w.senders))))
}

// take waits for a batch to fill. There are more batches than partitions, so when none is free some are in flight and
// will be: no partial batch has to be sent.
func (w *Writer) take(ctx context.Context) (*producerBatch, error) {
	var b *producerBatch
	select {
	case b = <-w.free:
	case <-w.failed:
		return nil, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b == nil {
		b = new(producerBatch)
	}
	b.records.Reset()
	*b = producerBatch{records: b.records, marks: b.marks[:0], packed: b.packed}
	return b, nil
}

func (b *producerBatch) add(key, value []byte, timestamp, mark int64, headers ...Header) {
	b.records.Append(key, value, timestamp, headers...)
	b.bytes += len(key) + len(value)
	b.marks = append(b.marks, mark)
}

// Push sends what was appended, without waiting.
func (w *Writer) Push() {
	for _, s := range w.senders {
		if s.open != nil {
			s.queueUp()
		}
	}
}

// Flush sends what was appended and waits until all of it is acknowledged. Its errors are those of Append.
func (w *Writer) Flush(ctx context.Context) error {
	w.Push()
	for w.pending.Load() > 0 {
		select {
		case <-w.progress:
		case <-w.failed:
			return w.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// compressor returns a free compressor, or a new one; giveBack returns it.
func (w *Writer) compressor() *batch.Compressor {
	c := <-w.compressors
	if c == nil {
		c = batch.NewCompressor(w.codec)
	}
	return c
}

func (w *Writer) giveBack(c *batch.Compressor) { w.compressors <- c }

// Failed is closed when an error has ended the Writer; Flush returns it.
func (w *Writer) Failed() <-chan struct{} { return w.failed }

// Pending returns the number of records that were sent, or are to be, and not acknowledged.
func (w *Writer) Pending() int64 { return w.pending.Load() }

// Close closes the Writer without waiting. Records that were not flushed may be lost.
func (w *Writer) Close() { w.cancel() }

func (w *Writer) fail(err error) {
	w.failOnce.Do(func() {
		w.err = err
		close(w.failed)
	})
}
