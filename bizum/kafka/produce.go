package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/singleflight"
)

// produceVersion is the last one that a broker of Kafka 2.5 answers in full; Kafka 4 takes versions
// from 3 on.
const produceVersion = 7

// produceAnswerMax is more than the answer for one partition has.
const produceAnswerMax = 64 << 10

// produceConn is a connection on which batches are sent, several at a time, as Kafka's protocol
// allows: a broker answers in the order of the requests. It may be used by several goroutines.
//
// A broker that throttles us (KIP-219) reads no further from the connection for that time, so there
// is nothing to wait for here.
type produceConn struct {
	*fetchConn
	address   string
	formatter *kmsg.RequestFormatter

	mu      sync.Mutex // held while a request is sent, which may take long
	waiting []produced
	err     error // why the connection is of no use any more

	failed atomic.Bool // whether there is an err
}

// produceConns are the connections that all writers of a cluster share.
type produceConns struct {
	mu     sync.Mutex
	open   map[leaderConn]*produceConn
	closed bool

	opening singleflight.Group
}

// leaderConn names a connection to a broker. A broker handles one request of a connection at a time, so
// its partitions share a few connections, not one.
type leaderConn struct {
	address string
	number  uint32
}

const connsPerLeader = 4

// produceConn returns the connection to a partition's leader. It opens one without holding the lock: a
// broker may take long to answer, and others must not wait for it. Those who want the same one do.
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

// get returns the connection that there is of a name, nil if there is none, or one that has failed.
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

// put keeps a connection for the others.
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

// produced is a request without an answer yet.
type produced struct {
	topic       string
	partition   int32
	correlation int32
	done        func(offset int64, err error)
}

func (c *Cluster) newProduceConn(address string) (*produceConn, error) {
	conn, err := c.newFetchConn(address, new(silence), func(*sarama.Broker) error { return nil })
	if err != nil {
		return nil, err
	}
	p := &produceConn{fetchConn: conn, address: address,
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(c.config.ClientID))}
	_ = p.SetReadDeadline(time.Time{}) // until something is asked
	go p.receive()
	return p, nil
}

// produce sends a batch. Unless it returns an error, done is called once: with the offset of the
// batch's first record, or with an error of the broker or the connection. It must not block.
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
	p.waiting = append(p.waiting, produced{topic, partition, p.correlation + 1, done})
	if err := p.send(p.formatter, request); err != nil {
		p.waiting = p.waiting[:len(p.waiting)-1]
		p.err = err
		p.failed.Store(true)
		go p.fail(err) // the others' answers do not come any more either
		return err
	}
	return nil
}

// receive hands out the answers until the connection ends.
func (p *produceConn) receive() {
	var answer []byte
	for {
		var head [8]byte
		_, err := receive(p, head[:0], len(head), p.heard)
		a := fields{rest: head[:]}
		size, correlation := int(a.int32())-4, a.int32()
		if err == nil && (size < 0 || size > produceAnswerMax) {
			err = &strangerError{fmt.Sprintf("the answer of the broker at %s claims to have %d bytes", p.address, size)}
		}
		if err == nil {
			answer, err = receive(p, answer[:0], size, p.heard)
		}
		var asked produced
		if err == nil {
			asked, err = p.answered(correlation)
		}
		if err != nil {
			p.fail(err)
			return
		}
		asked.done(parseProduced(answer, asked.topic, asked.partition))
	}
}

// answered takes the request that has been answered.
func (p *produceConn) answered(correlation int32) (asked produced, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 || p.waiting[0].correlation != correlation {
		return asked, errForeignAnswer
	}
	asked = p.waiting[0]
	p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	if len(p.waiting) == 0 {
		p.silence.end()
		_ = p.SetReadDeadline(time.Time{})
	}
	return asked, nil
}

// fail closes the connection, and tells those who wait for answers.
func (p *produceConn) fail(err error) {
	p.failed.Store(true)
	_ = p.Close() // first, for it ends a request that is being sent
	p.mu.Lock()
	p.err = cmp.Or(p.err, err)
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, asked := range waiting {
		asked.done(-1, err)
	}
}

var errProduceAnswer = errors.New("the broker's answer to a batch does not add up")

// parseProduced reads an answer of version 7.
func parseProduced(answer []byte, topic string, partition int32) (offset int64, err error) {
	a := fields{rest: answer}
	if a.int32() != 1 || string(a.bytes(int(a.int16()))) != topic || a.int32() != 1 || a.int32() != partition {
		return -1, errProduceAnswer
	}
	code := a.int16()
	offset = a.int64()
	a.int64() // time of the append
	a.int64() // start of the log
	a.int32() // throttle time
	if a.bad || len(a.rest) > 0 {
		return -1, errProduceAnswer
	}
	return offset, orNil(sarama.KError(code))
}
