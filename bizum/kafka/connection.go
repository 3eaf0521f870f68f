package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Limits of what a peer may make us hold. Sarama allocates what the first four bytes of an answer
// claim, so it gets no answer before all of it has come.
const (
	answerMax   = 8 << 20   // of a question to sarama: a topic of 100,000 partitions has fewer
	versionsMax = 64 << 10  // of the very first, which asks for versions; Kafka's has 1 kB
	claimMax    = 128 << 10 // that is allocated before it comes
)

// neededVersions are those of the requests whose versions we choose ourselves, for sarama adapts the
// others to the broker. Kafka has had both since 2.3.
var neededVersions = map[kmsg.Key]int16{kmsg.Produce: produceVersion, kmsg.Fetch: fetchVersion}

// strangerError means that the peer is no broker that we can speak to, and that waiting does not
// mend it. Sarama keeps a connection after most errors; it gives one up that is a net.Error.
type strangerError struct{ reason string }

func (e *strangerError) Error() string { return e.reason }
func (*strangerError) Timeout() bool   { return false }
func (*strangerError) Temporary() bool { return false }

// dialer opens connections for sarama. What each one's answers claim is checked before sarama sees
// it.
type dialer struct{ timeout time.Duration }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: d.timeout, KeepAlive: time.Minute}).Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &checkedConn{Conn: conn}, nil
}

// onceDialer is for one connection, and keeps it.
type onceDialer struct {
	dialer
	dialled *checkedConn
}

func (d *onceDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dialer.Dial(network, address)
	if err == nil {
		d.dialled = conn.(*checkedConn)
	}
	return conn, err
}

// checkedConn hands on whole answers only, and nothing after the first error: sarama goes on after a
// timeout, and would take the answer that comes late for that of its next request. It relies on that
// sarama writes a request in one piece, and on that every answer, as Kafka's protocol wants it, begins
// with its length.
type checkedConn struct {
	net.Conn
	answer   []byte // what is left of it
	versions int16  // of the request for versions that is under way, and its number
	asked    bool
	failed   error
}

const apiVersionsKey = 18

func (c *checkedConn) Write(request []byte) (int, error) {
	if len(request) >= 8 && binary.BigEndian.Uint16(request[4:]) == apiVersionsKey {
		c.versions, c.asked = int16(binary.BigEndian.Uint16(request[6:])), true
	}
	return c.Conn.Write(request)
}

func (c *checkedConn) Read(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	if len(c.answer) == 0 {
		if err := c.receive(); err != nil {
			c.failed = err
			return 0, err
		}
	}
	n := copy(p, c.answer)
	c.answer = c.answer[n:]
	return n, nil
}

// receive reads a whole answer.
func (c *checkedConn) receive() error {
	var length [4]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err
	}
	size, limit := binary.BigEndian.Uint32(length[:]), uint32(answerMax)
	if c.asked {
		limit = versionsMax
	}
	if size < 4 || size > limit {
		return &strangerError{fmt.Sprintf("it does not speak Kafka's protocol: "+
			"its answer claims to have %s bytes", humanize.Comma(int64(size)))}
	}
	answer, err := receive(c.Conn, append(c.answer[:0], length[:]...), int(size), nil)
	if err != nil {
		return err
	}
	if c.asked {
		c.asked = false
		if err := checkVersions(answer[8:], c.versions); err != nil {
			return err
		}
	}
	c.answer = answer
	return nil
}

// checkVersions reports whether a broker is too old, or too new, for the requests whose versions we
// choose ourselves. An answer that it does not understand is sarama's to judge.
func checkVersions(answer []byte, version int16) error {
	response := kmsg.ApiVersionsResponse{Version: version}
	if err := response.ReadFrom(answer); err != nil || response.ErrorCode != 0 {
		return nil
	}
	offered := make(map[kmsg.Key]bool)
	for _, k := range response.ApiKeys {
		needed := neededVersions[kmsg.Key(k.ApiKey)]
		offered[kmsg.Key(k.ApiKey)] = k.MinVersion <= needed && needed <= k.MaxVersion
	}
	for key, version := range neededVersions {
		if !offered[key] {
			return &strangerError{fmt.Sprintf("its Kafka is older than 2.5, or newer than this program "+
				"knows: it takes no %s requests of version %d", key.Name(), version)}
		}
	}
	return nil
}

