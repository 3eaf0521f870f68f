package producer

import (
	"encoding/binary"
	"strconv"

	"bizumctl/bizum/check"
	"bizumctl/bizum/record"
)

// nameHeaders are the two headers that name a message: its run, and its number there. All but the number is encoded
// once.
type nameHeaders struct {
	encoded []byte
	number  int   // where its length stands; its digits follow
	n       int64 // that it has
}

// newNameHeaders returns the headers of the messages of a run.
func newNameHeaders(run string) *nameHeaders {
	b := binary.AppendVarint(nil, 2)
	b = append(binary.AppendVarint(b, int64(len(check.HeaderRun))), check.HeaderRun...)
	b = append(binary.AppendVarint(b, int64(len(run))), run...)
	b = append(binary.AppendVarint(b, int64(len(check.HeaderN))), check.HeaderN...)
	return &nameHeaders{append(b, 0), len(b), -2}
}

// of returns the headers of message n. They are valid until the next call. Counting on from the number before takes a
// tenth of the time of formatting.
func (h *nameHeaders) of(n int64) record.Headers {
	last := len(h.encoded) - 1
	next := n == h.n+1
	h.n = n
	if next && h.encoded[last] < '9' {
		h.encoded[last]++
		return h.encoded
	}
	h.encoded = strconv.AppendInt(h.encoded[:h.number+1], n, 10)
	h.encoded[h.number] = byte(len(h.encoded)-h.number-1) << 1 // a varint: there are at most 19 digits
	return h.encoded
}
