package page

import (
	"cmp"
	"slices"

	"bizumctl/bizum"
)

// sums are what payments add up to. Once one does not fit, over is set and the sums mean nothing.
type sums struct {
	Sent, Received  bizum.Amount
	Sends, Receipts int64
	over            bool
}

func (s *sums) add(p *bizum.Payment) {
	sum, count := &s.Sent, &s.Sends
	if p.Kind == bizum.Received {
		sum, count = &s.Received, &s.Receipts
	}
	after, fits := sum.Add(p.Amount)
	*sum = after
	*count++
	s.over = s.over || !fits
}

func (s *sums) payments() int64 { return s.Sends + s.Receipts }

// totalsMax is how many names are told apart. What comes after them is added up together.
const totalsMax = 2000

// totals add up payments by what they have in common: the person, or the concept.
type totals struct {
	by     map[string]*sums
	others sums
}

func newTotals() *totals { return &totals{by: make(map[string]*sums)} }

func (t *totals) add(name []byte, p *bizum.Payment) {
	s := t.by[string(name)]
	if s == nil {
		s = t.open(name)
	}
	s.add(p)
}

func (t *totals) open(name []byte) *sums {
	if len(t.by) >= totalsMax {
		return &t.others
	}
	if len(name) > textMax {
		name = cut(nil, name)
		if s := t.by[string(name)]; s != nil {
			return s
		}
	}
	s := new(sums)
	t.by[string(name)] = s
	return s
}

// namedSums are the sums of a name.
type namedSums struct {
	name string
	*sums
}

// largest returns the names that have moved most money.
func (t *totals) largest(n int) []namedSums {
	list := make([]namedSums, 0, len(t.by))
	for name, s := range t.by {
		list = append(list, namedSums{name, s})
	}
	slices.SortFunc(list, func(a, b namedSums) int {
		return cmp.Or(cmp.Compare(b.moved(), a.moved()), cmp.Compare(a.name, b.name))
	})
	return list[:min(n, len(list))]
}

// moved orders by size; a sum that wraps is no worse for that.
func (s *sums) moved() uint64 { return uint64(s.Sent) + uint64(s.Received) }
