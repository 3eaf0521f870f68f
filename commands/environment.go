package commands

import (
	"errors"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// A variable of the environment is set for every command at once, so that what it means may not suit the one that is
// run. A flag that was typed overrules it; what does not apply is ignored, and only what applies can be wrong.

// exclusive are flags of which one excludes the other: a variable gives way to a flag that was typed.
var exclusive = [...][2]string{{"output", "raw"}, {"output", "json"}, {"raw", "json"}, {"rate", "min-delay"},
	{"rate", "max-delay"}, {"group", "partition"}}

// needs says beside which flag another one applies.
var needs = map[string]string{"roll-records": "dir", "roll-bytes": "dir", "roll-age": "dir", "csv-safe": "dir",
	"commit-interval": "group", "accept-gap": "group"}

// idle says which flags do not apply beside another one, by command.
var idle = map[string]map[string][]string{
	"produce": {"input": {"accounts", "names", "concepts"}, "dir": {"dry-run", "partitions", "compression", "accounts"}},
	"consume": {"dir": {"count", "until"}},
}

// variableOf is the variable of a flag.
func variableOf(flag string) string {
	return "BIZUMCTL_" + strings.ReplaceAll(strings.ToUpper(flag), "-", "_")
}

// fromEnvironment sets the flags that were not typed from their variables. It returns the variables that it used, by flag.
func fromEnvironment(env Env, c *cli.Context) (used map[string]string, err error) {
	typed := make(map[string]bool)
	for _, name := range c.LocalFlagNames() {
		typed[name] = true
	}
	used = make(map[string]string)
	given := func(flag string) bool {
		_, set := env.LookupEnv(variableOf(flag))
		return typed[flag] || set && !overruled(typed, c.Command.Name, flag)
	}
	for _, flag := range c.Command.Flags {
		name := flag.Names()[0]
		variable := variableOf(name)
		value, set := env.LookupEnv(variable)
		if !set || name == "help" || typed[name] || !given(name) || !applies(given, c.Command.Name, name) {
			continue
		}
		if value == "" {
			return used, misuse("%s is empty: give it a value, or unset it", variable)
		}
		if err := c.Set(name, value); err != nil {
			return used, misuse("%s=%q: %s", variable, value, wanted(c.Command.Flags, name, err.Error()))
		}
		used[name] = variable
	}
	return used, nil
}

// overruled reports whether a flag that was typed excludes this one.
func overruled(typed map[string]bool, command, flag string) bool {
	for _, pair := range exclusive {
		if pair[0] == flag && typed[pair[1]] || pair[1] == flag && typed[pair[0]] {
			return true
		}
	}
	for _, other := range idle[command][flag] {
		if typed[other] {
			return true
		}
	}
	return false
}

// applies reports whether a flag means anything beside those that are given.
func applies(given func(flag string) bool, command, flag string) bool {
	if other := needs[flag]; other != "" && !given(other) {
		return false
	}
	for other, flags := range idle[command] {
		for _, f := range flags {
			if f == flag && given(other) {
				return false
			}
		}
	}
	return true
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
