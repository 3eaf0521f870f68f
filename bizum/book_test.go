package bizum_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bizumctl/bizum"
)

func parse(t testing.TB, value string) bizum.Payment {
	t.Helper()
	p, err := bizum.ParsePayment([]byte(value))
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return p
}

func TestBook(t *testing.T) {
	book := bizum.NewBook(2000_00)
	for _, c := range []struct {
		key, value string
		account    string
		balance    string
		opens      bool
	}{
		{"", "Maria;20;Cena;RECEPCIÓN", "cuenta", "2020.00", true},
		{"cuenta", "Pepe;100;Viaje;ENVIO", "cuenta", "1920.00", false},
		{"cuenta-2", "Ana;1920.01;Alquiler;ENVIO", "cuenta-2", "79.99", true},
		{"cuenta-2", "Ana;80;Alquiler;ENVIO", "cuenta-2", "-0.01", false},
		{"cuenta-2", "Ana;0.01;Alquiler;RECEPCIÓN", "cuenta-2", "0.00", false},
		{"Cuenta", "Ana;1;;ENVIO", "Cuenta", "1999.00", true},
		{"", "Ana;0.50;;ENVIO", "cuenta", "1919.50", false},
	} {
		entry, err := book.Apply([]byte(c.key), parse(t, c.value))
		if err != nil || string(entry.Account) != c.account || entry.Balance.String() != c.balance || entry.Opens != c.opens {
			t.Errorf("%s of %q: %s, %v, opens %v, %v; want %s, %s, opens %v",
				c.value, c.key, entry.Account, entry.Balance, entry.Opens, err, c.account, c.balance, c.opens)
		}
		if got := string(entry.Payment.Append(nil)); parse(t, got).Change() != parse(t, c.value).Change() {
			t.Errorf("%s: the entry is of %s", c.value, got)
		}
		if account := bizum.AccountOf([]byte(c.key)); account != c.account {
			t.Errorf("account of %q is %q, want %q", c.key, account, c.account)
		}
	}
	want := []bizum.Account{{"Cuenta", 199900}, {"cuenta", 191950}, {"cuenta-2", 0}}
	if got := book.Accounts(); !slices.Equal(got, want) {
		t.Errorf("closing balances %v, want %v", got, want)
	}
}

