package kafka_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// bench is a topic of the test's own on a broker, with our client and a foreign one.
type bench struct {
	*testing.T
	ctx     context.Context
	address string
	topic   string
	cluster *kafka.Cluster
	foreign *kgo.Client
	admin   *kadm.Client
}

// newBench works at BIZUMCTL_TEST_BROKERS, or on an embedded broker of the test's own.
func newBench(t *testing.T, partitions int32) *bench {
	address := os.Getenv("BIZUMCTL_TEST_BROKERS")
	if address == "" {
		broker, err := devbroker.Start("localhost:0", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		address = broker.Address()
	}
	return benchAt(t, address, partitions, nil)
}

func benchAt(t *testing.T, address string, partitions int32, config map[string]*string) *bench {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	b := &bench{T: t, ctx: ctx, address: address, topic: fmt.Sprintf("test-%x", rand.Uint64())}
	b.cluster = open(t, address)
	b.foreign = b.client(address)
	b.admin = kadm.NewClient(b.foreign)
	if partitions > 0 {
		kept := maps.Clone(config)
		if kept == nil {
			kept = make(map[string]*string)
		}
		if kept["retention.ms"] == nil { // some tests have records of 1970, which retention would delete
			kept["retention.ms"] = ref("-1")
		}
		if _, err := b.admin.CreateTopic(ctx, partitions, -1, kept, b.topic); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = b.admin.DeleteTopic(context.Background(), b.topic) })
	}
	return b
}

