// Package hints is what to do about an error: a line that goes with it, with the flag to add or the command to type.
// It knows the errors of every room below, and nothing of how they came about.
package hints

import (
	"errors"
	"fmt"
	"syscall"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/producer"
	"bizumctl/commands/misuse"
)

// newLedger is for a ledger that no longer is of its topic.
const newLedger = "keep a new ledger: take another --group"

// Of returns what to do about an error of a command that works at this place, "" if nothing is known.
func Of(err error, at Place) string {
	var suggestion misuse.HintedError
	var decision *ledger.StopError
	var topic *balance.TopicError
	var access *kafka.AccessError
	var denied *kafka.DeniedError
	var line *producer.LineError
	switch {
	case errors.As(err, &suggestion):
		return suggestion.Hint
	case errors.As(err, &decision):
		return ledgerHint(decision, at)
	case errors.As(err, &topic):
		return topicHint(topic.Fault)
	case errors.As(err, new(*balance.NoLedgerError)):
		return "it is begun by: " + at.Command("balance")
	case errors.As(err, &access):
		return accessHint(access)
	case errors.As(err, &denied):
		return deniedHint(denied)
	case errors.As(err, &line):
		return lineHint(line, at)
	case errors.As(err, new(*kafka.LostError)):
		return "send again what the topic has to have"
	case errors.Is(err, syscall.EADDRINUSE):
		return "a broker may run there already; another one takes another port: --listen localhost:9093"
	case errors.Is(err, kafka.ErrUnreachable):
		return unreachableHint(err, at)
	case errors.Is(err, kafka.ErrNewTopic):
		return "start again, to read the new one from its beginning"
	case errors.Is(err, archive.ErrTaken):
		return "share the partitions with --partition, or in a --group"
	case errors.Is(err, archive.ErrLockLost):
		return "start again: it goes on where the folder ends"
	case errors.As(err, new(*archive.NotRegularError)):
		return "move it away, or choose another folder"
	case errors.As(err, new(*archive.WrongFolderError)):
		return "choose another folder"
	case errors.Is(err, kafka.ErrNoTopic):
		return madeBy(at)
	}
	return ""
}

// ledgerHint returns what may be done about a ledger that has stopped.
func ledgerHint(err *ledger.StopError, at Place) string {
	switch err.Cause {
	case ledger.OtherInitial:
		return fmt.Sprintf("go on with --initial %v, or keep another ledger in another --group", err.Initial)
	case ledger.OtherWriter:
		return "somebody else has changed this ledger; for more: " + at.Command("audit") +
			"; keep a new one in another --group"
	case ledger.Emptied:
		return "bring the ledger back, or keep a new one in another --group"
	case ledger.Gap:
		return "to go on without them: --accept-gap"
	case ledger.OtherUse:
		return "take another --group"
	}
	return newLedger
}

func topicHint(fault balance.Fault) string {
	if fault == balance.OtherPolicy {
		return "a ledger's is compact, that of rejected messages is delete; or take another --group"
	}
	return newLedger
}

// NewLedger returns an error with its hint, if it is of a topic that was recreated while its ledger was read, or that
// lost what was in it.
func NewLedger(err error) error {
	if errors.Is(err, kafka.ErrNewTopic) || errors.As(err, new(*kafka.LostError)) {
		return misuse.WithHint(err, newLedger)
	}
	return err
}
