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
// as they came, and records unfolded from them.
const (
	answersMax  = 8 << 20
	unfoldedMax = 12 << 20
)

// memory is what readers share. A reader that would pass a bound waits until others have released
// something. A single batch may be larger than the bound, up to batch.MaxBytes: it waits until it is
// alone.
type memory struct {
	answers, unfolded *pool
	unfolder          *batch.Unfolder
}

func newMemory(answers, unfolded int64, unfolder *batch.Unfolder) *memory {
	return &memory{newPool(answers), newPool(unfolded), unfolder}
}

// pool lends buffers that have no more than max bytes together.
type pool struct {
	max      int64
	borrowed *semaphore.Weighted

	mu   sync.Mutex
	free [][]byte
	size int64 // of those that are free
}

func newPool(max int64) *pool {
	return &pool{max: max, borrowed: semaphore.NewWeighted(max)}
}

// buffer is a borrowed one. Whoever made it is its first user.
type buffer struct {
	bytes []byte
	pool  *pool // nil: none
	cost  int64
	users atomic.Int32
}

// borrow waits for room for so many bytes, or for ctx to end. The buffer's capacity may be 0 all the
// same: room for what a peer has only promised is not allocated yet.
func (p *pool) borrow(ctx context.Context, size int64) (*buffer, error) {
	cost := min(size, p.max)
	if err := p.borrowed.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	b := &buffer{bytes: p.take(size), pool: p, cost: cost}
	b.retain()
	return b, nil
}

// take returns a free buffer of at least this size, or nil.
func (p *pool) take(size int64) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, free := range slices.Backward(p.free) {
		if int64(cap(free)) >= size {
			p.free = slices.Delete(p.free, i, i+1)
			p.size -= int64(cap(free))
			return free
		}
	}
	return nil
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
	p.mu.Lock()
	if size := int64(cap(b.bytes)); size > 0 && p.size+size <= p.max {
		p.free = append(p.free, b.bytes[:0])
		p.size += size
	}
	p.mu.Unlock()
	p.borrowed.Release(b.cost)
}