func open(t *testing.T, address string) *kafka.Cluster {
	cluster, err := kafka.Open(kafka.Config{
		Brokers: []string{address}, ClientID: "bizumctl-test", SessionTimeout: 2 * time.Second,
		Notice: func(text string) { t.Log("notice:", text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func (b *bench) client(address string, options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(address), kgo.DefaultProduceTopic(b.topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	return client
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// produce appends values with the foreign client.
func (b *bench) produce(partition int32, values ...string) {
	b.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: b.topic, Partition: partition, Value: []byte(v)}
		b.must(b.foreign.ProduceSync(b.ctx, r).FirstErr())
	}
}

// transact appends values in a transaction of the foreign client.
func (b *bench) transact(end kgo.TransactionEndTry, partition int32, values ...string) {
	b.Helper()
	client := b.client(b.address, kgo.TransactionalID(fmt.Sprintf("%s-%x", b.topic, rand.Uint64())))
	b.must(client.BeginTransaction())
	for _, v := range values {
		r := &kgo.Record{Topic: b.topic, Partition: partition, Value: []byte(v)}
		b.must(client.ProduceSync(b.ctx, r).FirstErr())
	}
	before := b.end(partition)
	b.must(client.EndTransaction(b.ctx, end))
	b.awaitEnd(partition, before+int64(len(values))+1)
}

// awaitEnd waits for the marker of a transaction, which Kafka writes after it has responded.
func (b *bench) awaitEnd(partition int32, want int64) {
	b.Helper()
	for b.end(partition) < want {
		b.must(b.ctx.Err())
		time.Sleep(10 * time.Millisecond) // between two requests
	}
}

var errDone = errors.New("done")

// read collects the values from a position up to an end, by our reader.
func (b *bench) read(partition int32, from, end int64) (values []string) {
	b.Helper()
	if from >= end {
		return nil
	}
	err := b.cluster.Read(b.ctx, b.topic, partition, from, func(batch kafka.Batch) error {
		for r := range batch.Records {
			if r.Offset < end {
				values = append(values, string(r.Value))
			}
		}
		if batch.Next >= end {
			return errDone
		}
		return nil
	})
	if !errors.Is(err, errDone) {
		b.Fatalf("read %v, then: %v", values, err)
	}
	return values
}

func (b *bench) end(partition int32) int64 {
	b.Helper()
	end, err := b.cluster.Offset(b.ctx, b.topic, partition, kafka.End)
	b.must(err)
	return end
}

func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// write appends values with our writer and waits for their acknowledgement.
func (b *bench) write(w *kafka.Writer, values ...string) {
	b.Helper()
	for i, v := range values {
		b.must(w.Append(b.ctx, []byte("cuenta"), []byte(v), time.Now().UnixMilli(), int64(i)))
	}
	b.must(w.Flush(b.ctx))
}

func (b *bench) writer(config kafka.WriterConfig) *kafka.Writer {
	b.Helper()
	if config.Compression == "" {
		config.Compression = "none"
	}
	w, err := b.cluster.NewWriter(b.ctx, b.topic, config)
	b.must(err)
	b.Cleanup(w.Close)
	return w
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %d values %.200q\nwant %d %.200q", len(got), got, len(want), want)
	}
}

// What our writer writes, a foreign reader reads; and what it wrote, ours: with each compression.
func TestRoundTrip(t *testing.T) {
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			b := newBench(t, 1)
			want := numbers(0, 50_000)
			b.write(b.writer(kafka.WriterConfig{Compression: codec}), want...)
			equal(t, b.read(0, 0, b.end(0)), want)
			b.foreign.AddConsumePartitions(map[string]map[int32]kgo.Offset{
				b.topic: {0: kgo.NewOffset().AtStart()}})
			var got []string
			for len(got) < len(want) {
				fetches := b.foreign.PollFetches(b.ctx)
				b.must(fetches.Err())
				fetches.EachRecord(func(r *kgo.Record) {
					got = append(got, string(r.Value))
					if string(r.Key) != "cuenta" {
						t.Fatalf("key %q", r.Key)
					}
				})
			}
			equal(t, got, want)
		})
	}
}

// Keys go to the partitions that Java's client chooses, in order; records without a key go to all in turn.
func TestPartitions(t *testing.T) {
	b := newBench(t, 5)
	var mu sync.Mutex
	acked := make(map[int32][]int64)
	w := b.writer(kafka.WriterConfig{Acked: func(a kafka.Ack) {
		mu.Lock()
		defer mu.Unlock()
		acked[a.Partition] = append(acked[a.Partition], a.Marks...)
	}})
	java := kgo.StickyKeyPartitioner(nil).ForTopic(b.topic)
	want := make(map[int32][]string)
	for i := range 1000 {
		key, value := fmt.Sprintf("cuenta-%d", i%37), strconv.Itoa(i)
		p := int32(java.Partition(&kgo.Record{Key: []byte(key)}, 5))
		want[p] = append(want[p], value)
		b.must(w.Append(b.ctx, []byte(key), []byte(value), 0, int64(i)))
	}
	b.must(w.Flush(b.ctx))
	for p := range int32(5) {
		equal(t, b.read(p, 0, b.end(p)), want[p])
		var marks []string
		for _, m := range acked[p] {
			marks = append(marks, strconv.FormatInt(m, 10))
		}
		equal(t, marks, want[p])
	}
	before := make(map[int32]int64)
	for p := range int32(5) {
		before[p] = b.end(p)
	}
	for range 5 {
		b.must(w.Append(b.ctx, nil, []byte("x"), 0, 0))
	}
	b.must(w.Flush(b.ctx))
	for p := range int32(5) {
		if got := b.end(p) - before[p]; got != 1 {
			t.Errorf("partition %d got %d of 5 records without a key", p, got)
		}
	}
}

// Reading to the end that there is now ends, whatever the end is made of.
func TestEnd(t *testing.T) {
	b := newBench(t, 1)
	equal(t, b.read(0, 0, b.end(0)), nil)

	b.produce(0, "a", "b")
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b"})

	b.transact(kgo.TryCommit, 0, "c")
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b", "c"}) // the last offset is a marker

	b.transact(kgo.TryAbort, 0, "no", "no")
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b", "c"})

	b.produce(0, "d")
	b.transact(kgo.TryAbort, 0, "no")
	b.transact(kgo.TryCommit, 0, "e", "f")
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b", "c", "d", "e", "f"})
	equal(t, b.read(0, 1, b.end(0)), []string{"b", "c", "d", "e", "f"})
}

// Two transactions overlap, and the one that began first is aborted last: neither is seen.
func TestOverlappingAborts(t *testing.T) {
	b := newBench(t, 1)
	begin := func(value string) *kgo.Client {
		client := b.client(b.address, kgo.TransactionalID(fmt.Sprintf("%s-%x", b.topic, rand.Uint64())))
		b.must(client.BeginTransaction())
		b.must(client.ProduceSync(b.ctx, &kgo.Record{Topic: b.topic, Value: []byte(value)}).FirstErr())
		return client
	}
	one, two := begin("no-1"), begin("no-2")
	b.must(two.EndTransaction(b.ctx, kgo.TryAbort))
	b.must(one.EndTransaction(b.ctx, kgo.TryAbort))
	b.awaitEnd(0, 4)
	b.produce(0, "yes")
	equal(t, b.read(0, 0, b.end(0)), []string{"yes"})
}

// What an open transaction holds back is neither shown nor part of the end.
func TestOpenTransaction(t *testing.T) {
	b := newBench(t, 1)
	b.produce(0, "a")
	client := b.client(b.address, kgo.TransactionalID(b.topic))
	b.must(client.BeginTransaction())
	b.must(client.ProduceSync(b.ctx, &kgo.Record{Topic: b.topic, Value: []byte("b")}).FirstErr())
	b.produce(0, "c")
	if end := b.end(0); end != 1 {
		t.Fatalf("end %d, want the last stable offset 1", end)
	}
	b.must(client.EndTransaction(b.ctx, kgo.TryCommit))
	b.awaitEnd(0, 4)
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b", "c"})
}

// A partition that grows while it is read does not move the end that was there.
func TestEndOfGrowingPartition(t *testing.T) {
	b := newBench(t, 1)
	b.produce(0, "a", "b")
	end := b.end(0)
	b.produce(0, "c")
	equal(t, b.read(0, 0, end), []string{"a", "b"})
}

// What compaction takes away is stepped over.
func TestCompacted(t *testing.T) {
	config := map[string]*string{"cleanup.policy": ref("compact"), "min.cleanable.dirty.ratio": ref("0.001"),
		"segment.ms": ref("200"), "delete.retention.ms": ref("100")}
	var b *bench
	compact := func() {}
	if address := os.Getenv("BIZUMCTL_TEST_BROKERS"); address != "" {
		b = benchAt(t, address, 1, config)
	} else {
		fake := fakeCluster(t)
		b = benchAt(t, fake.ListenAddrs()[0], 1, config)
		compact = fake.Compact
	}
	put := func(client *kgo.Client, key string, value []byte) {
		r := &kgo.Record{Topic: b.topic, Key: []byte(key), Value: value}
		b.must(client.ProduceSync(b.ctx, r).FirstErr())
	}
	client := b.client(b.address)
	put(client, "k", []byte("k"))
	put(client, "k", nil)
	for {
		put(b.foreign, "z", []byte("z"))   // rolls the segment, so that what is before it can be compacted
		time.Sleep(700 * time.Millisecond) // how often Kafka's cleaner looks, and a little
		compact()
		start, err := b.cluster.Offset(b.ctx, b.topic, 0, kafka.Start)
		b.must(err)
		if b.read(0, start, b.end(0))[0] == "z" {
			return
		}
	}
}

// A fetch that brings nothing but batches which compaction has emptied moves the position over them. Without the
// client's unexported field (see afterEmpty) this reads for ever.
func TestEmptiedBatches(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	b.produce(0, "a", "b", "c")
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fetch := request.(*kmsg.FetchRequest)
		if fetch.Topics[0].Partitions[0].FetchOffset > 1 {
			return nil, nil, false
		}
		fake.KeepControl()
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.HighWatermark, partition.LastStableOffset = 3, 3
		partition.RecordBatches = emptied(0, 1)
		response := fetch.ResponseKind().(*kmsg.FetchResponse)
		response.Topics = []kmsg.FetchResponseTopic{{Topic: b.topic,
			Partitions: []kmsg.FetchResponseTopicPartition{partition}}}
		return response, nil, true
	})
	equal(t, b.read(0, 0, 3), []string{"c"})
}

