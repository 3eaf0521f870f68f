package bizum

import (
	"hash/maphash"
)

// table is a hash table of accounts and their balances, made for a million of them and more: the
// name stands in the slot, so that a look-up waits for memory once, and the garbage collector has
// nothing to follow.
//
// It grows by extendible hashing (Fagin et al., 1979): a directory finds a page by the first bits of
// the hash, and a page that is full becomes two. So each account is moved about once, and there is
// never a second copy of the table. The hash is seeded, because whoever sends payments chooses the
// names.
type table struct {
	seed      maphash.Seed
	directory []*page // 1<<depth of them; neighbours may be one page
	depth     uint    // bits of the hash that find a page
	used      int     // accounts
	spare     []*page
	touched   uint32 // keeps the compiler from leaving out what touch does
}

const (
	pageSlots = 127 // with which a page has the 4 KiB of one of Go's size classes
	pageFull  = pageSlots * 7 / 8
)

// page is a small hash table with linear probing. Pages are half full to full, two thirds on average.
type page struct {
	slots [pageSlots]slot
	used  uint16
	depth uint8 // bits of the hash that all its accounts share
}

// slot is an account. It has 32 bytes, half of a cache line.
type slot struct {
	balance Amount
	hash    uint32
	length  uint8 // of the name; 0: the slot is free
	name    [nameMax]byte
}

const nameMax = 19

func (s *slot) account() []byte { return s.name[:s.length] }

// fits reports whether the table has room for a name.
func fits(account []byte) bool { return 0 < len(account) && len(account) <= nameMax }

func newTable(seed maphash.Seed) table {
	return table{seed: seed, directory: []*page{new(page)}}
}

// hash returns 32 bits for an account. They are not uniform, but twice as dense at 0 as at the end
// (as in spiral storage: Martin, 1979), so that pages do not all become full, and half empty, at the
// same time.
func (t *table) hash(account []byte) uint32 {
	const third = (1 << 32) / 3
	uniform := maphash.Bytes(t.seed, account) >> 32
	return uint32(uniform * (2*third + uniform*third>>32) >> 32)
}

func (t *table) page(hash uint32) *page { return t.directory[hash>>(32-t.depth)] }

// home is the first slot to look at. It depends on all bits of the hash, for those of a page have
// the first ones in common.
func home(hash uint32) int { return int(hash * 0x9E3779B1 >> 16 * pageSlots >> 16) }

// slot returns where an account stands, or where there is room for it, and reports whether it is
// known.
func (g *page) slot(account []byte, hash uint32) (s *slot, known bool) {
	for i := home(hash); ; {
		s = &g.slots[i]
		if s.hash == hash && string(s.account()) == string(account) {
			return s, true
		}
		if s.length == 0 {
			return s, false
		}
		if i++; i == pageSlots {
			i = 0
		}
	}
}

// find returns where an account stands, or where there is room for it, and reports whether it is
// known. It is good until another account is inserted.
func (t *table) find(account []byte, hash uint32) (s *slot, known bool) {
	return t.page(hash).slot(account, hash)
}

// insert adds an account that is not there, at the place that find has returned. It reports whether
// there was room: there is none for more than a page of accounts whose hashes are so alike that the
// directory would outgrow the table.
func (t *table) insert(s *slot, account []byte, hash uint32, balance Amount) bool {
	g := t.page(hash)
	for g.used == pageFull {
		if uint(g.depth) == t.depth && len(t.directory) > t.used {
			return false
		}
		t.split(g, hash)
		g = t.page(hash)
		s, _ = g.slot(account, hash)
	}
	s.balance, s.hash, s.length = balance, hash, uint8(len(account))
	copy(s.name[:], account)
	g.used++
	t.used++
	return true
}

// split makes two pages of the one in which a hash is.
func (t *table) split(g *page, hash uint32) {
	if uint(g.depth) == t.depth {
		t.double()
	}
	all, first := g.slots, t.firstOf(g, hash)
	entries := 1 << (t.depth - uint(g.depth)) // of the directory
	next := t.newPage()
	*g = page{depth: g.depth + 1}
	next.depth = g.depth
	for i := first + entries/2; i < first+entries; i++ {
		t.directory[i] = next
	}
	for i := range all {
		if s := &all[i]; s.length > 0 {
			to := t.page(s.hash)
			free, _ := to.slot(s.account(), s.hash)
			*free = *s
			to.used++
		}
	}
}

// firstOf is the first place in the directory of a page in which a hash is.
func (t *table) firstOf(g *page, hash uint32) int {
	shared := uint(g.depth)
	return int(uint64(hash) >> (32 - shared) << (t.depth - shared))
}

// double has the directory use one bit more.
func (t *table) double() {
	wider := make([]*page, 2*len(t.directory))
	for i := range wider {
		wider[i] = t.directory[i/2]
	}
	t.directory, t.depth = wider, t.depth+1
}

func (t *table) newPage() *page {
	if n := len(t.spare); n > 0 {
		g := t.spare[n-1]
		t.spare = t.spare[:n-1]
		*g = page{}
		return g
	}
	return new(page)
}

// touch reads where accounts are to be found, one independent of the other, so that the processor
// waits for memory once for many of them.
func (t *table) touch(hashes []uint32) {
	const near = 8 // pages are in the processor's cache anyway
	if len(t.directory) <= near {
		return
	}
	var sum uint32
	for _, hash := range hashes {
		sum += t.page(hash).slots[home(hash)].hash
	}
	t.touched = sum
}

// pages goes through the pages.
func (t *table) pages(yield func(*page) bool) {
	var before *page
	for _, g := range t.directory {
		if g != before && !yield(g) {
			return
		}
		before = g
	}
}

// all goes through the slots that are used.
func (t *table) all(yield func(*slot) bool) {
	for g := range t.pages {
		for i := range g.slots {
			if s := &g.slots[i]; s.length > 0 && !yield(s) {
				return
			}
		}
	}
}
