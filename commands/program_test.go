package commands_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// programDir is the folder of the programs that the tests build, if they build one. TestMain deletes it.
var programDir string

var programDirMu sync.Mutex

// buildProgram builds the real program, main.go and all, with the build tags of this test and more.
func buildProgram(name string, flags, tags []string) (path string, err error) {
	programDirMu.Lock()
	defer programDirMu.Unlock()
	if programDir == "" {
		if programDir, err = os.MkdirTemp("", "bizumctl-test"); err != nil {
			return "", err
		}
	}
	for _, source := range []string{"main.go", "names.txt", "concepts.txt"} {
		if _, err := os.Stat("../" + source); err != nil { // looked at, a change of it makes go test run again
			return "", err
		}
	}
	path = filepath.Join(programDir, name, "bizumctl")
	if own := buildSetting("-tags"); own != "" {
		tags = append(slices.Clone(tags), own)
	}
	args := append([]string{"build", "-buildvcs=false", "-tags", strings.Join(tags, ","), "-o", path}, flags...)
	if text, err := exec.Command("go", append(args, "..")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return path, nil
}

// buildSetting returns a setting with which this test was built.
func buildSetting(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// realProgram is the real program, with the race detector if this test has it.
var realProgram = sync.OnceValues(func() (path string, err error) {
	var flags []string
	if buildSetting("-race") == "true" {
		flags = []string{"-race"}
	}
	if path, err = buildProgram("plain", flags, nil); err != nil {
		return "", err
	}
	// Where these tests run under nohup, their programs would ignore the signal too; what is caught, they do not inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	return path, os.Setenv("PATH", filepath.Dir(path)+string(filepath.ListSeparator)+os.Getenv("PATH"))
})

// onPath lets bizumctl, in the commands that a test runs, be the real program.
func onPath(t *testing.T) {
	t.Helper()
	if _, err := realProgram(); err != nil {
		t.Fatal(err)
	}
}
