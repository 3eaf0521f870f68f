package kafka

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialer opens connections for sarama: it speaks TLS on them, checks each response before sarama reads it, and finds
// out why a broker does not let us in.
type dialer struct {
	config  Config
	timeout time.Duration // for the connection and the TLS handshake together
	// admitted is set once a broker has let us in: from then on, one that closes a connection may only be going down.
	admitted atomic.Bool
	// refusing is when brokers began to refuse our login, in Unix nanoseconds; 0 while they let us in.
	refusing atomic.Int64
}

// refusalMax is how long a broker that has let us in before may refuse our login. A password is changed at the brokers
// first, where we get it from a moment later; and one that has just started may not know all users yet.
const refusalMax = 30 * time.Second

// mayPass reports whether a refused login may pass by itself.
func (d *dialer) mayPass() bool {
	d.refusing.CompareAndSwap(0, time.Now().UnixNano())
	return d.admitted.Load() && time.Since(time.Unix(0, d.refusing.Load())) < refusalMax
}

func newDialer(config Config) *dialer { return &dialer{config: config, timeout: dialTimeout} }

// Dial implements proxy.Dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dial(network, address)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (d *dialer) dial(network, address string) (*checkedConn, error) {
	began := time.Now()
	conn, err := (&net.Dialer{Timeout: d.timeout, KeepAlive: time.Minute}).Dial(network, address)
	if err != nil {
		return nil, d.unreachable(address, err)
	}
	c := &checkedConn{Conn: conn, dialer: d, address: address}
	c.took.connect = time.Since(began)
	if d.config.TLS == nil {
		return c, nil
	}
	if c.secured, c.certificateWanted, err = d.secure(conn, address, began.Add(d.timeout)); err != nil {
		conn.Close()
		return nil, err
	}
	c.Conn = c.secured
	c.took.tls = time.Since(began) - c.took.connect
	return c, nil
}

// advertisedError means that a broker cannot be reached at an address that we have from the cluster.
type advertisedError struct {
	asked, address string
	cause          error
}

func (e *advertisedError) Error() string {
	return fmt.Sprintf("the cluster at %s says that it has a broker at %s, but: %v; is that address right "+
		"(advertised.listeners)?", e.asked, e.address, reason(e.cause))
}

func (e *advertisedError) Unwrap() error { return e.cause }

// unreachable adds to an error of dialling where we have the address from.
func (d *dialer) unreachable(address string, err error) error {
	if slices.Contains(d.config.Brokers, address) {
		return err
	}
	return &advertisedError{asked: d.config.addresses(), address: address, cause: err}
}

// onceDialer opens one connection and records it.
type onceDialer struct {
	*dialer
	dialled *checkedConn
}

func (d *onceDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dial(network, address)
	if err != nil {
		return nil, err
	}
	d.dialled = conn
	return conn, nil
}

// checkedConn returns only complete responses, and nothing after the first error: sarama reads on after a timeout, and
// would take the late response for that of its next request. It relies on sarama writing a request with one Write and
// waiting for its response before the next, and on every response beginning with its length, as Kafka's protocol says.
type checkedConn struct {
	net.Conn
	dialer   *dialer
	address  string
	secured  *secureConn // nil without TLS
	response []byte      // the rest of it, not yet read by sarama
	failed   error

	// The request in flight.
	key, version int16
	began        time.Time

	certificateWanted bool // of us, in the TLS handshake
	responses         int  // received
	admitted          bool // a request was responded to that comes after a login
	took              took
}

// took is how long the steps of setting up a connection took.
type took struct{ connect, tls, versions, login time.Duration }

// requestHeadBytes is the length of what checkedConn looks at in a request: its length, key and version.
const requestHeadBytes = 8

func (c *checkedConn) Write(request []byte) (int, error) {
	if len(request) >= requestHeadBytes {
		c.key, c.version = int16(binary.BigEndian.Uint16(request[4:])), int16(binary.BigEndian.Uint16(request[6:]))
		c.began = time.Now()
	}
	return c.Conn.Write(request)
}

func (c *checkedConn) Read(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	if len(c.response) == 0 {
		if err := c.receive(); err != nil {
			c.failed = c.explain(err)
			return 0, c.failed
		}
	}
	n := copy(p, c.response)
	c.response = c.response[n:]
	return n, nil
}

// receive reads a complete response.
func (c *checkedConn) receive() error {
	var length [4]byte
	if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
		return err
	}
	size, limit := binary.BigEndian.Uint32(length[:]), uint32(lookupBytesMax)
	if c.key == int16(kmsg.ApiVersions) {
		limit = versionsBytesMax
	}
	if isAlert(length) && c.secured == nil && c.responses == 0 {
		return c.speaksTLS()
	}
	if size < 4 || size > limit {
		return &notKafkaError{fmt.Sprintf("it does not speak Kafka's protocol: "+
			"its response claims to have %s bytes", humanize.Comma(int64(size)))}
	}
	response, err := receive(c.Conn, append(c.response[:0], length[:]...), int(size), nil)
	if err != nil {
		return err
	}
	if err := c.check(response[8:]); err != nil {
		return err
	}
	c.response = response
	c.responses++
	return nil
}

// check looks at the responses of a connection that is being set up. The response begins after its header.
func (c *checkedConn) check(response []byte) error {
	duration := time.Since(c.began)
	switch kmsg.Key(c.key) {
	case kmsg.ApiVersions:
		c.took.versions = duration
		return checkVersions(response, c.version)
	case kmsg.SASLHandshake:
		c.took.login += duration
		return c.checkMechanism(response)
	case kmsg.SASLAuthenticate:
		c.took.login += duration
		return c.checkLogin(response)
	}
	if !c.admitted { // a new connection, on which the login was right
		c.admitted = true
		c.dialer.admitted.Store(true)
		c.dialer.refusing.Store(0)
	}
	return nil
}
