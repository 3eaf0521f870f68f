// Package record has the types that the rooms share: a record as a topic keeps it, and where it stands. It knows no
// broker, no file and no payment.
package record

import (
	"encoding/binary"
	"fmt"
)

// Position is a place in a topic.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String returns the position as messages name it, such as bizums/2@1041.
func (p Position) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }

// Record is a message as a topic keeps it. A Key of nil is none, a Value of nil a tombstone.
type Record struct {
	Position
	Timestamp  int64 // in milliseconds since 1970, of any value; -1: none
	Key, Value []byte
	Headers    Headers
}

// Header is a header of a record to be written.
type Header struct {
	Key   string
	Value []byte
}

// Headers are the headers of a record as a batch encodes them (KIP-82): their number as a zigzag varint, then the name
// and the value of each, every one after its length. A length of -1 is a value of nil.
type Headers []byte

// Get returns the value of the first header of this name, nil if there is none.
func (h Headers) Get(name string) []byte {
	count, n := binary.Varint(h)
	rest := h[max(n, 0):]
	for ; count > 0; count-- {
		var key, value []byte
		var ok bool
		if key, rest, ok = field(rest); !ok {
			return nil
		}
		if value, rest, ok = field(rest); !ok {
			return nil
		}
		if string(key) == name {
			return value
		}
	}
	return nil
}

func field(b []byte) (field, rest []byte, ok bool) {
	length, n := binary.Varint(b)
	if n <= 0 || length < -1 || length > int64(len(b)-n) {
		return nil, nil, false
	}
	if b = b[n:]; length < 0 {
		return nil, b, true
	}
	return b[:length:length], b[length:], true
}
