package kafka

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"bizumctl/bizum/kafka/batch"
)

// What the readers of a cluster hold together, in bytes, however many they are: answers of brokers
// as they came, and records decompressed from them.
const (
	answersMax           = 12 << 20
	decompressedBytesMax = 12 << 20
)

// memory is what readers share. A reader that would pass a bound waits until others have released
// something. A single batch may be larger than the bound, up to batch.BytesMax: it waits until it is
// alone.
type memory struct {
	answers, decompressed *pool
	decompressor          *batch.Decompressor
	readers               atomic.Int32
}

func newMemory(answers, decompressed int64, decompressor *batch.Decompressor) *memory {
	return &memory{answers: newPool(answers), decompressed: newPool(decompressed), decompressor: decompressor}
}

// What a reader asks for at once, at most and at least. A fetch takes the broker a while, however
// small it is, so a reader that is alone asks for much; the answer fits a power of two.
const (
	fetchBytesMax = 4<<20 - 1<<10
	fetchBytesMin = 256<<10 - 1<<10
)

// share is how much each reader may ask for: it has up to three answers, one in use, one ready and
// one that is being received.
func (m *memory) share() int32 {
	share := m.answers.max/3/int64(max(m.readers.Load(), 1)) - 1<<10
	return int32(min(max(share, fetchBytesMin), fetchBytesMax))
}

// pool lends buffers that have no more than max bytes together.
type pool struct {
	max      int64
	borrowed *semaphore.Weighted

	mu   sync.Mutex
	free []*buffer
	size int64 // of those that are free
}

func newPool(max int64) *pool {
	return &pool{max: max, borrowed: semaphore.NewWeighted(max)}
}

// buffer is a borrowed one. Whoever made it is its first user.
type buffer struct {
	bytes   []byte
	batches []batch.Batch // in bytes
	pool    *pool         // nil: none
	cost    int64
	users   atomic.Int32
}

// borrow waits for room for so many bytes, or for ctx to end. The buffer's capacity may be 0 all the
// same: room for what a peer has only promised is not allocated yet.
func (p *pool) borrow(ctx context.Context, size int64) (*buffer, error) {
	cost := min(size, p.max)
	if err := p.borrowed.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	b := p.take(size)
	b.cost = cost
	b.retain()
	return b, nil
}

// take returns a free buffer of at least this size, or an empty one.
func (p *pool) take(size int64) *buffer {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, free := range slices.Backward(p.free) {
		if int64(cap(free.bytes)) >= size {
			p.free = slices.Delete(p.free, i, i+1)
			p.size -= int64(cap(free.bytes))
			return free
		}
	}
	return &buffer{pool: p}
}

// retain adds a user.
func (b *buffer) retain() { b.users.Add(1) }

// release takes a user away. After the last one the buffer goes back, and is good no more.
func (b *buffer) release() {
	if b.users.Add(-1) > 0 {
		return
	}
	poison(b.bytes[:cap(b.bytes)])
	if b.pool != nil {
		b.pool.giveBack(b)
	}
}

func (p *pool) giveBack(b *buffer) {
	const batches = 2 << 20 // a small pool, too, keeps what batches of the usual size came in
	p.mu.Lock()
	if size := int64(cap(b.bytes)); size > 0 && p.size+size <= max(p.max, batches) {
		b.bytes, b.batches = b.bytes[:0], b.batches[:0]
		p.free = append(p.free, b)
		p.size += size
	}
	cost := b.cost
	p.mu.Unlock()
	p.borrowed.Release(cost)
}
