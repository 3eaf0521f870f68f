package record

import (
	"errors"
	"fmt"
	"strings"
)

// topicNameMax is how long the name of a topic may be: its folder in a broker has a partition's number besides.
const topicNameMax = 249

// CheckTopic returns an error for a name that Kafka gives no topic (its class Topic).
func CheckTopic(name string) error {
	isForeign := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}
	switch {
	case name == "":
		return errors.New("a topic has a name")
	case name == "." || name == "..":
		return errors.New("no topic has this name")
	case strings.ContainsFunc(name, isForeign):
		return errors.New("a topic's name has letters from a to z, digits, ., _ and - only")
	case len(name) > topicNameMax:
		return fmt.Errorf("a topic's name has at most %d characters, not %d", topicNameMax, len(name))
	}
	return nil
}
