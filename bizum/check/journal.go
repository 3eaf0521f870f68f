package check

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/gofrs/flock"
)

// JournalPath returns where the journal of a run stands while it goes on, next to its receipt.
func JournalPath(receipt string) string { return receipt + ".journal" }

// Journal is what a run leaves if it is killed. Before payments are sent it is told how many there may be, and
// from time to time up to where all of them are settled; so it costs a line now and then, not one a payment.
// What is between the two when the run is killed has an unknown outcome. A line is written by one call, without
// a sync: it outlasts the process, not a power cut.
//
// Its lines are the receipt so far, as one JSON object, and after it, each with one or two numbers: `may 65536` (no
// number from there on was sent), `settled 1200` (all numbers before are acknowledged, aborted or listed as unknown),
// `aborted 12 15`, `unknown 7 7` and `fault double 5 5`.
//
// While the run goes on it holds a lock on its journal, see Abandoned.
type Journal struct {
	file *os.File
	lock *flock.Flock // nil: there are none
	err  error        // of the first line that could not be written whole
}

// CreateJournal begins a journal, whose receipt has no Sent and no outcome yet. It fails if there is one
// already: that of a run that goes on, or was killed.
func CreateJournal(path string, r *Receipt) (*Journal, error) {
	head, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: file}
	if lock := flock.New(path, flock.SetFlag(os.O_RDONLY)); hasLocks && lock.Lock() == nil {
		j.lock = lock // before anything can be read, so that nobody takes the run for one that was killed
	}
	return j, j.line("%s%d,%s", journalOpening, Version, head[1:])
}

const journalOpening = `{"bizumctl":"journal","version":`

// line writes a line. After one that failed it writes no more: the next one would continue what is there of it, while
// a last line that is cut does not count.
func (j *Journal) line(format string, args ...any) error {
	if j.err == nil {
		_, j.err = j.file.WriteString(fmt.Sprintf(format, args...) + "\n")
	}
	return j.err
}

// May says that numbers below n may be sent from now on.
func (j *Journal) May(n int64) error { return j.line("may %d", n) }

// Settled says that the outcome of all numbers below n is known: acknowledged, unless said otherwise.
func (j *Journal) Settled(n int64) error { return j.line("settled %d", n) }

// Aborted says that these payments were in a transaction that was aborted.
func (j *Journal) Aborted(r Range) error { return j.line("aborted %d %d", r.First, r.Last) }

// Unknown says that nobody will know whether these arrived.
func (j *Journal) Unknown(r Range) error { return j.line("unknown %d %d", r.First, r.Last) }

// Fault says that this was done wrong on purpose.
func (j *Journal) Fault(kind string, r Range) error {
	return j.line("fault %s %d %d", kind, r.First, r.Last)
}

// Close closes the journal, and leaves it where it is.
func (j *Journal) Close() error {
	err := j.file.Close()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
	}
	return err
}

// hasLocks reports whether a file that is locked can still be written and read, which it cannot on Windows.
const hasLocks = runtime.GOOS != "windows"

