package check

import (
	"slices"
)

// numberSet is a set of numbers from 0 on.
type numberSet []uint64

// add adds a number, and reports whether it was not there.
func (s numberSet) add(n int64) bool {
	word, bit := &s[n/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

func (s numberSet) has(n int64) bool { return s[n/64]&(1<<(n%64)) != 0 }

// grown returns the set with room for the numbers below n.
func (s numberSet) grown(n int64) numberSet {
	if more := int((n+63)/64) - len(s); more > 0 {
		return append(s, make(numberSet, more)...)
	}
	return s
}

// run is what is known of a run while it is compared.
type run struct {
	*Receipt
	expectation *expectation
	seen        numberSet
	special     numberSet // payments that are in one of the lists
	unknown     []Range
	aborted     []Range
	faults      [faultKinds][]Range
	again       map[int64]struct{} // payments doubled on purpose that came twice
	last        int64              // the highest number that was seen; -1: none
	order       order
	first       []int64 // by account, the first that was seen, if that matters; -1: none
}

// The places of the kinds of faults in run.faults.
const (
	doubled = iota
	malformed
	reordered
	late
	faultKinds
)

var faultNames = [faultKinds]string{Doubled, Malformed, Reordered, Late}

func newRun(r *Receipt, beheaded bool) *run {
	n := &run{expectation: newExpectation(&r.Stream), again: make(map[int64]struct{}), last: -1,
		order: newOrder(r.Stream.Accounts)}
	if beheaded {
		n.first = make([]int64, r.Stream.Accounts+1)
		for i := range n.first {
			n.first[i] = -1
		}
	}
	n.update(r)
	return n
}

// update takes a later receipt of the same run.
func (r *run) update(now *Receipt) {
	r.Receipt = now
	r.seen = r.seen.grown(now.Sent)
	r.unknown, r.aborted = now.Unknown, now.Aborted
	lists := [][]Range{r.unknown, r.aborted}
	for i, name := range faultNames {
		r.faults[i] = now.fault(name)
		lists = append(lists, r.faults[i])
	}
	r.special = nil
	for _, list := range lists {
		for _, some := range list {
			r.special = r.special.grown(now.Sent)
			for n := some.First; n <= some.Last; n++ {
				r.special.add(n)
			}
		}
	}
}

// isSpecial reports whether a payment is in any list at all, which few are.
func (r *run) isSpecial(n int64) bool { return r.special != nil && r.special.has(n) }

// in reports whether sorted ranges have a number.
func in(ranges []Range, n int64) bool {
	_, found := slices.BinarySearchFunc(ranges, n, func(r Range, n int64) int {
		switch {
		case r.Last < n:
			return -1
		case r.First > n:
			return 1
		}
		return 0
	})
	return found
}

// order is the last payment of each account, by the part in which it came: partitions have an order each, and so have
// files.
type order struct {
	last   []int64
	part   []int32
	others map[accountPart]int64 // of accounts that come in more parts than one
}

type accountPart struct{ account, part int32 }

func newOrder(accounts int) order {
	o := order{last: make([]int64, accounts+1), part: make([]int32, accounts+1), others: make(map[accountPart]int64)}
	for i := range o.last {
		o.last[i], o.part[i] = -1, -1
	}
	return o
}

// next notes that a payment came, and reports whether a later one of its account had come before it in this part.
func (o *order) next(account, part int32, inFile bool, n int64) (last int64, behind bool) {
	if o.part[account] == part {
		last = o.last[account]
		o.last[account] = max(last, n)
		return last, n < last
	}
	if o.part[account] < 0 || inFile { // files come one after another
		o.part[account], o.last[account] = part, n
		return n, false
	}
	key := accountPart{account, part}
	last, known := o.others[key]
	if !known {
		last = n
	}
	o.others[key] = max(last, n)
	return last, n < last
}
