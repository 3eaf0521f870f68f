package bizum

import (
	"hash/maphash"
	"math/bits"
)

// table is a hash table of accounts and their balances, for a million of them: the name stands in
// the slot, so that a look-up waits for memory once, and there is nothing in it for the garbage
// collector to follow.
//
// It consists of segments, which grow one at a time and by a quarter: there is never a second copy of
// all of it, and a million accounts have about 50 bytes each. A segment is probed from the place that
// the hash names on. The hash is seeded, because who sends payments chooses the names.
type table struct {
	seed     maphash.Seed
	segments [segments]segment
	used     int
	touched  uint64 // keeps the compiler from leaving out what touch does
}

const (
	segmentBits = 8
	segments    = 1 << segmentBits
	slotsMin    = 4 // of a segment that is used at all
)

// segment is some of the slots. At least one in eight of them is free.
type segment struct {
	slots []slot
	used  int
}

// slot is an account. It has the size of 40 bytes.
type slot struct {
	hash    uint64
	balance Amount
	length  uint8 // of the name; 0: the slot is free
	name    [nameMax]byte
}

const nameMax = 23

func (s *slot) account() []byte { return s.name[:s.length] }

// fits reports whether the table has room for a name.
func fits(account []byte) bool { return 0 < len(account) && len(account) <= nameMax }

func newTable() table { return table{seed: maphash.MakeSeed()} }

func (t *table) hash(account []byte) uint64 { return maphash.Bytes(t.seed, account) }

func (t *table) segment(hash uint64) *segment { return &t.segments[hash>>(64-segmentBits)] }

// home is the first slot to look at.
func (g *segment) home(hash uint64) int {
	place, _ := bits.Mul64(hash<<segmentBits, uint64(len(g.slots)))
	return int(place)
}

// find returns where an account's balance is, or nil.
func (t *table) find(account []byte, hash uint64) *Amount {
	g := t.segment(hash)
	if len(g.slots) == 0 {
		return nil
	}
	for i := g.home(hash); ; {
		s := &g.slots[i]
		if s.hash == hash && string(s.account()) == string(account) {
			return &s.balance
		}
		if s.length == 0 {
			return nil
		}
		if i++; i == len(g.slots) {
			i = 0
		}
	}
}

// insert adds an account that is not there.
func (t *table) insert(account []byte, hash uint64, balance Amount) {
	g := t.segment(hash)
	if (g.used+1)*8 > len(g.slots)*7 {
		g.grow()
	}
	s := slot{hash: hash, balance: balance, length: uint8(len(account))}
	copy(s.name[:], account)
	g.put(&s)
	g.used++
	t.used++
}

// put stores a slot in the first free place from its home on.
func (g *segment) put(s *slot) {
	i := g.home(s.hash)
	for g.slots[i].length > 0 {
		if i++; i == len(g.slots) {
			i = 0
		}
	}
	g.slots[i] = *s
}

func (g *segment) grow() {
	old := g.slots
	g.slots = make([]slot, max(slotsMin, len(old)+len(old)/4))
	for i := range old {
		if old[i].length > 0 {
			g.put(&old[i])
		}
	}
}

// touch reads where accounts are to be found, one independent of the other, so that the processor
// waits for memory once for many of them.
func (t *table) touch(hashes []uint64) {
	var sum uint64
	for _, hash := range hashes {
		if g := t.segment(hash); len(g.slots) > 0 {
			sum += g.slots[g.home(hash)].hash
		}
	}
	t.touched = sum
}

// all goes through the slots that are used.
func (t *table) all(yield func(*slot) bool) {
	for i := range t.segments {
		for j := range t.segments[i].slots {
			if s := &t.segments[i].slots[j]; s.length > 0 && !yield(s) {
				return
			}
		}
	}
}
