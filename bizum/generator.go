package bizum

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"unicode/utf8"
)

// The amounts that are made, in cents.
const (
	madeMin Amount = 5_00
	madeMax Amount = 100_00
)

// One seed feeds several independent streams of chance, so that neither the pace nor the number of accounts changes
// which bizums are made.
const (
	streamPayments uint64 = iota
	streamAccounts
	streamPauses
)

// Generator makes believable bizums: the same seed makes the same ones.
type Generator struct {
	names, concepts [][]byte
	payments        *rand.Rand
	accounts        int
	owner           *rand.Rand
	zipf            *rand.Zipf // draws from owner; nil: all accounts are alike
	key             []byte

	paymentSource, ownerSource *rand.PCG // of payments and owner
}

// GeneratorState is how far a generator has come. It is the same for generators that were made alike.
type GeneratorState struct{ payments, owner rand.PCG }

// NewGenerator makes bizums of the given names and concepts, spread over this many accounts.
func NewGenerator(seed uint64, names, concepts [][]byte, accounts int) *Generator {
	payments, owner := rand.NewPCG(seed, streamPayments), rand.NewPCG(seed, streamAccounts)
	return &Generator{
		names: names, concepts: concepts, accounts: accounts,
		payments: rand.New(payments), owner: rand.New(owner), key: []byte(DefaultAccount),
		paymentSource: payments, ownerSource: owner,
	}
}

// NewSkewedGenerator is NewGenerator with few accounts that have most of the payments, as people have: account k has its
// share by Zipf's law, 1/k^skew, with a skew above 1. With a skew of 0 all are alike.
func NewSkewedGenerator(seed uint64, names, concepts [][]byte, accounts int, skew float64) *Generator {
	g := NewGenerator(seed, names, concepts, accounts)
	if skew > 0 {
		g.zipf = rand.NewZipf(g.owner, skew, 1, uint64(accounts)-1)
	}
	return g
}

// State returns how far the generator has come, for Restore.
func (g *Generator) State() GeneratorState { return GeneratorState{*g.paymentSource, *g.ownerSource} }

// Restore goes on from where a generator, made like this one, had come to.
func (g *Generator) Restore(s GeneratorState) { *g.paymentSource, *g.ownerSource = s.payments, s.owner }

// Next makes a bizum and names its account. The key is good until the next call.
func (g *Generator) Next() (key []byte, p Payment) {
	r := g.payments
	p.Name = g.names[r.IntN(len(g.names))]
	p.Amount = madeMin + Amount(r.IntN(int(madeMax-madeMin)+1))
	p.Concept = g.concepts[r.IntN(len(g.concepts))]
	p.Kind = Sent + Kind(r.IntN(2))
	if g.accounts > 1 {
		g.key = append(g.key[:0], DefaultAccount+"-"...)
		g.key = strconv.AppendInt(g.key, 1+g.account(), 10)
	}
	return g.key, p
}

// account returns the number of the next bizum's account, from 0 on.
func (g *Generator) account() int64 {
	if g.zipf != nil {
		return int64(g.zipf.Uint64())
	}
	return g.owner.Int64N(int64(g.accounts))
}

// ParseNames reads a list of names, one a line.
func ParseNames(text []byte) ([][]byte, error) {
	names, err := parseList(text)
	for i, name := range names {
		if bytes.IndexByte(name, ';') >= 0 {
			return nil, fmt.Errorf("name %d, %s: contains a semicolon", i+1, quote(name))
		}
	}
	return names, err
}

// ParseConcepts reads a list of concepts, one a line.
func ParseConcepts(text []byte) ([][]byte, error) { return parseList(text) }

func parseList(text []byte) ([][]byte, error) {
	const lineBytesMax = 1000
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	var list [][]byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(trimBOM(bytes.TrimSpace(line)))
		if len(line) > lineBytesMax {
			return nil, fmt.Errorf("line %s: longer than %d bytes", quote(line), lineBytesMax)
		}
		if len(line) > 0 {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no lines")
	}
	return list, nil
}
