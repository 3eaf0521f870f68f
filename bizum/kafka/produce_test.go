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

// What took long but did not fail is no reason to tell that something is waited for, when then it does.
func TestRetryTellsOfFailures(t *testing.T) {
	var told []string
	c := &Cluster{config: Config{Notice: func(text string) { told = append(told, text) }}}
	c.limits.patience = 20 * time.Millisecond
	tries := 0
	_, err := retry(t.Context(), c, time.Millisecond, func() time.Duration { return 0 }, func() (struct{}, error) {
		if tries++; tries > 1 {
			return struct{}{}, nil
		}
		time.Sleep(2 * c.limits.patience) // at work on something else
		return struct{}{}, io.ErrUnexpectedEOF
	})
	if err != nil || len(told) > 0 {
		t.Errorf("%v, and %q", err, told)
	}
}

// Tries that fail are told of as soon as they have failed for that long, however long the pauses between them are.
func TestRetryTellsInTime(t *testing.T) {
	told := make(chan string, 1)
	c := &Cluster{config: Config{Notice: func(text string) {
		select {
		case told <- text:
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
	case text := <-told:
		if !strings.Contains(text, "closed the connection") {
			t.Error(text)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing was told")
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
