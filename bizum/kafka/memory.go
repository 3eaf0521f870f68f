package kafka

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"bizumctl/bizum/kafka/batch"
)

// Limits of what all readers of a cluster hold together: responses of brokers, and records decompressed from them.
const (
	responseBytesMax     = 12 << 20
	decompressedBytesMax = 12 << 20
	restoreBytesMax      = 6 << 20 // of either, beside these, for what is read to its end (PartitionLog.ReadToEnd)
)

// memory is shared by readers. A reader that would exceed a limit waits until others have released memory. A single
// batch may be larger than the limit, up to batch.BytesMax: its reader waits until it is alone.
type memory struct {
	responses, decompressed *pool
	decompressor            *batch.Decompressor
	readers                 atomic.Int32
}

func newMemory(responses, decompressed int64, decompressor *batch.Decompressor) *memory {
	return &memory{responses: newPool(responses), decompressed: newPool(decompressed), decompressor: decompressor}
}

// The least and the most that a reader requests at once. A fetch has a fixed cost, so a reader that is alone requests
// much; the response fits a power of two.
const (
	fetchBytesMax = 4<<20 - 1<<10
	fetchBytesMin = 256<<10 - 1<<10
)

// fetchBytes returns how much each reader may request: it holds up to three responses, one in use, one ready and one
// being received.
func (m *memory) fetchBytes() int32 {
	each := m.responses.max/3/int64(max(m.readers.Load(), 1)) - 1<<10
	return int32(min(max(each, fetchBytesMin), fetchBytesMax))
}

// pool lends buffers of no more than max bytes in total.
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

// buffer is a reference-counted buffer, borrowed from a pool.
type buffer struct {
	bytes   []byte
	batches []batch.Batch // in bytes
	pool    *pool         // nil: none
	cost    int64
	users   atomic.Int32
}

// borrow waits until size bytes are free in the pool, or ctx ends. The capacity of the buffer may be 0 all the same: a
// peer has only announced the bytes, so they are not allocated yet.
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

// retain adds a reference.
func (b *buffer) retain() { b.users.Add(1) }

// release removes a reference. After the last one the buffer returns to the pool and must not be used.
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
	const batches = 2 << 20 // a small pool, too, retains buffers for batches of the usual size
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
