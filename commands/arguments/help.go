package arguments

import (
	"strings"
	"unicode/utf8"
)

// secondMin is how narrow the second cell of a row may become beside the first; then it goes below.
const secondMin = 20

// Columns lays out rows of two cells in lines of at most so many columns. The second cell is broken between words.
func Columns(rows [][2]string, width int) string {
	left := 0
	for _, row := range rows {
		left = max(left, utf8.RuneCountInString(row[0]))
	}
	below := width-left-2 < secondMin && left > secondMin
	if below {
		left = 6
	}
	var text strings.Builder
	for _, row := range rows {
		cell := row[0]
		if below {
			text.WriteString(cell + "\n")
			cell = ""
		}
		for _, line := range wrap(row[1], width-left-2) {
			text.WriteString(cell + strings.Repeat(" ", left+2-utf8.RuneCountInString(cell)) + line + "\n")
			cell = ""
		}
	}
	return text.String()
}

// wrap breaks a text into lines of at most so many columns, between words.
func wrap(text string, columns int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line+" "+word) > columns:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// ShortTime writes a duration of Go as people do: 1m, not 1m0s.
func ShortTime(duration string) string {
	for _, none := range []string{"0s", "0m"} {
		rest, ok := strings.CutSuffix(duration, none)
		if ok && (strings.HasSuffix(rest, "m") || strings.HasSuffix(rest, "h")) {
			duration = rest
		}
	}
	return duration
}
