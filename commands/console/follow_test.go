package console

import (
	"bytes"
	"testing"
	"time"

	"bizumctl/bizum/event"
)

// Work that has an end shows, in a pipe every five seconds, what share is done, the rate, what is left and what was
// rejected; work without an end, and work that is done, nothing.
func TestFollower(t *testing.T) {
	now := time.UnixMilli(0)
	var out, notices bytes.Buffer
	c := New(Options{Stdout: &out, Stderr: &notices, Now: func() time.Time { return now },
		Getenv: func(string) string { return "" }})
	done, of := int64(0), int64(0)
	f := follower{console: c, measure: func() (int64, int64) { return done, of }, began: now}
	for _, step := range []struct {
		seconds  int64
		done, of int64
		want     string
	}{
		{6, 0, 0, ""},
		{6, 0, 2000, "bizumctl: 0 %, 0 of 2,000\n"},
		{1, 500, 2000, ""}, // too soon
		{5, 500, 2000, "bizumctl: 25 %, 500 of 2,000\n"},
		{5, 1000, 2000, "bizumctl: 50 %, 1,000 of 2,000, 100.0/s, 10s left\n"},
		{5, 1999, 2000, "bizumctl: 99 %, 1,999 of 2,000, 149.9/s, 1s left\n"},
		{5, 2000, 2000, ""},
	} {
		notices.Reset()
		now, done, of = now.Add(time.Duration(step.seconds)*time.Second), step.done, step.of
		f.show()
		if got := notices.String(); got != step.want {
			t.Errorf("after %d s, %d of %d: %q, want %q", step.seconds, step.done, step.of, got, step.want)
		}
	}
	c.Report(event.Rejected{Reason: bytes.ErrTooLarge, Value: []byte("x")})
	notices.Reset()
	now, done = now.Add(5*time.Second), 1500
	f.show()
	if want := "bizumctl: 75 %, 1,500 of 2,000, 50.000/s, 10s left, 1 rejected\n"; notices.String() != want {
		t.Errorf("%q, want %q", notices.String(), want)
	}
	c.Follow(f.measure)() // ends, and leaves nothing behind
	if c.Follows() {
		t.Error("it still follows")
	}
}

func TestShareAndLeft(t *testing.T) {
	for _, c := range []struct {
		done, of  int64
		perSecond float64
		want      string
	}{
		{5, 0, 10, ""}, {1, 2, 0, "50 %, "}, {1, 3, 1, "33 %, , 2s left"}, {0, 1 << 62, 1e-9, "0 %, "},
		{2, 2, 5, "100 %, "},
	} {
		if got := share(c.done, c.of) + left(c.of-c.done, c.perSecond); got != c.want {
			t.Errorf("%d of %d, %v/s: %q, want %q", c.done, c.of, c.perSecond, got, c.want)
		}
	}
}
