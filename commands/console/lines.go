package console

import (
	"io"
	"os"
	"strings"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
	"bizumctl/bizum/record"
)

// rowsMax is how many bytes of data are kept until a Flush.
const rowsMax = 64 << 10

// rows are lines of data on their way to standard output. They are written whole: a notice, from another goroutine and
// perhaps to the same place, comes between two lines, never into one.
type rows struct {
	to      io.Writer
	pending []byte // whole lines
	failed  error  // of a write; nothing is written after it
}

// Line writes one line of data, which the caller has formatted without its newline.
func (c *Console) Line(data []byte) error {
	if c.terminal {
		c.rows.pending = appendSafe(c.rows.pending, data)
	} else {
		c.rows.pending = append(c.rows.pending, data...)
	}
	return c.painted([]byte{'\n'})
}

// Text writes lines of data at once, each of which ends with a newline.
func (c *Console) Text(lines string) error {
	for line := range strings.Lines(lines) {
		if err := c.Line([]byte(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return c.Flush()
}

// painted writes what is escaped already and perhaps coloured, and ends with a newline.
func (c *Console) painted(line []byte) error {
	c.rows.pending = append(c.rows.pending, line...)
	if len(c.rows.pending) < rowsMax {
		return nil
	}
	return c.Flush()
}

// Flush shows what was written so far.
func (c *Console) Flush() error {
	if len(c.rows.pending) == 0 || c.rows.failed != nil {
		return c.rows.failed
	}
	if c.onePlace {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.clearProgress()
	}
	_, err := c.rows.to.Write(c.rows.pending)
	c.rows.pending, c.rows.failed = c.rows.pending[:0], writeError(err)
	return c.rows.failed
}

// onePlace reports whether two streams go to the same place: a terminal, or what 2>&1 makes one. Elsewhere a reader who
// does not take our rows keeps no notice back.
func onePlace(stdout, stderr io.Writer) bool {
	out, isFile := stdout.(*os.File)
	notices, alsoFile := stderr.(*os.File)
	if !isFile || !alsoFile {
		return stdout == stderr
	}
	first, err := out.Stat()
	second, failed := notices.Stat()
	return err == nil && failed == nil && os.SameFile(first, second)
}

// Lines shows payments as lines of a format. What one takes of memory is used again for the next one.
type Lines struct {
	console *Console
	format  format.Format
	line    []byte
	row     format.Row
}

// NewLines finds a format by its name and writes its header, if it has one.
func NewLines(c *Console, name string, o format.Options) (*Lines, error) {
	f, err := format.ByName(name, o)
	if err == nil && f.Header != "" {
		err = c.Line([]byte(f.Header))
	}
	return &Lines{console: c, format: f}, err
}

// Row shows a payment, and the balance after it if the format has one. Its errors are those of the console, and
// format.ErrLineBreak.
func (l *Lines) Row(r *record.Record, p *bizum.Payment, balance bizum.Amount) error {
	row := &l.row
	row.Payment, row.Balance, row.Partition, row.Offset, row.Timestamp = *p, balance, r.Partition, r.Offset, r.Timestamp
	if account := row.Account; account == "" || account != string(r.Key) { // mostly that of the row before
		row.Account = bizum.AccountOf(r.Key)
	}
	line, err := l.format.Append(l.line[:0], row)
	if err != nil {
		return err
	}
	l.line = line
	return l.console.Line(line)
}
