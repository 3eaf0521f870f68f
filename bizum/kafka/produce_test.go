package kafka

import (
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
