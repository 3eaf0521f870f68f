package kafka_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// A Writer that is closed while it resends ends, although the response arrives later.
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
	b.write(b.writer(kafka.WriterConfig{}), "b") // whose response arrives after it, on the same connection
	equal(t, b.read(0, 0, b.end(0)), []string{"a", "b"})
}

// mischief is a listener whose connections forward some requests twice, and cut some responses.
type mischief struct {
	net.Listener
	mu            sync.Mutex
	rng           *rand.Rand // nil: none
	twice, losses int
}

func (m *mischief) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	return &mischiefConn{Conn: conn, by: m}, err
}

// does reports whether to do something that is done once in so many times.
func (m *mischief) does(what *int, in int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rng == nil || m.rng.IntN(in) > 0 {
		return false
	}
	*what++
	return true
}

type mischiefConn struct {
	net.Conn
	by       *mischief
	request  []byte // what is left of it
	produces atomic.Bool
}

func (c *mischiefConn) Read(b []byte) (int, error) {
	if len(c.request) == 0 {
		c.request = make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, c.request); err != nil {
			return 0, err
		}
		c.request = append(c.request, make([]byte, binary.BigEndian.Uint32(c.request))...)
		if _, err := io.ReadFull(c.Conn, c.request[4:]); err != nil {
			return 0, err
		}
		if kmsg.Key(binary.BigEndian.Uint16(c.request[4:])) == kmsg.Produce {
			c.produces.Store(true)
			if c.by.does(&c.by.twice, 10) {
				c.request = append(c.request, c.request...)
			}
		}
	}
	n := copy(b, c.request)
	c.request = c.request[n:]
	return n, nil
}

func (c *mischiefConn) Write(b []byte) (int, error) {
	if c.produces.Load() && c.by.does(&c.by.losses, 10) {
		_, _ = c.Conn.Write(b[:len(b)/2])
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// Requests that arrive twice, responses that are cut and batches that have to be split leave every record of every
// partition there once, in order, with its acknowledgement.
func TestMischief(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("BIZUMCTL_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("BIZUMCTL_SEED=%d", seed)
	var m *mischief
	fake := fakeCluster(t, kfake.ListenFn(func(string, string) (net.Listener, error) {
		l, err := net.Listen("tcp", "localhost:0")
		m = &mischief{Listener: l}
		return m, err
	}))
	const partitions, records = 6, 120_000
	b := benchAt(t, fake.ListenAddrs()[0], partitions, map[string]*string{"max.message.bytes": ref("30000")})
	var mu sync.Mutex
	acked := make(map[int32][]string)
	w := b.writer(kafka.WriterConfig{Compression: "zstd", Records: 2000, Acked: func(a kafka.Ack) {
		mu.Lock()
		defer mu.Unlock()
		for _, mark := range a.Marks {
			acked[a.Partition] = append(acked[a.Partition], strconv.FormatInt(mark, 10))
		}
	}})
	m.mu.Lock()
	m.rng = rand.New(rand.NewPCG(seed, 0))
	m.mu.Unlock()
	want := make(map[int32][]string)
	noise := rand.New(rand.NewPCG(seed, 1))
	for i := range records {
		p, value := int32(i+1)%partitions, strconv.Itoa(i)
		want[p] = append(want[p], value)
		padding := kafka.Header{Key: "x", Value: make([]byte, 12)} // that does not compress
		for i := range padding.Value {
			padding.Value[i] = byte(noise.Uint32())
		}
		b.must(w.Append(b.ctx, nil, []byte(value), 0, int64(i), padding))
	}
	b.must(w.Flush(b.ctx))
	m.mu.Lock()
	m.rng = nil
	t.Logf("%d requests twice, %d responses cut", m.twice, m.losses)
	if m.twice == 0 || m.losses == 0 {
		t.Error("that is not what was to be tested")
	}
	m.mu.Unlock()
	for p := range int32(partitions) {
		equal(t, b.read(p, 0, b.end(p)), want[p])
		equal(t, acked[p], want[p])
	}
}

// slowLine is a listener that takes a while for each request that is large.
type slowLine struct {
	net.Listener
	while time.Duration
}

func (l slowLine) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return slowLineConn{conn, l.while}, err
}

type slowLineConn struct {
	net.Conn
	while time.Duration
}

func (c slowLineConn) Read(b []byte) (int, error) {
	const large = 50_000
	n, err := io.ReadFull(c.Conn, b[:min(len(b), 1)])
	if len(b) > large {
		time.Sleep(c.while)
	}
	if err == nil && len(b) > n {
		var more int
		more, err = c.Conn.Read(b[n:])
		n += more
	}
	return n, err
}

// A batch that takes longer on a slow line than a broker has to respond arrives all the same.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	fake := fakeCluster(t, kfake.ListenFn(func(string, string) (net.Listener, error) {
		l, err := net.Listen("tcp", "localhost:0")
		return slowLine{l, 500 * time.Millisecond}, err
	}))
	b := benchAt(t, fake.ListenAddrs()[0], 1, nil)
	cluster := open(t, b.address)
	cluster.SetLimits(time.Minute, 200*time.Millisecond)
	w, err := cluster.NewWriter(b.ctx, b.topic, kafka.WriterConfig{Compression: "none"})
	b.must(err)
	defer w.Close()
	value := strings.Repeat("x", 100_000)
	b.write(w, value, value, value)
	equal(t, b.read(0, 0, b.end(0)), []string{value, value, value})
}

// A topic that is deleted and recreated beneath a Writer has lost what it had acknowledged, and that is an error:
// whether the Writer goes on, or has ended.
func TestLostTopic(t *testing.T) {
	t.Parallel()
	for _, goesOn := range []bool{true, false} {
		b := newBench(t, 1)
		cluster := open(t, b.address)
		w, err := cluster.NewWriter(b.ctx, b.topic, kafka.WriterConfig{Compression: "none"})
		b.must(err)
		defer w.Close()
		b.write(w, "a", "b", "c")
		b.must(w.Verify(b.ctx))
		_, err = b.admin.DeleteTopic(b.ctx, b.topic)
		b.must(err)
		for created := false; !created; { // Kafka takes its time to forget the name
			b.must(b.ctx.Err())
			created, err = cluster.CreateTopic(b.ctx, b.topic, kafka.TopicSpec{Partitions: 1})
			b.must(err)
		}
		if goesOn {
			b.must(w.Append(b.ctx, nil, []byte("d"), 1, 0))
			err = w.Flush(b.ctx)
		} else {
			err = w.Verify(b.ctx)
		}
		var lost *kafka.LostError
		if !errors.As(err, &lost) || lost.Records != 3 || !errors.Is(err, kafka.ErrNewTopic) {
			t.Errorf("goes on: %v: %v", goesOn, err)
		}
	}
}
