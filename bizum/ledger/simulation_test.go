package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// The simulation runs Ledger.Run in several processes that share one to three partitions of a model of Kafka. Each call of
// a Log or an Output is a request that waits until the scheduler serves it; before that it may be late, or be lost, and so
// may its response, while others go on. Beside that, processes are killed, partitions reassigned, positions reset, markers
// of transactions written, logs compacted, and messages deleted by retention.
//
// All of it follows from the seed. The goroutines of a process run in a synctest bubble: the scheduler takes the next step
// only when all are blocked, so that one process runs at a time, and chance decides which. The clock is the world's own; a
// timer fires when the scheduler says so, and only while the goroutine that books waits for events, so that no select has
// a choice.

var topics = Topics{Source: "bizums", Entries: "ledger", Rejected: "rejected"}

const commitInterval = 100 * time.Millisecond

// retention is what a world's retention does.
type retention int

const (
	keepsAll     retention = iota
	deletesRead            // no more than what is committed
	deletesAny             // what is gone is accepted
	deletesFatal           // what is gone stops the ledger
)

type world struct {
	*rand.Rand
	flaws
	partitions []*modelPartition
	retention  retention
	divided    bool // processes have different initial balances
	procs      []*proc
	assigned   []int // process of each partition; -1: none
	generation int
	now        time.Time
	running    *session       // whose goroutines run
	late       []func() error // requests that their senders have given up
	calm       bool           // no more faults: everything comes to its end

	shown []map[int64]string // of each partition
	outcome
}

// outcome is what came of a world.
type outcome struct {
	fault     string // what was found
	trace     uint64 // of the scheduler's steps
	entries   int
	early     int // entries, before the calm
	sessions  int // of a partition in a process
	refused   int // processes that were stopped by another heading
	overtaken int // processes that were stopped by retention
	skipped   int // messages that retention deleted before they were booked, and that were done without
}

func (o *outcome) add(other outcome) {
	o.entries += other.entries
	o.early += other.early
	o.sessions += other.sessions
	o.refused += other.refused
	o.overtaken += other.overtaken
	o.skipped += other.skipped
}

// proc is a process, a member of the group.
type proc struct {
	world      *world
	ledger     *Ledger
	generation int // that it has joined
	sessions   []*session
	dead       bool // killed: nothing it does has an effect any more
	stopped    bool // ended by a StopError
}

// session is a partition of a process, from its assignment until Run has returned. It is the partition's Log and Output.
type session struct {
	world      *world
	proc       *proc
	number     int32
	model      *modelPartition
	generation int
	epoch      int
	open       *transaction
	next       int64
	cancel     context.CancelFunc

	booking, reading *request // what its two goroutines wait for
	timer            *timer
	ended            bool
	err              error // of Run
}

type request struct {
	do       func() error
	response chan error
	write    bool  // it may be served after its sender has given up
	fetch    bool  // of the source, which waits for messages
	position int64 // of fetch
}

type timer struct {
	fires chan time.Time
	when  time.Time
}

var errDead = errors.New("killed")

// chaos reports, once in so many times, that something goes wrong.
func (w *world) chaos(n int) bool { return !w.calm && w.IntN(n) == 0 }

func (s *session) read(ctx context.Context, do func() error) error {
	return s.call(ctx, &request{do: do})
}

func (s *session) write(ctx context.Context, do func() error) error {
	return s.call(ctx, &request{do: do, write: true})
}

