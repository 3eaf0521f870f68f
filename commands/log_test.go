package commands_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// crafted makes a batch of messages with key cuenta, with these offsets in it, that only a producer of no good will
// would send.
func crafted(first int64, deltas []int32, values ...string) []byte {
	b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, FirstTimestamp: first,
		MaxTimestamp: first, NumRecords: int32(len(values)), LastOffsetDelta: int32(len(values) - 1)}
	for i, v := range values {
		r := kmsg.Record{OffsetDelta: deltas[i], Key: []byte("cuenta"), Value: []byte(v)}
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		if r.Length > 63 {
			r.Length-- // a length of two bytes
		}
		b.Records = r.AppendTo(b.Records)
	}
	return sealed(b)
}

func sealed(b kmsg.RecordBatch) []byte {
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	b.CRC = int32(crc32.Checksum(b.AppendTo(nil)[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

// sendBatch appends a batch as it stands.
func (l *ledgerTest) sendBatch(records []byte) {
	l.Helper()
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = records
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.Partitions = l.topic, []kmsg.ProduceRequestTopicPartition{partition}
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis, request.Topics = -1, 5000, []kmsg.ProduceRequestTopic{topic}
	client := l.connect(kgo.MaxVersions(kversion.V2_8_0())) // that name a topic by its name
	response, err := client.SeedBrokers()[0].Request(l.ctx, request)
	l.must(err)
	l.must(kerr.ErrorForCode(response.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode))
}

// A batch whose offsets are not what it says ends every command, after the good ones before it and before anything of
// it is used. Kafka takes the first kind, but not the second.
func TestCraftedBatch(t *testing.T) {
	t.Parallel()
	in := []int32{0, 1, 2}
	good := crafted(time.Now().UnixMilli(), in, maria, pepe, ana)
	for name, bad := range map[string][]byte{
		"beyond the last":   crafted(time.Now().UnixMilli(), []int32{0, 1 << 30, 2}, maria, pepe, ana),
		"last before first": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			if bad == nil && l.fake == nil {
				return // Kafka takes no such batch, and cannot be made to serve one
			}
			l.sendBatch(good)
			if bad == nil {
				l.sendBatch(good) // to be changed when it is served
			} else {
				l.sendBatch(bad)
			}
			l.sendBatch(good)
			if bad == nil {
				l.serve(3, 8, func(records []byte) { binary.BigEndian.PutUint32(records[23:], math.MaxUint32) })
			}
			stops := func(want string, args ...string) (out string) {
				t.Helper()
				code, out, notices := l.run(args...)
				if code != 1 || !strings.Contains(notices, "error: corrupt batch at "+l.topic+"/0@3: ") {
					t.Errorf("%v: code %d, %s", args, code, notices)
				}
				if !strings.Contains(out+notices, want) {
					t.Errorf("%v: %s%s, want %q", args, out, notices, want)
				}
				return out
			}
			stops("", "balance", "--exit", "-o", "none")
			if out := stops("", "balance", "--exit", "-o", "text"); strings.Count(out, "\n") != 3 {
				t.Errorf("%s", out)
			}
			dir := filepath.Join(t.TempDir(), "pagos")
			stops("", "consume", "--exit", "--dir", dir, "-o", "text")
			stops("", "consume", "--exit", "--dir", dir, "-o", "text")
			files, err := filepath.Glob(dir + "/*.txt")
			l.must(err)
			if len(files) != 1 || !strings.HasSuffix(files[0], "-00000000000000000000-00000000000000000002.txt") {
				t.Errorf("%v", files)
			}
			for range 2 { // the second start meets the same, and books nothing twice
				stops("", "balance", "-g", l.group, "--exit", "-o", "text")
				if entries := l.records(l.ledger()); len(entries) != 1+3 { // the heading is one
					t.Errorf("%q", entries)
				}
			}
		})
	}
}

// serve changes the batch that begins at an offset in all that is fetched of the topic up to an end.
func (l *ledgerTest) serve(first, end int64, change func(batch []byte)) {
	l.Helper()
	client := l.connect(kgo.MaxVersions(kversion.V2_8_0()))
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis, request.MaxBytes, request.Version = 1000, 1<<20, 11
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.PartitionMaxBytes = 1 << 20
	request.Topics = []kmsg.FetchRequestTopic{{Topic: l.topic, Partitions: []kmsg.FetchRequestTopicPartition{partition}}}
	response, err := client.SeedBrokers()[0].Request(l.ctx, request)
	l.must(err)
	all := response.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches
	from := map[int64][]byte{} // the log from an offset on
	for rest := all; len(rest) > 0; {
		at, size := int64(binary.BigEndian.Uint64(rest)), 12+binary.BigEndian.Uint32(rest[8:])
		if at == first {
			change(rest[:size])
			binary.BigEndian.PutUint32(rest[17:], crc32.Checksum(rest[21:size], crc32.MakeTable(crc32.Castagnoli)))
		}
		from[at], rest = rest, rest[size:]
	}
	l.fake.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		l.fake.KeepControl()
		fetch := request.(*kmsg.FetchRequest)
		if len(fetch.Topics) == 0 || fetch.Topics[0].Topic != l.topic {
			return nil, nil, false
		}
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.HighWatermark, partition.LastStableOffset = end+1, end+1
		partition.RecordBatches = from[fetch.Topics[0].Partitions[0].FetchOffset]
		response := fetch.ResponseKind().(*kmsg.FetchResponse)
		response.Topics = []kmsg.FetchResponseTopic{{Topic: l.topic,
			Partitions: []kmsg.FetchResponseTopicPartition{partition}}}
		return response, nil, true
	})
}

