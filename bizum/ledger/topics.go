package ledger

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"bizumctl/bizum/record"
)

// Topics are the names of a ledger's topics. All have as many partitions as the source.
type Topics struct {
	Source   string
	Entries  string // the heading and the entries of each partition
	Rejected string // messages that are no payment of their partition
}

// ErrGroupName means that a group's name cannot be part of the names of topics.
var ErrGroupName = errors.New("want letters, digits, _ and -")

var groupName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// TopicsOf returns the topics of the ledger that a group has of a source topic. The error is ErrGroupName, or that of
// record.CheckTopic for the name that a topic would have.
func TopicsOf(source, group string) (Topics, error) {
	if !groupName.MatchString(group) {
		return Topics{}, ErrGroupName
	}
	name := source + "." + group
	t := Topics{Source: source, Entries: name + ".ledger", Rejected: name + ".rejected"}
	for _, name := range []string{t.Entries, t.Rejected} {
		if err := record.CheckTopic(name); err != nil {
			return Topics{}, fmt.Errorf("its ledger's topic would be %q: %w", name, err)
		}
	}
	return t, nil
}

// compactionLag is how long after a record's timestamp compaction keeps an entry, even if there is a later one of its
// account.
const compactionLag = time.Hour

// TopicSpec is how a topic of a ledger is created.
type TopicSpec struct {
	Name      string
	Compacted bool              // its cleanup.policy is compact, and only that; else it is delete
	Settings  map[string]string // by Kafka's names (TopicConfig)
}

// Specs returns the topics that a ledger creates, in the order in which it does so.
func (t Topics) Specs() []TopicSpec {
	return []TopicSpec{
		{t.Entries, true, map[string]string{"cleanup.policy": "compact",
			"min.compaction.lag.ms": strconv.FormatInt(compactionLag.Milliseconds(), 10), "segment.ms": "600000"}},
		{t.Rejected, false, map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}},
	}
}

// Accepts reports whether a topic that exists, with compact or delete in its cleanup.policy, may be this one.
func (s TopicSpec) Accepts(compacted, deleted bool) bool {
	return compacted == s.Compacted && !(compacted && deleted)
}

// Counts reports whether a position of the group, with its metadata, counts what a record of the ledger's topics stands
// for: the ledger that committed it had booked or rejected that message.
func (t Topics) Counts(position int64, metadata, topic string, r *record.Record) bool {
	booked, ours := parseMetadata(metadata)
	if !ours || topic == t.Rejected {
		offset, err := rejectedOffset(r)
		return ours && err == nil && offset < position
	}
	entry, err := parsePosted(r.Value)
	return err == nil && entry.offset <= booked
}