// call waits until the scheduler has served a request.
func (s *session) call(ctx context.Context, r *request) error {
	if s.proc.dead {
		return errDead
	}
	slot := &s.booking
	if r.fetch {
		slot = &s.reading
	}
	r.response = make(chan error)
	*slot = r
	defer func() { *slot = nil }()
	select {
	case err := <-r.response:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// respond sends the response of a request and waits until the process is blocked again.
func (s *session) respond(r *request, err error) {
	s.world.running = s
	r.response <- err
	synctest.Wait()
}

// serve serves a request, or loses it or its response.
func (s *session) serve(r *request) {
	w := s.world
	if w.chaos(100) {
		s.abandon(r)
		s.respond(r, errLost)
		return
	}
	err := r.do()
	if w.chaos(100) {
		err = errLost
	}
	s.respond(r, err)
}

// abandon is called when a sender no longer waits. Its request may still be on its way.
func (s *session) abandon(r *request) {
	if w := s.world; r != nil && r.write && w.IntN(2) == 0 {
		w.late = append(w.late, r.do)
	}
}

// revoke ends a session's context.
func (s *session) revoke() {
	s.world.running = s
	before := s.booking
	s.cancel()
	if synctest.Wait(); before != s.booking {
		s.abandon(before)
	}
}

// actions are what the scheduler may do next: serve requests and fire timers.
func (w *world) actions() (all []func()) {
	for _, p := range w.procs {
		for _, s := range p.sessions {
			if r := s.booking; r != nil {
				all = append(all, func() { s.serve(r) })
			}
			if r := s.reading; r != nil && (r.position < s.model.end) {
				all = append(all, func() { s.serve(r) })
			}
			if t := s.timer; t != nil && s.booking == nil && !s.ended {
				all = append(all, func() {
					w.running, s.timer = s, nil
					if w.now.Before(t.when) {
						w.now = t.when
					}
					t.fires <- w.now
					synctest.Wait()
				})
			}
		}
	}
	return all
}

func (w *world) spawn(initial bizum.Amount) *proc {
	p := &proc{world: w, generation: -1}
	p.ledger = &Ledger{Heading: Heading{"id", int32(len(w.partitions)), initial}, Topics: topics, Interval: commitInterval,
		AcceptGap: w.retention == deletesAny,
		Now:       func() time.Time { return w.now },
		After: func(d time.Duration) <-chan time.Time {
			t := &timer{make(chan time.Time), w.now.Add(d)}
			w.running.timer = t
			return t.fires
		},
		PartitionOf: partitionOf,
		Report:      func(event.Event) {}, Ready: func(int32) {},
		Reserve: func([]byte) (bool, bool) { return true, true }, Release: func(int) {},
		Show: p.show}
	return p
}

// partitionOf is the model's partitioner: by the last digit of an account.
func partitionOf(key []byte, partitions int32) int32 { return int32(key[len(key)-1]-'0') % partitions }

// show notes what a process shows, and wants it to be committed, and shown once.
func (p *proc) show(c Committed) error {
	if p.dead {
		return errDead
	}
	w := p.world
	entries, _, _ := w.partitions[c.Partition].booked()
	for _, e := range c.Entries {
		text := string(appendPosted(nil, &e.Payment, e.Balance, e.Offset))
		switch before, known := w.shown[c.Partition][e.Offset]; {
		case known:
			w.found("partition %d: offset %d shown twice: %q, %q", c.Partition, e.Offset, before, text)
		case entries[e.Offset] != text:
			w.found("partition %d: shown %q, committed %q", c.Partition, text, entries[e.Offset])
		}
		w.shown[c.Partition][e.Offset] = text
	}
	return nil
}

func (w *world) found(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

// rebalance begins a generation of the group, with the partitions assigned again.
func (w *world) rebalance() {
	w.generation++
	var members []int
	for i, p := range w.procs {
		if !p.stopped {
			members = append(members, i)
		}
	}
	for number := range w.assigned {
		w.assigned[number] = -1
		if len(members) > 0 {
			w.assigned[number] = members[w.IntN(len(members))]
		}
	}
}

// join begins the sessions of a process that has none, in the group's generation.
func (p *proc) join(id int) {
	w := p.world
	p.generation = w.generation
	var numbers []int32
	for number, owner := range w.assigned {
		if owner == id {
			numbers = append(numbers, int32(number))
		}
	}
	p.ledger.Retain(numbers)
	for _, number := range numbers {
		ctx, cancel := context.WithCancel(context.Background())
		s := &session{world: w, proc: p, number: number, model: w.partitions[number], generation: w.generation, epoch: -1,
			cancel: cancel}
		p.sessions = append(p.sessions, s)
		w.sessions++
		w.running = s
		go func() {
			s.err = p.ledger.Run(ctx, number, s, s)
			s.ended = true
		}()
		synctest.Wait()
	}
}

// leave revokes all partitions of a process.
func (p *proc) leave() {
	for _, s := range p.sessions {
		s.revoke()
	}
}

// tend looks after the members: those whose sessions have ended join again, or stop.
func (w *world) tend() {
	for id, p := range w.procs {
		failed := false
		for _, s := range p.sessions {
			if s.ended && s.err != nil {
				p.stopped = w.stops(s.err) || p.stopped
				failed = failed || s.generation == w.generation || p.stopped
			}
			if s.ended {
				s.cancel()
			}
		}
		p.sessions = slices.DeleteFunc(p.sessions, func(s *session) bool { return s.ended })
		if failed || p.stopped && len(p.sessions) > 0 {
			p.leave()
		}
		if failed {
			w.rebalance()
		}
		if w.calm && p.generation != w.generation && len(p.sessions) > 0 {
			p.leave()
		}
		if len(p.sessions) == 0 && !p.stopped && p.generation != w.generation {
			p.join(id)
		}
	}
}

// stops reports whether an error is a StopError, and wants it to be one that this world gives reason for.
func (w *world) stops(err error) bool {
	var decision *StopError
	if !errors.As(err, &decision) {
		return false
	}
	switch {
	case w.divided && decision.Cause == OtherInitial:
		w.refused++
	case w.retention == deletesFatal && decision.Cause == Gap:
		w.overtaken++
	default:
		w.found("stopped: %s", decision.Reason)
	}
	return true
}

// chance is what happens beside the processes.
func (w *world) chance() {
	number := w.IntN(len(w.partitions))
	m := w.partitions[number]
	switch n := w.IntN(400); {
	case n < 2:
		w.kill(w.IntN(len(w.procs)))
	case n < 5:
		w.rebalance()
	case n < 25: // a member hears of it
		if p := w.procs[w.IntN(len(w.procs))]; p.generation != w.generation {
			p.leave()
		}
	case n < 125 && len(m.pending) > 0:
		if t := m.pending[w.IntN(len(m.pending))]; t.decided {
			w.mark(m, t)
		}
	case n < 130:
		m.entries.compact()
	case n < 132 && m.headed() && w.resets(): // by a tool, or expired
		w.reset(m, int64(w.IntN(int(m.end)+2)-1))
	case n < 140 && w.retention != keepsAll:
		end := m.end
		if w.retention == deletesRead {
			end = m.group.offset
		}
		if most := min(end, m.start+6); most > m.start {
			m.retain(m.start + 1 + w.Int64N(most-m.start))
		}
	case n < 180 && len(w.late) > 0:
		w.arrive()
	}
	w.now = w.now.Add(time.Duration(w.IntN(20)) * time.Millisecond)
}

// resets reports whether positions are reset. Where retention deletes what is booked, a ledger without a position stops:
// it cannot know that the group's was higher.
func (w *world) resets() bool { return w.retention == keepsAll || w.retention == deletesAny }

// arrive serves a request that nobody waits for any more.
func (w *world) arrive() {
	i := w.IntN(len(w.late))
	do := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	_ = do()
}

// kill kills a process, and starts it again.
func (w *world) kill(id int) {
	p := w.procs[id]
	if p.stopped {
		return
	}
	p.dead = true
	for _, s := range p.sessions {
		s.revoke()
		if r := s.booking; r != nil { // it outlasts the context
			s.abandon(r)
			s.respond(r, errDead)
		}
	}
	for _, s := range p.sessions {
		if !s.ended {
			panic("killed, and still running")
		}
	}
	w.procs[id] = w.spawn(p.ledger.Heading.Initial)
	if w.IntN(2) == 0 {
		w.rebalance() // the group notices; else the process is back before that, under its old name
	}
}

// reset sets the group's position in a partition. Kafka does so only while the group has no member.
func (w *world) reset(m *modelPartition, position int64) {
	for len(m.pending) > 0 {
		m.pending[0].decided = true
		w.complete(m, m.pending[0])
	}
	m.group = committedPosition{position, ""}
	w.rebalance()
}

// newWorld makes a world from a seed.
func newWorld(seed uint64, broken flaws) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 0)), flaws: broken, now: time.UnixMilli(1)}
	w.retention = retention(max(w.IntN(6)-2, 0))
	w.divided = w.IntN(6) == 0
	partitions, procs := 1+w.IntN(3), 1+w.IntN(3)
	if w.divided {
		partitions, procs = max(partitions, 2), max(procs, 2)
	}
	for number := range partitions {
		m := &modelPartition{group: committedPosition{offset: none}, entries: journal{topic: topics.Entries},
			rejected: journal{topic: topics.Rejected}}
		w.partitions = append(w.partitions, m)
		w.shown = append(w.shown, map[int64]string{})
		w.assigned = append(w.assigned, number)
		if w.retention != keepsAll && w.IntN(2) == 0 {
			m.start = int64(w.IntN(9))
		}
	}
	for number, m := range w.partitions {
		m.end = m.start
		for range 5 + w.IntN(60/len(w.partitions)) {
			m.end += 1 + int64(w.IntN(5)/4*w.IntN(4)) // with gaps
			m.source = append(m.source, message{offset: m.end - 1, key: w.key(number), value: w.value()})
		}
		m.end += int64(w.IntN(3))
	}
	for id := range procs {
		initial := bizum.Amount(2000_00)
		if w.divided && id%2 == 1 {
			initial = 500_00
		}
		w.procs = append(w.procs, w.spawn(initial))
	}
	w.rebalance()
	return w
}

