package kafka_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/kafka/batch"
	"bizumctl/bizum/record"
)

// appended is a batch as it was given to our encoder.
type appended struct {
	producer batch.Producer
	codec    batch.Codec
	records  []kmsg.Record // a delta of time is from the first record's
	first    int64         // timestamp
	any      bool          // timestamps are of any value, not only what sarama and franz-go know
}

func (a *appended) timestamp(i int) int64 { return a.first + a.records[i].TimestampDelta64 }

func anyAppended(rng *rand.Rand) *appended {
	a := &appended{codec: batch.Codec(rng.IntN(5)), any: rng.IntN(4) == 0, first: rng.Int64N(2_000_000_000_000)}
	a.producer = batch.Producer{ID: rng.Int64N(1000) - 1, Epoch: int16(rng.IntN(100) - 1),
		Sequence: int32(rng.Uint32() >> 1), Transactional: rng.IntN(2) == 0}
	if a.any {
		a.first = int64(rng.Uint64())
	}
	for i := range 1 + rng.IntN(20) {
		r := kmsg.Record{OffsetDelta: int32(i), Key: someBytes(rng), Value: someBytes(rng)}
		if i > 0 {
			r.TimestampDelta64 = rng.Int64N(2000) - 500
		}
		if i > 0 && a.any {
			r.TimestampDelta64 = int64(rng.Uint64())
		}
		for n := range rng.IntN(3) {
			name := strings.Repeat("h", rng.IntN(100)) + strconv.Itoa(n)
			r.Headers = append(r.Headers, kmsg.Header{Key: name, Value: someBytes(rng)})
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of one byte
		if r.Length > 63 {
			r.Length = int32(len(r.AppendTo(nil)) - len(binary.AppendVarint(nil, int64(r.Length))))
		}
		a.records = append(a.records, r)
	}
	return a
}

// byUs encodes the batch.
func (a *appended) byUs(t *testing.T, b *batch.Builder, compressor *batch.Compressor) []byte {
	b.Reset()
	for i, r := range a.records {
		var headers []batch.Header
		for _, h := range r.Headers {
			headers = append(headers, batch.Header{Key: h.Key, Value: h.Value})
		}
		b.Append(r.Key, r.Value, a.timestamp(i), headers...)
	}
	sealed, err := b.Seal(a.producer, compressor, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(sealed)
}

// byFranz encodes it, uncompressed, as franz-go does.
func (a *appended) byFranz() []byte {
	b := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(len(a.records) - 1),
		FirstTimestamp: a.first, MaxTimestamp: a.max(), ProducerID: a.producer.ID, ProducerEpoch: a.producer.Epoch,
		FirstSequence: a.producer.Sequence, NumRecords: int32(len(a.records))}
	if a.producer.Transactional {
		b.Attributes = 0x10
	}
	for _, r := range a.records {
		b.Records = r.AppendTo(b.Records)
	}
	return seal(b)
}

func (a *appended) max() int64 {
	latest := a.first
	for i := range a.records {
		latest = max(latest, a.timestamp(i))
	}
	return latest
}

// forSarama is the batch as sarama is given it to encode.
func (a *appended) forSarama() *sarama.RecordBatch {
	b := &sarama.RecordBatch{PartitionLeaderEpoch: -1, Version: 2, Codec: sarama.CompressionCodec(a.codec),
		CompressionLevel: sarama.CompressionLevelDefault, LastOffsetDelta: int32(len(a.records) - 1),
		FirstTimestamp: time.UnixMilli(a.first), MaxTimestamp: time.UnixMilli(a.max()), ProducerID: a.producer.ID,
		ProducerEpoch: a.producer.Epoch, FirstSequence: a.producer.Sequence, IsTransactional: a.producer.Transactional}
	for _, r := range a.records {
		made := &sarama.Record{TimestampDelta: time.Duration(r.TimestampDelta64) * time.Millisecond,
			OffsetDelta: int64(r.OffsetDelta), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			made.Headers = append(made.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		b.Records = append(b.Records, made)
	}
	return b
}

// wording is a record in words, for comparison.
func wording(offset, timestamp int64, key, value []byte, headers []string) string {
	return fmt.Sprintf("%d %d %s %s %s", offset, timestamp, quoted(key), quoted(value), headers)
}

func header(key string, value []byte) string { return key + "=" + quoted(value) }

func quoted(b []byte) string {
	if b == nil {
		return "none"
	}
	return strconv.Quote(string(b))
}

// want is the records as they were appended; without their timestamps if these are any.
func (a *appended) want(times bool) (list []string) {
	for i, r := range a.records {
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, header(h.Key, h.Value))
		}
		at := a.timestamp(i)
		if !times {
			at = 0
		}
		list = append(list, wording(int64(i), at, r.Key, r.Value, headers))
	}
	return list
}

// headersOf reads what a record of ours has.
func headersOf(h record.Headers) (list []string) {
	number := func() int64 {
		n, length := binary.Varint(h)
		h = h[length:]
		return n
	}
	for range number() {
		key := string(h[:0])
		if n := number(); n >= 0 {
			key, h = string(h[:n]), h[n:]
		}
		var value []byte
		if n := number(); n >= 0 {
			value, h = h[:n:n], h[n:]
		}
		list = append(list, header(key, value))
	}
	return list
}

// readBatch reads one batch.
func readBatch(decompressor *batch.Decompressor, encoded []byte) (list []string, err error) {
	b, rest, err := batch.Parse(encoded)
	if err == nil && len(rest) > 0 {
		err = errors.New("something after it")
	}
	if err == nil {
		err = b.CheckSum()
	}
	if err == nil && b.Compressed() {
		_, err = decompressor.Decompress(&b, make([]byte, 0, 1<<16))
	}
	if err == nil {
		err = b.Check()
	}
	if err != nil {
		return nil, err
	}
	for r := range b.Records {
		list = append(list, wording(r.Offset, r.Timestamp, r.Key, r.Value, headersOf(r.Headers)))
	}
	return list, nil
}

func readByFranz(unpack kgo.Decompressor, encoded []byte, times bool) (list []string, err error) {
	partition := kmsg.NewFetchResponseTopicPartition()
	partition.RecordBatches = encoded
	fetched, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{}, &partition, unpack, nil)
	for _, r := range fetched.Records {
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, header(h.Key, h.Value))
		}
		at := int64(0)
		if times {
			at = r.Timestamp.UnixMilli()
		}
		list = append(list, wording(r.Offset, at, r.Key, r.Value, headers))
	}
	return list, fetched.Err
}

