package console

import (
	"iter"
	"strings"

	"bizumctl/bizum/format"
)

// Sums shows sums of what a column of the data has, as csv, as json, or as a table.
func (c *Console) Sums(output, column string, safe bool, sums iter.Seq[*format.Sum]) error {
	if output == "table" {
		return c.table(column, sums)
	}
	f, err := format.SumsByName(output, column, safe)
	if err == nil && f.Header != "" {
		err = c.Line([]byte(f.Header))
	}
	if err != nil {
		return err
	}
	var line []byte
	for s := range sums {
		line = f.Append(line[:0], s)
		if err := c.Line(line); err != nil {
			return err
		}
	}
	return c.Flush()
}

// table goes through the sums twice: first for the widths of the columns. Where a terminal has little room for what
// they are sums of, that has a line of its own.
func (c *Console) table(column string, sums iter.Seq[*format.Sum]) error {
	const gap = "  "
	of := map[string]string{"cuenta": "account", "nombre": "name", "concepto": "concept"}[column]
	numbers := func(s *format.Sum) []string {
		return []string{Count(s.Payments), Euros(s.Sent), Euros(s.Received), Euros(s.Net)}
	}
	names := []string{"bizums", "sent", "received", "net"}
	if column == "cuenta" {
		names, numbers = []string{"balance"}, func(s *format.Sum) []string { return []string{Euros(s.Balance)} }
	}
	cells, text, widths := newCells(), len(of), make([]int, len(names))
	measure := func(numbers []string) {
		for i, number := range numbers {
			widths[i] = max(widths[i], width([]byte(number)))
		}
	}
	measure(names)
	for s := range sums {
		text = max(text, cells.width([]byte(s.Of)))
		measure(numbers(s))
	}
	const little = 12
	columns, all := c.width(), 0
	for _, width := range widths {
		all += len(gap) + width
	}
	stacked := columns > 0 && columns-1-all < min(text, little)
	switch {
	case stacked:
		text = min(text, columns-1)
	case columns > 0:
		text = min(text, columns-1-all)
	}
	var line []byte
	show := func(of string, numbers []string, whole ink) error {
		line = cells.append(append(line[:0], whole.before...), []byte(of), text, columns == 0)
		if stacked {
			line = appendBlanks(append(line, '\n'), columns-1-all)
		}
		for i, number := range numbers {
			paint := ink{}
			if strings.HasPrefix(number, "-") {
				paint = c.paint.debt
			}
			line = appendRight(append(line, gap...), []byte(number), widths[i], paint)
		}
		line = append(append(line, whole.after...), '\n')
		return c.painted(line)
	}
	if err := show(of, names, c.paint.heading); err != nil {
		return err
	}
	for s := range sums {
		if err := show(s.Of, numbers(s), ink{}); err != nil {
			return err
		}
	}
	return c.Flush()
}
