package producer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
)

func TestParseFaults(t *testing.T) {
	f, err := ParseFaults("double=0.1%,late=1%:30s,malformed=.5%,reorder=20%,abort=100%")
	if err != nil || f.shares != [4]float64{0.001, 0.005, 0.2, 0.01} || f.LateBy != 30*time.Second || !f.Transactional() {
		t.Errorf("%+v, %v", f, err)
	}
	for text, want := range map[string]string{
		"":                        "want double, late",
		"double":                  "want a share",
		"double=1":                "want a share",
		"double=0%":               "want a share",
		"double=-1%":              "want a share",
		"double=1e1%":             "want a share",
		"double=NaN%":             "want a share",
		"double=101%":             "want a share",
		"double=1%:3s":            "want a share",
		"late=1%":                 "want how late",
		"late=1%:":                "want how late",
		"late=1%:0s":              "want how late",
		"late=1%:2h":              "want how late",
		"lost=1%":                 "want double, late",
		"double=1%,":              "want double, late",
		"double=1%,double=1%":     "given twice",
		"double=60%,reorder=50%":  "more than 100%",
		"double=1%, malformed=1%": "want double, late",
	} {
		if _, err := ParseFaults(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Each fault has its share, and follows from the seed alone.
func TestShares(t *testing.T) {
	const n, seed = 200_000, 3
	f, err := ParseFaults("double=5%,late=1%:30s,malformed=10%,reorder=20%,abort=30%")
	if err != nil {
		t.Fatal(err)
	}
	var got [none + 1]float64
	aborts := 0.0
	for i := range int64(n) {
		fault, _ := f.of(seed, i)
		got[fault]++
		if again, _ := f.of(seed, i); again != fault {
			t.Fatalf("payment %d: %d, then %d", i, fault, again)
		}
		if f.aborts(seed, i) {
			aborts++
		}
	}
	for fault, share := range f.shares {
		if part := got[fault] / n; part < share*0.95 || part > share*1.05 {
			t.Errorf("%s: %v, want %v", faultKinds[fault], part, share)
		}
	}
	if part := aborts / n; part < 0.29 || part > 0.31 {
		t.Errorf("aborted: %v", part)
	}
}

// What is spoilt is no payment, whatever it was.
func TestSpoil(t *testing.T) {
	for _, concept := range []string{"", "Cena", "x;ENVIO", "1;2;RECEPCIÓN"} {
		p := bizum.Payment{Name: []byte("Íñigo"), Amount: 1_23, Concept: []byte(concept), Kind: bizum.Sent}
		for way := range uint64(5) {
			value := spoil(&p, way)
			if _, err := bizum.ParsePayment(value); err == nil {
				t.Errorf("way %d: %q is a payment", way, value)
			}
		}
	}
}

// sent is a message that a line was given.
type sent struct {
	n       int64
	account string
	good    bool
	at, due time.Time
}

// line is a sink that notes what it was given, and when.
type line struct {
	sent []sent
	now  time.Time
}

func (l *line) Put(_ context.Context, m *Message, _, due time.Time) error {
	_, err := bizum.ParsePayment(m.Value)
	l.sent = append(l.sent, sent{m.N, string(m.Key), err == nil, l.now, due})
	return nil
}
func (l *line) Push()                       {}
func (l *line) Flush(context.Context) error { return nil }
func (l *line) Failed() <-chan struct{}     { return nil }

// newTestRecorder returns a recorder with a journal that has begun.
func newTestRecorder(t *testing.T, now func() time.Time) *Recorder {
	t.Helper()
	names, concepts := [][]byte{[]byte("Ana")}, [][]byte{[]byte("Cena")}
	r := NewRecorder(filepath.Join(t.TempDir(), "run.json"), &check.Receipt{Run: "r",
		Stream: check.NewStream(check.Stream{Seed: 1, Accounts: 3}, names, concepts)}, now)
	if err := r.begin(time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return r
}

// The faults that were sent are those that the receipt lists: nothing is missing, and nothing else is wrong.
func TestFaulty(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		faults, err := ParseFaults("double=5%,late=5%:50ms,malformed=5%,reorder=10%")
		if err != nil {
			t.Fatal(err)
		}
		to := &line{now: time.Unix(1000, 0)}
		clock := func() time.Time { return to.now }
		recorder := newTestRecorder(t, clock)
		f := &faulty{faults: &faults, seed: seed, recorder: recorder, to: to, behind: make(map[string]heldMessage)}
		recorder.held = f.lowest
		all := &Recorded{recorder: recorder, faulty: f, to: f}
		next := Made(bizum.NewGenerator(seed, [][]byte{[]byte("Ana")}, [][]byte{[]byte("Cena")}, 1+rng.IntN(40)))
		n := int64(rng.IntN(2000))
		for range n {
			m, _ := next(t.Context(), all)
			to.now = to.now.Add(time.Duration(rng.IntN(5)) * time.Millisecond)
			if err := all.Put(t.Context(), m, to.now, to.now); err != nil {
				t.Fatal(err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits for what is late
		if err := all.sendHeld(ended, t.Context(), clock, nil); err != nil {
			t.Fatal(err)
		}
		if err := compareSent(to.sent, recorder, f, n); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := recorder.withoutHeld(n); got != n {
			t.Fatalf("seed %d: %d is still held back", seed, got)
		}
	}
}

func compareSent(all []sent, r *Recorder, f *faulty, n int64) error {
	listed := func(kind int, n int64) bool {
		return slices.ContainsFunc(r.faults[kind], func(r check.Range) bool { return r.First <= n && n <= r.Last })
	}
	times := make(map[int64]int)
	latest := make(map[string]int64) // by account
	for _, s := range all {
		times[s.n]++
		if s.good == listed(malformed, s.n) {
			return fmt.Errorf("payment %d: good is %v", s.n, s.good)
		}
		if last, any := latest[s.account]; any && times[s.n] == 1 {
			behind, isLate := last > s.n, listed(late, s.n)
			if behind && !isLate != listed(reorder, s.n) || listed(reorder, s.n) && !behind {
				return fmt.Errorf("payment %d comes after %d", s.n, last)
			}
		}
		if s.good {
			latest[s.account] = max(latest[s.account], s.n)
		}
		if listed(late, s.n) && s.at.Before(s.due) {
			return fmt.Errorf("payment %d was sent before it was due", s.n)
		}
	}
	for i := range n {
		fault, _ := f.faults.of(f.seed, i)
		for _, kind := range []int{double, malformed, late} {
			if listed(kind, i) != (fault == kind) {
				return fmt.Errorf("payment %d has fault %d, not %d", i, fault, kind)
			}
		}
		want := 1
		if listed(double, i) {
			want = 2
		}
		if times[i] != want {
			return fmt.Errorf("payment %d was sent %d times, want %d", i, times[i], want)
		}
	}
	return nil
}

// What is late is sent in its time, also when nothing else is.
func TestLate(t *testing.T) {
	faults, err := ParseFaults("late=100%:20ms")
	if err != nil {
		t.Fatal(err)
	}
	to := new(line)
	recorder := newTestRecorder(t, time.Now)
	f := &faulty{faults: &faults, recorder: recorder, to: to, behind: make(map[string]heldMessage)}
	all := &Recorded{recorder: recorder, faulty: f, to: f}
	began := time.Now()
	if err := all.Put(t.Context(), &Message{Key: []byte("a"), Value: []byte("v")}, began, began); err != nil {
		t.Fatal(err)
	}
	if err := all.wait(t.Context(), t.Context(), time.Now, began.Add(10*time.Millisecond)); err != nil || len(to.sent) > 0 {
		t.Fatalf("after 10 ms: %v, %v", to.sent, err)
	}
	if err := all.wait(t.Context(), t.Context(), time.Now, began.Add(30*time.Millisecond)); err != nil || len(to.sent) != 1 {
		t.Fatalf("after 30 ms: %v, %v", to.sent, err)
	}
	if !to.sent[0].due.Equal(began) {
		t.Errorf("its timestamp is %v, want %v", to.sent[0].due, began)
	}
}

// Whatever the order of acknowledgements of the partitions, nothing is settled before it is acknowledged, all is in the
// end, and no number is sent that the journal does not know of.
func TestSettled(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		now := time.Unix(0, 0)
		r := newTestRecorder(t, func() time.Time { now = now.Add(time.Duration(rng.IntN(200)) * time.Millisecond); return now })
		partitions := 1 + rng.IntN(4)
		given := make([][]int64, partitions) // numbers, by partition
		acked := make([]int, partitions)
		r.appended = func(counts []int64) {
			for p := range counts {
				counts[p] = int64(len(given[p]))
			}
		}
		r.acked, r.indexes = make([]int64, partitions), make(map[int32]int)
		for p := range partitions {
			r.indexes[int32(p)] = p
		}
		ack := func(p, records int) {
			records = min(records, len(given[p])-acked[p])
			acked[p] += records
			r.Acked(kafka.Ack{Partition: int32(p), Marks: make([]int64, records)})
			for p := range given {
				if acked[p] < len(given[p]) && r.settled > given[p][acked[p]] {
					t.Fatalf("seed %d: settled below %d, but %d is not acknowledged", seed, r.settled, given[p][acked[p]])
				}
			}
		}
		n := int64(rng.IntN(3000))
		for i := range n {
			if err := r.use(i); err != nil || i >= r.may {
				t.Fatalf("seed %d: %d may be sent, not %d; %v", seed, r.may, i, err)
			}
			p := rng.IntN(partitions)
			given[p] = append(given[p], i)
			if rng.IntN(10) == 0 {
				ack(rng.IntN(partitions), rng.IntN(100))
			}
		}
		for p := range partitions {
			ack(p, len(given[p]))
		}
		if err := r.settleBelow(n); err != nil || len(r.unsettled()) > 0 {
			t.Fatalf("seed %d: %v is not settled, %v", seed, r.unsettled(), err)
		}
		fromJournal, err := check.ReadJournal(check.JournalPath(r.path))
		if err != nil || fromJournal.Sent < n {
			t.Fatalf("seed %d: the journal has %+v, %v", seed, fromJournal, err)
		}
	}
}
