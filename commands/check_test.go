package commands_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/commands"
)

// sending is a run that a test sends, and its receipt.
type sending struct {
	*theme
	topic   string
	path    string
	receipt *check.Receipt
}

const sendingPartitions = 3

// sendRun sends a run into a topic. Break returns what a pipeline makes of a record: nothing, one, or several.
func (x *theme) sendRun(topic, run string, seed uint64, sent int64,
	breaks func(n int64, r *kgo.Record) []*kgo.Record) *sending {
	x.t.Helper()
	names, concepts := [][]byte{[]byte("Ana"), []byte("Íñigo"), []byte("Zoe")}, [][]byte{[]byte("Cena"), []byte("a;b")}
	began := time.Now()
	path := filepath.Join(x.t.TempDir(), run+".json")
	s := &sending{theme: x, topic: topic, path: path, receipt: &check.Receipt{Run: run, Tool: "a test",
		Started: began, Ended: began.Add(time.Second), Topic: topic, Sent: sent, Opening: 2000_00,
		Stream: check.NewStream(check.Stream{Seed: seed, Accounts: 5,
			Schedule: check.Schedule{Mode: check.Steady, PerSecond: 1e6, Began: began}}, names, concepts)}}
	_, err := x.admin.CreateTopic(context.Background(), sendingPartitions, 1, nil, topic)
	if err != nil && !strings.Contains(err.Error(), "EXISTS") {
		x.t.Fatal(err)
	}
	generator := s.receipt.Stream.Generator()
	var records []*kgo.Record
	for n := range sent {
		key, p := generator.Next()
		r := &kgo.Record{Topic: topic, Key: bytes.Clone(key), Value: p.Append(nil), Headers: []kgo.RecordHeader{
			{Key: check.HeaderRun, Value: []byte(run)}, {Key: check.HeaderN, Value: strconv.AppendInt(nil, n, 10)}}}
		if breaks == nil {
			records = append(records, r)
		} else {
			records = append(records, breaks(n, r)...)
		}
	}
	if err := x.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		x.t.Fatal(err)
	}
	s.write()
	return s
}

func (s *sending) write() {
	s.t.Helper()
	if err := s.receipt.Summarize(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	if err := check.WriteReceipt(s.path, s.receipt); err != nil {
		s.t.Fatal(err)
	}
}

// checked runs check and returns what it shows.
func (x *theme) checked(want int, args ...string) (stdout, stderr string) {
	x.t.Helper()
	var out, notices bytes.Buffer
	code := commands.Run(context.Background(), commands.Env{Stdout: &out, Stderr: &notices, Now: time.Now,
		LookupEnv: func(string) (string, bool) { return "", false }},
		append([]string{"bizumctl", "check", "-b", x.brokers}, args...))
	if code != want {
		x.t.Errorf("check %q ends with %d, want %d:\n%s%s", args, code, want, out.String(), notices.String())
	}
	return out.String(), notices.String()
}

func (x *theme) shows(text string, want ...string) {
	x.t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			x.t.Errorf("shows\n%s\nand not %q", text, w)
		}
	}
}

