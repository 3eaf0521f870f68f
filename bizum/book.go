package bizum

import (
	"fmt"
	"math"
)

// DefaultAccount is the account of a message without a key.
const DefaultAccount = "cuenta"

// Book keeps the balance of every account. It is given a payment and answers with an entry.
type Book struct {
	initial  Amount
	index    map[string]int
	accounts []Account
}

// Account is a name and what it owns.
type Account struct {
	Name    string
	Balance Amount
}

// Entry is a payment in the book, with the balance after it.
type Entry struct {
	Payment
	Account string
	Balance Amount
	Opens   bool // the first entry of its account
}

// NewBook opens a book in which every account begins with the initial balance.
func NewBook(initial Amount) *Book {
	return &Book{initial: initial, index: make(map[string]int)}
}

// Apply books a payment on the account that a message's key names. The only error is a balance that no longer fits;
// the book is then as it was before.
func (b *Book) Apply(key []byte, p Payment) (Entry, error) {
	if len(key) == 0 {
		key = []byte(DefaultAccount)
	}
	i, known := b.index[string(key)]
	before := b.initial
	if known {
		before = b.accounts[i].Balance
	}
	balance, ok := before.Add(p.Change())
	if !ok {
		return Entry{}, fmt.Errorf("account %s: a balance of %v cannot take %v: it would pass ±%v",
			quote(key), before, p.Change(), Amount(math.MaxInt64))
	}
	if !known {
		i = len(b.accounts)
		b.index[string(key)] = i
		b.accounts = append(b.accounts, Account{Name: string(key)})
	}
	account := &b.accounts[i]
	account.Balance = balance
	return Entry{Payment: p, Account: account.Name, Balance: balance, Opens: !known}, nil
}

// Accounts lists the accounts in the order in which they were opened. The caller must not change them.
func (b *Book) Accounts() []Account { return b.accounts }

// AccountOf names the account of a message with this key.
func AccountOf(key []byte) string {
	if len(key) == 0 {
		return DefaultAccount
	}
	return string(key)
}
