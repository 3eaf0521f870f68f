package check

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"strconv"

	"bizumctl/bizum"
)

// valued compares payments by what they say, when nothing names them any more. It has a table of fixed size, and
// to the place that the hash of a payment names it adds the weight of the hash for one that was sent, and takes
// it away for one that came. If all is zero in the end, what came is what was sent. Else records are observed
// once more, and those whose place in the table is not zero are counted one by one. The weights keep a payment
// that is missing and a foreign one from hiding each other where they share a place.
type valued struct {
	config   Config
	seed     maphash.Seed // the hashes stay in this process
	table    []uint32
	balance  uint64 // sum of the hashes that were sent, less those that came
	unknown  int64  // messages of unknown outcome
	came     int64  // of them
	accounts bool   // are part of the values
	begun    bool
	pass     int
	suspects map[uint64]*suspect
	dropped  bool // there were too many suspects
	report   Report
	text     []byte
}

// suspect is a value that came more or less often than it was sent, or shares its place in the table with one.
type suspect struct {
	value                    string // the account, if it is known, and the message
	sent, unknown, onPurpose int64  // how often for certain, perhaps, and again on purpose
	came                     int64
	last                     Place
}

const (
	tableMin    = 1 << 18
	tableMax    = 1 << 24 // 64 MiB
	suspectsMax = 1 << 20
	passesMax   = 6
)

func newValued(config Config) *valued {
	size, sent := tableMin, int64(0)
	for _, r := range config.Receipts {
		sent += r.Sent
	}
	for ; int64(size) < 4*sent && size < tableMax; size *= 2 {
	}
	v := &valued{config: config, table: make([]uint32, size), report: newReport(&config)}
	v.begin()
	v.report.Sent = sent
	return v
}

// begin begins to count, with hashes of its own.
func (v *valued) begin() {
	v.seed = maphash.MakeSeed()
	v.pass++
	v.balance, v.suspects, v.dropped, v.came = 0, nil, false, 0
	clear(v.table)
	v.report.Records = 0
}

// Observe takes a record.
func (v *valued) Observe(o *Observed) error {
	if !v.begun {
		v.begun, v.accounts = true, o.Account != nil
	}
	text, hash := v.key(o.Account, o.Value)
	place := &v.table[hash%uint64(len(v.table))]
	if v.suspects == nil {
		v.report.Records++
		*place -= weight(hash)
		v.balance -= hash
		return nil
	}
	if *place != 0 {
		if s := v.suspect(hash, text); s != nil {
			s.came++
			s.last = o.Place
		}
	}
	return nil
}

// weight returns what a hash adds to its place, which the lower half of the hash names; never 0.
func weight(hash uint64) uint32 { return uint32(hash>>32) | 1 }

// key returns what a payment is known by, in the form in which it was sent, and its hash.
func (v *valued) key(account, value []byte) (text []byte, hash uint64) {
	v.text = v.text[:0]
	if v.accounts {
		v.text = append(append(v.text, account...), ';')
	}
	if p, err := bizum.ParsePayment(value); err == nil {
		v.text = p.Append(v.text)
	} else {
		v.text = append(v.text, value...)
	}
	return v.text, maphash.Bytes(v.seed, v.text)
}

func (v *valued) suspect(hash uint64, text []byte) *suspect {
	s := v.suspects[hash]
	if s != nil {
		return s
	}
	if len(v.suspects) == suspectsMax {
		v.dropped = true
		return nil
	}
	s = &suspect{value: string(text)}
	v.suspects[hash] = s
	return s
}

// EndPass compares what came with what was sent.
func (v *valued) EndPass(ctx context.Context) (again bool, err error) {
	v.report.Passes++
	if v.suspects == nil {
		if err := v.sent(ctx, v.count); err != nil {
			return false, err
		}
		isZero := func(n uint32) bool { return n == 0 }
		if v.balance == 0 && all(v.table, isZero) {
			return false, nil
		}
		v.suspects = make(map[uint64]*suspect)
		return true, nil
	}
	if err := v.sent(ctx, v.list); err != nil {
		return false, err
	}
	explained := uint64(0)
	for hash, s := range v.suspects {
		explained += hash * uint64(s.sent-s.came)
	}
	hidden := explained != v.balance && !v.dropped // two differences have met in the table
	if hidden && v.pass < passesMax {
		v.begin()
		return true, nil
	}
	if hidden {
		v.report.undecided("whether all differences were found: compare fewer payments at once")
	}
	v.find()
	return false, nil
}

