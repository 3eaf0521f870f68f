package console

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

// Statement is the table of a bank: time, name, concept, signed amount and, where there is one, the balance. A column
// for the account comes when there is more than one. It fits the width that it has at the time.
type Statement struct {
	console     *Console
	withBalance bool
	accounts    bool
	account     string // the first one seen
	widest      int    // account seen
	number      int    // widest amount and balance so far
	sum         int
	cells       *runewidth.Condition

	// Used again for each row: the line, numbers as text, and the time of the last row, which mostly is that of this one.
	line, text, amount, balance []byte

	second int64
	layout string
	time   []byte
}

// NewStatement makes a statement; withBalance adds the column of the balance.
func NewStatement(c *Console, withBalance bool) *Statement {
	return &Statement{console: c, withBalance: withBalance, number: len("+100.00 €") - 2, sum: len("2000.00 €") + 1,
		cells: &runewidth.Condition{StrictEmojiNeutral: true}}
}

// Row shows one payment.
func (s *Statement) Row(at int64, account []byte, p *bizum.Payment, balance bizum.Amount) error {
	sign, ink := byte('+'), s.console.paint.in
	if p.Kind == bizum.Sent {
		sign, ink = '-', s.console.paint.out
	}
	s.amount = append(p.Amount.Append(append(s.amount[:0], sign)), euro...)
	s.balance = append(balance.Append(s.balance[:0]), euro...)
	c, err := s.fit(account, width(s.amount), width(s.balance))
	if err != nil {
		return err
	}
	b := append(s.appendClock(s.line[:0], at, c.clock), c.gap...)
	if s.accounts {
		b = append(s.appendCell(b, account, c.account), c.gap...)
	}
	b = append(s.appendCell(b, p.Name, c.name), c.gap...)
	b = append(s.appendCell(b, p.Concept, c.concept), c.gap...)
	b = appendRight(b, s.amount, s.number, ink)
	if s.withBalance {
		ink.before, ink.after = "", ""
		if balance < 0 {
			ink = s.console.paint.debt
		}
		b = appendRight(append(b, c.gap...), s.balance, s.sum, ink)
	}
	s.line = append(b, '\n')
	return s.console.painted(s.line)
}

const euro = " €"

// width is how many columns a number takes.
func width(number []byte) int { return utf8.RuneCount(number) }

// appendRight appends a number at the right of so many columns.
func appendRight(b, number []byte, columns int, paint ink) []byte {
	b = appendBlanks(append(b, paint.before...), columns-width(number))
	return append(append(b, number...), paint.after...)
}

func appendBlanks(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}

// appendClock appends the time of day and, where there is room, the day; a time without a date is the number itself.
func (s *Statement) appendClock(b []byte, timestamp int64, layout string) []byte {
	switch {
	case timestamp == format.NoTimestamp:
		return s.appendCell(b, []byte("-"), len(layout))
	case !format.HasDate(timestamp):
		return s.appendCell(b, strconv.AppendInt(nil, timestamp, 10), len(layout))
	}
	if second := time.UnixMilli(timestamp).Unix(); second != s.second || layout != s.layout {
		s.second, s.layout = second, layout
		s.time = time.Unix(second, 0).Local().AppendFormat(s.time[:0], layout)
	}
	return append(b, s.time...)
}

// Opening shows the balance with which an account begins.
func (s *Statement) Opening(account []byte, balance bizum.Amount) error {
	s.balance = append(balance.Append(s.balance[:0]), euro...)
	c, err := s.fit(account, 0, width(s.balance))
	if err != nil {
		return err
	}
	s.text = append(append(s.text[:0], "opening balance of "...), account...)
	b := append(s.line[:0], s.console.paint.faint.before...)
	b = append(s.appendCell(b, s.text, c.words(s)), c.gap...)
	b = append(appendRight(b, s.balance, s.sum, ink{}), s.console.paint.faint.after...)
	s.line = append(b, '\n')
	return s.console.painted(s.line)
}

