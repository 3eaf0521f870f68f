package page

import (
	"unicode/utf8"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

// Row is a payment that was booked. Its texts need not outlast the call that they are given to.
type Row struct {
	bizum.Entry
	Partition int32
	Offset    int64
	Timestamp int64 // in milliseconds; any value
}

// textMax is how many bytes of a name, a concept or an account are kept of a row.
const textMax = 512

// ring keeps the last rows, in memory that is used again.
type ring struct {
	max   int
	rows  []keptRow
	next  int   // the oldest row once it is full
	count int64 // rows that were ever added
}

// keptRow is a row, and how many before it were not kept.
type keptRow struct {
	Row
	skipped int64
}

func (g *ring) add(r *Row, skipped int64) {
	if len(g.rows) < g.max {
		g.rows = append(g.rows, keptRow{})
	}
	k := &g.rows[g.next]
	name, concept, account := k.Name, k.Concept, k.Account
	k.Row, k.skipped = *r, skipped
	k.Name, k.Concept, k.Account = cut(name[:0], r.Name), cut(concept[:0], r.Concept), cut(account[:0], r.Account)
	g.next = (g.next + 1) % g.max
	g.count++
}

// last returns the last rows, at most so many, oldest first.
func (g *ring) last(n int) []*keptRow {
	n = min(n, len(g.rows))
	rows := make([]*keptRow, n)
	for i := range rows {
		rows[i] = &g.rows[(g.next-n+i+len(g.rows))%len(g.rows)]
	}
	return rows
}

// cut copies a text, and shows by … that it was too long.
func cut(to, text []byte) []byte {
	if len(text) <= textMax {
		return append(to, text...)
	}
	end := textMax
	for end > textMax-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return append(append(to, text[:end]...), "…"...)
}

// rowWriter writes rows as the commands write them with their output of JSON.
type rowWriter struct{ json format.Format }

func newRowWriter() rowWriter {
	json, err := format.ByName("json", format.Options{Balance: true})
	if err != nil {
		panic("page: internal error: " + err.Error())
	}
	return rowWriter{json}
}

func (w rowWriter) append(b []byte, r *Row) []byte {
	row := format.Row{Payment: r.Payment, Account: string(r.Account), Balance: r.Balance, Partition: r.Partition,
		Offset: r.Offset, Timestamp: r.Timestamp}
	b, err := w.json.Append(b, &row)
	if err != nil {
		panic("page: internal error: " + err.Error()) // JSON holds any text
	}
	return b
}
