//go:build unix

package console

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// isClosed reports whether a write failed because the pipe, or the window, was closed.
func isClosed(err error) bool { return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EIO) }

// awaitClosed waits until nobody reads a pipe any more. It returns false when ctx ends first, or the system does not
// know.
func awaitClosed(ctx context.Context, pipe *os.File) bool {
	const glance = time.Second // at ctx, which cannot interrupt the system's call
	fds := []unix.PollFd{{Fd: int32(pipe.Fd())}}
	for ctx.Err() == nil {
		n, err := unix.Poll(fds, int(glance.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) || err == nil && n == 0:
		case err != nil:
			return false
		default: // errors are reported without being asked for
			return fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		}
	}
	return false
}
