package check

import (
	"errors"
	"io/fs"
	"math/bits"
	"time"
)

// Update takes the latest receipts of runs that go on, as Config.Latest returns them.
func (c *Numbered) Update() error {
	receipts, err := c.config.Latest()
	if err != nil {
		return err
	}
	for _, r := range receipts {
		if known := c.runs[r.Run]; known != nil {
			known.update(r)
		}
	}
	return nil
}

// Receipts returns what is known of the runs.
func (c *Numbered) Receipts() (list []*Receipt) {
	for _, r := range c.runs {
		list = append(list, r.Receipt)
	}
	return list
}

// Settled returns up to where the outcome of all payments is known.
func (r *Receipt) Settled() int64 {
	if last := len(r.Unknown) - 1; last >= 0 && r.Ended.IsZero() && r.Unknown[last].Last == r.Sent-1 {
		return r.Unknown[last].First
	}
	return r.Sent
}

// Came returns how many payments have come.
func (c *Numbered) Came() (n int64) {
	for _, r := range c.runs {
		for _, word := range r.seen {
			n += int64(bits.OnesCount64(word))
		}
	}
	return n
}

// Outstanding returns how many of the payments of a run below a number have to come, and have not.
func (c *Numbered) Outstanding(id string, below int64) (count int64) {
	r := c.runs[id]
	for n := int64(0); n < min(below, r.Sent); n++ {
		if n%64 == 0 && r.seen[n/64] == ^uint64(0) {
			n += 63
			continue
		}
		if !r.seen.has(n) && !c.mayBeAbsent(r, n) {
			count++
		}
	}
	return count
}

// mayBeAbsent reports whether nothing is wrong if a payment does not come.
func (c *Numbered) mayBeAbsent(r *run, n int64) bool {
	return r.isSpecial(n) && (in(r.unknown, n) || in(r.aborted, n) || !c.config.AsSent && in(r.faults[malformed], n))
}

// ReadRun reads the receipt of a run or, if it goes on or was killed, its journal. The error is that of ReadReceipt or
// of ReadJournal.
func ReadRun(path string) (r *Receipt, goesOn bool, err error) {
	r, err = ReadReceipt(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, false, err
	}
	journal, failed := ReadJournal(JournalPath(path))
	if errors.Is(failed, fs.ErrNotExist) {
		r, err = ReadReceipt(path) // it may have been written just now
		return r, false, err
	}
	return journal, true, failed
}

// LatestOf returns what reads the latest receipts of runs, for Config.Latest. It reads those of ended runs once. A run
// that was killed has ended: killed is then called with the path of its receipt.
func LatestOf(paths []string, now func() time.Time, killed func(path string)) func() ([]*Receipt, error) {
	ended := make(map[string]*Receipt)
	return func() (list []*Receipt, err error) {
		for _, path := range paths {
			r, goesOn := ended[path], false
			if r == nil {
				if r, goesOn, err = readLatest(path, now, killed); err != nil {
					return nil, err
				}
			}
			if !goesOn {
				ended[path] = r
			}
			list = append(list, r)
		}
		return list, nil
	}
}

// readLatest is ReadRun for a run that may have been killed.
func readLatest(path string, now func() time.Time, killed func(path string)) (r *Receipt, goesOn bool, err error) {
	r, goesOn, err = ReadRun(path)
	if err != nil || !goesOn || !Abandoned(JournalPath(path)) {
		return r, goesOn, err
	}
	r, goesOn, err = ReadRun(path) // what it has written last
	if err == nil && goesOn {
		killed(path)
		r.Ended, goesOn = now(), false
	}
	return r, goesOn, err
}