// key returns a key of one of a partition's accounts, mostly.
func (w *world) key(number int) []byte {
	switch w.IntN(20) {
	case 0:
		return nil
	case 1:
		number++ // the partition of another
	}
	partitions := len(w.partitions)
	return []byte("cuenta-" + strconv.Itoa((number+partitions*w.IntN(3))%(3*partitions)))
}

func (w *world) value() []byte {
	return fmt.Appendf(nil, "Ana;%d.%02d;Cena;%s", 1+w.IntN(99), w.IntN(100),
		[]string{"ENVIO", "RECEPCIÓN", "pago"}[w.IntN(11)/5])
}

// simulate runs a world until all is booked, or all processes have stopped. The caller is in a synctest bubble.
func simulate(seed uint64, broken flaws) outcome {
	w := newWorld(seed, broken)
	hash := fnv.New64a()
	for n := 0; w.fault == ""; n++ {
		if w.calm = n > 600; n == 600 {
			for _, m := range w.partitions {
				entries, _, _ := m.booked()
				w.early += len(entries)
			}
		}
		if w.calm {
			for len(w.late) > 0 {
				w.arrive()
			}
			w.completeOne()
		} else {
			w.chance()
		}
		w.tend()
		if w.calm && w.over() {
			break
		}
		if n > 50_000 {
			w.found("no end")
		}
		if actions := w.actions(); len(actions) > 0 {
			i := w.IntN(len(actions))
			fmt.Fprint(hash, len(actions), i, w.now.UnixMilli(), " ")
			actions[i]()
		}
	}
	w.end()
	if w.fault == "" {
		w.check()
	}
	w.trace = hash.Sum64()
	return w.outcome
}

