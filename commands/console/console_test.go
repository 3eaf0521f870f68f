package console_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/commands/console"
)

func payment(t testing.TB, text string) bizum.Payment {
	t.Helper()
	p, err := bizum.ParsePayment([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Where data and notices go to one place, each of their lines is whole, however many there are and however long.
func TestWholeLines(t *testing.T) {
	var place bytes.Buffer // for one goroutine at a time, as the race detector knows
	c := console.New(console.Options{Stdout: &place, Stderr: &place, Now: time.Now,
		Getenv: func(string) string { return "" }, Color: console.Never})
	const rows, notices = 20_000, 4
	var noticing sync.WaitGroup
	stop := make(chan struct{})
	for range notices {
		noticing.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.Noticef("a notice")
				}
			}
		})
	}
	for i := range rows {
		if err := c.Line([]byte("row" + strings.Repeat("-", i%300) + "end")); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	noticing.Wait()
	seen := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(place.String(), "\n"), "\n") {
		if line == "bizumctl: a notice" {
			continue
		}
		if want := "row" + strings.Repeat("-", seen%300) + "end"; line != want {
			t.Fatalf("line %q, want row %q", line, want)
		}
		seen++
	}
	if seen != rows {
		t.Errorf("%d rows, want %d", seen, rows)
	}
}

// Numbers, sizes and times are written in one way.
func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{console.Count(1_010_650), "1,010,650"}, {console.Count(999), "999"}, {console.Count(-1000), "-1,000"},
		{console.Plural(1, "bizum", "bizums"), "1 bizum"}, {console.Plural(2000, "bizum", "bizums"), "2,000 bizums"},
		{console.Euros(0), "0.00 €"}, {console.Euros(5), "0.05 €"}, {console.Euros(-999_99), "-999.99 €"},
		{console.Euros(1000_00), "1,000.00 €"}, {console.Euros(-1_010_650_01), "-1,010,650.01 €"},
		{console.Euros(12_345_67), "12,345.67 €"}, {console.Euros(-1 << 63), "-92,233,720,368,547,758.08 €"},
		{console.Rate(0.5), "0.500/s"}, {console.Rate(499.96), "500.0/s"}, {console.Rate(4_970_000.4), "4,970,000/s"},
		{console.AskedRate(0.5), "0.5/s"}, {console.AskedRate(1e6), "1,000,000/s"},
		{console.Size(int64(0)), "0 B"}, {console.Size(int64(999)), "999 B"}, {console.Size(int64(1234)), "1.2 kB"},
		{console.Size(12_345_678.9), "12.3 MB"}, {console.Size(int64(23_900_000_000)), "23.9 GB"},
		{console.Duration(0), "0s"}, {console.Duration(2234 * time.Microsecond), "2.23ms"},
		{console.Duration(time.Millisecond), "1ms"}, {console.Duration(1234567 * time.Microsecond), "1.23s"},
		{console.Duration(time.Minute), "1m"}, {console.Duration(90*time.Second + time.Millisecond), "1m30s"},
		{console.Duration(2 * time.Hour), "2h"}, {console.Duration(125 * time.Minute), "2h5m"},
		{console.Duration(10 * time.Minute), "10m"}, {console.Duration(10 * time.Hour), "10h"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// A table that is no terminal's has whole rows: nothing is cut, and each has its day.
func TestStatementInFile(t *testing.T) {
	var out bytes.Buffer
	c := console.New(console.Options{Stdout: &out, Stderr: new(bytes.Buffer), Now: time.Now,
		Getenv: func(name string) string { return map[string]string{"COLUMNS": "40"}[name] }, Color: console.Never})
	s := console.NewStatement(c, console.StatementOptions{Balance: true})
	concept := strings.Repeat("x", 300)
	for _, account := range []string{"cuenta", strings.Repeat("c", 50)} {
		p := payment(t, "Maximiliano Constantino de la Vega;1000;"+concept+";RECEPCIÓN")
		if err := s.Row(1_700_000_000_000, []byte(account), &p, 1_000_000_00); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "time                 account ") {
		t.Fatalf("%q", lines)
	}
	for _, line := range lines[1:] {
		for _, part := range []string{time.UnixMilli(1_700_000_000_000).Format("2006-01-02 15:04:05"), "de la Vega", concept,
			"+1,000.00 €", "1,000,000.00 €"} {
			if !strings.Contains(line, part) {
				t.Errorf("no %q in %q", part, line)
			}
		}
	}
	if !strings.Contains(lines[2], strings.Repeat("c", 50)) {
		t.Errorf("the account is cut: %q", lines[2])
	}
}

// A row's way to nowhere: ns/op is that of a row with an account of a million.
func BenchmarkStatement(b *testing.B) {
	c := console.New(console.Options{Stdout: null{}, Stderr: null{}, Now: time.Now,
		Getenv: func(string) string { return "" }, Color: console.Never})
	s := console.NewStatement(c, console.StatementOptions{Balance: true})
	p := payment(b, "Maria;20.35;Cena;RECEPCIÓN")
	account := []byte(nil)
	for i := range b.N {
		account = fmt.Appendf(account[:0], "cuenta-%d", i*7919%1_000_000)
		if err := s.Row(1_700_000_000_000+int64(i), account, &p, 2000_00); err != nil {
			b.Fatal(err)
		}
	}
}

type null struct{}

func (null) Write(b []byte) (int, error) { return len(b), nil }
