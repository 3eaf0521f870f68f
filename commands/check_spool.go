package commands

import (
	"context"
	"errors"
	"io"
	"os"
)

// spooled keeps a stream in a file, because it may be read twice. When ctx ends it returns, and leaves behind what
// waits for the stream.
func spooled(ctx context.Context, from io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "bizumctl-check-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // now, where open files can be, so that a kill leaves nothing; else in the end
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(file, from)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(err, file.Close())
		_ = os.Remove(file.Name())
		return nil, err
	}
	return file, nil
}
