// Package format writes bizums as text, csv and json, a line each, and as Parquet. It knows neither where a bizum came
// from nor where the bytes go.
package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bizumctl/bizum"
)

// Row is a bizum as it is shown and stored.
type Row struct {
	bizum.Payment
	Account   string
	Balance   bizum.Amount // after the payment, for formats made with it
	Partition int32
	Offset    int64
	Timestamp int64 // in milliseconds; any value
}

// NoTimestamp is the timestamp of a record that has none (Kafka's RecordBatch.NO_TIMESTAMP).
const NoTimestamp = -1

// Format turns a row into a line. It is for one goroutine.
type Format struct {
	Header string // the first line, if the format has one
	// Append appends a row. Its error is ErrLineBreak, and then it has appended nothing.
	Append func(line []byte, r *Row) ([]byte, error)
}

// Options say what there is of a row besides the payment, its account and its place.
type Options struct {
	Balance bool
	Safe    bool // csv: spreadsheets find no formula
}

// ErrLineBreak means that a payment has a line break inside, so that it is no line of text.
var ErrLineBreak = errors.New("a line break inside, which a line of text cannot hold")

// ByName finds text, csv or json.
//
// Text is the message itself, `Nombre;Cantidad;Concepto;tipo`, or with the balance `;Saldo` after it. The message can
// be sent again, so one with a line break inside is refused: it would be two. With the balance it cannot, and the
// line break is \n or \r there. Csv is quoted as in RFC 4180 and has a header. Json is an object a line. Amounts are
// euros with two decimals, times RFC 3339 in UTC; a time that this cannot name is empty, or null.
func ByName(name string, o Options) (Format, error) {
	return (&columns{balance: o.Balance, safe: o.Safe}).format(name)
}

// columns are those of csv and json.
type columns struct {
	balance bool
	topic   string // "": none
	safe    bool   // csv: no cell is a formula
	clock   clock
	key     string // of the row before
	account string // what csv has for it
}

func (c *columns) format(name string) (Format, error) {
	switch {
	case name == "text" && c.balance:
		return Format{Append: appendTextBalance}, nil
	case name == "text":
		return Format{Append: appendText}, nil
	case name == "csv":
		return Format{c.header(), c.csv}, nil
	case name == "json":
		return Format{Append: c.object}, nil
	}
	return Format{}, fmt.Errorf("no format %q", name)
}

func appendText(b []byte, r *Row) ([]byte, error) {
	if breaksLine(r.Name) || breaksLine(r.Concept) {
		return b, ErrLineBreak
	}
	return r.Payment.Append(b), nil
}

func appendTextBalance(b []byte, r *Row) ([]byte, error) {
	p := r.Payment
	p.Name, p.Concept = inOneLine(p.Name), inOneLine(p.Concept)
	return r.Balance.Append(append(p.Append(b), ';')), nil
}

// breaksLine also counts CR: many readers of text end a line there.
func breaksLine(text []byte) bool {
	return bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0
}

