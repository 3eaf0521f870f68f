// Package console is the terminal: what a person sees of a run, and in which words, colours and widths. It knows the
// events that the rooms below report, and nothing of how they come about.
package console

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fatih/color"
	"github.com/mattn/go-colorable"
	"golang.org/x/term"
)

// How the tool speaks:
//
//   - stdout is data, stderr is everything else: notices, rejected messages, progress, the summary, errors.
//   - A notice is one line, `bizumctl: ` and lower case, without a full stop. A quiet console leaves out notices, never
//     errors.
//   - Colour repeats what a sign or a word says already. Each stream has its own: on if that stream is a terminal that
//     is not dumb and NO_COLOR is empty; Always and Never beat all.
//   - Of what comes from a message, a terminal receives graphic characters only. Everything else, such as controls,
//     bidirectional marks and invalid UTF-8, is shown escaped. A pipe or file receives the bytes as they are, but a
//     notice is one line there, too.

// ErrClosedPipe means that nobody reads our output any more: | head. It ends a run quietly.
var ErrClosedPipe = errors.New("standard output was closed")

// Color is when to colour.
type Color string

// Auto colours what goes to a terminal that can show it.
const (
	Auto   Color = "auto"
	Always Color = "always"
	Never  Color = "never"
)

// on reports whether a stream is coloured.
func (w Color) on(getenv func(string) string, terminal bool) bool {
	switch w {
	case Always:
		return true
	case Never:
		return false
	}
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// Options are the streams of a Console and how it uses them.
type Options struct {
	Stdout, Stderr io.Writer
	Now            func() time.Time
	Getenv         func(string) string
	Color          Color
	Quiet          bool // no notices but errors
}

// Console is the screen: standard output for one goroutine, notices from any.
type Console struct {
	stdout   io.Writer
	rows     rows
	terminal bool       // standard output is one
	width    func() int // of standard output, in columns; 0: without end
	paint    palette
	quiet    bool
	onePlace bool // both streams go to the same: mu guards them together

	mu            sync.Mutex
	notices       io.Writer
	noticesScreen bool       // standard error is a terminal
	noticesWidth  func() int // of standard error; 0: without end
	warn, fault   *color.Color
	progress      string // the line that the next notice has to make room for
	progressed    time.Time
	followed      atomic.Bool  // progress is shown by Follow
	rejections    atomic.Int64 // messages that were reported so far
	now           func() time.Time
}

// palette is how a table is coloured.
type palette struct{ heading, faint, in, out, debt ink }

// ink is what stands before and after a coloured text; nothing, where there is no colour.
type ink struct{ before, after string }

func inkOf(c *color.Color) (i ink) {
	const text = "text"
	i.before, i.after, _ = strings.Cut(c.Sprint(text), text)
	return i
}

// New makes a console of two streams.
func New(o Options) *Console {
	stdout, terminal := screen(o.Stdout)
	stderr, noticesScreen := screen(o.Stderr)
	c := &Console{
		stdout: o.Stdout, rows: rows{to: stdout}, terminal: terminal, width: widthOf(o.Stdout, terminal, o.Getenv),
		notices: stderr, noticesScreen: noticesScreen, noticesWidth: widthOf(o.Stderr, noticesScreen, o.Getenv),
		onePlace: onePlace(o.Stdout, o.Stderr) || terminal && noticesScreen, quiet: o.Quiet, now: o.Now,
		progressed: o.Now(), // the first progress has to wait as well
	}
	onOut, onErr := o.Color.on(o.Getenv, terminal), o.Color.on(o.Getenv, noticesScreen)
	c.paint = palette{
		heading: inkOf(brush(onOut, color.Bold)), faint: inkOf(brush(onOut, color.Faint)),
		in: inkOf(brush(onOut, color.FgGreen)), out: inkOf(brush(onOut, color.FgRed)),
		debt: inkOf(brush(onOut, color.FgRed, color.Bold)),
	}
	c.warn, c.fault = brush(onErr, color.FgYellow), brush(onErr, color.FgRed, color.Bold)
	return c
}

// screen reports whether a stream is a terminal, and returns it with colours that old terminals of Windows understand.
func screen(w io.Writer) (io.Writer, bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return w, false
	}
	return colorable.NewColorable(file), true
}

// widthOf measures a terminal each time, for a window may be resized. One that does not know has COLUMNS or 80. What
// is no terminal, such as a file or a pipe, has no end.
func widthOf(stream io.Writer, terminal bool, getenv func(string) string) func() int {
	file, ok := stream.(*os.File)
	if !ok || !terminal {
		return func() int { return 0 }
	}
	fallback := 80
	if width, err := strconv.Atoi(getenv("COLUMNS")); err == nil && width > 0 {
		fallback = width
	}
	return func() int {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
		return fallback
	}
}

func brush(on bool, attributes ...color.Attribute) *color.Color {
	c := color.New(attributes...)
	if on {
		c.EnableColor()
	} else {
		c.DisableColor()
	}
	return c
}

func writeError(err error) error {
	if isClosed(err) {
		return ErrClosedPipe
	}
	if err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

// appendSafe appends text with all but graphic characters escaped: no byte of a message steers the terminal.
func appendSafe(b, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, text[0])
		case unicode.IsGraphic(r):
			b = append(b, text[:size]...)
		case r < utf8.RuneSelf:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
		text = text[size:]
	}
	return b
}
