package commands

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/commands/completion"
	"bizumctl/commands/help"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

func newCompletion(env Env) *cli.Command {
	speech := settings.DefaultSpeech()
	return &cli.Command{
		Name: "completion", Usage: "print what makes a shell complete our words", ArgsUsage: "SHELL",
		Description: help.Examples("Prints a script for a shell, which says in its first lines where it belongs.",
			"source <(bizumctl completion bash)     for this session of bash",
			"bizumctl completion zsh|fish|powershell"),
		Flags: speech.Flags(),
		Action: func(c *cli.Context) error {
			script, ok := completion.Script(c.Args().First())
			if !ok || c.NArg() != 1 {
				return misuse.Errorf("completion wants one shell: %s", strings.Join(completion.Shells(), ", "))
			}
			return newConsole(env, speech).Text(script)
		},
	}
}

// newComplete is for the scripts: it prints what the last of its arguments may become, a line each.
func newComplete(env Env, app *cli.App) *cli.Command {
	return &cli.Command{Name: "complete", ArgsUsage: "WORD...", Hidden: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			ask := func(ctx context.Context, flag string, before []string) ([]string, bool) {
				return lookup(ctx, env, flag, before)
			}
			screen := newConsole(env, settings.DefaultSpeech())
			for _, word := range completion.Words(c.Context, app, c.Args().Slice(), ask) {
				if err := screen.Line([]byte(word)); err != nil {
					return err
				}
			}
			return screen.Flush()
		},
	}
}

// lookup looks up what a flag may be set to, and reports whether it does that for this flag.
func lookup(ctx context.Context, env Env, flag string, before []string) (values []string, known bool) {
	switch flag {
	case "profile":
		values, _ = settings.Profiles(env.ConfigDir)
	case "topic":
		values = ofCluster(ctx, env, before, func(c *kafka.Cluster, _ string) ([]string, error) { return c.Topics(ctx) })
	case "group":
		values = ofCluster(ctx, env, before, func(c *kafka.Cluster, _ string) ([]string, error) { return c.Groups(ctx) })
	case "partition":
		values = ofCluster(ctx, env, before, func(c *kafka.Cluster, topic string) (names []string, err error) {
			partitions, err := c.Partitions(ctx, topic)
			for _, p := range partitions {
				names = append(names, strconv.Itoa(int(p)))
			}
			return names, err
		})
	default:
		return nil, false
	}
	return values, true
}

// ofCluster asks the cluster that the words before name, as the environment and profiles do. It says nothing where
// there is none, or it does not let us in: that is not what somebody who presses Tab asks for.
func ofCluster(ctx context.Context, env Env, before []string,
	ask func(c *kafka.Cluster, topic string) ([]string, error)) (found []string) {
	env.Stdout, env.Stderr = io.Discard, io.Discard
	options := settings.DefaultCluster()
	command := &cli.Command{Name: "lookup", Flags: options.Flags(), Action: func(c *cli.Context) error {
		cluster, err := options.Open(ctx, env.settings(), newConsole(env, options.Speech))
		if err != nil {
			return err
		}
		defer cluster.Close()
		found, err = ask(cluster, options.Topic)
		return err
	}}
	args := append([]string{"bizumctl", command.Name}, completion.FlagsOf(command, before)...)
	app := newApp(env) // which also knows the keys of ours that a profile may have
	app.Commands = append(app.Commands, command)
	prepare(env, command)
	_ = app.RunContext(ctx, args) // nothing is found then
	return found
}
