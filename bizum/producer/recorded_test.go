package producer

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
)

var errStalled = errors.New("stalled")

// stalling is a sink that takes some messages, and no more.
type stalling struct {
	line
	left int
}

func (s *stalling) Put(ctx context.Context, m *Message, due, now time.Time) error {
	if s.left--; s.left < 0 {
		return errStalled
	}
	return s.line.Put(ctx, m, due, now)
}

// A message that the sink does not take, though it was held back before, is neither forgotten nor listed twice.
func TestStalled(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		faults, err := ParseFaults("late=30%:50ms,reorder=40%")
		if err != nil {
			t.Fatal(err)
		}
		to := &stalling{line: line{now: time.Unix(1000, 0)}, left: rng.IntN(200)}
		clock := func() time.Time { return to.now }
		recorder := newTestRecorder(t, clock)
		f := &faulty{faults: &faults, seed: seed, recorder: recorder, to: to, behind: make(map[string]heldMessage)}
		recorder.held = f.lowest
		all := &Recorded{recorder: recorder, faulty: f, to: f}
		next := Made(bizum.NewGenerator(seed, [][]byte{[]byte("Ana")}, [][]byte{[]byte("Cena")}, 1+rng.IntN(10)))
		for err = nil; err == nil; {
			m, _ := next(t.Context(), all)
			to.now = to.now.Add(time.Duration(rng.IntN(5)) * time.Millisecond)
			err = all.Put(t.Context(), m, to.now, to.now)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if rng.IntN(2) == 0 { // as after Ctrl-C: what is held back is tried again
			to.left = rng.IntN(10)
			_ = all.sendHeld(ended, t.Context(), clock, nil)
		}
		known := slices.Concat(f.held(), all.unsent)
		for _, s := range to.sent {
			known = append(known, s.n)
		}
		for n := range recorder.next {
			if !slices.Contains(known, n) {
				t.Fatalf("seed %d: payment %d of %d was not sent, and is not known to be", seed, n, recorder.next)
			}
		}
		for kind, ranges := range recorder.faults {
			ranges = sorted(slices.Clone(ranges))
			for i := 1; i < len(ranges); i++ {
				if ranges[i].First <= ranges[i-1].Last {
					t.Fatalf("seed %d: payment %d is listed twice for %s", seed, ranges[i].First, faultKinds[kind])
				}
			}
		}
	}
}

// A payment that the journal did not let be sent was not sent.
func TestJournalFails(t *testing.T) {
	to := new(line)
	r := newTestRecorder(t, time.Now)
	all := &Recorded{recorder: r, to: to}
	if err := all.Put(t.Context(), &Message{Value: []byte("v")}, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := r.journal.Close(); err != nil {
		t.Fatal(err)
	}
	r.may = 1
	for range 2 {
		err := all.Put(t.Context(), &Message{Value: []byte("v"), N: 1}, time.Now(), time.Now())
		if !errors.Is(err, os.ErrClosed) || len(to.sent) != 1 {
			t.Fatalf("sent %v, %v", to.sent, err)
		}
	}
	if want := []check.Range{{First: 0, Last: 0}}; r.next != 1 || !slices.Equal(r.unsettled(), want) {
		t.Errorf("%d numbers were used, unsettled are %v", r.next, r.unsettled())
	}
}
