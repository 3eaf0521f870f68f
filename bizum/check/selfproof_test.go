package check_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
)

// delivery is a record as a pipeline delivers it.
type delivery struct {
	run, n, account, value string
	number                 int64  // as it was sent
	owner                  string // the account, as it was sent
	part                   int32
	balance                bizum.Amount
	time                   int64
}

// pipeline is one that works on a run, and may be broken in several ways, each of which notes what it has done.
type pipeline struct {
	*rand.Rand
	receipt *check.Receipt
	records []delivery
	used    map[int64]bool // payments that were tampered with, which are so once
	want    map[check.Kind]int64
}

// newPipeline is a perfect one: it delivers each payment once.
func newPipeline(t *testing.T, seed uint64, change func(*check.Receipt)) *pipeline {
	rng := rand.New(rand.NewPCG(seed, 0))
	r := receipt(t, fmt.Sprint("run", seed), seed, 1+rng.IntN(5), int64(100+rng.IntN(300)), change)
	p := &pipeline{Rand: rng, receipt: r, used: make(map[int64]bool), want: make(map[check.Kind]int64)}
	parts, generator := 1+rng.IntN(3), r.Stream.Generator()
	balances := make(map[string]bizum.Amount)
	for n := range r.Sent {
		key, payment := generator.Next()
		if within(r.Aborted, n) || within(r.Unknown, n) && rng.IntN(2) == 0 {
			continue
		}
		account := string(key)
		balances[account] += payment.Change()
		due, _ := r.Stream.Schedule.Due(n)
		p.records = append(p.records, delivery{run: r.Run, n: strconv.FormatInt(n, 10), number: n,
			account: account, owner: account, value: string(payment.Append(nil)),
			part:    int32(account[len(account)-1]) % int32(parts),
			balance: bizum.Amount(r.Opening) + balances[account], time: due.UnixMilli() + rng.Int64N(100)})
	}
	return p
}

func within(ranges []check.Range, n int64) bool {
	return slices.ContainsFunc(ranges, func(r check.Range) bool { return r.First <= n && n <= r.Last })
}

// pick returns the index of a record that nothing was done to, and not the last one.
func (p *pipeline) pick() int {
	for {
		i := p.IntN(len(p.records) - 1)
		if n := p.records[i].number; n >= 0 && n < p.receipt.Sent-10 && !p.used[n] && !within(p.receipt.Unknown, n) {
			p.used[n] = true
			return i
		}
	}
}

// The ways of breaking a pipeline.
var breaks = map[string]func(p *pipeline){
	"drop": func(p *pipeline) {
		i := p.pick()
		p.records = slices.Delete(p.records, i, i+1)
		p.want[check.Missing]++
	},
	"double": func(p *pipeline) {
		i := p.pick()
		at := i + 1 + p.IntN(len(p.records)-i)
		p.records = slices.Insert(p.records, at, p.records[i])
		p.want[check.Twice]++
	},
	"swap": func(p *pipeline) {
		i := p.pick()
		for j := i + 1; j < len(p.records); j++ {
			if a, b := &p.records[i], &p.records[j]; a.owner == b.owner && a.part == b.part {
				if p.used[b.number] {
					break
				}
				p.used[b.number] = true
				*a, *b = *b, *a
				p.want[check.OutOfOrder]++
				return
			}
		}
	},
	"name":    edit(func(q *bizum.Payment) { q.Name = []byte("Otra") }),
	"amount":  edit(func(q *bizum.Payment) { q.Amount++ }),
	"concept": edit(func(q *bizum.Payment) { q.Concept = append(q.Concept, '!') }),
	"kind":    edit(func(q *bizum.Payment) { q.Kind = bizum.Sent + bizum.Received - q.Kind }),
	"account": func(p *pipeline) {
		p.records[p.pick()].account += "0"
		p.want[check.Changed]++
	},
	"cut": func(p *pipeline) {
		r := &p.records[p.pick()]
		r.value = r.value[:5]
		p.want[check.Changed]++
	},
	"foreign": func(p *pipeline) {
		r := p.records[p.IntN(len(p.records))]
		r.number = -1
		r.n = []string{strconv.FormatInt(p.receipt.Sent, 10), "-1", "x", "", "99999999999999999999"}[p.IntN(5)]
		p.records = append(p.records, r)
		p.want[check.Foreign]++
	},
	"other run": func(p *pipeline) {
		r := p.records[p.IntN(len(p.records))]
		r.run, r.number = "another", -1
		p.records = append(p.records, r)
	},
	"late": func(p *pipeline) {
		p.records[p.pick()].time += 10_000
		p.want[check.TooLate]++
	},
}

func edit(change func(*bizum.Payment)) func(*pipeline) {
	return func(p *pipeline) {
		r := &p.records[p.pick()]
		payment, err := bizum.ParsePayment([]byte(r.value))
		if err != nil {
			panic(err)
		}
		change(&payment)
		r.value = string(payment.Append(nil))
		p.want[check.Changed]++
	}
}

