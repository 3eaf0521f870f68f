package bizum

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// DefaultAccount is the account of a message without a key.
const DefaultAccount = "cuenta"

// Book keeps the balance of every account. It is given a payment and answers with an entry.
//
// Short names, which is nearly all, are in a map without pointers: with a million accounts a look-up costs what memory
// takes to answer, so the balance is where the name is, and there is nothing for the garbage collector to follow.
type Book struct {
	initial Amount
	short   map[shortName]Amount
	long    map[string]Amount
}

// shortName is a name, filled up with zeros, and its length.
type shortName struct {
	text   [15]byte
	length byte
}

// Account is a name and what it owns.
type Account struct {
	Name    string
	Balance Amount
}

// Entry is a payment in the book, with the balance after it. Account may alias the key it was booked by.
type Entry struct {
	Payment
	Account []byte
	Balance Amount
	Opens   bool // the first entry of its account
}

// NewBook opens a book in which every account begins with the initial balance.
func NewBook(initial Amount) *Book {
	return &Book{initial: initial, short: make(map[shortName]Amount), long: make(map[string]Amount)}
}

// Apply books a payment on the account that a message's key names. The only error is a balance that no longer fits;
// the book is then as it was before.
func (b *Book) Apply(key []byte, p Payment) (Entry, error) {
	if len(key) == 0 {
		key = defaultKey
	}
	before, known := b.initial, false
	name, isShort := short(key)
	if balance, ok := b.balance(name, key, isShort); ok {
		before, known = balance, true
	}
	balance, ok := before.Add(p.Change())
	switch {
	case !ok:
		return Entry{}, fmt.Errorf("account %s: a balance of %v cannot take %v: it would pass ±%v",
			quote(key), before, p.Change(), Amount(math.MaxInt64))
	case isShort:
		b.short[name] = balance
	default:
		b.long[string(key)] = balance
	}
	return Entry{Payment: p, Account: key, Balance: balance, Opens: !known}, nil
}

// Set gives an account the balance that was booked elsewhere.
func (b *Book) Set(account []byte, balance Amount) {
	if name, isShort := short(account); isShort {
		b.short[name] = balance
	} else {
		b.long[string(account)] = balance
	}
}

// Balance answers what an account owns, and false when it was never opened.
func (b *Book) Balance(account []byte) (balance Amount, known bool) {
	name, isShort := short(account)
	return b.balance(name, account, isShort)
}

func short(account []byte) (name shortName, isShort bool) {
	if len(account) > len(name.text) {
		return name, false
	}
	copy(name.text[:], account)
	name.length = byte(len(account))
	return name, true
}

func (b *Book) balance(name shortName, key []byte, isShort bool) (balance Amount, known bool) {
	if isShort {
		balance, known = b.short[name]
	} else {
		balance, known = b.long[string(key)]
	}
	return balance, known
}

// Merge books what another book, of the same initial balance, has booked: what each account has gained or lost in it.
func (b *Book) Merge(other *Book) error {
	for _, a := range other.Accounts() {
		balance, known := b.Balance([]byte(a.Name))
		if !known {
			balance = b.initial
		}
		sum, ok := balance.Add(a.Balance - other.initial)
		if !ok {
			return fmt.Errorf("account %s: a balance of %v cannot take %v: it would pass ±%v", quote(a.Name), balance,
				a.Balance-other.initial, Amount(math.MaxInt64))
		}
		b.Set([]byte(a.Name), sum)
	}
	return nil
}

var defaultKey = []byte(DefaultAccount)

// Len is the number of accounts.
func (b *Book) Len() int { return len(b.short) + len(b.long) }

// Accounts lists the accounts, sorted by name.
func (b *Book) Accounts() []Account {
	list := make([]Account, 0, b.Len())
	for name, balance := range b.short {
		list = append(list, Account{string(name.text[:name.length]), balance})
	}
	for name, balance := range b.long {
		list = append(list, Account{name, balance})
	}
	slices.SortFunc(list, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// AccountOf names the account of a message with this key.
func AccountOf(key []byte) string {
	if len(key) == 0 {
		return DefaultAccount
	}
	return string(key)
}
