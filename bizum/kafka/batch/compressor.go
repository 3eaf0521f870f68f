package batch

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compressor compresses the records of batches. It is for one goroutine at a time.
type Compressor struct {
	Codec Codec

	zstd *zstd.Encoder
	gzip *gzip.Writer
	lz4  *lz4.Writer
	out  bytes.Buffer
}

// codecNames are the names of the codecs, by Kafka's number.
var codecNames = [...]string{None: "none", Gzip: "gzip", Snappy: "snappy", LZ4: "lz4", Zstd: "zstd"}

// ParseCodec returns the codec of a name: none, gzip, snappy, lz4 or zstd.
func ParseCodec(name string) (Codec, error) {
	for codec, known := range codecNames {
		if name == known {
			return Codec(codec), nil
		}
	}
	return None, fmt.Errorf("compression %q: want none, gzip, snappy, lz4 or zstd", name)
}

// NewCompressor returns a Compressor of a codec, at the level chosen below.
func NewCompressor(codec Codec) *Compressor {
	c := &Compressor{Codec: codec}
	switch codec {
	case Gzip:
		c.gzip = gzip.NewWriter(nil)
	case LZ4:
		c.lz4 = lz4.NewWriter(nil)
		// Blocks as Java's client makes them; the library's own of 4 MiB take as much memory each.
		if err := c.lz4.Apply(lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
			panic("batch: internal error: " + err.Error())
		}
	case Zstd:
		// Payments are alike, so the fastest level with a small window makes batches no larger than the
		// slower ones do (14.4 bytes a payment of a million accounts, at the default level too).
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10),
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(false)) // the batch has one
		if err != nil {
			panic("batch: internal error: " + err.Error())
		}
		c.zstd = encoder
	}
	return c
}

// compress appends the compressed records to to.
func (c *Compressor) compress(to, records []byte) ([]byte, error) {
	switch c.Codec {
	case Zstd:
		return c.zstd.EncodeAll(records, to), nil
	case Snappy:
		return append(to, snappy.Encode(nil, records)...), nil
	}
	c.out.Reset()
	var err error
	if c.Codec == Gzip {
		c.gzip.Reset(&c.out)
		if _, err = c.gzip.Write(records); err == nil {
			err = c.gzip.Close()
		}
	} else {
		c.lz4.Reset(&c.out)
		if _, err = c.lz4.Write(records); err == nil {
			err = c.lz4.Close()
		}
	}
	return append(to, c.out.Bytes()...), err
}
