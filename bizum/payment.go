// Package bizum knows what a bizum is: money, the message, accounts, and how believable ones are made. It knows no
// topic, no file, no screen and no clock.
package bizum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// MessageBytesMax is the length of the longest message that is read.
const MessageBytesMax = 64 << 10

// Kind is the direction of a payment, seen from the account: the field tipo.
type Kind byte

const (
	Sent     Kind = iota + 1 // ENVIO: taken from the balance
	Received                 // RECEPCIÓN: added to it
)

// The words as we write them, and those we read besides: in any case, with or without the accent, and with the
// accent as a combining character.
var (
	sentWord     = []byte("ENVIO")
	receivedWord = []byte("RECEPCIÓN")
	otherWords   = [...]struct {
		word []byte
		kind Kind
	}{
		{sentWord, Sent}, {[]byte("ENVÍO"), Sent}, {[]byte("ENVI\u0301O"), Sent},
		{receivedWord, Received}, {[]byte("RECEPCION"), Received}, {[]byte("RECEPCIO\u0301N"), Received},
	}
)

// String is the word that messages carry.
func (k Kind) String() string {
	if k == Received {
		return string(receivedWord)
	}
	return string(sentWord)
}

// Payment is one bizum. Name and Concept may alias the message it was read from.
type Payment struct {
	Name    []byte
	Amount  Amount // above zero; Kind is the direction
	Concept []byte
	Kind    Kind
	Rounded bool // the message had four decimals or more
}

var (
	errEmpty     = errors.New("empty message")
	errTooLong   = errors.New("longer than 64 KiB")
	errNotUTF8   = errors.New("not UTF-8")
	errNoName    = errors.New("name is empty")
	bom          = []byte("\ufeff")
	errFewFields = errors.New("fewer than four fields: want Nombre;Cantidad;Concepto;tipo")
)

// ParsePayment reads a message, `Nombre;Cantidad;Concepto;tipo`. The concept may contain `;`, because
// the other fields are found from both ends. Leading byte order marks and trailing line ends are
// dropped. The error is the reason why the message is rejected; it holds nothing a terminal would
// obey. A good message costs no allocation.
func ParsePayment(value []byte) (Payment, error) {
	f, ok := plain(value)
	if !ok {
		return parseAny(value)
	}
	end := len(value) - len(sentTail)
	if f.kind == Received {
		end = len(value) - len(receivedTail)
	}
	return Payment{Name: value[:f.name:f.name], Amount: f.amount, Concept: value[f.concept:end:end], Kind: f.kind}, nil
}

// ParseChange reads of a message, by the rules of ParsePayment, only what it does to the balance, and
// reports whether its amount was rounded.
func ParseChange(value []byte) (change Amount, rounded bool, err error) {
	if f, ok := plain(value); ok {
		if f.kind == Received {
			return f.amount, false, nil
		}
		return -f.amount, false, nil
	}
	p, err := parseAny(value)
	return p.Change(), p.Rounded, err
}

// How a plain message ends: the last field in the form in which we write it.
const (
	sentTail     = ";ENVIO"
	receivedTail = ";RECEPCIÓN"
)

// fields are the parts of a plain message.
type fields struct {
	name    int // where it ends
	concept int // where it begins
	amount  Amount
	kind    Kind
}

// plain reads a message of the form in which nearly all are, in one pass: nothing to drop, the tipo as
// we write it, at most nine digits before the decimal mark and none, one or two after it. It reports
// whether the message is of that form and good; what is not, parseAny reads.
func plain(value []byte) (f fields, ok bool) {
	if len(value) < len("a;1"+receivedTail) || len(value) > MessageBytesMax || value[0] == bom[0] {
		return f, false
	}
	switch {
	case string(value[len(value)-len(sentTail):]) == sentTail:
		value, f.kind = value[:len(value)-len(sentTail)], Sent
	case string(value[len(value)-len(receivedTail):]) == receivedTail:
		value, f.kind = value[:len(value)-len(receivedTail)], Received
	default:
		return f, false
	}
	var ascii bool
	f.name, ascii = fieldEnd(value)
	f.amount, f.concept = plainEuros(value, f.name+1)
	if f.name == 0 || f.amount == 0 {
		return f, false
	}
	if !ascii || !isASCII(value[f.concept:]) {
		return f, utf8.Valid(value)
	}
	return f, true
}

// In each byte of a word of eight: its lowest bit, and its highest, which is not set in ASCII.
const (
	lowest  = 0x0101010101010101
	highest = 0x8080808080808080
)

