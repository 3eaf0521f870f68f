package commands

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/manual"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

// manOptions is which page to print, or where to write all of them.
type manOptions struct {
	folder string
	speech settings.Speech
}

func newMan(env Env, app *cli.App) *cli.Command {
	o := manOptions{speech: settings.DefaultSpeech()}
	return &cli.Command{
		Name: "man", Usage: "print a manual page", ArgsUsage: "[COMMAND]",
		Description: help.Examples("Prints the manual page of a command, or of all, as man reads it.",
			"bizumctl man consume | man -l -",
			"bizumctl man --folder ~/.local/share/man/man1    for man bizumctl-consume"),
		Flags: append([]cli.Flag{&cli.StringFlag{Name: "folder", Destination: &o.folder,
			Usage: "write all pages into `FOLDER`"}}, o.speech.Flags()...),
		Action: func(c *cli.Context) error {
			return o.run(c.Args().Slice(), app, newConsole(env, o.speech))
		},
	}
}

func (o *manOptions) run(words []string, app *cli.App, screen *console.Console) error {
	switch {
	case len(words) > 1 || len(words) == 1 && o.folder != "":
		return misuse.Errorf("man wants one command, or --folder FOLDER for all")
	case o.folder != "":
		return writePages(o.folder, app)
	case len(words) == 0:
		return printPage(overview(app, build()), screen)
	}
	command := app.Command(words[0])
	if command == nil || command.Hidden {
		return help.UnknownCommand(app, words[0])
	}
	return printPage(pageOf(command, app.Version, build()), screen)
}

func printPage(page *manual.Page, screen *console.Console) error {
	for line := range strings.Lines(page.Roff()) {
		if err := screen.Line([]byte(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return screen.Flush()
}

// writePages writes the pages of all commands into a folder, which it makes if it is missing.
func writePages(folder string, app *cli.App) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	pages := []*manual.Page{overview(app, build())}
	for _, command := range app.VisibleCommands() {
		pages = append(pages, pageOf(command, app.Version, build()))
	}
	for _, page := range pages {
		if err := os.WriteFile(filepath.Join(folder, page.Name+".1"), []byte(page.Roff()), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// builtOn returns the day of the commit that a program was built from, so that the same sources make the same pages.
func builtOn(info *debug.BuildInfo) string {
	day, _, _ := strings.Cut(setting(info, "vcs.time"), "T")
	return day
}

func pageName(app, command string) string { return app + "-" + command }

// overview is the page of the program as a whole.
func overview(app *cli.App, info *debug.BuildInfo) *manual.Page {
	page := &manual.Page{Name: app.Name, Summary: app.Usage, Date: builtOn(info), Version: app.Name + " " + app.Version,
		Synopsis: app.Name + " COMMAND [FLAG...]"}
	var commands []manual.Item
	for _, c := range app.VisibleCommands() {
		commands = append(commands, manual.Item{Term: c.Name, Text: c.Usage + "; see " + pageName(app.Name, c.Name) + "(1)"})
	}
	page.Sections = []manual.Section{
		{Title: "DESCRIPTION", Text: manDescription},
		{Title: "COMMANDS", Items: commands},
		{Title: "EXIT STATUS", Items: exitStatus},
		{Title: "ENVIRONMENT", Items: manEnvironment},
		{Title: "FILES", Items: manFiles},
		{Title: "EXAMPLES", Items: []manual.Item{
			{Term: "bizumctl demo", Text: "a broker, two producers and the balance, for a first look"},
			{Term: "bizumctl produce -b kafka:9092 --rate 1000 -n 60000", Text: "a minute of load"},
			{Term: "bizumctl balance -b kafka:9092 --initial 2000", Text: "the balance after every payment"},
			{Term: "bizumctl ping -b kafka:9093 --tls --sasl scram-sha-512 --user ana",
				Text: "whether a secured cluster lets us in, and what is wrong if not; asks for the password"},
		}},
	}
	return page
}

// pageOf is the page of a command.
func pageOf(command *cli.Command, version string, info *debug.BuildInfo) *manual.Page {
	const program = "bizumctl"
	page := &manual.Page{Name: pageName(program, command.Name), Summary: command.Usage, Date: builtOn(info),
		Version: program + " " + version, Synopsis: strings.TrimSpace(program + " " + command.Name + " " + command.ArgsUsage)}
	if len(command.Flags) > 0 {
		page.Synopsis += " [FLAG...]"
	}
	what, lines, _ := strings.Cut(command.Description, "\n\n")
	var shown, options []manual.Item
	for line := range strings.Lines(lines) {
		parts := gap.Split(strings.TrimSpace(line), 2)
		shown = append(shown, manual.Item{Term: parts[0], Text: strings.Join(parts[1:], "")})
	}
	for _, flag := range command.Flags {
		options = append(options, optionOf(flag))
	}
	page.Sections = []manual.Section{
		{Title: "DESCRIPTION", Text: []string{what}},
		{Title: "OPTIONS", Items: options,
			Text: []string{"Each may also be set in the environment, as BIZUMCTL_NAME in capitals, with _ for -. A TIME is such as " +
				flags.TimeExamples + "; a SIZE is 500000, 10MB or 128MiB, in bytes."}},
		{Title: "EXAMPLES", Items: shown},
		{Title: "EXIT STATUS", Items: exitStatus},
		{Title: "SEE ALSO", Text: []string{program + "(1)"}},
	}
	page.Sections = slices.DeleteFunc(page.Sections, func(s manual.Section) bool {
		return s.Title == "EXAMPLES" && len(s.Items) == 0
	})
	return page
}

// gap separates an example from what it does.
var gap = regexp.MustCompile(` {2,}`)

// optionOf is a flag with all its names.
func optionOf(flag cli.Flag) manual.Item {
	name, usage := help.Describe(flag)
	_, value, _ := strings.Cut(strings.TrimSpace(name[strings.Index(name, "--"):]), " ")
	var names []string
	for _, name := range flag.Names() {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		names = append(names, dashes+name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return min(len(a), 3) - min(len(b), 3) }) // letters first
	return manual.Item{Term: strings.Join(names, ", "), Value: value, Text: usage}
}

var exitStatus = []manual.Item{
	{Term: "0", Text: "done; also after Ctrl-C, and when nobody reads the output any more"},
	{Term: "1", Text: "failed: the last lines on standard error say what, where and what to do"},
	{Term: "2", Text: "misused"},
}

// manDescription, manEnvironment and manFiles are what no command's definition says.
var manDescription = []string{
	"Each message of the stream is a payment, Nombre;Cantidad;Concepto;tipo in UTF-8: a name, an amount in euros, a " +
		"concept, and whether it was sent or received. Its key names the account; without one it is cuenta.",
	"Data goes to standard output, everything else to standard error. A command runs until Ctrl-C, or until the limit " +
		"that it was given.",
}

var manEnvironment = []manual.Item{
	{Term: "BIZUMCTL_NAME", Text: "sets the flag --name of every command that has it, unless the command line does; " +
		"- is written as _"},
	{Term: settings.PasswordVariable, Text: "the password to log in with, which no flag takes"},
	{Term: "NO_COLOR", Text: "if it is not empty, nothing is coloured unless --color says so"},
}

var manFiles = []manual.Item{
	{Term: "~/.config/bizumctl/NAME.properties", Text: "a profile, for --profile NAME: what Kafka's client.properties says, and " +
		"our flags as bizumctl.topic=NAME; bizumctl config --profiles lists them, with their folder on other systems"},
}
