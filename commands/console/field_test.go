package console_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"bizumctl/commands/console"
)

const fieldText = "certificate of localhost, valid until 2026-12-28"

// A field is one line in a pipe; a narrow terminal shows all of it, in lines that fit.
func TestField(t *testing.T) {
	write := func(stdout io.Writer) {
		c := console.New(console.Options{Stdout: stdout, Stderr: io.Discard, Now: time.Now,
			Getenv: func(string) string { return "" }, Color: console.Never})
		if err := c.Field("broker", 8, fieldText); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	var pipe bytes.Buffer
	write(&pipe)
	if want := "broker   " + fieldText + "\n"; pipe.String() != want {
		t.Errorf("%q, want %q", pipe.String(), want)
	}
	for columns, want := range map[uint16]string{
		80: "broker   " + fieldText,
		40: "broker   certificate of localhost,\n         valid until 2026-12-28",
		20: "broker\n  certificate of\n  localhost, valid\n  until 2026-12-28",
	} {
		terminal, child, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := pty.Setsize(terminal, &pty.Winsize{Rows: 20, Cols: columns}); err != nil {
			t.Fatal(err)
		}
		write(child)
		buffer := make([]byte, 1000)
		n, err := terminal.Read(buffer)
		child.Close()
		terminal.Close()
		if got := strings.TrimSuffix(strings.ReplaceAll(string(buffer[:n]), "\r", ""), "\n"); err != nil || got != want {
			t.Errorf("at %d columns %q, want %q, %v", columns, got, want, err)
		}
	}
}
