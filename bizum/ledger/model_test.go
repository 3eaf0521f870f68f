package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"slices"

	"bizumctl/bizum/record"
)

// The model of Kafka: source partitions with retention, compacted outputs, transactions whose markers come one by one, and
// a group with generations. All of it is used by one goroutine at a time.

// transaction is one of the model's. Its end is decided first; its markers come later, one by one.
type transaction struct {
	decided   bool
	committed bool
	marked    map[*journal]bool
	position  *committedPosition // that it carries
	settled   bool               // position is the group's, or is dropped
}

type committedPosition struct {
	offset   int64
	metadata string
}

type stored struct {
	key, value []byte
	headers    record.Headers
	by         *transaction
	compacted  bool
}

// journal is a partition of an output; the index is the offset.
type journal struct {
	topic   string
	records []stored
}

func (j *journal) record(offset int64) *record.Record {
	r := &j.records[offset]
	return &record.Record{Position: record.Position{Topic: j.topic, Offset: offset}, Key: r.key, Value: r.value,
		Headers: r.headers}
}

// read calls each for the committed records below the last stable offset, and returns that offset. A dirty read does so
// for all.
func (j *journal) read(from int64, dirty bool, each func(*record.Record) error) (end int64, err error) {
	for i := range j.records {
		r, offset := &j.records[i], int64(i)
		if r.compacted {
			continue
		}
		if !dirty && !r.by.marked[j] {
			return offset, nil
		}
		if (dirty || r.by.committed) && offset >= from {
			if err := each(j.record(offset)); err != nil {
				return offset, err
			}
		}
	}
	return int64(len(j.records)), nil
}

func (j *journal) end() int64 {
	end, _ := j.read(0, false, func(*record.Record) error { return nil })
	return end
}

// compact removes records that have a later one of their key, and aborted ones.
func (j *journal) compact() {
	later := map[string]bool{}
	for offset := j.end() - 1; offset >= 0; offset-- {
		r := &j.records[offset]
		if r.compacted {
			continue
		}
		if key := string(r.key); !r.by.committed || later[key] {
			r.compacted = true
		} else {
			later[key] = true
		}
	}
}

type message struct {
	offset     int64
	key, value []byte
	lost       bool // deleted before it was booked or rejected
	early      bool // and before the ledger was begun
}

// modelPartition is a partition of the source, with all that belongs to it.
type modelPartition struct {
	source            []message
	start, end        int64
	entries, rejected journal
	group             committedPosition

	epoch   int            // of the transactional id
	current *transaction   // of the transactional id
	pending []*transaction // that have markers to come
}

func (m *modelPartition) journal(topic string) *journal {
	if topic == topics.Entries {
		return &m.entries
	}
	return &m.rejected
}

// booked returns the source offsets of all committed entries, compacted or not, with the entries, and of all rejected
// messages.
func (m *modelPartition) booked() (entries map[int64]string, rejected []int64, double bool) {
	entries = map[int64]string{}
	for i := range m.entries.records {
		r := &m.entries.records[i]
		if e, err := parsePosted(r.value); err == nil && r.by.decided && r.by.committed {
			_, known := entries[e.offset]
			double = double || known
			entries[e.offset] = string(r.value)
		}
	}
	for i := range m.rejected.records {
		if r := &m.rejected.records[i]; r.by.decided && r.by.committed {
			offset, _ := rejectedOffset(m.rejected.record(int64(i)))
			rejected = append(rejected, offset)
		}
	}
	return entries, rejected, double
}

func (m *modelPartition) headed() bool {
	return slices.ContainsFunc(m.entries.records, func(r stored) bool { return r.by.committed && r.by.marked[&m.entries] })
}

// mark takes one more step to complete a transaction, in any order.
func (w *world) mark(m *modelPartition, t *transaction) {
	switch n := w.IntN(3); {
	case n == 0:
		t.marked[&m.entries] = true
	case n == 1:
		t.marked[&m.rejected] = true
	case !t.settled:
		if t.settled = true; t.committed && t.position != nil {
			m.group = *t.position
		}
	}
	if t.settled && t.marked[&m.entries] && t.marked[&m.rejected] {
		m.pending = slices.DeleteFunc(m.pending, func(other *transaction) bool { return other == t })
	}
}

func (w *world) complete(m *modelPartition, t *transaction) {
	for slices.Contains(m.pending, t) {
		w.mark(m, t)
	}
}

