package producer_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/producer"
)

// sink notes what it is given.
type sink struct {
	dues    []time.Time
	values  []string
	flushes int
	err     error // of the next Put
}

func (s *sink) Put(_ context.Context, m *producer.Message, due, _ time.Time) error {
	s.dues = append(s.dues, due)
	s.values = append(s.values, string(m.Value))
	return s.err
}
func (s *sink) Push()                       {}
func (s *sink) Flush(context.Context) error { s.flushes++; return nil }
func (s *sink) Failed() <-chan struct{}     { return nil }

// endless returns the same message again and again.
func endless(context.Context, producer.Sink) (*producer.Message, error) {
	return &producer.Message{Key: []byte("cuenta"), Value: []byte("x")}, nil
}

// A plan says how many messages are sent and when each is due, whether they are shown, and whether progress is of
// interest.
func TestPlan(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name           string
		plan           producer.Plan
		dues           []time.Duration // since the start; nil: at once
		sent, flushes  int
		shown, looksAt int // looksAt: times that progress could be seen
	}{
		{name: "paused", plan: producer.Plan{DelayMin: 2 * ms, DelayMax: 2 * ms, Count: 3},
			sent: 3, flushes: 4, shown: 3},
		{name: "steady", plan: producer.Plan{Mode: producer.Steady, PerSecond: 500, Count: 4},
			dues: []time.Duration{0, 2 * ms, 4 * ms, 6 * ms}, sent: 4, flushes: 1, looksAt: 4},
		{name: "steady, for a while", plan: producer.Plan{Mode: producer.Steady, PerSecond: 500, Duration: 5 * ms},
			dues: []time.Duration{0, 2 * ms, 4 * ms}, sent: 3, flushes: 1, looksAt: 3},
		{name: "unpaced", plan: producer.Plan{Mode: producer.Unpaced, Count: 200}, sent: 200, flushes: 1, looksAt: 3},
		{name: "unpaced, of given messages", plan: producer.Plan{Mode: producer.Unpaced, Given: true, Count: 200},
			sent: 200, flushes: 1, looksAt: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			shown, progress := 0, 0
			to := new(sink)
			run := producer.New(producer.Config{Plan: c.plan, Now: time.Now,
				Show:     func(*producer.Message, time.Time) error { shown++; return nil },
				Progress: func(func() event.Sending) { progress++ }})
			if err := run.Run(t.Context(), endless, to); err != nil {
				t.Fatal(err)
			}
			if len(to.dues) != c.sent || to.flushes != c.flushes || shown != c.shown || progress != c.looksAt {
				t.Errorf("%d sent, %d flushes, %d shown, %d progress; want %d, %d, %d, %d",
					len(to.dues), to.flushes, shown, progress, c.sent, c.flushes, c.shown, c.looksAt)
			}
			for i, due := range c.dues {
				if got := to.dues[i].Sub(to.dues[0]); got != due {
					t.Errorf("message %d is due after %v, want %v", i, got, due)
				}
			}
			if !slices.IsSortedFunc(to.dues, time.Time.Compare) || to.dues[0].Before(began) {
				t.Errorf("due at %v, began at %v", to.dues, began)
			}
		})
	}
}

// Whatever ends a run, what was put is flushed.
func TestRunEnds(t *testing.T) {
	bad := errors.New("bad")
	for _, c := range []struct {
		name   string
		source producer.Source
		put    error
		want   error
	}{
		{"the source ends", func(context.Context, producer.Sink) (*producer.Message, error) { return nil, io.EOF }, nil, nil},
		{"the source fails", func(context.Context, producer.Sink) (*producer.Message, error) { return nil, bad }, nil, bad},
		{"the sink fails", endless, bad, bad},
	} {
		to := &sink{err: c.put}
		run := producer.New(producer.Config{Plan: producer.Plan{Mode: producer.Unpaced}, Now: time.Now})
		if err := run.Run(t.Context(), c.source, to); !errors.Is(err, c.want) || to.flushes != 1 {
			t.Errorf("%s: %v, %d flushes", c.name, err, to.flushes)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to := new(sink)
	run := producer.New(producer.Config{Plan: producer.Plan{Mode: producer.Unpaced}, Now: time.Now})
	if err := run.Run(ctx, endless, to); err != nil || to.flushes != 1 || len(to.dues) != 0 {
		t.Errorf("interrupted: %v, %d flushes, %d sent", err, to.flushes, len(to.dues))
	}
}

// Given messages are checked, without their line ends, and an error names the line.
func TestGiven(t *testing.T) {
	lines := "Ana;1.50;Cine;ENVIO\r\nLuis;2;Cena;RECEPCIÓN\nnothing\n"
	to := new(sink)
	run := producer.New(producer.Config{Plan: producer.Plan{Mode: producer.Unpaced, Given: true}, Now: time.Now})
	err := run.Run(t.Context(), producer.Given("a file", strings.NewReader(lines), nil), to)
	if err == nil || !strings.HasPrefix(err.Error(), "line 3 of a file: ") {
		t.Errorf("%v", err)
	}
	if want := []string{"Ana;1.50;Cine;ENVIO", "Luis;2;Cena;RECEPCIÓN"}; !slices.Equal(to.values, want) {
		t.Errorf("sent %q", to.values)
	}
}

// Made messages are those of the generator.
func TestMade(t *testing.T) {
	make := func() *bizum.Generator {
		return bizum.NewGenerator(7, [][]byte{[]byte("Ana")}, [][]byte{[]byte("Cine")}, 1)
	}
	next, generator := producer.Made(make()), make()
	for range 10 {
		m, err := next(t.Context(), nil)
		key, payment := generator.Next()
		if err != nil || string(m.Key) != string(key) || string(m.Value) != string(payment.Append(nil)) {
			t.Fatalf("%s %s, %v; want %s %s", m.Key, m.Value, err, key, payment.Append(nil))
		}
	}
}

// A steady run reports once that it is behind.
func TestBehind(t *testing.T) {
	var events []event.Event
	now := time.Now()
	run := producer.New(producer.Config{Plan: producer.Plan{Mode: producer.Steady, PerSecond: 100, Count: 3},
		Now:    func() time.Time { now = now.Add(2 * time.Second); return now },
		Report: func(e event.Event) { events = append(events, e) }})
	if err := run.Run(t.Context(), endless, new(sink)); err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || events[0].(event.Behind).PerSecond != 100 {
		t.Errorf("reported %v", events)
	}
}

// Delays count from when a message was due; of a steady run's n messages there are n-1 intervals.
func TestFigures(t *testing.T) {
	now := time.Unix(1000, 0)
	run := producer.New(producer.Config{Plan: producer.Plan{Mode: producer.Steady, PerSecond: 10, Count: 1},
		Now: func() time.Time { return now }})
	due := now.UnixNano()
	now = now.Add(2 * time.Second)
	run.Acked(kafka.Ack{Bytes: 100, Marks: []int64{due, due, due + 1e9, due + 1e9, due + 1e9}})
	f := run.Figures()
	if f.Acknowledged != 5 || f.Bytes != 100 || f.Took != 2*time.Second ||
		f.P50.Round(10*time.Millisecond) != time.Second || f.Max.Round(10*time.Millisecond) != 2*time.Second {
		t.Errorf("%+v", f)
	}
	if got := f.PerSecond(producer.Steady); got != 2 {
		t.Errorf("steady: %v a second", got)
	}
	if got := f.PerSecond(producer.Unpaced); got != 2.5 {
		t.Errorf("unpaced: %v a second", got)
	}
}
