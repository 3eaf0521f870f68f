package commands

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
)

type configOptions struct {
	cluster  clusterOptions
	profiles bool
}

// newConfig is a command with the flags of all others, whose values it shows.
func newConfig(env Env, others []*cli.Command) *cli.Command {
	o := configOptions{cluster: defaultCluster()}
	flags := append(o.cluster.flags(), &cli.BoolFlag{Name: "profiles", Destination: &o.profiles,
		Usage: "list the profiles there are"})
	shared := len(flags)
	known := func(name string) bool {
		return slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	}
	for _, command := range others {
		for _, flag := range command.Flags {
			if !slices.ContainsFunc(flag.Names(), known) {
				flags = append(flags, flag)
			}
		}
	}
	return &cli.Command{
		Name: "config", Usage: "what is set, and where",
		Description: examples("Shows the value of every flag that is set, and of those that all commands share.",
			"bizumctl config --profile prod",
			"bizumctl config --profiles"),
		Flags: flags,
		Action: func(c *cli.Context) error {
			screen := newConsole(env, o.cluster.speech)
			if o.profiles {
				return listProfiles(env, screen)
			}
			return o.show(env, c, flags[:shared], screen)
		},
	}
}

func listProfiles(env Env, screen *console.Console) error {
	names, err := profiles(env)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := screen.Line([]byte(name)); err != nil {
			return err
		}
	}
	screen.Noticef("a profile is a file %s", filepath.Join(profileFolder(env), "NAME"+profileExtension))
	return screen.Flush()
}

// textOf returns the value of a flag as text.
func textOf(value any) string {
	switch v := value.(type) {
	case *cli.IntSlice:
		return fmt.Sprint(v.Value())
	case flag.Getter:
		return fmt.Sprint(v.Get())
	}
	return fmt.Sprint(value)
}

// show prints the flags that all commands share, and those of others that are set.
func (o *configOptions) show(env Env, c *cli.Context, shared []cli.Flag, screen *console.Console) error {
	file := &o.cluster.access.file
	for _, notice := range file.unusedKeys(o.cluster.speech.verbose) {
		screen.Noticef("%s", notice)
	}
	line := func(name, value, origin string) {
		if value == "" {
			value = "-"
		}
		_ = screen.Field(name, 16, fmt.Sprintf("%-24s %s", value, origin)) // Flush returns its error
	}
	for _, flag := range c.Command.Flags {
		name := flag.Names()[0]
		origin := file.origins[name]
		if origin == "" && !slices.Contains(shared, flag) || name == "help" || name == "profiles" {
			continue
		}
		if origin == "" {
			origin = "default"
		}
		line(name, textOf(c.Generic(name)), origin)
	}
	t := file.settings.TLS
	for name, text := range map[string]string{"tls-ca": t.CA.Text, "tls-cert": t.Certificate.Text, "tls-key": t.Key.Text} {
		if text != "" && file.origins[name] == "" {
			line(name, "*** (in the file)", file.name)
		}
	}
	value := "***"
	_, origin, err := o.cluster.access.password(env, func() (string, error) { return "", console.ErrNoTerminal })
	switch {
	case err != nil && o.cluster.access.sasl == "":
		value, origin = "", "default"
	case errors.Is(err, console.ErrNoTerminal):
		value, origin = "", "will be asked for"
	case err != nil:
		value, origin = "", err.Error()
	}
	line("password", value, origin)
	return screen.Flush()
}
