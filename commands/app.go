// Package commands is the command line, a file for each verb: flags become options, and options a run. It joins the
// rooms below, which know no flag, and is the only one that knows them all.
package commands

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
)

// Env is the outside world.
type Env struct {
	Stdin           io.Reader
	Stdout, Stderr  io.Writer
	Names, Concepts []byte // what produce makes bizums of, one a line
	Now             func() time.Time
	Getenv          func(string) string
	Version         string // "": the one that the build knows
	ConfigDir       string // of the user; "": there is none
}

// Exit codes.
const (
	done    = 0 // also after Ctrl-C, and when nobody reads our output any more
	failed  = 1
	misused = 2
)

// endWithin is how long a run may take to end after it was interrupted: a little more than what its parts may take.
const endWithin = 6 * time.Second

// Run runs a command line and returns the exit code. When ctx ends, it returns within endWithin, and leaves behind
// what is still waiting then, for example for somebody to read our output.
func Run(ctx context.Context, env Env, args []string) int {
	if env.Version == "" {
		env.Version = buildVersion()
	}
	result := make(chan error, 1)
	go func() { result <- newApp(env).RunContext(ctx, args) }()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		select {
		case err = <-result:
		case <-time.After(endWithin):
			err = errors.New("interrupted, and nobody takes the output: it is not complete")
		}
	}
	if err == nil || errors.Is(err, console.ErrClosedPipe) {
		return done
	}
	ended := commandError{speech: defaultSpeech()}
	_ = errors.As(err, &ended)
	newConsole(env, ended.speech).Error(err, hint(err))
	if errors.As(err, new(misuseError)) {
		return misused
	}
	return failed
}

// newConsole makes a console of the outside world's streams.
func newConsole(env Env, s speech) *console.Console {
	return console.New(console.Options{Stdout: env.Stdout, Stderr: env.Stderr, Now: env.Now, Getenv: env.Getenv,
		Color: console.Color(s.color), Quiet: s.quiet})
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func newApp(env Env) *cli.App {
	app := &cli.App{
		Name:        "bizumctl",
		Usage:       "a stream of Bizum payments on Kafka: make it, show it, keep its balance",
		Version:     env.Version,
		Reader:      env.Stdin,
		Writer:      env.Stdout,
		ErrWriter:   env.Stderr,
		HideHelp:    true, // helpFlag and a version flag of our own are there instead
		HideVersion: true,
		Flags: []cli.Flag{helpFlag(), &cli.BoolFlag{Name: "version", Aliases: []string{"v"},
			Usage: "print the version"}},
		ExitErrHandler: func(*cli.Context, error) {}, // Run returns the code; the library would end the process
		Commands: []*cli.Command{newProduce(env), newConsume(env), newBalance(env), newAudit(env),
			newPing(env), newBroker(env), newDemo(env)},
		CustomAppHelpTemplate: appHelp,
	}
	app.Commands = append(app.Commands, newConfig(env, app.Commands), newCompletion(env), newComplete(env, app))
	app.OnUsageError = usageError
	app.Action = func(c *cli.Context) error {
		if c.Bool("version") {
			cli.ShowVersion(c)
			return nil
		}
		if !c.Args().Present() || c.Args().First() == "help" && c.NArg() == 1 {
			return cli.ShowAppHelp(c)
		}
		if c.Args().First() == "help" {
			if command := app.Command(c.Args().Get(1)); command != nil {
				return cli.ShowCommandHelp(c, command.Name)
			}
			return unknownCommand(app, c.Args().Get(1))
		}
		return unknownCommand(app, c.Args().First())
	}
	for _, command := range app.Commands {
		prepare(env, command)
	}
	return app
}

// helpFlag is as the library's, which is one variable for the whole process, written to by every run.
func helpFlag() cli.Flag {
	return &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help"}
}

// prepare gives a command what all of them have: the rules of the command line, and flags from the environment.
func prepare(env Env, command *cli.Command) {
	command.CustomHelpTemplate = helpOf(command)
	command.HideHelp = true
	command.Flags = append(command.Flags, helpFlag())
	command.OnUsageError = usageError
	run := command.Action
	command.Action = func(c *cli.Context) error {
		if err := run(c); err != nil {
			return commandError{err, speech{color: *c.Generic("color").(*when)}}
		}
		return nil
	}
	command.Before = func(c *cli.Context) error {
		if c.Args().Present() && command.ArgsUsage == "" {
			return misuse("%s takes no argument, but was given %q", command.Name, c.Args().First())
		}
		return settle(env, c)
	}
}

// fromEnvironment sets the flags that were not given from BIZUMCTL_ and the flag's name.
func fromEnvironment(env Env, c *cli.Context) error {
	return fill(c, func(name string) (value, where string) { return env.Getenv(variableOf(name)), variableOf(name) })
}

// fill sets the flags that were not given from another source. A flag that was given also beats that source's value for
// one that it excludes.
func fill(c *cli.Context, source func(name string) (value, where string)) error {
	given := make(map[string]bool)
	for _, name := range c.FlagNames() {
		given[name] = true
		for _, others := range exclusive {
			if slices.Contains(others, name) {
				for _, other := range others {
					given[other] = true
				}
			}
		}
	}
	for _, flag := range c.Command.Flags {
		name := flag.Names()[0]
		value, where := source(name)
		if value == "" || given[name] || c.IsSet(name) {
			continue
		}
		if err := c.Set(name, value); err != nil {
			return misuse("%s=%q: %w", where, value, err)
		}
	}
	return nil
}

// exclusive are the flags of which one contradicts another.
var exclusive = [...][]string{{"output", "raw", "json"}, {"rate", "min-delay", "max-delay"}, {"group", "partition"}}
