package console

import (
	"bizumctl/bizum"
	"bizumctl/bizum/format"
	"bizumctl/bizum/record"
)

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