// completeOne takes a step to complete what is decided; what nobody is there to end is aborted, by its timeout.
func (w *world) completeOne() {
	for number, m := range w.partitions {
		if len(m.pending) == 0 {
			continue
		}
		t := m.pending[0]
		t.decided = t.decided || w.assigned[number] < 0
		if t.decided {
			w.mark(m, t)
		}
	}
}

// over reports whether there is nothing more to do: all is booked, or nobody is there to book it.
func (w *world) over() bool {
	for number, m := range w.partitions {
		if len(m.pending) > 0 || w.assigned[number] >= 0 && (m.group.offset != m.end || !Ours(m.group.metadata)) {
			return false
		}
	}
	return !slices.ContainsFunc(w.procs, func(p *proc) bool { return !p.stopped && p.generation != w.generation })
}

// end ends all processes.
func (w *world) end() {
	for _, p := range w.procs {
		p.dead = p.dead || w.fault != ""
		p.leave()
		for _, s := range p.sessions {
			for s.booking != nil {
				err := errDead
				if !p.dead {
					err = s.booking.do()
				}
				s.respond(s.booking, err)
			}
			if !s.ended {
				panic("ended, and still running")
			}
		}
	}
	for _, m := range w.partitions {
		for len(m.pending) > 0 {
			m.pending[0].decided = true
			w.complete(m, m.pending[0])
		}
	}
}

