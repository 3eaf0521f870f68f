package format

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	parquetformat "github.com/parquet-go/parquet-go/format"
)

const parquetMagic = "PAR1"

// readParquet hands over the rows of a Parquet file. The library has panics for some damaged files, which are
// errors here.
func readParquet(file io.ReaderAt, size int64, columns []string, row func(int64, Cells) error) (err error) {
	r := parquetReader{cells: make(Cells, len(columns)), columns: make(map[int]*parquetColumn), row: row}
	defer func() {
		if r.inRow { // that one is ours
			return
		}
		if failed := recover(); failed != nil {
			err = &ReadError{Row: r.n, Reason: fmt.Errorf("the file is damaged: %v", failed)}
		}
	}()
	opened, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return &ReadError{Reason: fmt.Errorf("as Parquet: %w", err)}
	}
	for i, name := range columns {
		leaf, there := opened.Schema().Lookup(name)
		if !there || leaf.MaxRepetitionLevel > 0 {
			continue
		}
		c := &parquetColumn{cell: i, kind: leaf.Node.Type().Kind()}
		if logical := leaf.Node.Type().LogicalType(); logical != nil {
			switch t := logical.Value.(type) {
			case *parquetformat.DecimalType:
				c.decimals, c.isDecimal = int(t.Scale), true
			case *parquetformat.TimestampType:
				c.unit = t.Unit.Value.Duration()
			}
		}
		r.columns[leaf.ColumnIndex] = c
	}
	for _, group := range opened.RowGroups() {
		if err := r.group(group); err != nil {
			return err
		}
	}
	return nil
}

// parquetReader reads the groups of rows of a file.
type parquetReader struct {
	columns map[int]*parquetColumn // by their place in the file
	cells   Cells
	row     func(int64, Cells) error
	inRow   bool // row is being called
	n       int64
}

// parquetColumn is a column that was asked for.
type parquetColumn struct {
	cell      int
	kind      parquet.Kind
	isDecimal bool
	decimals  int
	unit      time.Duration // of a timestamp; 0: it is none
	text      []byte
}

func (r *parquetReader) group(group parquet.RowGroup) error {
	const rowsAtOnce = 256
	rows := group.Rows()
	defer rows.Close()
	buffer := make([]parquet.Row, rowsAtOnce)
	for {
		n, err := rows.ReadRows(buffer)
		for _, values := range buffer[:n] {
			r.n++
			clear(r.cells)
			for _, v := range values {
				if c := r.columns[v.Column()]; c != nil && !v.IsNull() {
					r.cells[c.cell] = c.append(v)
				}
			}
			r.inRow = true
			if err := r.row(r.n, r.cells); err != nil {
				return err
			}
			r.inRow = false
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &ReadError{Row: r.n + 1, Reason: fmt.Errorf("as Parquet: %w", err)}
		}
	}
}

// append makes a text of a value.
func (c *parquetColumn) append(v parquet.Value) []byte {
	text := c.text[:0]
	switch c.kind {
	case parquet.Int32:
		text = c.number(text, int64(v.Int32()))
	case parquet.Int64:
		text = c.number(text, v.Int64())
	case parquet.Double:
		text = strconv.AppendFloat(text, v.Double(), 'f', -1, 64)
	case parquet.Float:
		text = strconv.AppendFloat(text, float64(v.Float()), 'f', -1, 32)
	case parquet.Boolean:
		text = strconv.AppendBool(text, v.Boolean())
	case parquet.Int96:
		const unixDay = 2_440_588 // the Julian day of 1970-01-01, by which Spark and Hive once stored times
		parts := v.Int96()
		nanos := int64(parts[1])<<32 | int64(parts[0])
		text = time.Unix((int64(parts[2])-unixDay)*86400, nanos).UTC().AppendFormat(text, time.RFC3339Nano)
	default:
		if c.isDecimal {
			text = c.large(text, v.ByteArray())
		} else {
			text = append(text, v.ByteArray()...)
		}
	}
	c.text = text
	return text
}

func (c *parquetColumn) number(text []byte, n int64) []byte {
	switch {
	case c.unit > 0:
		perSecond := int64(time.Second / c.unit)
		at := time.Unix(n/perSecond, n%perSecond*int64(c.unit)).UTC()
		return at.AppendFormat(text, time.RFC3339Nano)
	case c.isDecimal:
		return appendDecimal(text, strconv.FormatInt(n, 10), c.decimals)
	}
	return strconv.AppendInt(text, n, 10)
}

// large makes a text of a decimal that is stored as bytes: a number in two's complement, the first byte the highest.
func (c *parquetColumn) large(text, digits []byte) []byte {
	n := new(big.Int).SetBytes(digits)
	if len(digits) > 0 && digits[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(digits))))
	}
	return appendDecimal(text, n.String(), c.decimals)
}

// appendDecimal appends a number with its decimal point so many digits before the end.
func appendDecimal(text []byte, digits string, decimals int) []byte {
	digits, negative := strings.CutPrefix(digits, "-")
	if negative {
		text = append(text, '-')
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole := len(digits) - decimals
	text = append(text, digits[:whole]...)
	if decimals > 0 {
		text = append(append(text, '.'), digits[whole:]...)
	}
	return text
}
