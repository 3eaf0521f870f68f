package console

import (
	"strings"
	"unicode/utf8"
)

// Columns lays out rows of two cells in lines of at most so many columns. The second cell is broken between words.
func Columns(rows [][2]string, width int) string {
	left := 0
	for _, row := range rows {
		left = max(left, utf8.RuneCountInString(row[0]))
	}
	var text strings.Builder
	for _, row := range rows {
		cell := row[0]
		for _, line := range wrap(strings.Fields(row[1]), width-left-2, "") {
			text.WriteString(cell + strings.Repeat(" ", left+2-utf8.RuneCountInString(cell)) + line + "\n")
			cell = ""
		}
	}
	return text.String()
}
