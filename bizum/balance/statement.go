package balance

import (
	"fmt"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// Statement books payments one by one, and shows those that are wanted as rows. Those before them are booked too, so
// that the balance of each row is right.
type Statement struct {
	Book    *bizum.Book
	Account string          // only its rows; "": those of all accounts
	From    map[int32]int64 // by partition: no row before this offset; nil: all
	Last    int             // only so many rows, which End shows; 0: all, as they come
	// Show is called with each row. The entry says that it opens its account if it is the account's first row.
	Show func(*record.Record, *bizum.Entry) error

	opened map[string]bool // accounts that have a row, if there are rows that are left out
	tail   []tailRow       // a ring
	next   int             // in the tail, the oldest row once it is full
}

// tailRow is a row that may be one of the last.
type tailRow struct {
	record record.Record // without its value
	entry  bizum.Entry
}

// Apply books the payment of a record.
func (s *Statement) Apply(r *record.Record, p bizum.Payment) error {
	entry, err := s.Book.Apply(r.Key, p)
	if err != nil {
		return fmt.Errorf("message at %v: %w", r.Position, err)
	}
	switch {
	case s.Account != "" && string(entry.Account) != s.Account || r.Offset < s.From[r.Partition]:
		return nil
	case s.Last > 0:
		s.keep(r, &entry)
		return nil
	}
	return s.show(r, &entry)
}

func (s *Statement) show(r *record.Record, e *bizum.Entry) error {
	if s.From != nil || s.Last > 0 {
		if e.Opens = !s.opened[string(e.Account)]; e.Opens {
			if s.opened == nil {
				s.opened = make(map[string]bool)
			}
			s.opened[string(e.Account)] = true
		}
	}
	return s.Show(r, e)
}

// keep copies a row into the tail, in the place of the oldest one once there are enough.
func (s *Statement) keep(r *record.Record, e *bizum.Entry) {
	if len(s.tail) < s.Last {
		s.tail = append(s.tail, tailRow{})
	}
	t := &s.tail[s.next]
	key, name, concept, account := t.record.Key, t.entry.Name, t.entry.Concept, t.entry.Account
	t.record, t.entry = record.Record{Position: r.Position, Timestamp: r.Timestamp}, *e
	t.record.Key = append(key[:0], r.Key...)
	t.entry.Name, t.entry.Concept = append(name[:0], e.Name...), append(concept[:0], e.Concept...)
	t.entry.Account = append(account[:0], e.Account...)
	s.next = (s.next + 1) % s.Last
}

// End shows the last rows, if only those are wanted.
func (s *Statement) End() error {
	first := 0
	if len(s.tail) == s.Last {
		first = s.next
	}
	for i := range s.tail {
		t := &s.tail[(first+i)%len(s.tail)]
		if err := s.show(&t.record, &t.entry); err != nil {
			return err
		}
	}
	return nil
}
