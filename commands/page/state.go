package page

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
)

// State is what a run is doing, in a word that the page has a sentence for.
type state string

const (
	waiting state = "waiting" // for a topic, a group or a ledger
	live    state = "live"
	behind  state = "behind" // what was sent a while ago is not booked yet
	away    state = "away"   // the broker
	ended   state = "ended"
)

// Limits of what is healthy.
const (
	behindMax = 10 * time.Second        // a payment may wait so long to be booked
	awayMax   = 1500 * time.Millisecond // the broker may be silent so long
)

// runState is what a run waits for, and when the broker last answered.
type runState struct {
	begun    bool
	waits    string // for what; "": nothing is known
	answered time.Time
	away     error // the broker's last answer, if it was none
	gone     error // the topic, after it was read
	ended    bool
	idle     bool // the other members of the group have all partitions
}

func (s *runState) begin() {
	if !s.begun {
		s.begun, s.waits = true, ""
	}
	s.idle = false
}

func (s *runState) asked(now time.Time, away error) {
	if s.away = away; away == nil {
		s.answered, s.gone = now, nil
	}
}

// missing notes that the broker has answered that there is no topic. Before anything was read it is waited for.
func (s *runState) missing(now time.Time, topic error) {
	s.asked(now, nil)
	if s.begun {
		s.gone = topic
	}
}

// report notes what is waited for.
func (s *runState) report(e event.Event) {
	switch e := e.(type) {
	case event.WaitingForTopic:
		s.waits = fmt.Sprintf("waiting for topic %q to be made", e.Topic)
	case event.WaitingForRecords:
		s.begun, s.waits = true, ""
	case event.WaitingForGroup:
		s.waits = fmt.Sprintf("waiting for group %q to take us in", e.Group)
	case event.WaitingForLedger:
		s.waits = fmt.Sprintf("reading the ledger of group %q", e.Group)
	case event.WaitingForPartition:
		s.idle = true
	}
}

// partition is how far a partition was booked.
type partition struct {
	position int64 // 0 with known false: not known yet
	known    bool
	end      int64 // of the log, as far as we know; below the position: not known

	// To know how long what waits has waited: goal is the end that there was when we asked, until it is reached.
	goal  int64
	asked time.Time
}

// partitions are those that are ours.
type partitions struct {
	by    map[int32]*partition
	group bool // which has said which are ours
}

func (p *partitions) get(number int32) *partition {
	known := p.by[number]
	if known == nil {
		known = new(partition)
		p.by[number] = known
	}
	return known
}

// retain leaves the partitions that are ours.
func (p *partitions) retain(ours []int32) {
	p.group = true
	maps.DeleteFunc(p.by, func(number int32, _ *partition) bool { return !slices.Contains(ours, number) })
	for _, number := range ours {
		p.get(number)
	}
}

func (p *partitions) moved(number int32, position int64) {
	one := p.get(number)
	one.position, one.known = position, true
	one.check()
}

// setEnds notes where partitions end. In a group only those that are ours count.
func (p *partitions) setEnds(ends map[int32]int64, now time.Time) {
	for number, end := range ends {
		one := p.by[number]
		if one == nil {
			if p.group {
				continue
			}
			one = p.get(number)
		}
		one.end = end
		one.check()
		if one.asked.IsZero() {
			one.goal, one.asked = end, now
			one.check()
		}
	}
}

// check notes that a goal is reached.
func (p *partition) check() {
	if !p.asked.IsZero() && p.position >= p.goal {
		p.asked = time.Time{}
	}
}

// lag is how many offsets are between what was booked and the end of the log.
func (p *partition) lag() int64 { return max(p.end-p.position, 0) }

// late returns how long what waits has waited.
func (p *partition) late(now time.Time) time.Duration {
	if p.asked.IsZero() {
		return 0
	}
	return now.Sub(p.asked)
}

func (p *partitions) lag() (sum int64) {
	for _, one := range p.by {
		sum += one.lag()
	}
	return sum
}

// latest returns the partition in which something waits longest.
func (p *partitions) latest(now time.Time) (number int32, late time.Duration) {
	for n, one := range p.by {
		if l := one.late(now); l > late || l == late && l > 0 && n < number {
			number, late = n, l
		}
	}
	return number, late
}

// state returns what the run is doing, with a text for people; b.mu is held.
func (b *Balance) state(now time.Time) (s state, text string) {
	number, late := b.partitions.latest(now)
	switch {
	case b.run.ended:
		return ended, "the run has ended"
	case b.run.away != nil && now.Sub(b.run.answered) >= awayMax:
		return away, "the broker is away: " + oneLine(b.run.away.Error())
	case b.run.gone != nil:
		return away, oneLine(b.run.gone.Error())
	case b.run.waits != "":
		return waiting, oneLine(b.run.waits)
	case b.run.idle:
		return waiting, "the other members of the group have all partitions; waiting for one"
	case late > behindMax:
		return behind, fmt.Sprintf("partition %d is %s messages behind", number,
			humanize.Comma(b.partitions.by[number].lag()))
	}
	return live, ""
}

// Healthy returns why the run is not: it is behind, or the broker is away.
func (b *Balance) Healthy() error {
	now := b.config.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s, text := b.state(now); {
	case s == live || b.run.idle && s == waiting && b.run.waits == "":
		return nil
	default:
		return errors.New(text)
	}
}

// pace counts the payments of the last seconds.
type pace struct {
	first   time.Time
	seconds [paceSeconds + 1]struct{ at, count int64 }
}

const paceSeconds = 10

func (p *pace) add(now time.Time, n int64) {
	if p.first.IsZero() {
		p.first = now
	}
	at := now.Unix()
	s := &p.seconds[at%int64(len(p.seconds))]
	if s.at != at {
		s.at, s.count = at, 0
	}
	s.count += n
}

// perSecond is the pace of the last seconds, without the one that is not over.
func (p *pace) perSecond(now time.Time) float64 {
	at, count := now.Unix(), int64(0)
	for _, s := range p.seconds {
		if s.at < at && s.at >= at-paceSeconds {
			count += s.count
		}
	}
	seconds := min(at-p.first.Unix(), paceSeconds)
	if seconds < 1 {
		return 0
	}
	return float64(count) / float64(seconds)
}

// rejected are the messages that were rejected last.
type rejected struct {
	count int64
	last  []rejectedMessage // oldest first
}

const (
	rejectedKept     = 50
	rejectedStartMax = 120 // bytes
)

type rejectedMessage struct {
	number int64  // of all that were rejected
	At     int64  `json:"at"`
	Place  string `json:"place"`
	Reason string `json:"reason"`
	Start  string `json:"start"`
}

func (r *rejected) add(e *event.Rejected, now time.Time) {
	r.count++
	if len(r.last) == rejectedKept {
		r.last = append(r.last[:0], r.last[1:]...)
	}
	start := string(e.Value[:min(len(e.Value), rejectedStartMax)])
	if len(start) < len(e.Value) {
		start += "…"
	}
	r.last = append(r.last, rejectedMessage{r.count, now.UnixMilli(), e.Position.String(), e.Reason.Error(), start})
}

// euros is an amount in JSON: a number with two decimals.
type euros bizum.Amount

func (e euros) MarshalJSON() ([]byte, error) { return bizum.Amount(e).Append(nil), nil }
