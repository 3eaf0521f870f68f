// Package producer sends payments: a source makes or reads them, a plan says when each is due, and a sink takes them, a
// topic or a folder. It measures the run, reports what happens as events, and knows neither flags nor a screen.
package producer

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
)

const (
	lingerMax       = 50 * time.Millisecond // how long a message may wait for others to go with it
	lastFlushWithin = 5 * time.Second       // how long an interrupted run may take to deliver what is under way
	behindMax       = time.Second           // behind its schedule; then that is reported
)

// clockEvery is how many messages go by, at full speed, between two looks at the clock, which would cost as much as the
// work.
const clockEvery = 64

// Mode is how messages follow each other.
type Mode int

const (
	Paused  Mode = iota // a random pause before each; each has arrived before the next one is made
	Steady              // so many a second
	Unpaced             // as fast as they are taken
)

// Plan says how many messages are sent, and when each is due.
type Plan struct {
	Mode               Mode
	DelayMin, DelayMax time.Duration // Paused: bounds of a pause
	Seed               uint64        // Paused: of the pauses
	PerSecond          float64       // Steady
	Given              bool          // the source reads its messages, and each may be long in coming
	Count              int64         // 0: endless
	Duration           time.Duration // 0: endless
}

// pace returns when messages are due; nil: at once.
func (p Plan) pace() *bizum.Pace {
	switch p.Mode {
	case Paused:
		return bizum.Pauses(p.Seed, p.DelayMin, p.DelayMax)
	case Steady:
		return bizum.Rate(p.PerSecond)
	}
	return nil
}

// looks reports whether the clock is looked at before message n.
func (p Plan) looks(n int64) bool { return p.Mode != Unpaced || p.Given || n%clockEvery == 0 }

// Message is what is sent. It is valid until the next one.
type Message struct {
	Key, Value []byte
	Payment    bizum.Payment
	N          int64 // of a message that was made: its number, from 0 on
	Unshown    bool  // it is held back, or spoilt
	Apart      bool  // it was held back, and is not sent in the order of numbers
}

// Source returns the next message, and io.EOF after the last, or when the sink has failed. Before it waits for one, it
// pushes the sink.
type Source func(ctx context.Context, to Sink) (*Message, error)

// Sink is where messages go.
type Sink interface {
	Put(ctx context.Context, m *Message, due, now time.Time) error
	Push()                           // let what was put go on its way
	Flush(ctx context.Context) error // and wait until it has arrived
	Failed() <-chan struct{}         // closed when the sink has failed; Flush returns why
}

// Config says what a run sends, and who hears of it.
type Config struct {
	Plan   Plan
	Now    func() time.Time
	Report func(event.Event)
	// Show is called, when there are pauses, with each message that has arrived, and the time when it was put; nil:
	// they are not shown.
	Show func(m *Message, at time.Time) error
	// Progress is called often, with what measures how far the run has come; nil: nobody wants to know.
	Progress func(measure func() event.Sending)
}

// Producer is a run.
type Producer struct {
	config Config
	stats  *stats
	began  time.Time
	last   time.Time // that the clock was looked at
	behind bool      // has been reported
}

// New prepares a run.
func New(config Config) *Producer {
	p := &Producer{config: config, stats: newStats(config.Plan, config.Now)}
	p.begin()
	return p
}

// begin starts the clock, once there is somebody to send to.
func (p *Producer) begin() {
	p.began = p.config.Now()
	p.last = p.began
	p.stats.begin(p.began)
}

// Run sends messages until the plan or the source ends, ctx ends, or an error. Then, for whatever reason, it waits for
// what was put to arrive; if ctx has ended, only a little longer. The error may be an UnacknowledgedError.
func (p *Producer) Run(ctx context.Context, next Source, to Sink) error {
	late, cancel := outlast(ctx, lastFlushWithin)
	defer cancel()
	p.begin()
	recorded, _ := to.(*Recorded)
	if recorded != nil {
		if err := recorded.recorder.begin(p.began); err != nil {
			return err
		}
	}
	err := p.send(ctx, late, next, to)
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && recorded != nil && recorded.faulty != nil {
		err = p.endFaults(ctx, late, next, recorded)
	}
	flushed := to.Flush(late) // the messages before a bad one are good
	return cmp.Or(flushed, err)
}

