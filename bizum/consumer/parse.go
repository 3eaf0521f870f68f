package consumer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// errBound is the reason of a bound that nobody can read.
var errBound = errors.New("want beginning, end, an offset, -20 (before the end) or a time, such as @-1h, @-2d, " +
	"@today, @08:00, @2026-11-22 or @2026-11-22T15:04Z")

// ParseBound reads a bound as people write it. Times without a zone, and days, are those of the place of now.
func ParseBound(s string, now time.Time) (Bound, error) {
	switch at, isTime := strings.CutPrefix(s, "@"); {
	case isTime:
		return parseTime(at, now)
	case s == "beginning":
		return Beginning(), nil
	case s == "end":
		return End(), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return Bound{}, fmt.Errorf("want an offset from %d to %d", int64(math.MinInt64), int64(math.MaxInt64))
	case err != nil:
		return Bound{}, errBound
	case n == math.MinInt64:
		return BeforeEnd(math.MaxInt64), nil
	case strings.HasPrefix(s, "-"):
		return BeforeEnd(-n), nil
	}
	return Offset(n), nil
}

// parseTime reads what comes after the @.
func parseTime(s string, now time.Time) (Bound, error) {
	if text, ok := strings.CutPrefix(s, "-"); ok {
		ago, err := parseAgo(text)
		return Ago(ago), err
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 {
		return At(time.UnixMilli(ms)), nil
	}
	year, month, day := now.Date()
	switch s {
	case "today":
		return At(time.Date(year, month, day, 0, 0, 0, 0, now.Location())), nil
	case "yesterday":
		return At(time.Date(year, month, day-1, 0, 0, 0, 0, now.Location())), nil
	}
	for _, clock := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(clock, s); err == nil {
			return At(time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())), nil
		}
	}
	for _, layout := range layouts() {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return At(t), nil
		}
	}
	return Bound{}, errBound
}

// layouts are those of a moment: the day, and perhaps the time of day, with or without seconds and a zone.
func layouts() (all []string) {
	for _, between := range []string{"T", " "} {
		for _, clock := range []string{"15:04", time.TimeOnly} { // a fraction of a second is read too
			for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} {
				all = append(all, time.DateOnly+between+clock+zone)
			}
		}
	}
	return append(all, time.DateOnly)
}

// parseAgo reads a duration that may begin with days, of 24 hours each.
func parseAgo(s string) (time.Duration, error) {
	const daysMax = 100_000 // more do not fit a duration
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 64)
	if err != nil || n > daysMax {
		return 0, errBound
	}
	ago := time.Duration(n) * 24 * time.Hour
	if hasDays && rest == "" {
		return ago, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || ago+more < 0 {
		return 0, errBound
	}
	return ago + more, nil
}
