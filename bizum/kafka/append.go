package kafka

import (
	"context"

	"bizumctl/bizum/record"
)

// Append adds a record to the batch of its key's partition, chosen as Java's client does; records without a key go to
// the partitions in turn. The timestamp is in milliseconds; mark is returned in the Ack. Key and value are copied,
// headers are not. Its errors are the end of ctx and the one that ended the Writer.
func (w *Writer) Append(ctx context.Context, key, value []byte, timestamp, mark int64, headers ...Header) error {
	size := len(key) + len(value) + recordOverhead
	for _, h := range headers {
		size += len(h.Key) + len(h.Value) + recordOverhead
	}
	b, err := w.toFill(ctx, key, size)
	if err != nil {
		return err
	}
	b.records.Append(key, value, timestamp, headers...)
	b.note(key, value, mark)
	return nil
}

// AppendEncoded is Append with headers that are encoded already, which takes less time. They are copied.
func (w *Writer) AppendEncoded(ctx context.Context, key, value []byte, timestamp, mark int64,
	headers record.Headers) error {
	b, err := w.toFill(ctx, key, len(key)+len(value)+len(headers)+recordOverhead)
	if err != nil {
		return err
	}
	b.records.AppendEncoded(key, value, timestamp, headers)
	b.note(key, value, mark)
	return nil
}

// toFill returns the batch of a key's partition, with room for a record of a size.
func (w *Writer) toFill(ctx context.Context, key []byte, size int) (*producerBatch, error) {
	s := w.senders[0]
	if len(w.senders) > 1 {
		s = w.senders[w.choose(key)]
	}
	if s.open != nil && !s.takes(size) {
		s.queueUp()
	}
	if s.open == nil {
		b, err := w.take(ctx)
		if err != nil {
			return nil, err
		}
		s.open = b
	}
	return s.open, nil
}

func (w *Writer) choose(key []byte) int {
	if len(key) == 0 {
		w.next++
		return w.next % len(w.senders)
	}
	return int(PartitionOf(key, int32(len(w.senders))))
}

// take waits for a batch to fill. There are more batches than partitions, so when none is free some are in flight and
// will be: no partial batch has to be sent.
func (w *Writer) take(ctx context.Context) (*producerBatch, error) {
	var b *producerBatch
	select {
	case b = <-w.free:
	case <-w.failed:
		return nil, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b == nil {
		b = new(producerBatch)
	}
	b.records.Reset()
	*b = producerBatch{records: b.records, marks: b.marks[:0], packed: b.packed}
	return b, nil
}

// note notes what belongs to a record that was appended.
func (b *producerBatch) note(key, value []byte, mark int64) {
	b.bytes += len(key) + len(value)
	b.marks = append(b.marks, mark)
}
