package check_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"bizumctl/bizum/check"
)

// onPurpose is a run with a fault of each kind, and a pipeline that passes on what was sent.
func onPurpose(t *testing.T) *pipeline {
	p := newPipeline(t, 7, func(r *check.Receipt) {
		r.Sent = 300
		single := func(n int64) []check.Range { return []check.Range{{First: n, Last: n}} }
		r.Faults = []check.Fault{{Kind: check.Doubled, N: []check.Range{{First: 10, Last: 11}}},
			{Kind: check.Malformed, N: single(20)}, {Kind: check.Reordered, N: single(30)},
			{Kind: check.Late, By: 30 * time.Second, N: single(40)}}
	})
	again := p.records[10]
	p.records[20].value = "no payment"
	p.records[40].time += 30_000
	reordered, later := p.records[30], 31
	for p.records[later].owner != reordered.owner {
		later++
	}
	p.records = slices.Insert(slices.Delete(p.records, 30, 31), later, reordered)
	p.records = slices.Insert(p.records, 12, again, p.records[11])
	for i := range p.records { // one partition, so that the order is that of the slice
		p.records[i].part = 0
	}
	return p
}

// What was done wrong on purpose has to be mended, or to come as it was sent.
func TestOnPurpose(t *testing.T) {
	mended := map[check.Kind]int64{check.Twice: 2, check.PassedOn: 1, check.OutOfOrder: 1}
	for _, by := range []check.Naming{check.ByNumber, check.ByValue} {
		p := onPurpose(t)
		if p.want = maps.Clone(mended); by == check.ByValue {
			p.want[check.OutOfOrder] = 0
		}
		report, kept := p.compared(t, check.Config{By: by})
		p.wants(t, 7, "passed on", report, kept)
		for _, f := range report.Findings {
			if f.OnPurpose != f.Count {
				t.Errorf("naming %d: %d of %d %v on purpose", by, f.OnPurpose, f.Count, f.Kind)
			}
		}
		allowed, err := check.ParseAllowed([]string{"doubled:purpose", "reordered:purpose", "malformed"})
		if err != nil || !report.Judge(&check.Config{}, allowed) {
			t.Errorf("naming %d: not kept though allowed: %+v, %v", by, report.Findings, err)
		}
		p.want = make(map[check.Kind]int64)
		report, kept = p.compared(t, check.Config{By: by, AsSent: true})
		p.wants(t, 7, "passed on as sent", report, kept)

		p.records = slices.DeleteFunc(p.records, func(d delivery) bool { return d.number == 20 })
		p.records = slices.Delete(p.records, 12, 13) // the second one of payment 10
		p.want[check.Missing] = 2
		if by == check.ByValue { // what the malformed one was like is not known
			p.want[check.Missing] = 1
		}
		report, kept = p.compared(t, check.Config{By: by, AsSent: true})
		p.wants(t, 7, "mended instead of passed on", report, kept)
	}
}

// A payment that was late on purpose takes its time from when it was sent.
func TestLateOnPurpose(t *testing.T) {
	p := onPurpose(t)
	report, _ := p.compared(t, check.Config{AsSent: true, MaxLatency: time.Second})
	if report.Count(check.TooLate) != 0 || report.Latency.Max > time.Second || report.Latency.Count != 299 {
		t.Errorf("%d late, latency %+v", report.Count(check.TooLate), report.Latency)
	}
	p.records[200].time += 5000
	report, _ = p.compared(t, check.Config{AsSent: true, MaxLatency: time.Second})
	if report.Count(check.TooLate) != 1 {
		t.Errorf("%d late", report.Count(check.TooLate))
	}
}

// Two payments that are alike cannot be told apart by value, and are counted.
func TestTwins(t *testing.T) {
	p := newPipeline(t, 7, nil)
	p.receipt.Stream.Names, p.receipt.Stream.Concepts = []string{"Ana"}, []string{""}
	p.receipt.Sent = 20_000
	p.receipt.Stream = check.NewStream(check.Stream{Seed: 7, Accounts: 1}, texts("Ana"), texts(""))
	p.records = p.records[:0]
	seen := make(map[string]int)
	generator := p.receipt.Stream.Generator()
	for range p.receipt.Sent {
		key, payment := generator.Next()
		p.records = append(p.records, delivery{account: string(key), value: string(payment.Append(nil))})
		seen[p.records[len(p.records)-1].value]++
	}
	at := slices.IndexFunc(p.records, func(d delivery) bool { return seen[d.value] > 1 })
	p.records = slices.Delete(p.records, at, at+1)
	p.want[check.Missing] = 1
	report, kept := p.compared(t, check.Config{By: check.ByValue})
	p.wants(t, 7, "one of two", report, kept)
	if report.Twins != 1 || report.Passes != 2 {
		t.Errorf("%d twins, %d passes", report.Twins, report.Passes)
	}
}

// Sums and balances of accounts, also where some payments are of unknown outcome.
func TestTotals(t *testing.T) {
	for seed := range uint64(200) {
		p := newPipeline(t, seed, unsure)
		sums := make(map[string]*delivery)
		for _, r := range p.records {
			sums[r.account] = &delivery{account: r.account, balance: r.balance}
		}
		deliver := func() {
			p.records = p.records[:0]
			for _, s := range sums {
				p.records = append(p.records, delivery{account: s.account, balance: 1}, *s) // the last one counts
			}
		}
		deliver()
		report, kept := p.compared(t, check.Config{By: check.ByClosing})
		p.wants(t, seed, "perfect balances", report, kept)
		for account := range sums {
			sums[account].balance += 1_000_000
			p.want[check.WrongClosing] = 1
			break
		}
		deliver()
		p.records = append(p.records, delivery{account: "nobody"})
		p.want[check.Foreign] = 1
		report, kept = p.compared(t, check.Config{By: check.ByClosing})
		p.wants(t, seed, "a wrong balance", report, kept)
	}
}

// A run that goes on has sent more than was known when the comparison began.
func TestRunGoesOn(t *testing.T) {
	p := newPipeline(t, 7, nil)
	whole, begun := *p.receipt, *p.receipt
	begun.Sent, begun.Acknowledged, begun.Ended = 10, 10, time.Time{}
	p.receipt = &begun
	asked := 0
	report, kept := p.compared(t, check.Config{Latest: func() ([]*check.Receipt, error) {
		asked++
		return []*check.Receipt{&whole}, nil
	}})
	p.wants(t, 7, "goes on", report, kept)
	if asked != 1 || report.Distinct != whole.Sent {
		t.Errorf("asked %d times, %d of %d came", asked, report.Distinct, whole.Sent)
	}
}

// What an open transaction may hold back is not missing, but it cannot be judged.
func TestUnstable(t *testing.T) {
	for _, by := range []check.Naming{check.ByNumber, check.ByValue} {
		p := newPipeline(t, 7, nil)
		p.records = p.records[:len(p.records)-10]
		report, kept := p.compared(t, check.Config{By: by, Unstable: 10})
		if len(report.Findings) > 0 || report.Unstable != 10 || kept || len(report.Undecided) != 1 ||
			report.Distinct != p.receipt.Sent-10 {
			t.Errorf("naming %d: %+v, %q, %d came, kept %v", by, report.Findings, report.Undecided, report.Distinct, kept)
		}
	}
}
