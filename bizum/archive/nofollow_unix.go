//go:build unix

package archive

import "syscall"

// noFollow makes opening fail at a link, and return at once from a pipe.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
