package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"bizumctl/bizum"
)

// Numbered compares payments that have kept the run and the number which name them.
type Numbered struct {
	config   Config
	runs     map[string]*run
	latest   *run // of the record before
	balances *balances
	report   Report
	others   map[string]struct{}
}

// ErrNoNumbers means that no record names a run and a number: the pipeline has dropped the headers.
var ErrNoNumbers = errors.New("no record names a run and a number")

// unnamedMax is how many of the first records may name nothing until ErrNoNumbers.
const unnamedMax = 1000

var errSeveralRuns = errors.New("running balances of several runs: their order among each other is not known")

// NewNumbered makes a comparison of payments by number. Its errors are contradictions in config.
func NewNumbered(config Config) (*Numbered, error) {
	c := &Numbered{config: config, runs: make(map[string]*run), report: newReport(&config),
		others: make(map[string]struct{})}
	for _, r := range config.Receipts {
		if c.runs[r.Run] != nil {
			return nil, fmt.Errorf("two receipts are of run %q", r.Run)
		}
		c.runs[r.Run] = newRun(r, config.Beheaded)
		c.latest = c.runs[r.Run]
	}
	if config.Balances {
		if len(config.Receipts) != 1 {
			return nil, errSeveralRuns
		}
		c.balances = newBalances(c.latest)
	}
	return c, nil
}

// Observe takes a record. The error may be ErrNoNumbers.
func (c *Numbered) Observe(o *Observed) error {
	c.report.Records++
	if o.Run == nil && o.N == nil {
		if c.report.Unnamed++; c.report.Unnamed == unnamedMax && c.report.Records == unnamedMax {
			return ErrNoNumbers
		}
		c.report.add(Foreign, false, func() string { return fmt.Sprintf("%v: names no run and no number", o.Place) })
		return nil
	}
	r := c.latest
	if o.Run != nil && string(o.Run) != r.Run {
		if r = c.runs[string(o.Run)]; r == nil {
			c.ignore(o)
			return nil
		}
		c.latest = r
	}
	n, ok := parseNumber(o.N)
	if ok && n >= r.Sent && r.Ended.IsZero() && c.config.Latest != nil {
		if err := c.Update(); err != nil {
			return err
		}
	}
	if !ok || n >= r.Sent {
		c.report.add(Foreign, false, func() string {
			return fmt.Sprintf("%v: number %q of run %q, which sent %d", o.Place, o.N, r.Run, r.Sent)
		})
		return nil
	}
	c.payment(r, n, o)
	return nil
}

const othersMax = 1000

// ignore counts a record of another run.
func (c *Numbered) ignore(o *Observed) {
	c.report.OtherRecords++
	if len(c.others) < othersMax {
		c.others[string(o.Run)] = struct{}{}
		c.report.OtherRuns = len(c.others)
	}
}

