package commands

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"bizumctl/bizum/consumer"
	"bizumctl/commands/console"
)

// when is the value of --color.
type when console.Color

func (w *when) Set(s string) error {
	if !slices.Contains([]console.Color{console.Auto, console.Always, console.Never}, console.Color(s)) {
		return errors.New("want auto, always or never")
	}
	*w = when(s)
	return nil
}

func (w *when) String() string { return string(*w) }

// rate is the value of --rate: bizums a second, or as many as go.
type rate struct {
	perSecond float64
	max       bool
}

func (r *rate) Set(s string) error {
	if s == "max" {
		*r = rate{max: true}
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 1e-6 && n <= 1e9) {
		return errors.New("want a number a second, from 0.000001 to 1000000000, or max")
	}
	*r = rate{perSecond: n}
	return nil
}

func (r *rate) String() string {
	switch {
	case r.max:
		return "max"
	case r.perSecond == 0:
		return ""
	}
	return strconv.FormatFloat(r.perSecond, 'f', -1, 64)
}

// byteSize is the value of --roll-bytes.
type byteSize int64

var sizeUnits = [...]struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1}}

func (b *byteSize) Set(s string) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 1 || n > 1<<40/unit.size {
			break
		}
		*b = byteSize(n * unit.size)
		return nil
	}
	return errors.New("want a number of bytes, such as 500000, 10MB or 128MiB, at most 1024GiB")
}

func (b *byteSize) String() string {
	for _, unit := range sizeUnits[:3] {
		if n := int64(*b); n >= unit.size && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// boundFlag is the value of --from and --until.
type boundFlag struct {
	text  string
	bound consumer.Bound
	now   func() time.Time
}

func (b *boundFlag) Set(s string) error {
	bound, err := consumer.ParseBound(s, b.now().Local())
	if err == nil {
		b.text, b.bound = s, bound
	}
	return err
}

func (b *boundFlag) String() string { return b.text }

// oneOf returns a misuse unless a flag's value is one of the words.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	last := len(words) - 1
	return misuse("--%s %q: want %s or %s", flag, value, strings.Join(words[:last], ", "), words[last])
}
