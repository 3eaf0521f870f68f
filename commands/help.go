package commands

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/record"
	"bizumctl/commands/arguments"
)

// flagError words what is wrong with the flags of a command; nil: those before the command.
func flagError(app *cli.App, command *cli.Command, err error) error {
	var unknown *arguments.UnknownError
	if !errors.As(err, &unknown) {
		return misuse("%w", err)
	}
	if unknown.Flag == "--password" || unknown.Flag == "--sasl-password" {
		return hintedError{misuse("a password is no flag: everybody on this machine could read it in the list of processes, " +
			"and the shell keeps it"), "set " + passwordVariable + ", give --password-file FILE, or wait to be asked"}
	}
	where := app.Name
	if command != nil {
		where += " " + command.Name
	}
	return hintedError{misuse("%s has %w", where, err), unknownFlagHint(app, command, unknown.Flag)}
}

// unknownFlagHint returns what may be meant by a flag that a command does not have.
func unknownFlagHint(app *cli.App, command *cli.Command, flag string) string {
	name := strings.TrimLeft(flag, "-")
	if command != nil {
		if near := arguments.Near(name, longNames(command.Flags)); near != "" {
			return "did you mean --" + near + "?"
		}
	}
	var others []string
	long := name
	for _, other := range app.Commands {
		if other.Name == "config" { // which has them all
			continue
		}
		for _, f := range other.Flags {
			if slices.Contains(f.Names(), name) {
				others, long = append(others, "bizumctl "+other.Name), f.Names()[0]
			}
		}
	}
	switch {
	case command == nil && len(others) > 0:
		return "flags come after the command: bizumctl COMMAND " + flag
	case len(others) > 0:
		return fmt.Sprintf("--%s is a flag of: %s", long, strings.Join(others, ", "))
	case command == nil:
		return "see: bizumctl --help"
	}
	return "its flags are listed by: bizumctl " + command.Name + " --help"
}

func longNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		for _, name := range f.Names() {
			if len(name) > 1 {
				names = append(names, name)
			}
		}
	}
	return names
}

func unknownCommand(app *cli.App, name string) error {
	var all, shown []string
	for _, command := range app.Commands {
		if command.Name != "complete" { // of completion's scripts
			all = append(all, command.Name)
		}
		if !command.Hidden {
			shown = append(shown, command.Name)
		}
	}
	err := misuse("no command %q", name)
	if near := arguments.Near(name, all); near != "" {
		return hintedError{err, fmt.Sprintf("did you mean %q?", near)}
	}
	return hintedError{err, "the commands are: " + strings.Join(shown, ", ")}
}

// strayWord refuses a word that is no flag. People name the topic so.
func strayWord(c *cli.Context) error {
	word := c.Args().First()
	err := misuse("%s takes no argument, but was given %q", c.Command.Name, word)
	known := longNames(c.Command.Flags)
	switch {
	case word == "help":
		return hintedError{err, "see: bizumctl " + c.Command.Name + " --help"}
	case strings.Contains(word, ":") && slices.Contains(known, "brokers"):
		return hintedError{err, "brokers are named by: --brokers " + quoted(word)}
	case slices.Contains(known, "topic") && record.CheckTopic(word) == nil:
		return hintedError{err, "a topic is named by: --topic " + quoted(word)}
	}
	return err
}

// valueError words what the library says of a value that a flag cannot read.
func valueError(c *cli.Context, err error, _ bool) error {
	found := invalid.FindStringSubmatch(err.Error())
	if found == nil {
		return misuse("%w", err)
	}
	value, name, reason := found[1], found[2], found[3]
	return misuse("--%s %s: %s", name, value, wanted(c.Command.Flags, name, reason))
}

