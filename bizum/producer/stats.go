package producer

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
)

// stats counts what is sent, and measures how long each message takes from when it was due to its acknowledgement. From
// when it was due, not sent: a broker that stalls us is not left out of the figures.
type stats struct {
	mode Mode
	of   int64 // messages that the run is to send; 0: endless
	now  func() time.Time

	mu     sync.Mutex
	began  time.Time
	sent   int64
	acks   int64
	bytes  int64
	ended  time.Time // last acknowledgement
	delays *hdrhistogram.Histogram
}

func newStats(plan Plan, now func() time.Time) *stats {
	return &stats{mode: plan.Mode, of: plan.Count, now: now, delays: hdrhistogram.New(1, time.Hour.Microseconds(), 3)}
}

func (s *stats) begin(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = at
}

func (s *stats) put(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = n
}

// sending returns how far the run has come.
func (s *stats) sending() event.Sending {
	s.mu.Lock()
	defer s.mu.Unlock()
	seconds := s.now().Sub(s.began).Seconds()
	return event.Sending{Acknowledged: s.acks, InFlight: max(s.sent-s.acks, 0), Of: s.of, PerSecond: float64(s.acks) / seconds,
		BytesPerSecond: float64(s.bytes) / seconds, P99: s.percentile(99)}
}

// Acked takes the acknowledgements of the writer that the run puts its messages into. Messages that were due together
// are counted together.
func (p *Producer) Acked(a kafka.Ack) {
	s := p.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = s.now()
	s.acks += int64(len(a.Marks))
	s.bytes += int64(a.Bytes)
	if s.mode == Paused {
		return
	}
	now := s.ended.UnixNano()
	for i := 0; i < len(a.Marks); {
		same := 1
		for i+same < len(a.Marks) && a.Marks[i+same] == a.Marks[i] {
			same++
		}
		delay := min(max((now-a.Marks[i])/1000, 1), time.Hour.Microseconds())
		_ = s.delays.RecordValues(delay, int64(same)) // it is within the bounds
		i += same
	}
}

func (s *stats) percentile(p float64) time.Duration {
	return time.Duration(s.delays.ValueAtPercentile(p)) * time.Microsecond
}

// Figures are those of a run: of the messages that were acknowledged, from the start to the last acknowledgement.
type Figures struct {
	Acknowledged, Bytes int64
	Took                time.Duration
	P50, P99, Max       time.Duration // from when a message was due to its acknowledgement; not with pauses
}

// Figures returns the figures so far.
func (p *Producer) Figures() Figures {
	s := p.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	return Figures{Acknowledged: s.acks, Bytes: s.bytes, Took: s.ended.Sub(s.began),
		P50: s.percentile(50), P99: s.percentile(99), Max: s.percentile(100)}
}

// PerSecond returns the rate that was achieved. A steady run sends its first message at once, so that of n messages
// there are n-1 intervals up to the last acknowledgement.
func (f Figures) PerSecond(mode Mode) float64 {
	messages := f.Acknowledged
	if mode == Steady {
		messages--
	}
	return float64(messages) / f.Took.Seconds()
}
