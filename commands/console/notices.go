package console

import (
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"
)

// Noticef shows a line beside the data, unless the console is quiet.
func (c *Console) Noticef(format string, args ...any) {
	if !c.quiet {
		c.notice(nil, fmt.Sprintf(format, args...))
	}
}

func (c *Console) notice(paint *color.Color, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearProgress()
	lines := c.lines(text)
	for i := range lines {
		if i == 0 {
			lines[i] = strings.TrimPrefix(lines[i], speaker)
		}
		if paint != nil {
			lines[i] = paint.Sprint(lines[i])
		}
	}
	_, _ = io.WriteString(c.notices, speaker+strings.Join(lines, "\n")+"\n")
}

// speaker begins a notice.
const speaker = "bizumctl: "

// lines returns a notice as it is shown: on a terminal escaped, and broken between words.
func (c *Console) lines(text string) []string {
	text = c.escaped(speaker + text)
	if !c.noticesScreen {
		return []string{text}
	}
	return wrap(pieces(text), c.noticesWidth()-1, "  ")
}

// wrap joins words into lines of at most so many columns, so that a terminal does not break one. The lines after the
// first are indented.
func wrap(words []string, columns int, indent string) (lines []string) {
	line := ""
	for _, word := range words {
		switch joined := line + " " + word; {
		case line == "":
			line = word
		case runewidth.StringWidth(joined) <= columns:
			line = joined
		default:
			lines, line = append(lines, line), indent+word
		}
	}
	return append(lines, line)
}

// pieces splits a text into words and amounts. A command of ours, which may be copied, stays in one piece.
func pieces(text string) (pieces []string) {
	command := false
	for word := range strings.SplitSeq(text, " ") {
		if command || len(pieces) > 0 && strings.HasPrefix(word, "€") {
			pieces[len(pieces)-1] += " " + word
		} else {
			pieces = append(pieces, word)
		}
		command = (command || word == "bizumctl") && !strings.ContainsAny(word[max(len(word)-1, 0):], ",;")
	}
	return pieces
}

// Log returns a writer that shows the lines of the Kafka client's log as notices, even when the console is quiet.
func (c *Console) Log() io.Writer { return logWriter{c} }

type logWriter struct{ console *Console }

func (w logWriter) Write(line []byte) (int, error) {
	w.console.notice(nil, "kafka: "+strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// Error shows the error that ends the run, and what to do about it.
func (c *Console) Error(err error, hint string) {
	const word = "error:"
	c.mu.Lock()
	c.clearProgress()
	text := strings.Join(c.lines(word+" "+err.Error()), "\n")
	_, _ = fmt.Fprintln(c.notices, strings.Replace(text, word, c.fault.Sprint(word), 1))
	c.mu.Unlock()
	if hint != "" {
		c.notice(nil, "hint: "+hint)
	}
}

// escaped returns text of which a terminal shows every byte, and which is one line anywhere: else a key could forge a
// line of ours in a log.
func (c *Console) escaped(text string) string {
	if c.noticesScreen {
		return string(appendSafe(nil, []byte(text)))
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\n", `\x0a`), "\r", `\x0d`)
}
