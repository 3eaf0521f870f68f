// Package flags is the flags that several commands share, and the types of their values. It knows how a value is
// written, and not what a command does with it.
package flags

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"bizumctl/bizum/consumer"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
)

// When is the value of --color.
type When console.Color

func (w *When) Set(s string) error {
	if !slices.Contains([]console.Color{console.Auto, console.Always, console.Never}, console.Color(s)) {
		return errors.New("want auto, always or never")
	}
	*w = When(s)
	return nil
}

func (w *When) String() string { return string(*w) }

// Rate is the value of --rate: bizums a second, or as many as go.
type Rate struct {
	PerSecond float64
	Max       bool
}

func (r *Rate) Set(s string) error {
	if s == "max" {
		*r = Rate{Max: true}
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 1e-6 && n <= 1e9) {
		return errors.New("want a number a second, from 0.000001 to 1000000000, or max")
	}
	*r = Rate{PerSecond: n}
	return nil
}

func (r *Rate) String() string {
	switch {
	case r.Max:
		return "max"
	case r.PerSecond == 0:
		return ""
	}
	return strconv.FormatFloat(r.PerSecond, 'f', -1, 64)
}

// ByteSize is the value of --roll-bytes and --keep.
type ByteSize int64

var sizeUnits = [...]struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1}}

func (b *ByteSize) Set(s string) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 1 || n > 1<<40/unit.size {
			break
		}
		*b = ByteSize(n * unit.size)
		return nil
	}
	return errors.New("want a number of bytes, such as 500000, 10MB or 128MiB, at most 1024GiB")
}

func (b *ByteSize) String() string {
	for _, unit := range sizeUnits[:3] {
		if n := int64(*b); n >= unit.size && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Bound is the value of --from and --until.
type Bound struct {
	Text string // as it was given; "": it was not
	At   consumer.Bound
	Now  func() time.Time // what @-1h is counted from
}

func (b *Bound) Set(s string) error {
	bound, err := consumer.ParseBound(s, b.Now().Local())
	if err == nil {
		b.Text, b.At = s, bound
	}
	return err
}

func (b *Bound) String() string { return b.Text }

// OneOf returns a misuse unless a flag's value is one of the words.
func OneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return misuse.Errorf("--%s %q: want %s or %s", flag, value, strings.Join(words[:last], ", "), words[last])
}
