package console

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// isClosed reports whether a write failed because the pipe was closed.
func isClosed(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA) ||
		errors.Is(err, windows.ERROR_PIPE_NOT_CONNECTED)
}

// awaitClosed does not know: writing finds out.
func awaitClosed(context.Context, *os.File) bool { return false }
