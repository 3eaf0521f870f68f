package console

import (
	"fmt"
	"math"
	"time"
)

// Follow shows how far work has come that has an end, until stop is called: the share that is done, the rate, the time
// that is left, and what was rejected so far. Measure returns how many messages were handled, and of how many; nothing
// is shown while that is 0 of 0. A quiet console measures nothing.
func (c *Console) Follow(measure func() (done, of int64)) (stop func()) {
	if c.quiet {
		return func() {}
	}
	c.followed.Store(true)
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		f := follower{console: c, measure: measure, began: c.now()}
		tick := time.NewTicker(progressScreen / 2)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f.show()
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		<-gone
		c.followed.Store(false)
		c.EndProgress()
	}
}

// Follows reports whether progress is shown by Follow.
func (c *Console) Follows() bool { return c.followed.Load() }

// follower shows how far work has come.
type follower struct {
	console *Console
	measure func() (done, of int64)
	began   time.Time
	before  int64 // was done before we began to measure: of files that are gone on with, or a group
	begun   bool
}

func (f *follower) show() {
	if !f.console.ProgressDue() {
		return
	}
	done, of := f.measure()
	if of == 0 || done >= of {
		return
	}
	if !f.begun && done > 0 {
		f.begun = true
		if seconds := f.console.now().Sub(f.began).Seconds(); seconds > 1 { // the first may have been waited for
			f.before, f.began = done, f.console.now()
		}
	}
	rate := float64(done-f.before) / f.console.now().Sub(f.began).Seconds()
	text := fmt.Sprintf("%s%s of %s", share(done, of), Count(done), Count(of))
	if rate > 0 && !math.IsInf(rate, 0) {
		text += ", " + Rate(rate) + left(of-done, rate)
	}
	if n := f.console.rejections.Load(); n > 0 {
		text += ", " + Count(n) + " rejected"
	}
	f.console.ShowProgress(text)
}

// share returns how much is done of what has an end; nothing of what has none.
func share(done, of int64) string {
	if of <= 0 {
		return ""
	}
	return fmt.Sprintf("%d %%, ", int64(100*float64(done)/float64(of)))
}

// left returns how long the rest takes, if there is one.
func left(rest int64, perSecond float64) string {
	const longest = 1e9 // seconds; a duration has no room for much more
	seconds := float64(rest) / perSecond
	if rest <= 0 || math.IsNaN(seconds) || seconds > longest {
		return ""
	}
	took := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	return ", " + Duration(max(took, time.Second)) + " left"
}
