package console

import (
	"bytes"

	"github.com/mattn/go-runewidth"
)

// cells are texts in columns.
type cells struct{ *runewidth.Condition }

func newCells() cells { return cells{&runewidth.Condition{StrictEmojiNeutral: true}} }

// width is how many columns a text takes when it is escaped.
func (c cells) width(text []byte) int {
	if wide, plain := plainWidth(text); plain {
		return wide
	}
	return c.StringWidth(string(appendSafe(nil, text)))
}

// append appends text escaped, filled up to so many columns, and cut to them with … unless they are endless.
func (c cells) append(b, text []byte, columns int, endless bool) []byte {
	wide, plain := plainWidth(text)
	switch {
	case plain && (wide <= columns || endless):
		return appendBlanks(append(b, text...), columns-wide)
	case endless:
		return append(b, c.FillRight(string(appendSafe(nil, text)), columns)...)
	}
	start := len(b)
	b = c.appendCut(b, text, columns)
	return appendBlanks(b, columns-c.StringWidth(string(b[start:])))
}

// appendCut appends text escaped, and cut with … to so many columns.
func (c cells) appendCut(b, text []byte, columns int) []byte {
	const bytesMax = 64 // a column: no endless row of combining characters either
	if len(text) > bytesMax*columns {
		text = bytes.ToValidUTF8(text[:bytesMax*columns], nil)
	}
	return append(b, c.Truncate(string(appendSafe(nil, text)), columns, "…")...)
}

// plainWidth returns how many columns a text takes, and reports whether it is of characters that take one each and need
// no escape: the printable ones of ASCII and the letters of Latin-1. Of other text only the library knows.
func plainWidth(text []byte) (columns int, plain bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case ' ' <= c && c <= '~':
		case c == 0xC3 && i+1 < len(text) && 0x80 <= text[i+1] && text[i+1] <= 0xBF: // U+00C0 to U+00FF
			i++
		default:
			return 0, false
		}
		columns++
	}
	return columns, true
}
