// Package commands is what a person types and sees: the command line, a file for each verb, and the console. It joins
// the rooms below, and it is the only one that knows them all.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
)

// Env is the outside world.
type Env struct {
	Stdin           io.Reader
	Stdout, Stderr  io.Writer
	Names, Concepts []byte // what produce makes bizums of, one a line
	Now             func() time.Time
	Getenv          func(string) string
	Version         string // "": the one that the build knows
}

// Exit codes.
const (
	done    = 0 // also after Ctrl-C, and when nobody reads our output any more
	failed  = 1
	misused = 2
)

// Run runs a command line and answers the exit code.
func Run(ctx context.Context, env Env, args []string) int {
	if env.Version == "" {
		env.Version = buildVersion()
	}
	err := newApp(env).RunContext(ctx, args)
	if err == nil || errors.Is(err, errClosedPipe) {
		return done
	}
	newConsole(env, shared{color: "auto"}).report(err, hint(err))
	if errors.As(err, new(misuseError)) {
		return misused
	}
	return failed
}

// hint says what to do about an error.
func hint(err error) string {
	var suggestion hintedError
	switch {
	case errors.As(err, &suggestion):
		return suggestion.hint
	case errors.Is(err, kafka.ErrUnreachable):
		return "start one with: bizumctl broker"
	case errors.Is(err, kafka.ErrNoTopic):
		return "it is made by: bizumctl produce"
	}
	return ""
}

// hintedError brings its own hint.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func newApp(env Env) *cli.App {
	app := &cli.App{
		Name:                  "bizumctl",
		Usage:                 "a stream of Bizum payments on Kafka: make it, show it, keep its balance",
		Version:               env.Version,
		Reader:                env.Stdin,
		Writer:                env.Stdout,
		ErrWriter:             env.Stderr,
		HideHelpCommand:       true,
		ExitErrHandler:        func(*cli.Context, error) {}, // Run answers the code; the library would end the process
		Commands:              []*cli.Command{newProduce(env), newConsume(env), newBalance(env), newBroker(env), newDemo(env)},
		CustomAppHelpTemplate: appHelp,
	}
	app.OnUsageError = usageError
	app.Action = func(c *cli.Context) error {
		if c.Args().Present() {
			return unknownCommand(app, c.Args().First())
		}
		return cli.ShowAppHelp(c)
	}
	for _, command := range app.Commands {
		prepare(env, command)
	}
	return app
}

// prepare gives a command what all of them have: the rules of the command line, and flags from the environment.
func prepare(env Env, command *cli.Command) {
	command.CustomHelpTemplate = commandHelp
	command.HideHelpCommand = true
	command.OnUsageError = usageError
	command.Before = func(c *cli.Context) error {
		if c.Args().Present() {
			return misuse("%s takes no argument, but was given %q", command.Name, c.Args().First())
		}
		return fromEnvironment(env, c)
	}
}

// fromEnvironment sets the flags that were not given from BIZUMCTL_ and the flag's name.
func fromEnvironment(env Env, c *cli.Context) error {
	for _, flag := range c.Command.Flags {
		name := flag.Names()[0]
		variable := "BIZUMCTL_" + strings.ReplaceAll(strings.ToUpper(name), "-", "_")
		value := env.Getenv(variable)
		if value == "" || c.IsSet(name) {
			continue
		}
		if err := c.Set(name, value); err != nil {
			return misuse("%s=%q: %w", variable, value, err)
		}
	}
	return nil
}

// usageError is what the library calls for a flag that it cannot read.
func usageError(c *cli.Context, err error, _ bool) error {
	unknown, isUnknown := strings.CutPrefix(err.Error(), "flag provided but not defined: ")
	if !isUnknown {
		return misuseError{err}
	}
	flags, command := c.App.Flags, "bizumctl"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != c.App.Name {
		flags, command = c.Command.Flags, "bizumctl "+c.Command.Name
	}
	err = misuse("%s has no flag %s", command, unknown)
	if near := cli.SuggestFlag(flags, strings.TrimLeft(unknown, "-"), true); near != "" {
		return hintedError{err, "did you mean " + near + "?"}
	}
	return hintedError{err, "see: " + command + " --help"}
}

func unknownCommand(app *cli.App, name string) error {
	err := misuse("no command %q", name)
	if near := cli.SuggestCommand(app.Commands, name); near != "" {
		return hintedError{err, "did you mean " + near + "?"}
	}
	return hintedError{err, "see: bizumctl --help"}
}

// The help texts are the library's, shortened.
const (
	appHelp = `{{.Name}} - {{.Usage}}

  bizumctl COMMAND [FLAG...]

{{range .VisibleCommands}}  {{printf "%-8s" .Name}}  {{.Usage}}
{{end}}
"bizumctl COMMAND --help" tells its flags. A first run: bizumctl demo
`
	commandHelp = `{{.HelpName}} - {{.Usage}}

{{.Description}}

Flags, each also as BIZUMCTL_NAME in the environment:
{{range .VisibleFlags}}  {{.}}
{{end}}
Exit code: 0 done or Ctrl-C, 1 failed, 2 misused
`
)

// examples is the description of a command: what it does, and two ways to use it.
func examples(what string, lines ...string) string {
	return fmt.Sprintf("%s\n\n  %s", what, strings.Join(lines, "\n  "))
}
