package check

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"bizumctl/bizum"
)

// totals compares what a pipeline has added up: a balance or a sum of each account. Of several records of an
// account the last one counts.
type totals struct {
	config Config
	kind   Kind
	want   map[string]bizum.Amount
	// perhaps are the payments of unknown outcome, by account.
	perhaps map[string][]bizum.Amount
	got     map[string]total
	report  Report
}

type total struct {
	Place
	amount bizum.Amount
}

func newTotals(config Config) (*totals, error) {
	t := &totals{config: config, kind: WrongSum, want: make(map[string]bizum.Amount),
		perhaps: make(map[string][]bizum.Amount), got: make(map[string]total), report: newReport(&config)}
	if config.By == ByClosing {
		t.kind = WrongClosing
	}
	for _, r := range config.Receipts {
		if err := t.expect(r); err != nil {
			return nil, err
		}
	}
	t.report.Sent = int64(len(t.want))
	return t, nil
}

// expect adds what a run has sent.
func (t *totals) expect(r *Receipt) error {
	add := func(account string, amount bizum.Amount) error {
		before, known := t.want[account]
		if !known && t.config.By == ByClosing {
			before = bizum.Amount(r.Opening)
		}
		sum, fits := before.Add(amount)
		if !fits {
			return fmt.Errorf("account %q: %w", account, errOverflow)
		}
		t.want[account] = sum
		return nil
	}
	for _, a := range r.Accounts {
		if err := add(a.Name, a.Sum); err != nil {
			return err
		}
	}
	if len(r.Unknown) == 0 {
		return nil
	}
	generator, unknown := r.Stream.Generator(), newSkipper(r.Unknown)
	for n := int64(0); n <= r.Unknown[len(r.Unknown)-1].Last; n++ {
		if key, p := generator.Next(); unknown.has(n) {
			t.perhaps[string(key)] = append(t.perhaps[string(key)], p.Change())
		}
	}
	return nil
}

// Observe takes the balance, or the sum, of an account.
func (t *totals) Observe(o *Observed) error {
	t.report.Records++
	if !o.HasBalance {
		return fmt.Errorf("%v: no amount that can be read", o.Place)
	}
	t.got[string(o.Account)] = total{o.Place, o.Balance}
	return nil
}

// EndPass compares.
func (t *totals) EndPass(context.Context) (again bool, err error) {
	t.report.Passes++
	for _, account := range slices.Sorted(maps.Keys(t.want)) {
		want := t.want[account]
		got, came := t.got[account]
		switch {
		case !came:
			t.report.add(Missing, false, func() string { return fmt.Sprintf("account %s, %v", printable(account), want) })
			continue
		case got.amount != want && !t.possible(account, got.amount-want):
			t.report.add(t.kind, false, func() string {
				return fmt.Sprintf("%v: account %s has %v, want %v", got.Place, printable(account), got.amount, want)
			})
		}
		t.report.Distinct++
	}
	for _, account := range slices.Sorted(maps.Keys(t.got)) {
		got := t.got[account]
		if _, known := t.want[account]; !known && len(t.perhaps[account]) == 0 {
			t.report.add(Foreign, false, func() string { return fmt.Sprintf("%v: account %s", got.Place, printable(account)) })
		}
	}
	return false, nil
}

// possible reports whether payments of unknown outcome may make this difference. Of many, only the bounds are
// looked at.
func (t *totals) possible(account string, difference bizum.Amount) bool {
	const triedMax = 16
	changes := t.perhaps[account]
	if len(changes) <= triedMax {
		sums := map[bizum.Amount]bool{0: true}
		for _, c := range changes {
			for s := range maps.Clone(sums) {
				sums[s+c] = true
			}
		}
		return sums[difference]
	}
	var least, most bizum.Amount
	for _, c := range changes {
		least, most = least+min(c, 0), most+max(c, 0)
	}
	return least <= difference && difference <= most
}

// Report returns what was found.
func (t *totals) Report() *Report { return &t.report }
