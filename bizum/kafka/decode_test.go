package kafka_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/IBM/sarama"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka"
)

// packer compresses the records of batches as producers do.
type packer struct {
	gzip *gzip.Writer
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

func newPacker(t *testing.T) *packer {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	p := &packer{gzip.NewWriter(nil), lz4.NewWriter(nil), encoder}
	if err := p.lz4.Apply(lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
		t.Fatal(err)
	}
	return p
}

// pack returns Kafka's number of the codec, and the records compressed. Of snappy there are two framings: Java's and
// librdkafka's, and a bare block; of zstd two kinds of frames, with the size of what is in them and without.
func (p *packer) pack(t *testing.T, how string, records []byte) (codec int16, packed []byte) {
	t.Helper()
	var b bytes.Buffer
	stream := func(w interface {
		io.WriteCloser
		Reset(io.Writer)
	}) []byte {
		w.Reset(&b)
		if _, err := w.Write(records); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	switch how {
	case "gzip":
		return 1, stream(p.gzip)
	case "snappy":
		return 2, snappy.Encode(nil, records)
	case "xerial":
		b.WriteString("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
		for len(records) > 0 {
			part := snappy.Encode(nil, records[:min(len(records), 1000)])
			records = records[min(len(records), 1000):]
			b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
			b.Write(part)
		}
		return 2, b.Bytes()
	case "lz4":
		return 3, stream(p.lz4)
	case "zstd":
		return 4, p.zstd.EncodeAll(records, nil)
	case "zstd stream":
		return 4, stream(p.zstd)
	}
	return 0, records
}

// someBytes is nil, empty, or some.
func someBytes(rng *rand.Rand) []byte {
	if rng.IntN(5) == 0 {
		return nil
	}
	b := make([]byte, rng.IntN(100))
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
	return b
}

// anyBatch makes a batch that Kafka's protocol allows and that sarama reads: it takes no timestamp
// below 0, and no batch with fewer bytes, compressed, than records.
func anyBatch(t *testing.T, rng *rand.Rand, pack *packer, first int64) (encoded []byte, next int64) {
	b := kmsg.RecordBatch{FirstOffset: first, Magic: 2, ProducerID: rng.Int64N(3) - 1, FirstSequence: -1,
		FirstTimestamp: rng.Int64N(2_000_000_000_000)}
	b.MaxTimestamp = b.FirstTimestamp + rng.Int64N(1000)
	b.Attributes = int16(rng.IntN(2) << 3) // log append time
	delta, records := int32(rng.IntN(3)), []byte(nil)
	for range 1 + rng.IntN(20) {
		r := kmsg.Record{OffsetDelta: delta, TimestampDelta64: rng.Int64N(2000) - 500, Key: someBytes(rng), Value: someBytes(rng)}
		for range rng.IntN(3) {
			r.Headers = append(r.Headers, kmsg.Header{Key: fmt.Sprint("h", rng.IntN(3)), Value: someBytes(rng)})
		}
		r.Length = int32(len(r.AppendTo(nil)) - 1) // a length of one byte
		if r.Length > 63 {
			r.Length = int32(len(r.AppendTo(nil)) - len(binary.AppendVarint(nil, int64(r.Length))))
		}
		records = r.AppendTo(records)
		b.NumRecords++
		b.LastOffsetDelta = delta
		delta += 1 + int32(rng.IntN(2)*rng.IntN(5)) // gaps, as compaction leaves them
	}
	b.LastOffsetDelta += int32(rng.IntN(2))
	how := []string{"none", "gzip", "snappy", "xerial", "lz4", "zstd", "zstd stream"}
	codec, packed := pack.pack(t, how[rng.IntN(len(how))], records)
	b.Attributes |= codec
	b.Records = packed
	return seal(b), first + int64(b.LastOffsetDelta) + 1
}

// The same bytes are the same records to sarama and to us.
func TestAsSaramaReads(t *testing.T) {
	t.Parallel()
	responses, batches := 50, 200
	if testing.Short() {
		responses = 10
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	pack := newPacker(t)
	var log []byte
	fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return b.fetched(request, log), nil, true
	})
	for range responses {
		log = nil
		end := int64(0)
		for range batches {
			var encoded []byte
			encoded, end = anyBatch(t, rng, pack, end)
			log = append(log, encoded...)
		}
		want, got := b.readBySarama(), b.readByUs(end)
		for i := range want {
			if i < len(got) && got[i] != want[i] {
				t.Fatalf("seed %d: record %d:\n%s, want\n%s", seed, i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d records, want %d", seed, len(got), len(want))
		}
	}
}

func (b *bench) readBySarama() (records []string) {
	b.Helper()
	broker := sarama.NewBroker(b.address)
	b.must(broker.Open(sarama.NewConfig()))
	defer broker.Close()
	request := &sarama.FetchRequest{Version: 11, MaxBytes: 1 << 30, SessionEpoch: -1}
	request.AddBlock(b.topic, 0, 0, 1<<30, -1)
	response, err := broker.Fetch(request)
	b.must(err)
	for _, set := range response.GetBlock(b.topic, 0).RecordsSet {
		batch := set.RecordBatch
		for _, r := range batch.Records {
			at := batch.FirstTimestamp.UnixMilli() + r.TimestampDelta.Milliseconds()
			if batch.LogAppendTime {
				at = batch.MaxTimestamp.UnixMilli()
			}
			headers := ""
			for _, name := range []string{"h0", "h1", "h2"} {
				var value []byte
				for _, h := range r.Headers {
					if string(h.Key) == name {
						value = h.Value
						break
					}
				}
				headers += fmt.Sprintf(" %#v", value)
			}
			records = append(records, fmt.Sprintf("%d %d %#v %#v%s", batch.FirstOffset+r.OffsetDelta, at, r.Key, r.Value, headers))
		}
	}
	return records
}

func (b *bench) readByUs(end int64) (records []string) {
	b.Helper()
	err := b.cluster.Read(b.ctx, b.topic, 0, 0, func(batch kafka.Batch) error {
		for r := range batch.Records {
			headers := ""
			for _, name := range []string{"h0", "h1", "h2"} {
				headers += fmt.Sprintf(" %#v", r.Headers.Get(name))
			}
			records = append(records, fmt.Sprintf("%d %d %#v %#v%s", r.Offset, r.Timestamp, r.Key, r.Value, headers))
		}
		if batch.Next == end {
			return errDone
		}
		return nil
	})
	if !errors.Is(err, errDone) {
		b.Fatal(err)
	}
	return records
}
