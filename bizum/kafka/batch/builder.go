package batch

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"bizumctl/bizum/record"
)

// Builder builds a batch. A record is encoded when it is appended.
type Builder struct {
	encoded []byte // room for the header, then the records
	count   int
	first   int64 // timestamp
	max     int64 // timestamp
}

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Producer identifies the producer of a batch to the broker.
type Producer struct {
	ID            int64
	Epoch         int16
	Sequence      int32 // of the first record
	Transactional bool
}

// Reset empties the builder.
func (b *Builder) Reset() { *b = Builder{encoded: b.encoded[:0]} }

// Len returns the number of records.
func (b *Builder) Len() int { return b.count }

// Bytes returns the size of the batch before compression.
func (b *Builder) Bytes() int { return max(len(b.encoded), HeaderBytes) }

// Append appends a record. The timestamp is in milliseconds; a key of nil is none, a value of nil a
// tombstone.
func (b *Builder) Append(key, value []byte, timestamp int64, headers ...Header) {
	b.begin(timestamp)
	start := len(b.encoded)
	b.encoded = b.body(b.encoded, key, value, timestamp)
	b.encoded = binary.AppendVarint(b.encoded, int64(len(headers)))
	for _, h := range headers {
		b.encoded = append(binary.AppendVarint(b.encoded, int64(len(h.Key))), h.Key...)
		b.encoded = appendField(b.encoded, h.Value)
	}
	b.end(start)
}

// AppendEncoded is Append with headers that are encoded already.
func (b *Builder) AppendEncoded(key, value []byte, timestamp int64, headers record.Headers) {
	b.begin(timestamp)
	start := len(b.encoded)
	if len(key)+len(value)+len(headers) < 64 {
		b.encoded = append(b.body(b.encoded, key, value, timestamp), headers...)
		b.end(start)
		return
	}
	b.encoded = append(b.body(append(b.encoded, 0), key, value, timestamp), headers...)
	b.endLong(start)
}

// AppendRecord appends a record of another batch.
func (b *Builder) AppendRecord(r *record.Record) {
	b.AppendEncoded(r.Key, r.Value, r.Timestamp, r.Headers)
}

func (b *Builder) begin(timestamp int64) {
	if b.count == 0 {
		b.encoded = append(b.encoded[:0], make([]byte, HeaderBytes)...)
		b.first, b.max = timestamp, timestamp
	}
	b.max = max(b.max, timestamp)
}

// body encodes a record up to its headers, after one byte for its length.
func (b *Builder) body(to, key, value []byte, timestamp int64) []byte {
	to = append(to, 0, 0) // the length, if it is short, and the attributes, which have no meaning yet
	to = binary.AppendVarint(to, timestamp-b.first)
	to = binary.AppendVarint(to, int64(b.count))
	return appendField(appendField(to, key), value)
}

func appendField(to, field []byte) []byte {
	if field == nil {
		return append(to, 1) // -1
	}
	if len(field) < 64 {
		to = append(to, byte(len(field)<<1))
	} else {
		to = binary.AppendVarint(to, int64(len(field)))
	}
	return append(to, field...)
}

// end writes the length of the record that starts at an index, and counts the record.
func (b *Builder) end(start int) {
	b.count++
	length := len(b.encoded) - start - 1
	if length < 64 {
		b.encoded[start] = byte(length << 1)
		return
	}
	var size [binary.MaxVarintLen64]byte
	n := binary.PutVarint(size[:], int64(length))
	b.encoded = append(b.encoded, size[1:n]...) // to make room
	copy(b.encoded[start+n:], b.encoded[start+1:start+1+length])
	copy(b.encoded[start:], size[:n])
}

// endLong is end of a record that was left two bytes for its length.
func (b *Builder) endLong(start int) {
	length := len(b.encoded) - start - 2
	if length < 1<<13 {
		b.count++
		b.encoded[start], b.encoded[start+1] = byte(length<<1)|0x80, byte(length>>6)
		return
	}
	b.encoded = append(b.encoded[:start], b.encoded[start+1:]...)
	b.end(start)
}

// Records yields the appended records, with offsets from 0 on.
func (b *Builder) Records(yield func(*record.Record) bool) {
	if b.count > 0 {
		batch := Batch{Last: int64(b.count - 1), Count: b.count, FirstTimestamp: b.first, MaxTimestamp: b.max,
			records: b.encoded[HeaderBytes:]}
		batch.Records(yield)
	}
}

// Seal returns the encoded batch, compressed into the capacity of to unless the codec is None. It is valid until the
// builder or to is used again.
func (b *Builder) Seal(producer Producer, compressor *Compressor, to []byte) ([]byte, error) {
	sealed := b.encoded
	if compressor.Codec != None {
		var err error
		sealed = append(to[:0], b.encoded[:HeaderBytes]...)
		if sealed, err = compressor.compress(sealed, b.encoded[HeaderBytes:]); err != nil {
			return nil, err
		}
	}
	const noLeaderEpoch = math.MaxUint32 // -1: the broker's to fill in, and the offset too
	attributes := uint16(compressor.Codec)
	if producer.Transactional {
		attributes |= transactionalBit
	}
	binary.BigEndian.PutUint64(sealed, 0)
	binary.BigEndian.PutUint32(sealed[atLength:], uint32(len(sealed)-lengthCovers))
	binary.BigEndian.PutUint32(sealed[atLeaderEpoch:], noLeaderEpoch)
	sealed[atMagic] = magic
	binary.BigEndian.PutUint16(sealed[atAttributes:], attributes)
	binary.BigEndian.PutUint32(sealed[atLastOffsetDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(sealed[atFirstTimestamp:], uint64(b.first))
	binary.BigEndian.PutUint64(sealed[atMaxTimestamp:], uint64(b.max))
	binary.BigEndian.PutUint64(sealed[atProducerID:], uint64(producer.ID))
	binary.BigEndian.PutUint16(sealed[atProducerEpoch:], uint16(producer.Epoch))
	binary.BigEndian.PutUint32(sealed[atSequence:], uint32(producer.Sequence))
	binary.BigEndian.PutUint32(sealed[atCount:], uint32(b.count))
	binary.BigEndian.PutUint32(sealed[atCRC:], crc32.Checksum(sealed[atAttributes:], castagnoli))
	return sealed, nil
}
