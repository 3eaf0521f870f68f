package format

import (
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"

	"bizumctl/bizum"
)

// record is a row of a Parquet file; its columns, in this order, are never null. Words repeat, so they are in
// dictionaries; so are amounts, of which bizums between 5 and 100 euros have 9501. Offsets and times grow in small
// steps.
type record struct {
	Name      []byte `parquet:"nombre,string,dict"`
	Amount    int64  `parquet:"cantidad,decimal(2:14),dict"`
	Concept   []byte `parquet:"concepto,string,dict"`
	Kind      string `parquet:"tipo,dict"`
	Account   string `parquet:"cuenta,dict"`
	Topic     string `parquet:"topic,dict"`
	Partition int32  `parquet:"partition,dict"`
	Offset    int64  `parquet:"offset,delta"`
	Time      int64  `parquet:"timestamp,timestamp(millisecond:utc),delta"`
}

// Bounds of what is held in memory: rows are handed to the library slabRows at a time, and a group of rows, with its
// dictionaries, is written out when its texts reach groupText. A column whose words do not repeat gives up its
// dictionary at dictionaryText.
const (
	slabRows       = 512
	slabText       = 1 << 20
	groupText      = 16 << 20
	dictionaryText = 256 << 10
	pageBytes      = 256 << 10 // before compression
)

type parquetWriter struct {
	writer  *parquet.GenericWriter[record]
	slab    []record
	topic   string
	kinds   [bizum.Received + 1]string
	key     string // of the row before
	account string // what it is written as
	texts   []byte // of the slab's rows
	text    int    // bytes of text in the slab
	group   int    // and in the group of rows
	size    int64
}

func newParquet(out io.Writer, topic string) *parquetWriter {
	w := &parquetWriter{topic: topic, writer: parquet.NewGenericWriter[record](out,
		parquet.Compression(newCodec()), parquet.PageBufferSize(pageBytes),
		parquet.DictionaryMaxBytes(dictionaryText),
		parquet.SkipPageBounds("nombre"), parquet.SkipPageBounds("concepto"), // nobody asks for a range of these
		parquet.SkipPageBounds("tipo"), parquet.SkipPageBounds("topic"),
		parquet.CreatedBy("bizumctl", "", ""))}
	w.kinds[bizum.Sent], w.kinds[bizum.Received] = bizum.Sent.String(), bizum.Received.String()
	return w
}

func (w *parquetWriter) Append(r *Row) error {
	if r.Account != w.key {
		w.key, w.account = r.Account, valid(r.Account)
	}
	w.slab = append(w.slab, record{w.keep(r.Name), int64(r.Amount), w.keep(r.Concept), w.kinds[r.Kind], w.account, w.topic,
		r.Partition, r.Offset, r.Timestamp})
	w.text += len(r.Name) + len(r.Concept) + len(r.Account)
	if len(w.slab) < slabRows && w.text < slabText {
		return nil
	}
	return w.flush()
}

// keep copies a text, which is good until the slab is handed over.
func (w *parquetWriter) keep(text []byte) []byte {
	start := len(w.texts)
	w.texts = append(w.texts, text...)
	return w.texts[start:len(w.texts):len(w.texts)]
}

// flush hands the slab over.
func (w *parquetWriter) flush() error {
	if _, err := w.writer.Write(w.slab); err != nil {
		return err
	}
	w.group += w.text
	w.slab, w.texts, w.text = w.slab[:0], w.texts[:0], 0
	if w.group >= groupText {
		w.group = 0
		if err := w.writer.Flush(); err != nil {
			return err
		}
	}
	w.size = w.writer.Size()
	return nil
}

func (w *parquetWriter) Size() int64 { return w.size }

func (w *parquetWriter) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.writer.Close()
}

// codec is the library's, but for a window no larger than a page: that takes 8 MB less for each file that is open.
type codec struct {
	parquetzstd.Codec
	encoder *zstd.Encoder
}

func newCodec() *codec {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(pageBytes),
		zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("format: internal error: zstd: " + err.Error())
	}
	return &codec{encoder: encoder}
}

func (c *codec) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}
