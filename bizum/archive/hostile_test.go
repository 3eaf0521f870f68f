//go:build unix

package archive_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bizumctl/bizum/archive"
)

const (
	firstFile  = topic + "-0-00000000000000000000-00000000000000000006"
	firstDraft = "." + topic + "-0-00000000000000000000.tmp"
)

// plant puts something that is no file of ours in a folder, and returns the file that a link points to.
func plant(t *testing.T, path, kind string) (victim string) {
	t.Helper()
	victim = filepath.Join(t.TempDir(), "victim")
	for _, err := range []error{os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(victim, []byte("precious"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := map[string]func() error{
		"link":     func() error { return os.Symlink(victim, path) },
		"to a dir": func() error { return os.Symlink(filepath.Dir(victim), path) },
		"endless":  func() error { return os.Symlink("/dev/zero", path) },
		"dangling": func() error { return os.Symlink(victim+".new", path) },
		"pipe":     func() error { return syscall.Mkfifo(path, 0o666) },
		"folder":   func() error { return os.MkdirAll(filepath.Join(path, "full"), 0o755) },
	}[kind](); err != nil {
		t.Fatal(err)
	}
	return victim
}

// untouched fails if a link was followed.
func untouched(t *testing.T, victim string) {
	t.Helper()
	text, err := os.ReadFile(victim)
	files, _ := os.ReadDir(filepath.Dir(victim))
	if string(text) != "precious" || len(files) != 1 {
		t.Errorf("the file that a link points to has %q now, %v, beside %d others", text, err, len(files)-1)
	}
}

// TestPlanted: what is no file where one of ours would be is refused at once. It is not followed, waited for, read
// without end, or taken for a file of ours.
func TestPlanted(t *testing.T) {
	for _, name := range []string{"_bizumctl.json", "._bizumctl.json.tmp", "._bizumctl.json.lock", "." + topic + "-0.lock",
		firstDraft, firstFile + ".json", "_rejected"} {
		for _, kind := range []string{"link", "to a dir", "endless", "dangling", "pipe", "folder"} {
			if name == "_rejected" && kind == "folder" {
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "dir", name)
				victim := plant(t, path, kind)
				cmd := writer(filepath.Dir(path), "json", 0, 1)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				hung := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
				defer hung.Stop()
				err := cmd.Wait()
				if text := fmt.Sprint(cmd.Stderr); err == nil || !strings.Contains(text, path+" is a ") ||
					!strings.Contains(text, ", and not ours") {
					t.Errorf("%v, %q", err, text)
				}
				untouched(t, victim)
			})
		}
	}
}

// TestPlantedLater: the same while the folder is written.
func TestPlantedLater(t *testing.T) {
	for _, kind := range []string{"link", "endless", "dangling", "pipe", "to a dir"} {
		dir := t.TempDir()
		p := take(t, dir)
		var victims []string
		for _, name := range []string{"._bizumctl.json.tmp", firstDraft} {
			victims = append(victims, plant(t, filepath.Join(dir, name), kind))
		}
		if err := p.Put(rowAt(0, 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Publish(); err != nil {
			t.Fatal(err)
		}
		victims = append(victims, plant(t, filepath.Join(dir, "_rejected"), kind))
		wrong := &archive.NotRegularError{}
		if err := p.Reject(1, errors.New("is bad"), badValue(1)); !errors.As(err, &wrong) ||
			wrong.Path != filepath.Join(dir, "_rejected") {
			t.Errorf("%s: _rejected: %v", kind, err)
		}
		if err := p.Release(); err != nil {
			t.Error(err)
		}
		for _, victim := range victims {
			untouched(t, victim)
		}
	}
}

// take takes partition 0 of a folder, at its first offset.
func take(t *testing.T, dir string) *archive.Part {
	t.Helper()
	folder, _, err := archive.Open(dir, config("json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := folder.Take(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := p.Next(); !known {
		p.Begin(0)
	}
	return p
}

// TestLockDeleted: a writer whose lock was deleted notices it before it publishes, makes a file or discards one, so
// another writer that got in loses nothing and nothing is twice.
func TestLockDeleted(t *testing.T) {
	put := func(p *archive.Part, from, to int64) (err error) {
		for offset := from; offset < to && err == nil; offset++ {
			err = p.Put(rowAt(0, offset))
		}
		return err
	}
	for name, open := range map[string]int64{"with a file open": 3, "with none": 0} {
		for _, further := range []int64{0, 4} {
			dir := t.TempDir()
			first := take(t, dir)
			if err := put(first, 0, open); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir, "."+topic+"-0.lock")); err != nil {
				t.Fatal(err)
			}
			second := take(t, dir)
			if err := put(second, 0, further); err != nil {
				t.Fatal(err)
			}
			err := put(first, open, 5)
			if err == nil {
				_, err = first.Publish()
			}
			if !errors.Is(err, archive.ErrLockLost) {
				t.Errorf("%s: the first writer went on: %v", name, err)
			}
			_ = first.Release()
			if err := put(second, further, 6); err != nil {
				t.Fatal(err)
			}
			if _, err := second.Publish(); err != nil {
				t.Fatal(err)
			}
			if err := second.Release(); err != nil {
				t.Fatal(err)
			}
			r := newReader(dir)
			r.read(t, false)
			for offset := range 6 {
				if n := r.good[fmt.Sprintf("0/%d", offset)]; n != 1 {
					t.Errorf("%s: offset %d is there %d times", name, offset, n)
				}
			}
		}
	}
}

// TestOtherPosition: a position that we did not write means that somebody else writes the partition.
func TestOtherPosition(t *testing.T) {
	dir := t.TempDir()
	p := take(t, dir)
	state := filepath.Join(dir, "_bizumctl.json")
	for _, next := range []int{1, 2} {
		if err := p.Put(rowAt(0, int64(next-1))); err != nil {
			t.Fatal(err)
		}
		if next == 2 {
			text, err := os.ReadFile(state)
			if err != nil {
				t.Fatal(err)
			}
			other := strings.Replace(string(text), `"read": 1`, `"read": 7`, 1)
			if err := os.WriteFile(state, []byte(other), 0o600); err != nil || other == string(text) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if _, err := p.Publish(); errors.Is(err, archive.ErrLockLost) != (next == 2) {
			t.Errorf("position %d: %v", next, err)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, topic+"*")); len(files) != 1 {
		t.Errorf("files %q, want one", files)
	}
	_ = p.Release()
}

// TestSharedFolder: what another user of the folder's group has to read or write, he can.
func TestSharedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o775|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := write(dir, "json", 0, 1, logEnd); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"_bizumctl.json": 0o444, "._bizumctl.json.lock": 0o444,
		"." + topic + "-0.lock": 0o444, "_rejected": os.ModeDir | os.ModeSetgid | 0o775} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&want != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}
