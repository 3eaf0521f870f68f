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
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fatih/color"
	"github.com/mattn/go-colorable"
	"github.com/mattn/go-runewidth"
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
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) { // a pipe, or the window, was closed
		return ErrClosedPipe
	}
	if err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

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

// How often progress is shown: on a terminal in one line that changes, else in lines now and then.
const (
	progressScreen = time.Second / 2
	progressPipe   = 5 * time.Second
)

// ProgressDue reports whether it is time to show progress again, so that its text is made only then.
func (c *Console) ProgressDue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	every := progressPipe
	if c.noticesScreen {
		every = progressScreen
	}
	return !c.quiet && c.now().Sub(c.progressed) >= every
}

// ShowProgress shows how far a run has come: on a terminal in one line that changes.
func (c *Console) ShowProgress(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progressed = c.now()
	if !c.noticesScreen {
		_, _ = io.WriteString(c.notices, speaker+text+"\n")
		return
	}
	c.clearProgress()
	c.progress = runewidth.Truncate(speaker+text, c.noticesWidth()-1, "…")
	fmt.Fprint(c.notices, c.progress)
}

// EndProgress takes the line of progress away, when nothing follows it.
func (c *Console) EndProgress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearProgress()
}

// clearProgress makes room. The line never wraps, so one return and blanks take it away on any terminal.
func (c *Console) clearProgress() {
	if c.progress != "" {
		fmt.Fprintf(c.notices, "\r%s\r", strings.Repeat(" ", runewidth.StringWidth(c.progress)))
		c.progress = ""
	}
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
