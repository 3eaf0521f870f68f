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
