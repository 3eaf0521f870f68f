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

// What a batch may hold and how many may be under way.
const (
	batchBytes     = 500_000 // before compression
	batchRecords   = 10_000
	recordOverhead = 16 // bytes that the encoding adds to a key and a value, at most, for records of this size
	inFlightMax    = 5  // batches a partition: a broker remembers the last five of a producer, to know one sent twice
	memoryBytesMax = 24 << 20
	produceTimeout = 10 * time.Second
)

// Ack says that records of a partition, in the order in which they were appended, are on all in-sync replicas.
type Ack struct {
	Partition int32
	Offset    int64   // of the first one; -1 when the broker does not know any more, for it had them already
	Bytes     int     // of keys and values
	Marks     []int64 // what Append was given, one a record; good until the function returns
}

// WriterConfig says what a Writer does besides writing.
type WriterConfig struct {
	Compression string    // none, gzip, snappy, lz4, zstd
	Acked       func(Ack) // may be nil; called from several goroutines, one a partition
	// GiveUp is how long a broker that is there may refuse a batch, with whatever passing reason, before that is an
	// error; 0: 2 minutes, as in Java's client. A broker that is away is waited for without limit.
	GiveUp time.Duration
	// Producer is for the records of transactions that the caller begins and ends; without a TransactionalID the Writer
	// gets a producer id of its own. An epoch has one Writer for a partition, in all its transactions: a second one
	// would count from 0 again, and the broker would take its records for the first one's.
	Producer Producer
	// Records is how many a batch may have at most; 0: 10,000.
	Records int
	// Partition is where all records go, whatever their keys; nil: each to its key's.
	Partition *int32
}

// Header is what a record carries besides key and value.
type Header = batch.Header

// Producer is who writes, as the broker knows it.
type Producer struct {
	TransactionalID string
	ID              int64
	Epoch           int16
}

// Writer appends records to a topic, in order a partition, each exactly once: it is an idempotent producer with
// acknowledgement by all in-sync replicas.
//
// Append, Push and Flush are for one goroutine. Append fills a batch for each partition; a full one goes out by
// itself, Push sends the others. Each partition has a partitionSender, whose goroutine
// sends its batches with several in flight.
// When anything fails, it waits for what is under way, then sends what is not acknowledged again, one by one, in
// order and with the same sequence numbers, by which the broker recognises what it has already. It does so until the
// broker takes it; only an error that no waiting mends is the Writer's error, and the end of it. Memory is bounded:
// Append waits when the broker is slower than we are.
type Writer struct {
	cluster *Cluster
	topic   string
	acked   func(Ack)
	codec   batch.Codec
	giveUp  time.Duration
	records int // a batch may have

	producer Producer

	senders []*partitionSender
	// compressors are as many as can be at work at once, and not one a partition: an encoder of gzip has a MiB.
	// Nil is one not made yet.
	compressors chan *batch.Compressor
	free        chan *producerBatch // what Append may fill; nil is one not made yet
	next        int                 // partition of the next record without a key
	bytes       atomic.Int64        // a batch may have

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	pending  atomic.Int64 // appended, not acknowledged
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
	packed   []byte // room for the records, compressed
	sealed   []byte // as it is sent; nil: not sent yet
	sequence int32
	acked    bool
	offset   int64 // of the first record, once acked
	extra    bool  // made by split, so not one of those that Append fills
}

// CheckCompression checks the name of a codec.
func CheckCompression(name string) error {
	_, err := batch.ParseCodec(name)
	return err
}

