package check

import (
	"strconv"

	"bizumctl/bizum"
)

// The payments of a run are made again a block at a time, and the last blocks are kept: partitions and files come at
// different speeds. If a block has to be made twice, more are kept.
const (
	blockPayments = 512
	blocksMin     = 128
	blocksMax     = 4096 // 120 MB
)

// expectation makes the payments of a stream by their numbers.
type expectation struct {
	generator *bizum.Generator
	states    []bizum.GeneratorState // of the generator, before each block that it has come to
	made      numberSet              // blocks that were made before
	kept      map[int64]*block       // by their index
	queue     []int64                // indexes of those that are kept, the oldest first
	limit     int                    // of queue
	last      *block
}

// block is consecutive payments.
type block struct {
	index    int64
	text     []byte // of each payment, its account and its message
	ends     [blockPayments]uint32
	keys     [blockPayments]uint8 // lengths of the accounts' names
	accounts [blockPayments]int32
}

func newExpectation(s *Stream) *expectation {
	g := s.Generator()
	return &expectation{generator: g, states: []bizum.GeneratorState{g.State()}, kept: make(map[int64]*block),
		limit: blocksMin}
}

// at returns payment n: the number of its account, the account's name, and its message.
func (e *expectation) at(n int64) (account int32, key, value []byte) {
	index, i := n/blockPayments, n%blockPayments
	b := e.last
	if b == nil || b.index != index {
		b = e.block(index)
		e.last = b
	}
	start := uint32(0)
	if i > 0 {
		start = b.ends[i-1]
	}
	text := b.text[start:b.ends[i]:b.ends[i]]
	return b.accounts[i], text[:b.keys[i]:b.keys[i]], text[b.keys[i]:]
}

func (e *expectation) block(index int64) *block {
	if b := e.kept[index]; b != nil {
		return b
	}
	for int64(len(e.states)) <= index {
		e.generator.Restore(e.states[len(e.states)-1])
		for range blockPayments {
			e.generator.Next()
		}
		e.states = append(e.states, e.generator.State())
	}
	b := e.room(index)
	e.generator.Restore(e.states[index])
	for i := range blockPayments {
		key, p := e.generator.Next()
		b.accounts[i], b.keys[i] = accountNumber(key), uint8(len(key))
		b.text = p.Append(append(b.text, key...))
		b.ends[i] = uint32(len(b.text))
	}
	if int64(len(e.states)) == index+1 {
		e.states = append(e.states, e.generator.State())
	}
	return b
}

// room returns an empty block of this index, which is kept from now on.
func (e *expectation) room(index int64) *block {
	e.made = e.made.grown(index + 1)
	if !e.made.add(index) && e.limit < blocksMax {
		e.limit++
	}
	b := new(block)
	if len(e.queue) >= e.limit {
		b = e.kept[e.queue[0]]
		delete(e.kept, e.queue[0])
		e.queue = e.queue[1:]
	}
	b.index, b.text = index, b.text[:0]
	e.kept[index] = b
	e.queue = append(e.queue, index)
	return b
}

// accountNumber returns the number of an account that was made: 0 for the only one, else that in its name.
func accountNumber(key []byte) int32 {
	if len(key) == len(bizum.DefaultAccount) {
		return 0
	}
	n, err := strconv.Atoi(string(key[len(bizum.DefaultAccount)+len("-"):]))
	if err != nil {
		panic("check: internal error: account " + string(key))
	}
	return int32(n)
}
