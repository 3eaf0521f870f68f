package check_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bizumctl/bizum/check"
)

func texts(list ...string) (texts [][]byte) {
	for _, text := range list {
		texts = append(texts, []byte(text))
	}
	return texts
}

// receipt is that of a run of so many payments.
func receipt(t testing.TB, run string, seed uint64, accounts int, sent int64,
	change func(*check.Receipt)) *check.Receipt {
	t.Helper()
	began := time.UnixMilli(1_790_000_000_000).UTC()
	r := &check.Receipt{Run: run, Tool: "bizumctl test", Started: began, Ended: began.Add(time.Minute), Topic: "bizums",
		Opening: 2000_00, Sent: sent, Stream: check.NewStream(check.Stream{Seed: seed, Accounts: accounts,
			Schedule: check.Schedule{Mode: check.Steady, PerSecond: 1000, Began: began}},
			texts("Ana", "Íñigo", "María José", "Zoe"), texts("Cena", "a;b", "Viaje", "", "Regalo"))}
	if change != nil {
		change(r)
	}
	if err := r.Summarize(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

func withEverything(r *check.Receipt) {
	r.Unknown = []check.Range{{First: 7, Last: 9}, {First: 90, Last: 90}}
	r.Aborted = []check.Range{{First: 20, Last: 29}}
	r.Faults = []check.Fault{{Kind: check.Doubled, N: []check.Range{{First: 1, Last: 1}, {First: 3, Last: 4}}},
		{Kind: check.Malformed, N: []check.Range{{First: 50, Last: 52}}},
		{Kind: check.Late, By: 30 * time.Second, N: []check.Range{{First: 60, Last: 60}}}}
}

func written(t testing.TB, r *check.Receipt) (path string, text []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "run.json")
	if err := check.WriteReceipt(path, r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestReceiptReadsBack(t *testing.T) {
	for _, accounts := range []int{1, 3, 1000} {
		r := receipt(t, "r", 7, accounts, 100, withEverything)
		path, _ := written(t, r)
		got, err := check.ReadReceipt(path)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%d accounts: %+v, %v, want %+v", accounts, got, err, r)
		}
		var payments int64
		for _, a := range r.Accounts {
			payments += a.Payments
		}
		if payments != 100-4-10-3 || r.Acknowledged != 100-4-10 {
			t.Errorf("%d accounts: %d payments, %d acknowledged", accounts, payments, r.Acknowledged)
		}
	}
}

// A receipt has 100 bytes an account at most.
func TestReceiptIsSmall(t *testing.T) {
	const accounts = 50_000
	_, one := written(t, receipt(t, "r", 7, 1, 1000, nil))
	r := receipt(t, "r", 7, accounts, 400_000, nil)
	_, many := written(t, r)
	if each := (len(many) - len(one)) / len(r.Accounts); each > 100 {
		t.Errorf("%d bytes an account", each)
	}
}

// Whatever is cut off or changed is noticed, and says what it is.
func TestReceiptDamaged(t *testing.T) {
	_, text := written(t, receipt(t, "r", 7, 3, 100, withEverything))
	for n := range text {
		_, err := check.DecodeReceipt(bytes.NewReader(text[:n]))
		if want := check.ErrCut; n > 0 && !errors.Is(err, want) && !errors.Is(err, check.ErrEdited) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
	for i := range text {
		for _, bit := range []byte{1, 2, 32} {
			bad := bytes.Clone(text)
			bad[i] ^= bit
			if _, err := check.DecodeReceipt(bytes.NewReader(bad)); err == nil {
				t.Fatalf("byte %d, %q instead of %q: no error", i, bad[i], text[i])
			}
		}
	}
	for _, c := range []struct {
		text string
		want error
	}{
		{"", check.ErrNotReceipt}, {"{}", check.ErrNotReceipt}, {"Ana;5;x;ENVIO\n", check.ErrNotReceipt},
		{`{"bizumctl":"journal","version":1,`, check.ErrNotReceipt}, {`{"bizumctl":"rec`, check.ErrCut},
		{strings.Replace(string(text), `"version":1`, `"version":2`, 1), check.ErrLater},
		{strings.Replace(string(text), `"seed":7`, `"seed":8`, 1), check.ErrEdited},
		{string(text) + "\n", check.ErrEdited}, {string(text) + string(text), check.ErrEdited},
	} {
		if _, err := check.DecodeReceipt(strings.NewReader(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%.60q: %v, want %v", c.text, err, c.want)
		}
	}
}

func TestReceiptFromElsewhere(t *testing.T) {
	r := receipt(t, "r", 7, 3, 100, nil)
	r.Stream.Seed = 8
	if _, err := check.New(check.Config{Receipts: []*check.Receipt{r}}); !errors.Is(err, check.ErrOtherPayments) {
		t.Errorf("another generator: %v", err)
	}
}

// A journal tells what a run that was killed knew.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json.journal")
	head := receipt(t, "r", 7, 2, 0, func(r *check.Receipt) {
		r.Faults = []check.Fault{{Kind: check.Late, By: time.Second}}
	})
	j, err := check.CreateJournal(path, head)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check.CreateJournal(path, head); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second one: %v", err)
	}
	steps := []error{j.May(100), j.Fault(check.Late, check.Range{First: 4, Last: 4}),
		j.Aborted(check.Range{First: 10, Last: 12}), j.Unknown(check.Range{First: 2, Last: 2}), j.Settled(20),
		j.Aborted(check.Range{First: 30, Last: 31}), j.Close()}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	cut, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if _, err := cut.WriteString("settled 9"); err != nil {
		t.Fatal(err)
	}
	cut.Close()
	r, err := check.ReadJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	unknown := []check.Range{{First: 2, Last: 2}, {First: 20, Last: 29}, {First: 32, Last: 99}}
	if !reflect.DeepEqual(r.Unknown, unknown) || r.Sent != 100 || r.Acknowledged != 16 ||
		len(r.Aborted) != 2 || r.Faults[0].N[0].First != 4 || r.Faults[0].By != time.Second {
		t.Errorf("%+v", r)
	}
	if err := r.Summarize(context.Background()); err != nil || r.Acknowledged != 16 {
		t.Errorf("%d, %v", r.Acknowledged, err)
	}
}

func FuzzReceipt(f *testing.F) {
	_, text := written(f, receipt(f, "r", 7, 3, 100, withEverything))
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte(`{"bizumctl":"receipt","version":1,"run":"r","accounts":[` + "\n" + `],"checksum":"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := check.DecodeReceipt(bytes.NewReader(text))
		if err != nil {
			return
		}
		_, again := written(t, r)
		if _, err := check.DecodeReceipt(bytes.NewReader(again)); err != nil {
			t.Errorf("what was read and written again: %v", err)
		}
	})
}

// A journal has no checksum, and is read while it is written: nothing in it may do more than be refused.
func FuzzJournal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "run.json.journal")
	j, err := check.CreateJournal(path, receipt(f, "r", 7, 2, 0, nil))
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(j.May(100), j.Unknown(check.Range{First: 2, Last: 5}), j.Settled(20), j.Close()); err != nil {
		f.Fatal(err)
	}
	head, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("may 200\nsettled 150\naborted 30 40\nfault double 50 50\n")
	f.Add("may 9223372036854775807\n")
	f.Add("unknown 5 2\nsettled -1\nmay x\n")
	f.Fuzz(func(t *testing.T, lines string) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, append(bytes.Clone(head), lines...), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := check.ReadJournal(path)
		if err != nil || r.Sent > 10_000 {
			return
		}
		if err := r.Summarize(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := check.New(check.Config{Receipts: []*check.Receipt{r}}); err != nil {
			t.Error(err)
		}
	})
}

// A line that a full disk has cut, with another one after it, is not blamed on a checksum.
func TestJournalBadLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json.journal")
	journal, err := check.CreateJournal(path, receipt(t, "run", 7, 1, 100, func(r *check.Receipt) { r.Sent = 0 }))
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "settled 12fault double 5 5\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := check.ReadJournal(path); err == nil || !strings.Contains(err.Error(), "the disk was full") {
		t.Errorf("%v", err)
	}
}
