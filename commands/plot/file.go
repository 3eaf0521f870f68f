package plot

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// ErrFormat means that the name of a picture says no format that is known.
var ErrFormat = errors.New("want a name that ends in .svg or .png")

// CheckFile makes sure, before a run begins, that a picture can be written when it ends. The error may be ErrFormat.
func CheckFile(name string) error {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".svg", ".png":
	default:
		return ErrFormat
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder", name)
	}
	draft, err := create(name)
	if err != nil {
		return err
	}
	return errors.Join(draft.Close(), os.Remove(draft.Name()))
}

// Write draws what was recorded into a file, which is there whole or not at all. It returns what was drawn, in words.
func (r *Recorder) Write(name string, t Title) (drawn string, err error) {
	scene, drawn := r.draw(t)
	picture := scene.svg()
	if strings.EqualFold(filepath.Ext(name), ".png") {
		if picture, err = scene.png(); err != nil {
			return "", err
		}
	}
	return drawn, write(name, picture)
}

// create returns an empty file with the rights that every new file has here, unlike one of os.CreateTemp.
func create(name string) (*os.File, error) {
	const rights = 0o666 // less the umask
	draft := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%x.tmp", filepath.Base(name), rand.Uint64()))
	return os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, rights)
}

// write writes a file under another name until it is complete.
func write(name string, content []byte) error {
	draft, err := create(name)
	if err != nil {
		return err
	}
	_, err = draft.Write(content)
	if err == nil {
		err = draft.Sync()
	}
	if closed := draft.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(draft.Name(), name)
	}
	if err != nil {
		_ = os.Remove(draft.Name())
	}
	return err
}
