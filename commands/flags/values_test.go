package flags_test

import (
	"testing"
	"time"

	"bizumctl/commands/flags"
)

// What cannot be read of a bound (package consumer has them all), a rate or a size is refused, and leaves the value as it
// was.
func TestFlagTypes(t *testing.T) {
	type value interface {
		Set(string) error
		String() string
	}
	for _, c := range []struct {
		value   value
		good    map[string]string // as given, and as shown
		refused []string
	}{
		{&flags.Bound{Now: time.Now}, map[string]string{"beginning": "beginning", "-20": "-20", "@-1h": "@-1h"},
			[]string{"", "start"}},
		{new(flags.Rate), map[string]string{"max": "max", "10": "10", "0.5": "0.5", "1e3": "1000"},
			[]string{"", "0", "-1", "NaN", "Inf", "1e10"}},
		{new(flags.ByteSize), map[string]string{"1": "1", "10MB": "10000000", "128MiB": "128MiB", "2 GiB": "2GiB",
			"1024KiB": "1MiB"},
			[]string{"", "0", "-1", "1.5MB", "2000GiB", "MB"}},
		{new(flags.When), map[string]string{"auto": "auto", "always": "always", "never": "never"},
			[]string{"", "Auto", "yes"}},
	} {
		last := c.value.String()
		for text, shown := range c.good {
			if err := c.value.Set(text); err != nil || c.value.String() != shown {
				t.Errorf("%T %q: %q, %v; want %q", c.value, text, c.value.String(), err, shown)
			}
			last = c.value.String()
		}
		for _, text := range c.refused {
			if err := c.value.Set(text); err == nil || c.value.String() != last {
				t.Errorf("%T %q: %q, %v; want it refused", c.value, text, c.value.String(), err)
			}
		}
	}
}
