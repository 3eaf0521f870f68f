package kafka

import (
	"context"
	"errors"
	"io"
	"strings"
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

// Failing tries are reported as soon as they have failed for patience, however long the pauses between them are.
func TestRetryReportsInTime(t *testing.T) {
	notices := make(chan string, 1)
	c := &Cluster{config: Config{Notice: func(text string) {
		select {
		case notices <- text:
		default:
		}
	}}}
	c.limits.patience = 20 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := retry(ctx, c, time.Hour, func() time.Duration { return 0 }, func() (struct{}, error) {
			return struct{}{}, io.ErrUnexpectedEOF
		})
		ended <- err
	}()
	select {
	case text := <-notices:
		if !strings.Contains(text, "closed the connection") {
			t.Error(text)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was reported")
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
