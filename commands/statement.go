package commands

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

// statement is the table of a bank: time, name, concept, signed amount and, where there is one, the balance. A column
// for the account comes when there is more than one. It fits the width that it has at the time.
type statement struct {
	console     *console
	withBalance bool
	accounts    bool
	account     string // the first one seen
	widest      int    // account seen
	number      int    // widest amount and balance so far
	sum         int
	cells       *runewidth.Condition
}

func newStatement(c *console, withBalance bool) *statement {
	return &statement{console: c, withBalance: withBalance, number: len("+100.00 €") - 2, sum: len("2000.00 €") + 1,
		cells: &runewidth.Condition{StrictEmojiNeutral: true}}
}

// row shows one payment.
func (s *statement) row(at int64, account string, p bizum.Payment, balance bizum.Amount) error {
	amount, paint := "+"+p.Amount.String()+" €", s.console.paint.in
	if p.Kind == bizum.Sent {
		amount, paint = "-"+amount[1:], s.console.paint.out
	}
	sum := balance.String() + " €"
	c, err := s.fit(account, amount, sum)
	if err != nil {
		return err
	}
	cells := []string{s.clock(at, c.clock)}
	if s.accounts {
		cells = append(cells, s.cell(account, c.account))
	}
	cells = append(cells, s.cell(string(p.Name), c.name), s.cell(string(p.Concept), c.concept),
		paint.Sprint(right(amount, s.number)))
	if s.withBalance {
		sum = right(sum, s.sum)
		if balance < 0 {
			sum = s.console.paint.debt.Sprint(sum)
		}
		cells = append(cells, sum)
	}
	return s.console.painted(strings.Join(cells, c.gap))
}

// clock is the time of day and, where there is room, the day; a time without a date is the number
// itself.
func (s *statement) clock(timestamp int64, layout string) string {
	switch {
	case timestamp == format.NoTimestamp:
		return s.cell("-", len(layout))
	case !format.HasDate(timestamp):
		return s.cell(strconv.FormatInt(timestamp, 10), len(layout))
	}
	return s.cell(time.UnixMilli(timestamp).Local().Format(layout), len(layout))
}

// opening shows the balance with which an account begins.
func (s *statement) opening(account string, balance bizum.Amount) error {
	sum := balance.String() + " €"
	c, err := s.fit(account, "", sum)
	if err != nil {
		return err
	}
	text := s.cell("opening balance of "+account, c.words(s))
	return s.console.painted(s.console.paint.faint.Sprint(text + c.gap + right(sum, s.sum)))
}

// fit makes the columns of numbers wide enough, brings in the one for the account when there is a second one, and
// shows the heading when the columns are new.
func (s *statement) fit(account, amount, sum string) (columns, error) {
	s.number = max(s.number, utf8.RuneCountInString(amount))
	s.sum = max(s.sum, utf8.RuneCountInString(sum))
	s.widest = max(s.widest, s.cells.StringWidth(string(appendSafe(nil, []byte(account)))))
	begun, several := s.account != "", s.accounts
	if !begun {
		s.account = account
	}
	s.accounts = several || account != s.account
	c := s.columns()
	if begun && several == s.accounts {
		return c, nil
	}
	return c, s.heading(c)
}

func (s *statement) heading(c columns) error {
	cells := []string{s.cell("time", len(c.clock))}
	if s.accounts {
		cells = append(cells, s.cell("account", c.account))
	}
	cells = append(cells, s.cell("name", c.name), s.cell("concept", c.concept), right("amount", s.number))
	if s.withBalance {
		cells = append(cells, right("balance", s.sum))
	}
	return s.console.painted(s.console.paint.heading.Sprint(strings.Join(cells, c.gap)))
}

// columns is how the width is shared out: times and sums take what they need, words what is left.
type columns struct {
	clock, gap             string
	account, name, concept int
}

func (s *statement) columns() columns {
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
func (c columns) words(s *statement) int {
	width := len(c.clock) + c.name + c.concept + s.number + 3*len(c.gap)
	if s.accounts {
		width += c.account + len(c.gap)
	}
	return width
}

// cell escapes text, cuts it with … to so many columns and fills it up.
func (s *statement) cell(text string, width int) string {
	const mostBytes = 64 // a column: no endless row of combining characters either
	if len(text) > mostBytes*width {
		text = strings.ToValidUTF8(text[:mostBytes*width], "")
	}
	text = s.cells.Truncate(string(appendSafe(nil, []byte(text))), width, "…")
	return s.cells.FillRight(text, width)
}

func right(text string, width int) string {
	return strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0)) + text
}
