package kafka

import (
	"math"
	"testing"
)

// Sequence numbers begin again at 0 after 2^31-1 (Kafka's DefaultRecordBatch.incrementSequence).
func TestSequenceAfter(t *testing.T) {
	for _, c := range []struct {
		sequence int32
		records  int
		want     int32
	}{{0, 10, 10}, {math.MaxInt32 - 4, 4, math.MaxInt32}, {math.MaxInt32 - 4, 5, 0}, {math.MaxInt32 - 4, 10, 5}} {
		if got := after(c.sequence, c.records); got != c.want {
			t.Errorf("%d after %d records: %d, want %d", c.sequence, c.records, got, c.want)
		}
	}
}

// Empty values stay empty when a batch is split; missing ones are tombstones.
func TestSplitKeepsEmpty(t *testing.T) {
	w := &Writer{free: make(chan *producerBatch, 1)}
	w.bytes.Store(1000)
	b := new(producerBatch)
	for range 4 {
		b.records.Append(nil, []byte{}, 0)
		b.note(nil, nil, 0)
	}
	s := &partitionSender{writer: w, inFlight: []*producerBatch{b}}
	s.split()
	for i, half := range s.inFlight {
		for r := range half.records.Records {
			if r.Value == nil || r.Key != nil {
				t.Errorf("half %d, record %d: key %v, value %v, want none and an empty one", i, r.Offset, r.Key, r.Value)
			}
		}
	}
}