// NewWriter begins to write to a topic that exists. It waits for a broker.
func (c *Cluster) NewWriter(ctx context.Context, topic string, config WriterConfig) (*Writer, error) {
	codec, err := batch.ParseCodec(config.Compression)
	if err != nil {
		return nil, err
	}
	partitions, err := persist(ctx, c, func() ([]int32, error) { return c.led(topic) })
	if err != nil {
		return nil, fmt.Errorf("topic %q: %w", topic, reason(err))
	}
	if config.Partition != nil {
		partitions = []int32{*config.Partition}
	}
	producer := config.Producer
	if producer.TransactionalID == "" {
		producer, err = persist(ctx, c, func() (Producer, error) { return c.newProducer(topic) })
	}
	if err != nil {
		return nil, fmt.Errorf("beginning to write to %q: %w", topic, reason(err))
	}
	w := &Writer{
		cluster: c, topic: topic, acked: config.Acked, codec: codec, giveUp: cmp.Or(config.GiveUp, 2*time.Minute),
		records:  cmp.Or(config.Records, batchRecords),
		producer: producer,
		progress: make(chan struct{}, 1), failed: make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	batches := len(partitions) + inFlightMax + 2 // one of each being filled, and as many on their way
	w.bytes.Store(int64(min(batchBytes, max(memoryBytesMax/batches, 16<<10))))
	w.free = make(chan *producerBatch, batches)
	for range batches {
		w.free <- nil
	}
	w.compressors = make(chan *batch.Compressor, runtime.GOMAXPROCS(0))
	for range cap(w.compressors) {
		w.compressors <- nil
	}
	for _, p := range partitions {
		s := &partitionSender{writer: w, partition: p, wait: wait{cluster: c},
			queue: make(chan *producerBatch, batches), responses: make(chan response, inFlightMax)}
		w.senders = append(w.senders, s)
		go s.run()
	}
	return w, nil
}

// newProducer asks for a producer id.
func (c *Cluster) newProducer(topic string) (Producer, error) {
	id, err := c.client.InitProducerID()
	if err != nil {
		_ = c.client.RefreshMetadata(topic) // it brings back the brokers that the client has given up
		return Producer{}, err
	}
	return Producer{ID: id.ProducerID, Epoch: id.ProducerEpoch}, orNil(id.Err)
}

// Append adds a record to the batch of its key's partition, chosen as Java's client does; records without a key take
// the partitions in turn. The timestamp is in milliseconds; mark comes back in the Ack. Key and value are copied,
// what headers carry is not.
func (w *Writer) Append(ctx context.Context, key, value []byte, timestamp, mark int64, headers ...Header) error {
	s := w.senders[0]
	if len(w.senders) > 1 {
		s = w.senders[w.choose(key)]
	}
	size := len(key) + len(value) + recordOverhead
	for _, h := range headers {
		size += len(h.Key) + len(h.Value) + recordOverhead
	}
	if s.open != nil && !s.open.takes(size, w.records, int(w.bytes.Load())) {
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
	w.pending.Add(1)
	return nil
}

func (w *Writer) choose(key []byte) int {
	if len(key) == 0 {
		w.next++
		return w.next % len(w.senders)
	}
	return int(PartitionOf(key, int32(len(w.senders))))
}

// take waits for a batch to fill. There are more than partitions, so some are under way when none is free, and come
// back: nothing half full has to be sent for it.
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

func (b *producerBatch) takes(size, records, bytes int) bool {
	return b.records.Len() < records && b.records.Bytes()+size <= bytes
}

func (b *producerBatch) add(key, value []byte, timestamp, mark int64, headers ...Header) {
	b.records.Append(key, value, timestamp, headers...)
	b.bytes += len(key) + len(value)
	b.marks = append(b.marks, mark)
}

// Push sends what was appended so far.
func (w *Writer) Push() {
	for _, s := range w.senders {
		if s.open != nil {
			s.queueUp()
		}
	}
}

// Flush sends what was appended and waits until all of it is acknowledged.
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

// Failed is closed when the Writer has given up; Flush says why.
func (w *Writer) Failed() <-chan struct{} { return w.failed }

// Pending counts the records that were appended and not acknowledged.
func (w *Writer) Pending() int64 { return w.pending.Load() }

// Close gives up what is not acknowledged. Flush first.
func (w *Writer) Close() { w.cancel() }

func (w *Writer) fail(err error) {
	w.failOnce.Do(func() {
		w.err = err
		close(w.failed)
	})
}
