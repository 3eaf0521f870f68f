package kafka

import (
	"io"
	"testing"
	"time"
)

// Whoever wants a connection does not wait for another one, on which a large request is being sent.
func TestConnsDoNotWait(t *testing.T) {
	name := leaderConn{"localhost:9092", 0}
	busy := new(produceConn)
	busy.mu.Lock()
	conns := produceConns{open: map[leaderConn]*produceConn{name: busy}}
	got := make(chan *produceConn)
	go func() {
		conn, _ := conns.get(name)
		got <- conn
	}()
	select {
	case conn := <-got:
		if conn != busy {
			t.Errorf("%v, want the one there is", conn)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits")
	}
}

// A try that took long before it failed is not reported as a wait if the next one succeeds at once.
func TestRetryReportsFailures(t *testing.T) {
	var notices []string
	c := &Cluster{config: Config{Notice: func(text string) { notices = append(notices, text) }}}
	c.limits.patience = 20 * time.Millisecond
	tries := 0
	_, err := retry(t.Context(), c, time.Millisecond, func() time.Duration { return 0 }, func() (struct{}, error) {
		if tries++; tries > 1 {
			return struct{}{}, nil
		}
		time.Sleep(2 * c.limits.patience) // at work on something else
		return struct{}{}, io.ErrUnexpectedEOF
	})
	if err != nil || len(notices) > 0 {
		t.Errorf("%v, and %q", err, notices)
	}
}
