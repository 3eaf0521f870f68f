//go:build !windows

package hints

import "syscall"

// AddressInUse and connectionRefused are errors of the network, by this system's numbers.
const (
	AddressInUse      = syscall.EADDRINUSE
	connectionRefused = syscall.ECONNREFUSED
)
