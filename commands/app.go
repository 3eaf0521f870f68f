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
	ended := commandError{speech: defaultSpeech()}
	_ = errors.As(err, &ended)
	newConsole(env, ended.speech).Error(err, hint(err, ended.place))
	if errors.As(err, new(misuseError)) {
		return misused
	}
	return failed
}

// newConsole makes a console of the outside world's streams.
func newConsole(env Env, s speech) *console.Console {
	getenv := func(name string) string {
		value, _ := env.LookupEnv(name)
		return value
	}
	return console.New(console.Options{Stdout: env.Stdout, Stderr: env.Stderr, Now: env.Now, Getenv: getenv,
		Color: console.Color(s.color), Quiet: s.quiet})
}

func newApp(env Env) *cli.App {
	app := &cli.App{
		Name:        "bizumctl",
		Usage:       "a stream of Bizum payments on Kafka: make, show and add it up",
		Version:     env.Version,
		Reader:      env.Stdin,
		Writer:      env.Stdout,
		ErrWriter:   env.Stderr,
		HideHelp:    true, // helpFlag and a version flag of our own are there instead
		HideVersion: true,
		Flags: []cli.Flag{helpFlag(), &cli.BoolFlag{Name: "version", Aliases: []string{"v"},
			Usage: "print the version"}},
		ExitErrHandler: func(*cli.Context, error) {}, // Run returns the code; the library would end the process
		Commands: []*cli.Command{newProduce(env), newConsume(env), newBalance(env), newBalances(env), newAudit(env),
			newPing(env), newBroker(env), newDemo(env), newVersion(env)},
		CustomAppHelpTemplate: appHelp,
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
	app.Commands = append(app.Commands, newHelp())
	return app
}

// helpFlag is as the library's, which is one variable for the whole process, written to by every run.
func helpFlag() cli.Flag {
	return &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help"}
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
	own, err := arguments.Read(args[1:at], flagsOf(app.Flags))
	if err != nil {
		return nil, flagError(app, nil, err)
	}
	line := append(args[:1:1], own.Args()...)
	if at == len(args) {
		return line, nil
	}
	command := app.Command(args[at])
	if command == nil {
		return nil, unknownCommand(app, args[at])
	}
	if command.Name == "complete" { // words of another line
		return append(append(line, command.Name), args[at+1:]...), nil
	}
	given, err := arguments.Read(args[at+1:], flagsOf(command.Flags))
	if err != nil {
		return nil, flagError(app, command, err)
	}
	isHelp := func(f arguments.Value) bool { return f.Name == "help" }
	if command.Name != "help" && slices.ContainsFunc(given.Flags, isHelp) {
		given.Words = nil // of which the library would look for the help
	}
	return append(append(line, command.Name), given.Args()...), nil
}

func flagsOf(flags []cli.Flag) (all []arguments.Flag) {
	for _, f := range flags {
		_, isSwitch := f.(*cli.BoolFlag)
		bare := ""
		if page, ok := f.(*pageFlag); ok {
			bare = page.bare
		}
		all = append(all, arguments.Flag{Names: f.Names(), Switch: isSwitch, Bare: bare})
	}
	return all
}

// prepare gives a command what all of them have: the rules of the command line, and flags from the environment.
func prepare(env Env, command *cli.Command) {
	command.CustomHelpTemplate = helpOf(command)
	command.HideHelp = true
	command.Flags = append(command.Flags, helpFlag())
	command.OnUsageError = valueError
	run := command.Action
	var origins map[string]string // of the flags that are set
	command.Action = func(c *cli.Context) error {
		err := run(c)
		if err == nil {
			return nil
		}
		ended := commandError{blame(err, origins), defaultSpeech(), placeOf(c)}
		if color, ok := c.Generic("color").(*when); ok {
			ended.speech.color = *color
		}
		return ended
	}
	command.Before = func(c *cli.Context) (err error) {
		if c.Args().Present() && command.ArgsUsage == "" {
			return strayWord(c)
		}
		origins, err = settle(env, c)
		return err
	}
}