// emptied is a batch of the offsets first to last without its records.
func emptied(first, last int64) []byte {
	return seal(kmsg.RecordBatch{FirstOffset: first, Magic: 2, LastOffsetDelta: int32(last - first), ProducerID: 1})
}

// seal encodes a batch with its length and checksum.
func seal(batch kmsg.RecordBatch) []byte {
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	batch.CRC = int32(crc32.Checksum(batch.AppendTo(nil)[21:], crc32.MakeTable(crc32.Castagnoli)))
	return batch.AppendTo(nil)
}

func ref(s string) *string { return &s }

func fakeCluster(t *testing.T, options ...kfake.Opt) *kfake.Cluster {
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

// A position outside the log is an error that says what is gone, never a jump.
func TestOutOfRange(t *testing.T) {
	b := newBench(t, 1)
	b.produce(0, numbers(0, 10)...)
	_, err := b.admin.DeleteRecords(b.ctx, kadm.Offsets{b.topic: {0: {Topic: b.topic, Partition: 0, At: 4}}})
	b.must(err)
	for _, position := range []int64{2, 20} {
		err := b.cluster.Read(b.ctx, b.topic, 0, position, func(kafka.Batch) error { return errDone })
		var out *kafka.OutOfRangeError
		if !errors.As(err, &out) || out.Start != 4 || out.End != 10 || out.Position != position {
			t.Errorf("from %d: %v", position, err)
		}
	}
}

// Each retriable error of the broker, and each way of losing a connection, leaves every record there once, in order.
func TestFaults(t *testing.T) {
	produce := []kmsg.Key{kmsg.Produce}
	for name, fault := range map[string]kfake.Fault{
		"leader moved":         {Keys: produce, Err: kerr.NotLeaderForPartition, Count: 2},
		"took it, said not":    {Keys: produce, Err: kerr.RequestTimedOut, Count: 2},
		"too few replicas":     {Keys: produce, Err: kerr.NotEnoughReplicasAfterAppend, Count: 2},
		"storage":              {Keys: produce, Err: kerr.KafkaStorageError, Count: 2},
		"unknown topic":        {Keys: produce, Err: kerr.UnknownTopicOrPartition, Count: 1},
		"fetch: leader moved":  {Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 2},
		"fetch: behind":        {Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetOutOfRange, Count: 1},
		"fetch: storage":       {Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.KafkaStorageError, Count: 2},
		"offsets: no leader":   {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: 2},
		"offsets: unavailable": {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.OffsetNotAvailable, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeCluster(t)
			b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
			w := b.writer(kafka.WriterConfig{Compression: "zstd"})
			want := numbers(0, 100_000) // several batches in flight
			handle := fake.Fault(fault)
			b.write(w, want...)
			equal(t, b.read(0, 0, b.end(0)), want)
			if handle.Hits() == 0 {
				t.Error("the fault was never met")
			}
		})
	}
}

// Sequence numbers begin again at 0 after 2^31-1, as the broker expects.
func TestSequenceWraps(t *testing.T) {
	if os.Getenv("BIZUMCTL_TEST_BROKERS") == "" {
		t.Skip("needs a real Kafka: the embedded broker begins again one number too early, after 2^31-2")
	}
	b := newBench(t, 1)
	w := b.writer(kafka.WriterConfig{})
	w.SetSequence(math.MaxInt32 - 24)
	for i := range 10 {
		b.write(w, numbers(10*i, 10*i+10)...)
	}
	equal(t, b.read(0, 0, b.end(0)), numbers(0, 100))
}

// The leader moves from broker to broker under full load: every record is there once, in order.
func TestLeaderMoves(t *testing.T) {
	fake := fakeCluster(t, kfake.NumBrokers(3))
	b := benchAt(t, fake.ListenAddrs()[0], 2, nil)
	w := b.writer(kafka.WriterConfig{Compression: "zstd"})
	const total = 400_000
	read := make(chan []string, 2)
	for p := range int32(2) {
		go func() {
			var seen []string
			_ = b.cluster.Read(b.ctx, b.topic, p, 0, func(batch kafka.Batch) error {
				for r := range batch.Records {
					seen = append(seen, string(r.Value))
				}
				if len(seen) >= total/2 {
					return errDone
				}
				return nil
			})
			read <- seen
		}()
	}
	for i := range total {
		if i%(total/20) == 0 {
			for p := range int32(2) {
				b.must(fake.MoveTopicPartition(b.topic, p, int32(i/(total/20)+int(p))%3))
			}
		}
		b.must(w.Append(b.ctx, nil, strconv.AppendInt(nil, int64(i/2), 10), 0, 0)) // to the partitions in turn
	}
	b.must(w.Flush(b.ctx))
	for range 2 {
		equal(t, <-read, numbers(0, total/2))
	}
}

