package console

import (
	"fmt"
	"strings"
)

// fieldMin is how narrow a text may become beside its name; then it goes below.
const fieldMin = 16

// Field writes a name, padded to so many columns, and a text. On a terminal the text is broken between words, and goes on
// below where it began.
func (c *Console) Field(name string, columns int, text string) error {
	head := fmt.Sprintf("%-*s ", columns, name)
	width := c.width()
	if width == 0 {
		return c.Line([]byte(head + text))
	}
	indent := len(head)
	if width-1-indent < fieldMin {
		head, indent = strings.TrimRight(head, " ")+"\n  ", 2
	}
	lines := wrap(string(appendSafe(nil, []byte(text))), width-1-indent)
	for i, line := range lines {
		line = strings.Trim(line, " ") // wrap indents in its own way, and a column's padding may end a line
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		if err := c.painted([]byte(head + line + "\n")); err != nil {
			return err
		}
	}
	return nil
}