// fieldEnd returns where the first field of a text ends, at a `;` or with the text, and reports whether
// it is ASCII. It looks at eight bytes at a time.
func fieldEnd(text []byte) (end int, ascii bool) {
	var seen uint64
	for ; len(text)-end >= 8; end += 8 {
		word := binary.LittleEndian.Uint64(text[end:])
		other := word ^ lowest*';'
		// The highest bit of each byte of other that is 0; above the first, of some that are not.
		if found := (other - lowest) &^ other & highest; found != 0 {
			before := found&-found>>7 - 1 // the bits before that byte
			return end + bits.TrailingZeros64(found)/8, (seen|word&before)&highest == 0
		}
		seen |= word
	}
	for ; end < len(text) && text[end] != ';'; end++ {
		seen |= uint64(text[end])
	}
	return end, seen&highest == 0
}

// plainEuros reads the amount at a place and returns it and the place after the `;` behind it. Of an
// amount that is not plain it returns 0.
func plainEuros(value []byte, at int) (a Amount, after int) {
	const digitsMax = 9
	start := at
	for ; at < len(value) && value[at]-'0' <= 9; at++ {
		a = a*10 + Amount(value[at]-'0')
	}
	if at == start || at-start > digitsMax || at == len(value) {
		return 0, 0
	}
	a *= 100
	if mark := value[at]; mark == '.' || mark == ',' {
		decimals := value[at+1:]
		switch {
		case len(decimals) > 2 && decimals[2] == ';' && decimals[0]-'0' <= 9 && decimals[1]-'0' <= 9:
			return a + Amount(decimals[0]-'0')*10 + Amount(decimals[1]-'0'), at + len(".00;")
		case len(decimals) > 1 && decimals[1] == ';' && decimals[0]-'0' <= 9:
			return a + Amount(decimals[0]-'0')*10, at + len(".0;")
		}
		return 0, 0
	}
	if value[at] != ';' {
		return 0, 0
	}
	return a, at + len(";")
}

// isASCII reports whether no byte has its highest bit set, looking at eight at a time.
func isASCII(text []byte) bool {
	for ; len(text) >= 8; text = text[8:] {
		if binary.LittleEndian.Uint64(text)&highest != 0 {
			return false
		}
	}
	var seen byte
	for _, c := range text {
		seen |= c
	}
	return seen < utf8.RuneSelf
}

// parseAny reads a message of any form, and finds out what is wrong with it.
func parseAny(value []byte) (Payment, error) {
	if len(value) > MessageBytesMax {
		return Payment{}, errTooLong
	}
	value = trimBOM(value)
	for len(value) > 0 && (value[len(value)-1] == '\n' || value[len(value)-1] == '\r') {
		value = value[:len(value)-1]
	}
	if len(value) == 0 {
		return Payment{}, errEmpty
	}
	if !utf8.Valid(value) {
		return Payment{}, errNotUTF8
	}
	name, rest, _ := bytes.Cut(value, []byte{';'})
	euros, rest, _ := bytes.Cut(rest, []byte{';'})
	last := bytes.LastIndexByte(rest, ';')
	if last < 0 {
		return Payment{}, errFewFields
	}
	if len(name) == 0 {
		return Payment{}, errNoName
	}
	amount, rounded, err := parseEuros(euros)
	if err == nil && amount == 0 {
		err = errNotAbove0
	}
	if err != nil {
		return Payment{}, fmt.Errorf("amount %s: %w", quote(euros), err)
	}
	kind, err := parseKind(rest[last+1:])
	if err != nil {
		return Payment{}, err
	}
	return Payment{Name: name, Amount: amount, Concept: rest[:last], Kind: kind, Rounded: rounded}, nil
}

// trimBOM drops what some editors and .NET put first. All of them, so that what is read back is what was read.
func trimBOM(text []byte) []byte {
	for bytes.HasPrefix(text, bom) {
		text = text[len(bom):]
	}
	return text
}

func parseKind(word []byte) (Kind, error) {
	if bytes.Equal(word, sentWord) {
		return Sent, nil
	}
	if bytes.Equal(word, receivedWord) {
		return Received, nil
	}
	for _, o := range otherWords {
		if bytes.EqualFold(word, o.word) {
			return o.kind, nil
		}
	}
	return 0, fmt.Errorf("tipo %s: neither ENVIO nor RECEPCIÓN", quote(word))
}

// Change is what the payment does to the balance.
func (p Payment) Change() Amount {
	if p.Kind == Received {
		return p.Amount
	}
	return -p.Amount
}

// Append appends the message.
func (p *Payment) Append(b []byte) []byte {
	b = append(append(b, p.Name...), ';')
	b = append(p.Amount.Append(b), ';')
	b = append(append(b, p.Concept...), ';')
	if p.Kind == Received {
		return append(b, receivedWord...)
	}
	return append(b, sentWord...)
}

// quote shows what somebody wrote, escaped, and cut when it is long.
func quote[S string | []byte](s S) string {
	const most = 40
	if len(s) <= most {
		return strconv.Quote(string(s))
	}
	return strconv.Quote(string(s[:most])) + "…"
}
