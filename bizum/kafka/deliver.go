package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	"bizumctl/bizum/kafka/batch"
)

// decompressBytes is the capacity that suffices for most batches: producers fill them up to 1 MiB of records.
const decompressBytes = 1<<20 + 64<<10

// delivery collects the batches of a response that a read_committed reader may see, decompressed and checked, and
// delivers them some at a time.
type delivery struct {
	*reader
	batches  chan<- Batch
	response *buffer
	aborted  *aborted
	from     int64 // of what is gathered

	gathered     []batch.Batch // reuses the array of the parsed ones
	bytes        int           // of records gathered
	decompressed *buffer       // holds the records of some of them
}

// add collects a batch, unless its transaction was aborted. It returns a corruptError if the batch is corrupt.
func (d *delivery) add(ctx context.Context, b *batch.Batch) error {
	if err := b.CheckSum(); err != nil {
		return d.corrupt(b.First, err)
	}
	d.aborted.before(b.Last)
	if b.Transactional() && !b.Control() && d.aborted.open[b.ProducerID] {
		return nil
	}
	if err := d.decompress(ctx, b); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return d.corrupt(b.First, err)
	}
	switch {
	case b.Control():
		if b.EndsAborted() {
			delete(d.aborted.open, b.ProducerID)
		}
		return nil
	case b.Count == 0:
		return nil
	}
	d.gathered = append(d.gathered, *b)
	if d.bytes += b.Bytes(); d.bytes >= deliverBytes {
		return d.flush(ctx, b.Last+1)
	}
	return nil
}

// decompress decompresses a batch into the buffer, and flushes first if there is no room left. A batch does not
// reliably state its decompressed size, so larger buffers are tried in steps.
func (d *delivery) decompress(ctx context.Context, b *batch.Batch) error {
	if !b.Compressed() {
		return nil
	}
	err := d.tryDecompress(ctx, b, decompressBytes)
	if errors.Is(err, batch.ErrShort) && len(d.decompressed.bytes) > 0 {
		if err := d.flush(ctx, b.First); err != nil {
			return err
		}
		err = d.tryDecompress(ctx, b, decompressBytes)
	}
	for room := int64(4 * decompressBytes); errors.Is(err, batch.ErrShort); room *= 4 {
		if cap(d.decompressed.bytes) >= batch.BytesMax {
			return d.corrupt(b.First, fmt.Errorf("its records decompress to more than %d bytes", batch.BytesMax))
		}
		d.decompressed.release()
		d.decompressed = nil
		err = d.tryDecompress(ctx, b, min(room, batch.BytesMax))
	}
	if err != nil && ctx.Err() == nil {
		return d.corrupt(b.First, err)
	}
	return err
}

// tryDecompress appends the records of a batch to the buffer. If there is no buffer, it borrows one of room bytes.
func (d *delivery) tryDecompress(ctx context.Context, b *batch.Batch, room int64) (err error) {
	if d.decompressed == nil {
		if d.decompressed, err = d.memory.decompressed.borrow(ctx, room); err != nil {
			return err
		}
		if d.decompressed.bytes == nil {
			d.decompressed.bytes = make([]byte, 0, room)
		}
	}
	d.decompressed.bytes, err = d.memory.decompressor.Decompress(b, d.decompressed.bytes)
	return err
}

// flush delivers the collected batches and the position after them.
func (d *delivery) flush(ctx context.Context, next int64) error {
	b := Batch{Topic: d.topic, Partition: d.partition, From: d.from, Next: next, first: d.from, end: math.MaxInt64,
		batches: d.gathered, response: d.response, decompressed: d.decompressed}
	b.response.retain()
	d.from, d.gathered, d.bytes, d.decompressed = next, d.gathered[len(d.gathered):], 0, nil
	select {
	case d.batches <- b:
		return nil
	case <-ctx.Done():
		b.release()
		return ctx.Err()
	}
}
