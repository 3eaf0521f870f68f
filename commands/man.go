package commands

import (
	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
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
		return manual.Write(o.folder, app, builtOn(build()))
	case len(words) == 0:
		return screen.Text(manual.Overview(app, builtOn(build())).Roff())
	}
	command := app.Command(words[0])
	if command == nil || command.Hidden {
		return help.UnknownCommand(app, words[0])
	}
	return screen.Text(manual.Of(command, app.Version, builtOn(build())).Roff())
}