// check compares the ledger with a naive fold, and has the audit do so too.
func (w *world) check() {
	openings := map[bizum.Amount]bool{} // of the partitions that have entries
	for number, m := range w.partitions {
		if opening, booked := w.checkPartition(number, m); booked {
			openings[opening] = true
		}
	}
	if len(openings) > 1 {
		w.found("entries under several headings: %v", openings)
	}
}

func (w *world) checkPartition(number int, m *modelPartition) (opening bizum.Amount, booked bool) {
	entries, rejected, double := m.booked()
	if double {
		w.found("partition %d: two entries for an offset", number)
	}
	if len(m.entries.records) > 0 {
		_, _ = m.entries.read(0, false, func(r *record.Record) error {
			heading, err := ParseHeading(r.Key, r.Value)
			if err != nil {
				w.found("partition %d: %v", number, err)
			}
			opening = heading.Initial
			return errFound
		})
	}
	if w.assigned[number] >= 0 && m.group.offset != m.end {
		w.found("partition %d: position %d, want %d", number, m.group.offset, m.end)
	}
	balances, accounts, payments, seen := map[string]bizum.Amount{}, map[int64]string{}, 0, 0
	for _, s := range m.source {
		payment, err := bizum.ParsePayment(s.value)
		key := string(s.key)
		if several := len(w.partitions) > 1; several && (key == "" || int(partitionOf(s.key, int32(len(w.partitions)))) != number) {
			err = errGone // its account is another partition's
		} else if key == "" {
			key = bizum.DefaultAccount
		}
		value, isBooked := entries[s.offset]
		isRejected := slices.Contains(rejected, s.offset)
		if isBooked || isRejected {
			seen++
		}
		switch {
		case isBooked && isRejected || isBooked && err != nil || isRejected && err == nil:
			w.found("partition %d: %q: entry %q, rejected: %v", number, s.value, value, isRejected)
		case !isBooked && !isRejected && s.offset < m.group.offset && Ours(m.group.metadata) &&
			!(s.lost && (s.early || w.retention == deletesAny)):
			w.found("partition %d: nothing for offset %d", number, s.offset)
		case !isBooked && !isRejected && s.lost && s.offset < m.group.offset:
			w.skipped++
		case isBooked:
			if _, known := balances[key]; !known {
				balances[key] = opening
			}
			balances[key] += payment.Change()
			accounts[s.offset] = key
			if want := fmt.Sprintf("%s;%v;%d", payment.Append(nil), balances[key], s.offset); value != want {
				w.found("partition %d: entry %q, want %q", number, value, want)
			}
			payments++
		}
	}
	if seen != len(entries)+len(rejected) {
		w.found("partition %d: %d entries and %d rejected, for %d messages", number, len(entries), len(rejected), seen)
	}
	for offset, value := range w.shown[number] {
		if entries[offset] != value {
			w.found("partition %d: shown %q, entry %q", number, value, entries[offset])
		}
	}
	w.entries += len(entries)
	last := lastOf(entries, accounts)
	w.checkCompacted(number, m, last)
	w.checkAudit(number, m, payments, len(last))
	return opening, len(entries) > 0
}

// checkCompacted wants the last entry of each account to be there, in the order of the source.
func (w *world) checkCompacted(number int, m *modelPartition, last map[string]int64) {
	got, before := map[string]int64{}, none
	_, _ = m.entries.read(0, false, func(r *record.Record) error {
		if len(r.Key) == 0 {
			return nil
		}
		e, err := parsePosted(r.Value)
		if err != nil || e.offset <= before {
			w.found("partition %d: entry %q after offset %d: %v", number, r.Value, before, err)
		}
		got[string(r.Key)], before = e.offset, e.offset
		return nil
	})
	if !maps.Equal(got, last) {
		w.found("partition %d: last entries %v, want %v", number, got, last)
	}
}

