package commands

import (
	"errors"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/arguments"
)

// rulesOf returns which flags of a command go together.
func rulesOf(command string) arguments.Rules {
	return arguments.Rules{
		Exclusive: [][2]string{{"output", "raw"}, {"output", "json"}, {"raw", "json"}, {"rate", "min-delay"},
			{"rate", "max-delay"}, {"group", "partition"}},
		Needs: map[string]string{"roll-records": "dir", "roll-bytes": "dir", "roll-age": "dir", "csv-safe": "dir",
			"commit-interval": "group", "accept-gap": "group"},
		Idle: map[string]map[string][]string{
			"produce": {"input": {"accounts", "names", "concepts"},
				"dir": {"dry-run", "partitions", "compression", "accounts"}},
			"consume": {"dir": {"count", "until"}},
		}[command],
	}
}

// variableOf returns the variable of a flag.
func variableOf(flag string) string {
	return "BIZUMCTL_" + strings.ReplaceAll(strings.ToUpper(flag), "-", "_")
}

// fromEnvironment sets the flags that were not typed from their variables, and returns the variables that it used, by
// flag.
func fromEnvironment(env Env, c *cli.Context) (used map[string]string, err error) {
	lookup := func(flag string) (string, bool) { return env.LookupEnv(variableOf(flag)) }
	used = make(map[string]string)
	for _, f := range rulesOf(c.Command.Name).FromEnvironment(flagsOf(c.Command.Flags), c.LocalFlagNames(), lookup) {
		variable := variableOf(f.Name)
		switch {
		case f.Name == "help":
			continue
		case f.Value == "":
			return used, misuse("%s is empty: give it a value, or unset it", variable)
		}
		if err := c.Set(f.Name, f.Value); err != nil {
			return used, misuse("%s=%q: %s", variable, f.Value, wanted(c.Command.Flags, f.Name, err.Error()))
		}
		used[f.Name] = variable
	}
	return used, nil
}

var flagsIn = regexp.MustCompile(`--([a-z-]+)`)

// blame adds to an error of the command line which variables it is about: nobody typed their flags.
func blame(err error, variables map[string]string) error {
	if !errors.As(err, new(misuseError)) {
		return err
	}
	var set []string
	for _, found := range flagsIn.FindAllStringSubmatch(err.Error(), -1) {
		if variable := variables[found[1]]; variable != "" {
			set = append(set, "--"+found[1]+" was set by "+variable)
		}
	}
	if len(set) == 0 {
		return err
	}
	return hintedError{err, strings.Join(set, ", ") + " in the environment"}
}
