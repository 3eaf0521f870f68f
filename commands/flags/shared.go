package flags

import (
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/arguments"
	"bizumctl/commands/misuse"
)

// Exit returns --exit.
func Exit(value *bool) cli.Flag {
	return &cli.BoolFlag{Name: "exit", Aliases: []string{"e"}, Destination: value,
		Usage: "stop at the end that there is now"}
}

// JSON returns --json.
func JSON(value *bool) cli.Flag {
	return &cli.BoolFlag{Name: "json", Destination: value, Usage: "short for --output json"}
}

// JSONOutput applies --json to the output of a command. Beside --output it is a misuse.
func JSONOutput(c *cli.Context, json bool, output *string) error {
	switch {
	case json && c.IsSet("output"):
		return misuse.Errorf("--output and --json exclude each other")
	case json:
		*output = "json"
	}
	return nil
}

// Count returns --count.
func Count(value *int64, usage string) cli.Flag {
	return &cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Destination: value, Usage: usage}
}

// Bad returns --bad, with the default that its value has.
func Bad(value *string) cli.Flag {
	return &cli.StringFlag{Name: "bad", Value: *value, Destination: value,
		Usage: "`WHAT` to do with a rejected message: skip, stop; skip reports it"}
}

// CSVSafe returns --csv-safe.
func CSVSafe(value *bool) cli.Flag {
	return &cli.BoolFlag{Name: "csv-safe", Destination: value, Usage: "csv in which spreadsheets find no formula"}
}

// CheckView returns a misuse unless these flags of a command that shows a topic go together.
func CheckView(output, bad string, safe bool, count int64, outputs ...string) error {
	if err := OneOf("output", output, outputs...); err != nil {
		return err
	}
	if safe && output != "csv" {
		return misuse.Errorf("--csv-safe goes with --output csv")
	}
	if err := OneOf("bad", bad, "skip", "stop"); err != nil {
		return err
	}
	return NotNegative("count", count)
}

// NotNegative returns a misuse if a number is below 0, which means endless.
func NotNegative[N int64 | time.Duration](flag string, n N) error {
	if n < 0 {
		return misuse.Errorf("--%s %v: want 0 (endless) or more", flag, n)
	}
	return nil
}

// Help returns --help, like the library's, which is one variable for the whole process, written to by every run.
func Help() cli.Flag {
	return &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help"}
}

// Of returns flags as a command line is read by them.
func Of(flags []cli.Flag) (all []arguments.Flag) {
	for _, f := range flags {
		_, isSwitch := f.(*cli.BoolFlag)
		one := arguments.Flag{Names: f.Names(), Switch: isSwitch}
		if o, ok := f.(*optional); ok {
			one.Bare = o.bare
		}
		all = append(all, one)
	}
	return all
}

// Wanted returns what a flag wants, where the reason is the library's and says it to programmers only.
func Wanted(flags []cli.Flag, name, reason string) string {
	for _, f := range flags {
		if f.Names()[0] != name {
			continue
		}
		switch f.(type) {
		case *cli.IntFlag, *cli.Int64Flag, *cli.IntSliceFlag:
			return "want a whole number"
		case *cli.Uint64Flag:
			return "want a whole number, from 0 to 18446744073709551615"
		case *cli.DurationFlag:
			return "want a time such as " + TimeExamples
		case *cli.BoolFlag:
			return "want true or false, or no value at all"
		}
	}
	return reason
}

// TimeExamples are what a duration may look like.
const TimeExamples = "500ms, 10s, 1m30s or 2h"