// refusal responds to a produce request with an error for each of its partitions.
func refusal(request kmsg.Request, code int16) kmsg.Response {
	produce := request.(*kmsg.ProduceRequest)
	response := produce.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range produce.Topics {
		result := kmsg.ProduceResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			partition := kmsg.NewProduceResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, code
			result.Partitions = append(result.Partitions, partition)
		}
		response.Topics = append(response.Topics, result)
	}
	return response
}

// The very first batch of a producer is refused while others are waiting to go: a broker that knows nothing of the
// producer would take the second one first.
func TestFirstBatchRefused(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	b.produce(0, "before")
	w := b.writer(kafka.WriterConfig{Compression: "zstd"})
	want := numbers(0, 100_000)
	filled := make(chan struct{})
	fake.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		select { // until others are in flight, if the writer lets them
		case <-filled:
		case <-time.After(300 * time.Millisecond):
		}
		return refusal(request, kerr.NotEnoughReplicas.Code), nil, true
	})
	for _, v := range want {
		b.must(w.Append(b.ctx, []byte("cuenta"), []byte(v), 0, 0))
	}
	close(filled)
	b.must(w.Flush(b.ctx))
	equal(t, b.read(0, 1, b.end(0)), want)
}

// A broker that was slow for a moment does not leave the Writer sending a few records at a time ever after.
func TestBatchesStayFull(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 3, nil)
	w := b.writer(kafka.WriterConfig{})
	var requests atomic.Int64
	fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		requests.Add(1)
		time.Sleep(2 * time.Millisecond) // a broker slower than we are
		return nil, nil, false
	})
	const total = 300_000
	for i := range total {
		key := strconv.AppendInt(nil, int64(i*i%1009), 10)
		b.must(w.Append(b.ctx, key, []byte("Maria;20.35;Cena;ENVIO"), 0, 0))
	}
	b.must(w.Flush(b.ctx))
	if n := requests.Load(); n > total/1000 {
		t.Errorf("%d requests for %d records", n, total)
	}
}

// Records of a transaction are seen once it is committed, and never when it is aborted.
func TestTransactionalBatches(t *testing.T) {
	b := newBench(t, 1)
	id := b.topic
	client := b.client(b.address, kgo.MaxVersions(kversion.V2_8_0())) // newer ones bump the epoch at each end
	begin := kmsg.NewPtrInitProducerIDRequest()
	begin.TransactionalID, begin.TransactionTimeoutMillis = &id, 10_000
	begun, err := begin.RequestWith(b.ctx, client)
	b.must(errors.Join(err, kerr.ErrorForCode(begun.ErrorCode)))
	w := b.writer(kafka.WriterConfig{
		Producer: kafka.Producer{TransactionalID: id, ID: begun.ProducerID, Epoch: begun.ProducerEpoch}})
	transaction := func(commit bool, values ...string) {
		add := kmsg.NewPtrAddPartitionsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch = id, begun.ProducerID, begun.ProducerEpoch
		add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: b.topic, Partitions: []int32{0}}}
		for code := kerr.ConcurrentTransactions.Code; code == kerr.ConcurrentTransactions.Code; {
			added, err := add.RequestWith(b.ctx, client) // the one before may still be ending
			b.must(err)
			code = added.Topics[0].Partitions[0].ErrorCode
			if code != kerr.ConcurrentTransactions.Code {
				b.must(kerr.ErrorForCode(code))
			}
		}
		before := b.end(0)
		b.write(w, values...)
		if end := b.end(0); end != before {
			t.Errorf("what is not committed moved the end from %d to %d", before, end)
		}
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch = id, begun.ProducerID, begun.ProducerEpoch
		end.Commit = commit
		ended, err := end.RequestWith(b.ctx, client)
		b.must(errors.Join(err, kerr.ErrorForCode(ended.ErrorCode)))
	}
	transaction(true, "a", "b")
	b.awaitEnd(0, 3)
	transaction(false, "no")
	b.awaitEnd(0, 5)
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b"})
	transaction(true, "c") // by the producer whose last one was aborted
	b.awaitEnd(0, 7)
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b", "c"})
}

// A broker that cuts the first requests for a producer id gets more.
func TestProducerIDRefused(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	var asked atomic.Int32
	fake.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if asked.Add(1) <= 2 {
			return nil, errors.New("cut"), true
		}
		return nil, nil, false
	})
	b.write(b.writer(kafka.WriterConfig{}), "a")
	equal(t, b.read(0, 0, b.end(0)), []string{"a"})
}

