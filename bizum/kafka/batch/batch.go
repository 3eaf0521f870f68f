// Package batch is Kafka's record batch, both ways: bytes to records and back. It knows no network and
// no topic.
//
// The format is version 2 (KIP-98, org.apache.kafka.common.record.DefaultRecordBatch): a header of
// 61 bytes, then the records, which may be compressed as a whole. What a log holds is not trusted:
// every length is checked against the bytes that are there before anything is allocated, the
// checksum has to be right, and a batch is good only as a whole: as many records as it says, their
// offsets rising from its first to its last, and nothing after them.
package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// BytesMax is the size limit of a batch, both in the log and decompressed. Kafka's producers fill batches up to
// 1 MiB of records by default (max.request.size, message.max.bytes); 64 MiB leaves room for topics of large records,
// and is a thousand of the longest payments. Larger batches are refused: a few kilobytes can decompress to
// gigabytes.
const BytesMax = 64 << 20

// HeaderBytes is the length of a batch without its records.
const HeaderBytes = 61

// Where a header has what, in bytes from the start of the batch.
const (
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21 // what the checksum covers begins here
	atLastOffsetDelta = 23
	atFirstTimestamp  = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atSequence        = 53
	atCount           = 57

	lengthCovers = 12 // bytes before what the length counts
)

// Bits of the attributes.
const (
	codecBits         = 0x07
	logAppendTimeBit  = 0x08
	transactionalBit  = 0x10
	controlBit        = 0x20
	magic             = 2
	abortMarker       = 0 // ControlRecordType
	controlKeyVersion = 0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrPartial means that the bytes end before the batch does. A fetch cuts its last batch so.
var ErrPartial = errors.New("the batch is cut")

// ErrOldFormat means that the records are of a format older than Kafka 0.11.
var ErrOldFormat = errors.New("its format is older than Kafka 0.11")

// Batch is a record batch: a range of offsets of a log, from some of which compaction may have removed the records.
type Batch struct {
	First, Last    int64 // offsets
	FirstTimestamp int64 // in milliseconds; records count from it
	MaxTimestamp   int64
	ProducerID     int64
	Count          int
	attributes     uint16
	checksum       uint32
	summed         []byte // what the checksum covers
	records        []byte
	compressed     bool // records are compressed
}

// Size returns how many bytes the batch at the start of b has, or 0 if b is too short.
func Size(b []byte) int64 {
	if len(b) < lengthCovers {
		return 0
	}
	return lengthCovers + int64(int32(binary.BigEndian.Uint32(b[atLength:])))
}

// FirstOffset returns the first offset of the batch at the start of b, or -1 if b is too short.
func FirstOffset(b []byte) int64 {
	if len(b) < atLength {
		return -1
	}
	return int64(binary.BigEndian.Uint64(b))
}

// Parse reads the header of the batch at the start of b, and returns what follows the batch. The batch
// aliases b. Besides ErrPartial and ErrOldFormat, an error means that the batch is corrupt; without
// one it may still be, until CheckSum.
func Parse(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) <= atMagic {
		return batch, b, ErrPartial
	}
	switch format := b[atMagic]; {
	case format < magic:
		return batch, b, ErrOldFormat
	case format > magic:
		return batch, b, fmt.Errorf("unknown format %d", format)
	}
	size := Size(b)
	switch {
	case size < HeaderBytes:
		return batch, b, fmt.Errorf("a length of %d bytes", size)
	case size > BytesMax:
		return batch, b, fmt.Errorf("larger than %d bytes", BytesMax)
	case size > int64(len(b)):
		return batch, b, ErrPartial
	}
	b, rest = b[:size], b[size:]
	batch = Batch{
		First:          int64(binary.BigEndian.Uint64(b)),
		FirstTimestamp: int64(binary.BigEndian.Uint64(b[atFirstTimestamp:])),
		MaxTimestamp:   int64(binary.BigEndian.Uint64(b[atMaxTimestamp:])),
		ProducerID:     int64(binary.BigEndian.Uint64(b[atProducerID:])),
		Count:          int(int32(binary.BigEndian.Uint32(b[atCount:]))),
		attributes:     binary.BigEndian.Uint16(b[atAttributes:]),
		checksum:       binary.BigEndian.Uint32(b[atCRC:]),
		summed:         b[atAttributes:],
		records:        b[HeaderBytes:],
	}
	batch.compressed = batch.Codec() != None && len(batch.records) > 0 // compaction may have left none
	last := int64(int32(binary.BigEndian.Uint32(b[atLastOffsetDelta:])))
	batch.Last = batch.First + last
	switch {
	case batch.First < 0 || last < 0 || batch.First > math.MaxInt64-1-last:
		err = fmt.Errorf("offsets from %d, the last one %d after it", batch.First, last)
	case batch.Count < 0 || int64(batch.Count) > last+1:
		err = fmt.Errorf("%d records in %d offsets", batch.Count, last+1)
	case batch.Codec() > Zstd:
		err = fmt.Errorf("unknown compression %d", batch.Codec())
	}
	return batch, rest, err
}

// CheckSum returns an error if the checksum is wrong: then nothing of the batch means anything.
func (b *Batch) CheckSum() error {
	if is := crc32.Checksum(b.summed, castagnoli); is != b.checksum {
		return fmt.Errorf("checksum %08x, want %08x", is, b.checksum)
	}
	return nil
}

// Codec returns how the records are compressed in the log.
func (b *Batch) Codec() Codec { return Codec(b.attributes & codecBits) }

// Transactional reports whether the records are part of a transaction.
func (b *Batch) Transactional() bool { return b.attributes&transactionalBit != 0 }

// Control reports whether the batch holds a transaction marker, which is not delivered to readers.
func (b *Batch) Control() bool { return b.attributes&controlBit != 0 }

// Compressed reports whether the records are compressed still. Decompress them before Check.
func (b *Batch) Compressed() bool { return b.compressed }

// Bytes returns how many bytes the records have as they are now.
func (b *Batch) Bytes() int { return len(b.records) }

// EndsAborted reports whether a control batch is the marker of an aborted transaction: its key is a
// version and a type (org.apache.kafka.common.record.ControlRecordType). Call Check first.
func (b *Batch) EndsAborted() bool {
	for r := range b.Records {
		return len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key) >= controlKeyVersion &&
			binary.BigEndian.Uint16(r.Key[2:]) == abortMarker
	}
	return false // compaction has taken the marker
}
