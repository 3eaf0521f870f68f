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

// table goes through the sums twice: first for the widths of the columns. Where a terminal has no room for what they are
// sums of, that is cut.
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
	columns := c.width()
	if left := columns - 1; columns > 0 {
		for _, width := range widths {
			left -= len(gap) + width
		}
		text = min(text, max(left, 1))
	}
	var line []byte
	show := func(of string, numbers []string, all ink) error {
		line = cells.append(append(line[:0], all.before...), []byte(of), text, columns == 0)
		for i, number := range numbers {
			paint := ink{}
			if strings.HasPrefix(number, "-") {
				paint = c.paint.debt
			}
			line = appendRight(append(line, gap...), []byte(number), widths[i], paint)
		}
		line = append(append(line, all.after...), '\n')
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
