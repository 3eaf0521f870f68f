package manual

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/flags"
	"bizumctl/commands/help"
)

func pageName(app, command string) string { return app + "-" + command }

// Overview is the page of the program as a whole, which was built on a day.
func Overview(app *cli.App, built string) *Page {
	page := &Page{Name: app.Name, Summary: app.Usage, Date: built, Version: app.Name + " " + app.Version,
		Synopsis: app.Name + " COMMAND [FLAG...]"}
	var commands []Item
	for _, c := range app.VisibleCommands() {
		commands = append(commands, Item{Term: c.Name, Text: c.Usage + "; see " + pageName(app.Name, c.Name) + "(1)"})
	}
	page.Sections = []Section{
		{Title: "DESCRIPTION", Text: description},
		{Title: "COMMANDS", Items: commands},
		{Title: "EXIT STATUS", Items: exitStatus},
		{Title: "ENVIRONMENT", Items: environment},
		{Title: "FILES", Items: files},
		{Title: "EXAMPLES", Items: []Item{
			{Term: "bizumctl demo", Text: "a broker, two producers and the balance, for a first look"},
			{Term: "bizumctl produce -b kafka:9092 --rate 1000 -n 60000", Text: "a minute of load"},
			{Term: "bizumctl balance -b kafka:9092 --initial 2000", Text: "the balance after every payment"},
			{Term: "bizumctl ping -b kafka:9093 --tls --sasl scram-sha-512 --user ana",
				Text: "whether a secured cluster lets us in, and what is wrong if not; asks for the password"},
		}},
	}
	return page
}

// Of is the page of a command.
func Of(command *cli.Command, version, built string) *Page {
	const program = "bizumctl"
	page := &Page{Name: pageName(program, command.Name), Summary: command.Usage, Date: built,
		Version: program + " " + version, Synopsis: strings.TrimSpace(program + " " + command.Name + " " + command.ArgsUsage)}
	if len(command.Flags) > 0 {
		page.Synopsis += " [FLAG...]"
	}
	what, lines, _ := strings.Cut(command.Description, "\n\n")
	var shown, options []Item
	for line := range strings.Lines(lines) {
		parts := gap.Split(strings.TrimSpace(line), 2)
		shown = append(shown, Item{Term: parts[0], Text: strings.Join(parts[1:], "")})
	}
	for _, flag := range command.Flags {
		options = append(options, optionOf(flag))
	}
	page.Sections = []Section{
		{Title: "DESCRIPTION", Text: []string{what}},
		{Title: "OPTIONS", Items: options,
			Text: []string{"Each may also be set in the environment, as BIZUMCTL_NAME in capitals, with _ for -. A TIME is such as " +
				flags.TimeExamples + "; a SIZE is 500000, 10MB or 128MiB, in bytes."}},
		{Title: "EXAMPLES", Items: shown},
		{Title: "EXIT STATUS", Items: exitStatus},
		{Title: "SEE ALSO", Text: []string{program + "(1)"}},
	}
	page.Sections = slices.DeleteFunc(page.Sections, func(s Section) bool {
		return s.Title == "EXAMPLES" && len(s.Items) == 0
	})
	return page
}

// gap separates an example from what it does.
var gap = regexp.MustCompile(` {2,}`)

// optionOf is a flag with all its names.
func optionOf(flag cli.Flag) Item {
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
	return Item{Term: strings.Join(names, ", "), Value: value, Text: usage}
}

// Write writes the pages of all commands into a folder, which it makes if it is missing.
func Write(folder string, app *cli.App, built string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	pages := []*Page{Overview(app, built)}
	for _, command := range app.VisibleCommands() {
		pages = append(pages, Of(command, app.Version, built))
	}
	for _, page := range pages {
		if err := os.WriteFile(filepath.Join(folder, page.Name+".1"), []byte(page.Roff()), 0o666); err != nil {
			return err
		}
	}
	return nil
}
