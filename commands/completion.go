package commands

import (
	"context"
	"embed"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
)

// completionScripts are a file for each shell. They ask "bizumctl complete WORD..." what the last word may become.
//
//go:embed completion
var completionScripts embed.FS

// completeWithin is how long a person who has pressed Tab waits for a cluster.
const completeWithin = time.Second

var shells = [...]string{"bash", "zsh", "fish", "powershell"}

func newCompletion(env Env) *cli.Command {
	speech := defaultSpeech()
	return &cli.Command{
		Name: "completion", Usage: "print what makes a shell complete our words", ArgsUsage: "SHELL",
		Description: examples("Prints a script for a shell, which says in its first lines where it belongs.",
			"source <(bizumctl completion bash)     for this session of bash",
			"bizumctl completion zsh|fish|powershell"),
		Flags: speech.flags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || !slices.Contains(shells[:], c.Args().First()) {
				return misuse("completion wants one shell: %s", strings.Join(shells[:], ", "))
			}
			script, err := completionScripts.ReadFile("completion/" + c.Args().First())
			if err != nil {
				return err
			}
			screen := newConsole(env, speech)
			for line := range strings.Lines(string(script)) {
				if err := screen.Line([]byte(strings.TrimSuffix(line, "\n"))); err != nil {
					return err
				}
			}
			return screen.Flush()
		},
	}
}

// newComplete is for the scripts: it prints what the last of its arguments may become, a line each.
func newComplete(env Env, app *cli.App) *cli.Command {
	return &cli.Command{Name: "complete", ArgsUsage: "WORD...", Hidden: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				return nil
			}
			screen := newConsole(env, defaultSpeech())
			for _, word := range completions(c.Context, env, app, words[:len(words)-1], words[len(words)-1]) {
				if err := screen.Line([]byte(word)); err != nil {
					return err
				}
			}
			return screen.Flush()
		},
	}
}

// completions returns what a word may become after those before it.
func completions(ctx context.Context, env Env, app *cli.App, before []string, word string) (found []string) {
	if len(before) == 0 {
		for _, command := range app.VisibleCommands() {
			found = append(found, command.Name)
		}
		return beginning(append(found, "help", "version", "--help", "--version"), word, "")
	}
	command := app.Command(before[0])
	switch {
	case command == nil:
		return nil
	case command.Name == "completion":
		return beginning(shells[:], word, "")
	}
	if name, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(name, "-") {
		return beginning(valuesOf(ctx, env, command, before, name), value, name+"=")
	}
	if values, wanted := wantedValues(ctx, env, command, before); wanted {
		return beginning(values, word, "")
	}
	for _, flag := range command.Flags {
		if name := "--" + flag.Names()[0]; !slices.Contains(before, name) {
			found = append(found, name)
		}
	}
	return beginning(found, word, "")
}

func beginning(words []string, with, prefix string) (found []string) {
	for _, word := range words {
		if strings.HasPrefix(word, with) {
			found = append(found, prefix+word)
		}
	}
	return found
}

// wantedValues returns the values of the flag that the last word is, if it is one that takes a value.
func wantedValues(ctx context.Context, env Env, command *cli.Command, before []string) (values []string, wanted bool) {
	last := before[len(before)-1]
	flag := flagOf(command, last)
	if flag == nil || !flag.(cli.DocGenerationFlag).TakesValue() {
		return nil, false
	}
	return valuesOf(ctx, env, command, before[:len(before)-1], last), true
}

// flagOf returns the flag of a command that a word names, nil if none.
func flagOf(command *cli.Command, word string) cli.Flag {
	name := strings.TrimLeft(word, "-")
	for _, flag := range command.Flags {
		if name != word && slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

// valuesOf returns what a flag may be set to; none where that is not a matter of choice.
func valuesOf(ctx context.Context, env Env, command *cli.Command, before []string, word string) []string {
	flag := flagOf(command, word)
	if flag == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	switch flag.Names()[0] {
	case "profile":
		names, _ := profiles(env)
		return names
	case "topic":
		return ofCluster(ctx, env, command, before, func(c *kafka.Cluster, _ string) ([]string, error) {
			return c.Topics(ctx)
		})
	case "group":
		return ofCluster(ctx, env, command, before, func(c *kafka.Cluster, _ string) ([]string, error) {
			return c.Groups(ctx)
		})
	case "partition":
		return ofCluster(ctx, env, command, before, func(c *kafka.Cluster, topic string) (names []string, err error) {
			partitions, err := c.Partitions(ctx, topic)
			for _, p := range partitions {
				names = append(names, strconv.Itoa(int(p)))
			}
			return names, err
		})
	}
	return choices(flag.(cli.DocGenerationFlag).GetUsage())
}

var oneWord = regexp.MustCompile(`^[a-z0-9-]+$`)

// choices returns the words that the usage of a flag lists: "when: auto, always, never; more".
func choices(usage string) (words []string) {
	_, list, _ := strings.Cut(usage, ": ")
	list, _, _ = strings.Cut(list, ";")
	for word := range strings.SplitSeq(list, ", ") {
		if oneWord.MatchString(word) {
			words = append(words, word)
		}
	}
	return words
}

// ofCluster asks the cluster that the words before name, as the environment and profiles do. It says nothing where
// there is none, or it does not let us in: that is not what somebody who presses Tab asks for.
func ofCluster(ctx context.Context, env Env, command *cli.Command, before []string,
	ask func(c *kafka.Cluster, topic string) ([]string, error)) (found []string) {
	env.Stdout, env.Stderr = io.Discard, io.Discard
	options := defaultCluster()
	lookup := &cli.Command{Name: "lookup", Flags: options.flags(), Action: func(c *cli.Context) error {
		cluster, err := options.open(ctx, env, newConsole(env, options.speech))
		if err != nil {
			return err
		}
		defer cluster.Close()
		found, err = ask(cluster, options.topic)
		return err
	}}
	args := []string{"bizumctl", lookup.Name}
	for i, word := range before {
		name, _, joined := strings.Cut(word, "=")
		flag := flagOf(lookup, name)
		if flag == nil || i == 0 {
			continue
		}
		args = append(args, word)
		if !joined && flag.(cli.DocGenerationFlag).TakesValue() && i+1 < len(before) {
			args = append(args, before[i+1])
		}
	}
	app := newApp(env) // which also knows the keys of ours that a profile may have
	app.Commands = append(app.Commands, lookup)
	prepare(env, lookup)
	_ = app.RunContext(ctx, args) // nothing is found then
	return found
}
