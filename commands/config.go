package commands

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
	"bizumctl/commands/help"
	"bizumctl/commands/settings"
)

type configOptions struct {
	cluster  settings.Cluster
	profiles bool
}

// newConfig is a command with the flags of all others, whose values it shows.
func newConfig(env Env, others []*cli.Command) *cli.Command {
	o := configOptions{cluster: settings.DefaultCluster()}
	flags := append(o.cluster.Flags(), &cli.BoolFlag{Name: "profiles", Destination: &o.profiles,
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
		Description: help.Examples("Shows the value of every flag that is set, and of those that all commands share.",
			"bizumctl config --profile prod",
			"bizumctl config --profiles"),
		Flags: flags,
		Action: func(c *cli.Context) error {
			screen := newConsole(env, o.cluster.Speech)
			if o.profiles {
				return listProfiles(env, screen)
			}
			return o.show(env, c, flags[:shared], screen)
		},
	}
}

func listProfiles(env Env, screen *console.Console) error {
	names, err := settings.Profiles(env.ConfigDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := screen.Line([]byte(name)); err != nil {
			return err
		}
	}
	screen.Noticef("a profile is a file %s",
		filepath.Join(settings.ProfileFolder(env.ConfigDir), "NAME"+settings.ProfileExtension))
	return screen.Flush()
}

// show prints the flags that all commands share, and those of others that are set.
func (o *configOptions) show(env Env, c *cli.Context, shared []cli.Flag, screen *console.Console) error {
	for _, notice := range o.cluster.UnusedKeys() {
		screen.Noticef("%s", notice)
	}
	for _, v := range o.cluster.Values(env.settings(), c, shared) {
		_ = screen.Line(fmt.Appendf(nil, "%-16s %-24s %s", v.Name, cmp.Or(v.Text, "-"), v.Origin)) // Flush returns its error
	}
	return screen.Flush()
}
