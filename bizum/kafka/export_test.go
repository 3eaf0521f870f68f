package kafka

import "time"

// SetLimits makes a person be told after a shorter time, and a broker that is silent be given up. It is for a cluster
// that nobody uses yet.
func (c *Cluster) SetLimits(patience, silent time.Duration) { c.limits = limits{patience, silent} }

// SetSequence makes a new Writer begin each partition at a sequence number.
func (w *Writer) SetSequence(n int32) {
	for _, l := range w.lanes {
		l.sequence = n
	}
}
