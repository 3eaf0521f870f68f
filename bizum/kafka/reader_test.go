package kafka_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/kafka/batch"
	"bizumctl/bizum/record"
)

// crafted is a record of a batch that no well-behaved producer makes.
type crafted struct {
	offset, timestamp int64 // differences
	value             string
	headers           []byte // encoded, with their number; nil: none
}

// append appends the record as it stands in a batch.
func (r crafted) append(b []byte) []byte {
	record := binary.AppendVarint([]byte{0}, r.timestamp)
	record = binary.AppendVarint(record, r.offset)
	record = binary.AppendVarint(record, -1)
	record = append(binary.AppendVarint(record, int64(len(r.value))), r.value...)
	if r.headers == nil {
		r.headers = []byte{0}
	}
	record = append(record, r.headers...)
	return append(binary.AppendVarint(b, int64(len(record))), record...)
}

// craft makes a batch; change may make it worse before its checksum is made.
func craft(change func(*kmsg.RecordBatch), records ...crafted) []byte {
	b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: int32(len(records)), LastOffsetDelta: int32(len(records) - 1)}
	for _, r := range records {
		b.Records = r.append(b.Records)
	}
	if change != nil {
		change(&b)
	}
	return seal(b)
}

func zstandard(b *kmsg.RecordBatch) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		panic(err)
	}
	b.Attributes, b.Records = 4, encoder.EncodeAll(b.Records, nil)
}

// send appends a batch to the topic as it stands.
func (b *bench) send(records []byte) {
	b.Helper()
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = records
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.Partitions = b.topic, []kmsg.ProduceRequestTopicPartition{partition}
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis, request.Topics = -1, 5000, []kmsg.ProduceRequestTopic{topic}
	client := b.client(b.address, kgo.MaxVersions(kversion.V2_8_0())) // that name a topic by its name
	response, err := client.SeedBrokers()[0].Request(b.ctx, request)
	b.must(err)
	b.must(kerr.ErrorForCode(response.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode))
}

// readUntil reads until an error.
func (b *bench) readUntil() (values []string, err error) {
	err = b.cluster.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
		for r := range batch.Records {
			values = append(values, string(r.Value))
		}
		return nil
	})
	return values, err
}

// Records that compress to less than a byte each are read.
func TestEqualRecords(t *testing.T) {
	b := newBench(t, 1)
	var want []string
	for range 10_000 {
		want = append(want, "Maria;20;Cena;RECEPCIÓN")
	}
	b.write(b.writer(kafka.WriterConfig{Compression: "zstd"}), want...)
	equal(t, b.read(0, 0, b.end(0)), want)
}

// A batch whose offsets are not what it says is refused as a whole, after the good one before it.
func TestOffsetsInBatch(t *testing.T) {
	good := craft(nil, crafted{0, 0, "a", nil}, crafted{1, 0, "b", nil}, crafted{2, 0, "c", nil})
	for name, bad := range map[string][]byte{
		"beyond the last": craft(nil, crafted{0, 0, "d", nil}, crafted{1 << 30, 0, "e", nil}, crafted{2, 0, "f", nil}),
		"repeated":        craft(nil, crafted{0, 0, "d", nil}, crafted{0, 0, "e", nil}, crafted{2, 0, "f", nil}),
		"last before first": craft(func(b *kmsg.RecordBatch) { b.LastOffsetDelta = -1 },
			crafted{0, 0, "d", nil}),
		"too many": craft(func(b *kmsg.RecordBatch) { b.NumRecords = 4 }, crafted{0, 0, "d", nil}),
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeCluster(t)
			b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
			binary.BigEndian.PutUint64(bad, 3)
			b.serve(fake, append(bytes.Clone(good), bad...))
			values, err := b.readUntil()
			equal(t, values, []string{"a", "b", "c"})
			if want := "corrupt batch at " + b.topic + "/0@3: "; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// A damaged header that seems to lie before the position is a corrupt batch too, and nothing after it is read.
func TestDamagedBefore(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	b.produce(0, "a", "b", "c")
	damaged := craft(nil, crafted{0, 0, "a", nil}, crafted{1, 0, "b", nil})
	const atLastOffsetDelta = 23
	binary.BigEndian.PutUint32(damaged[atLastOffsetDelta:], 0)
	binary.BigEndian.PutUint32(damaged[atLastOffsetDelta+34:], 1) // and as many records
	next := craft(nil, crafted{0, 0, "c", nil})
	binary.BigEndian.PutUint64(next, 2)
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return b.fetched(request, append(damaged, next...)), nil, true
	})
	err := b.cluster.Read(b.ctx, b.topic, 0, 1, func(batch kafka.Batch) error {
		for r := range batch.Records {
			t.Errorf("%q was read", r.Value)
		}
		return nil
	})
	if want := "corrupt batch at " + b.topic + "/0@1: checksum "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// A broker that never sends more than a part of a batch is not asked for ever.
func TestNeverWhole(t *testing.T) {
	whole := craft(nil, crafted{0, 0, "a", nil})
	for _, part := range [][]byte{whole[:5], whole[:len(whole)-1]} {
		fake := fakeCluster(t)
		b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
		b.serve(fake, part)
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		b.ctx = ctx
		_, err := b.readUntil()
		want := "corrupt batch at " + b.topic + "/0@0: the broker sends only a part of it"
		if err == nil || err.Error() != want {
			t.Errorf("%d bytes: %v, want %s", len(part), err, want)
		}
	}
}

// The same on a log that takes such a batch, as Kafka 4.3 does.
func TestOffsetsInLog(t *testing.T) {
	b := newBench(t, 1)
	b.send(craft(nil, crafted{0, 0, "a", nil}, crafted{1, 0, "b", nil}, crafted{2, 0, "c", nil}))
	b.send(craft(nil, crafted{0, 0, "d", nil}, crafted{1 << 30, 0, "e", nil}, crafted{2, 0, "f", nil}))
	b.produce(0, "g")
	values, err := b.readUntil()
	equal(t, values, []string{"a", "b", "c"})
	if want := "corrupt batch at " + b.topic + "/0@3: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// serve responds to every fetch from the start with these batches.
func (b *bench) serve(fake interface {
	ControlKey(int16, func(kmsg.Request) (kmsg.Response, error, bool))
	KeepControl()
}, batches []byte) {
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if request.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset > 0 {
			return nil, nil, false
		}
		return b.fetched(request, batches), nil, true
	})
}

