package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// The operations on the disk. At each of them a test can kill the process, or make the disk fail.

// file is a draft that is being written.
type file struct{ *os.File }

// create makes a new file. What has its name already goes first, so that a link is never followed.
func create(path string) (file, error) {
	if err := step("create", path); err != nil {
		return file{}, err
	}
	if err := remove(path); err != nil {
		return file{}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	return file{f}, err
}

// NotRegularError means that there is something else where a file of ours would be, or our folder.
type NotRegularError struct {
	Path string
	Mode fs.FileMode // what it is
}

func (e *NotRegularError) Error() string {
	kind := "another kind of file"
	switch {
	case e.Mode.IsDir():
		kind = "a folder"
	case e.Mode.IsRegular():
		kind = "a file"
	case e.Mode&fs.ModeSymlink != 0:
		kind = "a link"
	case e.Mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	}
	return fmt.Sprintf("%s is %s, and not ours", e.Path, kind)
}

// read returns what is in a file of ours, which is of no more than max bytes. It follows no link, and waits for no
// pipe.
func read(path string, max int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, plainly(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &NotRegularError{path, info.Mode()}
	case info.Size() > max:
		return nil, fmt.Errorf("%s has %d bytes, more than we write", path, info.Size())
	}
	return io.ReadAll(io.LimitReader(f, max))
}

// plainly is the error of opening path without following links, which is a different one on each system.
func plainly(path string, err error) error {
	if info, there := os.Lstat(path); there == nil && !info.Mode().IsRegular() {
		return &NotRegularError{path, info.Mode()}
	}
	return err
}

// makeFolder makes a folder inside another one, as open to others as that is, if it is missing. A link to one is
// refused.
func makeFolder(path string) error {
	outer, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = os.Mkdir(path, 0o777)
	if err == nil {
		return os.Chmod(path, outer.Mode()&(fs.ModePerm|fs.ModeSetgid)) // whatever the umask is
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return isFolder(path)
}

func isFolder(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = &NotRegularError{path, info.Mode()}
	}
	return err
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

// isRegular reports whether there is a file. What is something else is a NotRegularError.
func isRegular(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && !info.Mode().IsRegular():
		return false, &NotRegularError{path, info.Mode()}
	}
	return err == nil, err
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