// Messages of any time are read, shown and booked, and the others beside them have the time they had.
func TestAnyTimestamp(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.topic += "-any"
	l.group = "caja-" + l.topic
	settings := map[string]string{"retention.ms": "-1"}
	if l.fake == nil { // Kafka 4 takes nothing of the future unless a topic is made to
		settings["message.timestamp.after.max.ms"] = fmt.Sprint(math.MaxInt64)
	}
	l.create(l.topic, 1, settings)
	const ordinary = 1_700_000_000_000 // 2023-11-14
	times := []int64{-1, -2, 0, 1, ordinary, 11_770_000_000_000, math.MaxInt64, math.MinInt64,
		-62_135_596_800_001, 253_402_300_800_000}
	for _, at := range times {
		b := crafted(at, []int32{0, 1}, maria, pepe)
		l.sendBatch(b)
	}
	n := 2 * len(times)
	for _, args := range [][]string{{"consume", "--raw"}, {"consume", "-o", "csv"}, {"consume", "-o", "json"},
		{"balance", "-o", "csv"}, {"balance", "-o", "json"}, {"balance", "-o", "text"}} {
		code, out, notices := l.run(append(args, "--exit")...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if slices.Contains(args, "csv") {
			lines = lines[1:] // the heading
		}
		if code != 0 || len(lines) != n {
			t.Errorf("%v: code %d, %d lines: %s%s", args, code, len(lines), out, notices)
		}
		if dated := strings.Count(out, "2023-11-14"); (args[1] == "-o" && args[2] == "json") && dated != 2 {
			t.Errorf("%v: %s", args, out)
		}
	}
	for _, format := range []string{"parquet", "csv"} {
		dir := filepath.Join(t.TempDir(), format)
		if code, _, notices := l.run("consume", "--exit", "--dir", dir, "-o", format); code != 0 ||
			!strings.Contains(notices, fmt.Sprintf("%d bizums in 1 file", n)) {
			t.Errorf("%s: code %d, %s", format, code, notices)
		}
	}
	for range 2 {
		if code, _, notices := l.balance(); code != 0 {
			t.Errorf("code %d, %s", code, notices)
		}
	}
	l.wantAudit(0, fmt.Sprintf("^%d payments, 1 account, 0 missing, 0 double, 0 wrong\n", n))
}

// cutListener accepts connections that are cut in the middle of a long response while it is cutting: from the first
// one on for half a second.
type cutListener struct {
	net.Listener
	cutting atomic.Bool
	cuts    atomic.Int32
}

func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &cutConn{conn, l}, err
}

type cutConn struct {
	net.Conn
	from *cutListener
}

func (c *cutConn) Write(b []byte) (int, error) {
	if len(b) < 1000 || !c.from.cutting.Load() {
		return c.Conn.Write(b)
	}
	_, _ = c.Conn.Write(b[:len(b)/2])
	c.Conn.Close()
	if c.from.cuts.Add(1) == 1 {
		time.AfterFunc(500*time.Millisecond, func() { c.from.cutting.Store(false) })
	}
	return 0, errors.New("cut")
}

// Half a second of responses that are cut in the middle is waited out, and nothing is lost, doubled or taken for corrupt.
func TestCutAnswers(t *testing.T) {
	t.Parallel()
	if realBrokers != "" {
		return // the broker has to cut them itself: a real one names its own address, not a proxy's
	}
	var listener *cutListener
	l := newLedgerTest(t, 2, kfake.ListenFn(func(network, address string) (net.Listener, error) {
		inner, err := net.Listen(network, address)
		listener = &cutListener{Listener: inner}
		return listener, err
	}))
	const n = 20_000
	l.produce("--rate", "max", "-n", fmt.Sprint(n), "--accounts", "50", "--compression", "zstd")
	cut := func() {
		listener.cuts.Store(0)
		listener.cutting.Store(true)
	}
	for _, args := range [][]string{{"consume", "--raw", "--exit"}, {"balance", "-g", l.group, "--exit", "-o", "text"}} {
		cut()
		code, out, notices := l.run(args...)
		if got := strings.Count(out, "\n"); code != 0 || got != n || listener.cuts.Load() == 0 {
			t.Errorf("%v: code %d, %d lines, %d cuts: %s", args, code, got, listener.cuts.Load(), notices)
		}
	}
	l.wantAudit(0, "^20,000 payments, 50 accounts, 0 missing, 0 double, 0 wrong\n")
}

// Messages that compress to less than a byte each are read.
func TestEqualMessages(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	const n = 10_000
	deltas := make([]int32, n)
	for i := range deltas {
		deltas[i] = int32(i)
	}
	var b kmsg.RecordBatch
	l.must(b.ReadFrom(crafted(time.Now().UnixMilli(), deltas, slices.Repeat([]string{maria}, n)...)))
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	l.must(err)
	if b.Attributes, b.Records = 4, encoder.EncodeAll(b.Records, nil); len(b.Records) >= n {
		t.Fatalf("%d bytes", len(b.Records))
	}
	l.sendBatch(sealed(b))
	if code, _, notices := l.run("balance", "--exit", "-o", "none"); code != 0 || !strings.Contains(notices, "202,000.00") {
		t.Errorf("code %d, %s", code, notices)
	}
}
