package bizum

import (
	"math/rand/v2"
	"time"
)

// Pace says when each bizum is due, as a time since the start. It keeps no clock: it is given the time.
type Pace struct {
	perSecond float64 // 0: pauses
	made      int64

	min, max time.Duration
	chance   *rand.Rand
	due      time.Duration
}

// Pauses is a pace with a uniformly random pause in [min, max] before every bizum but the first. After a delay it
// goes on from now: pauses are not made up for.
func Pauses(seed uint64, min, max time.Duration) *Pace {
	return &Pace{min: min, max: max, chance: rand.New(rand.NewPCG(seed, streamPauses))}
}

// Rate is a pace of so many a second. Due times come from the schedule, not from the last bizum, so that a delay is
// caught up.
func Rate(perSecond float64) *Pace { return &Pace{perSecond: perSecond} }

// Next returns when the next bizum is due.
func (p *Pace) Next(now time.Duration) time.Duration {
	n := p.made
	p.made++
	if p.perSecond > 0 {
		return time.Duration(float64(n) / p.perSecond * float64(time.Second))
	}
	if n > 0 {
		p.due = max(p.due+p.min+time.Duration(p.chance.Int64N(int64(p.max-p.min)+1)), now)
	}
	return p.due
}