func (b *bench) fetched(request kmsg.Request, batches []byte) *kmsg.FetchResponse {
	partition := kmsg.NewFetchResponseTopicPartition()
	partition.HighWatermark, partition.LastStableOffset, partition.RecordBatches = 1000, 1000, batches
	response := request.ResponseKind().(*kmsg.FetchResponse)
	response.Topics = []kmsg.FetchResponseTopic{{Topic: b.topic,
		Partitions: []kmsg.FetchResponseTopicPartition{partition}}}
	return response
}

// Timestamps are what the log has, whatever that is.
func TestTimestamps(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	var log []byte
	var want []int64
	for i, base := range []int64{-1, -2, 0, 1_700_000_000_000, 11_770_000_000_000, math.MaxInt64, math.MinInt64} {
		made := craft(func(b *kmsg.RecordBatch) { b.FirstTimestamp = base },
			crafted{0, 0, "x", nil}, crafted{1, 1, "x", nil}, crafted{2, math.MinInt64, "x", nil})
		binary.BigEndian.PutUint64(made, uint64(3*i))
		log = append(log, made...)
		want = append(want, base, base+1, base+math.MinInt64)
	}
	b.serve(fake, log)
	var got []int64
	err := b.cluster.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
		for r := range batch.Records {
			got = append(got, r.Timestamp)
		}
		return errDone
	})
	if !errors.Is(err, errDone) || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// heap collects garbage and returns what is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// A few kilobytes that decompress to gigabytes are refused, in bounded memory.
func TestBomb(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	headers := binary.AppendVarint(nil, 50_000_000)
	bomb := craft(zstandard, crafted{0, 0, "x", append(headers, make([]byte, 100_000_000)...)})
	runtime.GC()
	before := heap()
	binary.BigEndian.PutUint64(bomb, 1)
	b.serve(fake, append(craft(nil, crafted{0, 0, "a", nil}), bomb...))
	values, err := b.readUntil()
	equal(t, values, []string{"a"})
	if want := fmt.Sprintf("corrupt batch at %s/0@1: its records decompress to more than %d bytes", b.topic,
		batch.BytesMax); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if after := heap(); after > before+batch.BytesMax+100<<20 {
		t.Errorf("%d MiB, before %d MiB", after>>20, before>>20)
	}
}

