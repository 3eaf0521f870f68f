// Package help is what the command line says of itself: the help of each command, and what is wrong with a line that
// nobody can run.
package help

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
	"bizumctl/commands/flags"
)

// New makes the command that shows the help of others.
func New() *cli.Command {
	return &cli.Command{Name: "help", Usage: "show help", Hidden: true, SkipFlagParsing: true, HideHelp: true,
		Flags: []cli.Flag{flags.Help()},
		Action: func(c *cli.Context) error {
			for _, word := range c.Args().Slice() {
				switch command := c.App.Command(word); {
				case strings.HasPrefix(word, "-"): // --help, as --
				case command == nil:
					return UnknownCommand(c.App, word)
				case command.Name != c.Command.Name:
					_, err := io.WriteString(c.App.Writer, command.CustomHelpTemplate)
					return err
				}
			}
			return cli.ShowAppHelp(c)
		}}
}

const App = `{{.Name}} - {{.Usage}}

  bizumctl COMMAND [FLAG...]

{{range .VisibleCommands}}  {{printf "%-10s" .Name}}  {{.Usage}}
{{end}}
"bizumctl COMMAND --help" lists its flags, "bizumctl version" says which
program this is. A first run: bizumctl demo
`

// helpWidth is that of a terminal which nobody has made wider.
const helpWidth = 80

// Of is a command's help: what it does, two examples, its flags. The library's own is twice as wide as a terminal.
func Of(command *cli.Command) string {
	var help strings.Builder
	fmt.Fprintf(&help, "bizumctl %s - %s\n\n%s\n\nFlags, each also as BIZUMCTL_NAME in the environment:\n",
		command.Name, command.Usage, command.Description)
	var rows [][2]string
	for _, flag := range command.Flags {
		name, usage := Describe(flag)
		rows = append(rows, [2]string{name, usage})
	}
	help.WriteString(console.Columns(rows, helpWidth))
	help.WriteString("\n")
	for _, kind := range [...][2]string{{"TIME", flags.TimeExamples}, {"SIZE", "500000, 10MB or 128MiB, in bytes"}} {
		if slices.ContainsFunc(rows, func(row [2]string) bool { return strings.HasSuffix(row[0], " "+kind[0]) }) {
			fmt.Fprintf(&help, "%s is such as %s.\n", kind[0], kind[1])
		}
	}
	exit := "0 done or Ctrl-C, 1 failed, 2 misused"
	if command.Name == "check" { // whose 0 is a verdict
		exit = "0 promise kept, 1 broken, not judged or Ctrl-C, 2 misused"
	}
	fmt.Fprintf(&help, "Exit code: %s\n", exit)
	return help.String()
}

// Describe returns a flag as it is typed, with the name of its value, and what it does, with its default.
func Describe(flag cli.Flag) (name, usage string) {
	f := flag.(cli.DocGenerationFlag)
	usage = f.GetUsage()
	value := ""
	if before, after, ok := strings.Cut(usage, "`"); ok {
		value, after, _ = strings.Cut(after, "`")
		usage, value = before+value+after, " "+value
	}
	fallback := f.GetValue()
	if _, isTime := flag.(*cli.DurationFlag); isTime {
		fallback = console.ShortTime(fallback)
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

// Examples is the description of a command: what it does, and two ways to use it.
func Examples(what string, lines ...string) string {
	return fmt.Sprintf("%s\n\n  %s", what, strings.Join(lines, "\n  "))
}
