package kafka

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isReset reports whether the other side has closed a connection on which something was still to be read.
func isReset(err error) bool {
	return errors.Is(err, windows.WSAECONNRESET) || errors.Is(err, windows.WSAECONNABORTED)
}
