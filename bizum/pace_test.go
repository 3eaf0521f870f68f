package bizum_test

import (
	"math/big"
	"testing"
	"time"

	"bizumctl/bizum"
)

func TestPauses(t *testing.T) {
	const least, most, n = time.Second, 10 * time.Second, 1_000_000
	for seed := range uint64(3) {
		p := bizum.Pauses(seed, least, most)
		if due := p.Next(0); due != 0 {
			t.Fatalf("seed %d: the first is due after %v", seed, due)
		}
		tenths := make([]int, 90)
		before, shortest, longest := time.Duration(0), most, least
		for i := range n {
			due := p.Next(before) // it is made when it is due
			pause := due - before
			if pause < least || pause > most {
				t.Fatalf("seed %d: pause %d is %v", seed, i, pause)
			}
			before, shortest, longest = due, min(shortest, pause), max(longest, pause)
			tenths[min(int((pause-least)/(100*time.Millisecond)), 89)]++
		}
		if mean := before / n; mean < 5490*time.Millisecond || mean > 5510*time.Millisecond {
			t.Errorf("seed %d: pauses of %v in the mean, want 5.5 s", seed, mean)
		}
		if shortest > least+time.Millisecond || longest < most-time.Millisecond {
			t.Errorf("seed %d: pauses from %v to %v", seed, shortest, longest)
		}
		uniform(t, "pauses", seed, tenths)
	}
}

// TestPausesReachBothEnds: the bounds belong to the pauses.
func TestPausesReachBothEnds(t *testing.T) {
	p, counts := bizum.Pauses(1, 5, 7), make([]int, 3)
	before := p.Next(0)
	for range 3000 {
		due := p.Next(before)
		counts[due-before-5]++
		before = due
	}
	uniform(t, "pauses of 5, 6 and 7 ns", 1, counts)
}

func TestEqualPauses(t *testing.T) {
	for _, pause := range []time.Duration{0, 1, time.Second} {
		p := bizum.Pauses(1, pause, pause)
		for i := range 1000 {
			if due := p.Next(0); due != time.Duration(i)*pause {
				t.Fatalf("pause %v: number %d is due at %v", pause, i, due)
			}
		}
	}
}

func TestPausesAreOfTheSeed(t *testing.T) {
	want := []time.Duration{0, 6634827000, 16326628943, 18138903996} // golden, as in TestSeed
	p, other := bizum.Pauses(7, time.Second, 10*time.Second), bizum.Pauses(8, time.Second, 10*time.Second)
	other.Next(0)
	for i, want := range want {
		due := p.Next(0)
		if due != want {
			t.Errorf("seed 7: number %d is due at %d, want %d", i, due, want)
		}
		if i > 0 && other.Next(0) == due {
			t.Errorf("number %d is due at %v with seed 7 and 8", i, due)
		}
	}
}

// TestPausesAfterStall: what was missed is not made up for.
func TestPausesAfterStall(t *testing.T) {
	const least, most = time.Second, 2 * time.Second
	p := bizum.Pauses(1, least, most)
	p.Next(0)
	for _, now := range []time.Duration{time.Hour, 2 * time.Hour, 48 * time.Hour} {
		due := p.Next(now)
		if due != now {
			t.Fatalf("after a stall until %v the next is due at %v", now, due)
		}
		for i := range 100 {
			before := due
			due = p.Next(before)
			if due < before+least || due > before+most {
				t.Fatalf("number %d after the stall until %v is due %v after the one before", i, now, due-before)
			}
		}
	}
	before := p.Next(0) // a clock behind the schedule changes nothing
	for range 100 {
		due := p.Next(0)
		if due < before+least || due > before+most {
			t.Fatalf("pause of %v", due-before)
		}
		before = due
	}
}

func TestRate(t *testing.T) {
	const n, stall = 1_000_000, time.Hour
	for _, perSecond := range []float64{0.5, 1, 3, 20_000, 30_000} {
		p := bizum.Rate(perSecond)
		gap, _ := new(big.Rat).SetString("1000000000")
		gap.Quo(gap, new(big.Rat).SetFloat64(perSecond))
		now := time.Duration(0)
		for i := range int64(n) {
			due := p.Next(now)
			if i == n/2 {
				now = due + stall // a late tick changes no due time, so what was missed is caught up
			}
			if off := offBy(due, i, gap); off > 1 {
				t.Fatalf("%v a second: number %d is due at %v, %v from its time", perSecond, i, due, off)
			}
		}
	}
}

// offBy is how far a due time is from i gaps.
func offBy(due time.Duration, i int64, gap *big.Rat) time.Duration {
	num := new(big.Int).Mul(gap.Num(), big.NewInt(i))
	exact := num.Div(num, gap.Denom()).Int64()
	return (due - time.Duration(exact)).Abs()
}
