package arguments_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bizumctl/commands/arguments"
)

var flags = []arguments.Flag{
	{Names: []string{"count", "n"}}, {Names: []string{"exit", "e"}, Switch: true},
	{Names: []string{"quiet", "q"}, Switch: true}, {Names: []string{"output", "o"}},
	{Names: []string{"topic", "t"}}, {Names: []string{"brokers", "b", "bootstrap-server"}},
	{Names: []string{"bad"}}, {Names: []string{"from"}}, {Names: []string{"json"}, Switch: true},
}

// A line is read as kcat, git and tar read theirs.
func TestRead(t *testing.T) {
	for given, want := range map[string]string{
		"":                             "",
		"-n 5":                         "--count=5",
		"-n5":                          "--count=5",
		"-n=5":                         "--count=5",
		"--n 5":                        "--count=5",
		"--count 5":                    "--count=5",
		"--count=5":                    "--count=5",
		"-count 5":                     "--count=5",
		"-e -q":                        "--exit --quiet",
		"-eq":                          "--exit --quiet",
		"-qe":                          "--quiet --exit",
		"-ojson":                       "--output=json",
		"-eojson":                      "--exit --output=json",
		"-eqn5":                        "--exit --quiet --count=5",
		"-eqn 5":                       "--exit --quiet --count=5",
		"-en=5":                        "--exit --count=5",
		"-e=false -q":                  "--exit=false --quiet",
		"-qe=false":                    "--quiet --exit=false",
		"--exit=false":                 "--exit=false",
		"-json":                        "--json", // a long name, though -j were short
		"-bad skip":                    "--bad=skip",
		"-bhost:1":                     "--brokers=host:1",
		"-tx=y":                        "--topic=x=y",
		"--topic=x=y":                  "--topic=x=y",
		"-tñ":                          "--topic=ñ",
		"--bootstrap-server h":         "--brokers=h",
		"--from -20":                   "--from=-20",
		"--from=-20":                   "--from=-20",
		"-n -1":                        "--count=-1",
		"-t -e":                        "--topic=-e", // a short flag may be a value, as -1 is
		"-t --weird":                   "--topic=--weird",
		"-t=--exit":                    "--topic=--exit",
		"-o -":                         "--output=-",
		"a":                            "-- a",
		"a -e b -n 5":                  "--exit --count=5 -- a b",
		"-":                            "-- -",
		"-e -- -q --nothing":           "--exit -- -q --nothing",
		"-- -e":                        "-- -e",
		"a -- --":                      "-- a --",
		"--count 5 --count 6 -t x -ty": "--count=5 --count=6 --topic=x --topic=y",
	} {
		line, err := arguments.Read(strings.Fields(given), flags)
		if err != nil {
			t.Errorf("%q: %v", given, err)
			continue
		}
		if got := strings.Join(line.Args(), " "); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
		again, err := arguments.Read(line.Args(), flags)
		if err != nil || !slices.Equal(again.Args(), line.Args()) {
			t.Errorf("%q, read again: %q, %v", given, again.Args(), err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		given []string
		want  error
		text  string
	}{
		{[]string{"--nothing"}, &arguments.UnknownError{Flag: "--nothing"}, "no flag --nothing"},
		{[]string{"--nothing=5"}, &arguments.UnknownError{Flag: "--nothing"}, "no flag --nothing"},
		{[]string{"-x"}, &arguments.UnknownError{Flag: "-x"}, "no flag -x"},
		{[]string{"-xyz=1"}, &arguments.UnknownError{Flag: "-xyz"}, "no flag -xyz"},
		{[]string{"-ex"}, &arguments.UnknownError{Flag: "-x", In: "-ex"}, "no flag -x, as in -ex"},
		{[]string{"-e", "-20"}, &arguments.UnknownError{Flag: "-20"}, "no flag -20"},
		{[]string{"---exit"}, &arguments.UnknownError{Flag: "---exit"}, "no flag ---exit"},
		{[]string{"-n"}, &arguments.MissingError{Flag: "-n"}, "-n wants a value"},
		{[]string{"-en"}, &arguments.MissingError{Flag: "-n"}, "-n wants a value"},
		{[]string{"--count"}, &arguments.MissingError{Flag: "--count"}, "--count wants a value"},
		{[]string{"--topic", "--exit"}, &arguments.MissingError{Flag: "--topic", Next: "--exit"},
			"--topic wants a value, but --exit follows"},
		{[]string{"-t", "--count=5"}, &arguments.MissingError{Flag: "-t", Next: "--count=5"},
			"-t wants a value, but --count=5 follows"},
		{[]string{"-t", "--"}, &arguments.MissingError{Flag: "-t", Next: "--"}, "-t wants a value, but -- follows"},
		{[]string{"-t", ""}, &arguments.EmptyError{Flag: "-t"}, "-t is empty: give it a value, or leave it out"},
		{[]string{"-t="}, &arguments.EmptyError{Flag: "-t"}, "-t is empty: give it a value, or leave it out"},
		{[]string{"-et="}, &arguments.EmptyError{Flag: "-t"}, "-t is empty: give it a value, or leave it out"},
		{[]string{"--topic", ""}, &arguments.EmptyError{Flag: "--topic"},
			"--topic is empty: give it a value, or leave it out"},
		{[]string{"--topic="}, &arguments.EmptyError{Flag: "--topic"},
			"--topic is empty: give it a value, or leave it out"},
		{[]string{"a", "--exit="}, &arguments.EmptyError{Flag: "--exit"},
			"--exit is empty: give it a value, or leave it out"},
	} {
		_, err := arguments.Read(c.given, flags)
		if err == nil || err.Error() != c.text {
			t.Errorf("%q: %v, want %s", c.given, err, c.text)
		}
		switch want := c.want.(type) {
		case *arguments.UnknownError:
			var got *arguments.UnknownError
			if !errors.As(err, &got) || *got != *want {
				t.Errorf("%q: %#v, want %#v", c.given, got, want)
			}
		case *arguments.MissingError:
			var got *arguments.MissingError
			if !errors.As(err, &got) || *got != *want {
				t.Errorf("%q: %#v, want %#v", c.given, got, want)
			}
		case *arguments.EmptyError:
			var got *arguments.EmptyError
			if !errors.As(err, &got) || *got != *want {
				t.Errorf("%q: %#v, want %#v", c.given, got, want)
			}
		}
	}
}

// Whatever is typed, what was read of it is read the same again.
func FuzzRead(f *testing.F) {
	for _, line := range []string{"-n5 -eq a -- b", "--from -20 -ojson", "-", "-=", "--=", "-\xff", "-eñ", "-t  x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := arguments.Read(strings.Split(text, " "), flags)
		if err != nil {
			return
		}
		for _, v := range line.Flags {
			if !v.Bare && v.Value == "" {
				t.Fatalf("%q: %+v", text, v)
			}
		}
		again, err := arguments.Read(line.Args(), flags)
		if err != nil || !slices.Equal(again.Args(), line.Args()) {
			t.Fatalf("%q: %q, then %v", text, line.Args(), err)
		}
	})
}

// What is near is suggested, and nothing else.
func TestNear(t *testing.T) {
	commands := []string{"produce", "consume", "balance", "audit", "broker", "demo", "help", "version"}
	names := []string{"rate", "partition", "output", "from", "account", "accept-gap", "session-timeout", "b", "t",
		"bootstrap-server", "json"}
	for typed, want := range map[string]string{
		"consme": "consume", "prodcue": "produce", "Balance": "balance", "balances": "balance", "brokr": "broker",
		"prod": "produce", "xyz": "", "topics": "", "": "", "de": "", "list": "", "-": "", "verison": "version",
	} {
		if got := arguments.Near(typed, commands); got != want {
			t.Errorf("command %q: %q, want %q", typed, got, want)
		}
	}
	for typed, want := range map[string]string{
		"rat": "rate", "partitions": "partition", "p": "", "x": "", "jsn": "json", "acount": "account", "follow": "",
		"bootstrap": "bootstrap-server", "bootstrap-servers": "bootstrap-server", "out": "output", "nothing": "",
		"max-messages": "", "session_timeout": "session-timeout",
	} {
		if got := arguments.Near(typed, names); got != want {
			t.Errorf("flag %q: %q, want %q", typed, got, want)
		}
	}
}

// A flag whose value may be left out takes the next argument, unless that is a flag.
func TestBare(t *testing.T) {
	flags := []arguments.Flag{{Names: []string{"page"}, Bare: "localhost:8080"}, {Names: []string{"exit", "e"}, Switch: true}}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--page"}, "[--page=localhost:8080]"},
		{[]string{"--page", "--exit"}, "[--page=localhost:8080 --exit]"},
		{[]string{"--page", "-e"}, "[--page=localhost:8080 --exit]"},
		{[]string{"--page", "here:1", "-e"}, "[--page=here:1 --exit]"},
		{[]string{"--page=here:1"}, "[--page=here:1]"},
		{[]string{"--page", "--", "x"}, "[--page=localhost:8080 -- x]"},
	} {
		line, err := arguments.Read(c.args, flags)
		if err != nil || fmt.Sprint(line.Args()) != c.want {
			t.Errorf("%q: %q, %v; want %s", c.args, line.Args(), err, c.want)
		}
	}
}
