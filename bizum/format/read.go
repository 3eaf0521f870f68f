package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Cells are the texts of a row in the columns that were asked for, in their order; nil: the row has none there.
// They are valid until the next row.
type Cells [][]byte

// MessageColumn is the column of a whole message, as in a table of what a topic has. Lines of text have only
// this one.
const MessageColumn = "value"

// LineBytesMax limits a line of text or JSON that is read.
const LineBytesMax = 16 << 20

// ReadFile hands the rows of a file to row, numbered from 1, and returns the first error. Which format a file
// has is seen from how it begins: Parquet, an object of JSON a line, csv whose first line names columns that
// were asked for, or lines of text, each a message. Rows of csv without such a line are read as the columns of
// defaults; whether lines are csv is what most of the first ones look like.
func ReadFile(path string, columns, defaults []string, row func(n int64, cells Cells) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	magic := make([]byte, len(parquetMagic))
	if n, _ := io.ReadFull(file, magic); n == len(magic) && string(magic) == parquetMagic {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		return inFile(path, readParquet(file, info.Size(), columns, row))
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return inFile(path, Read(file, columns, defaults, row))
}

func inFile(path string, err error) error {
	var reading *ReadError
	if errors.As(err, &reading) {
		reading.Path = path
	}
	return err
}

// ReadError means that a file, or a stream, has something that cannot be read.
type ReadError struct {
	Path   string // "": a stream
	Row    int64
	Reason error
}

func (e *ReadError) Error() string {
	if e.Row == 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %v", e.Path, e.Row, e.Reason)
}

func (e *ReadError) Unwrap() error { return e.Reason }

// Read is ReadFile for a stream, which cannot be Parquet.
func Read(from io.Reader, columns, defaults []string, row func(n int64, cells Cells) error) error {
	lines := bufio.NewReaderSize(from, 256<<10)
	first, err := lines.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	if first[0] == '{' {
		return readObjects(lines, columns, row)
	}
	beginning, err := lines.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	line, _, _ := bytes.Cut(beginning, []byte{'\n'})
	if bytes.HasPrefix(line, []byte(parquetMagic)) {
		return &ReadError{Reason: errors.New("a Parquet file can be read by its name only")}
	}
	if isCSV(beginning, columns) {
		return readCSV(lines, columns, defaults, row)
	}
	return readLines(lines, columns, row)
}

// isCSV reports whether lines are csv: if the first one names a column, or else if there are more that look like a
// row of csv than such that look like a message, which has three semicolons.
func isCSV(beginning []byte, columns []string) bool {
	rows, messages := 0, 0
	for line := range bytes.Lines(beginning) {
		comma := bytes.IndexByte(line, ',') >= 0
		if rows+messages == 0 && comma && namesColumn(line, columns) {
			return true
		}
		switch {
		case bytes.Count(line, []byte{';'}) >= 3:
			messages++
		case comma:
			rows++
		}
	}
	return rows > messages
}

// namesColumn reports whether a line of csv names any of the columns.
func namesColumn(line []byte, columns []string) bool {
	for field := range bytes.SplitSeq(bytes.TrimPrefix(line, []byte("\ufeff")), []byte{','}) {
		field = bytes.Trim(field, "\" \r\n")
		if len(field) > 0 && slices.Contains(columns, string(field)) {
			return true
		}
	}
	return false
}

// readLines reads lines of text, which are messages.
func readLines(lines *bufio.Reader, columns []string, row func(int64, Cells) error) error {
	cells := make(Cells, len(columns))
	return eachLine(lines, func(n int64, line []byte) error {
		for i, name := range columns {
			if name == MessageColumn {
				cells[i] = line
			}
		}
		return row(n, cells)
	})
}

var errLongLine = fmt.Errorf("a line of more than %d bytes", LineBytesMax)

// eachLine hands over the lines that are not empty, without their ends.
func eachLine(lines *bufio.Reader, line func(n int64, text []byte) error) error {
	var long []byte
	for n := int64(1); ; n++ {
		text, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], text...)
			for errors.Is(err, bufio.ErrBufferFull) && len(long) < LineBytesMax {
				text, err = lines.ReadSlice('\n')
				long = append(long, text...)
			}
			if text = long; len(long) >= LineBytesMax {
				return &ReadError{Row: n, Reason: errLongLine}
			}
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return err
		}
		if text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\r'}); len(text) > 0 {
			if err := line(n, text); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
	}
}
