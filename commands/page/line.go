package page

import "bizumctl/bizum"

// A line is a balance over time, in bounded memory: the last minute and the last hour in steps of a fixed width, and
// all of it in steps that become wider as it grows. A step has the lowest and the highest balance in it, so that no
// extreme is lost, and the one at its end.
type line struct {
	levels [3]level
	last   bizum.Amount
	begun  bool
}

// Widths of the steps, in milliseconds, and how many there are at most. What is older than a minute, or an hour, is
// dropped; of all that there is, two steps become one.
const (
	minuteWidth, minuteSteps = 200, 300 // a minute
	hourWidth, hourSteps     = 12_000, 300
	allWidth, allSteps       = 200, 500 // at first
)

func newLine() *line {
	return &line{levels: [3]level{{width: minuteWidth, max: minuteSteps, slides: true},
		{width: hourWidth, max: hourSteps, slides: true}, {width: allWidth, max: allSteps}}}
}

// open notes the balance that there is before any change.
func (l *line) open(at int64, balance bizum.Amount) {
	if !l.begun {
		l.set(at, balance)
	}
}

// set notes a balance. Times never go back.
func (l *line) set(at int64, balance bizum.Amount) {
	l.last, l.begun = balance, true
	for i := range l.levels {
		l.levels[i].set(at, balance)
	}
}

// step is what a balance was in a stretch of time.
type step struct {
	at        int64 // of the last change in it, in milliseconds since 1970
	low, high bizum.Amount
	last      bizum.Amount
}

// level is a line in steps of one width. Only stretches with a change have one.
type level struct {
	width  int64
	max    int
	slides bool // the oldest are dropped; else two become one
	steps  []step
	end    int64 // of the stretch of the last step

	changed int  // the first step that was changed since the last digest
	reset   bool // all were
}

func (l *level) set(at int64, balance bizum.Amount) {
	n := len(l.steps)
	if at < l.end {
		s := &l.steps[n-1]
		s.at, s.low, s.high, s.last = at, min(s.low, balance), max(s.high, balance), balance
		l.changed = min(l.changed, n-1)
		return
	}
	switch {
	case n == 2*l.max && l.slides: // so that steps are moved once each
		l.drop(l.max)
	case n >= l.max && !l.slides:
		l.widen()
	}
	l.changed = min(l.changed, len(l.steps))
	l.steps = append(l.steps, step{at, balance, balance, balance})
	l.end = (at/l.width + 1) * l.width
}

// drop leaves the last steps.
func (l *level) drop(left int) {
	gone := len(l.steps) - left
	copy(l.steps, l.steps[gone:])
	l.steps = l.steps[:left]
	l.changed = max(l.changed-gone, 0)
}

// widen makes steps twice as wide, until there are fewer.
func (l *level) widen() {
	for len(l.steps) >= l.max {
		l.width *= 2
		kept := l.steps[:1]
		for _, s := range l.steps[1:] {
			k := &kept[len(kept)-1]
			if k.at/l.width == s.at/l.width {
				*k = step{s.at, min(k.low, s.low), max(k.high, s.high), s.last}
			} else {
				kept = append(kept, s)
			}
		}
		l.steps = kept
	}
	l.changed, l.reset = 0, true
}

// recent returns the steps that are to be shown now: of a level that slides, those within its span, and the one before.
func (l *level) recent(now int64) []step {
	if !l.slides {
		return l.steps
	}
	first := max(len(l.steps)-l.max, 0)
	for first < len(l.steps)-1 && l.steps[first+1].at <= now-l.width*int64(l.max) {
		first++
	}
	return l.steps[first:]
}