// What we encode is what sarama and franz-go encode of the same, to the byte where nothing is compressed, and each of
// the three reads it as it was appended; and what sarama encodes, we read so.
func TestAsOthersEncode(t *testing.T) {
	t.Parallel()
	rounds, batches := 100, 100
	if testing.Short() { // as under the race detector, where it takes half a minute
		rounds = 10
	}
	seed := rand.Uint64()
	if text := os.Getenv("BIZUMCTL_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("BIZUMCTL_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	var fetched []byte
	bySarama := make(map[int32][]byte) // by partition
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return b.fetched(request, fetched), nil, true
	})
	fake.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		for _, p := range request.(*kmsg.ProduceRequest).Topics[0].Partitions {
			bySarama[p.Partition] = bytes.Clone(p.Records)
		}
		return refusal(request, 0), nil, true
	})
	broker := sarama.NewBroker(b.address)
	b.must(broker.Open(sarama.NewConfig()))
	defer broker.Close()
	compressors := []*batch.Compressor{}
	for codec := batch.None; codec <= batch.Zstd; codec++ {
		compressors = append(compressors, batch.NewCompressor(codec))
	}
	decompressor, unpack := batch.NewDecompressor(), kgo.DefaultDecompressor()
	builder := new(batch.Builder)
	same := func(what string, got []string, err error, want []string) {
		t.Helper()
		if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%s: %v\n%s\nwant\n%s", what, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for range rounds {
		var all []*appended
		var ours [][]byte
		request := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: 1000}
		fetched = nil
		var want []string
		offset := int64(0)
		for p := range int32(batches) {
			a := anyAppended(rng)
			made := a.byUs(t, builder, compressors[a.codec])
			all, ours = append(all, a), append(ours, made)
			got, err := readBatch(decompressor, made)
			same("read by us", got, err, a.want(true))
			got, err = readByFranz(unpack, made, !a.any)
			same("read by franz-go", got, err, a.want(!a.any))
			if a.codec == batch.None && !bytes.Equal(made, a.byFranz()) {
				t.Fatalf("encoded\n%x, by franz-go\n%x", made, a.byFranz())
			}
			if a.any {
				continue
			}
			request.AddBatch(b.topic, p, a.forSarama())
			placed := bytes.Clone(made)
			binary.BigEndian.PutUint64(placed, uint64(offset))
			fetched = append(fetched, placed...)
			for i, r := range a.records {
				var headers []string
				for _, h := range r.Headers {
					headers = append(headers, header(h.Key, h.Value))
				}
				want = append(want, wording(offset+int64(i), a.timestamp(i), r.Key, r.Value, headers))
			}
			offset += int64(len(a.records))
		}
		_, err := broker.Produce(request)
		b.must(err)
		for p, encoded := range bySarama {
			a := all[p]
			if a.codec == batch.None && !bytes.Equal(encoded, ours[p]) {
				t.Fatalf("encoded\n%x, by sarama\n%x", ours[p], encoded)
			}
			got, err := readBatch(decompressor, encoded)
			same("sarama's, read by us", got, err, a.want(true))
		}
		clear(bySarama)
		got, err := b.fetchBySarama(broker)
		same("read by sarama", got, err, want)
	}
}

