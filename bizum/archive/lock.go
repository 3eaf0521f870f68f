package archive

import (
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// tryLock locks a file, which it makes if it is missing, and reports whether it could. Others may read the file: that
// is what another user of the folder needs to lock it.
func tryLock(path string) (lock *flock.Flock, taken bool, err error) {
	// Whoever opens a pipe would wait for its other end, and whoever follows a link would lock what it points to.
	lock = flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDONLY|noFollow), flock.SetPermissions(0o644))
	taken, err = lock.TryLock()
	if err != nil {
		err = plainly(path, err)
	}
	if taken && !isLocked(lock, path) { // it was deleted between opening and locking, or is no regular file
		taken, err = false, plainly(path, nil)
	}
	if !taken {
		_ = lock.Close() // it is not locked
		return nil, false, err
	}
	return lock, true, nil
}

// isLocked reports whether a lock that we hold is still the file that others would lock.
func isLocked(lock *flock.Flock, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && there.Mode().IsRegular() && os.SameFile(held, there)
}

// owned returns ErrLockLost if the lock that we hold is no longer the one that others would take.
func (p *Part) owned() error {
	path := p.folder.path(lockOf(p.folder.Topic, p.partition))
	if !isLocked(p.lock, path) {
		return fmt.Errorf("%s: %w", path, ErrLockLost)
	}
	return nil
}