// resident is what the process has of the machine's memory now.
func resident() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// Batches that are small in the log and large in memory are decompressed one at a time, however many partitions have
// them.
func TestManyCompressed(t *testing.T) {
	fake := fakeCluster(t)
	const partitions, batches, large = 2, 12, 16 << 20
	b := benchAt(t, fake.ListenAddrs()[0], partitions, nil)
	compressed := craft(zstandard, crafted{0, 0, strings.Repeat("x", large), nil})
	var log []byte
	for i := range uint64(batches) {
		binary.BigEndian.PutUint64(compressed, i)
		log = append(log, compressed...)
	}
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		response := b.fetched(request, log)
		response.Topics[0].Partitions[0].Partition = request.(*kmsg.FetchRequest).Topics[0].Partitions[0].Partition
		return response, nil, true
	})
	before := heap()
	var most atomic.Uint64
	var reading sync.WaitGroup
	for p := range int32(partitions) {
		reading.Go(func() {
			seen := 0
			err := b.cluster.Read(b.ctx, b.topic, p, 0, func(batch kafka.Batch) error {
				for r := range batch.Records {
					if len(r.Value) == large {
						seen++
					}
				}
				if now := resident(); now > most.Load() {
					most.Store(now)
				}
				if batch.Next == batches {
					return errDone
				}
				return nil
			})
			if !errors.Is(err, errDone) || seen != batches {
				t.Errorf("partition %d: %d batches: %v", p, seen, err)
			}
		})
	}
	reading.Wait()
	if after := most.Load(); after > before+batch.BytesMax+100<<20 {
		t.Errorf("%d MiB, before %d MiB", after>>20, before>>20)
	}
}

// first is the value of a batch's first record.
func first(b *kafka.Batch) []byte {
	for r := range b.Records {
		return r.Value
	}
	return nil
}

// Two hundred partitions share the memory of one.
func TestTwoHundredPartitions(t *testing.T) {
	for _, toEnd := range []bool{false, true} {
		t.Run(fmt.Sprintf("to the end %v", toEnd), func(t *testing.T) { twoHundredPartitions(t, toEnd) })
	}
}

func twoHundredPartitions(t *testing.T, toEnd bool) {
	fake := fakeCluster(t)
	const partitions, batches, records = 200, 2, 20_000
	b := benchAt(t, fake.ListenAddrs()[0], partitions, nil)
	const want = "Maria;20.35;Cena de los viernes;ENVIO"
	var many []crafted
	for i := range int64(records) {
		many = append(many, crafted{i, 0, want, nil})
	}
	compressed := craft(zstandard, many...) // a MB, decompressed
	var log []byte
	for i := range uint64(batches) {
		binary.BigEndian.PutUint64(compressed, i*records)
		log = append(log, compressed...)
	}
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		response := b.fetched(request, log)
		response.Topics[0].Partitions[0].Partition = request.(*kmsg.FetchRequest).Topics[0].Partitions[0].Partition
		return response, nil, true
	})
	fake.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		r := request.(*kmsg.ListOffsetsRequest)
		asked := r.Topics[0].Partitions[0]
		p := kmsg.ListOffsetsResponseTopicPartition{Partition: asked.Partition, Timestamp: -1}
		if asked.Timestamp == kafka.End {
			p.Offset = batches * records
		}
		response := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		response.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: b.topic,
			Partitions: []kmsg.ListOffsetsResponseTopicPartition{p}}}
		return response, nil, true
	})
	begin := make(chan struct{}) // by then all readers have ready what they may
	time.AfterFunc(500*time.Millisecond, func() { close(begin) })
	before := heap()
	var most atomic.Uint64
	var reading sync.WaitGroup
	for p := range int32(partitions) {
		reading.Go(func() {
			seen := 0
			each := func(value []byte) {
				if seen == 0 {
					<-begin
				}
				if string(value) != want {
					t.Errorf("partition %d: %q", p, value)
				}
				if now := resident(); now > most.Load() {
					most.Store(now)
				}
				seen++
			}
			var err error
			if toEnd {
				log := b.cluster.PartitionLog(kafka.PartitionLogConfig{})
				defer log.Close()
				_, _, err = log.ReadToEnd(b.ctx, b.topic, p, 0, func(r *record.Record) error {
					if r.Offset%records == 0 { // once a batch
						each(r.Value)
					}
					return nil
				})
			} else {
				err = b.cluster.Read(b.ctx, b.topic, p, 0, func(batch kafka.Batch) error {
					each(first(&batch))
					if batch.Next == batches*records {
						return errDone
					}
					return nil
				})
			}
			if err != nil && !errors.Is(err, errDone) || seen != batches {
				t.Errorf("partition %d: %d batches: %v", p, seen, err)
			}
		})
	}
	reading.Wait()
	if after := most.Load(); after > before+100<<20 {
		t.Errorf("%d MiB, before %d MiB", after>>20, before>>20)
	}
}

// cutter is a proxy to a broker. While it cuts, it ends each connection in the middle of a response.
type cutter struct {
	net.Listener
	target  string
	cutting atomic.Bool
	cuts    atomic.Int32
}

