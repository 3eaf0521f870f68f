package commands

import "golang.org/x/sys/windows"

// Errors of the network, by this system's numbers: those that the package syscall has here are made up.
const (
	addressInUse      = windows.WSAEADDRINUSE
	connectionRefused = windows.WSAECONNREFUSED
)
