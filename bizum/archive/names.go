package archive

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bizumctl/bizum/format"
)

// The names in a folder. Spark, Hadoop and pyarrow do not see what begins with a dot or an underscore; DuckDB's
// *.parquet does see the first, so nothing of ours but whole files ends in the extension of a format.
const (
	rejectedFolder = "_rejected"
	stateFile      = "_bizumctl.json"
	stateDraft     = "._bizumctl.json.tmp"
	stateLock      = "._bizumctl.json.lock"
)

// span is the offsets of one partition that a file stands for, the last one included: what was read, whether or not
// the log had a message at each of them.
type span struct {
	topic       string
	partition   int32
	first, last int64
}

func (s span) String() string {
	return fmt.Sprintf("%s-%d-%020d-%020d", s.topic, s.partition, s.first, s.last)
}

// draft is what the span's file is called as long as it is not whole. Its end is not known yet.
func (s span) draft() string {
	return fmt.Sprintf(".%s-%d-%020d.tmp", s.topic, s.partition, s.first)
}

// spanOf reads a file's name, from the end: a topic's name may hold dashes and dots.
func spanOf(name string) (s span, extension string, ok bool) {
	stem, extension, _ := cutLast(name, ".")
	if stem, s.last, ok = cutNumber(stem, 20); !ok {
		return s, "", false
	}
	s, ok = startOf(stem, s)
	return s, extension, ok && s.last >= s.first
}

// draftOf reads a draft's name.
func draftOf(name string) (s span, ok bool) {
	stem, isDraft := strings.CutSuffix(name, ".tmp")
	stem, isHidden := strings.CutPrefix(stem, ".")
	s, ok = startOf(stem, s)
	return s, ok && isDraft && isHidden
}

// lockOf is the file that is locked as long as a partition is being written. It stays.
func lockOf(topic string, partition int32) string {
	return fmt.Sprintf(".%s-%d.lock", topic, partition)
}

func isLock(name string) bool {
	stem, ok := strings.CutSuffix(name, ".lock")
	_, _, isNumber := cutNumber(stem, 0)
	return ok && isNumber && strings.HasPrefix(name, ".")
}

// startOf reads TOPIC-PARTITION-FIRST.
func startOf(stem string, s span) (span, bool) {
	stem, first, okFirst := cutNumber(stem, 20)
	stem, partition, okPartition := cutNumber(stem, 0)
	s.topic, s.partition, s.first = stem, int32(partition), first
	return s, okFirst && okPartition && partition <= 1<<31-1 && stem != ""
}

// cutNumber takes a number of so many digits, 0 for as many as it needs, and the dash before it off the end.
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

// isExtension says whether a file with this extension may be one of ours.
func isExtension(extension string) bool {
	return slices.ContainsFunc(format.Names[:], func(name string) bool { return format.Extension(name) == extension })
}
