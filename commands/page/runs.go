package page

import (
	"sync/atomic"
	"time"

	"bizumctl/bizum/event"
)

// Sent is what a run has sent so far.
type Sent struct {
	Payments, Bytes int64         // that were acknowledged
	P99             time.Duration // from when a payment was due to its acknowledgement; 0 with pauses
}

// Sending adds the figures of a run that sends.
func (m *Metrics) Sending(sent func() Sent, pending func() int64) {
	m.Counter("bizumctl_payments_sent_total", "Payments that the broker has acknowledged.",
		func() int64 { return sent().Payments })
	m.Counter("bizumctl_sent_bytes_total", "Bytes of the payments that the broker has acknowledged.",
		func() int64 { return sent().Bytes })
	m.Gauge("bizumctl_payments_in_flight", "Payments that are sent and not acknowledged yet.",
		func() float64 { return float64(pending()) })
	m.Gauge("bizumctl_acknowledgement_p99_seconds",
		"Time within which 99 of 100 payments were acknowledged, from when they were due; 0 with pauses.",
		func() float64 { return sent().P99.Seconds() })
}

// Filing adds the figures of a run that writes files. It returns what counts the run's events. Positions says how far
// each partition is written, and ends where it ends; an error means that this is not known.
func (m *Metrics) Filing(positions func() map[int32]int64, ends func() (map[int32]int64, error)) (
	count func(event.Event)) {
	var written, files, rejected atomic.Int64
	m.Counter("bizumctl_payments_written_total", "Payments that were written into files.", written.Load)
	m.Counter("bizumctl_files_closed_total", "Files that are complete.", files.Load)
	m.Counter("bizumctl_messages_rejected_total", "Messages that are no payment.", rejected.Load)
	m.Partitioned("bizumctl_partition_position", "Offset after the last message that was written.", positions)
	m.Partitioned("bizumctl_partition_lag", "Messages that are not written yet.", func() map[int32]int64 {
		ends, err := ends()
		if err != nil {
			return nil
		}
		return lags(positions(), ends)
	})
	return func(e event.Event) {
		switch e := e.(type) {
		case event.Filing:
			raise(&written, e.Rows)
		case event.FileClosed:
			files.Add(1)
		case event.Rejected:
			rejected.Add(1)
		}
	}
}

// lags returns how far each partition whose position is known is behind its end.
func lags(positions, ends map[int32]int64) map[int32]int64 {
	lags := make(map[int32]int64)
	for p, end := range ends {
		if position, known := positions[p]; known {
			lags[p] = max(0, end-position)
		}
	}
	return lags
}

// raise sets a number that several goroutines only raise.
func raise(n *atomic.Int64, to int64) {
	for {
		before := n.Load()
		if to <= before || n.CompareAndSwap(before, to) {
			return
		}
	}
}
