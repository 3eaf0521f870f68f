// Package format writes bizums as text, csv and json, a line each, and as Parquet. It knows neither where a bizum came
// from nor where the bytes go.
package format

import (
	"bytes"
	"encoding/json"
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
	Append func(line []byte, r *Row) []byte
}

// ByName finds text, csv or json; withBalance adds the balance.
//
// Text is the message itself, `Nombre;Cantidad;Concepto;tipo`, and `;Saldo` after it. Csv is quoted as in RFC 4180 and
// has a header. Json is an object a line. Amounts are euros with two decimals, times RFC 3339 in UTC.
func ByName(name string, withBalance bool) (Format, error) {
	return (&columns{balance: withBalance}).format(name)
}

// columns says what there is of a row besides the payment, its account and its place.
type columns struct {
	balance bool
	topic   string // "": none
	safe    bool   // csv: no cell is a formula
	clock   clock
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

func appendText(b []byte, r *Row) []byte { return r.Payment.Append(b) }

func appendTextBalance(b []byte, r *Row) []byte {
	return r.Balance.Append(append(r.Payment.Append(b), ';'))
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

func (c *columns) csv(b []byte, r *Row) []byte {
	b = append(csvField(b, r.Name, c.safe), ',')
	b = append(r.Amount.Append(b), ',')
	b = append(csvField(b, r.Concept, c.safe), ',')
	b = append(append(b, r.Kind.String()...), ',')
	b = append(csvField(b, r.Account, c.safe), ',')
	if c.balance {
		b = append(r.Balance.Append(b), ',')
	}
	if c.topic != "" {
		b = append(csvField(b, c.topic, c.safe), ',')
	}
	b = append(strconv.AppendInt(b, int64(r.Partition), 10), ',')
	b = append(strconv.AppendInt(b, r.Offset, 10), ',')
	if r.Timestamp == NoTimestamp {
		return b
	}
	return c.clock.append(b, r.Timestamp, "")
}

// csvField quotes what RFC 4180 wants quoted. If it is to be safe, an apostrophe keeps a spreadsheet from running what
// begins like a formula.
func csvField[S string | []byte](b []byte, field S, safe bool) []byte {
	formula := safe && len(field) > 0 && strings.IndexByte("=+-@\t\r", field[0]) >= 0
	plain := true
	for i := range len(field) {
		if c := field[i]; c == ',' || c == '"' || c == '\n' || c == '\r' {
			plain = false
			break
		}
	}
	switch {
	case plain && formula:
		return append(append(b, '\''), field...)
	case plain:
		return append(b, field...)
	}
	b = append(b, '"')
	if formula {
		b = append(b, '\'')
	}
	b = append(b, bytes.ReplaceAll([]byte(field), []byte(`"`), []byte(`""`))...)
	return append(b, '"')
}

func (c *columns) object(b []byte, r *Row) []byte {
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
	if r.Timestamp == NoTimestamp {
		return append(b, "null}"...)
	}
	return append(c.clock.append(b, r.Timestamp, `"`), '}')
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

// append appends a time, in quotes if there are any; a time that has no date is the number itself.
func (c *clock) append(b []byte, timestamp int64, quote string) []byte {
	if !HasDate(timestamp) {
		return strconv.AppendInt(b, timestamp, 10)
	}
	second, ms := timestamp/1000, timestamp%1000
	if ms < 0 {
		second, ms = second-1, ms+1000
	}
	if second != c.second || !c.set {
		c.second, c.set = second, true
		time.Unix(second, 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05.")
	}
	b = append(append(b, quote...), c.text[:]...)
	b = append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
	return append(b, quote...)
}
