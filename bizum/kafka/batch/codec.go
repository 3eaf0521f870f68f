package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a way to compress the records of a batch, by Kafka's number for it.
type Codec int8

// The codecs (org.apache.kafka.common.record.CompressionType).
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// ErrShort means that the records decompress to more than there is room for.
var ErrShort = errors.New("records decompress to more than there is room for")

// Decompressor decompresses records. It may be used by several goroutines.
type Decompressor struct {
	zstd *zstd.Decoder
	gzip sync.Pool
	lz4  sync.Pool
}

// NewDecompressor returns a Decompressor that uses all processors.
func NewDecompressor() *Decompressor {
	// The output never exceeds the capacity that the caller provides. A frame may name a window larger than
	// itself: Java's client does at its highest levels.
	const windowBytesMax = 128 << 20
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(windowBytesMax), zstd.WithDecodeAllCapLimit(true),
		zstd.IgnoreChecksum(true)) // the batch has one
	if err != nil {
		panic("batch: internal error: " + err.Error()) // of an option
	}
	return &Decompressor{zstd: decoder}
}

// Decompress appends the decompressed records of a batch to to, within its capacity, and returns it; the
// batch refers to them from then on. It returns ErrShort if the capacity is too small; any other error
// means that the batch is corrupt.
func (d *Decompressor) Decompress(b *Batch, to []byte) ([]byte, error) {
	all, err := d.decode(b.Codec(), b.records, to)
	if err != nil {
		return to, err
	}
	b.records, b.compressed = all[len(to):], false
	return all, nil
}

func (d *Decompressor) decode(codec Codec, from, to []byte) ([]byte, error) {
	switch codec {
	case None:
		if len(from) > cap(to)-len(to) {
			return to, ErrShort
		}
		return append(to, from...), nil
	case Gzip:
		return d.decodeGzip(from, to)
	case Snappy:
		return decodeSnappy(from, to)
	case LZ4:
		return d.decodeLZ4(from, to)
	}
	return d.decodeZstd(from, to)
}

// decodeZstd returns ErrShort for most errors until there is room for the largest batch: for a block that
// does not fit the library (v1.20.3) returns several errors, among them those of a corrupt one.
func (d *Decompressor) decodeZstd(from, to []byte) ([]byte, error) {
	room := cap(to) - len(to)
	all, err := d.zstd.DecodeAll(from, to[len(to):]) // its limits count from the start
	switch {
	case err == nil && len(all) <= room:
		return to[:len(to)+len(all)], nil
	case err == nil || room < BytesMax || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return to, ErrShort
	}
	return to, whole(err)
}

func (d *Decompressor) decodeGzip(from, to []byte) ([]byte, error) {
	reader, _ := d.gzip.Get().(*gzip.Reader)
	if reader == nil {
		reader = new(gzip.Reader)
	}
	defer d.gzip.Put(reader)
	if err := reader.Reset(bytes.NewReader(from)); err != nil {
		return to, fmt.Errorf("gzip: %w", whole(err))
	}
	return readAll(reader, to)
}

func (d *Decompressor) decodeLZ4(from, to []byte) ([]byte, error) {
	reader, _ := d.lz4.Get().(*lz4.Reader)
	if reader == nil {
		reader = lz4.NewReader(nil)
	}
	defer d.lz4.Put(reader)
	reader.Reset(bytes.NewReader(from))
	return readAll(reader, to)
}

// readAll appends all of r to to, within its capacity.
func readAll(r io.Reader, to []byte) ([]byte, error) {
	all := to
	for len(all) < cap(all) {
		n, err := r.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return to, whole(err)
		}
	}
	var more [1]byte // it may fit exactly
	n, err := io.ReadFull(r, more[:])
	switch {
	case n > 0:
		return to, ErrShort
	case err == io.EOF:
		return all, nil
	}
	return to, whole(err)
}

// whole replaces the error for compressed data that ends early, so that no caller takes it for the end of
// a connection.
func whole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("compressed records end too early")
	}
	return err
}

// xerial is what Java's snappy streams begin with: a name, a version and the oldest compatible one.
// Blocks follow, each after its length.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

// decodeSnappy reads both framings that producers use: xerial's, and a bare block.
func decodeSnappy(from, to []byte) ([]byte, error) {
	if len(from) < xerialHeader || !bytes.HasPrefix(from, xerial) {
		return decodeBlock(from, to)
	}
	all := to
	for from = from[xerialHeader:]; len(from) > 0; {
		if len(from) < 4 {
			return to, whole(io.ErrUnexpectedEOF)
		}
		size := int64(binary.BigEndian.Uint32(from))
		if from = from[4:]; size > int64(len(from)) {
			return to, whole(io.ErrUnexpectedEOF)
		}
		var err error
		if all, err = decodeBlock(from[:size], all); err != nil {
			return to, err
		}
		from = from[size:]
	}
	return all, nil
}

func decodeBlock(from, to []byte) ([]byte, error) {
	size, err := snappy.DecodedLen(from)
	if err != nil {
		return to, fmt.Errorf("snappy: %w", err)
	}
	if size > cap(to)-len(to) {
		return to, ErrShort
	}
	if _, err := snappy.Decode(to[len(to):len(to)+size], from); err != nil {
		return to, fmt.Errorf("snappy: %w", err)
	}
	return to[:len(to)+size], nil
}
