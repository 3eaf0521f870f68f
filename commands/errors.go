package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/producer"
	"bizumctl/commands/arguments"
)

// commandError is the error of a command, with how it wants to be shown, and where it has worked.
type commandError struct {
	error
	speech speech
	place  place
}

func (e commandError) Unwrap() error { return e.error }

// misuseError is a mistake in the command line: exit code 2.
type misuseError struct{ error }

func (e misuseError) Unwrap() error { return e.error }

// misuse returns a misuseError, with times as people write them.
func misuse(format string, args ...any) error {
	for i, arg := range args {
		if d, ok := arg.(time.Duration); ok {
			args[i] = arguments.ShortTime(d.String())
		}
	}
	return misuseError{fmt.Errorf(format, args...)}
}

// hintNewLedger is for a ledger that no longer is of its topic.
const hintNewLedger = "keep a new ledger: take another --group"

// hint returns what to do about an error of a command that works at this place.
func hint(err error, at place) string {
	var suggestion hintedError
	var decision *ledger.StopError
	var topic *balance.TopicError
	var access *kafka.AccessError
	var denied *kafka.DeniedError
	var line *producer.LineError
	switch {
	case errors.As(err, &suggestion):
		return suggestion.hint
	case errors.As(err, &decision):
		return ledgerHint(decision, at)
	case errors.As(err, &topic):
		return topicHint(topic.Fault)
	case errors.As(err, new(*balance.NoLedgerError)):
		return "it is begun by: " + at.command("balance")
	case errors.As(err, &access):
		return accessHint(access)
	case errors.As(err, &denied):
		return deniedHint(denied)
	case errors.As(err, &line):
		return lineHint(line, at)
	case errors.As(err, new(*kafka.LostError)):
		return "send again what the topic has to have"
	case errors.Is(err, addressInUse):
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

// hintedError brings its own hint.
type hintedError struct {
	error
	hint string
}

func (e hintedError) Unwrap() error { return e.error }

// ledgerHint returns what may be done about a ledger that has stopped.
func ledgerHint(err *ledger.StopError, at place) string {
	switch err.Cause {
	case ledger.OtherInitial:
		return fmt.Sprintf("go on with --initial %v, or keep another ledger in another --group", err.Initial)
	case ledger.OtherWriter:
		return "somebody else has changed this ledger; for more: " + at.command("audit") +
			"; keep a new one in another --group"
	case ledger.Emptied:
		return "bring the ledger back, or keep a new one in another --group"
	case ledger.Gap:
		return "to go on without them: --accept-gap"
	case ledger.OtherUse:
		return "take another --group"
	}
	return hintNewLedger
}

func topicHint(fault balance.Fault) string {
	if fault == balance.OtherPolicy {
		return "a ledger's is compact, that of rejected messages is delete; or take another --group"
	}
	return hintNewLedger
}

// interrupted turns the error of a run that was ended before it began into none.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
