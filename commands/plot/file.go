package plot

import (
	"errors"
	"fmt"
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
	draft, err := os.CreateTemp(filepath.Dir(name), draftOf(name))
	if err != nil {
		return err
	}
	return errors.Join(draft.Close(), os.Remove(draft.Name()))
}

func draftOf(name string) string { return "." + filepath.Base(name) + ".*.tmp" }

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

// write writes a file that others may read, under another name until it is complete.
func write(name string, content []byte) error {
	draft, err := os.CreateTemp(filepath.Dir(name), draftOf(name))
	if err != nil {
		return err
	}
	_, err = draft.Write(content)
	if err == nil {
		const readable = 0o644
		err = draft.Chmod(readable)
	}
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
