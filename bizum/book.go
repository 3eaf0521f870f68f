package bizum

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// DefaultAccount is the account of a message without a key.
const DefaultAccount = "cuenta"

var defaultKey = []byte(DefaultAccount)

// Book keeps the balance of every account. It is given a payment and returns an entry.
type Book struct {
	initial Amount
	table   table
	long    map[string]*Amount  // accounts whose names have no room in the table
	hashes  [PrefetchMax]uint32 // of the postings that are looked up together
}

// Account is a name and what it owns.
type Account struct {
	Name    string
	Balance Amount
}

// Entry is a payment in the book, with the balance after it. Account may alias the key it was booked
// by.
type Entry struct {
	Payment
	Account []byte
	Balance Amount
	Opens   bool // the first entry of its account
}

// Posting is what a payment does to an account, and the balance after it.
type Posting struct {
	Key     []byte // of the message
	Change  Amount
	Balance Amount
	Opens   bool // the first posting of its account
}

// NewBook opens a book in which every account begins with the initial balance.
func NewBook(initial Amount) *Book { return newBook(initial, maphash.MakeSeed()) }

func newBook(initial Amount, seed maphash.Seed) *Book {
	return &Book{initial: initial, table: newTable(seed), long: make(map[string]*Amount)}
}

// Another returns an empty book of the same initial balance. To merge the two takes less time than
// to merge books that do not know of each other.
func (b *Book) Another() *Book { return newBook(b.initial, b.table.seed) }

// Apply books a payment on the account that a message's key names. The only error is a balance that
// no longer fits; the book is then as it was before.
func (b *Book) Apply(key []byte, p Payment) (Entry, error) {
	posting := Posting{Key: key, Change: p.Change()}
	if err := b.Post(&posting); err != nil {
		return Entry{}, err
	}
	return Entry{Payment: p, Account: posting.Key, Balance: posting.Balance, Opens: posting.Opens}, nil
}

// Post books a posting, and fills in what the balance is after it. Its error is that of Apply.
func (b *Book) Post(p *Posting) error {
	p.Key = KeyOf(p.Key)
	_, err := b.post(p, b.table.hash(p.Key))
	return err
}

// PrefetchMax is how many accounts are looked up together. With many accounts each one is a wait for
// memory, and so they overlap.
const PrefetchMax = 64

// Prefetch brings near what the book has of the accounts that keys name, before each is applied: with
// many accounts their waits for memory overlap. It changes nothing. Of more than PrefetchMax keys it takes the first.
func (b *Book) Prefetch(keys [][]byte) {
	hashes := b.hashes[:min(len(keys), PrefetchMax)]
	for i := range hashes {
		hashes[i] = b.table.hash(KeyOf(keys[i]))
	}
	b.table.touch(hashes)
}

// ApplyAll books postings in order, and fills in what the balances are after them. It returns how
// many of them it has booked: all, unless a balance no longer fits.
func (b *Book) ApplyAll(postings []Posting) (booked int, err error) {
	for len(postings) > 0 {
		block := postings[:min(len(postings), PrefetchMax)]
		postings = postings[len(block):]
		again := b.prefetch(block)
		var balance *Amount
		for i := range block {
			if again&1 == 0 || balance == nil {
				balance, err = b.post(&block[i], b.hashes[i])
			} else {
				err = block[i].post(balance)
			}
			if err != nil {
				return booked + i, err
			}
			again >>= 1
		}
		booked += len(block)
	}
	return booked, nil
}

// prefetch brings near the accounts of at most PrefetchMax postings. In the number that it returns, the
// bits of those are set that are on the same account as the one before, as all are with a single account.
func (b *Book) prefetch(block []Posting) (again uint64) {
	for i := range block {
		block[i].Key = KeyOf(block[i].Key)
		if i > 0 && string(block[i].Key) == string(block[i-1].Key) {
			again |= 1 << i
			b.hashes[i] = b.hashes[i-1]
			continue
		}
		b.hashes[i] = b.table.hash(block[i].Key)
	}
	b.table.touch(b.hashes[:len(block)])
	return again
}

// post books a posting whose key is not empty. It returns where the balance of its account is, good until
// another account is opened, or nil if it has opened the account itself.
func (b *Book) post(p *Posting, hash uint32) (balance *Amount, err error) {
	balance, room := b.find(p.Key, hash)
	if balance != nil {
		return balance, p.post(balance)
	}
	after, ok := b.initial.Add(p.Change)
	if !ok {
		return nil, overflow(p.Key, b.initial, p.Change)
	}
	p.Balance, p.Opens = after, true
	b.open(room, p.Key, hash, after)
	return nil, nil
}

