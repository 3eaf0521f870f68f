package commands_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The README shows commands that exist, with flags that exist, and the statement that the worked example shows.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LISTS", "..")
	commands := regexp.MustCompile("(?:bizumctl|go run \\.) ((?:produce|consume|balance|audit|broker|demo)\\b[^|`\n…]*)").
		FindAllStringSubmatch(string(text), -1)
	if len(commands) < 15 {
		t.Fatalf("found only %d commands", len(commands))
	}
	for _, command := range commands {
		args := append(strings.Fields(command[1]), "--help")
		if out, err := exec.Command("bizumctl", args...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v: %s", command[0], err, out)
		}
	}
	worked, err := os.ReadFile("testdata/script/worked.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, statement, _ := strings.Cut(string(worked), "-- statement --\n")
	shown := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).
		ReplaceAllString(string(text), "YYYY-MM-DD hh:mm:ss")
	if !strings.Contains(shown, "```\n"+statement+"```") {
		t.Errorf("the README's statement is not that of the worked example:\n%s", statement)
	}
}
