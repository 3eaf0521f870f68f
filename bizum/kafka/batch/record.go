package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"bizumctl/bizum/record"
)

var (
	errRecordLength  = errors.New("a record that is longer or shorter than it says")
	errRecordsLength = errors.New("records that are longer or shorter than they say")
)

// Check returns an error unless the records are well formed. Decompress them first, and read them only after Check.
func (b *Batch) Check() error {
	at, before, last := 0, int64(-1), b.Last-b.First
	var r record.Record
	for range b.Count {
		if at = decode(&r, b.records, at); at < 0 {
			return errRecordLength
		}
		if r.Offset <= before || r.Offset > last {
			return fmt.Errorf("offset %+d after %+d, of %d", r.Offset, before, last+1)
		}
		before = r.Offset
	}
	if at != len(b.records) {
		return errRecordsLength
	}
	return nil
}

// Records yields the records in order. It reuses the Record, which has an offset but no topic and partition.
func (b *Batch) Records(yield func(*record.Record) bool) { b.Each(new(record.Record), yield) }

// Each calls yield with the records in order, each in r, whose topic and partition it leaves as they are. It ends
// when yield returns false, and returns what yield did.
func (b *Batch) Each(r *record.Record, yield func(*record.Record) bool) bool {
	first, timestamp := b.First, b.FirstTimestamp
	appended := b.attributes&logAppendTimeBit != 0
	for at := 0; at < len(b.records); {
		at = decode(r, b.records, at)
		if at < 0 {
			panic("batch: internal error: records that were not checked")
		}
		r.Offset += first
		if r.Timestamp += timestamp; appended {
			r.Timestamp = b.MaxTimestamp
		}
		if !yield(r) {
			return false
		}
	}
	return true
}

// decode decodes the record at an index, with offset and timestamp relative to the batch, and returns the index after
// it, or -1 if it is malformed. It is fast for records of less than 8 kB with a key of less than 64 bytes, at offsets and
// times near those of the batch, as most are.
func decode(r *record.Record, b []byte, at int) int {
	start, length := at, 0
	switch rest := b[at:]; {
	case len(rest) > 0 && rest[0] < 0x80:
		length, at = int(rest[0]>>1), at+1
	case len(rest) > 1 && rest[1] < 0x80:
		length, at = int(rest[0]&0x7f|rest[1]<<7)>>1|int(rest[1]>>1)<<7, at+2
	}
	const attributes, word = 1, 8
	if length < attributes+word || length > len(b)-at || b[start]&1 == 1 {
		return decodeAny(r, b, start)
	}
	b = b[:at+length]
	at += attributes // which have no meaning yet
	w := binary.LittleEndian.Uint64(b[at:])
	timestamp, n := near(w)
	offset, m := near(w >> n)
	w >>= n + m
	const none = 1 // a length of -1
	if n > 24 || m > 24 || w&0x80 != 0 || w&1 == 1 && w&0xff != none {
		return decodeAny(r, b, start)
	}
	r.Timestamp, r.Offset = unzigzag(timestamp), unzigzag(offset)
	key := at + int(n+m)/8 + 1
	at = key + int(w&0x7f)>>1
	if at >= len(b) {
		return -1
	}
	if r.Key = b[key:at:at]; w&0xff == none {
		r.Key = nil
	}
	length = int(b[at])
	if at++; length >= 0x80 && at < len(b) && b[at] < 0x80 {
		length += int(b[at])<<7 - 0x80
		at++
	} else if length >= 0x80 {
		return decodeAny(r, b, start)
	}
	value := at
	if at += length >> 1; at >= len(b) || length&1 == 1 {
		return decodeAny(r, b, start)
	}
	r.Value, r.Headers = b[value:at:at], b[at:]
	if len(r.Headers) == 1 && r.Headers[0] == 0 {
		return len(b)
	}
	return headersEnd(b, at)
}

// near returns the bits of a varint of at most three bytes in a word, and how many bits its bytes have; of a longer
// one, more than 24.
func near(w uint64) (varint uint64, bits uint) {
	if w&0x80 == 0 {
		return w & 0x7f, 8
	}
	if w&0x8000 == 0 {
		return w&0x7f | w>>1&(0x7f<<7), 16
	}
	return w&0x7f | w>>1&(0x7f<<7) | w>>2&(0x7f<<14), 24 + uint(w>>20&8)
}

// decodeAny is decode for any record.
func decodeAny(r *record.Record, b []byte, at int) int {
	length, at := varint(b, at)
	if at < 0 || length < 1 || length > int64(len(b)-at) {
		return -1
	}
	end := at + int(length)
	b = b[:end]
	at++ // over the attributes
	if r.Timestamp, at = varlong(b, at); at < 0 {
		return -1
	}
	if r.Offset, at = varint(b, at); at < 0 {
		return -1
	}
	if r.Key, at = field(b, at); at < 0 {
		return -1
	}
	if r.Value, at = field(b, at); at < 0 {
		return -1
	}
	r.Headers = b[at:]
	return headersEnd(b, at)
}

// headersEnd decodes the headers at an index, and returns the index after them, or -1 if that is not the end of b.
func headersEnd(b []byte, at int) int {
	count, at := varint(b, at)
	if at < 0 || count < 0 || count > int64(len(b)-at)/2 {
		return -1
	}
	for range count {
		var key []byte
		if key, at = field(b, at); key == nil {
			return -1
		}
		if _, at = field(b, at); at < 0 {
			return -1
		}
	}
	if at != len(b) {
		return -1
	}
	return at
}

// field decodes a length and as many bytes, nil if it is -1. It returns the index after them, or -1.
func field(b []byte, at int) ([]byte, int) {
	length, ok := short(b, at)
	if at++; !ok {
		length, at = varint(b, at-1)
	}
	switch {
	case at < 0 || length > int64(len(b)-at) || length < -1:
		return nil, -1
	case length == -1:
		return nil, at
	}
	end := at + int(length)
	return b[at:end:end], end
}

// short decodes a varint of one byte, as most are, and reports whether it has only one.
func short(b []byte, at int) (n int64, ok bool) {
	if uint(at) >= uint(len(b)) {
		return 0, false
	}
	return unzigzag(uint64(b[at])), b[at] < 0x80
}

func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// varint decodes a varint of 32 bits at an index, and returns the index after it, or -1.
func varint(b []byte, at int) (int64, int) {
	n, at := varlong(b, at)
	if n > math.MaxInt32 || n < math.MinInt32 {
		return 0, -1
	}
	return n, at
}

// varlong is varint for 64 bits.
func varlong(b []byte, at int) (int64, int) {
	if uint(at) >= uint(len(b)) {
		return 0, -1
	}
	if b = b[at:]; len(b) >= 3 { // mostly
		switch {
		case b[0] < 0x80:
			return unzigzag(uint64(b[0])), at + 1
		case b[1] < 0x80:
			return unzigzag(uint64(b[0]&0x7f) | uint64(b[1])<<7), at + 2
		case b[2] < 0x80:
			return unzigzag(uint64(b[0]&0x7f) | uint64(b[1]&0x7f)<<7 | uint64(b[2])<<14), at + 3
		}
	}
	n, length := binary.Varint(b)
	if length <= 0 {
		return 0, -1
	}
	return n, at + length
}