// Several runs from several producers are in one topic of several partitions.
func TestCheckTopic(t *testing.T) {
	x := newTheme(t)
	one := x.sendRun(x.topic+"-out", "one", 7, 3000, nil)
	two := x.sendRun(one.topic, "two", 8, 3000, func(n int64, r *kgo.Record) []*kgo.Record {
		switch n {
		case 17, 18:
			return nil
		case 100:
			return []*kgo.Record{r, r}
		case 200:
			r.Value = bytes.Replace(r.Value, []byte(";"), []byte("x;"), 1)
		case 2999:
			return nil
		}
		return []*kgo.Record{r}
	})
	stdout, stderr := x.checked(0, "--receipt", one.path, "-t", one.topic)
	x.shows(stdout, "3,000 of 3,000 payments came, in 5,998 records\n")
	x.shows(stderr, "left out 2,998 records of 1 other run\n")
	stdout, stderr = x.checked(1, "--receipt", one.path, "--receipt", two.path, "-t", one.topic)
	x.shows(stdout, "missing: 2\n  payment 17 of run two, ", "missing at the tail: 1\n", "doubled: 1\n",
		"changed: 1\n", "payment 200 of run two has nombre ", "5,997 of 6,000 payments came, in 5,998 records\n")
	x.shows(stderr, "broke its promise: 2 missing, 1 missing at the tail, 1 doubled, 1 changed\n")
	x.checked(0, "--receipt", two.path, "-t", one.topic, "--allow", "missing,tail,doubled,changed")
	_, stderr = x.checked(2, "--receipt", x.sendRun(x.topic, "three", 9, 10, nil).path, "-t", one.topic)
	x.shows(stderr, `has records of 2 other runs, and none of run "three", whose receipt was given`)
	_, stderr = x.checked(2, "--receipt", x.sendRun(x.topic, "\x1b[31m", 9, 10, nil).path, "-t", one.topic)
	x.shows(stderr, `none of run "\x1b[31m", whose receipt was given`)
	_, stderr = x.checked(2, "--receipt", one.path, "--receipt", two.path, "-t", one.topic, "--id-field", "id")
	x.shows(stderr, "--id-field: several receipts need --run-field too")

	// Retention has eaten the beginning of a partition.
	gone := make(kadm.Offsets)
	gone.Add(kadm.Offset{Topic: one.topic, Partition: 0, At: 500})
	if _, err := x.admin.DeleteRecords(context.Background(), gone); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = x.checked(1, "--receipt", one.path, "-t", one.topic)
	x.shows(stdout, "cannot be judged: ", " payments may have come before the log begins\n")
	x.shows(stderr, "no longer begins at 0: 500 offsets are gone", "it cannot be decided")
	if strings.Contains(stdout, "missing") {
		t.Errorf("what is gone is missing:\n%s", stdout)
	}
}

