package console

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

// Statement is the table of a bank: time, name, concept, signed amount and, where there is one, the balance. On a
// terminal the day is a line of its own, when it is another one than before; in a file or a pipe, where rows are looked
// for one by one and none is cut, each row has it.
//
// The account has a column, from the heading on, where there can be several. Where there is none for it, it is a line
// of its own, like the day, when it is another one than before.
type Statement struct {
	console  *Console
	options  StatementOptions
	begun    bool
	accounts bool   // there is a column for them
	account  []byte // of the last row
	widest   int    // account seen
	number   int    // widest amount and balance so far
	sum      int
	cells    cells

	// Used again for each row: the line, numbers as text, and the time of the last row, which mostly is that of this one.
	line, text, amount, balance []byte

	second int64
	layout string
	time   []byte
	day    []byte // of the last row
	shown  []byte // the day that is on the screen
}

// StatementOptions are the columns of a Statement.
type StatementOptions struct {
	Balance  bool
	Accounts Accounts
}

// Accounts is how many accounts a Statement has.
type Accounts int

// AnyAccounts is not known before there is a row: an account that has another name than the default one is taken for
// one of several.
const (
	AnyAccounts Accounts = iota
	OneAccount
	SeveralAccounts
)

// NewStatement makes a statement.
func NewStatement(c *Console, options StatementOptions) *Statement {
	return &Statement{console: c, options: options, widest: len("cuenta-100"), number: width([]byte("+100.00 €")),
		sum: width([]byte("-10,000.00 €")), cells: newCells()}
}

// Row shows one payment.
func (s *Statement) Row(at int64, account []byte, p *bizum.Payment, balance bizum.Amount) error {
	sign, ink := byte('+'), s.console.paint.in
	if p.Kind == bizum.Sent {
		sign, ink = '-', s.console.paint.out
	}
	s.amount = p.Amount.AppendEuros(append(s.amount[:0], sign))
	s.balance = balance.AppendEuros(s.balance[:0])
	c, err := s.fit(account, width(s.amount), width(s.balance))
	if err != nil {
		return err
	}
	clock := s.clock(at, c.clock)
	b := s.appendChanges(s.line[:0], account, c)
	r := row{clock: clock, account: account, name: p.Name, concept: p.Concept, amount: s.amount, amountInk: ink,
		balance: s.balance}
	if balance < 0 {
		r.balanceInk = s.console.paint.debt
	}
	s.line = append(s.appendRow(b, c, &r), '\n')
	return s.console.painted(s.line)
}

// row is the texts of a row.
type row struct {
	clock, account, name, concept, amount, balance []byte
	amountInk, balanceInk                          ink
}

// appendRow appends a row, of one line or of two.
func (s *Statement) appendRow(b []byte, c columns, r *row) []byte {
	b = append(s.cells.append(b, r.clock, len(c.clock), c.endless), c.gap...)
	if s.accounts {
		b = append(s.cells.append(b, r.account, c.account, c.endless), c.gap...)
	}
	b = append(s.cells.append(b, r.name, c.name, c.endless), c.gap...)
	if c.stacked {
		b = append(appendRight(b, r.amount, s.number, r.amountInk), "\n  "...)
		if !s.options.Balance {
			return s.cells.appendCut(b, r.concept, c.concept)
		}
		b = append(s.cells.append(b, r.concept, c.concept, c.endless), c.gap...)
		return appendRight(b, r.balance, s.sum, r.balanceInk)
	}
	b = append(s.cells.append(b, r.concept, c.concept, c.endless), c.gap...)
	b = appendRight(b, r.amount, s.number, r.amountInk)
	if s.options.Balance {
		b = appendRight(append(b, c.gap...), r.balance, s.sum, r.balanceInk)
	}
	return b
}

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

// clock returns the time of day, and keeps the day; a time without a date is the number itself.
func (s *Statement) clock(timestamp int64, layout string) []byte {
	switch {
	case timestamp == format.NoTimestamp:
		return []byte("-")
	case !format.HasDate(timestamp):
		return strconv.AppendInt(nil, timestamp, 10)
	}
	if second := time.UnixMilli(timestamp).Unix(); second != s.second || layout != s.layout {
		s.second, s.layout = second, layout
		at := time.Unix(second, 0).Local()
		s.time = at.AppendFormat(s.time[:0], layout)
		s.day = at.AppendFormat(s.day[:0], time.DateOnly)
	}
	return s.time
}

// appendChanges appends lines of their own, for a row: its day and its account, as far as they are others than before
// and have no column.
func (s *Statement) appendChanges(b, account []byte, c columns) []byte {
	if c.clock == timeOnly && !bytes.Equal(s.day, s.shown) {
		s.shown = append(s.shown[:0], s.day...)
		b = s.appendFaint(b, s.day)
	}
	if !s.accounts && !bytes.Equal(account, s.account) {
		s.text = appendSafe(append(s.text[:0], "account "...), account)
		b = s.appendFaint(b, s.text)
	}
	s.account = append(s.account[:0], account...)
	return b
}

