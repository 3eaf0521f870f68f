package format

import (
	"fmt"
	"strconv"

	"bizumctl/bizum"
)

// Sum is a line of sums: what an account has, or what the payments of a name or a concept add up to.
type Sum struct {
	Of                  string
	Balance             bizum.Amount // of an account
	Payments            int64        // of others
	Sent, Received, Net bizum.Amount
}

// Sums turns a sum into a line. It is for one goroutine.
type Sums struct {
	Header string // the first line, if the format has one
	Append func(line []byte, s *Sum) []byte
}

// SumsByName finds csv or json for sums of what a column has: cuenta, which have a balance, or another one, which have
// payments. Amounts are euros with two decimals. Csv that is safe has no formula for a spreadsheet.
func SumsByName(name, column string, safe bool) (Sums, error) {
	ofAccounts := column == "cuenta"
	switch {
	case name == "csv" && ofAccounts:
		return Sums{column + ",saldo", func(b []byte, s *Sum) []byte {
			return s.Balance.Append(append(csvField(b, valid(s.Of), safe), ','))
		}}, nil
	case name == "csv":
		return Sums{column + ",bizums,enviado,recibido,neto", func(b []byte, s *Sum) []byte {
			return csvTotal(b, s, safe)
		}}, nil
	case name == "json":
		return Sums{Append: func(b []byte, s *Sum) []byte {
			b = jsonString(append(append(append(b, `{"`...), column...), `":`...), s.Of)
			if ofAccounts {
				return append(s.Balance.Append(append(b, `,"saldo":`...)), '}')
			}
			b = strconv.AppendInt(append(b, `,"bizums":`...), s.Payments, 10)
			b = s.Sent.Append(append(b, `,"enviado":`...))
			b = s.Received.Append(append(b, `,"recibido":`...))
			return append(s.Net.Append(append(b, `,"neto":`...)), '}')
		}}, nil
	}
	return Sums{}, fmt.Errorf("no format %q", name)
}

func csvTotal(b []byte, s *Sum, safe bool) []byte {
	b = strconv.AppendInt(append(csvField(b, valid(s.Of), safe), ','), s.Payments, 10)
	b = s.Sent.Append(append(b, ','))
	b = s.Received.Append(append(b, ','))
	return s.Net.Append(append(b, ','))
}