// retain deletes what comes before an offset.
func (m *modelPartition) retain(start int64) {
	entries, rejected, _ := m.booked()
	begun := slices.ContainsFunc(m.entries.records, func(r stored) bool { return r.by.decided && r.by.committed })
	for i := range m.source {
		s := &m.source[i]
		if _, booked := entries[s.offset]; s.offset >= m.start && s.offset < start && !booked && !slices.Contains(rejected, s.offset) {
			s.lost, s.early = true, !begun
		}
	}
	m.start = start
}

var (
	errLost   = errors.New("no response")
	errFenced = errors.New("fenced")
	errGone   = errors.New("not a member")
	errRange  = errors.New("offset out of range")
)

// flaws are what Kafka, or the way in which the ledger uses it, does wrong to see whether the simulation notices.
type flaws struct {
	fenceLast    bool // the naive order: a new owner reads first and fences then
	noFence      bool // a new owner does not fence the former one
	noGeneration bool // a position is accepted from anybody
	dirty        bool // what is not committed is read
	positionOnly bool // the position is committed outside of the transaction
	endedAnyway  bool // a commit whose response is lost is taken for done
}

// Fence as in Output.
func (s *session) Fence(ctx context.Context) error {
	if s.world.fenceLast {
		return nil
	}
	return s.fence(ctx)
}

func (s *session) fence(ctx context.Context) error {
	return s.write(ctx, func() error {
		m := s.model
		if s.world.noFence { //mutant:model-fence
			s.epoch = m.epoch
			return nil
		}
		m.epoch++
		if t := m.current; t != nil {
			t.decided = true
			for !t.marked[&m.entries] || !t.marked[&m.rejected] { // CONCURRENT_TRANSACTIONS until they are
				s.world.mark(m, t)
			}
		}
		m.current = nil
		s.epoch = m.epoch
		return nil
	})
}

// Committed as in Log.
func (s *session) Committed(ctx context.Context) (position int64, metadata string, err error) {
	err = s.read(ctx, func() error {
		for _, t := range slices.Clone(s.model.pending) { //mutant:model-stable
			for t.decided && !t.settled {
				s.world.mark(s.model, t)
			}
		}
		position, metadata = s.model.group.offset, s.model.group.metadata
		return nil
	})
	return position, metadata, err
}

// Bounds as in Log.
func (s *session) Bounds(ctx context.Context, topic string) (start, end int64, err error) {
	if s.world.fenceLast && s.epoch < 0 {
		if err := s.fence(ctx); err != nil {
			return 0, 0, err
		}
	}
	err = s.read(ctx, func() error { start, end = s.model.bounds(topic); return nil })
	return start, end, err
}

func (m *modelPartition) bounds(topic string) (start, end int64) {
	if topic == topics.Source {
		return m.start, m.end
	}
	return 0, m.journal(topic).end()
}

// ReadSource as in Log.
func (s *session) ReadSource(ctx context.Context, position int64,
	deliver func(next int64, records iter.Seq[*record.Record]) error) error {
	for {
		var next int64
		var records iter.Seq[*record.Record]
		err := s.call(ctx, &request{fetch: true, position: position, do: func() (err error) {
			next, records, err = s.world.fetch(s.model, position)
			return err
		}})
		if err == nil {
			err = deliver(next, records)
		}
		if err != nil {
			return err
		}
		position = next
	}
}

// fetch returns some messages from a position on, and the position after them.
func (w *world) fetch(m *modelPartition, position int64) (next int64, records iter.Seq[*record.Record], err error) {
	if position < m.start {
		return 0, nil, errRange
	}
	from, _ := slices.BinarySearchFunc(m.source, position, func(m message, at int64) int { return int(m.offset - at) })
	to := min(from+1+w.IntN(4), len(m.source))
	next = m.end
	if to < len(m.source) {
		next = m.source[to].offset - int64(w.IntN(2)) // a batch may end with a gap, or before it
		if to > 0 && next <= m.source[to-1].offset {
			next = m.source[to].offset
		}
	}
	return max(next, position), func(yield func(*record.Record) bool) {
		for _, m := range m.source[from:to] {
			if !yield(&record.Record{Position: record.Position{Offset: m.offset}, Key: m.key, Value: m.value}) {
				return
			}
		}
	}, nil
}

