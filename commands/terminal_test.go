package commands_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
	"github.com/twmb/franz-go/pkg/kgo"

	"bizumctl/bizum/devbroker"
)

// screen is a topic with what a hostile client wrote, and a terminal to show it on.
type screen struct {
	*testing.T
	brokers, topic string
	client         *kgo.Client
}

func newScreen(t *testing.T) *screen {
	onPath(t)
	s := &screen{T: t, brokers: realBrokers, topic: fmt.Sprintf("test-%x", rand.Uint64())}
	if s.brokers == "" {
		broker, err := devbroker.Start("localhost:0", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		s.brokers = broker.Address()
	}
	var err error
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(s.brokers), kgo.DefaultProduceTopic(s.topic)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.run(80, "produce", "--input", os.DevNull) // makes the topic
	return s
}

func (s *screen) send(key, value string) {
	s.Helper()
	r := &kgo.Record{Value: []byte(value)}
	if key != "" {
		r.Key = []byte(key)
	}
	if err := s.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// run returns everything that a terminal of so many columns receives of a command, from both streams.
func (s *screen) run(columns uint16, args ...string) string {
	s.Helper()
	return s.runWith(columns, nil, args...)
}

func (s *screen) runWith(columns uint16, environment []string, args ...string) string {
	s.Helper()
	cmd := exec.Command("bizumctl", args...)
	cmd.Env = append(os.Environ(), "TERM=xterm", "TZ=Europe/Madrid", "NO_COLOR=",
		"BIZUMCTL_BROKERS="+s.brokers, "BIZUMCTL_TOPIC="+s.topic)
	cmd.Env = append(cmd.Env, environment...)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: columns})
	if err != nil {
		s.Fatal(err)
	}
	defer terminal.Close()
	timeout := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	text, _ := io.ReadAll(terminal) // ends with EIO when the command does
	_ = cmd.Wait()                  // some fail on purpose
	return string(text)
}

// hostile are texts that would steer a terminal or deceive its reader.
var hostile = []string{
	"\x1b[2J\x1b[H", "\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "\x1b]52;c;aGk=\x07",
	"\x1bP0;0|17/ab\x1b\\", "\u009b31m", "\u009d0;title\u009c", "\x7f\x7f\x7f", "\rMaria;1", "a\nMaria;1;b;ENVIO", "\x00",
	"\u202e00.001", "\u2066x\u2069", "\u200bzero\u200d\ufeff", "\u00ad", "\u2028", "\U000e0041", "\x08\x08\x08", "\t",
	"\x1b[6n", "\x1bc", "\x0e", "\x1b[?1049h",
}

// ours are the colours that the console uses.
var ours = regexp.MustCompile(`\x1b\[(0|1|2|22|31|32|33|31;1|0;22|22;0)m`)

func checkSafe(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: not UTF-8: %q", what, text)
	}
	for _, r := range strings.ReplaceAll(ours.ReplaceAllString(text, ""), "\r\n", "") {
		if !unicode.IsGraphic(r) {
			t.Errorf("%s: the terminal receives %U in %q", what, r, text)
			return
		}
	}
}

// No byte of a message, a key, a topic's name or an error steers the terminal, in any output.
func TestInjection(t *testing.T) {
	s := newScreen(t)
	for _, h := range hostile {
		s.send("", "Ana"+h+";10;Cine;ENVIO")
		s.send("", "Ana;10;Cine"+h+";ENVIO")
		s.send("c"+h, "Ana;10;Cine;ENVIO")
		s.send("", "Ana;10"+h+";Cine;ENVIO")
		s.send("", "Ana;10;Cine;ENVIO"+h+"x")
	}
	s.send("\xff\xfe", "Ana;10;Cine;ENVIO")
	s.send("", "Jos\xe9;10;Cine;RECEPCI\xd3N")
	for _, color := range []string{"auto", "never"} {
		for _, output := range []string{"table", "text", "json", "csv", "raw"} {
			text := s.run(100, "consume", "--exit", "--color", color, "--output", output)
			checkSafe(t, "consume "+output, text)
			if !strings.Contains(text, `\x1b[2J`) && !strings.Contains(text, `\u001b[2J`) {
				t.Errorf("consume %s does not show the escape: %q", output, text)
			}
		}
		for _, output := range []string{"table", "text", "json", "csv", "none"} {
			checkSafe(t, "balance "+output, s.run(100, "balance", "--exit", "--color", color, "--output", output))
		}
	}
	for _, h := range hostile {
		if strings.Contains(h, "\x00") {
			continue // no argument of a process has one
		}
		for _, args := range [][]string{
			{"consume", "--exit", "--topic", "t" + h}, {"produce", "--topic", "t" + h, "--count", "1"}, {"cons" + h},
			{"consume", "--from", h}, {"balance", "--initial", h}, {"produce", "--input", h}, {"consume", "--" + h},
			{"consume", "--brokers", "localhost:1" + h}, {"consume", h}, {"balance", "--bad", h},
			{"produce", "--names", h, "--dry-run"}, {"broker", "--listen", h},
		} {
			checkSafe(t, fmt.Sprintf("%q", args), s.run(100, args...))
		}
	}
}

