package commands

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
)

// lateAfter is how far behind its schedule a run may be before that is told.
const lateAfter = time.Second

// tally counts what produce sends, and measures how long each bizum takes from when it was due to its acknowledgement.
// From when it was due, not sent: a broker that stalls us is not left out of the figures.
type tally struct {
	options *produceOptions
	console *console.Console
	now     func() time.Time
	began   time.Time

	last     time.Time // of clock
	lateTold bool

	mu     sync.Mutex
	sent   int64
	acks   int64
	bytes  int64
	ended  time.Time // last acknowledgement
	delays *hdrhistogram.Histogram
}

func newTally(o *produceOptions, c *console.Console, now func() time.Time) *tally {
	t := &tally{options: o, console: c, now: now, delays: hdrhistogram.New(1, time.Hour.Microseconds(), 3)}
	t.begin()
	return t
}

// begin starts the clock, once there is somebody to send to.
func (t *tally) begin() {
	t.began = t.now()
	t.last = t.began
}

// seldom is how many messages go by, at full speed, between two looks at the clock, which would cost as much as the
// work.
const seldom = 64

// clock is the time when message n is looked at.
func (t *tally) clock(n int64) time.Time {
	if !t.options.rate.max || t.options.input != "" || n%seldom == 0 {
		t.last = t.now()
	}
	return t.last
}

// put counts a message that was handed over, and tells progress when it is time.
func (t *tally) put(n int64) {
	if t.options.paced || t.options.dryRun || t.options.dir != "" || t.options.rate.max && n%seldom != 0 {
		return
	}
	t.mu.Lock()
	t.sent = n
	t.mu.Unlock()
	if t.console.ProgressDue() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.console.ShowProgress(t.progress())
	}
}

func (t *tally) progress() string {
	seconds := t.now().Sub(t.began).Seconds()
	return fmt.Sprintf("%d sent, %.0f/s, %.1f MB/s, %d in flight, p99 %v", t.acks, float64(t.acks)/seconds,
		float64(t.bytes)/1e6/seconds, t.sent-t.acks, t.percentile(99))
}

// acked is called by the Writer. Bizums that were due together are counted together.
func (t *tally) acked(a kafka.Ack) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = t.now()
	t.acks += int64(len(a.Marks))
	t.bytes += int64(a.Bytes)
	if t.options.paced {
		return
	}
	now := t.ended.UnixNano()
	for i := 0; i < len(a.Marks); {
		same := 1
		for i+same < len(a.Marks) && a.Marks[i+same] == a.Marks[i] {
			same++
		}
		delay := min(max((now-a.Marks[i])/1000, 1), time.Hour.Microseconds())
		_ = t.delays.RecordValues(delay, int64(same)) // it is within the bounds
		i += same
	}
}

func (t *tally) percentile(p float64) time.Duration {
	return time.Duration(t.delays.ValueAtPercentile(p)) * time.Microsecond
}

// summary tells what was delivered, and what not.
func (t *tally) summary(pending int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sent, lost := console.Plural(t.acks, "bizum", "bizums")+" sent", ""
	if pending > 0 {
		lost = fmt.Sprintf(", %d more not acknowledged", pending)
	}
	o := t.options
	if !o.rated || t.acks == 0 {
		t.console.Noticef("%s%s", sent, lost)
		return
	}
	took := t.ended.Sub(t.began)
	requested := ""
	if o.rate.perSecond > 0 {
		requested = o.rate.String() + "/s requested, "
	}
	t.console.Noticef("%s in %v: %s%s/s achieved, %.1f MB/s%s", sent, took.Round(time.Millisecond), requested,
		t.achieved(took), float64(t.bytes)/1e6/took.Seconds(), lost)
	t.console.Noticef("acknowledged after p50 %v, p99 %v, max %v", t.percentile(50), t.percentile(99), t.percentile(100))
}

// achieved is the rate between the first and the last acknowledgement: the first bizum goes at once, so of n there are
// n-1 intervals.
func (t *tally) achieved(took time.Duration) string {
	perSecond := float64(t.acks) / took.Seconds()
	if t.options.rate.perSecond > 0 {
		perSecond = float64(t.acks-1) / took.Seconds()
	}
	decimals := 1
	if perSecond < 100 {
		decimals = 3
	}
	return strconv.FormatFloat(perSecond, 'f', decimals, 64)
}

// behind tells, once, that the broker cannot keep the rate that was asked for.
func (t *tally) behind(late time.Duration) {
	if t.options.rate.perSecond == 0 || late < lateAfter || t.lateTold {
		return
	}
	t.lateTold = true
	t.console.Noticef("cannot keep %s/s: %v behind, and catching up as fast as the broker takes it",
		t.options.rate.String(), late.Round(time.Millisecond))
}