func newCutter(t *testing.T, target string) *cutter {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: listener, target: target}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
	return c
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	broker, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer broker.Close()
	go func() {
		_, _ = io.Copy(broker, client)
		broker.Close()
	}()
	part := make([]byte, 32<<10)
	for {
		n, err := broker.Read(part)
		if n > 1000 && c.cutting.Load() {
			_, _ = client.Write(part[:n/2])
			c.cuts.Add(1)
			return
		}
		if _, failed := client.Write(part[:n]); failed != nil || err != nil {
			return
		}
	}
}

// A response that is cut in the middle is no corruption: the fetch is retried.
func TestCutResponses(t *testing.T) {
	fake := fakeCluster(t) // a real broker would name its own address, not the proxy's
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	proxy := newCutter(t, b.address)
	host, port, _ := net.SplitHostPort(proxy.Addr().String())
	fake.ControlKey(int16(kmsg.Metadata), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return b.metadataOf(request, host, port), nil, true
	})
	want := numbers(0, 100_000)
	foreign := b.writer(kafka.WriterConfig{})
	b.write(foreign, want...)
	proxy.cutting.Store(true)
	through := open(t, proxy.Addr().String())
	var got []string
	first := make(chan struct{})
	time.AfterFunc(500*time.Millisecond, func() { proxy.cutting.Store(false); close(first) })
	err := through.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
		for r := range batch.Records {
			got = append(got, string(r.Value))
		}
		if len(got) >= len(want) {
			return errDone
		}
		return nil
	})
	<-first
	equal(t, got, want)
	if !errors.Is(err, errDone) || proxy.cuts.Load() == 0 {
		t.Errorf("%v, after %d cuts", err, proxy.cuts.Load())
	}
}

// metadataOf is the Metadata response of a cluster whose one broker is at an address.
func (b *bench) metadataOf(request kmsg.Request, host, port string) kmsg.Response {
	var number int32
	_, _ = fmt.Sscan(port, &number)
	response := request.ResponseKind().(*kmsg.MetadataResponse)
	response.Brokers = []kmsg.MetadataResponseBroker{{Host: host, Port: number}}
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic = &b.topic
	partition := kmsg.NewMetadataResponseTopicPartition()
	partition.Replicas, partition.ISR = []int32{0}, []int32{0}
	topic.Partitions = append(topic.Partitions, partition)
	response.Topics = append(response.Topics, topic)
	return response
}

// notKafka accepts connections and sends bytes that are no response.
func notKafka(t *testing.T, says string) string {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = conn.Write([]byte(says))
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

// A peer that does not speak Kafka's protocol is named as such, whatever size it claims to send.
func TestNotKafka(t *testing.T) {
	for name, says := range map[string]string{
		"http":  "HTTP/1.1 400 Bad Request\r\n\r\n",
		"small": "\x00\x00\x00\x01x", "negative": "\xff\xff\xff\xff", "large": "\x00\x7f\xff\xff and no more",
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			began := time.Now()
			_, err := open(t, notKafka(t, says)).Partitions(t.Context(), "bizums")
			if !errors.Is(err, kafka.ErrUnreachable) || !strings.Contains(err.Error(), "does not speak Kafka's protocol") {
				t.Errorf("%v", err)
			}
			if took, after := time.Since(began), heap(); took > 4*time.Second || after > before+20<<20 {
				t.Errorf("after %v, %d MiB, before %d MiB", took, after>>20, before>>20)
			}
		})
	}
}

// A broker that is too old is refused with a reason, before sarama uses it.
func TestOldBroker(t *testing.T) {
	fake := fakeCluster(t)
	fake.ControlKey(int16(kmsg.ApiVersions), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		response := request.ResponseKind().(*kmsg.ApiVersionsResponse)
		for key, max := range map[kmsg.Key]int16{kmsg.Produce: 2, kmsg.Fetch: 11, kmsg.Metadata: 5, kmsg.ApiVersions: 3} {
			response.ApiKeys = append(response.ApiKeys,
				kmsg.ApiVersionsResponseApiKey{ApiKey: int16(key), MaxVersion: max})
		}
		return response, nil, true
	})
	_, err := open(t, fake.ListenAddrs()[0]).Partitions(t.Context(), "bizums")
	if err == nil || !strings.Contains(err.Error(), "its Kafka is older than 2.5") {
		t.Error(err)
	}
}

// Kafka 2.4 has no positions that wait for transactions (KIP-447), on which all that is done in groups relies.
func TestOldGroups(t *testing.T) {
	fake := fakeCluster(t, kfake.MaxVersions(kversion.V2_4_0()))
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	group, err := b.cluster.Group("group", b.topic)
	b.must(err)
	defer group.Close()
	_, err = group.Committed(b.ctx, []int32{0})
	if err == nil || !strings.HasSuffix(err.Error(), ": its Kafka is older than 2.5, from which on groups work") {
		t.Error(err)
	}
}