// The same bytes reach a pipe as they are.
func TestPipeKeepsBytes(t *testing.T) {
	s := newScreen(t)
	var want strings.Builder
	for _, h := range hostile {
		s.send("", "Ana;10;Cine"+h+";ENVIO")
		fmt.Fprintf(&want, "Ana;10;Cine%s;ENVIO\n", h)
	}
	cmd := exec.Command("bizumctl", "consume", "--raw", "--exit", "--brokers", s.brokers, "--topic", s.topic)
	got, err := cmd.Output()
	if err != nil || string(got) != want.String() {
		t.Errorf("%v: got %q, want %q", err, got, want.String())
	}
}

// The table fits terminals from 60 to 200 columns, with wide and combining characters, and its numbers line up.
func TestTableFits(t *testing.T) {
	s := newScreen(t)
	for _, p := range []string{
		"Ana;10;Cine;ENVIO", "José Antonio de la Santísima Trinidad;20.5;Regalo de cumpleaños para el sobrino;RECEPCIÓN",
		"日本太郎;33;会社の食事会の支払い会社の食事会の支払い会社の食事会の支払い;ENVIO",
		"Jose\u0301;1;" + strings.Repeat("e\u0301", 200) + ";ENVIO", "👨‍👩‍👧;5;🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉🎉;ENVIO",
		"Ana;999999999999.99;" + strings.Repeat("x", 5000) + ";RECEPCIÓN", "z" + strings.Repeat("\u0301", 20000) + ";1;;ENVIO",
	} {
		s.send("", p)
	}
	for _, several := range []bool{false, true} {
		if several {
			s.send("cuenta-de-los-gastos-comunes", "Ana;10;Cine;ENVIO")
			s.send("日本日本日本日本日本", "Ana;10;Cine;ENVIO")
		}
		for columns := uint16(60); columns <= 200; columns += 7 {
			for _, command := range []string{"balance", "consume"} {
				text := s.run(columns, command, "--exit", "--color", "never", "--quiet")
				end := 0
				for line := range strings.SplitSeq(strings.TrimSpace(text), "\r\n") {
					width := runewidth.StringWidth(line)
					if width > int(columns) {
						t.Errorf("%s at %d columns: %d wide: %q", command, columns, width, line)
					}
					if len(line) > 100*int(columns) {
						t.Errorf("%s at %d columns: a line of %d bytes", command, columns, len(line))
					}
					if strings.HasPrefix(line, "time") || strings.Contains(line, "999999999999.99") {
						end = 0 // a column was added, or those of numbers have grown
					}
					if strings.HasSuffix(line, "€") && !strings.HasPrefix(line, "opening") {
						if end != 0 && width != end {
							t.Errorf("%s at %d columns: ends at %d, not %d: %q", command, columns, width, end, line)
						}
						end = width
					}
				}
				if !strings.Contains(text, "…") {
					t.Errorf("%s at %d columns cuts nothing", command, columns)
				}
			}
		}
	}
}

// Colour is for terminals, unless told otherwise; the sign is there without it.
func TestColour(t *testing.T) {
	s := newScreen(t)
	s.send("", "Ana;10;Cine;ENVIO")
	s.send("", "Ana;30;Cine;RECEPCIÓN")
	for _, test := range []struct {
		environment []string
		args        []string
		want        bool
	}{
		{nil, nil, true},
		{[]string{"NO_COLOR=1"}, nil, false},
		{[]string{"TERM=dumb"}, nil, false},
		{nil, []string{"--color", "never"}, false},
		{[]string{"NO_COLOR=1"}, []string{"--color", "always"}, true},
		{[]string{"BIZUMCTL_COLOR=never"}, nil, false},
	} {
		text := s.runWith(80, test.environment, append([]string{"balance", "--exit", "--initial", "5"}, test.args...)...)
		if got := strings.Contains(text, "\x1b["); got != test.want {
			t.Errorf("%v %v: colour %v in %q", test.environment, test.args, got, text)
		}
		for _, want := range []string{"-10.00 €", "+30.00 €", "-5.00 €", "25.00 €"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v %v: no %q in %q", test.environment, test.args, want, text)
			}
		}
	}
}

// What the console says itself is not escaped.
func TestErrorIsPainted(t *testing.T) {
	s := newScreen(t)
	if text := s.run(80, "consume", "--brokers", "localhost:1"); !strings.Contains(text, "bizumctl: \x1b[31;1merror:\x1b[") {
		t.Errorf("%q", text)
	}
	if text := s.run(80, "consume", "--brokers", "localhost:1", "--color", "never"); strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
}

// With --rate a terminal has one line of progress that changes, and nothing of it is left over.
func TestProgress(t *testing.T) {
	s := newScreen(t)
	text := s.run(80, "produce", "--rate", "500", "--count", "900")
	if !strings.Contains(text, " sent, ") || !strings.Contains(text, "\r") {
		t.Errorf("no progress: %q", text)
	}
	for line := range strings.SplitSeq(text, "\r") {
		if width := runewidth.StringWidth(strings.Trim(line, "\r\n")); width > 80 {
			t.Errorf("progress is %d wide: %q", width, line)
		}
	}
	if !regexp.MustCompile(`\r *\rbizumctl: 900 bizums sent in 1\.\d+s: 500/s requested, (4|5)\d\d\.\d/s achieved`).MatchString(text) {
		t.Errorf("the summary does not begin on a clear line: %q", text)
	}
}
