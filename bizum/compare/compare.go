// Package compare reads what a pipeline delivered, a topic, files or a stream, and hands it to a comparison. It
// finds out what a record has: the message, its account, its number, its balance. It knows no flag and no
// screen.
package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/format"
	"bizumctl/bizum/record"
)

// Columns are where a record has what is compared: fields of an object, or columns of a table.
type Columns struct {
	ID      string // the payment's number; "": the headers name it
	Run     string // the run's id; "": that of the only receipt
	Balance string // a balance or a sum; "": there is none
	Account string // "": cuenta
}

// Config says what is read, and what hears of it.
type Config struct {
	Comparison check.Comparison // Input.Compare and Follow set it, and Run
	Columns    Columns
	Run        []byte        // of records that have a number and no run
	Progress   func(n int64) // called often, with how many records were read; nil: nobody wants to know
	ByValue    func()        // called when Input.Compare begins again, to compare by value
}

// The columns that are read, in the order of the cells.
const (
	name = iota
	amount
	concept
	kind
	account
	message
	key
	timestamp
	number
	run
	balance
	columnCount
)

// reader makes what is observed of records and rows.
type reader struct {
	config   Config
	columns  []string
	cells    format.Cells
	observed check.Observed
	text     []byte
	read     int64
}

func newReader(config Config) *reader {
	c := config.Columns
	r := &reader{config: config, cells: make(format.Cells, columnCount), columns: []string{"nombre", "cantidad",
		"concepto", "tipo", "cuenta", format.MessageColumn, "key", "timestamp", c.ID, c.Run, c.Balance}}
	if c.Account != "" {
		r.columns[account] = c.Account
	}
	return r
}

// defaults are the columns of csv that does not name them: those of consume, or with a balance those of balance.
func (r *reader) defaults() []string {
	columns := r.columns[:account:account]
	if r.config.Columns.Balance != "" {
		columns = append(columns, r.columns[balance])
	}
	return columns
}

// record takes a record of a topic. Its message is an object of JSON, or a line of text.
func (r *reader) record(m *record.Record) error {
	o := &r.observed
	*o = check.Observed{Place: check.Place{Source: m.Topic, Part: m.Partition, At: m.Offset},
		Run: m.Headers.Get(check.HeaderRun), N: m.Headers.Get(check.HeaderN), Value: m.Value, Time: m.Timestamp}
	if len(m.Key) > 0 {
		o.Account = m.Key
	}
	if format.JSONLike(m.Value) && format.ReadObject(m.Value, r.columns, r.cells) == nil {
		r.cells[timestamp] = nil // the record has one
		r.take(o, r.cells)
	} else if r.config.Columns.Balance != "" {
		r.splitBalance(o)
	}
	return r.observe(o)
}

// row takes a row of a file.
func (r *reader) row(place check.Place, cells format.Cells) error {
	o := &r.observed
	*o = check.Observed{Place: place, Time: check.NoTime}
	if k := cells[key]; len(k) > 0 {
		o.Account = k
	}
	o.Value = cells[message]
	r.take(o, cells)
	if cells[balance] == nil && r.config.Columns.Balance != "" && len(o.Value) > 0 {
		r.splitBalance(o)
	}
	return r.observe(o)
}

func (r *reader) observe(o *check.Observed) error {
	r.read++
	if r.config.Progress != nil {
		r.config.Progress(r.read)
	}
	return r.config.Comparison.Observe(o)
}

// take takes what the cells have.
func (r *reader) take(o *check.Observed, cells format.Cells) {
	if cells[name] != nil || cells[amount] != nil {
		r.text = append(append(r.text[:0], cells[name]...), ';')
		r.text = append(append(r.text, cells[amount]...), ';')
		r.text = append(append(r.text, cells[concept]...), ';')
		o.Value = append(r.text, cells[kind]...)
		r.text = o.Value
	}
	if cells[account] != nil {
		o.Account = cells[account]
	}
	if cells[number] != nil {
		o.N, o.Run = cells[number], r.config.Run
		if cells[run] != nil {
			o.Run = cells[run]
		}
	}
	if cells[balance] != nil {
		o.Balance, o.HasBalance = parseBalance(cells[balance])
	}
	if t, err := time.Parse(time.RFC3339Nano, string(cells[timestamp])); err == nil {
		o.Time = t.UnixMilli()
	}
}

// splitBalance takes the balance off the end of a line of text, where balance writes it.
func (r *reader) splitBalance(o *check.Observed) {
	if at := bytes.LastIndexByte(o.Value, ';'); at >= 0 {
		if b, ok := parseBalance(o.Value[at+1:]); ok {
			o.Balance, o.HasBalance, o.Value = b, true, o.Value[:at]
		}
	}
}

// parseBalance reads a balance with a sign, and none, one or two decimals or, as programs write floats, more.
func parseBalance(text []byte) (bizum.Amount, bool) {
	if a, ok := bizum.ParseBalance(text); ok {
		return a, true
	}
	digits, negative := bytes.CutPrefix(text, []byte("-"))
	p, err := bizum.ParsePayment(append(append([]byte("a;"), digits...), amountEnd...))
	if err != nil {
		a, err := bizum.ParseAmount(string(text))
		return a, err == nil
	}
	if negative {
		return -p.Amount, true
	}
	return p.Amount, true
}

// amountEnd makes a message of an amount, whose rules are those of messages.
var amountEnd = ";;" + bizum.Received.String()

// passes reads until the comparison has seen enough.
func passes(ctx context.Context, comparison check.Comparison, read func() error) error {
	for {
		if err := read(); err != nil {
			return err
		}
		again, err := comparison.EndPass(ctx)
		if err != nil || !again {
			return err
		}
	}
}

// Stream compares the rows of a stream. It is kept in a file until the end if it has to be read twice.
func Stream(ctx context.Context, from io.ReadSeeker, source string, config Config) error {
	r := newReader(config)
	return passes(ctx, config.Comparison, func() error {
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return err
		}
		err := format.Read(from, r.columns, r.defaults(), func(n int64, cells format.Cells) error {
			if n%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return r.row(check.Place{Source: source, At: n, InFile: true}, cells)
		})
		var reading *format.ReadError
		if errors.As(err, &reading) {
			reading.Path = source
		}
		return err
	})
}

// ErrNothing means that paths have no file to compare.
var ErrNothing = errors.New("no files to compare")

func nothingIn(path string) error { return fmt.Errorf("%s: %w", path, ErrNothing) }