func inOneLine(text []byte) []byte {
	if !breaksLine(text) {
		return text
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\n"), []byte(`\n`)), []byte("\r"), []byte(`\r`))
}

func (c *columns) header() string {
	header := "nombre,cantidad,concepto,tipo,cuenta,"
	if c.balance {
		header += "saldo,"
	}
	if c.topic != "" {
		header += "topic,"
	}
	return header + "partition,offset,timestamp"
}

func (c *columns) csv(b []byte, r *Row) ([]byte, error) {
	if r.Account != c.key {
		c.key, c.account = r.Account, valid(r.Account)
	}
	b = append(csvField(b, r.Name, c.safe), ',')
	b = append(r.Amount.Append(b), ',')
	b = append(csvField(b, r.Concept, c.safe), ',')
	b = append(append(b, r.Kind.String()...), ',')
	b = append(csvField(b, c.account, c.safe), ',')
	if c.balance {
		b = append(r.Balance.Append(b), ',')
	}
	if c.topic != "" {
		b = append(csvField(b, c.topic, c.safe), ',')
	}
	b = append(strconv.AppendInt(b, int64(r.Partition), 10), ',')
	b = append(strconv.AppendInt(b, r.Offset, 10), ',')
	if r.Timestamp == NoTimestamp || !HasDate(r.Timestamp) {
		return b, nil
	}
	return c.clock.append(b, r.Timestamp), nil
}

// valid returns an account as UTF-8, with U+FFFD for each byte that is not, as encoding/json has it: a key may be any
// bytes.
func valid(account string) string {
	if utf8.ValidString(account) {
		return account
	}
	return string([]rune(account))
}

// csvField quotes what RFC 4180 wants quoted. If it is to be safe, apostrophes keep a spreadsheet from running what
// looks like a formula.
func csvField[S string | []byte](b []byte, field S, safe bool) []byte {
	if safe {
		field = S(harmless(string(field)))
	}
	plain := true
	for i := range len(field) {
		if c := field[i]; c == ',' || c == '"' || c == '\n' || c == '\r' {
			plain = false
			break
		}
	}
	if plain {
		return append(b, field...)
	}
	b = append(b, '"')
	b = append(b, bytes.ReplaceAll([]byte(field), []byte(`"`), []byte(`""`))...)
	return append(b, '"')
}

// harmless puts an apostrophe before what looks like a formula, so that it is text: at the start of a field and, inside
// it, after what ends a cell or a row where the separator is not a comma, as in a Spanish Excel. There the field's
// quotes are part of the text, unless they begin the cell.
func harmless(field string) string {
	var b strings.Builder
	begins := true
	for i, r := range field {
		if begins && (isFormula(field[i:]) || i > 0 && isFormula(strings.TrimLeft(field[i:], `"`))) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = strings.ContainsRune(";\t\r\n", r)
	}
	return b.String()
}

func isFormula(cell string) bool {
	r, _ := utf8.DecodeRuneInString(cell)
	return strings.ContainsRune("=+-@\t\r＝＋－＠", r)
}

func (c *columns) object(b []byte, r *Row) ([]byte, error) {
	b = jsonString(append(b, `{"nombre":`...), r.Name)
	b = r.Amount.Append(append(b, `,"cantidad":`...))
	b = jsonString(append(b, `,"concepto":`...), r.Concept)
	b = append(append(append(b, `,"tipo":"`...), r.Kind.String()...), '"')
	b = jsonString(append(b, `,"cuenta":`...), r.Account)
	if c.balance {
		b = r.Balance.Append(append(b, `,"saldo":`...))
	}
	if c.topic != "" {
		b = jsonString(append(b, `,"topic":`...), c.topic)
	}
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(r.Partition), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), r.Offset, 10)
	b = append(b, `,"timestamp":`...)
	if r.Timestamp == NoTimestamp || !HasDate(r.Timestamp) {
		return append(b, "null}"...), nil
	}
	return append(c.clock.append(append(b, '"'), r.Timestamp), '"', '}'), nil
}

// jsonString leaves to encoding/json whatever needs escaping, which is rare: the plain case is on every row's way.
func jsonString[S string | []byte](b []byte, s S) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			return quoteJSON(b, string(s))
		}
	}
	start := len(b) + 1
	b = append(append(append(b, '"'), s...), '"')
	if !utf8.Valid(b[start : len(b)-1]) {
		return quoteJSON(b[:start-1], string(s))
	}
	return b
}

func quoteJSON(b []byte, s string) []byte {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("format: internal error: a string is not JSON: " + err.Error())
	}
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// HasDate reports whether RFC 3339 can name a timestamp: its year is between 0 and 9999.
func HasDate(timestamp int64) bool {
	const first, last = -62_167_219_200_000, 253_402_300_799_999
	return first <= timestamp && timestamp <= last
}

// clock appends times as RFC 3339 in UTC with milliseconds. It keeps the last second, which most rows share with the
// row before: else the time would be a fifth of a csv line.
type clock struct {
	second int64
	text   [len("2006-01-02T15:04:05.")]byte
	set    bool
}

// append appends a time that has a date.
func (c *clock) append(b []byte, timestamp int64) []byte {
	second, ms := timestamp/1000, timestamp%1000
	if ms < 0 {
		second, ms = second-1, ms+1000
	}
	if second != c.second || !c.set {
		c.second, c.set = second, true
		time.Unix(second, 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05.")
	}
	b = append(b, c.text[:]...)
	return append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}
