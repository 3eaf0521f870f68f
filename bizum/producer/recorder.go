package producer

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
)

// Recorder keeps the receipt of a run: in a journal while it goes on, and as a file when it has ended. It costs the run
// a comparison a payment. From time to time, at a boundary, it says in the journal up to which number the run will go
// on, before it does. There it also notes how many records each partition has been given. Once those are acknowledged,
// so are all numbers below the boundary.
type Recorder struct {
	path    string
	receipt *check.Receipt
	journal *check.Journal // nil until the run begins
	now     func() time.Time
	// held returns the lowest number that was put and not sent yet; nil: there is none.
	held func() (int64, bool)
	// appended sets how many records each partition was given; nil: settleBelow says what is settled.
	appended func([]int64)
	arrived  func() int64 // returns how many numbers have arrived; nil: that is not known

	// Of the goroutine that sends.
	next    int64 // numbers below were put
	may     int64 // and those below may be
	step    int64
	stepped time.Time

	mu         sync.Mutex
	indexes    map[int32]int // of partitions in acked
	acked      []int64       // records, one a partition
	boundaries []boundary    // that were not reached yet
	settled    int64
	written    int64 // of settled, in the journal
	writtenAt  time.Time
	err        error
	faults     [len(faultKinds)][]check.Range
	aborts     int64 // transactions
}

// boundary is a number, and how many records must be acknowledged until all numbers below are.
type boundary struct {
	n      int64
	counts []int64
}

const (
	stepMax       = 1 << 16 // numbers from boundary to boundary
	boundariesMax = 64
	stepTook      = 100 * time.Millisecond // shorter: the next step is larger
	settledEvery  = 100 * time.Millisecond // in the journal
)

// NewRecorder prepares the receipt of a run. Of receipt, what is known before the run has to be filled in.
func NewRecorder(path string, receipt *check.Receipt, now func() time.Time) *Recorder {
	return &Recorder{path: path, receipt: receipt, now: now, step: 1}
}

// begin begins the journal. It fails if there is one already: of a run that goes on, or was killed.
func (r *Recorder) begin(began time.Time) (err error) {
	r.receipt.Started, r.receipt.Stream.Schedule.Began = began, began
	r.stepped = began
	r.journal, err = check.CreateJournal(check.JournalPath(r.path), r.receipt)
	return err
}

// Run returns the run's id.
func (r *Recorder) Run() string { return r.receipt.Run }

// watch settles what a writer acknowledges.
func (r *Recorder) watch(w *kafka.Writer) {
	partitions := w.Partitions()
	r.appended, r.acked, r.indexes = w.Appended, make([]int64, len(partitions)), make(map[int32]int)
	for i, p := range partitions {
		r.indexes[p] = i
	}
}

