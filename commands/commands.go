// Package commands is what a person types and sees: the command line, a file for each verb, and the console. It joins
// the rooms below, and it is the only one that knows them all.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
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
}

// Exit codes.
const (
	done    = 0 // also after Ctrl-C, and when nobody reads our output any more
	failed  = 1
	misused = 2
)

// lastWords is how long a run may take to end after it was interrupted: a little more than what its parts may take.
const lastWords = 6 * time.Second

// Run runs a command line and answers the exit code. When ctx ends, it answers within lastWords, and leaves behind
// what is still waiting then, for example for somebody to read our output.
func Run(ctx context.Context, env Env, args []string) int {
	if env.Version == "" {
		env.Version = buildVersion()
	}
	ended := make(chan error, 1)
	go func() { ended <- newApp(env).RunContext(ctx, args) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		select {
		case err = <-ended:
		case <-time.After(lastWords):
			err = errors.New("interrupted, and nobody takes the output: it is not complete")
		}
	}
	if err == nil || errors.Is(err, console.ErrClosedPipe) {
		return done
	}
	said := saidError{color: "auto"}
	_ = errors.As(err, &said)
	newConsole(env, shared{color: said.color}).Error(err, hint(err))
	if errors.As(err, new(misuseError)) {
		return misused
	}
	return failed
}

// newConsole makes a console of the outside world's streams.
func newConsole(env Env, s shared) *console.Console {
	return console.New(console.Options{Stdout: env.Stdout, Stderr: env.Stderr, Now: env.Now, Getenv: env.Getenv,
		Color: console.Color(s.color), Quiet: s.quiet})
}

// saidError is the error of a command, with how it wants it coloured.
type saidError struct {
	error
	color when
}

func (e saidError) Unwrap() error { return e.error }

// hint says what to do about an error.
func hint(err error) string {
	var suggestion hintedError
	var decision *ledger.StopError
	switch {
	case errors.As(err, &suggestion):
		return suggestion.hint
	case errors.As(err, &decision):
		return decision.Cure
	case errors.Is(err, kafka.ErrUnreachable):
		return "start one with: bizumctl broker"
	case errors.Is(err, kafka.ErrNewTopic):
		return "start again, to read the new one from its beginning"
	case errors.Is(err, archive.ErrTaken):
		return "share the partitions with --partition, or in a --group"
	case errors.As(err, new(*archive.StrangeError)):
		return "choose another folder"
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
		ExitErrHandler: func(*cli.Context, error) {}, // Run answers the code; the library would end the process
		Commands: []*cli.Command{newProduce(env), newConsume(env), newBalance(env), newAudit(env),
			newBroker(env), newDemo(env)},
		CustomAppHelpTemplate: appHelp,
	}
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
			return saidError{err, *c.Generic("color").(*when)}
		}
		return nil
	}
	command.Before = func(c *cli.Context) error {
		if c.Args().Present() {
			return misuse("%s takes no argument, but was given %q", command.Name, c.Args().First())
		}
		return fromEnvironment(env, c)
	}
}

// fromEnvironment sets the flags that were not given from BIZUMCTL_ and the flag's name. A flag that was given also
// beats the environment's value for one that it excludes.
func fromEnvironment(env Env, c *cli.Context) error {
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
		variable := "BIZUMCTL_" + strings.ReplaceAll(strings.ToUpper(name), "-", "_")
		value := env.Getenv(variable)
		if value == "" || given[name] || c.IsSet(name) {
			continue
		}
		if err := c.Set(name, value); err != nil {
			return misuse("%s=%q: %w", variable, value, err)
		}
	}
	return nil
}

// exclusive are the flags of which one says what another one would say differently.
var exclusive = [...][]string{{"output", "raw", "json"}, {"rate", "min-delay", "max-delay"}, {"group", "partition"}}

// usageError is what the library calls for a flag that it cannot read. It names flags with one dash; we do as everyone
// types them.
func usageError(c *cli.Context, err error, _ bool) error {
	unknown, isUnknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !isUnknown {
		return misuse("%s", oneDash.ReplaceAllString(err.Error(), "flag -$1"))
	}
	flags, command := c.App.Flags, c.App.Name
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != c.App.Name {
		flags, command = c.Command.Flags, c.App.Name+" "+c.Command.Name
	}
	err = misuse("%s has no flag %s", command, dashed(unknown))
	if near := cli.SuggestFlag(flags, unknown, true); near != "" {
		return hintedError{err, "did you mean " + near + "?"}
	}
	return hintedError{err, "see: " + command + " --help"}
}

var oneDash = regexp.MustCompile(`flag (-[a-z-]{2,})`)

func dashed(flag string) string {
	if len(flag) > 1 {
		return "--" + flag
	}
	return "-" + flag
}

func unknownCommand(app *cli.App, name string) error {
	err := misuse("no command %q", name)
	if near := cli.SuggestCommand(app.Commands, name); near != "" {
		return hintedError{err, strings.ToLower(near[:1]) + near[1:]} // it is a sentence already
	}
	return hintedError{err, "see: bizumctl --help"}
}

const appHelp = `{{.Name}} - {{.Usage}}

  bizumctl COMMAND [FLAG...]

{{range .VisibleCommands}}  {{printf "%-8s" .Name}}  {{.Usage}}
{{end}}
"bizumctl COMMAND --help" tells its flags. A first run: bizumctl demo
`

// helpOf is a command's help: what it does, two examples, its flags. The library's own is twice as wide as a terminal.
func helpOf(command *cli.Command) string {
	var help strings.Builder
	fmt.Fprintf(&help, "bizumctl %s - %s\n\n%s\n\nFlags, each also as BIZUMCTL_NAME in the environment:\n",
		command.Name, command.Usage, command.Description)
	table := tabwriter.NewWriter(&help, 0, 0, 2, ' ', 0)
	for _, flag := range command.Flags {
		f := flag.(cli.DocGenerationFlag)
		value, usage := "", f.GetUsage()
		if before, after, ok := strings.Cut(usage, "`"); ok {
			value, after, _ = strings.Cut(after, "`")
			usage, value = before+value+after, " "+value
		}
		if fallback := f.GetValue(); f.TakesValue() && !slices.Contains([]string{"", "0", "0s", "[]"}, fallback) {
			if f.GetDefaultText() == "random" {
				fallback = "random"
			}
			usage += " (" + fallback + ")"
		}
		short := "    "
		for _, name := range flag.Names()[1:] {
			if len(name) == 1 {
				short = "-" + name + ", "
			}
		}
		fmt.Fprintf(table, "  %s--%s%s\t%s\n", short, flag.Names()[0], value, usage)
	}
	table.Flush()
	fmt.Fprintf(&help, "\nExit code: 0 done or Ctrl-C, 1 failed, 2 misused\n")
	return help.String()
}

// examples is the description of a command: what it does, and two ways to use it.
func examples(what string, lines ...string) string {
	return fmt.Sprintf("%s\n\n  %s", what, strings.Join(lines, "\n  "))
}
