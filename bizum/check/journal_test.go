package check

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A journal whose disk was full for a while tells what it knew before: no line is glued to one that was cut.
func TestJournalOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json.journal")
	list := [][]byte{[]byte("Ana")}
	j, err := CreateJournal(path, &Receipt{Run: "r", Stream: NewStream(Stream{Seed: 1, Accounts: 1}, list, list)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.May(100), j.Settled(7)); err != nil {
		t.Fatal(err)
	}
	if _, err := j.file.WriteString("settled 12"); err != nil { // of a longer line
		t.Fatal(err)
	}
	full, err := os.Open(path) // not for writing
	if err != nil {
		t.Fatal(err)
	}
	disk := j.file
	j.file = full
	failed := j.Settled(1234)
	j.file = disk
	if failed == nil || !errors.Is(j.Fault(Doubled, Range{5, 5}), failed) || !errors.Is(j.May(200), failed) {
		t.Errorf("after %v, further lines are written", failed)
	}
	if err := errors.Join(full.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := ReadJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 100 || r.Settled() != 7 {
		t.Errorf("%d were sent, %d are settled", r.Sent, r.Settled())
	}
}

// What is wrong with a journal is said of the journal: it has no checksum.
func TestJournalDamaged(t *testing.T) {
	const head = journalOpening + `1,"run":"r"}` + "\n"
	for text, want := range map[string]string{
		head + "may 9\nsettled 12fault double 5 5\n": "the journal is damaged: line 3",
		head + "may 9\n\n":                           "the journal is damaged: line 3",
		journalOpening + "1,x\n":                     "the journal is damaged: line 1",
		journalOpening + `1,"run":"r"`:               "the journal is cut: its first line has no end",
		journalOpening[:5]:                           "the journal is cut: its first line has no end",
		"":                                           "the journal is cut: its first line has no end",
		"Ana;5;x;y\n":                                "not a journal",
		opening + "1,":                               "not a journal",
		journalOpening + "2,":                        "the journal is of a later version",
	} {
		path := filepath.Join(t.TempDir(), "run.json.journal")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadJournal(path)
		if !errors.As(err, new(*ReceiptError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
