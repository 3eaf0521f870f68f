package view

import (
	"strings"

	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
)

// Receipt says what a receipt that was written into a file holds.
func Receipt(screen *console.Console, file string, result *producer.Result) {
	var parts []string
	for _, part := range []struct {
		n    int64
		text string
	}{
		{result.Unknown, "of unknown outcome"}, {result.Doubled, "doubled"}, {result.Malformed, "malformed"},
		{result.Reordered, "out of order"}, {result.Late, "late"},
		{result.Aborted, "in " + console.Plural(result.Transactions, "transaction that is", "transactions that are") +
			" not committed"},
	} {
		if part.n > 0 {
			parts = append(parts, console.Count(part.n)+" "+part.text)
		}
	}
	text := ""
	if len(parts) > 0 {
		text = ": " + strings.Join(parts, ", ")
	}
	screen.Noticef("receipt of run %s in %s%s", result.Run, file, text)
}
