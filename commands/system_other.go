//go:build !windows

package commands

import "syscall"

// Errors of the network, by this system's numbers.
const (
	addressInUse      = syscall.EADDRINUSE
	connectionRefused = syscall.ECONNREFUSED
)
