package kafka

import (
	"time"

	"bizumctl/bizum/record"
)

// Partitions returns the partitions that the Writer writes to.
func (w *Writer) Partitions() (partitions []int32) {
	for _, s := range w.senders {
		partitions = append(partitions, s.partition)
	}
	return partitions
}

// Appended sets counts, one a partition as Partitions has them, to how many records each was given. Like Append it is
// for one goroutine. The first that were given to a partition are the first that Ack acknowledges.
func (w *Writer) Appended(counts []int64) {
	for i, s := range w.senders {
		counts[i] = s.queued
		if s.open != nil {
			counts[i] += int64(s.open.records.Len())
		}
	}
}

// closeTimeout is how long Unacknowledged waits for a partition sender to notice that the Writer is closed: one that
// is writing to a connection does not.
const closeTimeout = time.Second

// Unacknowledged closes the Writer, calls each with every record that was not acknowledged, in no order, and reports
// whether that were all. The brokers may have them or not. The record is valid during the call.
func (w *Writer) Unacknowledged(each func(*record.Record)) (all bool) {
	w.Close()
	ended := make(chan struct{})
	go func() {
		w.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeTimeout):
		return false
	}
	for _, s := range w.senders {
		for len(s.queue) > 0 {
			s.inFlight = append(s.inFlight, <-s.queue)
		}
		if s.open != nil {
			s.inFlight = append(s.inFlight, s.open)
		}
		for _, b := range s.inFlight {
			if b.acked {
				continue
			}
			for r := range b.records.Records {
				each(r)
			}
		}
	}
	return true
}
