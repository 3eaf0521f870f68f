package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/singleflight"
)

// produceVersion is the newest version whose response has no errors per record (KIP-467); Kafka 4 supports versions
// from 3 on.
const produceVersion = 7

// produceResponseBytesMax is more than the response for one partition has.
const produceResponseBytesMax = 64 << 10

// produceConn is a connection on which several Produce requests are in flight at a time: a broker responds in the order
// of the requests. Several goroutines may use it.
//
// A broker that throttles us (KIP-219) stops reading from the connection for that time, so we do not have to wait.
type produceConn struct {
	*fetchConn
	address   string
	formatter *kmsg.RequestFormatter

	mu      sync.Mutex // held while a request is sent, which may take long
	waiting []produced
	err     error // why the connection has failed

	failed atomic.Bool // whether err is set, readable without mu

	conns *produceConns
	slow  int32 // conns.slow when it was opened
}

// produceConns are the connections that all writers of a cluster share.
type produceConns struct {
	mu     sync.Mutex
	open   map[leaderConn]*produceConn
	closed bool

	opening singleflight.Group

	// slow is how often the time that a broker has for a response was doubled. A batch that takes longer on a slow line
	// would be sent again and again, so after a timeout the next connections wait longer, until a response is as quick as
	// it should be.
	slow atomic.Int32
}

const slowMax = 4

// leaderConn identifies a connection to a broker. A broker handles one request of a connection at a time, so the
// partitions it leads share a few connections rather than one.
type leaderConn struct {
	address string
	number  uint32
}

const connsPerLeader = 4

// produceConn returns the connection to a partition's leader. It opens one without holding the lock, so that others do
// not wait for a slow broker; callers that need the same connection share one attempt.
func (c *Cluster) produceConn(topic string, partition int32) (*produceConn, error) {
	address, err := c.leader(topic, partition)
	if err != nil {
		return nil, err
	}
	conns, name := &c.produceConns, leaderConn{address, uint32(partition) % connsPerLeader}
	if conn, err := conns.get(name); conn != nil || err != nil {
		return conn, err
	}
	opened, err, _ := conns.opening.Do(fmt.Sprint(name), func() (any, error) {
		if conn, err := conns.get(name); conn != nil || err != nil { // another partition was quicker
			return conn, err
		}
		conn, err := c.newProduceConn(address)
		if err == nil {
			err = conns.put(name, conn)
		}
		return conn, err
	})
	conn, _ := opened.(*produceConn)
	return conn, err
}

// get returns the open connection of that name, nil if there is none or it has failed.
func (p *produceConns) get(name leaderConn) (*produceConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	conn := p.open[name]
	if conn != nil && conn.failed.Load() {
		conn = nil
	}
	return conn, nil
}

// put makes a connection available to all writers.
func (p *produceConns) put(name leaderConn, conn *produceConn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		go conn.fail(net.ErrClosed)
		return net.ErrClosed
	}
	p.open[name] = conn
	return nil
}

func (p *produceConns) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, conn := range p.open {
		go conn.fail(net.ErrClosed)
	}
}

// produced is a request in flight.
type produced struct {
	topic       string
	partition   int32
	correlation int32
	sent        time.Time
	done        func(offset int64, err error)
}

func (c *Cluster) newProduceConn(address string) (*produceConn, error) {
	conn, err := c.newFetchConn(address, new(silence), func(*sarama.Broker) error { return nil })
	if err != nil {
		return nil, err
	}
	p := &produceConn{fetchConn: conn, address: address,
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(c.config.ClientID)),
		conns:     &c.produceConns, slow: c.produceConns.slow.Load()}
	p.timeout <<= p.slow
	_ = p.SetReadDeadline(time.Time{}) // until there is a request
	go p.receive()
	return p, nil
}

// produce sends a batch. Unless it returns an error, it calls done once, with the offset of the batch's first record or
// with an error of the broker or the connection. Done must not block.
func (p *produceConn) produce(transactionalID, topic string, partition int32, batch []byte,
	done func(offset int64, err error)) error {
	q := kmsg.NewProduceRequestTopicPartition()
	q.Partition, q.Records = partition, batch
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.ProduceRequestTopicPartition{q}
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.Topics = produceVersion, -1, []kmsg.ProduceRequestTopic{t}
	request.TimeoutMillis = int32(produceTimeout.Milliseconds())
	if transactionalID != "" {
		request.TransactionID = &transactionalID
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if len(p.waiting) == 0 {
		p.heard()
	}
	p.waiting = append(p.waiting, produced{topic, partition, p.correlation + 1, time.Now(), done})
	if err := p.send(p.formatter, request); err != nil {
		p.waiting = p.waiting[:len(p.waiting)-1]
		p.err = err
		p.failed.Store(true)
		go p.fail(err) // so have the requests in flight
		return err
	}
	return nil
}

// receive calls done for each response until the connection ends.
func (p *produceConn) receive() {
	var response []byte
	for {
		var head [8]byte
		_, err := receive(p, head[:0], len(head), p.heard)
		a := fields{rest: head[:]}
		size, correlation := int(a.int32())-4, a.int32()
		if err == nil && (size < 0 || size > produceResponseBytesMax) {
			err = &notKafkaError{fmt.Sprintf("the response of the broker at %s claims to have %d bytes", p.address, size)}
		}
		if err == nil {
			response, err = receive(p, response[:0], size, p.heard)
		}
		var asked produced
		if err == nil {
			asked, err = p.dequeue(correlation)
		}
		if err != nil {
			p.fail(err)
			return
		}
		if p.slow > 0 && time.Since(asked.sent) < p.timeout>>p.slow {
			p.conns.slow.Store(0)
		}
		asked.done(parseProduced(response, asked.topic, asked.partition))
	}
}

// dequeue removes and returns the oldest request in flight, whose correlation id must be that of the response.
func (p *produceConn) dequeue(correlation int32) (asked produced, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 || p.waiting[0].correlation != correlation {
		return asked, errOtherResponse
	}
	asked = p.waiting[0]
	p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	if len(p.waiting) == 0 {
		p.silence.end()
		_ = p.SetReadDeadline(time.Time{})
	}
	return asked, nil
}

// fail closes the connection and fails the requests in flight.
func (p *produceConn) fail(err error) {
	p.failed.Store(true)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.conns.slow.CompareAndSwap(p.slow, min(p.slow+1, slowMax))
	}
	_ = p.Close() // before mu is locked: it unblocks a request that is being sent
	p.mu.Lock()
	p.err = cmp.Or(p.err, err)
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, asked := range waiting {
		asked.done(-1, err)
	}
}

var errProduceResponse = errors.New("the broker's response to a batch is malformed")

// parseProduced decodes a Produce response of version 7.
func parseProduced(response []byte, topic string, partition int32) (offset int64, err error) {
	a := fields{rest: response}
	if a.int32() != 1 || string(a.bytes(int(a.int16()))) != topic || a.int32() != 1 || a.int32() != partition {
		return -1, errProduceResponse
	}
	code := a.int16()
	offset = a.int64()
	a.int64() // time of the append
	a.int64() // start of the log
	a.int32() // throttle time
	if a.bad || len(a.rest) > 0 {
		return -1, errProduceResponse
	}
	return offset, orNil(sarama.KError(code))
}