// post books a posting on an account that was opened before.
func (p *Posting) post(balance *Amount) error {
	after, ok := balance.Add(p.Change)
	if !ok {
		return overflow(p.Key, *balance, p.Change)
	}
	*balance, p.Balance, p.Opens = after, after, false
	return nil
}

func overflow(account []byte, balance, change Amount) error {
	return fmt.Errorf("account %s: a balance of %v cannot take %v: it would pass ±%v",
		quote(account), balance, change, Amount(math.MaxInt64))
}

// find returns where an account's balance is, nil if it was never opened, and then where the table
// has room for it, if it has. Both are good until another account is opened.
func (b *Book) find(account []byte, hash uint32) (balance *Amount, room *slot) {
	if fits(account) {
		s, known := b.table.find(account, hash)
		if known {
			return &s.balance, nil
		}
		room = s
	}
	if len(b.long) == 0 {
		return nil, room
	}
	return b.long[string(account)], room
}

// open opens an account where find has found room.
func (b *Book) open(room *slot, account []byte, hash uint32, balance Amount) {
	if room == nil || !b.table.insert(room, account, hash, balance) {
		b.long[string(account)] = &balance
	}
}

// Set gives an account the balance that was booked elsewhere.
func (b *Book) Set(account []byte, balance Amount) {
	hash := b.table.hash(account)
	if known, room := b.find(account, hash); known != nil {
		*known = balance
	} else {
		b.open(room, account, hash, balance)
	}
}

// Balance returns what an account owns, and reports whether it was ever opened.
func (b *Book) Balance(account []byte) (balance Amount, known bool) {
	if found, _ := b.find(account, b.table.hash(account)); found != nil {
		return *found, true
	}
	return 0, false
}

// errInitial is our own mistake.
var errInitial = errors.New("bizum: internal error: books of another initial balance are merged")

// Merge adds what another book, of the same initial balance, has booked: what each account has
// gained or lost in it. The other book is empty afterwards, whose pages are used for this one. The
// error is a balance that no longer fits; some accounts are merged then.
func (b *Book) Merge(other *Book) error {
	if b.initial != other.initial {
		panic(errInitial)
	}
	merged := *other
	*other = *b.Another()
	alike := b.table.seed == merged.table.seed
	for g := range merged.table.pages {
		for i := range g.slots {
			s := &g.slots[i]
			if s.length == 0 {
				continue
			}
			hash := s.hash
			if !alike {
				hash = b.table.hash(s.account())
			}
			if err := b.merge(s.account(), hash, s.balance); err != nil {
				return err
			}
		}
		b.table.spare = append(b.table.spare, g) // memory does not grow by what is merged
	}
	for name, balance := range merged.long {
		account := []byte(name)
		if err := b.merge(account, b.table.hash(account), *balance); err != nil {
			return err
		}
	}
	return nil
}

// merge adds to an account what another book, in which it has a balance, has booked.
func (b *Book) merge(account []byte, hash uint32, balance Amount) error {
	before, room := b.find(account, hash)
	if before == nil {
		b.open(room, account, hash, balance)
		return nil
	}
	change, ok := balance.Add(-b.initial)
	sum, fits := before.Add(change)
	if !ok || !fits || b.initial == math.MinInt64 {
		return overflow(account, *before, change)
	}
	*before = sum
	return nil
}

// All goes through the accounts, in no order. A name is good until the next one.
func (b *Book) All(yield func(account []byte, balance Amount) bool) {
	for s := range b.table.all {
		if !yield(s.account(), s.balance) {
			return
		}
	}
	for name, balance := range b.long {
		if !yield([]byte(name), *balance) {
			return
		}
	}
}

// Len is the number of accounts.
func (b *Book) Len() int { return b.table.used + len(b.long) }

// Total returns what all accounts own together, and reports whether it fits an Amount.
func (b *Book) Total() (sum Amount, fits bool) {
	for _, balance := range b.All {
		if sum, fits = sum.Add(balance); !fits {
			return 0, false
		}
	}
	return sum, true
}

// Accounts lists the accounts, sorted by name.
func (b *Book) Accounts() []Account {
	list := make([]Account, 0, b.Len())
	for name, balance := range b.All {
		list = append(list, Account{string(name), balance})
	}
	slices.SortFunc(list, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// KeyOf returns the key that names the account of a message with this key: itself, unless it is empty.
func KeyOf(key []byte) []byte {
	if len(key) == 0 {
		return defaultKey
	}
	return key
}

// AccountOf names the account of a message with this key.
func AccountOf(key []byte) string {
	return string(KeyOf(key))
}
