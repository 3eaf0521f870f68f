package bizum

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// bytes is what a table takes of memory, in whole size classes.
func (t *table) bytes() int {
	n := 0
	for range t.pages {
		n++
	}
	return n*4096 + 8*len(t.directory)
}

func insert(t *table, account []byte, balance Amount) bool {
	return insertAt(t, account, t.hash(account), balance)
}

func insertAt(t *table, account []byte, hash uint32, balance Amount) bool {
	s, _ := t.find(account, hash)
	return t.insert(s, account, hash, balance)
}

// A table takes up to 60 bytes for an account, however many there are, and finds all of them.
func TestTableGrows(t *testing.T) {
	if size := unsafe.Sizeof(page{}); size > 4096 || unsafe.Sizeof(slot{}) != 32 {
		t.Fatalf("a page has %d bytes, a slot %d", size, unsafe.Sizeof(slot{}))
	}
	table := newTable(maphash.MakeSeed())
	name := func(i int) []byte { return fmt.Appendf(nil, "cuenta-%d", i) }
	worst := 0.0
	const accounts = 1_200_000
	for i := range accounts {
		if !insert(&table, name(i), Amount(i)) {
			t.Fatalf("no room for account %d", i)
		}
		if n := i + 1; n >= 100_000 && n%10_000 == 0 {
			worst = max(worst, float64(table.bytes())/float64(n))
		}
	}
	t.Logf("at most %.1f bytes an account, %.1f in the end", worst, float64(table.bytes())/accounts)
	if worst > 60 {
		t.Errorf("%.1f bytes an account", worst)
	}
	for i := range accounts {
		account := name(i)
		if s, known := table.find(account, table.hash(account)); !known || s.balance != Amount(i) {
			t.Fatalf("account %d: %v", i, s)
		}
	}
	seen := 0
	for range table.all {
		seen++
	}
	if seen != accounts || table.used != accounts {
		t.Errorf("%d accounts, %d used, want %d", seen, table.used, accounts)
	}
	none := name(accounts)
	if _, known := table.find(none, table.hash(none)); known {
		t.Error("an account that is not there is found")
	}
}

// Accounts whose hashes are all the same have room in a page, and then no more: the book keeps them elsewhere.
func TestTableFull(t *testing.T) {
	table := newTable(maphash.MakeSeed())
	for i := range pageFull {
		if account := []byte{byte(i + 1)}; !insertAt(&table, account, 42, Amount(i)) {
			t.Fatalf("no room for account %d", i)
		}
	}
	if insertAt(&table, []byte("more"), 42, 1) {
		t.Error("a page takes more than fit")
	}
	for i := range pageFull {
		if s, known := table.find([]byte{byte(i + 1)}, 42); !known || s.balance != Amount(i) {
			t.Fatalf("account %d: %v", i, s)
		}
	}
	if _, known := table.find([]byte("more"), 42); known {
		t.Error("an account is found that had no room")
	}
}

// Books are merged to what one book would have, whatever accounts they have in common.
func TestMerge(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		whole := NewBook(2000_00)
		books := []*Book{whole.Another(), whole.Another(), NewBook(2000_00)} // the last hashes otherwise
		accounts := 1 + rng.IntN(3000)
		for range rng.IntN(6000) {
			key := fmt.Appendf(nil, "%0*d", 1+rng.IntN(30), rng.IntN(accounts))
			p := Payment{Amount: Amount(1 + rng.IntN(10000)), Kind: Kind(1 + rng.IntN(2))}
			for _, b := range []*Book{whole, books[rng.IntN(len(books))]} {
				if _, err := b.Apply(key, p); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, other := range books[1:] {
			if err := books[0].Merge(other); err != nil || other.Len() != 0 {
				t.Fatalf("seed %d: %v, %d accounts left", seed, err, other.Len())
			}
		}
		sum := Amount(0)
		for _, a := range whole.Accounts() {
			sum += a.Balance
		}
		if total, fits := books[0].Total(); total != sum || !fits {
			t.Fatalf("seed %d: %v in all, want %v", seed, total, sum)
		}
		if got, want := fmt.Sprint(books[0].Accounts()), fmt.Sprint(whole.Accounts()); got != want {
			t.Fatalf("seed %d: %.200s, want %.200s", seed, got, want)
		}
	}
}