// Abandoned reports whether the run of a journal was killed: nobody holds its lock. Where there are no locks it
// reports false.
func Abandoned(path string) bool {
	if !hasLocks {
		return false
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer lock.Close()
	free, err := lock.TryRLock()
	return err == nil && free
}

// Remove closes the journal and removes it, once the receipt has been written.
func (j *Journal) Remove() error { return errors.Join(j.Close(), os.Remove(j.file.Name())) }

// What can be wrong with a journal, see ReceiptError. It has no checksum: one that was edited may pass.
var (
	ErrNotJournal     = errors.New("not a journal")
	ErrJournalCut     = errors.New("the journal is cut: its first line has no end")
	ErrJournalDamaged = errors.New("the journal is damaged")
	ErrJournalLater   = errors.New("the journal is of a later version of bizumctl")
)

// ReadJournal makes a receipt of a journal: of a run that goes on, or was killed. It has no Accounts and no
// Hash, which Summarize fills in. A last line that is cut does not count. It returns a ReceiptError, or that of
// the file.
func ReadJournal(path string) (*Receipt, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := decodeJournal(file)
	var failed *os.PathError
	if err != nil && !errors.As(err, &failed) {
		err = &ReceiptError{path, err}
	}
	return r, err
}

func decodeJournal(from io.Reader) (*Receipt, error) {
	d := receiptReader{lines: bufio.NewReaderSize(from, 64<<10)}
	if _, err := d.lines.Peek(1); errors.Is(err, io.EOF) { // it was made just now
		return nil, ErrJournalCut
	}
	if err := d.checkVersion(journalOpening); err != nil {
		return nil, ofJournal(err)
	}
	head, err := d.line()
	if err != nil {
		return nil, ofJournal(err)
	}
	j := journalReader{Receipt: new(Receipt)}
	if json.Unmarshal(head, j.Receipt) != nil {
		return nil, damaged(1)
	}
	for n := 2; ; n++ {
		line, err := d.line()
		switch {
		case errors.Is(err, ErrCut):
			return j.receipt()
		case err != nil:
			return nil, err
		case !j.apply(bytes.Fields(line)):
			return nil, damaged(n)
		}
	}
}

// ofJournal says of a journal what is wrong with a receipt.
func ofJournal(err error) error {
	switch {
	case errors.Is(err, ErrNotReceipt):
		return ErrNotJournal
	case errors.Is(err, ErrCut):
		return ErrJournalCut
	case errors.Is(err, ErrEdited):
		return damaged(1)
	case errors.Is(err, ErrLater):
		return ErrJournalLater
	}
	return err
}

func damaged(line int) error {
	return fmt.Errorf("%w: line %d means nothing: it was edited, or the disk was full", ErrJournalDamaged, line)
}

// journalReader is a receipt that follows the lines of a journal.
type journalReader struct {
	*Receipt
	settled, may int64
}

// apply takes a line of a journal, and reports whether it is one.
func (j *journalReader) apply(words [][]byte) bool {
	if len(words) == 0 {
		return false
	}
	var numbers []int64
	for i := len(words) - 1; i > 0; i-- {
		n, err := strconv.ParseInt(string(words[i]), 10, 64)
		if err != nil {
			break
		}
		numbers = append([]int64{n}, numbers...)
	}
	words = words[:len(words)-len(numbers)]
	switch line := string(bytes.Join(words, []byte{' '})); {
	case line == "may" && len(numbers) == 1:
		j.may = max(j.may, numbers[0])
	case line == "settled" && len(numbers) == 1:
		j.settled = max(j.settled, numbers[0])
	case line == "aborted" && len(numbers) == 2:
		j.Receipt.Aborted = append(j.Receipt.Aborted, Range{numbers[0], numbers[1]})
	case line == "unknown" && len(numbers) == 2:
		j.Receipt.Unknown = append(j.Receipt.Unknown, Range{numbers[0], numbers[1]})
	case len(words) == 2 && string(words[0]) == "fault" && len(numbers) == 2:
		j.fault(string(words[1]), Range{numbers[0], numbers[1]})
	default:
		return false
	}
	return true
}

func (j *journalReader) fault(kind string, r Range) {
	for i := range j.Faults {
		if j.Faults[i].Kind == kind {
			j.Faults[i].N = append(j.Faults[i].N, r)
			return
		}
	}
	j.Faults = append(j.Faults, Fault{Kind: kind, N: []Range{r}})
}

// receipt returns what the journal adds up to.
func (j *journalReader) receipt() (*Receipt, error) {
	r := j.Receipt
	r.Sent = max(j.may, j.settled)
	sortRanges(r.Aborted)
	if j.settled < r.Sent {
		r.Unknown = append(Without(Range{j.settled, r.Sent - 1}, r.Aborted), r.Unknown...)
	}
	sortRanges(r.Unknown)
	for i := range r.Faults {
		sortRanges(r.Faults[i].N)
	}
	r.Acknowledged = r.Sent - Count(r.Unknown) - Count(r.Aborted)
	return r, r.valid()
}

// Without returns what is left of a range without others, which are sorted.
func Without(r Range, others []Range) (left []Range) {
	for _, o := range others {
		if o.Last < r.First || o.First > r.Last {
			continue
		}
		if o.First > r.First {
			left = append(left, Range{r.First, o.First - 1})
		}
		r.First = o.Last + 1
	}
	if r.First <= r.Last {
		left = append(left, r)
	}
	return left
}
