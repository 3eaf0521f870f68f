// Package arguments reads a command line as people type it: short flags that carry their value or are joined, and flags
// after words. It knows flags by their names alone, and neither what their values mean nor what a command does.
package arguments

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Flag is a flag that a command takes.
type Flag struct {
	Names  []string // without dashes; the first one is what Line calls it
	Switch bool     // it stands alone, without a value
	Bare   string   // the value that it has when it stands alone; "": it needs one
}

// Line is a command line that was read.
type Line struct {
	Flags []Value
	Words []string // what is no flag
}

// Value is a flag that was given.
type Value struct {
	Name, Value string
	Bare        bool // a switch without a value
}

// Args returns the line in the one form that every parser of flags reads: each flag as --name or --name=value, then the
// words.
func (l *Line) Args() []string {
	var args []string
	for _, f := range l.Flags {
		if f.Bare {
			args = append(args, "--"+f.Name)
		} else {
			args = append(args, "--"+f.Name+"="+f.Value)
		}
	}
	if len(l.Words) > 0 {
		args = append(append(args, "--"), l.Words...)
	}
	return args
}

// UnknownError means that there is no such flag.
type UnknownError struct {
	Flag string // with its dashes
	In   string // the argument that it is a part of; "": it stands alone
}

func (e *UnknownError) Error() string {
	if e.In != "" {
		return fmt.Sprintf("no flag %s, as in %s", e.Flag, e.In)
	}
	return "no flag " + e.Flag
}

// MissingError means that a flag stands without its value.
type MissingError struct {
	Flag string // with its dashes
	Next string // the flag that follows; "": nothing does
}

func (e *MissingError) Error() string {
	if e.Next != "" {
		return fmt.Sprintf("%s wants a value, but %s follows", e.Flag, e.Next)
	}
	return e.Flag + " wants a value"
}

// EmptyError means that the value of a flag is empty, as a variable of a script is that was never set.
type EmptyError struct{ Flag string }

func (e *EmptyError) Error() string { return e.Flag + " is empty: give it a value, or leave it out" }

// Read reads the arguments of a command that takes these flags. After -- there are only words. The error is an
// UnknownError, a MissingError or an EmptyError.
func Read(args []string, flags []Flag) (*Line, error) {
	r := reader{args: args, known: make(map[string]Flag)}
	for _, f := range flags {
		for _, name := range f.Names {
			r.known[name] = f
		}
	}
	for len(r.args) > 0 {
		arg := r.args[0]
		r.args = r.args[1:]
		switch {
		case arg == "--":
			r.line.Words = append(r.line.Words, r.args...)
			return &r.line, nil
		case len(arg) < 2 || arg[0] != '-':
			r.line.Words = append(r.line.Words, arg)
		default:
			if err := r.flag(arg); err != nil {
				return nil, err
			}
		}
	}
	return &r.line, nil
}

type reader struct {
	known map[string]Flag
	args  []string // not read yet
	line  Line
}

// flag reads an argument that begins with a dash. A long name may have one dash or two.
func (r *reader) flag(arg string) error {
	body := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	name, value, hasValue := strings.Cut(body, "=")
	if f, ok := r.known[name]; ok {
		shown := Dashed(name)
		switch {
		case hasValue:
			return r.put(f, shown, value)
		case f.Switch:
			r.line.Flags = append(r.line.Flags, Value{Name: f.Names[0], Bare: true})
			return nil
		}
		return r.next(f, shown)
	}
	if strings.HasPrefix(arg, "--") {
		return &UnknownError{Flag: "--" + name}
	}
	return r.joined(arg)
}

// joined reads short flags that stand together, of which the last may carry its value.
func (r *reader) joined(arg string) error {
	for rest := arg[1:]; rest != ""; {
		_, size := utf8.DecodeRuneInString(rest)
		letter, first := rest[:size], len(rest) == len(arg)-1
		rest = rest[size:]
		f, ok := r.known[letter]
		shown := "-" + letter
		switch {
		case !ok && first:
			name, _, _ := strings.Cut(arg, "=")
			return &UnknownError{Flag: name}
		case !ok:
			return &UnknownError{Flag: shown, In: arg}
		case strings.HasPrefix(rest, "="):
			return r.put(f, shown, rest[1:])
		case f.Switch:
			r.line.Flags = append(r.line.Flags, Value{Name: f.Names[0], Bare: true})
		case rest != "":
			return r.put(f, shown, rest)
		default:
			return r.next(f, shown)
		}
	}
	return nil
}

// next takes the next argument as a flag's value. One that is a flag itself shows that the value was forgotten, or left
// out where it may be.
func (r *reader) next(f Flag, shown string) error {
	if f.Bare != "" && (len(r.args) == 0 || strings.HasPrefix(r.args[0], "-")) {
		return r.put(f, shown, f.Bare)
	}
	if len(r.args) == 0 {
		return &MissingError{Flag: shown}
	}
	value := r.args[0]
	if long, isLong := strings.CutPrefix(value, "--"); isLong {
		name, _, _ := strings.Cut(long, "=")
		if _, ok := r.known[name]; ok || long == "" {
			return &MissingError{Flag: shown, Next: value}
		}
	}
	r.args = r.args[1:]
	return r.put(f, shown, value)
}

func (r *reader) put(f Flag, shown, value string) error {
	if value == "" {
		return &EmptyError{Flag: shown}
	}
	r.line.Flags = append(r.line.Flags, Value{Name: f.Names[0], Value: value})
	return nil
}

// Dashed returns a flag's name as it is typed.
func Dashed(name string) string {
	if len(name) > 1 {
		return "--" + name
	}
	return "-" + name
}
