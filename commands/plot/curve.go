package plot

import (
	"cmp"
	"maps"
	"slices"

	"bizumctl/bizum"
)

// curve is the balance of an account over time, of all partitions.
type curve struct {
	account       string
	opening, last bizum.Amount
	moved         uint64
	buckets       []bucket
}

// curves returns the curves of the accounts that moved most, and of how many accounts those are. Timed reports whether
// their places are times; else they are numbers of payments.
func (r *Recorder) curves(most int) (drawn []curve, of int, timed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	accounts := make(map[string][]*line)
	for _, partition := range slices.Sorted(maps.Keys(r.parts)) {
		for account, l := range r.parts[partition].lines {
			accounts[account] = append(accounts[account], l)
			timed = timed || l.timed
		}
	}
	moved := func(account string) (sum uint64) {
		for _, l := range accounts[account] {
			sum += l.moved
		}
		return sum
	}
	names := slices.SortedFunc(maps.Keys(accounts), func(a, b string) int {
		return cmp.Or(cmp.Compare(moved(b), moved(a)), cmp.Compare(a, b))
	})
	start := r.start(timed)
	for _, account := range names[:min(most, len(names))] {
		drawn = append(drawn, join(account, accounts[account], timed, start))
	}
	return drawn, len(names), timed
}

// start returns the first time of all.
func (r *Recorder) start(timed bool) (start int64) {
	found := false
	for _, p := range r.parts {
		for _, l := range p.lines {
			if l.timed == timed && len(l.buckets) > 0 && (!found || l.buckets[0].at < start) {
				start, found = l.buckets[0].at, true
			}
		}
	}
	return start
}

// join adds up the lines of an account: each changes the balance by what it does to its own. Lines without times are
// put at the start where others have some.
func join(account string, lines []*line, timed bool, start int64) curve {
	c := curve{account: account, opening: lines[0].opening}
	type step struct {
		bucket
		line int
	}
	var steps []step
	for i, l := range lines {
		buckets := l.buckets
		if timed && !l.timed {
			buckets = merged(slices.Clone(buckets), start)
		}
		for _, b := range buckets {
			steps = append(steps, step{b, i})
		}
		c.moved += l.moved
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	c.last = c.opening
	ends := make([]bizum.Amount, len(lines)) // so far
	for i, l := range lines {
		ends[i] = l.opening
	}
	for _, s := range steps {
		others := c.last - ends[s.line]
		c.buckets = append(c.buckets, bucket{s.at, others + s.low, others + s.high, others + s.end})
		c.last, ends[s.line] = others+s.end, s.end
	}
	return c
}

// payments returns how many payments were recorded, and how many of them had no time.
func (r *Recorder) payments() (all, untimed int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts {
		all, untimed = all+p.payments, untimed+p.untimed
	}
	return all, untimed
}