// use is called before number n is put. Numbers rise by one. If it fails, n must not be put.
func (r *Recorder) use(n int64) error {
	if n < r.may {
		r.next = n + 1
		return nil
	}
	r.boundary(n)
	now := r.now()
	switch took := now.Sub(r.stepped); {
	case took < stepTook:
		r.step = min(2*r.step, stepMax)
	case took > 10*stepTook:
		r.step = max(r.step/2, 1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.journal.May(n + r.step); err != nil {
		return err
	}
	r.stepped, r.may, r.next = now, n+r.step, n+1
	return nil
}

// boundary notes what has to be acknowledged until all numbers below n are.
func (r *Recorder) boundary(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.arrived != nil {
		r.settle(r.arrived())
	}
	if r.appended == nil || len(r.boundaries) >= boundariesMax {
		return
	}
	b := boundary{n: r.withoutHeld(n), counts: make([]int64, len(r.acked))}
	r.appended(b.counts)
	r.boundaries = append(r.boundaries, b)
	r.reach()
}

// withoutHeld returns n, or the lowest number that is held back.
func (r *Recorder) withoutHeld(n int64) int64 {
	if r.held != nil {
		if lowest, any := r.held(); any {
			return min(n, lowest)
		}
	}
	return n
}

// Acked takes the acknowledgements of the writer.
func (r *Recorder) Acked(a kafka.Ack) {
	if r.appended == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acked[r.indexes[a.Partition]] += int64(len(a.Marks))
	r.reach()
}

// reach settles what the boundaries that were reached say.
func (r *Recorder) reach() {
	reached := 0
	for reached < len(r.boundaries) && r.passed(r.boundaries[reached].counts) {
		reached++
	}
	if reached > 0 {
		n := r.boundaries[reached-1].n
		r.boundaries = slices.Delete(r.boundaries, 0, reached)
		r.settle(n)
	}
}

func (r *Recorder) passed(counts []int64) bool {
	for i, n := range counts {
		if r.acked[i] < n {
			return false
		}
	}
	return true
}

// settle says that the outcome of all numbers below n is known.
func (r *Recorder) settle(n int64) {
	r.settled = max(r.settled, n)
	if r.settled == r.written {
		return
	}
	if now := r.now(); now.Sub(r.writtenAt) >= settledEvery {
		r.writtenAt, r.written = now, r.settled
		r.err = r.journal.Settled(r.settled) // then every further line fails
	}
}

// settleBelow is settle of all numbers below n that are not held back. The error is that of the journal.
func (r *Recorder) settleBelow(n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(r.withoutHeld(n))
	return r.err
}

// fault is called before payment n is sent with a fault.
func (r *Recorder) fault(kind int, n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.journal.Fault(faultKinds[kind], check.Range{First: n, Last: n}); err != nil {
		return err
	}
	r.faults[kind] = check.AppendNumber(r.faults[kind], n)
	return nil
}

// abort is called when payments are in a transaction that will never be committed, of which these may be the first.
func (r *Recorder) abort(numbers check.Range, first bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.journal.Aborted(numbers); err != nil {
		return err
	}
	if first {
		r.aborts++
	}
	r.receipt.Aborted = append(r.receipt.Aborted, numbers)
	return nil
}

// Result is what Finish has to say of a run.
type Result struct {
	Run                                 string
	Doubled, Malformed, Reordered, Late int64
	Aborted, Transactions               int64 // payments in transactions that were not committed, and those
	Unknown                             int64 // payments that may have arrived or not
}

// finish writes the receipt and removes the journal, once everything is sent. The outcome of unknown numbers is not
// known. If it fails, the journal stays.
func (r *Recorder) finish(ctx context.Context, unknown []check.Range) (Result, error) {
	if r.journal == nil {
		return Result{}, nil
	}
	receipt := r.receipt
	receipt.Ended, receipt.Sent = r.now(), r.next
	receipt.Aborted = sorted(receipt.Aborted)
	for _, u := range unknown {
		receipt.Unknown = append(receipt.Unknown, check.Without(u, receipt.Aborted)...)
	}
	known := receipt.Faults
	receipt.Faults = nil
	for kind, numbers := range r.faults {
		f := check.Fault{Kind: faultKinds[kind], N: sorted(numbers)}
		if i := slices.IndexFunc(known, func(k check.Fault) bool { return k.Kind == f.Kind }); i >= 0 {
			f.By = known[i].By
		}
		if len(f.N) > 0 {
			receipt.Faults = append(receipt.Faults, f)
		}
	}
	if err := cmp.Or(receipt.Summarize(ctx), r.err); err != nil {
		return Result{}, err
	}
	if err := check.WriteReceipt(r.path, receipt); err != nil {
		return Result{}, err
	}
	return r.result(), r.journal.Remove()
}

func (r *Recorder) result() Result {
	return Result{Run: r.receipt.Run, Transactions: r.aborts, Aborted: check.Count(r.receipt.Aborted),
		Unknown: check.Count(r.receipt.Unknown), Doubled: check.Count(r.faults[double]), Malformed: check.Count(r.faults[malformed]),
		Reordered: check.Count(r.faults[reorder]), Late: check.Count(r.faults[late])}
}

// sorted sorts ranges that do not overlap, and joins those that touch.
func sorted(ranges []check.Range) (joined []check.Range) {
	slices.SortFunc(ranges, func(a, b check.Range) int { return cmp.Compare(a.First, b.First) })
	for _, r := range ranges {
		if last := len(joined) - 1; last >= 0 && joined[last].Last == r.First-1 {
			joined[last].Last = r.Last
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// unsettled returns the numbers that were put and whose outcome is not known.
func (r *Recorder) unsettled() []check.Range {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.arrived != nil {
		r.settled = max(r.settled, r.arrived())
	}
	if r.settled >= r.next {
		return nil
	}
	return []check.Range{{First: r.settled, Last: r.next - 1}}
}
