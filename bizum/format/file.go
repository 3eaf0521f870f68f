package format

import (
	"fmt"
	"io"
)

// Names are the formats of files; the first one is the default.
var Names = [...]string{"parquet", "text", "csv", "json"}

// Extension is how the names of files in a format end.
func Extension(name string) string {
	if name == "text" {
		return "txt"
	}
	return name
}

// Writer writes the rows of a file. Append copies what it keeps of a row.
type Writer interface {
	// Append adds a row. After ErrLineBreak, and only then, the file is as it was before.
	Append(r *Row) error
	// Size is about how many bytes the file would have if it were closed now.
	Size() int64
	// Close writes what is left. It does not close what is written to.
	Close() error
}

// FileOptions say what a file of bizums looks like.
type FileOptions struct {
	Format string // one of Names
	Topic  string // the column topic
	Safe   bool   // csv: spreadsheets find no formula
}

// NewWriter begins a file. Csv and json have the columns that they have on the screen, and topic; Parquet has the
// same.
func NewWriter(out io.Writer, o FileOptions) (Writer, error) {
	if o.Format == "parquet" {
		return newParquet(out, o.Topic), nil
	}
	f, err := (&columns{topic: o.Topic, safe: o.Safe}).format(o.Format)
	if err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	w := &lineWriter{out: out, line: f.Append}
	if f.Header != "" {
		w.buffer = append(append(w.buffer, f.Header...), '\n')
	}
	return w, nil
}

// lineWriter writes a line a row.
type lineWriter struct {
	out     io.Writer
	line    func([]byte, *Row) ([]byte, error)
	buffer  []byte
	written int64
}

const lineBuffer = 128 << 10

func (w *lineWriter) Append(r *Row) error {
	line, err := w.line(w.buffer, r)
	if err != nil {
		return err
	}
	w.buffer = append(line, '\n')
	if len(w.buffer) < lineBuffer {
		return nil
	}
	return w.Close()
}

func (w *lineWriter) Size() int64 { return w.written + int64(len(w.buffer)) }

func (w *lineWriter) Close() error {
	n, err := w.out.Write(w.buffer)
	w.written += int64(n)
	w.buffer = w.buffer[:0]
	return err
}
