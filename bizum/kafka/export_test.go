package kafka

import "time"

// SetLimits shortens the time after which a wait is reported and a silent broker is given up. The cluster must not be
// in use yet.
func (c *Cluster) SetLimits(patience, silent time.Duration) { c.limits = limits{patience, silent} }

// SetSequence makes a new Writer begin each partition at a sequence number.
func (w *Writer) SetSequence(n int32) {
	for _, s := range w.senders {
		s.sequence = n
	}
}
