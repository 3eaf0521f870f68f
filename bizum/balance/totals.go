package balance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// TotalsConfig says which payments of a topic are added up, and by what.
type TotalsConfig struct {
	By      func(*bizum.Payment) []byte // what payments that are added up together have in common
	Account string                      // only its payments; "": those of all
	Strict  bool                        // end at the first rejected message
	Report  func(event.Event)           // called from several goroutines
}

// Total is what the payments of one kind add up to.
type Total struct {
	Name           string
	Payments       int64
	Sent, Received bizum.Amount
}

// Net is what was received, less what was sent: what the payments have done to the balances.
func (t *Total) Net() bizum.Amount { return t.Received - t.Sent }

// Totals adds up the payments of a topic, its partitions side by side. They are sorted by name.
func Totals(ctx context.Context, topic *consumer.Consumer, config TotalsConfig) (list []Total, counts Counts,
	err error) {
	f := &fold{topic: topic, strict: config.Strict, report: config.Report}
	all := make(map[string]*Total)
	var mu sync.Mutex
	err = topic.RunEach(ctx, func(ctx context.Context, partition int32, from int64) error {
		totals := make(map[string]*Total)
		err := f.partition(ctx, partition, from, func(b *kafka.Batch) error { return f.total(b, totals, &config) })
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		return merge(all, totals)
	})
	if err == nil {
		err = ctx.Err()
	}
	for _, t := range all {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Total) int { return strings.Compare(a.Name, b.Name) })
	return list, f.counts(), err
}

// total adds up a batch.
func (f *fold) total(b *kafka.Batch, totals map[string]*Total, config *TotalsConfig) error {
	seen, rounded := int64(0), int64(0)
	for r := range b.Records {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			if err := f.rejected(r.Position, err, r.Value); err != nil {
				return err
			}
			continue
		}
		if config.Account != "" && config.Account != string(bizum.KeyOf(r.Key)) {
			continue
		}
		name := config.By(&p)
		t := totals[string(name)]
		if t == nil {
			t = &Total{Name: string(name)}
			totals[t.Name] = t
		}
		if err := t.add(r, &p); err != nil {
			return err
		}
		seen++
		if p.Rounded {
			rounded++
		}
	}
	f.count(seen, rounded)
	return nil
}

func (t *Total) add(r *record.Record, p *bizum.Payment) error {
	sum := &t.Sent
	if p.Kind == bizum.Received {
		sum = &t.Received
	}
	after, fits := sum.Add(p.Amount)
	if !fits {
		return fmt.Errorf("message at %v: the total of %.40q no longer fits", r.Position, t.Name)
	}
	*sum = after
	t.Payments++
	return nil
}

// merge adds the totals of a partition to those of the others.
func merge(all, totals map[string]*Total) error {
	for name, t := range totals {
		before := all[name]
		if before == nil {
			all[name] = t
			continue
		}
		sent, fits := before.Sent.Add(t.Sent)
		received, alsoFits := before.Received.Add(t.Received)
		if !fits || !alsoFits {
			return fmt.Errorf("the total of %.40q no longer fits", name)
		}
		before.Payments, before.Sent, before.Received = before.Payments+t.Payments, sent, received
	}
	return nil
}
