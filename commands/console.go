package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
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
//   - stdout is data, stderr is everything else: remarks, rejected messages, progress, the summary, errors.
//   - A remark is one line, `bizumctl: ` and lower case, without a full stop. --quiet leaves out remarks, never errors.
//   - Colour repeats what a sign or a word says already. Each stream has its own: on if that stream is a terminal that
//     is not dumb and NO_COLOR is empty; --color beats all.
//   - Of what comes from a message, a terminal receives graphic characters only. Everything else, such as controls,
//     bidirectional marks and invalid UTF-8, is shown escaped. A pipe or file receives the bytes as they are.

// errClosedPipe means that nobody reads our output any more: | head. It ends a run quietly.
var errClosedPipe = errors.New("standard output was closed")

// console is the screen: standard output for one goroutine, remarks from any.
type console struct {
	out      *bufio.Writer
	terminal bool       // standard output is one
	width    func() int // of standard output, in columns
	paint    palette
	quiet    bool

	mu            sync.Mutex
	remarks       io.Writer
	remarksScreen bool // standard error is a terminal
	warn, fault   *color.Color
	progress      string // the line that the next remark has to make room for
	progressed    time.Time
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

func newConsole(env Env, s shared) *console {
	stdout, terminal := screen(env.Stdout)
	stderr, remarksScreen := screen(env.Stderr)
	c := &console{
		out: bufio.NewWriterSize(stdout, 64<<10), terminal: terminal, width: widthOf(env, terminal),
		remarks: stderr, remarksScreen: remarksScreen, quiet: s.quiet, now: env.Now,
		progressed: env.Now(), // the first progress has to wait as well
	}
	onOut, onErr := s.color.on(env, terminal), s.color.on(env, remarksScreen)
	c.paint = palette{
		heading: inkOf(brush(onOut, color.Bold)), faint: inkOf(brush(onOut, color.Faint)),
		in: inkOf(brush(onOut, color.FgGreen)), out: inkOf(brush(onOut, color.FgRed)),
		debt: inkOf(brush(onOut, color.FgRed, color.Bold)),
	}
	c.warn, c.fault = brush(onErr, color.FgYellow), brush(onErr, color.FgRed, color.Bold)
	return c
}

// screen says whether a stream is a terminal. On Windows it makes an old one understand colours.
func screen(w io.Writer) (io.Writer, bool) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return w, false
	}
	return colorable.NewColorable(file), true
}

// widthOf measures a terminal each time, for a window may be resized. What is no terminal has COLUMNS or 80.
func widthOf(env Env, terminal bool) func() int {
	fallback := 80
	if width, err := strconv.Atoi(env.Getenv("COLUMNS")); err == nil && width > 0 {
		fallback = width
	}
	return func() int {
		if file, ok := env.Stdout.(*os.File); ok && terminal {
			if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				return width
			}
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

// line writes one line of data, which the caller has formatted without its newline.
func (c *console) line(data []byte) error {
	if c.terminal {
		data = appendSafe(nil, data)
	}
	if _, err := c.out.Write(data); err != nil {
		return writeError(err)
	}
	return writeError(c.out.WriteByte('\n'))
}

// painted writes a line, with its newline, that is escaped already and perhaps coloured.
func (c *console) painted(line []byte) error {
	_, err := c.out.Write(line)
	return writeError(err)
}

// flush shows what was written so far.
func (c *console) flush() error { return writeError(c.out.Flush()) }

func writeError(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return errClosedPipe
	}
	if err != nil {
		return fmt.Errorf("writing to standard output: %w", err)
	}
	return nil
}

// remark tells something by the way.
func (c *console) remark(format string, args ...any) {
	if !c.quiet {
		c.tell(nil, fmt.Sprintf(format, args...))
	}
}

// rejected tells of a message that is not booked. It is told even when quiet: it is an error, the message's own.
func (c *console) rejected(place string, reason error) {
	c.tell(c.warn, fmt.Sprintf("rejected %s: %v", place, reason))
}

func (c *console) tell(paint *color.Color, text string) {
	text = c.escaped(text)
	if paint != nil {
		text = paint.Sprint(text)
	}
	c.write(text)
}

func (c *console) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearProgress()
	fmt.Fprintf(c.remarks, "bizumctl: %s\n", text)
}

// logWriter tells the lines of a library's log as remarks.
type logWriter struct{ console *console }

func (w logWriter) Write(line []byte) (int, error) {
	w.console.tell(nil, "kafka: "+strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// report tells the error that ends the run, and what to do about it.
func (c *console) report(err error, hint string) {
	c.write(c.fault.Sprint("error:") + " " + c.escaped(err.Error()))
	if hint != "" {
		c.tell(nil, "hint: "+hint)
	}
}

func (c *console) escaped(text string) string {
	if c.remarksScreen {
		return string(appendSafe(nil, []byte(text)))
	}
	return text
}

// How often progress is told: on a terminal in one line that changes, else in lines now and then.
const (
	progressScreen = time.Second / 2
	progressPipe   = 5 * time.Second
)

// progressDue says whether it is time to tell progress again, so that its text is made only then.
func (c *console) progressDue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	every := progressPipe
	if c.remarksScreen {
		every = progressScreen
	}
	return !c.quiet && c.now().Sub(c.progressed) >= every
}

func (c *console) showProgress(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progressed = c.now()
	if !c.remarksScreen {
		fmt.Fprintf(c.remarks, "bizumctl: %s\n", text)
		return
	}
	c.clearProgress()
	c.progress = runewidth.Truncate("bizumctl: "+text, c.width()-1, "…")
	fmt.Fprint(c.remarks, c.progress)
}

// clearProgress makes room. The line never wraps, so one return and blanks take it away on any terminal.
func (c *console) clearProgress() {
	if c.progress != "" {
		fmt.Fprintf(c.remarks, "\r%s\r", strings.Repeat(" ", runewidth.StringWidth(c.progress)))
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
