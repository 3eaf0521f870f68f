package producer

import (
	"bytes"
	"context"
	"time"
)

// faulty is a sink that does wrong on purpose: it doubles and spoils messages, and holds others back.
type faulty struct {
	faults   *Faults
	seed     uint64
	recorder *Recorder
	to       Sink
	tx       *transactional // is to; nil: no transactions
	ended    bool           // no faults any more

	late    []heldMessage          // in the order in which they are to be sent
	behind  map[string]heldMessage // each waits for a later message of its account
	waiting []heldMessage          // those of behind in the order of numbers, and some that were sent
	message Message                // that was held
}

// heldMessage is a message that is held back.
type heldMessage struct {
	n          int64
	key, value []byte
	due, until time.Time // until: when a late one is to be sent
	listed     bool      // in the receipt, with its fault
}

// Memory is bounded by how many messages are late at most, and by how many numbers one waits for the next of its
// account. What goes beyond has no fault.
const (
	lateMessagesMax = 1 << 20
	overtakenWithin = 10_000
)

// Put sends the message, or holds it back, after those whose time has come.
func (s *faulty) Put(ctx context.Context, m *Message, due, now time.Time) error {
	if err := s.release(ctx, m.N, now); err != nil {
		return err
	}
	m.Apart = false
	fault, way := s.choose(m)
	m.Unshown = fault != none && fault != double
	switch fault {
	case late:
		h := hold(m, due)
		h.until = now.Add(s.faults.LateBy)
		s.late = append(s.late, h)
		return nil
	case reorder:
		h := hold(m, due)
		s.behind[string(h.key)] = h
		s.waiting = append(s.waiting, h)
		return nil
	case malformed:
		if err := s.recorder.fault(malformed, m.N); err != nil {
			return err
		}
		m.Value = append(m.Value[:0], spoil(&m.Payment, way)...)
		return s.to.Put(ctx, m, due, now)
	case double:
		if err := s.recorder.fault(double, m.N); err != nil {
			return err
		}
		if err := s.to.Put(ctx, m, due, now); err != nil {
			return err
		}
	}
	if err := s.to.Put(ctx, m, due, now); err != nil {
		return err
	}
	return s.overtake(ctx, m.Key, m.N)
}

// choose returns the fault of a message, and a number to choose how it is done.
func (s *faulty) choose(m *Message) (fault int, way uint64) {
	if s.ended || s.tx != nil && s.tx.aborts(m.N) {
		return none, 0
	}
	fault, way = s.faults.of(s.seed, m.N)
	_, held := s.behind[string(m.Key)]
	if fault == late && len(s.late) >= lateMessagesMax || fault == reorder && held {
		return none, 0
	}
	return fault, way
}

func hold(m *Message, due time.Time) heldMessage {
	return heldMessage{n: m.N, key: bytes.Clone(m.Key), value: bytes.Clone(m.Value), due: due}
}

// overtake sends the message of an account that waited for a later one, after payment n was sent.
func (s *faulty) overtake(ctx context.Context, account []byte, n int64) error {
	h, held := s.behind[string(account)]
	if !held || h.n > n || s.aborting() {
		return nil
	}
	if err := s.list(reorder, &h); err != nil {
		return err
	}
	s.behind[string(account)] = h
	return s.sendBehind(ctx, h)
}

// sendBehind sends a message of behind, which forgets it only then: one that is not taken is still held back.
func (s *faulty) sendBehind(ctx context.Context, h heldMessage) error {
	if err := s.send(ctx, h, h.due); err != nil {
		return err
	}
	delete(s.behind, string(h.key))
	return nil
}

// list lists a message in the receipt before it is sent with a fault: once, however often that is tried.
func (s *faulty) list(kind int, h *heldMessage) error {
	if h.listed {
		return nil
	}
	if err := s.recorder.fault(kind, h.n); err != nil {
		return err
	}
	h.listed = true
	return nil
}

// send sends a message that was held back. Its timestamp is when it was due; its delay counts from the mark.
func (s *faulty) send(ctx context.Context, h heldMessage, mark time.Time) error {
	s.message = Message{Key: h.key, Value: h.value, N: h.n, Apart: true}
	return s.to.Put(ctx, &s.message, mark, h.due)
}

// release sends the messages whose time has come before payment n is sent. Nothing is released into a transaction that
// will be aborted: its numbers are those of its range.
func (s *faulty) release(ctx context.Context, n int64, now time.Time) error {
	for len(s.late) > 0 && !s.late[0].until.After(now) && !s.aborting() {
		if err := s.list(late, &s.late[0]); err != nil {
			return err
		}
		h := s.late[0]
		if err := s.send(ctx, h, h.until); err != nil {
			return err
		}
		s.late = s.late[1:]
		if err := s.overtake(ctx, h.key, h.n); err != nil {
			return err
		}
	}
	for {
		h, any := s.first()
		if !any || h.n+overtakenWithin > n || s.aborting() {
			return nil
		}
		if err := s.sendBehind(ctx, h); err != nil {
			return err
		}
	}
}

// first returns the message with the lowest number that waits for one of its account.
func (s *faulty) first() (h heldMessage, any bool) {
	for len(s.waiting) > 0 {
		h = s.waiting[0]
		if still, held := s.behind[string(h.key)]; held && still.n == h.n {
			return h, true
		}
		s.waiting = s.waiting[1:]
	}
	return h, false
}

// lowest returns the lowest number that is held back.
func (s *faulty) lowest() (n int64, any bool) {
	h, any := s.first()
	if len(s.late) > 0 && (!any || s.late[0].n < h.n) {
		return s.late[0].n, true
	}
	return h.n, any
}

// held returns the numbers that are held back, in no order.
func (s *faulty) held() (numbers []int64) {
	for _, h := range s.late {
		numbers = append(numbers, h.n)
	}
	for _, h := range s.behind {
		numbers = append(numbers, h.n)
	}
	return numbers
}

// wake returns when the next late message is to be sent, and false if there is none that can be.
func (s *faulty) wake() (at time.Time, any bool) {
	if len(s.late) == 0 || s.aborting() {
		return at, false
	}
	return s.late[0].until, true
}

// aborting reports whether what is sent now will be aborted.
func (s *faulty) aborting() bool { return s.tx != nil && s.tx.aborting() }

func (s *faulty) Push()                           { s.to.Push() }
func (s *faulty) Flush(ctx context.Context) error { return s.to.Flush(ctx) }
func (s *faulty) Failed() <-chan struct{}         { return s.to.Failed() }
