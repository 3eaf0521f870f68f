package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka/batch"
)

const fuzzTopic = "bizums"

// batchAt is a batch as our writer makes it and a broker places it.
func batchAt(first int64, producer batch.Producer, compression string, values ...string) []byte {
	codec, err := batch.ParseCodec(compression)
	if err != nil {
		panic(err)
	}
	var b batch.Builder
	for i, v := range values {
		b.Append([]byte("cuenta"), []byte(v), 1_700_000_000_000+int64(i), batch.Header{Key: "reason", Value: []byte("none")})
	}
	sealed, err := b.Seal(producer, batch.NewCompressor(codec), nil)
	if err != nil {
		panic(err)
	}
	placed := bytes.Clone(sealed)
	binary.BigEndian.PutUint64(placed, uint64(first))
	return placed
}

// responseOf encodes a Fetch response.
func responseOf(code int16, aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction, batches ...[]byte) []byte {
	partition := kmsg.NewFetchResponseTopicPartition()
	partition.ErrorCode, partition.HighWatermark, partition.LastStableOffset = code, 100, 100
	partition.AbortedTransactions, partition.RecordBatches = aborted, slices.Concat(batches...)
	response := kmsg.NewPtrFetchResponse()
	response.Version = fetchVersion
	response.Topics = []kmsg.FetchResponseTopic{{Topic: fuzzTopic,
		Partitions: []kmsg.FetchResponseTopicPartition{partition}}}
	return response.AppendTo(nil)
}

// repaired makes the checksums of batches right, or nothing gets past them, and their compression none or gzip: a few
// bytes of the others may claim that they decompress to much, which is refused, but takes time.
func repaired(records []byte) {
	const atChecksum, covered, atCodec = 17, 21, 22
	for {
		size := batch.Size(records)
		if size < batch.HeaderBytes || size > int64(len(records)) {
			return
		}
		records[atCodec] &^= 6
		binary.BigEndian.PutUint32(records[atChecksum:],
			crc32.Checksum(records[covered:size], crc32.MakeTable(crc32.Castagnoli)))
		records = records[size:]
	}
}

// FuzzFetched: whatever a broker returns to a fetch, nothing panics, what is delivered rises from the position on, and
// the position after it is where the next fetch goes on.
func FuzzFetched(f *testing.F) {
	none := batch.Producer{ID: -1, Epoch: -1, Sequence: -1}
	transactional := batch.Producer{ID: 7, Transactional: true}
	marker := kmsg.RecordBatch{FirstOffset: 6, Magic: 2, ProducerID: 7, Attributes: 0x30, NumRecords: 1,
		Records: []byte{20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0}}
	marker.Length = int32(len(marker.AppendTo(nil)) - 12)
	for _, response := range [][]byte{
		responseOf(0, nil), responseOf(1, nil), responseOf(6, nil),
		responseOf(0, nil, batchAt(3, none, "none", "a", "b", "c"), batchAt(6, none, "none", "d")),
		responseOf(0, nil, batchAt(0, none, "gzip", "a", "b", "c", "d", "e", "f"), batchAt(9, none, "gzip", "g")),
		responseOf(0, nil, batchAt(5, none, "none", "a", "b"), batchAt(7, none, "none", "c")[:70]),
		responseOf(0, nil, batchAt(5, none, "none", "a", "b"), batchAt(6, none, "none", "c", "d")),
		responseOf(0, []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 7, FirstOffset: 5}},
			batchAt(5, transactional, "none", "a"), marker.AppendTo(nil), batchAt(7, none, "none", "b")),
	} {
		f.Add(response)
	}
	shared := newMemory(responseBytesMax, decompressedBytesMax, batch.NewDecompressor())
	f.Fuzz(func(t *testing.T, encoded []byte) {
		const position = 5
		response := &buffer{bytes: bytes.Clone(encoded)}
		fetched, err := parseFetched(response.bytes, fuzzTopic, 0)
		if err != nil {
			return
		}
		repaired(fetched.records)
		r := &reader{topic: fuzzTopic, position: position, memory: shared}
		response.retain()
		batches := make(chan Batch, len(encoded)+1) // has room for all there can be
		err = r.split(context.Background(), response, fetched, batches)
		close(batches)
		next, before := int64(position), int64(position-1)
		for b := range batches {
			if b.From != next || b.Next < b.From {
				t.Fatalf("from %d to %d after %d", b.From, b.Next, next)
			}
			for r := range b.Records {
				if r.Offset <= before || r.Offset < b.From || r.Offset >= b.Next {
					t.Fatalf("offset %d after %d, of %d to %d", r.Offset, before, b.From, b.Next)
				}
				before = r.Offset
				_ = r.Headers.Get("reason")
			}
			next = b.Next
			b.release()
		}
		if err == nil && next != r.position {
			t.Fatalf("delivered up to %d, and going on at %d", next, r.position)
		}
		response.release()
		if !shared.decompressed.borrowed.TryAcquire(shared.decompressed.max) {
			t.Fatal("something is not given back")
		}
		shared.decompressed.borrowed.Release(shared.decompressed.max)
	})
}

// script is a connection on which a peer says something and hangs up.
type script struct {
	net.Conn
	says *bytes.Reader
}

func (s *script) Read(b []byte) (int, error)      { return s.says.Read(b) }
func (s *script) Write(b []byte) (int, error)     { return len(b), nil }
func (s *script) Close() error                    { return nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) SetWriteDeadline(time.Time) error {
	return nil
}

// FuzzProduced: whatever a broker returns to batches, nothing panics, and done is called once for each.
func FuzzProduced(f *testing.F) {
	response := func(correlation, code int16, partition int32) []byte {
		p := kmsg.NewProduceResponseTopicPartition()
		p.Partition, p.ErrorCode, p.BaseOffset = partition, code, 42
		response := kmsg.NewPtrProduceResponse()
		response.Version = produceVersion
		response.Topics = []kmsg.ProduceResponseTopic{{Topic: fuzzTopic, Partitions: []kmsg.ProduceResponseTopicPartition{p}}}
		body := response.AppendTo(binary.BigEndian.AppendUint32(nil, uint32(correlation)))
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	f.Add(slices.Concat(response(1, 0, 0), response(2, 0, 1), response(3, 0, 2)))
	f.Add(slices.Concat(response(1, 0, 0), response(2, 45, 1)))
	f.Add(slices.Concat(response(1, 0, 0), response(3, 0, 2)))
	f.Add(response(1, 0, 0)[:20])
	f.Fuzz(func(t *testing.T, says []byte) {
		const asked = 3
		p := &produceConn{fetchConn: &fetchConn{Conn: &script{says: bytes.NewReader(says)},
			broker: sarama.NewBroker("localhost:9092"), timeout: time.Minute, silence: new(silence)},
			formatter: kmsg.NewRequestFormatter()}
		var calls [asked]int
		for i := range int32(asked) {
			if err := p.produce("", fuzzTopic, i, []byte("a batch"), func(offset int64, err error) {
				calls[i]++
				if err == nil && i > 0 && calls[i-1] == 0 {
					t.Errorf("batch %d is done before the one before it", i)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		p.receive()
		if calls != [asked]int{1, 1, 1} {
			t.Errorf("done was called %v times", calls)
		}
		if err := p.produce("", fuzzTopic, 0, nil, nil); err == nil {
			t.Error("a connection that has ended takes more")
		}
	})
}
