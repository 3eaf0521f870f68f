package page

import (
	"strconv"

	"bizumctl/bizum"
)

// partitionLabel is the value of a label.
func partitionLabel(number int32) string { return strconv.Itoa(int(number)) }

// Figures adds what a balance has for Prometheus.
func (b *Balance) Figures(m *Metrics) {
	counter := func(name, help string, value func() int64) {
		m.Counter(name, help, func() int64 {
			b.mu.Lock()
			defer b.mu.Unlock()
			return value()
		})
	}
	gauge := func(name, help string, value func() float64) {
		m.Gauge(name, help, func() float64 {
			b.mu.Lock()
			defer b.mu.Unlock()
			return value()
		})
	}
	counter("bizumctl_payments_total", "Payments that were booked.", func() int64 { return b.payments.payments() })
	counter("bizumctl_payments_rounded_total", "Payments whose amount was rounded to cents.",
		func() int64 { return b.rounded })
	counter("bizumctl_messages_rejected_total", "Messages that are no payment that can be booked.",
		func() int64 { return b.rejected.count })
	counter("bizumctl_takeovers_total", "Partitions of the group's ledger that were taken over.",
		func() int64 { return b.takeovers })
	gauge("bizumctl_accounts", "Accounts that have a balance here.", func() float64 { return float64(b.opened) })
	gauge("bizumctl_balances_euros", "Sum of the balances of all accounts here.",
		func() float64 { return inEuros(b.sum) })
	gauge("bizumctl_partitions", "Partitions of the topic that are booked here.",
		func() float64 { return float64(len(b.partitions.by)) })
	m.Gauge("bizumctl_page_readers", "Pages that are open.", func() float64 { return float64(b.stream.count()) })
	m.Partitioned("bizumctl_partition_position", "Offset after the last message that was booked.", b.each(
		func(p *partition) int64 { return p.position }))
	m.Partitioned("bizumctl_partition_lag", "Messages between the position and the end of the partition.", b.each(
		(*partition).lag))
	m.Times("bizumctl_end_to_end_latency_seconds",
		"Time from a payment's timestamp until it was booked, of payments sent since the start.", &b.latency)
	if b.config.Group != "" {
		m.Times("bizumctl_commit_duration_seconds", "Time that a commit to the ledger takes.", &b.commits)
	}
}

// inEuros is for Prometheus, whose values are floats. Nothing is calculated with it.
func inEuros(a bizum.Amount) float64 { return float64(a) / 100 }

func (b *Balance) each(value func(*partition) int64) func() map[int32]int64 {
	return func() map[int32]int64 {
		b.mu.Lock()
		defer b.mu.Unlock()
		values := make(map[int32]int64, len(b.partitions.by))
		for number, p := range b.partitions.by {
			values[number] = value(p)
		}
		return values
	}
}
