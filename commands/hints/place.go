package hints

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"bizumctl/bizum/event"
	"bizumctl/bizum/producer"
	"bizumctl/commands/arguments"
	"bizumctl/commands/console"
	"bizumctl/commands/settings"
)

// Place is where a command works. A hint repeats it, so that the command which it shows helps as it stands.
type Place struct{ Brokers, Topic, Group string }

// Command returns another command at the same place, ready to be pasted. More comes first of its flags.
func (p Place) Command(name string, more ...string) string {
	line := append([]string{"bizumctl", name}, more...)
	if p.Group != "" && (name == "balance" || name == "audit") {
		line = append(line, "--group", arguments.Quoted(p.Group))
	}
	if standard := settings.DefaultCluster(); name != "broker" {
		if p.Topic != "" && p.Topic != standard.Topic {
			line = append(line, "--topic", arguments.Quoted(p.Topic))
		}
		if p.Brokers != "" && p.Brokers != standard.Brokers {
			line = append(line, "--brokers", arguments.Quoted(p.Brokers))
		}
	}
	return strings.Join(line, " ")
}

// Report returns what shows the events of the rooms below, and what to do about one, of a command at this place.
func Report(screen *console.Console, at Place) func(event.Event) {
	return func(e event.Event) {
		screen.Report(e)
		if _, missing := e.(event.WaitingForTopic); missing {
			screen.Noticef("hint: %s", madeBy(at))
		}
	}
}

func madeBy(at Place) string { return "it is made by: " + at.Command("produce") }

// unreachableHint offers a broker where one can be started: on this machine, at a port that nothing listens on.
func unreachableHint(err error, at Place) string {
	host, _, split := net.SplitHostPort(at.Brokers)
	if split != nil {
		host = at.Brokers
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case !loopback || !errors.Is(err, syscall.ECONNREFUSED):
		return "is it up, and the address right? --brokers (-b) HOST:PORT,..."
	case at.Brokers == settings.DefaultBrokers || at.Brokers == host:
		return "start one with: bizumctl broker"
	}
	return "start one with: bizumctl broker --listen " + arguments.Quoted(at.Brokers)
}

// lineHint says how to go on after the lines that were sent.
func lineHint(err *producer.LineError, at Place) string {
	skip := "leave such lines out: --bad skip"
	if err.Source == producer.StandardInput {
		return fmt.Sprintf("mend it, and go on from line %d; or %s", err.Line, skip)
	}
	return fmt.Sprintf("mend it, and go on from it: tail -n +%d %s | %s; or %s", err.Line, arguments.Quoted(err.Source),
		at.Command("produce", "--input", "-"), skip)
}
