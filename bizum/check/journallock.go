package check

import (
	"os"
	"runtime"

	"github.com/gofrs/flock"
)

// A run holds a lock on its journal, which the system gives back however the run ends: a journal without one is left of
// a run that was killed. On Windows nobody could read what is locked, so there is none.
const journalsLocked = runtime.GOOS != "windows"

// lockJournal locks a journal before its first line is written, so that one which can be read was locked. A file system
// without locks is as good as Windows.
func lockJournal(path string) *flock.Flock {
	lock := journalLock(path)
	if journalsLocked {
		_ = lock.Lock() // waits only for one who looks, see JournalAbandoned
	}
	return lock
}

func journalLock(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(os.O_RDONLY), flock.SetPermissions(0))
}

// JournalAbandoned reports whether the run of a journal that could be read has ended without a receipt: it was killed.
// False also means that this is not known: on Windows, on a file system without locks, or if the journal is gone.
func JournalAbandoned(path string) bool {
	if !journalsLocked {
		return false
	}
	lock := journalLock(path)
	free, err := lock.TryRLock()
	_ = lock.Close() // nothing was written
	return free && err == nil
}
