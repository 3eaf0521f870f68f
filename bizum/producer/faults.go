package producer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
)

// Faults are what is done wrong on purpose, and how often. Which payments it happens to follows from the seed alone.
type Faults struct {
	Text   string // as it was asked for
	shares [4]float64
	abort  float64 // share of the transactions
	LateBy time.Duration
}

// The faults of a payment, in the order of Faults.shares.
const (
	double = iota
	malformed
	reorder
	late
	none
)

var faultKinds = [...]string{check.Doubled, check.Malformed, check.Reordered, check.Late}

// aborted is the word for transactions that are aborted.
const aborted = "abort"

// lateMax is how long a payment may be held back.
const lateMax = time.Hour

// ParseFaults reads a list such as `double=0.1%,late=1%:30s,malformed=0.5%,reorder=0.2%,abort=1%`.
func ParseFaults(text string) (f Faults, err error) {
	f.Text = text
	seen := make(map[string]bool)
	for item := range strings.SplitSeq(text, ",") {
		kind, share, _ := strings.Cut(item, "=")
		if seen[kind] {
			return f, fmt.Errorf("%.20q is given twice", kind)
		}
		seen[kind] = true
		if err := f.add(kind, share); err != nil {
			return f, fmt.Errorf("%.20q: %w", kind, err)
		}
	}
	if f.shares[double]+f.shares[malformed]+f.shares[reorder]+f.shares[late] > 1 {
		return f, errors.New("more than 100% of the payments have a fault")
	}
	return f, nil
}

func (f *Faults) add(kind, share string) (err error) {
	if kind == aborted {
		f.abort, err = parseShare(share)
		return err
	}
	for i, k := range faultKinds {
		if k != kind {
			continue
		}
		if i == late {
			var by string
			var found bool
			if share, by, found = strings.Cut(share, ":"); !found {
				return errors.New("want how late, such as late=1%:30s")
			}
			f.LateBy, err = time.ParseDuration(by)
			if err != nil || f.LateBy <= 0 || f.LateBy > lateMax {
				return fmt.Errorf("want how late, above 0 and at most %gh, such as late=1%%:30s", lateMax.Hours())
			}
		}
		f.shares[i], err = parseShare(share)
		return err
	}
	return errors.New("want double, late, malformed, reorder or abort, and a share, such as double=0.1%")
}

// parseShare reads a percentage.
func parseShare(text string) (float64, error) {
	digits, found := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	plain := strings.Trim(digits, "0123456789.") == ""
	if !found || err != nil || !plain || !(percent > 0 && percent <= 100) {
		return 0, errors.New("want a share above 0% and up to 100%, such as 0.1%")
	}
	return percent / 100, nil
}

// Transactional reports whether payments are sent in transactions, of which some are aborted.
func (f *Faults) Transactional() bool { return f.abort > 0 }

// Streams of chance, each with the seed as its other half. They begin where those of package bizum cannot be.
const (
	streamFaults       uint64 = 0xfa01_7000_0000_0000
	streamTransactions uint64 = 0xfa01_7001_0000_0000
)

// chance returns a number that follows from a seed, a stream and a place in it.
func chance(seed, stream uint64, place int64) uint64 {
	var source rand.PCG
	source.Seed(seed^stream, uint64(place))
	source.Uint64() // the first one of neighbours is alike
	return source.Uint64()
}

// of returns the fault of payment n, and a number to choose how it is done.
func (f *Faults) of(seed uint64, n int64) (fault int, way uint64) {
	x := chance(seed, streamFaults, n)
	at := float64(x>>11) / (1 << 53)
	for fault, share := range f.shares {
		if at < share {
			return fault, x & math.MaxUint8
		}
		at -= share
	}
	return none, 0
}

// aborts reports whether a transaction is to be aborted.
func (f *Faults) aborts(seed uint64, transaction int64) bool {
	return float64(chance(seed, streamTransactions, transaction)>>11)/(1<<53) < f.abort
}

// spoil returns a value that is no payment, made of one that is.
func spoil(p *bizum.Payment, way uint64) []byte {
	value := string(p.Append(nil))
	name, rest, _ := strings.Cut(value, ";")
	_, rest, _ = strings.Cut(rest, ";")
	switch way % 5 {
	case 0: // a field is missing
		value = name + ";" + p.Amount.String()
	case 1:
		value = name + ";doce;" + rest
	case 2: // a thousand, or a little more than one?
		value = name + ";1.234;" + rest
	case 3:
		value = name + ";" + p.Amount.String() + ";" + string(p.Concept) + ";BIZUM"
	case 4: // cut within a letter
		value = name + "\xc3;" + p.Amount.String() + ";" + rest
	}
	return []byte(value)
}
