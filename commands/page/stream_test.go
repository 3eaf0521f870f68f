package page

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// offsets returns those of the rows of a digest.
func (s *stage) offsets(d digest) (list []int64) {
	s.Helper()
	for _, row := range d.Rows {
		var r struct {
			Offset  int64
			Skipped int64
		}
		s.must(json.Unmarshal(row, &r))
		if r.Skipped > 0 {
			s.Fatalf("%d rows are missing", r.Skipped)
		}
		list = append(list, r.Offset)
	}
	return list
}

// A reader that is cut off again and again has every row once, in order.
func TestResume(t *testing.T) {
	s := newStage(t, BalanceConfig{Initial: 100_00})
	const rows = 75
	s.balance.Add([]Row{s.row("a", "Ana", 1, "x", 0)})
	var got []int64
	id, sent := "", int64(1)
	for len(got) < rows {
		e := s.open(id)
		for range 3 {
			for range 5 {
				if sent < rows {
					s.balance.Add([]Row{s.row("a", "Ana", 1, "x", sent)})
					sent++
				}
			}
			name, d := e.next()
			if want := id == ""; (name == "snapshot") != want {
				t.Fatalf("%s after %q", name, id)
			}
			id = e.id
			got = append(got, s.offsets(d)...)
			if len(got) == rows {
				break
			}
		}
		e.cancel()
	}
	for i, offset := range got {
		if offset != int64(i) {
			t.Fatalf("row %d is %d: %v", i, offset, got)
		}
	}
}

// Who comes back too late, or to another run, loads all again.
func TestResumeTooLate(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	e := s.open("")
	e.next()
	first := e.id
	for i := range keptDigests + 10 {
		s.balance.Add([]Row{s.row("a", "Ana", 1, "x", int64(i))})
		s.balance.stream.publish(false)
	}
	for _, id := range []string{first, "other-1", "-", "x", s.balance.stream.run + "-999999", s.balance.stream.run + "--1"} {
		e := s.open(id)
		if name, d := e.next(); name != "snapshot" || d.Payments != keptDigests+10 || d.About.Topic != "bizums" {
			t.Errorf("%q: %s with %d payments", id, name, d.Payments)
		}
		e.cancel()
	}
}

// Who reads too slowly is told to load again once what it has not read is no longer kept; nobody else hears of it.
func TestReload(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	stream := s.balance.stream
	_, next := stream.begin("")
	for i := range keptDigests + 10 {
		s.balance.Add([]Row{s.row("a", "Ana", 1, "x", int64(i))})
		stream.publish(false)
	}
	if _, _, _, kept := stream.since(next); kept {
		t.Fatal("all digests are kept")
	}
	reader, writer := newRecorder(), newRecorder()
	stream.send(t.Context(), reader.reader(), next)
	if reader.text() != "event: reload\ndata: {}\n\n" {
		t.Errorf("%q", reader.text())
	}
	ended, first := make(chan struct{}), stream.first+1 // the last digest takes the place of the first
	go func() {
		stream.send(t.Context(), writer.reader(), first)
		close(ended)
	}()
	s.balance.end()
	<-ended
	if text := writer.text(); strings.Count(text, "event: digest\n") != keptDigests || !strings.Contains(text, `"state":"ended"`) {
		t.Errorf("%d digests", strings.Count(text, "event: digest\n"))
	}
}

// A run that ends says so.
func TestEnd(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	e := s.open("")
	e.next()
	go s.server.Close()
	for {
		if _, d := e.next(); d.State == ended {
			return
		}
	}
}

// Hundreds of readers that take nothing cost little memory, do not keep the balance waiting, and are dropped.
func TestStuckReaders(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	const readers = 300
	s.balance.stream.stuck = 500 * time.Millisecond
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range readers {
		conn, err := net.Dial("tcp", s.server.Address())
		s.must(err)
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		_, err = io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		s.must(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.balance.stream.count() < readers; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d readers", s.balance.stream.count())
		}
	}
	rows := make([]Row, 512)
	for i := range rows {
		rows[i] = s.row(fmt.Sprint("account-", i), fmt.Sprint("name-", i), 1, strings.Repeat("x", 400), int64(i))
	}
	worst := time.Duration(0)
	for began := time.Now(); s.balance.stream.count() > 0; s.wait(100 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d readers are stuck", s.balance.stream.count())
		}
		at := time.Now()
		s.balance.Add(rows)
		worst = max(worst, time.Since(at))
		s.balance.stream.publish(false)
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 150<<20 {
		t.Errorf("memory has grown by %d MB", grown>>20)
	}
	t.Logf("to add rows took %v at most", worst)
}
