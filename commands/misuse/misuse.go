// Package misuse has the errors of a command line: what is wrong with it, and what to type instead. It knows no flag.
package misuse

import (
	"fmt"
	"time"

	"bizumctl/commands/console"
)

// Error is a mistake in the command line, rather than in what it asks for.
type Error struct{ error }

func (e Error) Unwrap() error { return e.error }

// Errorf returns an Error, with times as people write them.
func Errorf(format string, args ...any) error {
	for i, arg := range args {
		if d, ok := arg.(time.Duration); ok {
			args[i] = console.ShortTime(d.String())
		}
	}
	return Error{fmt.Errorf(format, args...)}
}

// HintedError is an error that brings its own hint: what to do about it.
type HintedError struct {
	error
	Hint string
}

func (e HintedError) Unwrap() error { return e.error }

// WithHint returns an error with what to do about it.
func WithHint(err error, hint string) error { return HintedError{err, hint} }
