package archive

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bizumctl/bizum/format"
	"bizumctl/bizum/record"
)

// The names in a folder. Spark, Hadoop and pyarrow do not see what begins with a dot or an underscore; DuckDB's
// *.parquet does see the first, so nothing of ours but published files ends in the extension of a format.
const (
	rejectedFolder = "_rejected"
	stateFile      = "_bizumctl.json"
	stateDraft     = "._bizumctl.json.tmp"
	stateLock      = "._bizumctl.json.lock"
)

// topicMax is how long the name of a topic may be: file systems take names of 255 bytes, and that of a file has up to
// 61 more, with a partition's number of ten digits.
const topicMax = 255 - 61

// CheckTopic returns an error for a topic that files cannot be named after.
func CheckTopic(topic string) error {
	if err := record.CheckTopic(topic); err != nil {
		return err
	}
	switch {
	case topic[0] == '_' || topic[0] == '.':
		return fmt.Errorf("files are named after it, and readers skip those that begin with %c", topic[0])
	case len(topic) > topicMax:
		return fmt.Errorf("files are named after it, so it may have %d characters, not %d", topicMax, len(topic))
	}
	return nil
}

// span is the range of offsets of one partition that a file covers, last included, whether or not the log has a record
// at each of them.
type span struct {
	topic       string
	partition   int32
	first, last int64
}

func (s span) String() string {
	return fmt.Sprintf("%s-%d-%020d-%020d", s.topic, s.partition, s.first, s.last)
}

// draft returns the name of the file while it is written, when its last offset is not known yet.
func (s span) draft() string {
	return fmt.Sprintf(".%s-%d-%020d.tmp", s.topic, s.partition, s.first)
}

// spanOf parses the name of a file, from the end: the name of a topic may have dashes and dots.
func spanOf(name string) (s span, extension string, ok bool) {
	stem, extension, _ := cutLast(name, ".")
	if stem, s.last, ok = cutNumber(stem, 20); !ok {
		return s, "", false
	}
	s, ok = startOf(stem, s)
	return s, extension, ok && s.last >= s.first && (extension != "" || !strings.HasSuffix(name, "."))
}

// draftOf parses the name of a draft.
func draftOf(name string) (s span, ok bool) {
	stem, isDraft := strings.CutSuffix(name, ".tmp")
	stem, isHidden := strings.CutPrefix(stem, ".")
	s, ok = startOf(stem, s)
	return s, ok && isDraft && isHidden
}

// lockOf returns the name of the file that is locked while a partition is written. It is never removed.
func lockOf(topic string, partition int32) string {
	return fmt.Sprintf(".%s-%d.lock", topic, partition)
}

func isLock(name string) bool {
	stem, ok := strings.CutSuffix(name, ".lock")
	_, _, isNumber := cutNumber(stem, 0)
	return ok && isNumber && strings.HasPrefix(name, ".")
}

// startOf parses TOPIC-PARTITION-FIRST.
func startOf(stem string, s span) (span, bool) {
	stem, first, okFirst := cutNumber(stem, 20)
	stem, partition, okPartition := cutNumber(stem, 0)
	s.topic, s.partition, s.first = stem, int32(partition), first
	return s, okFirst && okPartition && partition <= 1<<31-1 && stem != ""
}

// cutNumber cuts a number of so many digits, 0 for any without leading zeros, and the dash before it off the end of s.
func cutNumber(s string, digits int) (before string, n int64, ok bool) {
	before, text, ok := cutLast(s, "-")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < 0 || text != fmt.Sprintf("%0*d", digits, n) {
		return "", 0, false
	}
	return before, n, true
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// isExtension reports whether this is the extension of a format.
func isExtension(extension string) bool {
	return slices.ContainsFunc(format.Names[:], func(name string) bool { return format.Extension(name) == extension })
}
