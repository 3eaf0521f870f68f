package kafka_test

import (
	"net"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka"
)

// countingListener counts the connections it has accepted.
type countingListener struct {
	net.Listener
	accepted atomic.Int32
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return conn, err
}

// A thousand partitions that are all sent to at once share a few connections, and what compresses them.
func TestThousandPartitions(t *testing.T) {
	var listener *countingListener
	fake := fakeCluster(t, kfake.ListenFn(func(string, string) (net.Listener, error) {
		l, err := net.Listen("tcp", "localhost:0")
		listener = &countingListener{Listener: l}
		return listener, err
	}))
	const partitions, records = 1000, 10_000
	b := benchAt(t, fake.ListenAddrs()[0], partitions, nil)
	before, connected := heap(), listener.accepted.Load()
	w := b.writer(kafka.WriterConfig{Compression: "gzip"})
	goroutines := runtime.NumGoroutine()
	for i := range records {
		b.must(w.Append(b.ctx, nil, []byte(strconv.Itoa(i)), 0, 0)) // to the partitions in turn
	}
	b.must(w.Flush(b.ctx))
	const others = 3 // who leads what, and who the producer is
	if n := listener.accepted.Load() - connected; n > 4+others {
		t.Errorf("%d connections", n)
	}
	if n := runtime.NumGoroutine(); n > goroutines+50 {
		t.Errorf("%d goroutines, %d before the first record was sent", n, goroutines)
	}
	if after := heap(); after > before+200<<20 {
		t.Errorf("%d MiB, before %d MiB", after>>20, before>>20)
	}
	var want []string
	for i := 6; i < records; i += partitions { // the first record goes to partition 1
		want = append(want, strconv.Itoa(i))
	}
	equal(t, b.read(7, 0, b.end(7)), want)
}

// A Writer that is closed while it sends something again is done with, though the answer comes later.
func TestClosedWhileResending(t *testing.T) {
	fake := fakeCluster(t)
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	var asked atomic.Int32
	resent, let := make(chan struct{}), make(chan struct{})
	fake.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		switch asked.Add(1) {
		case 1:
			return refusal(request, kerr.NotEnoughReplicas.Code), nil, true
		case 2:
			close(resent)
			fake.SleepControl(func() { <-let })
		}
		return nil, nil, false
	})
	var closed atomic.Bool
	w := b.writer(kafka.WriterConfig{Acked: func(kafka.Ack) {
		if closed.Load() {
			t.Error("acknowledged after it was closed")
		}
	}})
	b.must(w.Append(b.ctx, nil, []byte("a"), 0, 0))
	w.Push()
	<-resent
	closed.Store(true)
	w.Close()
	close(let)
	b.write(b.writer(kafka.WriterConfig{}), "b") // whose answer comes after it, on the same connection
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b"})
}
