package format

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// ReadObject reads the members of a JSON object that were asked for: a text, or a number as it is written. It changes
// nothing in cells when the text is no object.
func ReadObject(text []byte, columns []string, cells Cells) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return errors.New("not an object of JSON")
	}
	for i, name := range columns {
		cells[i] = nil
		value, there := members[name]
		switch {
		case !there || string(value) == "null":
		case value[0] == '"':
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return err
			}
			cells[i] = append([]byte{}, s...)
		default:
			cells[i] = value
		}
	}
	return nil
}

// readObjects reads objects of JSON, one a line.
func readObjects(lines *bufio.Reader, columns []string, row func(int64, Cells) error) error {
	cells := make(Cells, len(columns))
	return eachLine(lines, func(n int64, line []byte) error {
		if err := ReadObject(line, columns, cells); err != nil {
			return &ReadError{Row: n, Reason: err}
		}
		return row(n, cells)
	})
}

// readCSV reads csv. Its first row may name the columns.
func readCSV(lines *bufio.Reader, columns, defaults []string, row func(int64, Cells) error) error {
	limited := &limitedRows{from: lines}
	reader := csv.NewReader(limited)
	reader.ReuseRecord, reader.FieldsPerRecord, reader.LazyQuotes = true, -1, true
	cells, buffers := make(Cells, len(columns)), make([][]byte, len(columns))
	var at []int // of each column that was asked for, its place; -1: none
	for n := int64(1); ; n++ {
		limited.read = 0
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			var malformed *csv.ParseError
			if errors.As(err, &malformed) {
				return &ReadError{Row: n, Reason: malformed.Err}
			}
			if errors.Is(err, errLongLine) {
				err = &ReadError{Row: n, Reason: err}
			}
			return err
		}
		if at == nil {
			fields[0] = strings.TrimPrefix(fields[0], "\ufeff")
			isHeader := slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(columns, f) })
			if at = placesOf(columns, defaults); isHeader {
				at = placesOf(columns, fields)
				continue
			}
		}
		for i, place := range at {
			if cells[i] = nil; place >= 0 && place < len(fields) {
				buffers[i] = append(buffers[i][:0], fields[place]...)
				cells[i] = buffers[i]
			}
		}
		if err := row(n, cells); err != nil {
			return err
		}
	}
}

// limitedRows fails where a row has more than LineBytesMax bytes, as one has whose quote nobody closes.
type limitedRows struct {
	from io.Reader
	read int // since the last row, and what was read ahead of it
}

func (r *limitedRows) Read(p []byte) (int, error) {
	if r.read > LineBytesMax {
		return 0, errLongLine
	}
	n, err := r.from.Read(p)
	r.read += n
	return n, err
}

func placesOf(columns, names []string) (at []int) {
	for _, name := range columns {
		at = append(at, slices.Index(names, name))
	}
	return at
}

// JSONLike reports whether a message looks like an object of JSON.
func JSONLike(message []byte) bool {
	text := bytes.TrimLeft(message, " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}
