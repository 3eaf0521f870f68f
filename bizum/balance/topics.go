package balance

import (
	"errors"
	"regexp"
	"time"
)

// compactionLag is how long after a message's timestamp the ledger keeps its entry even if there is a later one.
const compactionLag = time.Hour

// ErrGroupName means that a group's name cannot be part of a topic's.
var ErrGroupName = errors.New("want letters, digits, _ and -")

var groupName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// CheckGroup returns ErrGroupName for a name that a group with a ledger cannot have.
func CheckGroup(name string) error {
	if !groupName.MatchString(name) {
		return ErrGroupName
	}
	return nil
}

// topics are the names of the topics of a group's ledger.
type topics struct{ ledger, rejected string }

func topicsOf(source, group string) topics {
	name := source + "." + group
	return topics{ledger: name + ".ledger", rejected: name + ".rejected"}
}

// TopicError means that a topic of the ledger is not, or no longer, one that the group can use.
type TopicError struct {
	Fault Fault
	text  string
}

func (e *TopicError) Error() string { return e.text }

// Fault is what is wrong with a topic.
type Fault int

const (
	OtherPartitions Fault = iota // than the source has
	OtherPolicy                  // of clean-up than the ledger needs
	Recreated                    // while the group was at work
)
