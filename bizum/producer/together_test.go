package producer

import (
	"errors"
	"slices"
	"testing"
)

func TestSharesOfProducers(t *testing.T) {
	for _, c := range []struct {
		messages  int64
		producers int
		want      []int64
	}{{0, 2, []int64{0, 0}}, {7, 3, []int64{3, 2, 2}}, {2, 3, []int64{1, 1}}} {
		if got := Shares(c.messages, c.producers); !slices.Equal(got, c.want) {
			t.Errorf("%d, %d: %v, want %v", c.messages, c.producers, got, c.want)
		}
	}
}

// The first error stops the others, and is returned.
func TestTogether(t *testing.T) {
	stopped, failure := make(chan struct{}), errors.New("failed")
	failed := Together([]func() error{func() error { return failure }, func() error { <-stopped; return nil }},
		func() { close(stopped) })
	if err := failed(); err != failure {
		t.Error(err)
	}
}
