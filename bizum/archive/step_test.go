//go:build killpoints

package archive_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bizumctl/bizum/format"
)

// points are the steps at which the process is killed or the disk fails, each with the path that it is about.
var points = []struct{ operation, part string }{
	{"create", "/." + topic}, {"write", "/." + topic}, {"sync", "/." + topic}, {"rename", "-0-"},
	{"create", "_rejected/"}, {"write", "_rejected/"}, {"sync", "_rejected/"}, {"rename", "_rejected/"},
	{"create", "_bizumctl.json"}, {"write", "_bizumctl.json"}, {"sync", "_bizumctl.json"}, {"rename", "_bizumctl.json"},
	{"syncdir", "-"},
}

// TestKilledAtStep: the process dies at each step, at its first time, its second and so on, and starts again; then it
// is as if nothing had happened, also for a reader that deletes what it has read.
func TestKilledAtStep(t *testing.T) {
	for i, point := range points {
		t.Run(point.operation+point.part, func(t *testing.T) {
			t.Parallel()
			n := 1
			kill := func() string { return fmt.Sprintf("kill %s %s %d", point.operation, point.part, n) }
			for diesAt(t, kill(), format.Names[(i+n)%4], uint64(n)%4, n%2 == 0) {
				n++
			}
			if n < 4 {
				t.Errorf("died only %d times", n-1)
			}
		})
	}
}

// diesAt writes the log with one death, and reports whether it came.
func diesAt(t *testing.T, step, name string, seed uint64, deletes bool) bool {
	t.Helper()
	r := newReader(t.TempDir())
	if seed%2 == 0 {
		finish(t, writerUntil(gapStart, r.dir, name, 0, seed))
		finish(t, writerUntil(gapStart+3, r.dir, name, 0, seed)) // which has nothing to publish
	}
	cmd := writer(r.dir, name, 0, seed, "BIZUMCTL_STEP="+step)
	err := cmd.Run()
	died := cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	if err != nil && !died {
		t.Fatalf("%s: %v: %v", step, err, cmd.Stderr)
	}
	r.read(t, deletes)
	finish(t, writer(r.dir, name, 0, seed))
	r.read(t, deletes)
	r.check(t, name, 1, seed)
	if !deletes {
		spans(t, r.dir, 0)
	}
	drafts, _ := filepath.Glob(filepath.Join(r.dir, "*", ".*.tmp"))
	if more, _ := filepath.Glob(filepath.Join(r.dir, "."+topic+"*.tmp")); len(more)+len(drafts) > 0 {
		t.Errorf("%s: left behind: %v %v", step, more, drafts)
	}
	return died
}

// TestDiskFails: the disk fails at each step, for good; the process says so, and once it is well again nothing is
// missing or twice.
func TestDiskFails(t *testing.T) {
	for i, point := range points {
		for _, fault := range []string{"ENOSPC", "EIO", "EROFS"} {
			t.Run(point.operation+point.part+fault, func(t *testing.T) {
				t.Parallel()
				for n := 1; n < 6; n += 2 {
					name, seed := format.Names[(i+n/2)%4], uint64(n)
					r := newReader(t.TempDir())
					cmd := writer(r.dir, name, 0, seed,
						fmt.Sprintf("BIZUMCTL_STEP=%s %s %s %d", fault, point.operation, point.part, n))
					text := map[string]string{"ENOSPC": "no space left on device", "EIO": "input/output error",
						"EROFS": "read-only file system"}[fault]
					if err := cmd.Run(); err == nil || !strings.Contains(fmt.Sprint(cmd.Stderr), text) ||
						!strings.Contains(fmt.Sprint(cmd.Stderr), r.dir) {
						t.Fatalf("%v: %v, want %q and the file", err, cmd.Stderr, text)
					}
					r.read(t, false)
					finish(t, writer(r.dir, name, 0, seed))
					r.read(t, false)
					r.check(t, name, 1, seed)
					spans(t, r.dir, 0)
				}
			})
		}
	}
}

// TestStopped: a process that is stopped holds its partition, so nobody writes the same; going on, it ends well.
func TestStopped(t *testing.T) {
	for _, point := range points {
		r := newReader(t.TempDir())
		stopped := writer(r.dir, "json", 0, 1, fmt.Sprintf("BIZUMCTL_STEP=stop %s %s 2", point.operation, point.part))
		if err := stopped.Start(); err != nil {
			t.Fatal(err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(stopped.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Fatalf("%v: %v, stopped: %v", point, err, status.Stopped())
		}
		if second := writer(r.dir, "json", 0, 1); second.Run() == nil {
			t.Errorf("%v: a second process wrote the partition", point)
		}
		r.read(t, true)
		other := writer(r.dir, "json", 1, 1) // it may have to wait for _bizumctl.json
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		if err := stopped.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range []*exec.Cmd{stopped, other} {
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v: %v %v", point, err, cmd.Stderr)
			}
		}
		r.read(t, true)
		r.check(t, "json", 2, 1)
	}
}

// TestFullDisk fills a small disk, where one may be mounted.
func TestFullDisk(t *testing.T) {
	r := newReader(t.TempDir())
	if err := syscall.Mount("tmpfs", r.dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no disk may be mounted: %v", err)
	}
	defer syscall.Unmount(r.dir, 0)
	ballast, failures := filepath.Join(r.dir, "_ballast"), 0
	for left := 0; left <= 16; left += 4 {
		if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if info, err := os.Stat(ballast); err != nil || os.Truncate(ballast, max(info.Size()-int64(left)<<10, 0)) != nil {
			t.Fatal(err)
		}
		cmd := writer(r.dir, "csv", 0, 1)
		if err := cmd.Run(); err != nil {
			failures++
			if !strings.Contains(fmt.Sprint(cmd.Stderr), "no space left on device") {
				t.Fatalf("%v: %v", err, cmd.Stderr)
			}
		}
		r.read(t, false)
	}
	if err := os.Remove(ballast); err != nil || failures == 0 {
		t.Fatalf("%v; %d failures", err, failures)
	}
	finish(t, writer(r.dir, "csv", 0, 1))
	r.read(t, false)
	r.check(t, "csv", 1, 1)
}
