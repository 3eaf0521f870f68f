package balance

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
