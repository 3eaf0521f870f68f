package console

import (
	"context"
	"os"
)

// WhileRead returns a context that ends, with the cause ErrClosedPipe, as soon as nobody reads standard output any
// more: a run that waits for something to write would notice only then. Where the system cannot be asked, and of what
// is no pipe, only writing finds out. Stop ends the watch.
func (c *Console) WhileRead(ctx context.Context) (reading context.Context, stop func()) {
	reading, cancel := context.WithCancelCause(ctx)
	if file, ok := c.stdout.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeNamedPipe != 0 {
			go func() {
				if awaitClosed(reading, file) {
					cancel(ErrClosedPipe)
				}
			}()
		}
	}
	return reading, func() { cancel(nil) }
}
