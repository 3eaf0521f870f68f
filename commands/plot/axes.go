package plot

import (
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"bizumctl/bizum"
)

// frame is what range of times, or of payments, and of balances a picture shows.
type frame struct {
	from, to  int64
	low, high bizum.Amount
	timed     bool
	empty     bool
}

// frameOf returns a frame that has all curves in it.
func frameOf(curves []curve, timed bool) frame {
	f := frame{timed: timed, empty: true}
	for i := range curves {
		c := &curves[i]
		if len(c.buckets) == 0 {
			continue
		}
		first, last := c.buckets[0].at, c.buckets[len(c.buckets)-1].at
		if f.empty {
			f.from, f.to, f.low, f.high, f.empty = first, last, c.opening, c.opening, false
		}
		f.from, f.to = min(f.from, first), max(f.to, last)
		f.low, f.high = min(f.low, c.opening), max(f.high, c.opening)
		for _, b := range c.buckets {
			f.low, f.high = min(f.low, b.low), max(f.high, b.high)
		}
	}
	if f.low == f.high { // a line needs some room around it
		const room = 100_00
		f.low, f.high = less(f.low, room), more(f.high, room)
	}
	air := bizum.Amount(f.span() / 25)
	f.low, f.high = less(f.low, air), more(f.high, air)
	return f
}

// less and more do not leave the range of amounts.
func less(a, by bizum.Amount) bizum.Amount {
	if a < math.MinInt64+by {
		return math.MinInt64
	}
	return a - by
}

func more(a, by bizum.Amount) bizum.Amount {
	if a > math.MaxInt64-by {
		return math.MaxInt64
	}
	return a + by
}

// span is how many cents the frame is high; the difference of two amounts may not be one.
func (f frame) span() uint64 { return uint64(f.high) - uint64(f.low) }

func (f frame) x(at int64) float64 {
	if f.to == f.from {
		return left
	}
	const stub = 8 // so that the last step is seen, too
	return left + (plotWidth-stub)*float64(at-f.from)/float64(f.to-f.from)
}

func (f frame) y(a bizum.Amount) float64 {
	return round(top + plotHeight*float64(uint64(f.high)-uint64(a))/float64(f.span()))
}

// amounts draws the axis of balances: lines at round sums of euros.
func (f frame) amounts(s *scene) {
	const most = 8
	step := amountStep(f.span()/most + 1)
	for a := firstStep(f.low, step); ; {
		y, color := f.y(a), grid
		if a == 0 {
			color = faint
		}
		s.paths = append(s.paths, path{color, 1, []point{{left, y}, {left + plotWidth, y}}})
		s.texts = append(s.texts, text{point{left - 10, y + textSize/3}, end, textSize, false, faint, euros(a, step)})
		next, fits := a.Add(step)
		if !fits || next > f.high {
			return
		}
		a = next
	}
}

// firstStep returns the lowest multiple of a step that is not below an amount.
func firstStep(low, step bizum.Amount) bizum.Amount {
	first := low / step * step
	if first < low {
		first += step
	}
	return first
}

// amountStep returns the smallest of 1, 2, 5, 10, 20 and so on that is not smaller.
func amountStep(atLeast uint64) bizum.Amount {
	const largest = 5e18 // that is an Amount, and enough for all of them
	for unit := bizum.Amount(1); ; unit *= 10 {
		for _, factor := range [...]bizum.Amount{1, 2, 5} {
			if step := unit * factor; uint64(step) >= atLeast || step == largest {
				return step
			}
		}
	}
}

// euros returns an amount of an axis, without cents where all have none.
func euros(a, step bizum.Amount) string {
	text := string(a.AppendEuros(nil))
	if step%100 == 0 {
		text = strings.Replace(text, ".00 ", " ", 1)
	}
	return text
}

// timesMax is for how many times there is room.
const timesMax = 8

// timeSteps are the steps of an axis of times within days.
var timeSteps = [...]time.Duration{time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
	5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
	5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour}

// dayStep is a step of an axis of many days.
type dayStep struct{ months, days int }

var daySteps = [...]dayStep{{0, 1}, {0, 2}, {0, 7}, {0, 14}, {1, 0}, {2, 0}, {3, 0}, {6, 0}, {12, 0}, {24, 0}, {60, 0}}

// times draws the axis of times: round ones of the zone, with the day below where it begins.
func (f frame) times(s *scene, zone *time.Location) {
	from, to := time.UnixMilli(f.from).In(zone), time.UnixMilli(f.to).In(zone)
	at, layout := timesBetween(from, to)
	day := ""
	for _, t := range at {
		label := t.Format(layout)
		below := ""
		if layout != time.DateOnly && t.Format(time.DateOnly) != day {
			day = t.Format(time.DateOnly)
			below = day
		}
		f.mark(s, t.UnixMilli(), label, below)
	}
}

// timesBetween returns the round times of a range, and how they are written.
func timesBetween(from, to time.Time) (at []time.Time, layout string) {
	for _, step := range timeSteps {
		if to.Sub(from)/step >= timesMax {
			continue
		}
		year, month, day := from.Date()
		t := time.Date(year, month, day, 0, 0, 0, 0, from.Location())
		if before := from.Sub(t); before > 0 {
			t = t.Add((before + step - 1) / step * step)
		}
		for ; !t.After(to); t = t.Add(step) {
			at = append(at, t)
		}
		if len(at) == 0 { // a range between two round times
			at = []time.Time{from}
		}
		return at, layoutOf(step)
	}
	for _, step := range daySteps {
		if at = step.between(from, to); len(at) <= timesMax {
			break
		}
	}
	return at, time.DateOnly
}

// between returns the first times of days or months in a range.
func (step dayStep) between(from, to time.Time) (at []time.Time) {
	year, month, day := from.Date()
	if step.months > 0 {
		day = 1
		month = (month-1)/time.Month(min(step.months, 12))*time.Month(min(step.months, 12)) + 1
	}
	for n := 0; len(at) <= timesMax; n++ {
		t := time.Date(year, month+time.Month(n*step.months), day+n*step.days, 0, 0, 0, 0, from.Location())
		if t.After(to) {
			break
		}
		if !t.Before(from) {
			at = append(at, t)
		}
	}
	return at
}

func layoutOf(step time.Duration) string {
	switch {
	case step < time.Second:
		return "15:04:05.000"
	case step < time.Minute:
		return time.TimeOnly
	}
	return "15:04"
}

// numbers draws the axis of payments, where none has a time.
func (f frame) numbers(s *scene) {
	if f.empty {
		return
	}
	step := int64(amountStep(uint64(f.to-f.from)/timesMax + 1))
	for at := (f.from + step - 1) / step * step; at <= f.to; at += step {
		f.mark(s, at, humanize.Comma(at), "")
	}
	s.texts = append(s.texts, text{point{left + plotWidth/2, height - 18}, middle, textSize, false, faint,
		"number of the bizum: none has a usable time"})
}

// mark draws a place of the lower axis, and one or two lines of what is there.
func (f frame) mark(s *scene, at int64, label, below string) {
	x, floor := round(f.x(at)), float64(top+plotHeight)
	s.paths = append(s.paths, path{grid, 1, []point{{x, top}, {x, floor}}})
	s.texts = append(s.texts, text{point{x, floor + 20}, middle, textSize, false, faint, label})
	if below != "" {
		s.texts = append(s.texts, text{point{x, floor + 37}, middle, textSize - 1, false, faint, below})
	}
}
