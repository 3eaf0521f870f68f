// Package commands is the command line, a file for each verb: flags become options, and options a run. It joins the
// rooms below, which know no flag, and is the only one that knows them all.
package commands

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/arguments"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

// Env is the outside world.
type Env struct {
	Stdin           io.Reader
	Stdout, Stderr  io.Writer
	Names, Concepts []byte // what produce makes bizums of, one a line
	Now             func() time.Time
	LookupEnv       func(string) (string, bool)
	Version         string // "": the one that the build knows
	ConfigDir       string // of the user; "": there is none
}

// settings returns what settings are looked up in.
func (e Env) settings() settings.Environment {
	return settings.Environment{LookupEnv: e.LookupEnv, ConfigDir: e.ConfigDir, Version: e.Version}
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
		env.Version = buildVersion(build())
	}
	result := make(chan error, 1)
	go func() { result <- runLine(ctx, newApp(env), args) }()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		select {
		case err = <-result:
		case <-time.After(endWithin):
			err = errors.New("interrupted, and did not end in time, as when nobody takes the output: it may not be complete")
		}
	}
	if err == nil || errors.Is(err, console.ErrClosedPipe) {
		return done
	}
	ended := commandError{speech: settings.DefaultSpeech()}
	_ = errors.As(err, &ended)
	newConsole(env, ended.speech).Error(err, hints.Of(err, ended.place))
	if errors.As(err, new(misuse.Error)) {
		return misused
	}
	return failed
}

// commandError is the error of a command, with how it wants to be shown, and where it has worked.
type commandError struct {
	error
	speech settings.Speech
	place  hints.Place
}

func (e commandError) Unwrap() error { return e.error }

// newConsole makes a console of the outside world's streams.
func newConsole(env Env, s settings.Speech) *console.Console {
	getenv := func(name string) string {
		value, _ := env.LookupEnv(name)
		return value
	}
	return console.New(console.Options{Stdout: env.Stdout, Stderr: env.Stderr, Now: env.Now, Getenv: getenv,
		Color: console.Color(s.Color), Quiet: s.Quiet})
}

func newApp(env Env) *cli.App {
	app := &cli.App{
		Name:        "bizumctl",
		Usage:       "a stream of Bizum payments on Kafka: make, show and add it up",
		Version:     env.Version,
		Reader:      env.Stdin,
		Writer:      env.Stdout,
		ErrWriter:   env.Stderr,
		HideHelp:    true, // a help flag and a version flag of our own are there instead
		HideVersion: true,
		Flags: []cli.Flag{flags.Help(), &cli.BoolFlag{Name: "version", Aliases: []string{"v"},
			Usage: "print the version"}},
		ExitErrHandler: func(*cli.Context, error) {}, // Run returns the code; the library would end the process
		Commands: []*cli.Command{newProduce(env), newConsume(env), newBalance(env), newBalances(env), newAudit(env),
			newPing(env), newBroker(env), newDemo(env), newVersion(env)},
		CustomAppHelpTemplate: help.App,
	}
	app.Commands = append(app.Commands, newConfig(env, app.Commands), newCompletion(env), newComplete(env, app))
	app.Action = func(c *cli.Context) error {
		if c.Bool("version") {
			return printVersion(env)
		}
		return cli.ShowAppHelp(c)
	}
	for _, command := range app.Commands {
		prepare(env, command)
	}
	app.Commands = append(app.Commands, help.New())
	return app
}

// runLine runs a command line, once it is in the form that the library reads.
func runLine(ctx context.Context, app *cli.App, args []string) error {
	line, err := readLine(app, args)
	if err != nil {
		return err
	}
	return app.RunContext(ctx, line)
}

// readLine finds the command in a command line, and reads its flags by its own definitions: the library knows no joined
// flags, and none after a word.
func readLine(app *cli.App, args []string) ([]string, error) {
	at := 1
	for at < len(args) && len(args[at]) > 1 && args[at][0] == '-' { // those before the command have no values
		at++
	}
	own, err := arguments.Read(args[1:at], flags.Of(app.Flags))
	if err != nil {
		return nil, help.FlagError(app, nil, err)
	}
	line := append(args[:1:1], own.Args()...)
	if at == len(args) {
		return line, nil
	}
	command := app.Command(args[at])
	if command == nil {
		return nil, help.UnknownCommand(app, args[at])
	}
	if command.Name == "complete" { // words of another line
		return append(append(line, command.Name), args[at+1:]...), nil
	}
	given, err := arguments.Read(args[at+1:], flags.Of(command.Flags))
	if err != nil {
		return nil, help.FlagError(app, command, err)
	}
	isHelp := func(f arguments.Value) bool { return f.Name == "help" }
	if command.Name != "help" && slices.ContainsFunc(given.Flags, isHelp) {
		given.Words = nil // of which the library would look for the help
	}
	return append(append(line, command.Name), given.Args()...), nil
}

// prepare gives a command what all of them have: the rules of the command line, and flags from the environment.
func prepare(env Env, command *cli.Command) {
	command.CustomHelpTemplate = help.Of(command)
	command.HideHelp = true
	command.Flags = append(command.Flags, flags.Help())
	command.OnUsageError = help.ValueError
	run := command.Action
	var origins map[string]string // of the flags that are set
	command.Action = func(c *cli.Context) error {
		err := run(c)
		if err == nil {
			return nil
		}
		ended := commandError{settings.WithOrigins(err, origins), settings.DefaultSpeech(),
			hints.Place{Brokers: c.String("brokers"), Topic: c.String("topic"), Group: c.String("group")}}
		if color, ok := c.Generic("color").(*flags.When); ok {
			ended.speech.Color = *color
		}
		return ended
	}
	command.Before = func(c *cli.Context) (err error) {
		if c.Args().Present() && command.ArgsUsage == "" {
			return help.StrayWord(c)
		}
		origins, err = settings.Load(env.settings(), c)
		return err
	}
}
