package misuse_test

import (
	"errors"
	"testing"
	"time"

	"bizumctl/commands/misuse"
)

// A misuse stays one with a hint around it, keeps what it wraps, and has times as people write them.
func TestMisuse(t *testing.T) {
	inner := errors.New("why")
	err := misuse.WithHint(misuse.Errorf("--age %v: %w", time.Minute, inner), "do that")
	if err.Error() != "--age 1m: why" || !errors.Is(err, inner) || !errors.As(err, new(misuse.Error)) {
		t.Errorf("%v", err)
	}
	var hinted misuse.HintedError
	if !errors.As(err, &hinted) || hinted.Hint != "do that" {
		t.Errorf("%+v", hinted)
	}
	if errors.As(misuse.WithHint(inner, "x"), new(misuse.Error)) {
		t.Error("a hint makes no misuse")
	}
}
