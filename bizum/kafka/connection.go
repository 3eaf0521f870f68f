package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Limits of the memory that a peer can make us allocate. Sarama allocates what the first four bytes of a response
// claim, so it is given a response only once all of it has been received.
const (
	lookupBytesMax   = 8 << 20   // a response to sarama; the metadata of 100,000 partitions is smaller
	versionsBytesMax = 64 << 10  // the first response, ApiVersions; Kafka's has 1 kB
	allocateBytesMax = 128 << 10 // allocated before it is received
)

// neededVersions are the versions of the requests that we encode ourselves; sarama adapts the others to the broker.
// Kafka has had both since 2.3.
var neededVersions = map[kmsg.Key]int16{kmsg.Produce: produceVersion, kmsg.Fetch: fetchVersion}

// checkVersions returns an error if a broker is too old, or too new, for the requests whose versions we choose
// ourselves. A response that it cannot decode is left to sarama.
func checkVersions(encoded []byte, version int16) error {
	response := kmsg.ApiVersionsResponse{Version: version}
	if err := response.ReadFrom(encoded); err != nil || response.ErrorCode != 0 {
		return nil
	}
	offered := make(map[kmsg.Key]bool)
	for _, k := range response.ApiKeys {
		needed := neededVersions[kmsg.Key(k.ApiKey)]
		offered[kmsg.Key(k.ApiKey)] = k.MinVersion <= needed && needed <= k.MaxVersion
	}
	for key, version := range neededVersions {
		if !offered[key] {
			return &notKafkaError{fmt.Sprintf("its Kafka is older than 2.5, or newer than this program "+
				"knows: it takes no %s requests of version %d", key.Name(), version)}
		}
	}
	return nil
}

// receive appends size bytes of a connection to a buffer. It allocates in steps, as the bytes arrive. It calls heard,
// if not nil, after each read that returned any.
func receive(conn io.Reader, to []byte, size int, heard func()) ([]byte, error) {
	end := len(to) + size
	for len(to) < end {
		if len(to) == cap(to) {
			larger := make([]byte, len(to), min(end, max(2*cap(to), allocateBytesMax)))
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

// fetchConn is a connection that sarama has opened and authenticated, and that sarama no longer uses.
type fetchConn struct {
	net.Conn
	setup       *checkedConn
	broker      *sarama.Broker // sarama's side of the connection
	correlation int32
	out         []byte

	timeout time.Duration // silentTimeout
	silence *silence
}

// silence measures how long a broker that we wait for has sent nothing. Any goroutine may read it.
type silence struct{ since atomic.Int64 } // Unix time in nanoseconds; 0 if nobody waits

func (s *silence) begin() { s.since.Store(time.Now().UnixNano()) }
func (s *silence) end()   { s.since.Store(0) }

// lasts returns how long the broker has been silent, 0 if nobody waits for it.
func (s *silence) lasts() time.Duration {
	since := s.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// newFetchConn opens a connection for the caller alone. Before it returns, prepare may send requests on it by sarama.
func (c *Cluster) newFetchConn(address string, silence *silence,
	prepare func(*sarama.Broker) error) (*fetchConn, error) {
	conf, once := *c.conf, &onceDialer{dialer: c.dialer}
	conf.Net.Proxy.Dialer = once
	broker, err := connected(address, &conf)
	if err != nil {
		return nil, err
	}
	if err := prepare(broker); err != nil {
		go broker.Close()
		return nil, err
	}
	return &fetchConn{Conn: once.dialled.Conn, setup: once.dialled, broker: broker, timeout: c.limits.silent,
		silence: silence}, nil
}

// Close closes the connection at once, whatever is under way on it.
func (c *fetchConn) Close() error {
	err := c.Conn.Close()
	go c.broker.Close() // stops sarama's goroutine
	return err
}

// silentTimeout is how long a broker may take to send the next bytes of a response.
const silentTimeout = produceTimeout + 2*time.Second

// heard restarts the timeout: bytes have arrived.
func (c *fetchConn) heard() {
	c.silence.begin()
	_ = c.SetReadDeadline(time.Now().Add(c.timeout)) // if it fails, so does the next read
}

// send sends a request.
func (c *fetchConn) send(formatter *kmsg.RequestFormatter, request kmsg.Request) error {
	c.correlation++
	c.out = formatter.AppendRequest(c.out[:0], request, c.correlation)
	_ = c.SetWriteDeadline(time.Now().Add(c.timeout))
	_, err := c.Write(c.out)
	return err
}

// errOtherResponse means that the correlation id of a response is not that of our request. It is retried, on another
// connection.
var errOtherResponse = fmt.Errorf("the response is to another request: %w", io.ErrUnexpectedEOF)

// responseSize waits for the next response and returns its size without the header.
func (c *fetchConn) responseSize(ctx context.Context) (int64, error) {
	defer c.silence.end()
	c.heard()
	release := c.endWith(ctx)
	defer release()
	var head [8]byte
	if _, err := receive(c, head[:0], len(head), c.heard); err != nil {
		return 0, err
	}
	if int32(binary.BigEndian.Uint32(head[4:])) != c.correlation {
		return 0, errOtherResponse
	}
	return int64(int32(binary.BigEndian.Uint32(head[:]))) - 4, nil
}

// response appends size bytes of the response to to.
func (c *fetchConn) response(ctx context.Context, to []byte, size int) ([]byte, error) {
	defer c.silence.end()
	c.heard()
	release := c.endWith(ctx)
	defer release()
	return receive(c, to, size, c.heard)
}

// endWith closes the connection when ctx ends, unless release is called before.
func (c *fetchConn) endWith(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
}
