package console

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
)

// fieldMin is how narrow a text may become beside its name; then it goes below.
const fieldMin = 16

// Field writes a name, padded to so many columns, and a text. Where a terminal has too few columns, the text is broken
// between words, and goes on below where it began.
func (c *Console) Field(name string, columns int, text string) error {
	head, width := fmt.Sprintf("%-*s ", columns, name), c.width()
	if width == 0 || len(head)+runewidth.StringWidth(text) < width {
		return c.Line([]byte(head + text))
	}
	indent := len(head)
	if width-1-indent < fieldMin {
		head, indent = strings.TrimRight(head, " ")+"\n  ", 2
	}
	safe := string(appendSafe(nil, []byte(text)))
	lines := wrap(strings.Fields(safe), width-1-indent, "")
	return c.painted([]byte(head + strings.Join(lines, "\n"+strings.Repeat(" ", indent)) + "\n"))
}
