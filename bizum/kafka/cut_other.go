//go:build !windows

package kafka

import (
	"errors"
	"syscall"
)

// isReset reports whether the other side has closed a connection on which something was still to be read.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
