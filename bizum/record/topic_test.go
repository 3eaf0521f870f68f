package record_test

import (
	"strings"
	"testing"

	"bizumctl/bizum/record"
)

// The names are those of Kafka's own TopicTest.
func TestCheckTopic(t *testing.T) {
	longest := strings.Repeat("a", 249)
	for _, name := range []string{"valid", "TOPIC", "nAmEs", "ar6", "VaL1d", "_0-9_.", "...", "_hid", ".x", "-", longest} {
		if err := record.CheckTopic(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "foo bar", "a/b", "x/../../evil", "a\\b", "a,b", "a\u0000b", "a:b", "a\"b",
		"a'b", "a;b", "a*b", "a?b", "ñ", "a\nb", "a\tb", "\xff", longest + "a"} {
		if err := record.CheckTopic(name); err == nil {
			t.Errorf("%q is a topic's name", name)
		}
	}
}
