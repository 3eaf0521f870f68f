package commands

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// usageError is what the library calls for a flag that it cannot read. It names flags with one dash; we do as everyone
// types them.
func usageError(c *cli.Context, err error, _ bool) error {
	unknown, isUnknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !isUnknown {
		return misuse("%s", oneDash.ReplaceAllString(err.Error(), "flag -$1"))
	}
	if unknown == "password" || unknown == "sasl-password" {
		return hintedError{misuse("a password is no flag: everybody on this machine could read it in the list of processes, " +
			"and the shell keeps it"), "set " + passwordVariable + ", give --password-file FILE, or wait to be asked"}
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
"bizumctl COMMAND --help" lists its flags. A first run: bizumctl demo
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
