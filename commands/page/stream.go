package page

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How often a page hears of what is new. With many readers less often, so that sending to them takes a bounded part of
// a processor: the balance comes first.
const (
	digestEvery   = 100 * time.Millisecond
	digestPerRead = time.Millisecond // for each reader
	digestIdle    = time.Second      // when nothing is new, so that a page sees that we are alive
)

// Limits of a stream.
const (
	readersMax       = 2000
	keptDigests      = 600 // for readers that come back
	keptDigestBytes  = 2 << 20
	stuckAfter       = 5 * time.Second // that a reader takes nothing
	writeBytesMax    = 256 << 10       // of digests that are written together
	snapshotGoodFor  = time.Second
	reconnectAfterMs = 1000
)

// stream sends digests to all readers (server-sent events, WHATWG HTML). Each digest is made once. A reader is nothing
// but a place in the list of those that are kept, so that one who is slow costs no memory: once its place is no longer
// kept, it is told to load all again. An event's id is that of the run and the digest's number, by which a reader that
// was cut off goes on without a gap or a double.
type stream struct {
	balance *Balance
	run     string
	stuck   time.Duration // stuckAfter

	mu       sync.Mutex
	wake     chan struct{} // closed when there is another digest
	first    int64         // number of the first digest that is kept
	kept     [][]byte      // as events
	bytes    int
	last     time.Time // of a digest
	snapshot []byte    // as an event
	taken    int64     // the digest after which the snapshot was taken
	takenAt  time.Time
	readers  int
	joined   chan struct{} // has one when there is a first reader
	over     bool
	done     chan struct{} // closed when the run has ended
}

func newStream(b *Balance) *stream {
	s := &stream{balance: b, run: rand.Text()[:10], stuck: stuckAfter, wake: make(chan struct{}), first: 1, joined: make(chan struct{}, 1),
		done: make(chan struct{})}
	go s.feed()
	return s
}

// feed makes digests as long as somebody reads them.
func (s *stream) feed() {
	for {
		s.mu.Lock()
		readers := s.readers
		s.mu.Unlock()
		var due <-chan time.Time
		if readers > 0 {
			due = time.After(max(digestEvery, time.Duration(readers)*digestPerRead))
		}
		select {
		case <-due:
			s.publish(false)
		case <-s.joined:
		case <-s.done:
			return
		}
	}
}

// publish makes a digest, if anything is new or a snapshot is wanted.
func (s *stream) publish(withSnapshot bool) {
	b := s.balance
	now := b.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	b.mu.Lock()
	if !withSnapshot && !b.hasNews() && now.Sub(s.last) < digestIdle {
		b.mu.Unlock()
		return
	}
	fresh := b.digest(now)
	var all *digest
	if withSnapshot {
		all = b.snapshot(now)
	}
	b.mu.Unlock()
	s.last = now
	number := s.first + int64(len(s.kept))
	s.keep(s.event("digest", number, fresh))
	if all != nil {
		s.snapshot, s.taken, s.takenAt = s.event("snapshot", number, all), number, now
	}
	close(s.wake)
	s.wake = make(chan struct{})
}

// hasNews reports whether there is more than time to tell; b.mu is held.
func (b *Balance) hasNews() bool {
	return !b.sent.began || b.run.ended || b.rows.count != b.sent.rows || b.rejected.count != b.sent.rejected ||
		b.payments.payments() != b.sent.payments
}

func (s *stream) keep(event []byte) {
	s.kept = append(s.kept, event)
	s.bytes += len(event)
	gone := 0
	for len(s.kept)-gone > keptDigests || s.bytes > keptDigestBytes && len(s.kept)-gone > 1 {
		s.bytes -= len(s.kept[gone])
		s.kept[gone] = nil
		gone++
	}
	s.kept = s.kept[gone:]
	s.first += int64(gone)
}

func (s *stream) event(name string, number int64, d *digest) []byte {
	data, err := json.Marshal(d) // without line breaks, which would end the data
	if err != nil {
		panic("page: internal error: " + err.Error())
	}
	return fmt.Appendf(nil, "id: %s-%d\nevent: %s\ndata: %s\n\n", s.run, number, name, data)
}

// end publishes the last digest.
func (s *stream) end() {
	s.mu.Lock()
	over := s.over
	s.over = true
	s.mu.Unlock()
	if !over {
		s.publish(false)
		close(s.done)
	}
}

// begin returns what a reader gets first, and the number of the digest after it. That is nothing, if it comes back and
// what it has missed is kept.
func (s *stream) begin(lastID string) (first []byte, next int64) {
	run, number, _ := strings.Cut(lastID, "-")
	if last, err := strconv.ParseInt(number, 10, 64); err == nil && run == s.run {
		s.mu.Lock()
		defer s.mu.Unlock()
		if last >= s.first-1 && last < s.first+int64(len(s.kept)) {
			return nil, last + 1
		}
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if s.snapshot == nil || s.taken < s.first-1 || s.balance.config.Now().Sub(s.takenAt) >= snapshotGoodFor {
		s.mu.Unlock()
		s.publish(true)
		s.mu.Lock()
	}
	return s.snapshot, s.taken + 1
}

// since returns the digests from a number on, and the number after them, or what to wait for. It reports whether they
// are kept.
func (s *stream) since(next int64) (events [][]byte, after int64, wake <-chan struct{}, kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next < s.first {
		return nil, next, nil, false
	}
	bytes := 0
	for i := next - s.first; i < int64(len(s.kept)) && bytes < writeBytesMax; i++ {
		events = append(events, s.kept[i])
		bytes += len(s.kept[i])
	}
	return events, next + int64(len(events)), s.wake, true
}

// admit counts a reader, if there is room for one more.
func (s *stream) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers >= readersMax {
		return false
	}
	s.readers++
	if s.readers == 1 {
		select {
		case s.joined <- struct{}{}:
		default:
		}
	}
	return true
}

func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers--
}

func (s *stream) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readers
}

// ServeHTTP sends digests until the reader leaves, is stuck, or the run ends.
func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return
	}
	if !s.admit() {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too many readers")
		return
	}
	defer s.leave()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := reader{w, http.NewResponseController(w), s.stuck}
	_ = out.control.SetReadDeadline(time.Time{}) // there is nothing more to read
	first, next := s.begin(r.Header.Get("Last-Event-ID"))
	if out.write(fmt.Appendf(nil, "retry: %d\n\n", reconnectAfterMs), first) != nil {
		return
	}
	s.send(r.Context(), out, next)
}

func (s *stream) send(ctx context.Context, out reader, next int64) {
	for over := false; ; {
		events, after, wake, kept := s.since(next)
		switch {
		case !kept:
			_ = out.write([]byte("event: reload\ndata: {}\n\n")) // it is dropped either way
			return
		case len(events) > 0:
			if out.write(events...) != nil {
				return
			}
			next = after
			continue
		case over:
			return
		}
		select {
		case <-wake:
		case <-s.done:
			over = true // the last digest may be there
		case <-ctx.Done():
			return
		}
	}
}

// reader is who reads a stream.
type reader struct {
	http.ResponseWriter
	control *http.ResponseController
	stuck   time.Duration // after which it is dropped
}

// write writes events. The error means that the reader has left, or is stuck.
func (r reader) write(events ...[]byte) error {
	if err := r.control.SetWriteDeadline(time.Now().Add(r.stuck)); err != nil {
		return err
	}
	for _, event := range events {
		if _, err := r.Write(event); err != nil {
			return err
		}
	}
	return r.control.Flush()
}
