package batch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka/batch"
)

// record is one as it stands in a batch.
func record(offset int, value string) []byte {
	r := binary.AppendVarint([]byte{0, 0}, int64(offset))
	r = append(r, 1) // no key
	r = append(binary.AppendVarint(r, int64(len(value))), value...)
	return sized(append(r, 0))
}

// sized puts a record's length before it.
func sized(record []byte) []byte {
	return append(binary.AppendVarint(nil, int64(len(record))), record...)
}

// encode makes a batch of two records at offsets 10 and 11, changed before its checksum is made.
func encode(change func(*kmsg.RecordBatch)) []byte {
	b := kmsg.RecordBatch{FirstOffset: 10, Magic: 2, ProducerID: -1, NumRecords: 2, LastOffsetDelta: 1,
		Records: append(record(0, "a"), record(1, "b")...)}
	if change != nil {
		change(&b)
	}
	return seal(&b)
}

// seal encodes a batch with its length, unless it has one, and its checksum.
func seal(b *kmsg.RecordBatch) []byte {
	if b.Length == 0 {
		b.Length = int32(len(b.AppendTo(nil)) - 12)
	}
	b.CRC = int32(crc32.Checksum(b.AppendTo(nil)[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

var decompressor = batch.NewDecompressor()

// read returns a batch's values, as a reader would get them.
func read(encoded []byte, room int) (values []string, err error) {
	b, rest, err := batch.Parse(encoded)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("not one batch")
	}
	if err := b.CheckSum(); err != nil {
		return nil, err
	}
	if b.Compressed() {
		if _, err := decompressor.Decompress(&b, make([]byte, 0, room)); err != nil {
			return nil, err
		}
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	for r := range b.Records {
		values = append(values, string(r.Value))
	}
	return values, nil
}

// What is not as a batch says is refused, in words, and nothing of it is read.
func TestStrict(t *testing.T) {
	records := func(records ...[]byte) func(*kmsg.RecordBatch) {
		return func(b *kmsg.RecordBatch) { b.Records = slices.Concat(records...) }
	}
	long := binary.AppendUvarint(nil, math.MaxUint64)
	for _, c := range []struct {
		name   string
		change func(*kmsg.RecordBatch)
		want   string
	}{
		{"last before first", func(b *kmsg.RecordBatch) { b.LastOffsetDelta = -1 }, "offsets from 10, the last one -1 after it"},
		{"negative offset", func(b *kmsg.RecordBatch) { b.FirstOffset = -1 }, "offsets from -1, the last one 1 after it"},
		{"last offset", func(b *kmsg.RecordBatch) { b.FirstOffset = math.MaxInt64 },
			"offsets from 9223372036854775807, the last one 1 after it"},
		{"beyond the last", records(record(0, "a"), record(1<<30, "b")), "offset +1073741824 after +0, of 2"},
		{"repeated", records(record(0, "a"), record(0, "b")), "offset +0 after +0, of 2"},
		{"falling", records(record(1, "a"), record(0, "b")), "offset +0 after +1, of 2"},
		{"negative delta", records(record(-1, "a"), record(1, "b")), "offset -1 after -1, of 2"},
		{"too many", func(b *kmsg.RecordBatch) { b.NumRecords = 3 }, "3 records in 2 offsets"},
		{"negative count", func(b *kmsg.RecordBatch) { b.NumRecords = -1 }, "-1 records in 2 offsets"},
		{"too few", func(b *kmsg.RecordBatch) { b.NumRecords = 1 }, "records that are longer or shorter than they say"},
		{"none", func(b *kmsg.RecordBatch) { b.Records = nil }, "a record that is longer or shorter than it says"},
		{"more", records(record(0, "a"), record(1, "b"), []byte{0}), "records that are longer or shorter than they say"},
		{"empty record", records([]byte{0}, record(1, "b")), "a record that is longer or shorter than it says"},
		{"negative record", records([]byte{1}, record(1, "b")), "a record that is longer or shorter than it says"},
		{"endless record", records(long, record(1, "b")), "a record that is longer or shorter than it says"},
		{"key of -2", records(sized([]byte{0, 0, 0, 3, 0, 0}), record(1, "b")), "a record that is longer or shorter than it says"},
		{"long value", records(sized([]byte{0, 0, 0, 1, 100, 0}), record(1, "b")), "a record that is longer or shorter than it says"},
		{"many headers", records(sized([]byte{0, 0, 0, 1, 1, 0x7e}), record(1, "b")), "a record that is longer or shorter than it says"},
		{"negative headers", records(sized([]byte{0, 0, 0, 1, 1, 1}), record(1, "b")), "a record that is longer or shorter than it says"},
		{"header without name", records(sized([]byte{0, 0, 0, 1, 1, 2, 1, 1}), record(1, "b")),
			"a record that is longer or shorter than it says"},
		{"after headers", records(sized([]byte{0, 0, 0, 1, 1, 0, 0}), record(1, "b")), "a record that is longer or shorter than it says"},
		{"old format", func(b *kmsg.RecordBatch) { b.Magic = 1 }, batch.ErrOldFormat.Error()},
		{"new format", func(b *kmsg.RecordBatch) { b.Magic = 3 }, "unknown format 3"},
		{"codec", func(b *kmsg.RecordBatch) { b.Attributes = 5 }, "unknown compression 5"},
		{"short", func(b *kmsg.RecordBatch) { b.Length = 48 }, "a length of 60 bytes"},
		{"negative length", func(b *kmsg.RecordBatch) { b.Length = -1 }, "a length of 11 bytes"},
		{"huge", func(b *kmsg.RecordBatch) { b.Length = batch.BytesMax }, "larger than 67108864 bytes"},
	} {
		if values, err := read(encode(c.change), 1<<20); err == nil || err.Error() != c.want || values != nil {
			t.Errorf("%s: %q, %v; want %s", c.name, values, err, c.want)
		}
	}
	if values, err := read(encode(nil), 0); err != nil || !slices.Equal(values, []string{"a", "b"}) {
		t.Errorf("%q, %v", values, err)
	}
}

// A batch that compaction has emptied is read whatever it says of compression, as Java's client does.
func TestEmptied(t *testing.T) {
	for codec := range int16(5) {
		empty := func(b *kmsg.RecordBatch) { b.Attributes, b.NumRecords, b.Records = codec, 0, nil }
		if values, err := read(encode(empty), 0); err != nil || values != nil {
			t.Errorf("codec %d: %q, %v", codec, values, err)
		}
		lost := func(b *kmsg.RecordBatch) { b.Attributes, b.Records = codec, nil }
		if values, err := read(encode(lost), 0); err == nil {
			t.Errorf("codec %d, its records lost: %q", codec, values)
		}
	}
}

// A batch that is cut anywhere is not taken for a corrupt one; one with any bit flipped is refused,
// or is as it was but for its place.
func TestDamaged(t *testing.T) {
	whole := encode(nil)
	for n := range whole {
		if _, _, err := batch.Parse(whole[:n]); !errors.Is(err, batch.ErrPartial) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	for bit := range 8 * len(whole) {
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		values, err := read(damaged, 0)
		const leaderEpoch = 12
		free := bit/8 < 8 || bit/8 >= leaderEpoch && bit/8 < leaderEpoch+4 // what the checksum leaves out
		if err == nil && (!free || !slices.Equal(values, []string{"a", "b"})) {
			t.Errorf("bit %d flipped: %q", bit, values)
		}
	}
}

// Records decompress into the room there is, to the byte; with less they need more.
func TestRoom(t *testing.T) {
	value := bytes.Repeat([]byte("Maria;20;Cena;RECEPCIÓN "), 10_000)
	want := record(0, string(value))
	for _, options := range [][]zstd.EOption{nil, {zstd.WithSingleSegment(true)}, {zstd.WithEncoderCRC(false)}} {
		for _, sizeKnown := range []bool{true, false} {
			var packed bytes.Buffer
			encoder, err := zstd.NewWriter(&packed, options...)
			if err != nil {
				t.Fatal(err)
			}
			if sizeKnown {
				packed.Write(encoder.EncodeAll(want, nil))
			} else if _, err := encoder.Write(want); err != nil || encoder.Flush() != nil || encoder.Close() != nil {
				t.Fatal(err)
			}
			encoded := encode(func(b *kmsg.RecordBatch) {
				b.Attributes, b.NumRecords, b.Records = 4, 1, packed.Bytes()
			})
			for _, before := range []int{0, 1, 100_000} {
				for _, room := range []int{0, 1, len(want) - 1, len(want), len(want) + 1, 3 * len(want)} {
					b, _, err := batch.Parse(encoded)
					if err != nil {
						t.Fatal(err)
					}
					to := make([]byte, before, before+room)
					all, err := decompressor.Decompress(&b, to)
					if fits := room >= len(want); fits != (err == nil) || !fits && !errors.Is(err, batch.ErrShort) {
						t.Errorf("%d bytes into %d after %d: %v", len(want), room, before, err)
					} else if fits && (len(all) != before+len(want) || &all[:1][0] != &to[:1][0] || b.Check() != nil) {
						t.Errorf("%d bytes into %d after %d: %d, %v", len(want), room, before, len(all), b.Check())
					}
				}
			}
		}
	}
}

// Java's client names a window of 128 MB at its highest levels, however small the batch is.
func TestWideWindow(t *testing.T) {
	records := append(record(0, "a"), record(1, "b")...)
	// A frame (RFC 8878): magic number, a descriptor that says nothing, a window of 2^27, one raw block.
	frame := binary.LittleEndian.AppendUint32(nil, 0xFD2FB528)
	frame = append(frame, 0, (27-10)<<3)
	block := uint32(len(records))<<3 | 1
	frame = append(frame, byte(block), byte(block>>8), byte(block>>16))
	frame = append(frame, records...)
	values, err := read(encode(func(b *kmsg.RecordBatch) { b.Attributes, b.Records = 4, frame }), 1000)
	if err != nil || !slices.Equal(values, []string{"a", "b"}) {
		t.Errorf("%q, %v", values, err)
	}
}

func TestAllocatesNothing(t *testing.T) {
	b, _, err := batch.Parse(encode(nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("checking: %v allocations", n)
	}
	size := 0
	if n := testing.AllocsPerRun(100, func() {
		for r := range b.Records {
			size += len(r.Value)
		}
	}); n > 1 { // the record that is yielded
		t.Errorf("reading: %v allocations", n)
	}
}

// FuzzBatch: nothing that a log holds makes us panic, and what is read is what the batch says.
func FuzzBatch(f *testing.F) {
	f.Add(encode(nil))
	for _, codec := range []int16{1, 2, 3, 4} {
		f.Add(encode(func(b *kmsg.RecordBatch) { b.Attributes = codec }))
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(func(b *kmsg.RecordBatch) { b.Attributes, b.Records = 4, encoder.EncodeAll(b.Records, nil) }))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		if len(encoded) > 21 { // or nothing gets past the checksum
			binary.BigEndian.PutUint32(encoded[8:], uint32(len(encoded)-12))
			binary.BigEndian.PutUint32(encoded[17:], crc32.Checksum(encoded[21:], crc32.MakeTable(crc32.Castagnoli)))
		}
		b, _, err := batch.Parse(encoded)
		if err != nil {
			return
		}
		if b.Compressed() {
			if _, err := decompressor.Decompress(&b, make([]byte, 0, 1<<16)); err != nil {
				return
			}
		}
		if b.Check() != nil {
			return
		}
		n, before := 0, b.First-1
		for r := range b.Records {
			if r.Offset <= before || r.Offset > b.Last {
				t.Fatalf("offset %d after %d, of %d to %d", r.Offset, before, b.First, b.Last)
			}
			n, before = n+1, r.Offset
			_ = r.Headers.Get("reason")
		}
		if n != b.Count {
			t.Fatalf("%d records, not %d", n, b.Count)
		}
		_ = b.EndsAborted()
	})
}
