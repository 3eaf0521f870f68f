package kafka

// SetSequence makes a new Writer begin each partition at a sequence number.
func (w *Writer) SetSequence(n int32) {
	for _, l := range w.lanes {
		l.sequence = n
	}
}
