package producer

import (
	"math"
	"strconv"
	"testing"

	"bizumctl/bizum/check"
)

func TestNameHeaders(t *testing.T) {
	h := newNameHeaders("0a1b2c3d")
	for _, n := range []int64{0, 1, 2, 2, 9, 10, 11, 8, 9, 10, 99, 100, 101, 123_456_789, math.MaxInt64, 7, 8} {
		headers := h.of(n)
		if got := string(headers.Get(check.HeaderRun)); got != "0a1b2c3d" {
			t.Errorf("run %q", got)
		}
		if got := string(headers.Get(check.HeaderN)); got != strconv.FormatInt(n, 10) {
			t.Errorf("number %q, want %d", got, n)
		}
	}
}
