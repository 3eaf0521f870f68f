package kafka

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchVersion is the last one before fields of variable length (KIP-482), and the newest that
// Kafka 2.5 takes; Kafka 4 takes versions from 4 on.
const fetchVersion = 11

// fetchRequest requests the records of a partition from a position on, the committed ones or all (KIP-98), outside of
// fetch sessions (KIP-227), which help only with many partitions.
func fetchRequest(topic string, partition int32, position int64, bytes int32,
	isolation sarama.IsolationLevel) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, position, bytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.FetchRequestTopicPartition{p}
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.Topics = fetchVersion, []kmsg.FetchRequestTopic{t}
	request.MinBytes, request.MaxWaitMillis = 1, int32(fetchWait.Milliseconds())
	request.IsolationLevel, request.SessionEpoch = int8(isolation), -1
	// Only PartitionMaxBytes limits the response: kfake leaves the aborted transactions out of a response that
	// MaxBytes has cut.
	request.MaxBytes = math.MaxInt32
	return request
}

// fetched is the response to a fetchRequest.
type fetched struct {
	throttle time.Duration // before the next request (KIP-219)
	records  []byte        // batches; the last one may be incomplete
	aborted  []abortedTransaction
}

// abortedTransaction is one that ends with an abort and has records in the response, or before it.
type abortedTransaction struct{ producer, first int64 }

var errFetchResponse = errors.New("the broker's response is malformed")

// parseFetched decodes a Fetch response of version 11. It does not use kmsg, which allocates as many topics and
// partitions as the response claims to have.
func parseFetched(response []byte, topic string, partition int32) (f fetched, err error) {
	a := fields{rest: response}
	f.throttle = time.Duration(a.int32()) * time.Millisecond
	code := a.int16()
	a.int32() // of the session
	topics := a.int32()
	if !a.bad && code != 0 {
		return f, sarama.KError(code)
	}
	if topics != 1 || string(a.bytes(int(a.int16()))) != topic || a.int32() != 1 || a.int32() != partition {
		return f, errFetchResponse
	}
	code = a.int16()
	a.int64() // high watermark
	a.int64() // last stable offset
	a.int64() // start of the log
	if transactions := a.int32(); transactions > 0 {
		if int(transactions) > len(a.rest)/16 {
			return f, errFetchResponse
		}
		for range transactions {
			f.aborted = append(f.aborted, abortedTransaction{a.int64(), a.int64()})
		}
	}
	a.int32() // replica that would be better to ask (KIP-392): only clients that name their rack get one
	if size := a.int32(); size > 0 {
		f.records = a.bytes(int(size))
	}
	switch {
	case a.bad || len(a.rest) > 0:
		return f, errFetchResponse
	case code != 0:
		return f, sarama.KError(code)
	}
	return f, nil
}

// fields decodes the fields of a response in order. A field beyond the end is 0, and sets bad.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) bytes(n int) []byte {
	if n < 0 || n > len(f.rest) {
		f.bad, f.rest = true, nil
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) int16() int16 {
	if b := f.bytes(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (f *fields) int32() int32 {
	if b := f.bytes(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (f *fields) int64() int64 {
	if b := f.bytes(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}
