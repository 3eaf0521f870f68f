package check

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// findMissing adds the payments that did not come, and counts those that came.
func (c *Numbered) findMissing(ctx context.Context) error {
	for _, id := range slices.Sorted(keys(c.runs)) {
		r := c.runs[id]
		c.report.Sent += r.Sent
		for n := int64(0); n < r.Sent; n++ {
			if n%64 == 0 {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if r.seen[n/64] == ^uint64(0) {
					n += 63
					c.report.Distinct += 64
					continue
				}
			}
			if r.seen.has(n) {
				c.report.Distinct++
				continue
			}
			c.unseen(r, n)
		}
		c.countFaults(r)
	}
	return nil
}

func keys(runs map[string]*run) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for id := range runs {
			if !yield(id) {
				return
			}
		}
	}
}

// unseen judges a payment that did not come.
func (c *Numbered) unseen(r *run, n int64) {
	purpose := false
	if r.isSpecial(n) {
		switch {
		case in(r.unknown, n):
			c.report.UnknownAbsent++
			return
		case in(r.aborted, n), !c.config.AsSent && in(r.faults[malformed], n):
			return
		}
		purpose = in(r.faults[late], n)
	}
	account, _, _ := r.expectation.at(n)
	if r.first != nil && (r.first[account] < 0 || n < r.first[account]) {
		c.report.BeforeStart++
		return
	}
	if c.config.Unstable > 0 {
		c.report.Unstable++
		return
	}
	kind := Missing
	if n > r.last {
		kind = MissingTail
	}
	c.report.add(kind, purpose, func() string {
		_, key, value := r.expectation.at(n)
		return fmt.Sprintf("%s, %s of %s, never came", c.name(r, n), value, key)
	})
}

// countFaults compares what was put in on purpose with what came of it.
func (c *Numbered) countFaults(r *run) {
	for kind, ranges := range r.faults {
		if len(ranges) == 0 {
			continue
		}
		f := FaultCount{Kind: faultNames[kind], PutIn: Count(ranges)}
		for _, some := range ranges {
			for n := some.First; n <= some.Last; n++ {
				if !r.seen.has(n) {
					continue
				}
				f.Came++
				if kind != doubled {
					continue
				}
				if _, twice := r.again[n]; twice {
					f.Twice++
				} else if c.config.AsSent && !in(r.unknown, n) {
					c.report.add(Missing, true, func() string {
						return c.name(r, n) + " was sent twice, and came once"
					})
				}
			}
		}
		c.report.Faults = append(c.report.Faults, f)
	}
}

// latency measures how long after it was due a payment came.
func (c *Numbered) latency(r *run, n int64, o *Observed, special bool) {
	if o.Time == Earlier {
		c.report.Earlier++
		return
	}
	due, known := r.Stream.Schedule.Due(n)
	if !known || o.Time == NoTime {
		c.report.NoLatency++
		return
	}
	purpose := special && in(r.faults[late], n)
	if purpose {
		due = due.Add(r.lateBy())
	}
	took := time.UnixMilli(o.Time).Sub(due)
	c.report.latency(took)
	if limit := c.config.MaxLatency; limit > 0 && took > limit {
		c.report.add(TooLate, purpose, func() string {
			return fmt.Sprintf("%s came %v after it was due", c.what(r, n, o), took.Round(time.Millisecond))
		})
	}
}

func (r *run) lateBy() (by time.Duration) {
	for _, f := range r.Faults {
		if f.Kind == Late {
			by = max(by, f.By)
		}
	}
	return by
}
