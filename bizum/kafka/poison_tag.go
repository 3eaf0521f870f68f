//go:build poison

package kafka

// poison overwrites a buffer whose last user has released it, so that a test sees who reads on.
func poison(b []byte) {
	if len(b) == 0 {
		return
	}
	b[0] = 0xdb
	for n := 1; n < len(b); n *= 2 { // the race detector sees a copy once
		copy(b[n:], b[:n])
	}
}
