// Package format writes bizums as text, csv and json, a line each. It knows neither where a bizum came from nor where
// the lines go.
package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
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
	Time      time.Time
}

// Format turns a row into a line.
type Format struct {
	Header string // the first line, if the format has one
	Append func(line []byte, r *Row) []byte
}

// ByName finds text, csv or json; withBalance adds the balance.
//
// Text is the message itself, `Nombre;Cantidad;Concepto;tipo`, and `;Saldo` after it. Csv is quoted as in RFC 4180 and
// has a header. Json is an object a line. Amounts are euros with two decimals, times RFC 3339 in UTC.
func ByName(name string, withBalance bool) (Format, error) {
	switch {
	case name == "text" && withBalance:
		return Format{Append: appendTextBalance}, nil
	case name == "text":
		return Format{Append: appendText}, nil
	case name == "csv" && withBalance:
		return Format{"nombre,cantidad,concepto,tipo,cuenta,saldo,partition,offset,timestamp", appendCSVBalance}, nil
	case name == "csv":
		return Format{"nombre,cantidad,concepto,tipo,cuenta,partition,offset,timestamp", appendCSV}, nil
	case name == "json" && withBalance:
		return Format{Append: appendJSONBalance}, nil
	case name == "json":
		return Format{Append: appendJSON}, nil
	}
	return Format{}, fmt.Errorf("no format %q", name)
}

func appendText(b []byte, r *Row) []byte { return r.Payment.Append(b) }

func appendTextBalance(b []byte, r *Row) []byte {
	return r.Balance.Append(append(r.Payment.Append(b), ';'))
}

func appendCSV(b []byte, r *Row) []byte        { return csv(b, r, false) }
func appendCSVBalance(b []byte, r *Row) []byte { return csv(b, r, true) }

func csv(b []byte, r *Row, withBalance bool) []byte {
	b = append(csvField(b, r.Name), ',')
	b = append(r.Amount.Append(b), ',')
	b = append(csvField(b, r.Concept), ',')
	b = append(append(b, r.Kind.String()...), ',')
	b = append(csvField(b, r.Account), ',')
	if withBalance {
		b = append(r.Balance.Append(b), ',')
	}
	b = append(strconv.AppendInt(b, int64(r.Partition), 10), ',')
	b = append(strconv.AppendInt(b, r.Offset, 10), ',')
	return appendTime(b, r.Time)
}

// csvField quotes what RFC 4180 wants quoted.
func csvField[S string | []byte](b []byte, field S) []byte {
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

func appendJSON(b []byte, r *Row) []byte        { return object(b, r, false) }
func appendJSONBalance(b []byte, r *Row) []byte { return object(b, r, true) }

func object(b []byte, r *Row, withBalance bool) []byte {
	b = jsonString(append(b, `{"nombre":`...), r.Name)
	b = r.Amount.Append(append(b, `,"cantidad":`...))
	b = jsonString(append(b, `,"concepto":`...), r.Concept)
	b = append(append(append(b, `,"tipo":"`...), r.Kind.String()...), '"')
	b = jsonString(append(b, `,"cuenta":`...), r.Account)
	if withBalance {
		b = r.Balance.Append(append(b, `,"saldo":`...))
	}
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(r.Partition), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), r.Offset, 10)
	b = appendTime(append(b, `,"timestamp":"`...), r.Time)
	return append(b, '"', '}')
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

func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
}
