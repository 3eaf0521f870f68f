package view

import (
	"errors"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// Records returns the handler that shows a record in the output format: raw, table, or one of package format.
func (v *View) Records(output string, safe bool) (func(*record.Record) error, error) {
	switch output {
	case "raw":
		return func(r *record.Record) error { return v.Wrote(v.Console.Line(r.Value)) }, nil
	case "table":
		statement := console.NewStatement(v.Console, console.StatementOptions{})
		return v.Checked(func(r *record.Record, p *bizum.Payment) error {
			return v.Wrote(statement.Row(r.Timestamp, bizum.KeyOf(r.Key), p, 0))
		}), nil
	}
	lines, err := console.NewLines(v.Console, output, format.Options{Safe: safe})
	return v.Checked(func(r *record.Record, p *bizum.Payment) error {
		err := lines.Row(r, p, 0)
		if errors.Is(err, format.ErrLineBreak) {
			return v.reject(r.Position, err, r.Value)
		}
		return v.Wrote(err)
	}), err
}

// Output is how entries are shown.
type Output struct {
	Name    string // table, none, or one of package format
	Account string // only entries of this one are shown; "": of all
	Safe    bool   // csv in which spreadsheets find no formula
}

// Entries returns what shows an entry in the output format.
func Entries(c *console.Console, o Output) (func(*record.Record, *bizum.Entry) error, error) {
	switch o.Name {
	case "none":
		return func(*record.Record, *bizum.Entry) error { return nil }, nil
	case "table":
		columns := console.StatementOptions{Balance: true}
		if o.Account != "" {
			columns.Accounts = console.OneAccount
		}
		statement := console.NewStatement(c, columns)
		return func(r *record.Record, e *bizum.Entry) error {
			if e.Opens {
				if err := statement.Opening(e.Account, e.Balance-e.Change()); err != nil {
					return err
				}
			}
			return statement.Row(r.Timestamp, e.Account, &e.Payment, e.Balance)
		}, nil
	}
	lines, err := console.NewLines(c, o.Name, format.Options{Balance: true, Safe: o.Safe})
	return func(r *record.Record, e *bizum.Entry) error {
		return lines.Row(r, &e.Payment, e.Balance)
	}, err
}