// A pipeline that drops the headers is compared by value, one that reads uncommitted records is found out.
func TestCheckPipelines(t *testing.T) {
	x := newTheme(t)
	few := x.sendRun(x.topic+"-few", "few", 7, 20, func(_ int64, r *kgo.Record) []*kgo.Record {
		r.Headers = nil
		return []*kgo.Record{r}
	})
	_, stderr := x.checked(0, "--receipt", few.path, "-t", few.topic)
	x.shows(stderr, "no record has the headers run and n: comparing by value\n")
	bare := x.sendRun(x.topic+"-bare", "bare", 7, 2500, func(n int64, r *kgo.Record) []*kgo.Record {
		if r.Headers = nil; n == 5 {
			return nil
		}
		return []*kgo.Record{r}
	})
	stdout, stderr := x.checked(1, "--receipt", bare.path, "-t", bare.topic)
	x.shows(stdout, "missing: 1\n", "2,499 of 2,500 payments came, in 2,499 records\n")
	x.shows(stderr, "no record has the headers run and n: comparing by value\n")

	// An id in a field of JSON, and a balance.
	sum := bizum.Amount(2000_00)
	json := x.sendRun(x.topic+"-json", "json", 7, 1000, func(n int64, r *kgo.Record) []*kgo.Record {
		p, err := bizum.ParsePayment(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		sum += p.Change()
		r.Headers = nil
		r.Value = fmt.Appendf(nil, `{"id":%d,"nombre":%q,"cantidad":%v,"concepto":%q,"tipo":%q,"cuenta":%q}`, n,
			p.Name, p.Amount, p.Concept, p.Kind, r.Key)
		if n == 10 {
			r.Value = bytes.Replace(r.Value, []byte(`"cantidad":`), []byte(`"cantidad":1`), 1)
		}
		return []*kgo.Record{r}
	})
	stdout, _ = x.checked(1, "--receipt", json.path, "-t", json.topic, "--id-field", "id")
	x.shows(stdout, "changed: 1\n", "payment 10 has cantidad \"1", "1,000 of 1,000 payments came, in 1,000 records\n")
}

// An open transaction of another producer is waited for: what is behind it is not missing.
func TestCheckOpenTransaction(t *testing.T) {
	x := newTheme(t)
	foreign := x.connect(kgo.TransactionalID(x.topic))
	var once sync.Once
	s := x.sendRun(x.topic+"-open", "open", 7, 1000, func(n int64, r *kgo.Record) []*kgo.Record {
		once.Do(func() {
			err := foreign.BeginTransaction()
			if err == nil {
				err = foreign.ProduceSync(context.Background(), &kgo.Record{Topic: r.Topic, Value: []byte("x")}).FirstErr()
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		return []*kgo.Record{r}
	})
	waits := awaiting("behind an open transaction: waiting for its end, 1m15s at most")
	go func() {
		<-waits.seen
		_ = foreign.EndTransaction(context.Background(), kgo.TryAbort)
	}()
	var out bytes.Buffer
	code := commands.Run(context.Background(), commands.Env{Stdout: &out, Stderr: waits, Now: time.Now,
		LookupEnv: func(string) (string, bool) { return "", false }},
		[]string{"bizumctl", "check", "-b", x.brokers, "--receipt", s.path, "-t", s.topic})
	if x.shows(out.String(), "1,000 of 1,000 payments came"); code != 0 {
		t.Errorf("ends with %d: %s", code, waits)
	}
}

// Ctrl-C ends a check whose standard input says nothing, and leaves no file behind.
func TestCheckIdleInput(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	input, writer := io.Pipe()
	defer writer.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = writer.Write([]byte("Ana;5;x;y\n"))
		_, _ = writer.Write([]byte("Ana;5;x;y\n")) // when the first one has been taken
		stop()
	}()
	var notices bytes.Buffer
	began := time.Now()
	code := commands.Run(ctx, commands.Env{Stdin: input, Stdout: io.Discard, Stderr: &notices, Now: time.Now,
		Names: []byte("Ana\n"), Concepts: []byte("Cena\n"),
		LookupEnv: func(string) (string, bool) { return "", false }},
		[]string{"bizumctl", "check", "--seed", "7", "-n", "10", "-"})
	if code != 1 || !strings.Contains(notices.String(), "interrupted: nothing is judged") {
		t.Errorf("ends with %d after %v: %s", code, time.Since(began), notices.String())
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("leaves %v, %v", left, err)
	}
}

// A run that goes on is followed until it has ended.
func TestCheckFollow(t *testing.T) {
	x := newTheme(t)
	s := x.sendRun(x.topic+"-live", "live", 7, 1000, func(n int64, r *kgo.Record) []*kgo.Record {
		if n == 300 {
			return nil
		}
		return []*kgo.Record{r}
	})
	ended := *s.receipt
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	s.receipt.Ended, s.receipt.Sent = time.Time{}, 0
	journal, err := check.CreateJournal(check.JournalPath(s.path), s.receipt)
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close() // which holds its lock
	for _, err := range []error{journal.May(2000), journal.Settled(900)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.receipt = &ended
	time.AfterFunc(300*time.Millisecond, s.write)
	stdout, stderr := x.checked(1, "--receipt", s.path, "-t", s.topic, "--follow", "--grace", "500ms")
	x.shows(stdout, "missing: 1\n  payment 300, ", "999 of 1,000 payments came, in 999 records\n")
	x.shows(stderr, "999 payments came before this began: the latency of those is not known\n")
}

// A run that was killed is not followed for ever: what its journal says is judged.
func TestCheckFollowKilled(t *testing.T) {
	x := newTheme(t)
	s := x.sendRun(x.topic+"-killed", "killed", 7, 1000, func(n int64, r *kgo.Record) []*kgo.Record {
		if n == 300 || n > 950 {
			return nil
		}
		return []*kgo.Record{r}
	})
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	s.receipt.Ended, s.receipt.Sent, s.receipt.Accounts = time.Time{}, 0, nil
	journal, err := check.CreateJournal(check.JournalPath(s.path), s.receipt)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{journal.May(1000), journal.Settled(900)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	time.AfterFunc(300*time.Millisecond, func() { journal.Close() })
	stdout, stderr := x.checked(1, "--receipt", s.path, "-t", s.topic, "--follow", "--grace", "500ms")
	x.shows(stdout, "missing: 1\n  payment 300, ", "950 of 1,000 payments came, in 950 records\n")
	x.shows(stderr, "was killed: what is in its journal is judged\n", "49 payments of unknown outcome did not come\n")
}

// A receipt that cannot be relied on is a misuse, and one line.
func TestCheckReceipt(t *testing.T) {
	x := newTheme(t)
	s := x.sendRun(x.topic+"-out", "one", 7, 100, nil)
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"not a receipt": "Ana;5;x;y\n", "the receipt is cut: its end is missing": string(text[:len(text)-100]),
		"the receipt was edited: its checksum does not fit":   strings.Replace(string(text), `"seed":7`, `"seed":8`, 1),
		"the receipt is of a later version of bizumctl":       strings.Replace(string(text), `"version":1`, `"version":2`, 1),
		"the receipt was edited: its checksum does not fit\n": string(text) + "x",
	} {
		if err := os.WriteFile(s.path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr := x.checked(2, "--receipt", s.path, "-t", s.topic)
		x.shows(stderr, "error: receipt "+s.path+": "+name)
		if stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: shows %q and\n%s", name, stdout, stderr)
		}
	}
}
