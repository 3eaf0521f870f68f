package producer

import (
	"context"
	"time"

	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
)

// transactional is a sink that sends messages in transactions, some of which it aborts on purpose. One has the numbers
// from a multiple of size to the next, and messages that were held back.
type transactional struct {
	kafka    *kafka.Transactions
	to       Sink
	recorder *Recorder
	faults   *Faults
	seed     uint64
	size     int64
	leave    bool // what comes from now on is left in a transaction that nobody ends

	begun bool
	index int64 // of the transaction that has begun; -1: it has only messages that were held back
	abort bool  // it will be
	first int64 // its numbers
	next  int64
}

const transactionMax = 1000 // numbers in a transaction

// transactionSize returns how many numbers a transaction of a run has: those of a tenth of a second.
func transactionSize(plan Plan) int64 {
	switch plan.Mode {
	case Paused:
		return 1
	case Steady:
		return max(1, min(transactionMax, int64(plan.PerSecond/10)))
	}
	return transactionMax
}

// aborts reports whether payment n is in a transaction that will be aborted.
func (t *transactional) aborts(n int64) bool { return t.faults.aborts(t.seed, n/t.size) }

// aborting reports whether what is sent now will be aborted.
func (t *transactional) aborting() bool { return t.begun && t.abort || t.leave }

// Put sends a message in its transaction, and ends that after its last number.
func (t *transactional) Put(ctx context.Context, m *Message, due, now time.Time) error {
	ctx, cancel := outlast(ctx, lastFlushWithin)
	defer cancel()
	index := m.N / t.size
	if t.begun && !t.leave && !m.Apart && index != t.index {
		if err := t.end(ctx); err != nil {
			return err
		}
	}
	if !t.begun {
		if err := t.kafka.Begin(ctx); err != nil {
			return err
		}
		t.begun, t.index, t.abort, t.first = true, index, !m.Apart && t.aborts(m.N), m.N
		if m.Apart {
			t.index = -1
		}
	}
	if t.leave { // nobody will commit it
		if err := t.recorder.abort(check.Range{First: m.N, Last: m.N}, m.N == t.first); err != nil {
			return err
		}
	}
	if err := t.to.Put(ctx, m, due, now); err != nil {
		return err
	}
	if m.Apart {
		return nil
	}
	t.next = m.N + 1
	if t.next%t.size == 0 && !t.leave {
		return t.end(ctx)
	}
	return nil
}

// end ends the transaction that has begun, if there is one.
func (t *transactional) end(ctx context.Context) error {
	if !t.begun {
		return nil
	}
	if err := t.to.Flush(ctx); err != nil {
		return err
	}
	if t.abort {
		if err := t.recorder.abort(check.Range{First: t.first, Last: t.next - 1}, true); err != nil {
			return err
		}
	}
	if err := t.kafka.End(ctx, !t.abort); err != nil {
		return err
	}
	t.begun, t.abort = false, false
	return t.recorder.settleBelow(t.next)
}

// leaveOpen lets what comes from now on be in a transaction of its own that nobody ends.
func (t *transactional) leaveOpen(ctx context.Context) error {
	err := t.end(ctx)
	t.leave = true
	return err
}

// endApart ends a transaction that has only messages that were held back.
func (t *transactional) endApart(ctx context.Context) error {
	if t.begun && t.index < 0 {
		return t.end(ctx)
	}
	return nil
}

func (t *transactional) Push() { t.to.Push() }

// Flush ends the transaction too, unless it is to be left open.
func (t *transactional) Flush(ctx context.Context) error {
	if t.leave {
		return t.to.Flush(ctx)
	}
	return t.end(ctx)
}

func (t *transactional) Failed() <-chan struct{} { return t.to.Failed() }