// fetchBySarama reads what a fetch from the start brings.
func (b *bench) fetchBySarama(broker *sarama.Broker) (list []string, err error) {
	request := &sarama.FetchRequest{Version: 11, MaxBytes: 1 << 30, SessionEpoch: -1}
	request.AddBlock(b.topic, 0, 0, 1<<30, -1)
	response, err := broker.Fetch(request)
	if err != nil {
		return nil, err
	}
	for _, set := range response.GetBlock(b.topic, 0).RecordsSet {
		batch := set.RecordBatch
		for _, r := range batch.Records {
			var headers []string
			for _, h := range r.Headers {
				headers = append(headers, header(string(h.Key), h.Value))
			}
			at := batch.FirstTimestamp.UnixMilli() + r.TimestampDelta.Milliseconds()
			if batch.LogAppendTime {
				at = batch.MaxTimestamp.UnixMilli()
			}
			list = append(list, wording(batch.FirstOffset+r.OffsetDelta, at, r.Key, r.Value, headers))
		}
	}
	return list, nil
}

// What we write on Kafka, Java's consumer and kcat read as it was appended, however it is compressed.
func TestForeignReaders(t *testing.T) {
	if os.Getenv("BIZUMCTL_TEST_BROKERS") == "" {
		t.Skip("needs a real Kafka, whose Java tools are with it")
	}
	b := newBench(t, 1)
	const each = 1000
	now := time.Now().UnixMilli() // retention takes what is old
	var java, kcat []string
	for i, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		w := b.writer(kafka.WriterConfig{Compression: codec})
		for n := range each {
			key, value := fmt.Appendf(nil, "cuenta-%d", n%7), fmt.Appendf(nil, "Ñoño;%d.50;%s;ENVIO", n, codec)
			headers := []kafka.Header{{Key: "codec", Value: []byte(codec)}, {Key: "nothing"}}
			switch n % 10 {
			case 0:
				key = nil
			case 1:
				value = nil
			case 2:
				key, value, headers = []byte{}, []byte{}, nil
			}
			at := now + int64(n*i)
			b.must(w.Append(b.ctx, key, value, at, 0, headers...))
			named := "NO_HEADERS"
			if headers != nil {
				named = fmt.Sprintf("codec:%s,nothing:NULL", codec)
			}
			java = append(java,
				fmt.Sprintf("CreateTime:%d Offset:%d %s %s %s", at, len(java), named, orNull(key), orNull(value)))
			named = strings.NewReplacer("NO_HEADERS", "", ":", "=").Replace(named)
			kcat = append(kcat,
				fmt.Sprintf("%d %d %s %d %s %d %s", at, len(kcat), named, length(key), key, length(value), value))
		}
		b.must(w.Flush(b.ctx))
	}
	lines := func(out []byte, err error) []string {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		b.must(err)
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	t.Run("kcat", func(t *testing.T) {
		run := exec.CommandContext(b.ctx, "kcat", "-C", "-q", "-e", "-b", b.address, "-t", b.topic, "-o", "beginning",
			"-X", "check.crcs=true", "-f", "%T %o %h %K %k %S %s\n")
		equal(t, lines(run.Output()), kcat)
	})
	t.Run("java", func(t *testing.T) {
		run := exec.CommandContext(b.ctx, "../../.ci/kafka", "tool", "org.apache.kafka.tools.consumer.ConsoleConsumer",
			"--bootstrap-server", b.address, "--topic", b.topic, "--from-beginning", "--max-messages", strconv.Itoa(len(java)),
			"--timeout-ms", "30000", "--command-property", "check.crcs=true")
		for _, property := range []string{"print.offset=true", "print.timestamp=true", "print.headers=true", "print.key=true",
			"null.literal=NULL", "key.separator= "} {
			run.Args = append(run.Args, "--formatter-property", property)
		}
		equal(t, lines(run.Output()), java)
	})
}

func orNull(b []byte) string {
	if b == nil {
		return "NULL"
	}
	return string(b)
}

// length is -1 of what is missing.
func length(b []byte) int {
	if b == nil {
		return -1
	}
	return len(b)
}
