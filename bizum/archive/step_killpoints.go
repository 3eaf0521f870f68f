//go:build killpoints

package archive

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var steps atomic.Int64

// step does what the environment says: BIZUMCTL_STEP is `WHAT OPERATION PART N`, and happens at the Nth time that the
// operation is due on a path that holds PART; - stands for any. WHAT is kill, stop (until SIGCONT), or the name of an
// error, which then lasts as a full or broken disk's does.
func step(operation, path string) error {
	var what, want, part string
	var n int64
	if _, err := fmt.Sscan(os.Getenv("BIZUMCTL_STEP"), &what, &want, &part, &n); err != nil {
		return nil
	}
	if want != operation && want != "-" || part != "-" && !strings.Contains(path, part) {
		return nil
	}
	errors := map[string]error{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC, "EROFS": syscall.EROFS}
	count := steps.Add(1)
	switch {
	case count < n || errors[what] == nil && count > n:
		return nil
	case what == "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour) // the signal may take a moment
	case what == "stop":
		return syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	return &fs.PathError{Op: operation, Path: path, Err: errors[what]}
}
