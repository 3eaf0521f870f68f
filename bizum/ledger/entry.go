package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bizumctl/bizum"
)

// Heading is the first record of each partition of a ledger. It identifies what it is the ledger of. Its key is empty.
type Heading struct {
	SourceID   string       // of the source topic
	Partitions int32        // of the source topic
	Initial    bizum.Amount // balance of an account before its first payment
}

// version begins a heading, and the metadata of a position.
const version = "1"

// Value returns the heading as it is stored: `1;<topic id>;<partitions>;<initial>`.
func (h Heading) Value() []byte {
	return fmt.Appendf(nil, "%s;%s;%d;%v", version, h.SourceID, h.Partitions, h.Initial)
}

// ParseHeading parses the first record of a partition of a ledger. Its error quotes what is no heading.
func ParseHeading(key, value []byte) (h Heading, err error) {
	fields := strings.Split(string(value), ";")
	if len(key) > 0 || len(fields) != 4 || fields[0] != version {
		return h, fmt.Errorf("no heading of a ledger: key %.40q, value %.80q", key, value)
	}
	partitions, err := strconv.ParseInt(fields[2], 10, 32)
	if err != nil {
		return h, fmt.Errorf("heading %.80q: partitions: %w", value, errors.Unwrap(err)) // it quotes all of the field
	}
	initial, ok := bizum.ParseBalance([]byte(fields[3]))
	if !ok {
		return h, fmt.Errorf("heading %.80q: initial balance %.80q", value, fields[3])
	}
	return Heading{SourceID: fields[1], Partitions: int32(partitions), Initial: initial}, nil
}

// differs returns a StopError if a ledger with this heading cannot be continued as one with the heading now.
func (h Heading) differs(now Heading) error {
	switch {
	case h.SourceID != now.SourceID:
		return stop(OtherSource, "the topic was deleted and recreated since this ledger was begun")
	case h.Partitions != now.Partitions:
		return stop(OtherSource, "partitions of the topic: %d when this ledger was begun, %d now, which spreads the "+
			"accounts anew", h.Partitions, now.Partitions)
	case h.Initial != now.Initial:
		return &StopError{Cause: OtherInitial, Initial: h.Initial,
			Reason: fmt.Sprintf("the accounts of this ledger open with %v, not %v", h.Initial, now.Initial)}
	}
	return nil
}

// posted is an entry as the ledger stores it; its account is the record's key.
type posted struct {
	bizum.Payment
	balance bizum.Amount
	offset  int64 // of its message in the source
}

// appendPosted appends an entry to b: `Nombre;Cantidad;Concepto;tipo;Saldo;offset`.
func appendPosted(b []byte, p *bizum.Payment, balance bizum.Amount, offset int64) []byte {
	b = append(p.Append(b), ';')
	b = append(balance.Append(b), ';')
	return strconv.AppendInt(b, offset, 10)
}

var errNoEntry = errors.New("not an entry: want Nombre;Cantidad;Concepto;tipo;Saldo;offset")

// parsePosted parses an entry, whose balance and offset must be as appendPosted writes them. The error is errNoEntry,
// or wraps it.
func parsePosted(value []byte) (e posted, err error) {
	last := bytes.LastIndexByte(value, ';')
	if last < 0 {
		return e, errNoEntry
	}
	middle := bytes.LastIndexByte(value[:last], ';')
	if middle < 0 {
		return e, errNoEntry
	}
	digits := value[last+1:]
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return e, errNoEntry
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return e, errNoEntry
		}
		e.offset = e.offset*10 + int64(d-'0')
	}
	var ok bool
	if e.balance, ok = bizum.ParseBalance(value[middle+1 : last]); !ok {
		return e, errNoEntry
	}
	// The longest messages grow when they are written as entries.
	if payment := value[:middle]; len(payment) <= bizum.MessageBytesMax {
		if e.Payment, err = bizum.ParsePayment(payment); err != nil {
			return e, fmt.Errorf("%w: %w", errNoEntry, err)
		}
	}
	return e, nil
}

// metadata returns the metadata of a committed position: `1 <highest booked source offset or ->`.
func metadata(booked int64) string {
	if booked < 0 {
		return version + " -"
	}
	return version + " " + strconv.FormatInt(booked, 10)
}

// parseMetadata parses the metadata of a position. It reports whether a ledger committed it, and nobody else.
func parseMetadata(text string) (booked int64, ours bool) {
	number, ours := strings.CutPrefix(text, version+" ")
	if !ours || number == "-" {
		return none, ours
	}
	booked, err := strconv.ParseInt(number, 10, 64)
	return booked, err == nil && booked >= 0
}

// Ours reports whether a position with this metadata was committed by a ledger.
func Ours(metadata string) bool {
	_, ours := parseMetadata(metadata)
	return ours
}

// none stands for an offset where there is none.
const none int64 = -1
