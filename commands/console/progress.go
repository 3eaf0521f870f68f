package console

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

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
