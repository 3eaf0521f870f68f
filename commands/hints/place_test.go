package hints_test

import (
	"testing"

	"bizumctl/commands/hints"
	"bizumctl/commands/settings"
)

// The command of a hint repeats where the one that failed has worked, as a shell wants it.
func TestPlace(t *testing.T) {
	for _, c := range []struct {
		at   hints.Place
		name string
		want string
	}{
		{hints.Place{}, "produce", "bizumctl produce"},
		{hints.Place{Brokers: settings.DefaultBrokers, Topic: "bizums"}, "produce", "bizumctl produce"},
		{hints.Place{Brokers: "kafka:9092", Topic: "otros", Group: "caja"}, "produce",
			"bizumctl produce --topic otros --brokers kafka:9092"},
		{hints.Place{Brokers: "a:1,b:2", Topic: "o'brien; ñ", Group: "caja"}, "audit",
			`bizumctl audit --group caja --topic 'o'\''brien; ñ' --brokers a:1,b:2`},
	} {
		if got := c.at.Command(c.name); got != c.want {
			t.Errorf("%+v: %s, want %s", c.at, got, c.want)
		}
	}
}
