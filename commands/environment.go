package commands

import (
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// The environment and a file of settings are for every command at once, so that what they say may not suit the one that
// is run. A flag that was typed overrules them; what does not apply is ignored, and only what applies can be wrong.

// exclusive are flags of which one excludes the other: what was given first holds.
var exclusive = [...][2]string{{"output", "raw"}, {"output", "json"}, {"raw", "json"}, {"rate", "min-delay"},
	{"rate", "max-delay"}, {"group", "partition"}}

// needs says beside which flag another one applies.
var needs = map[string]string{"roll-records": "dir", "roll-bytes": "dir", "roll-age": "dir",
	"commit-interval": "group", "accept-gap": "group"}

// idle says which flags do not apply beside another one, by command.
var idle = map[string]map[string][]string{
	"produce": {"input": {"accounts", "names", "concepts"}, "dir": {"dry-run", "partitions", "compression", "accounts"}},
	"consume": {"dir": {"count", "until"}},
}

// source is where a flag that was not given may have a value: the environment, or a file of settings.
type source struct {
	value  func(flag string) (value string, set bool)
	place  func(flag string) string // where that is, for people
	origin func(flag string) string // the same, where the flag is named beside it
}

// fill sets the flags that were not given before from a source, and adds to origins where they are from.
func fill(c *cli.Context, from source, origins map[string]string) error {
	before := maps.Clone(origins)
	given := func(flag string) bool {
		_, set := from.value(flag)
		return before[flag] != "" || set && !overruled(before, c.Command.Name, flag)
	}
	for _, flag := range c.Command.Flags {
		name := flag.Names()[0]
		value, set := from.value(name)
		if !set || name == "help" || before[name] != "" || !given(name) || !applies(given, c.Command.Name, name) {
			continue
		}
		if value == "" {
			return misuse("%s is empty: give it a value, or unset it", from.place(name))
		}
		if err := c.Set(name, value); err != nil {
			return misuse("%s=%q: %s", from.place(name), value, wanted(c.Command.Flags, name, err.Error()))
		}
		origins[name] = from.origin(name)
	}
	return nil
}

// overruled reports whether a flag that was given before excludes this one.
func overruled(before map[string]string, command, flag string) bool {
	for _, pair := range exclusive {
		if pair[0] == flag && before[pair[1]] != "" || pair[1] == flag && before[pair[0]] != "" {
			return true
		}
	}
	for _, other := range idle[command][flag] {
		if before[other] != "" {
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

// blame adds to an error of the command line where the flags are from that it is about, if nobody typed them.
func blame(err error, origins map[string]string) error {
	if !errors.As(err, new(misuseError)) {
		return err
	}
	var set []string
	for _, found := range flagsIn.FindAllStringSubmatch(err.Error(), -1) {
		if origin := origins[found[1]]; origin != "" && origin != commandLine {
			if origin == variableOf(found[1]) {
				origin += " in the environment"
			}
			set = append(set, "--"+found[1]+" was set by "+origin)
		}
	}
	if len(set) == 0 {
		return err
	}
	return hintedError{err, strings.Join(set, ", ")}
}
