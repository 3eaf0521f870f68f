package settings

import (
	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
	"bizumctl/commands/flags"
)

// Speech is what every command takes: how it speaks.
type Speech struct {
	Color   flags.When
	Quiet   bool
	Verbose bool
}

// DefaultSpeech returns how a command speaks before its flags are read.
func DefaultSpeech() Speech { return Speech{Color: flags.When(console.Auto)} }

// Flags returns the flags that set s.
func (s *Speech) Flags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "color", Value: &s.Color, Usage: "`WHEN` to colour: auto, always, never"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Destination: &s.Quiet, Usage: "no notices but errors"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Destination: &s.Verbose,
			Usage: "also the log of the Kafka client"},
	}
}
