package consumer

import (
	"math"
	"testing"
	"time"
)

// A bound is read as people write it, its times in the zone of now.
func TestParseBound(t *testing.T) {
	madrid, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 1, 30, 0, 0, madrid)
	at := func(year int, month time.Month, day, hour, minute int) Bound {
		return At(time.Date(year, month, day, hour, minute, 0, 0, madrid))
	}
	utc := func(text string) Bound {
		moment, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return At(moment)
	}
	for text, want := range map[string]Bound{
		"beginning": Beginning(), "end": End(), "0": Offset(0), "42": Offset(42),
		"+5": Offset(5), "-20": BeforeEnd(20), "-0": BeforeEnd(0),
		"-9223372036854775807": BeforeEnd(math.MaxInt64),
		"-9223372036854775808": BeforeEnd(math.MaxInt64),
		"9223372036854775807":  Offset(math.MaxInt64),
		"@-1h":                 Ago(time.Hour), "@-1h30m": Ago(90 * time.Minute),
		"@-1d": Ago(24 * time.Hour), "@-2d12h": Ago(60 * time.Hour), "@-0d": Ago(0),
		"@-100000d": Ago(2_400_000 * time.Hour),
		"@today":    at(2026, 11, 25, 0, 0), "@yesterday": at(2026, 11, 24, 0, 0), "@08:00": at(2026, 11, 25, 8, 0),
		"@00:00:00":      at(2026, 11, 25, 0, 0),
		"@2026-11-22":    at(2026, 11, 22, 0, 0),
		"@1700000000000": At(time.UnixMilli(1700000000000)),

		"@2026-11-22T15:04": at(2026, 11, 22, 15, 4), "@2026-11-22 15:04": at(2026, 11, 22, 15, 4),
		"@2026-11-22T15:04:00": at(2026, 11, 22, 15, 4), "@2026-11-22 15:04:00": at(2026, 11, 22, 15, 4),
		"@2026-11-22T15:04Z": utc("2026-11-22T15:04:00Z"), "@2026-11-22 15:04Z": utc("2026-11-22T15:04:00Z"),
		"@2026-11-22T15:04:05Z":       utc("2026-11-22T15:04:05Z"),
		"@2026-11-22T15:04:05.25Z":    utc("2026-11-22T15:04:05.25Z"),
		"@2026-11-22T15:04+01:00":     utc("2026-11-22T14:04:00Z"),
		"@2026-11-22T15:04-0130":      utc("2026-11-22T16:34:00Z"),
		"@2026-11-22T15:04:05+02":     utc("2026-11-22T13:04:05Z"),
		"@2026-11-22 15:04:05.5+0100": utc("2026-11-22T14:04:05.5Z"),
	} {
		got, err := ParseBound(text, now)
		if err != nil || !same(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "start", "1.5", "@", "@-", "@--1h", "@-5", "@-1d-2h", "@-d", "@-1.5d",
		"@-100001d", "@-99999999999999999999d", "@+1h", "@tomorrow", "@24:00", "@2026-13-01",
		"@2026-11-22T15", "@2026-11-22T15:04CET", "99999999999999999999", "-99999999999999999999"} {
		if got, err := ParseBound(text, now); err == nil {
			t.Errorf("%q: %+v, want it refused", text, got)
		}
	}
}

func same(a, b Bound) bool {
	return a.kind == b.kind && a.offset == b.offset && a.ago == b.ago && a.time.Equal(b.time)
}