// A transaction that the broker takes for completed, but whose marker is missing where it matters, is ended by the new
// owner. No broker of the tests can be made to lose a marker, so one pretends to, until a transaction that has all of
// ours in it has ended.
func TestHangingTransaction(t *testing.T) {
	for _, lost := range []string{"position", "output"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			fake := fakeCluster(t, kfake.GroupMinSessionTimeout(time.Second))
			b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
			output, rejected := b.topic+".output", b.topic+".rejected"
			_, err := b.admin.CreateTopics(b.ctx, 1, -1, nil, output, rejected)
			b.must(err)
			topic, err := b.cluster.Topic(b.ctx, b.topic)
			b.must(err)
			var asked atomic.Int32
			hangs, part := true, map[string]bool{} // what is in the transaction
			control := func(key kmsg.Key, respond func(kmsg.Request) kmsg.Response) {
				fake.ControlKey(int16(key), func(request kmsg.Request) (kmsg.Response, error, bool) {
					fake.KeepControl()
					response := respond(request)
					return response, nil, response != nil
				})
			}
			control(kmsg.OffsetFetch, func(request kmsg.Request) kmsg.Response {
				r := request.(*kmsg.OffsetFetchRequest)
				if lost != "position" || !hangs || !r.RequireStable {
					return nil
				}
				asked.Add(1)
				response := r.ResponseKind().(*kmsg.OffsetFetchResponse)
				response.Topics = []kmsg.OffsetFetchResponseTopic{{Topic: b.topic,
					Partitions: []kmsg.OffsetFetchResponseTopicPartition{{ErrorCode: kerr.UnstableOffsetCommit.Code}}}}
				return response
			})
			control(kmsg.ListOffsets, func(request kmsg.Request) kmsg.Response {
				r := request.(*kmsg.ListOffsetsRequest)
				if lost != "output" || !hangs || r.IsolationLevel == 0 || r.Topics[0].Topic != output {
					return nil
				}
				asked.Add(1)
				response := r.ResponseKind().(*kmsg.ListOffsetsResponse)
				response.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: output,
					Partitions: []kmsg.ListOffsetsResponseTopicPartition{{Timestamp: -1, Offset: 0}}}}
				return response
			})
			control(kmsg.AddPartitionsToTxn, func(request kmsg.Request) kmsg.Response {
				for _, topic := range request.(*kmsg.AddPartitionsToTxnRequest).Topics {
					part[topic.Topic] = true
				}
				return nil
			})
			control(kmsg.AddOffsetsToTxn, func(request kmsg.Request) kmsg.Response {
				part[request.(*kmsg.AddOffsetsToTxnRequest).Group] = true
				return nil
			})
			control(kmsg.EndTxn, func(request kmsg.Request) kmsg.Response {
				if part[output] && part[rejected] && part["group"] && !request.(*kmsg.EndTxnRequest).Commit {
					hangs = false
				}
				return nil
			})
			r := &kgo.Record{Topic: output, Value: []byte("whose end is missing")}
			b.must(b.foreign.ProduceSync(b.ctx, r).FirstErr())

			group, err := b.cluster.Group("group", b.topic)
			b.must(err)
			defer group.Close()
			err = group.Run(b.ctx, func(ctx context.Context, claim *kafka.Claim) error {
				log := b.cluster.PartitionLog(kafka.PartitionLogConfig{Group: "group", Source: b.topic,
					SourceID: topic.ID, Outputs: []string{output, rejected}, Partition: claim.Partition})
				defer log.Close()
				transactional := claim.Transactional(log)
				defer transactional.Close()
				if err := transactional.Fence(ctx); err != nil {
					return err
				}
				position, _, err := log.Committed(ctx)
				if err != nil {
					return err
				}
				_, end, err := log.ReadToEnd(ctx, output, 0, 0, func(*record.Record) error { return nil })
				if position != -1 || end < 1 {
					t.Errorf("position %d, output ends at %d", position, end)
				}
				return cmp.Or(err, errDone)
			})
			if !errors.Is(err, errDone) {
				t.Error(err)
			}
			if asked.Load() == 0 {
				t.Error("nobody asked")
			}
		})
	}
}

// A session that ends while a request is retried is joined again: what ended it, a heartbeat that was cut, is no
// response.
func TestSessionEndsInAWait(t *testing.T) {
	fake := fakeCluster(t, kfake.GroupMinSessionTimeout(time.Second))
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	loading, beats := true, 0
	fake.ControlKey(int16(kmsg.OffsetFetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := request.(*kmsg.OffsetFetchRequest)
		if !r.RequireStable || !loading {
			return nil, nil, false
		}
		response := r.ResponseKind().(*kmsg.OffsetFetchResponse)
		response.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return response, nil, true
	})
	fake.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		beats++
		loading = beats < 4
		if beats < 2 || beats > 4 {
			return nil, nil, false
		}
		return nil, errors.New("cut"), true
	})
	group, err := b.cluster.Group("group", b.topic)
	b.must(err)
	defer group.Close()
	sessions := 0
	err = group.Run(b.ctx, func(ctx context.Context, claim *kafka.Claim) error {
		sessions++
		_, err := group.Committed(ctx, []int32{0})
		return cmp.Or(err, errDone)
	})
	if !errors.Is(err, errDone) || sessions < 2 {
		t.Errorf("after %d sessions: %v", sessions, err)
	}
}

// slowListener's next connection responds only after a while.
type slowListener struct {
	net.Listener
	while atomic.Int64
}

func (l *slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if while := l.while.Swap(0); while > 0 {
		conn = &slowConn{Conn: conn, while: time.Duration(while)}
	}
	return conn, err
}

type slowConn struct {
	net.Conn
	once  sync.Once
	while time.Duration
}

func (c *slowConn) Read(b []byte) (int, error) {
	c.once.Do(func() { time.Sleep(c.while) })
	return c.Conn.Read(b)
}

// A broker that hangs just as we connect gives sarama the response to another request. That is no error, and no sign of
// a corrupt log.
func TestLateResponse(t *testing.T) {
	var listener *slowListener
	fake := fakeCluster(t, kfake.ListenFn(func(string, string) (net.Listener, error) {
		l, err := net.Listen("tcp", "localhost:0")
		listener = &slowListener{Listener: l}
		return listener, err
	}))
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	b.produce(0, "a")
	_, err := b.cluster.Partitions(b.ctx, b.topic)
	b.must(err)
	listener.while.Store(int64(2500 * time.Millisecond)) // look-ups wait 2 s
	if end := b.end(0); end != 1 {
		t.Errorf("end %d", end)
	}
}