func (w *world) checkAudit(number int, m *modelPartition, payments, accounts int) {
	proof, err := w.audit().Partition(context.Background(), int32(number), still{w, m})
	if err != nil {
		w.found("partition %d: audit: %v", number, err)
		return
	}
	if whole := w.retention == keepsAll && proof.Heading != nil; !proof.Right() ||
		whole && (proof.Payments != int64(payments) || proof.Accounts != accounts) {
		w.found("partition %d: audit: %+v, want %d payments of %d accounts", number, proof, payments, accounts)
	}
}

func (w *world) audit() *Audit {
	return &Audit{Topics: topics, SourceID: "id", Partitions: int32(len(w.partitions)), Now: func() time.Time { return w.now },
		PartitionOf: partitionOf, Progress: func(int) {}}
}

// TestSimulation tries many worlds. BIZUMCTL_SEED replays one.
func TestSimulation(t *testing.T) {
	first, last := uint64(0), uint64(10_000)
	if testing.Short() {
		last = 1000
	}
	if seed, err := strconv.ParseUint(os.Getenv("BIZUMCTL_SEED"), 10, 64); err == nil {
		first, last = seed, seed+1
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var sum outcome
	const perBubble = 100 // timers that never fire are freed with their bubble
	for ; first < last && !t.Failed(); first += perBubble {
		synctest.Test(t, func(t *testing.T) {
			for seed := first; seed < min(first+perBubble, last); seed++ {
				o := simulate(seed, flaws{})
				if o.fault != "" {
					t.Fatalf("BIZUMCTL_SEED=%d: %s", seed, o.fault)
				}
				sum.add(o)
			}
		})
	}
	t.Logf("%d entries, %d of them before the calm, in %d sessions; %d processes refused for their heading, %d overtaken; "+
		"%d messages skipped", sum.entries, sum.early, sum.sessions, sum.refused, sum.overtaken, sum.skipped)
}

// A seed is a world: the same steps, every time.
func TestSimulationRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(100) {
			if first, second := simulate(seed, flaws{}), simulate(seed, flaws{}); first != second {
				t.Fatalf("seed %d: %+v and %+v", seed, first, second)
			}
		}
	})
}

// The simulation finds what is wrong when one of the things is left out on which the ledger relies, or two of which
// either is enough.
func TestSimulationFinds(t *testing.T) {
	for name, broken := range map[string]flaws{
		"reading before the fence":              {fenceLast: true},
		"no fence, no generation":               {noFence: true, noGeneration: true},
		"reading what is not committed":         {dirty: true},
		"a position outside of the transaction": {positionOnly: true},
		"a lost response taken for a commit":    {endedAnyway: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const seedsMax = 2000
				for seed := range uint64(seedsMax) {
					if o := simulate(seed, broken); o.fault != "" {
						t.Logf("seed %d: %s", seed, o.fault)
						return
					}
				}
				t.Errorf("%d worlds, and nothing was found", seedsMax)
			})
		})
	}
}

// An entry that compaction removes while the audit reads, because of one that balance writes meanwhile, is not missing.
func TestAuditBesideBalance(t *testing.T) {
	m := &modelPartition{group: committedPosition{1, "1 0"}, end: 2}
	w := &world{Rand: rand.New(rand.NewPCG(1, 0)), partitions: []*modelPartition{m}, now: time.Now()}
	for i := range int64(2) {
		m.source = append(m.source, message{offset: i, key: []byte("a"), value: []byte("Ana;1.00;Cena;RECEPCIÓN")})
	}
	done := &transaction{decided: true, committed: true, marked: map[*journal]bool{&m.entries: true, &m.rejected: true}}
	write := func(key, value string) {
		m.entries.records = append(m.entries.records, stored{key: []byte(key), value: []byte(value), by: done})
	}
	write("", string(Heading{"id", 1, 2000_00}.Value()))
	write("a", "Ana;1.00;Cena;RECEPCIÓN;2001.00;0")
	proof, err := w.audit().Partition(context.Background(), 0, beside{still{w, m}, func() {
		write("a", "Ana;1.00;Cena;RECEPCIÓN;2002.00;1")
		m.entries.compact()
		m.group = committedPosition{2, "1 1"}
	}})
	if err != nil || !proof.Right() || proof.Compacted != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
}

// beside is a Log during which balance goes on.
type beside struct {
	still
	balance func()
}

func (b beside) AwaitStable(context.Context) error {
	b.balance()
	return nil
}
