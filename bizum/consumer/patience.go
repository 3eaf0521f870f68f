package consumer

import (
	"sync"
	"time"

	"bizumctl/bizum/event"
)

const waitingAfter = 3 * time.Second // without a record; then the wait is reported

// patience reports a wait that has become long, until the first record is seen. What is waited for changes as a run
// goes on, and each gets its time.
type patience struct {
	report func(event.Event)

	mu    sync.Mutex
	what  event.Event // nil: nothing more to say
	timer *time.Timer
	over  bool
}

// waitFor begins to wait for something else.
func (p *patience) waitFor(what event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what = what
	if p.timer != nil {
		p.timer.Stop()
	}
	if what != nil && !p.over {
		p.timer = time.AfterFunc(waitingAfter, func() { p.elapsed(what) })
	}
}

// elapsed reports what is still waited for.
func (p *patience) elapsed(what event.Event) {
	p.mu.Lock()
	still := !p.over && p.what == what
	p.mu.Unlock()
	if still {
		p.report(what)
	}
}

// end ends all waits.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
}
