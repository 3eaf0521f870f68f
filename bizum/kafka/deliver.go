package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	"bizumctl/bizum/kafka/batch"
)

// unfoldBytes is the room for unfolded records that is enough for most: producers fill batches up to
// 1 MiB of records.
const unfoldBytes = 1<<20 + 64<<10

// delivery gathers the batches of an answer that a reader of committed records may see, unfolded and
// checked, and delivers them some at a time.
type delivery struct {
	*reader
	batches chan<- Batch
	answer  *buffer
	aborted *aborted
	from    int64 // of what is gathered

	gathered []batch.Batch // in place of those that were parsed
	bytes    int           // of records gathered
	unfolded *buffer       // which some of them are in
}

// add gathers a batch. If it is corrupt, nothing of it is gathered.
func (d *delivery) add(ctx context.Context, b *batch.Batch) error {
	d.aborted.before(b.Last)
	if b.Transactional() && !b.Control() && d.aborted.open[b.ProducerID] {
		return nil
	}
	if err := d.unfold(ctx, b); err != nil {
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

// unfold decompresses a batch into what room there is, or into more. More is tried in steps, because
// no batch says truly how much it wants.
func (d *delivery) unfold(ctx context.Context, b *batch.Batch) error {
	if !b.Folded() {
		return nil
	}
	err := d.tryUnfold(ctx, b, unfoldBytes)
	if errors.Is(err, batch.ErrShort) && len(d.unfolded.bytes) > 0 {
		if err := d.flush(ctx, b.First); err != nil {
			return err
		}
		err = d.tryUnfold(ctx, b, unfoldBytes)
	}
	for room := int64(4 * unfoldBytes); errors.Is(err, batch.ErrShort); room *= 4 {
		if cap(d.unfolded.bytes) >= batch.MaxBytes {
			return d.corrupt(b.First, fmt.Errorf("its records unfold to more than %d bytes", batch.MaxBytes))
		}
		d.unfolded.release()
		d.unfolded = nil
		err = d.tryUnfold(ctx, b, min(room, batch.MaxBytes))
	}
	if err != nil && ctx.Err() == nil {
		return d.corrupt(b.First, err)
	}
	return err
}

// tryUnfold unfolds a batch behind those that are in the buffer already; the first one makes a
// buffer of so many bytes.
func (d *delivery) tryUnfold(ctx context.Context, b *batch.Batch, room int64) (err error) {
	if d.unfolded == nil {
		if d.unfolded, err = d.memory.unfolded.borrow(ctx, room); err != nil {
			return err
		}
		if d.unfolded.bytes == nil {
			d.unfolded.bytes = make([]byte, 0, room)
		}
	}
	d.unfolded.bytes, err = d.memory.unfolder.Unfold(b, d.unfolded.bytes)
	return err
}

// flush delivers what was gathered, and the position after it.
func (d *delivery) flush(ctx context.Context, next int64) error {
	b := Batch{Topic: d.topic, Partition: d.partition, From: d.from, Next: next, first: d.from, end: math.MaxInt64,
		batches: d.gathered, answer: d.answer, unfolded: d.unfolded}
	b.answer.retain()
	d.from, d.gathered, d.bytes, d.unfolded = next, d.gathered[len(d.gathered):], 0, nil
	select {
	case d.batches <- b:
		return nil
	case <-ctx.Done():
		b.release()
		return ctx.Err()
	}
}
