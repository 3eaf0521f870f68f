package help

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/record"
	"bizumctl/commands/arguments"
	"bizumctl/commands/flags"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

// FlagError words what is wrong with the flags of a command; nil: those before the command.
func FlagError(app *cli.App, command *cli.Command, err error) error {
	var unknown *arguments.UnknownError
	if !errors.As(err, &unknown) {
		return misuse.Errorf("%w", err)
	}
	if unknown.Flag == "--password" || unknown.Flag == "--sasl-password" {
		err := misuse.Errorf("a password is no flag: everybody on this machine could read it in the list of processes, " +
			"and the shell keeps it")
		return misuse.WithHint(err, "set "+settings.PasswordVariable+", give --password-file FILE, or wait to be asked")
	}
	where := app.Name
	if command != nil {
		where += " " + command.Name
	}
	return misuse.WithHint(misuse.Errorf("%s has %w", where, err), unknownFlagHint(app, command, unknown.Flag))
}

// unknownFlagHint returns what may be meant by a flag that a command does not have.
func unknownFlagHint(app *cli.App, command *cli.Command, flag string) string {
	name := strings.TrimLeft(flag, "-")
	if command != nil {
		if near := arguments.Near(name, LongNames(command.Flags)); near != "" {
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

func LongNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		for _, name := range f.Names() {
			if len(name) > 1 {
				names = append(names, name)
			}
		}
	}
	return names
}

func UnknownCommand(app *cli.App, name string) error {
	var all, shown []string
	for _, command := range app.Commands {
		if command.Name != "complete" { // of completion's scripts
			all = append(all, command.Name)
		}
		if !command.Hidden {
			shown = append(shown, command.Name)
		}
	}
	err := misuse.Errorf("no command %q", name)
	if near := arguments.Near(name, all); near != "" {
		return misuse.WithHint(err, fmt.Sprintf("did you mean %q?", near))
	}
	return misuse.WithHint(err, "the commands are: "+strings.Join(shown, ", "))
}

// StrayWord refuses a word that is no flag. People name the topic so.
func StrayWord(c *cli.Context) error {
	word := c.Args().First()
	err := misuse.Errorf("%s takes no argument, but was given %q", c.Command.Name, word)
	known := LongNames(c.Command.Flags)
	switch {
	case word == "help":
		return misuse.WithHint(err, "see: bizumctl "+c.Command.Name+" --help")
	case strings.Contains(word, ":") && slices.Contains(known, "brokers"):
		return misuse.WithHint(err, "brokers are named by: --brokers "+arguments.Quoted(word))
	case slices.Contains(known, "topic") && record.CheckTopic(word) == nil:
		return misuse.WithHint(err, "a topic is named by: --topic "+arguments.Quoted(word))
	}
	return err
}

// ValueError words what the library says of a value that a flag cannot read.
func ValueError(c *cli.Context, err error, _ bool) error {
	found := invalid.FindStringSubmatch(err.Error())
	if found == nil {
		return misuse.Errorf("%w", err)
	}
	value, name, reason := found[1], found[2], found[3]
	return misuse.Errorf("--%s %s: %s", name, value, flags.Wanted(c.Command.Flags, name, reason))
}

var invalid = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([a-z-]+): (.*)$`)
