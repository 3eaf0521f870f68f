package view_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
	"bizumctl/commands/view"
)

func newConsole() (screen *console.Console, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return console.New(console.Options{Stdout: stdout, Stderr: stderr, Now: time.Now,
		Getenv: func(string) string { return "" }, Color: console.Never}), stdout, stderr
}

// payments are records of a partition, one a value.
func payments(values ...string) (records []*record.Record) {
	for i, value := range values {
		records = append(records, &record.Record{Key: []byte("cuenta"), Value: []byte(value),
			Position: record.Position{Topic: "bizums", Offset: int64(i)}})
	}
	return records
}

// Good records are shown and counted, rejected ones are reported in their order, and the last that is wanted ends the run.
func TestRecords(t *testing.T) {
	records := payments("Ana;5,5;Cena;ENVIO", "nothing", "Pepe;1.2345;;RECEPCION", "Ana;1;x;ENVIO")
	for output, want := range map[string]string{
		"text": "Ana;5.50;Cena;ENVIO\nPepe;1.23;;RECEPCIÓN\n",
		"raw":  "Ana;5,5;Cena;ENVIO\nnothing\n",
	} {
		screen, stdout, stderr := newConsole()
		var rejected []event.Event
		v := &view.View{Console: screen, Count: 2, Report: func(e event.Event) { rejected = append(rejected, e) }}
		show, err := v.Records(output, false)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; err == nil; i++ {
			err = show(records[i])
		}
		v.Summary()
		if !errors.Is(err, consumer.ErrDone) || screen.Flush() != nil || stdout.String() != want {
			t.Errorf("%s: %v, %q, want %q", output, err, stdout, want)
		}
		summary := "2 bizums, 1 of them rounded to cents, 1 rejected\n"
		if output == "raw" { // nothing is checked
			summary = "2 bizums\n"
		}
		if !strings.HasSuffix(stderr.String(), summary) || len(rejected) != strings.Count(summary, "rejected") {
			t.Errorf("%s: %q, %v", output, stderr, rejected)
		}
	}
	screen, _, _ := newConsole()
	show, _ := (&view.View{Console: screen, Strict: true}).Records("text", false)
	if err := show(records[1]); err == nil || !strings.HasPrefix(err.Error(), "message at bizums/0@1: ") {
		t.Errorf("%v", err)
	}
}

// A group's entries are shown once they are committed; room is for as many as are wanted.
func TestGroup(t *testing.T) {
	screen, stdout, stderr := newConsole()
	g, err := view.NewGroup(screen, view.GroupConfig{Topic: "bizums", Count: 2, Report: screen.Report,
		Output: view.Output{Name: "text", Account: "cuenta"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		account      string
		wanted, room bool
	}{{"otra", false, true}, {"cuenta", true, true}, {"cuenta", true, true}, {"cuenta", true, false}} {
		if wanted, room := g.Reserve([]byte(want.account)); wanted != want.wanted || room != want.room {
			t.Errorf("%d: %v, %v", i, wanted, room)
		}
	}
	g.Release(1)
	if _, room := g.Reserve([]byte("cuenta")); !room {
		t.Error("no room for what was released")
	}
	payment, err := bizum.ParsePayment([]byte("Ana;5.00;Cena;ENVIO"))
	if err != nil {
		t.Fatal(err)
	}
	book := bizum.NewBook(2000_00)
	committed := ledger.Committed{Booked: 1, Accounts: 1}
	for i, want := range []error{nil, consumer.ErrDone} {
		entry, err := book.Apply([]byte("cuenta"), payment)
		if err != nil {
			t.Fatal(err)
		}
		committed.Entries = []ledger.Entry{{Entry: entry, Offset: int64(i)}}
		if err := g.Show(committed); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
	if want := "Ana;5.00;Cena;ENVIO;1995.00\nAna;5.00;Cena;ENVIO;1990.00\n"; stdout.String() != want {
		t.Errorf("%q, want %q", stdout, want)
	}
	g.Summary()
	if !strings.HasSuffix(stderr.String(), "2 bizums booked\n") {
		t.Errorf("%q", stderr)
	}
}

// A run is summed up with the balance of an account, of each if they are few, or with what they have in all.
func TestClosing(t *testing.T) {
	few, many := bizum.NewBook(1000_00), bizum.NewBook(1000_00)
	few.Set([]byte("a"), 1)
	few.Set([]byte("b"), 2)
	for c := 'A'; c <= 'Z'; c++ {
		many.Set([]byte(string(c)), 1_00)
	}
	for _, c := range []struct {
		account string
		book    *bizum.Book
		want    string
	}{
		{"a", few, "7 bizums, closing balance 0.01 €\n"},
		{"c", few, "7 bizums, none of account \"c\", 2 accounts\n"},
		{"", few, "7 bizums, 2 accounts\nbizumctl: a: closing balance 0.01 €\nbizumctl: b: closing balance 0.02 €\n"},
		{"", many, "7 bizums, 26 accounts with 26.00 € in all\n"},
		{"", bizum.NewBook(0), "7 bizums, 0 accounts\n"},
	} {
		screen, _, stderr := newConsole()
		view.Closing(screen, c.account, &balance.Replayed{Book: c.book, Counts: balance.Counts{Booked: 7}})
		if stderr.String() != "bizumctl: "+c.want {
			t.Errorf("%q: %q, want %q", c.account, stderr, c.want)
		}
	}
}