// ReadToEnd as in Log.
func (s *session) ReadToEnd(ctx context.Context, topic string, partition int32, from int64,
	each func(*record.Record) error) (start, end int64, err error) {
	err = s.read(ctx, func() (err error) {
		end, err = s.world.partitions[partition].journal(topic).read(from, s.world.dirty, each)
		return err
	})
	return 0, end, err
}

// AwaitStable as in Log.
func (s *session) AwaitStable(context.Context) error { return nil }

// Begin as in Output.
func (s *session) Begin(ctx context.Context, _ string) error {
	return s.write(ctx, func() error {
		if s.epoch != s.model.epoch {
			return errFenced
		}
		s.join()
		return nil
	})
}

// join begins a transaction if there is none.
func (s *session) join() {
	m := s.model
	if m.current == nil || m.current.decided {
		if m.current != nil { // CONCURRENT_TRANSACTIONS
			s.world.complete(m, m.current)
		}
		m.current = &transaction{marked: map[*journal]bool{}}
		m.pending = append(m.pending, m.current)
	}
	s.open = m.current
}

// Write as in Output.
func (s *session) Write(ctx context.Context, topic string, key, value []byte, _ int64, headers ...record.Header) error {
	r := stored{key: slices.Clone(key), value: slices.Clone(value), headers: encodeHeaders(headers)}
	return s.write(ctx, func() error {
		if s.epoch != s.model.epoch || s.open == nil || s.open.decided {
			return errFenced
		}
		j := s.model.journal(topic)
		r.by = s.open
		j.records = append(j.records, r)
		if topic == topics.Entries {
			if s.next = int64(len(j.records)); s.world.chaos(50) {
				s.next = 0 // the broker has the record from an earlier try
			}
		}
		return nil
	})
}

func encodeHeaders(headers []record.Header) record.Headers {
	encoded := binary.AppendVarint(nil, int64(len(headers)))
	for _, h := range headers {
		encoded = append(binary.AppendVarint(encoded, int64(len(h.Key))), h.Key...)
		encoded = append(binary.AppendVarint(encoded, int64(len(h.Value))), h.Value...)
	}
	return encoded
}

// Flush as in Output.
func (s *session) Flush(ctx context.Context) error { return s.read(ctx, func() error { return nil }) }

// NextOffset as in Output.
func (s *session) NextOffset(string) int64 { return s.next }

// Commit as in Output.
func (s *session) Commit(ctx context.Context, position int64, metadata string) error {
	return s.write(ctx, func() error {
		if s.epoch != s.model.epoch {
			return errFenced
		}
		if !s.world.noGeneration && s.generation != s.world.generation { //mutant:model-generation
			return errGone
		}
		s.join()
		if s.open.position = (&committedPosition{position, metadata}); s.world.positionOnly {
			s.model.group = *s.open.position
		}
		return nil
	})
}

// End as in Output.
func (s *session) End(ctx context.Context, commit bool) error {
	err := s.write(ctx, func() error {
		if s.epoch != s.model.epoch || s.open == nil || s.open.decided {
			return errFenced
		}
		s.open.decided, s.open.committed = true, commit
		return nil
	})
	if s.world.endedAnyway && errors.Is(err, errLost) {
		return nil
	}
	return err
}

// still is a Log that reads the model when nothing else runs.
type still struct {
	world *world
	model *modelPartition
}

func (s still) Committed(context.Context) (int64, string, error) {
	return s.model.group.offset, s.model.group.metadata, nil
}

func (s still) Bounds(_ context.Context, topic string) (start, end int64, err error) {
	start, end = s.model.bounds(topic)
	return start, end, nil
}

func (s still) ReadSource(_ context.Context, position int64,
	deliver func(next int64, records iter.Seq[*record.Record]) error) error {
	for {
		next, records, err := s.world.fetch(s.model, position)
		if err == nil {
			err = deliver(next, records)
		}
		if err != nil {
			return err
		}
		position = next
	}
}

func (s still) ReadToEnd(_ context.Context, topic string, partition int32, from int64,
	each func(*record.Record) error) (start, end int64, err error) {
	end, err = s.world.partitions[partition].journal(topic).read(from, false, each)
	return 0, end, err
}

func (s still) AwaitStable(context.Context) error { return nil }

// lastOf returns the last offset of each account with an entry.
func lastOf(entries map[int64]string, accounts map[int64]string) map[string]int64 {
	last := map[string]int64{}
	for _, offset := range slices.Sorted(maps.Keys(entries)) {
		last[accounts[offset]] = offset
	}
	return last
}
