package commands

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/event"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
)

// place is where a command works. A hint repeats it, so that the command which it shows helps as it stands.
type place struct{ brokers, topic, group string }

func placeOf(c *cli.Context) place {
	return place{brokers: c.String("brokers"), topic: c.String("topic"), group: c.String("group")}
}

func (s *clusterOptions) place() place { return place{brokers: s.brokers, topic: s.topic} }

// command returns another command at the same place, ready to be pasted. More comes first of its flags.
func (p place) command(name string, more ...string) string {
	line := append([]string{"bizumctl", name}, more...)
	if p.group != "" && (name == "balance" || name == "audit") {
		line = append(line, "--group", quoted(p.group))
	}
	if standard := defaultCluster(); name != "broker" {
		if p.topic != "" && p.topic != standard.topic {
			line = append(line, "--topic", quoted(p.topic))
		}
		if p.brokers != "" && p.brokers != standard.brokers {
			line = append(line, "--brokers", quoted(p.brokers))
		}
	}
	return strings.Join(line, " ")
}

var plainWord = regexp.MustCompile(`^[\w./:,@%+=-]+$`)

// quoted returns a word as a shell wants it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// report returns what shows the events of the rooms below, and what to do about one.
func (s *clusterOptions) report(screen *console.Console) func(event.Event) {
	return func(e event.Event) {
		screen.Report(e)
		if _, missing := e.(event.WaitingForTopic); missing {
			screen.Noticef("hint: %s", madeBy(s.place()))
		}
	}
}

func madeBy(at place) string { return "it is made by: " + at.command("produce") }

// unreachableHint offers a broker where one can be started: on this machine, at a port that nothing listens on.
func unreachableHint(err error, at place) string {
	host, _, split := net.SplitHostPort(at.brokers)
	if split != nil {
		host = at.brokers
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case !loopback || !errors.Is(err, connectionRefused):
		return "is it up, and the address right? --brokers (-b) HOST:PORT,..."
	case at.brokers == defaultListen || at.brokers == host:
		return "start one with: bizumctl broker"
	}
	return "start one with: bizumctl broker --listen " + quoted(at.brokers)
}

// lineHint says how to go on after the lines that were sent.
func lineHint(err *producer.LineError, at place) string {
	skip := "leave such lines out: --bad skip"
	if err.Source == standardInput {
		return fmt.Sprintf("mend it, and go on from line %d; or %s", err.Line, skip)
	}
	return fmt.Sprintf("mend it, and go on from it: tail -n +%d %s | %s; or %s", err.Line, quoted(err.Source),
		at.command("produce", "--input", "-"), skip)
}