// TestBookKeepsNoKey: the key's bytes belong to the batch it was read from.
func TestBookKeepsNoKey(t *testing.T) {
	book, key := bizum.NewBook(0), []byte("ana")
	for _, name := range []string{"ana", "eva", "ana"} {
		copy(key, name)
		if _, err := book.Apply(key, parse(t, "Maria;20;Cena;RECEPCIÓN")); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := book.Accounts(), []bizum.Account{{"ana", 4000}, {"eva", 2000}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestBookOverflow(t *testing.T) {
	const most, least = bizum.Amount(math.MaxInt64), bizum.Amount(math.MinInt64)
	cent := map[string]string{"in": "Maria;0.01;Cena;RECEPCIÓN", "out": "Maria;0.01;Cena;ENVIO"}
	for _, c := range []struct {
		initial bizum.Amount
		fits    string
		edge    bizum.Amount
		passes  string
	}{
		{most - 1, "in", most, "in"},
		{least + 1, "out", least, "out"},
	} {
		book := bizum.NewBook(c.initial)
		if entry, err := book.Apply(nil, parse(t, cent[c.fits])); err != nil || entry.Balance != c.edge {
			t.Fatalf("%v %s: %v, %v; want %v", c.initial, c.fits, entry.Balance, err, c.edge)
		}
		entry, err := book.Apply(nil, parse(t, cent[c.passes]))
		if err == nil {
			t.Errorf("%v %s: %v, want an error", c.edge, c.passes, entry.Balance)
		}
		if got, want := book.Accounts(), []bizum.Account{{"cuenta", c.edge}}; !slices.Equal(got, want) {
			t.Errorf("after an overflow the book is %v, want %v", got, want)
		}
	}
}

// TestBookOverflowOpening: a payment that the opening balance cannot take opens no account.
func TestBookOverflowOpening(t *testing.T) {
	book := bizum.NewBook(math.MaxInt64)
	if entry, err := book.Apply([]byte("ana"), parse(t, "Maria;20;Cena;RECEPCIÓN")); err == nil {
		t.Fatalf("balance %v, want an error", entry.Balance)
	}
	if got := book.Accounts(); len(got) != 0 {
		t.Errorf("after an overflow the book is %v, want it empty", got)
	}
	if entry, err := book.Apply([]byte("ana"), parse(t, "Maria;20;Cena;ENVIO")); err != nil || !entry.Opens {
		t.Errorf("the first entry of ana: opens %v, %v", entry.Opens, err)
	}
}

func BenchmarkApply(b *testing.B) {
	const accounts = 20_000
	rng := rand.New(rand.NewPCG(1, 0))
	book, keys := bizum.NewBook(2000_00), make([][]byte, 1<<16)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "cuenta-%d", 1+rng.IntN(accounts))
	}
	payments := [...]bizum.Payment{parse(b, sentMessage), parse(b, receivedMessage)}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := book.Apply(keys[i%len(keys)], payments[i%2]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// TestBookNames: names of every length are accounts of their own, also those that begin alike or end in NUL.
func TestBookNames(t *testing.T) {
	book, want := bizum.NewBook(0), map[string]bizum.Amount{}
	for length := 1; length <= 40; length++ {
		for _, end := range []string{"", "\x00", "\x0f", "z"} {
			name := strings.Repeat("a", length) + end
			for range 2 {
				want[name] += 2000
				if entry, err := book.Apply([]byte(name), parse(t, "Maria;20;Cena;RECEPCIÓN")); err != nil ||
					entry.Balance != want[name] || string(entry.Account) != name {
					t.Fatalf("%q: %v, %v; want %v", name, entry, err, want[name])
				}
			}
		}
	}
	got := map[string]bizum.Amount{}
	for _, a := range book.Accounts() {
		got[a.Name] = a.Balance
	}
	if !maps.Equal(got, want) || book.Len() != len(want) {
		t.Errorf("%d accounts %v, want %v", book.Len(), got, want)
	}
}

// TestApplyAll books the same payments all at once and one by one: in runs on one account, of names that fit a slot and
// longer ones, in blocks of any size, until a balance no longer fits.
func TestApplyAll(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		initial := bizum.Amount(rng.IntN(1000))
		if rng.IntN(4) == 0 {
			initial = math.MaxInt64 - bizum.Amount(rng.IntN(3000))
		}
		all, single := bizum.NewBook(initial), bizum.NewBook(initial)
		accounts := 1 + rng.IntN(300)
		var key []byte
		for overflown := false; !overflown && all.Len() < accounts; {
			postings := make([]bizum.Posting, rng.IntN(200))
			for i := range postings {
				if key == nil || rng.IntN(4) == 0 {
					key = fmt.Appendf(nil, "%0*d", 1+rng.IntN(30), rng.IntN(accounts))
				}
				postings[i] = bizum.Posting{Key: bytes.Clone(key), Change: bizum.Amount(rng.IntN(2000) - 1000), Opens: rng.IntN(2) == 0}
			}
			booked, err := all.ApplyAll(postings)
			overflown = err != nil
			for i, p := range postings[:min(booked+1, len(postings))] {
				payment := bizum.Payment{Amount: max(p.Change, -p.Change), Kind: bizum.Received}
				if p.Change < 0 {
					payment.Kind = bizum.Sent
				}
				entry, err := single.Apply(p.Key, payment)
				if (err != nil) != (i == booked) {
					t.Fatalf("seed %d: posting %d of %d booked: %v", seed, i, booked, err)
				}
				if i < booked && (entry.Balance != p.Balance || entry.Opens != p.Opens) {
					t.Fatalf("seed %d: posting %d: %+v, one by one %+v", seed, i, p, entry)
				}
			}
		}
		if !slices.Equal(all.Accounts(), single.Accounts()) {
			t.Fatalf("seed %d: the books differ", seed)
		}
	}
}

// BenchmarkApplyAll books blocks of postings: on one account, and on a million in no order.
func BenchmarkApplyAll(b *testing.B) {
	for _, accounts := range []int{1, 1_000_000} {
		book, rng := bizum.NewBook(0), rand.New(rand.NewPCG(1, 1))
		postings := make([]bizum.Posting, 4<<20/64*64)
		for i := range postings {
			postings[i] = bizum.Posting{Key: fmt.Appendf(nil, "cuenta-%d", rng.IntN(accounts)), Change: 1}
		}
		if _, err := book.ApplyAll(postings); err != nil {
			b.Fatal(err)
		}
		for _, size := range []int{1, 64} {
			b.Run(fmt.Sprintf("accounts=%d/block=%d", accounts, size), func(b *testing.B) {
				at := 0
				for b.Loop() {
					if _, err := book.ApplyAll(postings[at : at+size]); err != nil {
						b.Fatal(err)
					}
					if at += size; at+size > len(postings) {
						at = 0
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/posting")
			})
		}
	}
}
