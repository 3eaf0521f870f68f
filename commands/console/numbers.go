package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"bizumctl/bizum"
)

// The one way in which a person is shown numbers: digits in groups of three, 1,010,650. Offsets and partitions are no
// numbers of things, but names that somebody may type again; they stay as they are. So does all data.

// Count returns a number, its digits in groups of three.
func Count[N int | int32 | int64](n N) string { return humanize.Comma(int64(n)) }

// Plural returns a number of things.
func Plural[N int | int32 | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Euros returns an amount: 1,010,650.00 €.
func Euros(a bizum.Amount) string { return string(a.AppendEuros(nil)) }

// Rate returns how many there are in a second, with decimals where they say something.
func Rate(perSecond float64) string {
	switch {
	case perSecond < 100:
		return fmt.Sprintf("%.3f/s", perSecond)
	case perSecond < 1000:
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return humanize.Comma(int64(perSecond+0.5)) + "/s"
}

// AskedRate returns a rate that somebody has asked for, as exactly as he did.
func AskedRate(perSecond float64) string { return humanize.Commaf(perSecond) + "/s" }

// Size returns a number of bytes in few digits.
func Size[N int64 | float64](bytes N) string {
	for _, unit := range [...]struct {
		name string
		size float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if float64(bytes) >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(bytes)/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", float64(bytes))
}

// Duration returns a time in few digits: 2.2ms, 1.23s, 1m30s, 2h5m.
func Duration(d time.Duration) string {
	unit := time.Duration(1)
	switch {
	case d >= time.Hour:
		unit = time.Minute
	case d >= time.Minute:
		unit = time.Second
	default:
		for d >= 1000*unit {
			unit *= 10
		}
	}
	return ShortTime(d.Round(unit).String())
}

// ShortTime returns a duration of Go as people write it: 1m, not 1m0s.
func ShortTime(duration string) string {
	for _, none := range [...]string{"0s", "0m"} {
		rest, ok := strings.CutSuffix(duration, none)
		if ok && (strings.HasSuffix(rest, "m") || strings.HasSuffix(rest, "h")) {
			duration = rest
		}
	}
	return duration
}