// compared returns what a comparison counts, and how it judges.
func (p *pipeline) compared(t *testing.T, config check.Config) (*check.Report, bool) {
	t.Helper()
	config.Receipts = append(config.Receipts, p.receipt)
	c, err := check.New(config)
	if err != nil {
		t.Fatal(err)
	}
	for again := true; again; {
		for i, r := range p.records {
			o := check.Observed{Place: check.Place{Source: "out", Part: r.part, At: int64(i)}, Run: []byte(r.run),
				N: []byte(r.n), Account: []byte(r.account), Value: []byte(r.value), Balance: r.balance,
				HasBalance: true, Time: r.time}
			if err := c.Observe(&o); err != nil {
				t.Fatal(err)
			}
		}
		if again, err = c.EndPass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	report := c.Report()
	return report, report.Judge(&config, nil)
}

// wants compares what was found with what was done.
func (p *pipeline) wants(t *testing.T, seed uint64, what string, report *check.Report, kept bool) {
	t.Helper()
	got := make(map[check.Kind]int64)
	for _, f := range report.Findings {
		got[f.Kind] = f.Count
		if len(f.Examples) != int(min(f.Count, check.ExamplesMax)) {
			t.Errorf("seed %d: %s: %d examples of %d", seed, what, len(f.Examples), f.Count)
		}
	}
	maps.DeleteFunc(p.want, func(_ check.Kind, n int64) bool { return n == 0 })
	if !maps.Equal(got, p.want) || kept != (len(p.want) == 0) {
		t.Fatalf("seed %d: %s: found %v %+v, kept %v; want %v", seed, what, got, report.Findings, kept, p.want)
	}
}

const seeds = 1000

// unsure gives a run some payments of unknown outcome, and some aborted ones.
func unsure(r *check.Receipt) {
	first := r.Sent / 3
	r.Unknown = []check.Range{{First: first, Last: first + 4}, {First: r.Sent - 3, Last: r.Sent - 1}}
	r.Aborted = []check.Range{{First: 2, Last: 6}}
}

func TestPerfectPipeline(t *testing.T) {
	for seed := range uint64(seeds) {
		for _, by := range []check.Naming{check.ByNumber, check.ByValue} {
			p := newPipeline(t, seed, unsure)
			config := check.Config{By: by, Balances: by == check.ByNumber, MaxLatency: time.Second}
			if by == check.ByValue {
				config.MaxLatency = 0
			}
			report, kept := p.compared(t, config)
			p.wants(t, seed, fmt.Sprint("perfect, naming ", by), report, kept)
		}
	}
}

// Each way of breaking a pipeline is found as often as it was done, alone and among the others.
func TestBrokenPipelines(t *testing.T) {
	names := slices.Sorted(maps.Keys(breaks))
	for seed := range uint64(seeds) {
		p := newPipeline(t, seed, unsure)
		what := names[seed%uint64(len(names))]
		for range 1 + p.IntN(3) {
			breaks[what](p)
		}
		if seed%2 == 1 { // and others
			for range p.IntN(10) {
				other := names[p.IntN(len(names))]
				breaks[other](p)
				what += ", " + other
			}
		}
		report, kept := p.compared(t, check.Config{MaxLatency: time.Second})
		p.wants(t, seed, what, report, kept)
	}
}

// These change all that comes after them, so each is alone.
func TestBrokenPipelinesAlone(t *testing.T) {
	for seed := range uint64(seeds) {
		p := newPipeline(t, seed, nil)
		what, config := "", check.Config{}
		switch seed % 4 {
		case 0:
			what = "truncated"
			k := 1 + p.IntN(20)
			p.records = p.records[:len(p.records)-k]
			p.want[check.MissingTail] = int64(k)
		case 1:
			what = "numbers from 0 again"
			half := (len(p.records) + 1) / 2
			for i := range p.records[half:] {
				first, again := p.records[i], &p.records[half+i]
				again.n = first.n
				p.want[check.Twice]++
				p.want[check.MissingTail]++
				if again.value != first.value || again.account != first.account {
					p.want[check.Changed]++
				}
			}
		case 2:
			what = "read uncommitted"
			aborted := check.Range{First: int64(p.IntN(50)), Last: int64(50 + p.IntN(20))}
			p.receipt.Aborted = []check.Range{aborted}
			p.want[check.Aborted] = aborted.Len()
			p.receipt.Acknowledged -= aborted.Len()
		case 3:
			what, config.Balances = "wrong balance", true
			p.want[check.WrongBalance] = 1
			i, wrongBy := p.pick(), bizum.Amount(1+p.IntN(100))
			p.records[i].balance += wrongBy
			for k := i + 1; seed%8 == 3 && k < len(p.records); k++ { // and all that come after it
				if p.records[k].account == p.records[i].account {
					p.records[k].balance += wrongBy
				}
			}
		}
		report, kept := p.compared(t, config)
		p.wants(t, seed, what, report, kept)
	}
}

// By value there are no numbers: what a broken pipeline has done is found from the payments alone.
func TestByValue(t *testing.T) {
	change := func(q *bizum.Payment) { q.Amount += 1000_00 } // so that no other payment is like it
	ways := map[string]func(*pipeline){"drop": breaks["drop"], "double": breaks["double"], "amount": edit(change),
		"name": breaks["name"], "swap": func(p *pipeline) {
			breaks["swap"](p)
			p.want[check.OutOfOrder] = 0 // which is not judged
		}, "foreign": func(p *pipeline) {
			p.records = append(p.records, delivery{account: "nobody", value: "Nadie;1.00;x;" + bizum.Sent.String()})
			p.want[check.Foreign]++
		}}
	names := slices.Sorted(maps.Keys(ways))
	for seed := range uint64(seeds) {
		p := newPipeline(t, seed, nil)
		what := names[seed%uint64(len(names))]
		for range 1 + p.IntN(5) {
			ways[what](p)
		}
		report, kept := p.compared(t, check.Config{By: check.ByValue})
		p.wants(t, seed, what, report, kept)
	}
}
