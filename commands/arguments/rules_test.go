package arguments_test

import (
	"fmt"
	"strings"
	"testing"

	"bizumctl/commands/arguments"
)

// A variable gives way to what was typed, and is left out where it does not apply.
func TestSettings(t *testing.T) {
	flags := []arguments.Flag{{Names: []string{"count", "n"}}, {Names: []string{"raw"}, Switch: true},
		{Names: []string{"json"}, Switch: true}, {Names: []string{"dir"}}, {Names: []string{"size"}}}
	rules := arguments.Rules{Exclusive: [][2]string{{"raw", "json"}}, Needs: map[string]string{"size": "dir"},
		Idle: map[string][]string{"dir": {"count"}}}
	for _, c := range []struct{ typed, variables, want string }{
		{"", "", ""}, {"", "count=1 other=2", "count=1"}, {"count n", "count=1", ""}, {"", "count=", "count="},
		{"raw", "json=true", ""}, {"json", "raw=true", ""}, {"", "raw=true json=true", "raw=true json=true"},
		{"", "size=1", ""}, {"dir", "size=1", "size=1"}, {"", "size=1 dir=d", "dir=d size=1"},
		{"dir", "count=1", ""}, {"", "count=1 dir=d", "dir=d"},
		{"count", "dir=d size=1", ""}, // which was typed, so that there is no folder either
	} {
		variables := make(map[string]string)
		for v := range strings.FieldsSeq(c.variables) {
			name, value, _ := strings.Cut(v, "=")
			variables[name] = value
		}
		var got []string
		for _, v := range rules.Settings(flags, strings.Fields(c.typed),
			func(flag string) (string, bool) { value, set := variables[flag]; return value, set }) {
			got = append(got, fmt.Sprintf("%s=%s", v.Name, v.Value))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, with %q: %q, want %q", c.typed, c.variables, got, c.want)
		}
	}
}