func (s *Statement) appendFaint(b, text []byte) []byte {
	b = append(b, s.console.paint.faint.before...)
	if columns := s.console.width() - 1; columns > 0 {
		b = s.cells.appendCut(b, text, columns)
	} else {
		b = append(b, text...)
	}
	return append(append(b, s.console.paint.faint.after...), '\n')
}

// Opening shows the balance with which an account begins.
func (s *Statement) Opening(account []byte, balance bizum.Amount) error {
	s.balance = balance.AppendEuros(s.balance[:0])
	c, err := s.fit(account, 0, width(s.balance))
	if err != nil {
		return err
	}
	s.account = append(s.account[:0], account...)
	what, columns := "opening balance of ", c.words(s)
	if !c.endless && len(what)+len(account) > columns { // whose it is matters more
		what = "opening of "
	}
	s.text = append(append(s.text[:0], what...), account...)
	b := append(s.line[:0], s.console.paint.faint.before...)
	b = append(s.cells.append(b, s.text, columns, c.endless), c.gap...)
	b = append(appendRight(b, s.balance, s.sum, ink{}), s.console.paint.faint.after...)
	s.line = append(b, '\n')
	return s.console.painted(s.line)
}

// fit makes the columns of numbers and accounts wide enough, and shows the heading first.
func (s *Statement) fit(account []byte, number, sum int) (columns, error) {
	s.number, s.sum = max(s.number, number), max(s.sum, sum)
	begun := s.begun
	if !begun {
		s.begun = true
		s.account = append(s.account[:0], account...)
		switch s.options.Accounts {
		case AnyAccounts: // in a file there is room for it
			s.accounts = string(account) != bizum.DefaultAccount || s.console.width() == 0
		case SeveralAccounts:
			s.accounts = true
		}
	}
	if s.accounts {
		s.widest = max(s.widest, s.cells.width(account))
	}
	c := s.columns()
	if begun {
		return c, nil
	}
	return c, s.heading(c)
}

func (s *Statement) heading(c columns) error {
	b := append(s.line[:0], s.console.paint.heading.before...)
	b = s.appendRow(b, c, &row{clock: []byte("time"), account: []byte("account"), name: []byte("name"),
		concept: []byte("concept"), amount: []byte("amount"), balance: []byte("balance")})
	s.line = append(append(b, s.console.paint.heading.after...), '\n')
	return s.console.painted(s.line)
}

// columns is how the width is shared out: times and sums take what they need, words what is left. Where that is too
// little, a row is two lines: the concept and the balance stand below the name and the amount.
type columns struct {
	clock, gap             string
	account, name, concept int
	stacked                bool
	endless                bool // nothing is cut
}

const (
	timeOnly    = "15:04:05"
	dateAndTime = "2006-01-02 15:04:05"
)

func (s *Statement) columns() columns {
	const accountWidest, nameWidest, conceptWidest = 20, 18, 60
	const wide, wideWithAccounts, wordsFit = 80, 90, 28 // from there on
	width := s.console.width()
	if width == 0 {
		return columns{clock: dateAndTime, gap: "  ", account: s.widest, name: nameWidest, concept: 30, endless: true}
	}
	c := columns{clock: timeOnly, gap: "  "}
	if width < wide || s.accounts && width < wideWithAccounts {
		c.gap = " "
	}
	gap := len(c.gap)
	left := width - 1 - len(c.clock) - gap - gap - s.number // for the words: those of a row
	if s.accounts {
		left -= gap
	}
	onOneLine := left - gap
	if s.options.Balance {
		onOneLine -= s.sum + gap
	}
	account := func(left int) int { return max(min(s.widest, accountWidest, left/2), 1) }
	if s.accounts && onOneLine-account(onOneLine) >= wordsFit || !s.accounts && onOneLine >= wordsFit {
		left = onOneLine
	} else {
		c.stacked = true
		const shortName = 6 // the concept has a line of its own
		account = func(left int) int { return max(min(s.widest, accountWidest, max(left/2, left-shortName)), 1) }
	}
	if s.accounts { // it tells the lines apart: what is short of room is the words
		c.account = account(left)
		left -= c.account
	}
	if !c.stacked {
		c.name = min(left*9/25, nameWidest)
		c.concept = min(left-c.name, conceptWidest)
		return c
	}
	c.name = max(left, 1)
	c.concept = width - 1 - len("  ")
	if s.options.Balance {
		c.concept = max(c.concept-gap-s.sum, 1)
	}
	return c
}

// words is how wide everything before the balance is.
func (c columns) words(s *Statement) int {
	if c.stacked {
		return len("  ") + c.concept
	}
	width := len(c.clock) + c.name + c.concept + s.number + 3*len(c.gap)
	if s.accounts {
		width += c.account + len(c.gap)
	}
	return width
}