// fit makes the columns of numbers wide enough, brings in the one for the account when there is a second one, and
// shows the heading when the columns are new.
func (s *Statement) fit(account []byte, number, sum int) (columns, error) {
	s.number, s.sum = max(s.number, number), max(s.sum, sum)
	if wide, plain := plainWidth(account); plain {
		s.widest = max(s.widest, wide)
	} else {
		s.widest = max(s.widest, s.cells.StringWidth(string(appendSafe(nil, account))))
	}
	begun, several := s.account != "", s.accounts
	if !begun {
		s.account = string(account)
	}
	s.accounts = several || string(account) != s.account
	c := s.columns()
	if begun && several == s.accounts {
		return c, nil
	}
	return c, s.heading(c)
}

func (s *Statement) heading(c columns) error {
	b := append(s.line[:0], s.console.paint.heading.before...)
	b = append(s.appendCell(b, []byte("time"), len(c.clock)), c.gap...)
	if s.accounts {
		b = append(s.appendCell(b, []byte("account"), c.account), c.gap...)
	}
	b = append(s.appendCell(b, []byte("name"), c.name), c.gap...)
	b = append(s.appendCell(b, []byte("concept"), c.concept), c.gap...)
	b = appendRight(b, []byte("amount"), s.number, ink{})
	if s.withBalance {
		b = appendRight(append(b, c.gap...), []byte("balance"), s.sum, ink{})
	}
	s.line = append(append(b, s.console.paint.heading.after...), '\n')
	return s.console.painted(s.line)
}

// columns is how the width is shared out: times and sums take what they need, words what is left.
type columns struct {
	clock, gap             string
	account, name, concept int
}

func (s *Statement) columns() columns {
	const narrow, narrowWithAccounts, accountWidest, nameWidest, conceptWidest = 80, 100, 20, 18, 60
	width := s.console.width()
	c := columns{clock: "2006-01-02 15:04:05", gap: "  "}
	if width < narrow || s.accounts && width < narrowWithAccounts {
		c.clock = "15:04:05"
	}
	if width < narrow {
		c.gap = " "
	}
	left := width - 1 - len(c.clock) - 3*len(c.gap) - s.number
	if s.withBalance {
		left -= s.sum + len(c.gap)
	}
	if s.accounts { // it tells the lines apart: what is short of room is the words
		left -= len(c.gap)
		c.account = max(min(s.widest, accountWidest, left/2), 1)
		left -= c.account
	}
	c.name = min(max(left*2/5, 1), nameWidest)
	c.concept = min(max(left-c.name, 1), conceptWidest)
	return c
}

// words is how wide everything before the balance is.
func (c columns) words(s *Statement) int {
	width := len(c.clock) + c.name + c.concept + s.number + 3*len(c.gap)
	if s.accounts {
		width += c.account + len(c.gap)
	}
	return width
}

// appendCell appends text escaped, cut with … to so many columns, or filled up to them.
func (s *Statement) appendCell(b, text []byte, columns int) []byte {
	if wide, plain := plainWidth(text); plain && wide <= columns {
		return appendBlanks(append(b, text...), columns-wide)
	}
	const bytesMax = 64 // a column: no endless row of combining characters either
	if len(text) > bytesMax*columns {
		text = bytes.ToValidUTF8(text[:bytesMax*columns], nil)
	}
	cut := s.cells.Truncate(string(appendSafe(nil, text)), columns, "…")
	return append(b, s.cells.FillRight(cut, columns)...)
}

// plainWidth returns how many columns a text takes, and reports whether it is of characters that take one each and need
// no escape: the printable ones of ASCII and the letters of Latin-1. Of other text only the library knows.
func plainWidth(text []byte) (columns int, plain bool) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case ' ' <= c && c <= '~':
		case c == 0xC3 && i+1 < len(text) && 0x80 <= text[i+1] && text[i+1] <= 0xBF: // U+00C0 to U+00FF
			i++
		default:
			return 0, false
		}
		columns++
	}
	return columns, true
}