// endFaults sends what is held back, and then, if it is asked for, messages that nobody commits.
func (p *Producer) endFaults(ctx, late context.Context, next Source, to *Recorded) error {
	if err := to.sendHeld(ctx, late, p.config.Now, p.config.Report); err != nil || failed(to) {
		return err // or Flush returns it
	}
	open, err := to.leavesOpen(late)
	for n := 0; err == nil && open && n < openMessages; n++ {
		var m *Message
		if m, err = next(late, to); err == nil {
			now := p.config.Now()
			err = to.Put(late, m, now, now)
		}
	}
	return err
}

// send waits until the next message is due, and puts it.
func (p *Producer) send(ctx, late context.Context, next Source, to Sink) error {
	plan, pace, pushed := p.config.Plan, p.config.Plan.pace(), p.began
	until := ctx // to wait for the source
	if plan.Duration > 0 {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadlineCause(ctx, p.began.Add(plan.Duration), io.EOF)
		defer cancel()
	}
	for n := int64(0); plan.Count == 0 || n < plan.Count; n++ {
		now := p.clock(n)
		due := now
		if pace != nil {
			due = p.began.Add(pace.Next(now.Sub(p.began)))
		}
		if plan.Duration > 0 && due.Sub(p.began) >= plan.Duration {
			return nil
		}
		if due.After(now) {
			if err := p.wait(ctx, late, due, now, to); err != nil {
				return err
			}
			now = p.config.Now()
		}
		if pace != nil || n%clockEvery == 0 {
			if ctx.Err() != nil {
				return nil
			}
			if now.Sub(pushed) > lingerMax {
				to.Push()
				pushed = now
			}
		}
		p.reportBehind(now.Sub(due))
		m, err := next(until, to)
		if err != nil {
			return err
		}
		if plan.Given { // it may have been long in coming
			if now = p.config.Now(); pace == nil {
				due = now
			}
		}
		if err := to.Put(ctx, m, due, now); err != nil {
			return err
		}
		p.reportProgress(n + 1)
		if plan.Mode == Paused {
			if err := p.arrive(late, m, now, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait waits until a message is due.
func (p *Producer) wait(ctx, late context.Context, due, now time.Time, to Sink) error {
	if recorded, ok := to.(*Recorded); ok && recorded.faulty != nil {
		return recorded.wait(ctx, late, p.config.Now, due)
	}
	await(ctx, due.Sub(now), to)
	return nil
}

// failed reports whether a sink has failed.
func failed(to Sink) bool {
	select {
	case <-to.Failed():
		return true
	default:
		return false
	}
}

// arrive waits until a message has arrived, and shows it.
func (p *Producer) arrive(ctx context.Context, m *Message, at time.Time, to Sink) error {
	if err := to.Flush(ctx); err != nil || p.config.Show == nil || m.Unshown {
		return err
	}
	return p.config.Show(m, at)
}

// clock returns the time at message n.
func (p *Producer) clock(n int64) time.Time {
	if p.config.Plan.looks(n) {
		p.last = p.config.Now()
	}
	return p.last
}

// reportProgress notes how many messages were put.
func (p *Producer) reportProgress(n int64) {
	mode := p.config.Plan.Mode
	if p.config.Progress == nil || mode == Paused || mode == Unpaced && n%clockEvery != 0 {
		return
	}
	p.stats.put(n)
	p.config.Progress(p.stats.sending)
}

// reportBehind reports, once, that the sink cannot keep the rate that was asked for.
func (p *Producer) reportBehind(by time.Duration) {
	if p.config.Plan.Mode != Steady || by < behindMax || p.behind {
		return
	}
	p.behind = true
	p.config.Report(event.Behind{PerSecond: p.config.Plan.PerSecond, By: by})
}

// outlast returns a context that ends so long after another one does.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return late, func() {
		stop()
		cancel()
	}
}

// await waits, at least a millisecond at once, so that a fast pace goes in small batches.
func await(ctx context.Context, left time.Duration, to Sink) {
	to.Push()
	timer := time.NewTimer(max(left, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-to.Failed(): // Flush returns why
	case <-ctx.Done():
	}
}
