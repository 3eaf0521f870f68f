package hints

import "golang.org/x/sys/windows"

// AddressInUse and connectionRefused are errors of the network, by this system's numbers: those that the package syscall has here are made up.
const (
	AddressInUse      = windows.WSAEADDRINUSE
	connectionRefused = windows.WSAECONNREFUSED
)
