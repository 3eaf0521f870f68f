package arguments

import "slices"

// Rules say which flags of a command go together.
type Rules struct {
	Exclusive [][2]string         // of which one excludes the other
	Needs     map[string]string   // a flag that means nothing without this other one
	Idle      map[string][]string // beside a flag, those that do not apply
}

// Settings returns the flags that the environment, or a file, sets beside those that were given, in the order of flags.
// Lookup returns what it has for a flag. It is for every command at once, so that it may not suit the one that is
// run: a flag that was given overrules it, and what does not apply is left out, so that only what applies can be
// wrong.
func (r Rules) Settings(flags []Flag, before []string, lookup func(flag string) (value string, set bool)) []Value {
	given := func(flag string) bool {
		_, set := lookup(flag)
		return slices.Contains(before, flag) || set && !r.overruled(before, flag)
	}
	var all []Value
	for _, f := range flags {
		name := f.Names[0]
		value, set := lookup(name)
		if set && !slices.Contains(before, name) && given(name) && r.applies(given, name) {
			all = append(all, Value{Name: name, Value: value})
		}
	}
	return all
}

// overruled reports whether a flag that was given before excludes this one.
func (r Rules) overruled(before []string, flag string) bool {
	for _, pair := range r.Exclusive {
		if pair[0] == flag && slices.Contains(before, pair[1]) || pair[1] == flag && slices.Contains(before, pair[0]) {
			return true
		}
	}
	return slices.ContainsFunc(r.Idle[flag], func(other string) bool { return slices.Contains(before, other) })
}

// applies reports whether a flag means anything beside those that are given.
func (r Rules) applies(given func(flag string) bool, flag string) bool {
	if other := r.Needs[flag]; other != "" && !given(other) {
		return false
	}
	for other, idle := range r.Idle {
		if slices.Contains(idle, flag) && given(other) {
			return false
		}
	}
	return true
}
