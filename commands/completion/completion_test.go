package completion_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/completion"
)

// What the last word may become depends on the words before it; what only a cluster knows is asked for.
func TestWords(t *testing.T) {
	app := &cli.App{Commands: []*cli.Command{
		{Name: "consume", Flags: []cli.Flag{
			&cli.StringFlag{Name: "topic", Aliases: []string{"t"}, Usage: "the topic's `NAME`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: table, text, json; more"},
			&cli.StringFlag{Name: "dir", Usage: "write into folder `DIR`"},
			&cli.BoolFlag{Name: "exit"},
		}},
		{Name: "check", ArgsUsage: "[PATH...]", Flags: []cli.Flag{&cli.BoolFlag{Name: "json"}}},
		{Name: "man"},
		{Name: "completion"},
		{Name: "secret", Hidden: true},
	}}
	ask := func(_ context.Context, flag string, before []string) ([]string, bool) {
		if flag != "topic" {
			return nil, false
		}
		return []string{"bizums", "otros", "after-" + before[len(before)-1]}, true
	}
	for line, want := range map[string]string{
		"co":                  "consume completion",
		"man c":               "consume check completion",
		"consume --dir x":     ":files",
		"consume --dir=x":     ":files",
		"check --":            "--json",
		"check pa":            ":files",
		"s":                   "",
		"consume --":          "--topic --output --dir --exit",
		"consume --exit --":   "--topic --output --dir",
		"consume -o t":        "table text",
		"consume --output=j":  "--output=json",
		"consume -t b":        "bizums",
		"consume --exit -t a": "after---exit",
		"completion z":        "zsh",
		"nothing --":          "",
		"consume --exit t":    "",
	} {
		got := completion.Words(t.Context(), app, strings.Split(line, " "), ask)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if got := completion.Words(t.Context(), app, nil, ask); got != nil {
		t.Errorf("%q", got)
	}
}

func TestScript(t *testing.T) {
	for _, shell := range completion.Shells() {
		if text, ok := completion.Script(shell); !ok || !strings.Contains(text, "bizumctl complete") {
			t.Errorf("%s: %v, %q", shell, ok, text)
		}
	}
	for _, other := range []string{"", ".", "completion.go", "../completion/bash", "tcsh"} {
		if slices.Contains(completion.Shells(), other) {
			continue
		}
		if text, ok := completion.Script(other); ok {
			t.Errorf("%q: %q", other, text)
		}
	}
}
