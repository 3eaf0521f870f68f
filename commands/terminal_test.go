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

// The table fits terminals from 40 to 200 columns, with wide and combining characters, and its numbers line up.
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
		for columns := uint16(40); columns <= 200; columns += 8 {
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
					if strings.Contains(line, "999,999,999,999.99") {
						end = 0 // the columns of numbers have grown
					}
					if strings.HasSuffix(line, "€") && !strings.HasPrefix(line, "opening") {
						if end != 0 && width != end {
							t.Errorf("%s at %d columns: ends at %d, not %d: %q", command, columns, width, end, line)
						}
						end = width
					}
				}
				if strings.Count(text, "time ") != 1 {
					t.Errorf("%s at %d columns: not one heading: %q", command, columns, text)
				}
				if !strings.Contains(text, "…") {
					t.Errorf("%s at %d columns cuts nothing", command, columns)
				}
			}
		}
	}
}

// sendAt sends a payment with a time of its own.
func (s *screen) sendAt(at time.Time, key, value string) {
	s.Helper()
	r := &kgo.Record{Key: []byte(key), Value: []byte(value), Timestamp: at}
	if err := s.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		s.Fatal(err)
	}
}

// At 80 columns all that produce makes is whole, and the day, in local time, is a line of its own when it changes. Narrow
// terminals show as much, on two lines.
func TestStatement(t *testing.T) {
	s := newScreen(t)
	day := time.Now().AddDate(0, 0, -2).Truncate(24 * time.Hour)
	s.sendAt(day.Add(22*time.Hour), "cuenta", "Francisco José;20;Aparcamiento del aeropuerto;RECEPCIÓN")
	s.sendAt(day.Add(22*time.Hour+time.Minute), "cuenta", "María del Mar;100;Dorsal de la media maratón;ENVIO")
	s.sendAt(day.Add(23*time.Hour+5*time.Second), "cuenta", "Pepe;1;;ENVIO") // it is the next day in Madrid, always
	today, tomorrow := day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)
	for columns, want := range map[uint16]string{
		80: `time      name             concept                         amount       balance
opening balance of cuenta                                            2,000.00 €
TODAY
hh:mm:ss  Francisco José   Aparcamiento del aeropuerto   +20.00 €    2,020.00 €
hh:mm:ss  María del Mar    Dorsal de la media maratón   -100.00 €    1,920.00 €
TOMORROW
hh:mm:ss  Pepe                                            -1.00 €    1,919.00 €
`,
		40: `time     name                    amount
  concept                       balance
opening balance of cuenta    2,000.00 €
TODAY
hh:mm:ss Francisco José        +20.00 €
  Aparcamiento del aeropu…   2,020.00 €
hh:mm:ss María del Mar        -100.00 €
  Dorsal de la media mara…   1,920.00 €
TOMORROW
hh:mm:ss Pepe                   -1.00 €
                             1,919.00 €
`} {
		text := s.run(columns, "balance", "--exit", "--color", "never", "--quiet")
		text = regexp.MustCompile(`\d\d:\d\d:\d\d`).ReplaceAllString(strings.ReplaceAll(text, "\r\n", "\n"), "hh:mm:ss")
		text = strings.NewReplacer(today, "TODAY", tomorrow, "TOMORROW").Replace(text)
		if text != want {
			t.Errorf("at %d columns:\n%s\nwant\n%s", columns, text, want)
		}
	}
}

// The account has a column from the heading on if it may be one of several; else it is a line of its own when it changes.
// There is one heading.
func TestAccounts(t *testing.T) {
	s := newScreen(t)
	s.send("cuenta-1", "Ana;10;Cine;ENVIO")
	s.send("cuenta-2", "Ana;10;Cine;ENVIO")
	if text := s.run(80, "balance", "--exit", "--quiet", "--color", "never"); !strings.HasPrefix(text, "time     account ") ||
		strings.Count(text, "time ") != 1 {
		t.Errorf("%q", text)
	}
	if text := s.run(80, "balance", "--exit", "--quiet", "--color", "never", "--account", "cuenta-2"); strings.Contains(text, "account") {
		t.Errorf("%q", text)
	}
	s = newScreen(t)
	s.send("", "Ana;10;Cine;ENVIO")
	s.send("cuenta-2", "Ana;10;Cine;ENVIO")
	s.send("", "Ana;10;Cine;ENVIO")
	text := s.run(80, "consume", "--exit", "--quiet", "--color", "never")
	rows := regexp.MustCompile(`(?m)^account (\S+)\r$`).FindAllStringSubmatch(text, -1)
	if len(rows) != 2 || rows[0][1] != "cuenta-2" || rows[1][1] != "cuenta" || strings.Count(text, "time ") != 1 {
		t.Errorf("%q", text)
	}
}

// A terminal never breaks a word of a notice, if it has room for it.
func TestNoticesWrap(t *testing.T) {
	s := newScreen(t)
	s.send("", "nothing")
	for _, columns := range []uint16{40, 60} {
		text := s.run(columns, "consume", "--exit", "--color", "never")
		if !strings.Contains(text, "\r\n  ") {
			t.Errorf("at %d columns nothing is broken: %q", columns, text)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(text), "\r\n") {
			if width := runewidth.StringWidth(line); width > int(columns) && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("at %d columns: %d wide: %q", columns, width, line)
			}
		}
	}
	if text := s.run(40, "balance", "--brokers", "localhost:1"); !strings.HasSuffix(text, "bizumctl broker --listen localhost:1\r\n") {
		t.Errorf("a command is broken: %q", text)
	}
}

// Where there is no room beside the totals, what they are of has a line of its own.
func TestTotalsFit(t *testing.T) {
	s := newScreen(t)
	s.send("", "José Manuel Fernández;10;Cine;ENVIO")
	for columns, want := range map[uint16]string{
		40: "José Manuel Fernández\r\n         1  10.00 €    0.00 €  -10.00 €\r\n",
		80: "José Manuel Fernández       1  10.00 €    0.00 €  -10.00 €\r\n",
	} {
		if text := s.run(columns, "balances", "--by", "nombre", "--color", "never"); !strings.Contains(text, want) {
			t.Errorf("at %d columns: %q, want %q", columns, text, want)
		}
	}
}

// Colour is for terminals, unless told otherwise; the sign is there without it.
func TestColour(t *testing.T) {
	s := newScreen(t)
	s.send("", "Ana;10;Cine;ENVIO")
	s.send("", "Ana;1030;Cine;RECEPCIÓN")
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
		for _, want := range []string{"-10.00 €", "+1,030.00 €", "-5.00 €", "1,025.00 €"} {
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
	if !regexp.MustCompile(`\r *\rbizumctl: 900 bizums sent in 1\.\d+s: 500/s requested, (4|5)\d\d\.\d/s\s+achieved`).MatchString(text) {
		t.Errorf("the summary does not begin on a clear line: %q", text)
	}
}