// receive appends so many bytes of a connection to a buffer. What it has no room for yet it does not
// allocate before most of it has come. Heard, if there is one, is called when something has.
func receive(conn io.Reader, to []byte, size int, heard func()) ([]byte, error) {
	end := len(to) + size
	for len(to) < end {
		if len(to) == cap(to) {
			larger := make([]byte, len(to), min(end, max(2*cap(to), claimMax)))
			copy(larger, to)
			to = larger
		}
		n, err := conn.Read(to[len(to):min(cap(to), end)])
		to = to[:len(to)+n]
		if n > 0 && heard != nil {
			heard()
		}
		if err == io.EOF && len(to) < end {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && len(to) < end {
			return to, err
		}
	}
	return to, nil
}

// fetchConn is a connection that sarama has opened and authenticated, and on which only we speak
// from then on.
type fetchConn struct {
	net.Conn
	broker      *sarama.Broker // whose connection it was
	correlation int32
	out         []byte

	timeout time.Duration // silentTimeout
	silence *silence
}

// silence is since when a broker that is being waited for has sent nothing. It may be asked by any
// goroutine.
type silence struct{ since atomic.Int64 } // in nanoseconds of the clock; 0: nobody waits

func (s *silence) begin() { s.since.Store(time.Now().UnixNano()) }
func (s *silence) end()   { s.since.Store(0) }

// lasts returns for how long the broker has been silent.
func (s *silence) lasts() time.Duration {
	since := s.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// newFetchConn opens a connection of the caller's own and lets prepare ask questions on it.
func (c *Cluster) newFetchConn(address string, silence *silence,
	prepare func(*sarama.Broker) error) (*fetchConn, error) {
	conf, once := *c.conf, &onceDialer{dialer: dialer{dialTimeout}}
	conf.Net.Proxy.Dialer = once
	broker, err := connected(address, &conf)
	if err != nil {
		return nil, err
	}
	if err := prepare(broker); err != nil {
		go broker.Close()
		return nil, err
	}
	return &fetchConn{Conn: once.dialled.Conn, broker: broker, timeout: c.limits.silent, silence: silence}, nil
}

// Close closes the connection at once, whatever is under way on it.
func (c *fetchConn) Close() error {
	err := c.Conn.Close()
	go c.broker.Close() // what sarama has of it
	return err
}

// silentTimeout is how long a broker may take for the next bytes of an answer.
const silentTimeout = produceTimeout + 2*time.Second

// heard begins to wait for the next bytes.
func (c *fetchConn) heard() {
	c.silence.begin()
	_ = c.SetReadDeadline(time.Now().Add(c.timeout)) // it fails where the next read does
}

// send sends a request.
func (c *fetchConn) send(formatter *kmsg.RequestFormatter, request kmsg.Request) error {
	c.correlation++
	c.out = formatter.AppendRequest(c.out[:0], request, c.correlation)
	_ = c.SetWriteDeadline(time.Now().Add(c.timeout))
	_, err := c.Write(c.out)
	return err
}

// errForeignAnswer means that an answer is not the one to our question: the peer, or something
// between, has lost its way. Another connection helps.
var errForeignAnswer = fmt.Errorf("the answer is that to another question: %w", io.ErrUnexpectedEOF)

// answerSize waits for the next answer's length.
func (c *fetchConn) answerSize(ctx context.Context) (int64, error) {
	defer c.silence.end()
	c.heard()
	release := c.endWith(ctx)
	defer release()
	var head [8]byte
	if _, err := receive(c, head[:0], len(head), c.heard); err != nil {
		return 0, err
	}
	if int32(binary.BigEndian.Uint32(head[4:])) != c.correlation {
		return 0, errForeignAnswer
	}
	return int64(int32(binary.BigEndian.Uint32(head[:]))) - 4, nil
}

// answer receives so many bytes of an answer.
func (c *fetchConn) answer(ctx context.Context, to []byte, size int) ([]byte, error) {
	defer c.silence.end()
	c.heard()
	release := c.endWith(ctx)
	defer release()
	return receive(c, to, size, c.heard)
}

// endWith has reads fail at once when ctx ends, until release is called.
func (c *fetchConn) endWith(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
}

// isStranger reports whether err says that the peer is no broker of ours.
func isStranger(err error) bool {
	var stranger *strangerError
	return errors.As(err, &stranger)
}
