package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/term"
)

// ErrNoTerminal means that there is nobody to ask.
var ErrNoTerminal = errors.New("no terminal to ask on")

// AskSecret asks a person on the terminal for a line that is not shown. Standard input may be something else.
func (c *Console) AskSecret(ctx context.Context, question string) (string, error) {
	if !c.noticesScreen {
		return "", ErrNoTerminal
	}
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	terminal, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return "", ErrNoTerminal
	}
	defer terminal.Close()
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", ErrNoTerminal
	}
	fmt.Fprintf(c.notices, speaker+"%s: ", c.escaped(question))
	defer fmt.Fprintln(c.notices)
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		lines <- line{string(text), err}
	}()
	select {
	case l := <-lines:
		return l.text, l.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // so that the shell shows again what is typed
		return "", ctx.Err()
	}
}