// What is missing stays missing, and what is empty stays empty.
func TestMissingAndEmpty(t *testing.T) {
	b := newBench(t, 1)
	w := b.writer(kafka.WriterConfig{})
	b.must(w.Append(b.ctx, nil, []byte{}, 0, 0))
	b.must(w.Append(b.ctx, []byte{}, nil, 0, 0))
	b.must(w.Append(b.ctx, []byte("k"), []byte("v"), 0, 0, kafka.Header{Key: "reason", Value: []byte("r")}))
	b.must(w.Flush(b.ctx))
	var got []string
	log := b.cluster.PartitionLog(kafka.PartitionLogConfig{})
	defer log.Close()
	_, _, err := log.ReadToEnd(b.ctx, b.topic, 0, 0, func(r *record.Record) error {
		got = append(got, fmt.Sprintf("%#v %#v %q", r.Key, r.Value, r.Headers.Get("reason")))
		return nil
	})
	b.must(err)
	equal(t, got, []string{`[]byte(nil) []byte{} ""`, `[]byte{} []byte(nil) ""`, `[]byte{0x6b} []byte{0x76} "r"`})
}

// deafListener accepts connections, but while deaf hands none on.
type deafListener struct {
	net.Listener
	deaf atomic.Bool
}

func (l *deafListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.deaf.Load() {
			return conn, err
		}
	}
}

// A leader that hangs does not keep the Writer from being closed.
func TestCloseWhileConnecting(t *testing.T) {
	var listener *deafListener
	fake := fakeCluster(t, kfake.ListenFn(func(string, string) (net.Listener, error) {
		l, err := net.Listen("tcp", "localhost:0")
		listener = &deafListener{Listener: l}
		return listener, err
	}))
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	w := b.writer(kafka.WriterConfig{})
	listener.deaf.Store(true) // before the writer connects, which it does for the first batch
	b.must(w.Append(b.ctx, nil, []byte("x"), 0, 0))
	ctx, cancel := context.WithTimeout(b.ctx, 500*time.Millisecond)
	defer cancel()
	if err := w.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	began := time.Now()
	w.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("closing took %v", took)
	}
}

// A partition without a leader is no reason not to read the others.
func TestLeaderless(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 2, nil)
	b.produce(0, "a")
	fake.ControlKey(int16(kmsg.Metadata), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		host, port, _ := net.SplitHostPort(b.address)
		number, _ := strconv.Atoi(port)
		response := request.ResponseKind().(*kmsg.MetadataResponse)
		response.Brokers = []kmsg.MetadataResponseBroker{{Host: host, Port: int32(number)}}
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = &b.topic
		for p := range int32(2) {
			partition := kmsg.NewMetadataResponseTopicPartition()
			partition.Partition, partition.Replicas, partition.ISR = p, []int32{0}, []int32{0}
			if p == 1 {
				partition.Leader, partition.ErrorCode = -1, kerr.LeaderNotAvailable.Code
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		response.Topics = append(response.Topics, topic)
		return response, nil, true
	})
	if list, err := b.cluster.Partitions(b.ctx, b.topic); err != nil || len(list) != 2 {
		t.Errorf("partitions %v, %v", list, err)
	}
	equal(t, b.read(0, 0, 1), []string{"a"})
}

// An error that no waiting mends ends the Writer, and the count of what was delivered is right.
func TestLastingError(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	w := b.writer(kafka.WriterConfig{})
	b.write(w, "a", "b")
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	b.must(w.Append(b.ctx, nil, []byte("c"), 0, 0))
	if err := w.Flush(b.ctx); err == nil || w.Pending() != 1 {
		t.Errorf("flush: %v, pending: %d; want an error and 1", err, w.Pending())
	}
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b"})
}

// A broker that refuses for good, with a retriable error, is an error after a while.
func TestRefusedForGood(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	w := b.writer(kafka.WriterConfig{GiveUp: 300 * time.Millisecond})
	b.write(w, "a", "b")
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1})
	b.must(w.Append(b.ctx, nil, []byte("c"), 0, 0))
	if err := w.Flush(b.ctx); err == nil || !strings.Contains(err.Error(), "refused for 300ms") || w.Pending() != 1 {
		t.Errorf("flush: %v, pending: %d; want 1", err, w.Pending())
	}
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b"})
}

// A batch larger than the topic takes is split until it fits; a record that is too large by itself is an error.
func TestTooLarge(t *testing.T) {
	address := os.Getenv("BIZUMCTL_TEST_BROKERS")
	if address == "" {
		address = fakeCluster(t).ListenAddrs()[0]
	}
	b := benchAt(t, address, 1, map[string]*string{"max.message.bytes": ref("20000")})
	w := b.writer(kafka.WriterConfig{})
	want := numbers(0, 30_000)
	b.write(w, want...)
	equal(t, b.read(0, 0, b.end(0)), want)
	b.must(w.Append(b.ctx, nil, make([]byte, 30_000), 0, 0))
	if err := w.Flush(b.ctx); err == nil || w.Pending() != 1 {
		t.Errorf("flush: %v, pending: %d; want an error and 1", err, w.Pending())
	}
}

