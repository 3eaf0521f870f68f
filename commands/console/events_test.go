package console_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// speak returns what a console that is no terminal shows on standard error.
func speak(quiet bool, say func(*console.Console)) string {
	var stderr bytes.Buffer
	say(console.New(console.Options{Stdout: new(bytes.Buffer), Stderr: &stderr, Now: time.Now,
		Getenv: func(string) string { return "" }, Color: console.Never, Quiet: quiet}))
	return stderr.String()
}

// Every event has words, and quiet leaves them out.
func TestReport(t *testing.T) {
	reason := errors.New("why")
	at := record.Position{Topic: "t", Partition: 1, Offset: 2}
	cases := []struct {
		event event.Event
		want  string
	}{
		{event.WaitingForTopic{Topic: "t", Brokers: "b:1"}, `waiting for topic "t" to be made at b:1`},
		{event.WaitingForRecords{Topic: "t", Brokers: "b:1"}, `waiting for bizums in topic "t" at b:1`},
		{event.WaitingForPartition{Group: "g", Topic: "t"},
			`the other members of group "g" have all partitions of "t"; waiting for one`},
		{event.WaitingForGroup{Group: "g", Topic: "t", Brokers: "b:1"},
			`waiting for group "g" at b:1 to take us in: it waits for its members, also for one that died`},
		{event.WaitingForLedger{Group: "g", Topic: "t"},
			`still reading the ledger of group "g": its balances come before new bizums of topic "t"`},
		{event.Resumed{By: `group "g"`, Position: record.Position{Topic: "t", Partition: 1, Offset: 2}},
			`group "g" goes on where it was, at t/1@2, not where it was asked to begin`},
		{event.PartitionAdded{Topic: "t", Partition: 3}, `topic "t" has a new partition, 3`},
		{event.Skipped{Reason: reason, Next: 7}, `why; going on from offset 7`},
		{event.Rejected{Position: record.Position{Topic: "t", Partition: 1, Offset: 2}, Reason: reason},
			`rejected t/1@2: why, in ""`},
		{event.Rejected{Position: record.Position{Topic: "t", Partition: 1, Offset: 2}, Reason: reason,
			Value: []byte("Ñ;\x1b[2J\u202e\xff\n" + strings.Repeat("é", 70))},
			`rejected t/1@2: why, in "Ñ;\x1b[2J\u202e\xff\n` + strings.Repeat("é", 51) + `"…`},
		{event.RejectedLine{Reason: errors.New("line 3 of f: why"), Value: []byte("x")},
			`rejected line 3 of f: why, in "x"`},
		{event.TopicCreated{Topic: "t"}, `made topic "t"`},
		{event.WaitingForHeading{Topic: "t", Partition: 1, Of: 0},
			`t/1: waiting for the member that has partition 0, which begins the ledger`},
		{event.LedgerBegun{Position: at}, `t/1: the topic starts at offset 2, and so does the ledger`},
		{event.LedgerResumed{Position: at, Accounts: 1, Sole: bizum.Account{Name: "cuenta", Balance: 1234_56}},
			`t/1: going on at offset 2: account cuenta has 1,234.56 €`},
		{event.LedgerResumed{Position: at, Accounts: 1000}, `t/1: going on at offset 2: 1,000 accounts`},
		{event.GapAccepted{Position: at, From: 0},
			`t/1: the topic starts at offset 2: 2 offsets from 0 on are gone, and accepted`},
		{event.PositionReplaced{Position: at, Found: -1},
			`t/1: the group's position is gone; going on after the last entry, at offset 2`},
		{event.PositionReplaced{Position: at, Found: 7},
			`t/1: the group's position was set to 7 by something else; going on after the last entry, at offset 2`},
		{event.PositionReplaced{Position: record.Position{Topic: "t", Partition: 1}, Found: 7},
			`t/1: the group's position was set to 7 by something else; nothing is booked yet`},
		{event.ForeignFiles{Dir: "d", Names: []string{"a", "b"}}, `folder d: left alone what is not ours: ["a" "b"]`},
		{event.ForeignFiles{Dir: "d", Names: []string{"a", "b", "c", "d", "e", "f", "g"}},
			`folder d: left alone what is not ours: ["a" "b" "c" "d" "e" "and 2 more"]`},
		{event.WaitingForWriter{Dir: "d", Partition: 2}, `waiting for the process that writes partition 2 of folder d`},
		{event.FilesBegun{Dir: "d", Format: "csv", Records: 1_000_000, Bytes: 128e6, Age: time.Minute},
			`writing files of csv into folder d: each appears after 1m, at 1,000,000 messages or at 128.0 MB`},
		{event.FileClosed{Name: "f", Rows: 1, Bytes: 1234}, `closed f: 1 bizum, 1.2 kB`},
		{event.FileClosed{Name: "f", Rows: 2, Rejected: 3, Bytes: 12_345_678}, `closed f: 2 bizums, 3 rejected, 12.3 MB`},
		{event.Filing{Rows: 5, Elapsed: time.Second}, ``}, // on a terminal only
		{event.TopicRecreated{Topic: "t"},
			`topic "t" was gone, as after a restart of a broker without a folder: made it again`},
		{event.Behind{PerSecond: 0.5, By: 1234567 * time.Microsecond},
			`cannot keep 0.5/s: 1.23s behind, and catching up as fast as the broker takes it`},
		{event.HoldingBack{Messages: 2, Left: 3 * time.Second}, `2 bizums are to be late: waiting 3s to send the last`},
		{event.Sending{Acknowledged: 10, InFlight: 2, PerSecond: 4, BytesPerSecond: 2.5e6, P99: time.Millisecond},
			`10 sent, 4.000/s, 2.5 MB/s, 2 in flight, p99 1ms`},
	}
	seen := make(map[string]bool)
	for _, c := range cases {
		seen[reflect.TypeOf(c.event).Name()] = true
		want := ""
		if c.want != "" {
			want = "bizumctl: " + c.want + "\n"
		}
		if got := speak(false, func(x *console.Console) { x.Report(c.event) }); got != want {
			t.Errorf("%#v: %q, want %q", c.event, got, want)
		}
		switch c.event.(type) {
		case event.Sending: // asked for only when it is due
			continue
		}
		if got := speak(true, func(x *console.Console) { x.Report(c.event) }); got != "" {
			t.Errorf("%#v, quiet: %q", c.event, got)
		}
	}
	got := speak(false, func(x *console.Console) {
		x.Report(event.RejectedLine{Reason: errors.New("no"), Value: []byte("x")})
		x.Report(event.Sending{Acknowledged: 10, Of: 20, PerSecond: 5, P99: time.Millisecond})
	})
	if want := "bizumctl: 50 %, 10 sent, 2s left, 1 rejected, 5.000/s, 0 B/s, 0 in flight, p99 1ms\n"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q at its end", got, want)
	}
	source, err := os.ReadFile("../../bizum/event/event.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range regexp.MustCompile(`(?m)^func \((\w+)\) event\(\)`).FindAllSubmatch(source, -1) {
		if !seen[string(method[1])] {
			t.Errorf("no case for event.%s", method[1])
		}
	}
}