var invalid = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([a-z-]+): (.*)$`)

// wanted returns what a flag wants, where the reason is the library's and says it to programmers only.
func wanted(flags []cli.Flag, name, reason string) string {
	for _, f := range flags {
		if f.Names()[0] != name {
			continue
		}
		switch f.(type) {
		case *cli.IntFlag, *cli.Int64Flag, *cli.IntSliceFlag:
			return "want a whole number"
		case *cli.Uint64Flag:
			return "want a whole number, from 0 to 18446744073709551615"
		case *cli.DurationFlag:
			return "want a time such as " + timeExamples
		case *cli.BoolFlag:
			return "want true or false, or no value at all"
		}
	}
	return reason
}

const timeExamples = "500ms, 10s, 1m30s or 2h"

// newHelp makes the command that shows the help of others.
func newHelp() *cli.Command {
	return &cli.Command{Name: "help", Usage: "show help", Hidden: true, SkipFlagParsing: true, HideHelp: true,
		Flags: []cli.Flag{helpFlag()},
		Action: func(c *cli.Context) error {
			for _, word := range c.Args().Slice() {
				switch command := c.App.Command(word); {
				case strings.HasPrefix(word, "-"): // --help, as --
				case command == nil:
					return unknownCommand(c.App, word)
				case command.Name != c.Command.Name:
					_, err := io.WriteString(c.App.Writer, command.CustomHelpTemplate)
					return err
				}
			}
			return cli.ShowAppHelp(c)
		}}
}

const appHelp = `{{.Name}} - {{.Usage}}

  bizumctl COMMAND [FLAG...]

{{range .VisibleCommands}}  {{printf "%-10s" .Name}}  {{.Usage}}
{{end}}
"bizumctl COMMAND --help" lists its flags, "bizumctl version" says which
program this is. A first run: bizumctl demo
`

// helpWidth is that of a terminal which nobody has made wider.
const helpWidth = 80

// helpOf is a command's help: what it does, two examples, its flags. The library's own is twice as wide as a terminal.
func helpOf(command *cli.Command) string {
	var help strings.Builder
	fmt.Fprintf(&help, "bizumctl %s - %s\n\n%s\n\nFlags, each also as BIZUMCTL_NAME in the environment:\n",
		command.Name, command.Usage, command.Description)
	var rows [][2]string
	for _, flag := range command.Flags {
		name, usage := describe(flag)
		rows = append(rows, [2]string{name, usage})
	}
	help.WriteString(arguments.Columns(rows, helpWidth))
	help.WriteString("\n")
	for _, kind := range [...][2]string{{"TIME", timeExamples}, {"SIZE", "500000, 10MB or 128MiB, in bytes"}} {
		if slices.ContainsFunc(rows, func(row [2]string) bool { return strings.HasSuffix(row[0], " "+kind[0]) }) {
			fmt.Fprintf(&help, "%s is such as %s.\n", kind[0], kind[1])
		}
	}
	help.WriteString("Exit code: 0 done or Ctrl-C, 1 failed, 2 misused\n")
	return help.String()
}

// describe returns a flag as it is typed, with the name of its value, and what it does, with its default.
func describe(flag cli.Flag) (name, usage string) {
	f := flag.(cli.DocGenerationFlag)
	usage = f.GetUsage()
	value := ""
	if before, after, ok := strings.Cut(usage, "`"); ok {
		value, after, _ = strings.Cut(after, "`")
		usage, value = before+value+after, " "+value
	}
	fallback := f.GetValue()
	if _, isTime := flag.(*cli.DurationFlag); isTime {
		fallback = arguments.ShortTime(fallback)
	}
	if f.TakesValue() && !slices.Contains([]string{"", "0", "0s", "[]"}, fallback) {
		if f.GetDefaultText() == "random" {
			fallback = "random"
		}
		usage += " (default " + fallback + ")"
	}
	letter := "    "
	for _, other := range flag.Names()[1:] {
		if len(other) == 1 {
			letter = "-" + other + ", "
		}
	}
	return "  " + letter + "--" + flag.Names()[0] + value, usage
}

// examples is the description of a command: what it does, and two ways to use it.
func examples(what string, lines ...string) string {
	return fmt.Sprintf("%s\n\n  %s", what, strings.Join(lines, "\n  "))
}