// A record larger than what a fetch asks for is read all the same, and those around it.
func TestLargeRecord(t *testing.T) {
	address := os.Getenv("BIZUMCTL_TEST_BROKERS")
	if address == "" {
		address = fakeCluster(t).ListenAddrs()[0]
	}
	b := benchAt(t, address, 1, map[string]*string{"max.message.bytes": ref("12000000")})
	large := strings.Repeat("x", 10<<20)
	b.produce(0, "a")
	client := b.client(address, kgo.ProducerBatchMaxBytes(11<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	b.must(client.ProduceSync(b.ctx, &kgo.Record{Topic: b.topic, Value: []byte(large)}).FirstErr())
	b.produce(0, "b")
	equal(t, b.read(0, 0, b.end(0)), []string{"a", large, "b"})
}

// A corrupt batch stops reading, after the good ones before it, with its offset.
func TestCorruptBatch(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	b.produce(0, "a", "b")
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		fetch := request.(*kmsg.FetchRequest)
		asked := fetch.Topics[0].Partitions[0]
		good, bad := batchOf(0, "a"), batchOf(1, "b")
		bad[len(bad)-1] ^= 1
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.HighWatermark, partition.LastStableOffset = 2, 2
		switch {
		case asked.FetchOffset == 1:
			partition.RecordBatches = bad
		case asked.PartitionMaxBytes == 1: // one batch at least, as Kafka returns
			partition.RecordBatches = good
		default:
			partition.RecordBatches = append(good, bad...)
		}
		response := fetch.ResponseKind().(*kmsg.FetchResponse)
		response.Topics = []kmsg.FetchResponseTopic{{Topic: b.topic,
			Partitions: []kmsg.FetchResponseTopicPartition{partition}}}
		return response, nil, true
	})
	var got []string
	err := b.cluster.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
		for r := range batch.Records {
			got = append(got, string(r.Value))
		}
		return nil
	})
	equal(t, got, []string{"a"})
	if want := "corrupt batch at " + b.topic + "/0@1: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// A batch that decompresses to less than it claims is corrupt, though its checksum is right.
func TestTruncatedCompression(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	b.produce(0, "a")
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.HighWatermark, partition.LastStableOffset = 1, 1
		partition.RecordBatches = seal(kmsg.RecordBatch{Magic: 2, Attributes: 1, ProducerID: -1, NumRecords: 1,
			Records: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, 2}}) // the beginning of a gzip
		response := request.ResponseKind().(*kmsg.FetchResponse)
		response.Topics = []kmsg.FetchResponseTopic{{Topic: b.topic,
			Partitions: []kmsg.FetchResponseTopicPartition{partition}}}
		return response, nil, true
	})
	err := b.cluster.Read(b.ctx, b.topic, 0, 0, func(kafka.Batch) error { return nil })
	if want := "corrupt batch at " + b.topic + "/0@0: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// batchOf is a record batch of one record.
func batchOf(offset int64, value string) []byte {
	r := kmsg.Record{Value: []byte(value)}
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	batch := kmsg.RecordBatch{FirstOffset: offset, Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: 1, Records: r.AppendTo(nil)}
	return seal(batch)
}

// A broker that goes away and comes back loses and doubles nothing, neither in writing nor in reading.
func TestOutage(t *testing.T) {
	dir := t.TempDir()
	broker, err := devbroker.Start("localhost:0", dir)
	if err != nil {
		t.Fatal(err)
	}
	address := broker.Address()
	b := benchAt(t, address, 1, nil)
	w := b.writer(kafka.WriterConfig{Compression: "zstd"})
	const total = 200_000
	read := make(chan []string, 1)
	var seen []string
	go func() {
		_ = b.cluster.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
			for r := range batch.Records {
				seen = append(seen, string(r.Value))
			}
			if len(seen) >= total {
				return errDone
			}
			return nil
		})
		read <- seen
	}()
	want := numbers(0, total)
	for i, v := range want {
		if i%(total/5) == total/10 {
			w.Push()
			broker.Close()
			if broker, err = devbroker.Start(address, dir); err != nil {
				t.Fatal(err)
			}
		}
		b.must(w.Append(b.ctx, nil, []byte(v), 0, 0))
	}
	b.must(w.Flush(b.ctx))
	equal(t, <-read, want)
	broker.Close()
}

// Offsets are found by time; a time after every record is the end.
func TestOffsetByTime(t *testing.T) {
	b := newBench(t, 1)
	w := b.writer(kafka.WriterConfig{})
	for i := range int64(10) {
		b.must(w.Append(b.ctx, nil, []byte("x"), 1_700_000_000_000+i*1000, 0))
	}
	b.must(w.Flush(b.ctx))
	for at, want := range map[int64]int64{
		kafka.Start: 0, kafka.End: 10, 1_700_000_004_000: 4, 1_700_000_003_500: 4, 1_800_000_000_000: 10,
	} {
		if got, err := b.cluster.Offset(b.ctx, b.topic, 0, at); err != nil || got != want {
			t.Errorf("offset at %d: %d, %v; want %d", at, got, err, want)
		}
	}
}

// A missing topic is an error of its own; creating it twice is not.
func TestTopic(t *testing.T) {
	b := newBench(t, 0)
	if _, err := b.cluster.Partitions(b.ctx, b.topic); !errors.Is(err, kafka.ErrNoTopic) {
		t.Fatalf("missing topic: %v", err)
	}
	t.Cleanup(func() { _, _ = b.admin.DeleteTopic(context.Background(), b.topic) })
	for _, want := range []bool{true, false} {
		if created, err := b.cluster.CreateTopic(b.ctx, b.topic, kafka.TopicSpec{Partitions: 3, Settings: map[string]string{"retention.ms": "-1"}}); err != nil || created != want {
			t.Fatalf("created %v, %v; want %v", created, err, want)
		}
	}
	if list, err := b.cluster.Partitions(b.ctx, b.topic); err != nil || len(list) != 3 {
		t.Fatalf("partitions %v, %v", list, err)
	}
	configs, err := b.admin.DescribeTopicConfigs(b.ctx, b.topic)
	b.must(err)
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" && c.MaybeValue() != "-1" {
			t.Errorf("retention.ms=%s", c.MaybeValue())
		}
	}
}