func all(table []uint32, is func(uint32) bool) bool {
	for _, n := range table {
		if !is(n) {
			return false
		}
	}
	return true
}

// count counts a payment that was sent.
func (v *valued) count(hash uint64, _ []byte, times, _, _ int64) {
	v.table[hash%uint64(len(v.table))] += weight(hash) * uint32(times)
	v.balance += hash * uint64(times)
}

// list counts it again, if it is suspect.
func (v *valued) list(hash uint64, text []byte, times, unknown, onPurpose int64) {
	if v.table[hash%uint64(len(v.table))] == 0 {
		return
	}
	if s := v.suspect(hash, text); s != nil {
		s.sent, s.unknown, s.onPurpose = s.sent+times, s.unknown+unknown, s.onPurpose+onPurpose
	}
}

// sent makes all payments again: how often each came for certain, perhaps, and again on purpose.
func (v *valued) sent(ctx context.Context, take func(hash uint64, text []byte, times, unknown, onPurpose int64)) error {
	v.unknown = 0
	for _, r := range v.config.Receipts {
		generator := r.Stream.Generator()
		none := newSkipper(r.Aborted, r.fault(Malformed))
		perhaps, twice := newSkipper(r.Unknown), newSkipper(r.fault(Doubled))
		var value []byte
		for n := range r.Sent {
			if n%(1<<16) == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			key, p := generator.Next()
			if none.has(n) {
				continue
			}
			value = p.Append(value[:0])
			text, hash := v.key(key, value)
			times, unknown, again := int64(1), int64(0), int64(0)
			if twice.has(n) {
				if again = 1; v.config.AsSent {
					times, again = 2, 0
				}
			}
			if perhaps.has(n) {
				times, unknown = 0, times
				v.unknown += unknown
			}
			take(hash, text, times, unknown, again)
		}
	}
	return nil
}

// Report returns what was found.
func (v *valued) Report() *Report {
	v.report.UnknownAbsent = v.unknown - v.came // those that came differ from what is certain, and are suspects
	v.report.Distinct = v.report.Sent - v.report.Count(Missing) - v.report.UnknownAbsent -
		v.report.BeforeStart - v.report.Unstable
	for _, r := range v.config.Receipts {
		v.report.Distinct -= Count(r.Aborted)
		if !v.config.AsSent {
			v.report.Distinct -= Count(r.fault(Malformed))
		}
	}
	return &v.report
}

// find turns suspects into findings.
func (v *valued) find() {
	lists := v.differences()
	v.pair(&lists)
	for _, s := range lists.missing {
		if v.config.Beheaded {
			v.report.BeforeStart++
			continue
		}
		if v.config.Unstable > 0 {
			v.report.Unstable++
			continue
		}
		v.report.add(Missing, false, func() string {
			return printable(s.value) + " was sent " + times(s.sent) + " and " + cameTimes(s.came)
		})
	}
	for _, s := range lists.foreign {
		kind := Foreign
		if _, err := bizum.ParsePayment(message(s.value, v.accounts)); err != nil && v.malformed() {
			if v.config.AsSent {
				continue
			}
			kind = PassedOn
		}
		v.report.add(kind, kind == PassedOn, func() string { return fmt.Sprintf("%v: %s", s.last, printable(s.value)) })
	}
	if v.dropped {
		v.report.undecided("more than %d payments differ: not all of them are counted", suspectsMax)
	}
}

// malformed reports whether any payment was sent malformed on purpose.
func (v *valued) malformed() bool {
	for _, r := range v.config.Receipts {
		if len(r.fault(Malformed)) > 0 {
			return true
		}
	}
	return false
}

// message returns the message of a value, without its account.
func message(value string, account bool) []byte {
	text := []byte(value)
	if account {
		_, text, _ = bytes.Cut(text, []byte{';'})
	}
	return text
}

// cameTimes words how often a payment came.
func cameTimes(n int64) string {
	if n == 0 {
		return "never came"
	}
	return "came " + times(n)
}

// times words how often something happened.
func times(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.FormatInt(n, 10) + " times"
}
