package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// The operations on the disk. At each of them a test can kill the process, or make the disk fail.

// file is a draft that is being written.
type file struct{ *os.File }

func create(path string) (file, error) {
	if err := step("create", path); err != nil {
		return file{}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	return file{f}, err
}

func (f file) Write(b []byte) (int, error) {
	if err := step("write", f.Name()); err != nil {
		n, _ := f.File.Write(b[:len(b)/2]) // as on a disk that becomes full
		return n, err
	}
	return f.File.Write(b)
}

// finish syncs and closes the file.
func (f file) finish() error {
	err := step("sync", f.Name())
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// rename renames a file. It is durable once the folder is synced.
func rename(from, to string) error {
	if err := step("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

func syncFolder(path string) error {
	if err := step("syncdir", path); err != nil {
		return err
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced, and need not be
	}
	return folder.Sync()
}

// renameSynced renames a file and syncs its folder.
func renameSynced(from, to string) error {
	if err := rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// remove removes a file that may not exist.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