// Two members share the partitions; what one committed the next goes on from; a member that leaves is gone at once.
func TestGroup(t *testing.T) {
	b := newBench(t, 4)
	for p := range int32(4) {
		b.produce(p, "a", "b")
	}
	type owned struct {
		member    int
		partition int32
	}
	taken := make(chan owned, 100)
	join := func(member int) (leave func()) {
		cluster := open(t, b.address)
		group, err := cluster.Group(b.topic, b.topic)
		b.must(err)
		ctx, cancel := context.WithCancel(b.ctx)
		done := make(chan error, 1)
		go func() {
			done <- group.Run(ctx, func(ctx context.Context, claim *kafka.Claim) error {
				taken <- owned{member, claim.Partition}
				<-ctx.Done()
				return claim.Commit(context.WithoutCancel(ctx), int64(member))
			})
		}()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			group.Close()
		}
	}
	// await waits until each member has taken so many partitions since it last did
	await := func(want map[int]int) {
		t.Helper()
		got := make(map[int]map[int32]bool)
		for {
			select {
			case o := <-taken:
				if got[o.member] == nil || len(got[o.member]) == want[o.member] {
					got[o.member] = make(map[int32]bool)
				}
				got[o.member][o.partition] = true
			case <-b.ctx.Done():
				t.Fatalf("got %v, want %v partitions", got, want)
			}
			all := true
			for member, n := range want {
				all = all && len(got[member]) == n
			}
			if all {
				return
			}
		}
	}
	leave1 := join(1)
	await(map[int]int{1: 4})
	leave2 := join(2)
	await(map[int]int{1: 2, 2: 2})
	began := time.Now()
	leave1()
	await(map[int]int{2: 4})
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("taking over from a member that left took %v", took)
	}
	leave2()
	group, err := b.cluster.Group(b.topic, b.topic)
	b.must(err)
	defer group.Close()
	positions, err := group.Committed(b.ctx, []int32{0, 1, 2, 3})
	b.must(err)
	for p, position := range positions {
		if position.Offset != 2 {
			t.Errorf("position of %d is %d, want what the last owner committed", p, position.Offset)
		}
	}
}

// A topic that is deleted and recreated while it is read is not taken for the old one, however long it is.
func TestTopicRecreated(t *testing.T) {
	address, forget := os.Getenv("BIZUMCTL_TEST_BROKERS"), func() {}
	if address == "" { // forgets its topics when it is started again
		broker, err := devbroker.Start("localhost:0", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { broker.Close() })
		address = broker.Address()
		forget = func() {
			broker.Close()
			if broker, err = devbroker.Start(address, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := benchAt(t, address, 1, nil)
	b.produce(0, "a", "b")
	read, ended := make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- b.cluster.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
			for r := range batch.Records {
				read <- string(r.Value)
			}
			return nil
		})
	}()
	equal(t, []string{<-read, <-read}, []string{"a", "b"})
	_, err := b.admin.DeleteTopic(b.ctx, b.topic)
	b.must(err)
	forget()
	fresh, created := open(t, address), false
	for !created { // Kafka takes its time to forget the name
		b.must(b.ctx.Err())
		created, err = fresh.CreateTopic(b.ctx, b.topic, kafka.TopicSpec{Partitions: 1})
		b.must(err)
	}
	w, err := fresh.NewWriter(b.ctx, b.topic, kafka.WriterConfig{Compression: "none"})
	b.must(err)
	defer w.Close()
	b.write(w, numbers(0, 5)...)
	if err := <-ended; !errors.Is(err, kafka.ErrNewTopic) || len(read) > 0 {
		t.Errorf("%v and %d records, want none and: %v", err, len(read), kafka.ErrNewTopic)
	}
}

// The coordinator goes away while positions are asked for, and comes back.
func TestCoordinatorOutage(t *testing.T) {
	dir := t.TempDir()
	broker, err := devbroker.Start("localhost:0", dir)
	if err != nil {
		t.Fatal(err)
	}
	address := broker.Address()
	b := benchAt(t, address, 1, nil)
	group, err := b.cluster.Group("g", b.topic)
	b.must(err)
	defer group.Close()
	_, err = group.Committed(b.ctx, []int32{0})
	b.must(err)
	broker.Close()
	ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer cancel()
	if positions, err := group.Committed(ctx, []int32{0}); err == nil {
		t.Fatalf("%v, %v", positions, err)
	}
	if broker, err = devbroker.Start(address, dir); err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	if positions, err := group.Committed(b.ctx, []int32{0}); err != nil || positions[0].Offset != -1 {
		t.Fatalf("%v, %v", positions, err)
	}
}

// Nothing there is one error, soon, with the address.
func TestUnreachable(t *testing.T) {
	for _, address := range []string{"localhost:1", "no-such-host.invalid:9092", muteServer(t)} {
		began := time.Now()
		_, err := open(t, address).Partitions(context.Background(), "bizums")
		if !errors.Is(err, kafka.ErrUnreachable) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", address, took)
		}
		t.Log(err)
	}
}

// muteServer accepts and never responds.
func muteServer(t *testing.T) string {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			if _, err := listener.Accept(); err != nil {
				return
			}
		}
	}()
	return listener.Addr().String()
}
