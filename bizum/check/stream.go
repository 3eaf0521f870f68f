package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bizumctl/bizum"
)

// ProbeCount is how many payments the Probe of a Stream covers at most.
const ProbeCount = 100

// ErrOtherPayments means that this program makes other payments from the seed of a receipt than the one that
// sent them.
var ErrOtherPayments = errors.New("this version makes other payments from the receipt's seed")

// errOverflow means that a sum does not fit an Amount.
var errOverflow = errors.New("the sum no longer fits")

// NewStream returns the settings of a run, with their probe.
func NewStream(s Stream, names, concepts [][]byte) Stream {
	for _, name := range names {
		s.Names = append(s.Names, string(name))
	}
	for _, concept := range concepts {
		s.Concepts = append(s.Concepts, string(concept))
	}
	s.Probe = s.probe()
	return s
}

// Generator makes the payments of the stream again.
func (s *Stream) Generator() *bizum.Generator {
	return bizum.NewSkewedGenerator(s.Seed, inBytes(s.Names), inBytes(s.Concepts), s.Accounts, s.Skew)
}

func inBytes(list []string) (texts [][]byte) {
	for _, text := range list {
		texts = append(texts, []byte(text))
	}
	return texts
}

func (s *Stream) probe() (sum Sum) {
	g, h := s.Generator(), hasher{}
	var value []byte
	for range ProbeCount {
		key, p := g.Next()
		value = p.Append(value[:0])
		sum.Add(h.of(key, value))
	}
	return sum
}

// Summarize fills in what follows from the other fields: Acknowledged, Accounts and Hash. It makes all payments
// again, which takes about 0.2 s a million. It returns ErrOtherPayments, an error for sums that do not fit, or
// that of ctx.
func (r *Receipt) Summarize(ctx context.Context) error {
	if r.Stream.probe() != r.Stream.Probe {
		return ErrOtherPayments
	}
	r.Acknowledged = r.Sent - Count(r.Unknown) - Count(r.Aborted)
	if err := r.valid(); err != nil {
		return err
	}
	left := newSkipper(r.Unknown, r.Aborted, r.fault(Malformed))
	g, h := r.Stream.Generator(), hasher{run: r.Run}
	accounts := make(map[string]*Account)
	var value []byte
	for n := range r.Sent {
		if n%(1<<16) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, p := g.Next()
		if left.has(n) {
			continue
		}
		a := accounts[string(key)]
		if a == nil {
			a = &Account{Name: string(key)}
			accounts[a.Name] = a
		}
		value = p.Append(value[:0])
		a.Hash.Add(h.of(key, value))
		a.Payments++
		var fits bool
		if a.Sum, fits = a.Sum.Add(p.Change()); !fits {
			return fmt.Errorf("account %q: %w", a.Name, errOverflow)
		}
	}
	r.Accounts, r.Hash = nil, Sum{}
	for _, a := range accounts {
		var fits bool
		if a.Closing, fits = bizum.Amount(r.Opening).Add(a.Sum); !fits {
			return fmt.Errorf("account %q: %w", a.Name, errOverflow)
		}
		r.Hash.Add(a.Hash)
		r.Accounts = append(r.Accounts, *a)
	}
	slices.SortFunc(r.Accounts, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// fault returns the numbers of the payments with a fault of this kind.
func (r *Receipt) fault(kind string) (all []Range) {
	for _, f := range r.Faults {
		if f.Kind == kind {
			all = append(all, f.N...)
		}
	}
	sortRanges(all)
	return all
}

func sortRanges(ranges []Range) {
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
}

// skipper reports which of rising numbers are in any of some ranges.
type skipper struct{ lists [][]Range }

func newSkipper(lists ...[]Range) *skipper { return &skipper{lists} }

func (s *skipper) has(n int64) bool {
	found := false
	for i, ranges := range s.lists {
		for len(ranges) > 0 && ranges[0].Last < n {
			ranges = ranges[1:]
		}
		s.lists[i] = ranges
		found = found || len(ranges) > 0 && ranges[0].First <= n
	}
	return found
}