// parseNumber reads a number as the header has it.
func parseNumber(text []byte) (n int64, ok bool) {
	const digitsMax = 18
	if len(text) == 0 || len(text) > digitsMax {
		return 0, false
	}
	for _, d := range text {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	return n, true
}

// payment compares a record with payment n, which it says it is.
func (c *Numbered) payment(r *run, n int64, o *Observed) {
	first := r.seen.add(n)
	r.last = max(r.last, n)
	special := r.isSpecial(n)
	if special && in(r.aborted, n) {
		c.report.add(Aborted, false, func() string {
			return c.what(r, n, o) + " was in a transaction that was aborted"
		})
		return
	}
	account, key, want := r.expectation.at(n)
	if special && in(r.faults[malformed], n) {
		c.malformed(r, n, o, first)
		return
	}
	if !bytes.Equal(o.Value, want) || o.Account != nil && !bytes.Equal(o.Account, key) {
		c.changed(r, n, o, key, want)
	}
	if o.Account == nil {
		c.report.NoAccount++
	}
	if !first {
		c.doubled(r, n, o, special, account)
		return
	}
	if r.first != nil && r.first[account] < 0 {
		r.first[account] = n
	}
	last, behind := r.order.next(account, o.Part, o.InFile, n)
	if behind {
		purpose := special && (in(r.faults[reordered], n) || in(r.faults[late], n))
		if !purpose || !c.config.AsSent {
			c.report.add(OutOfOrder, purpose, func() string {
				return fmt.Sprintf("%s came after payment %d", c.what(r, n, o), last)
			})
		}
	}
	c.latency(r, n, o, special)
	if c.balances != nil {
		c.balance(r, n, o, account, behind)
	}
}

// what names a payment and where it came.
func (c *Numbered) what(r *run, n int64, o *Observed) string {
	return fmt.Sprintf("%v: %s", o.Place, c.name(r, n))
}

// name names a payment: its number, and its run, if there are several.
func (c *Numbered) name(r *run, n int64) string {
	if len(c.runs) > 1 {
		return fmt.Sprintf("payment %d of run %s", n, r.Run)
	}
	return fmt.Sprintf("payment %d", n)
}

// malformed takes a record that was sent malformed on purpose.
func (c *Numbered) malformed(r *run, n int64, o *Observed, first bool) {
	_, err := bizum.ParsePayment(o.Value)
	switch {
	case err == nil:
		c.report.add(Changed, true, func() string {
			return fmt.Sprintf("%s is %q, but was sent malformed", c.what(r, n, o), o.Value)
		})
	case !c.config.AsSent:
		c.report.add(PassedOn, true, func() string { return fmt.Sprintf("%s: %v", c.what(r, n, o), err) })
	case !first:
		c.report.add(Twice, false, func() string { return c.what(r, n, o) + " came again" })
	}
}

// doubled takes a payment that has come before.
func (c *Numbered) doubled(r *run, n int64, o *Observed, special bool, account int32) {
	purpose := special && in(r.faults[doubled], n)
	if purpose {
		_, third := r.again[n]
		r.again[n] = struct{}{}
		if c.config.AsSent && !third {
			if c.balances != nil {
				c.balances.again(account, o)
			}
			return
		}
	}
	c.report.add(Twice, purpose, func() string { return c.what(r, n, o) + " came again" })
}

// changed finds out what differs. What only is written in another way does not.
func (c *Numbered) changed(r *run, n int64, o *Observed, key, value []byte) {
	differences := differ(o, key, value)
	if len(differences) == 0 {
		return
	}
	for _, d := range differences {
		c.report.Fields[d.field]++
	}
	c.report.add(Changed, false, func() string {
		var texts []string
		for _, d := range differences {
			texts = append(texts, d.String())
		}
		return c.what(r, n, o) + " has " + strings.Join(texts, ", ")
	})
}

// difference is a field that is not as it was sent.
type difference struct{ field, got, want string }

func (d difference) String() string {
	return fmt.Sprintf("%s %.100q, want %.100q", d.field, d.got, d.want)
}

// differ compares field by field.
func differ(o *Observed, key, value []byte) (list []difference) {
	if o.Account != nil && !bytes.Equal(o.Account, key) {
		list = append(list, difference{"cuenta", string(o.Account), string(key)})
	}
	if bytes.Equal(o.Value, value) {
		return list
	}
	want, err := bizum.ParsePayment(value)
	if err != nil {
		panic("check: internal error: made " + string(value))
	}
	got, err := bizum.ParsePayment(o.Value)
	if err != nil {
		return append(list, difference{"value", string(o.Value), string(value)})
	}
	for _, f := range [...]difference{
		{"nombre", string(got.Name), string(want.Name)}, {"cantidad", got.Amount.String(), want.Amount.String()},
		{"concepto", string(got.Concept), string(want.Concept)}, {"tipo", got.Kind.String(), want.Kind.String()},
	} {
		if f.got != f.want {
			list = append(list, f)
		}
	}
	return list
}

// EndPass adds what did not come. The error may be ErrNoNumbers.
func (c *Numbered) EndPass(ctx context.Context) (again bool, err error) {
	c.report.Passes++
	if c.report.Unnamed > 0 && c.report.Unnamed == c.report.Records {
		return false, ErrNoNumbers
	}
	return false, c.findMissing(ctx)
}

// Report returns what was found.
func (c *Numbered) Report() *Report { return &c.report }
