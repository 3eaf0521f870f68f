package producer

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"bizumctl/bizum/check"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// openMessages is how many messages are left in a transaction that nobody ends.
const openMessages = 3

// Recorded is a sink whose receipt a Recorder keeps.
type Recorded struct {
	recorder *Recorder
	writer   *kafka.Writer // nil: files
	faulty   *faulty       // nil: no faults
	to       Sink
	unsent   []int64 // were put, and not taken
}

// RecordedTopic returns a sink that puts messages into a topic, with the headers that name them. The writer's
// acknowledgements are also for recorder.Acked. With transactions, it is a writer of theirs.
func RecordedTopic(recorder *Recorder, writer *kafka.Writer, plan Plan, faults *Faults,
	transactions *kafka.Transactions) *Recorded {
	topic := &topicSink{writer: writer, names: newNameHeaders(recorder.receipt.Run)}
	s := &Recorded{recorder: recorder, writer: writer, to: topic}
	if transactions == nil {
		recorder.watch(writer)
	}
	if faults == nil {
		return s
	}
	s.faulty = &faulty{faults: faults, seed: recorder.receipt.Stream.Seed, recorder: recorder, to: topic,
		behind: make(map[string]heldMessage)}
	if transactions != nil {
		s.faulty.tx = &transactional{kafka: transactions, to: topic, recorder: recorder, faults: faults,
			seed: s.faulty.seed, size: transactionSize(plan)}
		s.faulty.to = s.faulty.tx
	}
	recorder.held = s.faulty.lowest
	s.to = s.faulty
	return s
}

// RecordedFiles returns a sink that puts messages into files.
func RecordedFiles(recorder *Recorder, files *Files) *Recorded {
	recorder.arrived = func() int64 { messages, _ := files.Closed(); return messages }
	return &Recorded{recorder: recorder, to: files}
}

// Put puts a message, after the journal says that it may have been.
func (s *Recorded) Put(ctx context.Context, m *Message, due, now time.Time) error {
	if err := s.recorder.use(m.N); err != nil {
		return err
	}
	err := s.to.Put(ctx, m, due, now)
	if err == nil {
		return nil
	}
	if s.faulty == nil && s.writer != nil { // it surely has not taken the message
		s.recorder.next = m.N
	} else {
		s.unsent = append(s.unsent, m.N)
	}
	return err
}

// Push lets what was put go on its way.
func (s *Recorded) Push() { s.to.Push() }

// Failed is closed when the sink has failed.
func (s *Recorded) Failed() <-chan struct{} { return s.to.Failed() }

// Flush waits until all that was put, and is not held back, has arrived.
func (s *Recorded) Flush(ctx context.Context) error {
	if err := s.to.Flush(ctx); err != nil {
		return err
	}
	return s.recorder.settleBelow(s.recorder.next)
}

// wait waits for a time, and sends meanwhile what is to be late.
func (s *Recorded) wait(ctx, late context.Context, now func() time.Time, until time.Time) error {
	for ctx.Err() == nil && !failed(s) {
		wake, any := s.faulty.wake()
		if !any || wake.After(until) {
			await(ctx, until.Sub(now()), s)
			return nil
		}
		if left := wake.Sub(now()); left > 0 {
			await(ctx, left, s)
		}
		if err := cmp.Or(s.faulty.release(late, s.recorder.next, now()), s.endApart(late)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Recorded) endApart(ctx context.Context) error {
	if s.faulty.tx == nil {
		return nil
	}
	return s.faulty.tx.endApart(ctx)
}

// noticedAfter is how long a person may wait without being told why.
const noticedAfter = 3 * time.Second

// sendHeld sends all that is held back: what is late in its time, or at once if ctx has ended.
func (s *Recorded) sendHeld(ctx, late context.Context, now func() time.Time, report func(event.Event)) error {
	f := s.faulty
	if f.tx != nil {
		if err := f.tx.end(late); err != nil {
			return err
		}
	}
	f.ended = true
	if n := len(f.late); n > 0 {
		last := f.late[n-1].until
		if left := last.Sub(now()); left > noticedAfter && ctx.Err() == nil {
			report(event.HoldingBack{Messages: int64(n), Left: left})
		}
		if err := s.wait(ctx, late, now, last); err != nil {
			return err
		}
		if err := f.release(late, s.recorder.next, last); err != nil {
			return err
		}
	}
	return f.release(late, s.recorder.next+overtakenWithin, now())
}

// leavesOpen reports whether the run ends with a transaction that nobody ends, which it then prepares for.
func (s *Recorded) leavesOpen(ctx context.Context) (bool, error) {
	if s.faulty.tx == nil {
		return false, nil
	}
	return true, s.faulty.tx.leaveOpen(ctx)
}

// Finish writes the receipt after the run, which ended with an error or without.
func (s *Recorded) Finish(ctx context.Context, err error) (Result, error) {
	var unknown []check.Range
	if err != nil {
		unknown = s.unknown()
	}
	return s.recorder.finish(context.WithoutCancel(ctx), unknown)
}

// unknown returns the numbers that may have arrived or not.
func (s *Recorded) unknown() []check.Range {
	if s.writer == nil || s.faulty != nil && s.faulty.tx != nil {
		return s.recorder.unsettled()
	}
	numbers, all := numbersOf(s.writer)
	if !all {
		return s.recorder.unsettled()
	}
	numbers = append(numbers, s.unsent...)
	if s.faulty != nil {
		numbers = append(numbers, s.faulty.held()...)
	}
	slices.Sort(numbers)
	var ranges []check.Range
	for _, n := range slices.Compact(numbers) { // one may have been sent twice
		ranges = check.AppendNumber(ranges, n)
	}
	return ranges
}

// numbersOf returns the numbers of the records that a writer was given and that were not acknowledged, and whether
// those are all.
func numbersOf(w *kafka.Writer) (numbers []int64, all bool) {
	all = w.Unacknowledged(func(rec *record.Record) {
		n, err := strconv.ParseInt(string(rec.Headers.Get(check.HeaderN)), 10, 64)
		if err != nil {
			panic("producer: internal error: a record without its number")
		}
		numbers = append(numbers, n)
	})
	return numbers, all
}
