package console_test

import (
	"testing"

	"bizumctl/commands/console"
)

func TestColumns(t *testing.T) {
	got := console.Columns([][2]string{{"-ñ N", "one two three"}, {"-bb", "averylongwordthatfitsnowhere x"}, {"-c", ""}}, 14)
	want := "-ñ N  one two\n      three\n-bb   averylongwordthatfitsnowhere\n      x\n-c    \n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShortTime(t *testing.T) {
	for given, want := range map[string]string{"1m0s": "1m", "1h0m0s": "1h", "10s": "10s", "10m0s": "10m", "1m30s": "1m30s",
		"100ms": "100ms", "0s": "0s", "1h0m5s": "1h0m5s", "20h10m0s": "20h10m"} {
		if got := console.ShortTime(given); got != want {
			t.Errorf("%s: %s, want %s", given, got, want)
		}
	}
}
