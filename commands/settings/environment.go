package settings

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/arguments"
	"bizumctl/commands/flags"
	"bizumctl/commands/misuse"
)

// The environment and a file of settings are for every command at once: see arguments.Rules.Settings.

// RulesOf returns which flags of a command go together.
func RulesOf(command string) arguments.Rules {
	return arguments.Rules{
		Exclusive: [][2]string{{"output", "raw"}, {"output", "json"}, {"raw", "json"}, {"rate", "min-delay"},
			{"rate", "max-delay"}, {"group", "partition"}, {"last", "from"}, {"last", "count"}},
		Needs: map[string]string{"roll-records": "dir", "roll-bytes": "dir", "roll-age": "dir",
			"commit-interval": "group", "accept-gap": "group"},
		Idle: map[string]map[string][]string{
			"produce": {"input": {"accounts", "names", "concepts"},
				"dir": {"dry-run", "partitions", "compression", "accounts"}},
			"consume":  {"dir": {"count", "until"}},
			"balance":  {"group": {"from", "last"}},
			"balances": {"group": {"by", "initial", "bad"}},
			"broker":   {"data": {"keep"}},
		}[command],
	}
}

// source is where a flag that was not given may have a value: the environment, or a file of settings.
type source struct {
	value  func(flag string) (value string, set bool)
	place  func(flag string) string // where that is, for people
	origin func(flag string) string // the same, where the flag is named beside it
}

// fill sets the flags that were not given before from a source, and adds to origins where they are from.
func fill(c *cli.Context, from source, origins map[string]string) error {
	given := slices.Collect(maps.Keys(origins))
	for _, f := range RulesOf(c.Command.Name).Settings(flags.Of(c.Command.Flags), given, from.value) {
		switch {
		case f.Name == "help", f.Name == "csv-safe" && c.String("output") != "csv": // which applies to no other
			continue
		case f.Value == "":
			return misuse.Errorf("%s is empty: give it a value, or unset it", from.place(f.Name))
		}
		if err := c.Set(f.Name, f.Value); err != nil {
			return misuse.Errorf("%s=%q: %s", from.place(f.Name), f.Value, flags.Wanted(c.Command.Flags, f.Name, err.Error()))
		}
		origins[f.Name] = from.origin(f.Name)
	}
	return nil
}

var flagsIn = regexp.MustCompile(`--([a-z-]+)`)

// WithOrigins adds to an error of the command line where the flags are from that it is about, if nobody typed them.
func WithOrigins(err error, origins map[string]string) error {
	if !errors.As(err, new(misuse.Error)) {
		return err
	}
	var set []string
	for _, found := range flagsIn.FindAllStringSubmatch(err.Error(), -1) {
		if origin := origins[found[1]]; origin != "" && origin != commandLine {
			if origin == VariableOf(found[1]) {
				origin += " in the environment"
			}
			set = append(set, "--"+found[1]+" was set by "+origin)
		}
	}
	if len(set) == 0 {
		return err
	}
	if cure := (misuse.HintedError{}); errors.As(err, &cure) {
		set = append(set, cure.Hint)
	}
	return misuse.WithHint(err, strings.Join(set, "; "))
}
