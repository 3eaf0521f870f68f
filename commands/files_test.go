package commands_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"bizumctl/bizum/devbroker"
	"bizumctl/commands"
)

// theme is a topic of a test's own, and a folder for it.
type theme struct {
	t              *testing.T
	brokers, topic string
	client         *kgo.Client
	admin          *kadm.Client
	dir            string
	sent           int
}

func newTheme(t *testing.T) *theme {
	t.Helper()
	x := &theme{t: t, brokers: realBrokers, topic: fmt.Sprintf("test-%x", rand.Uint64()), dir: t.TempDir() + "/pagos"}
	if x.brokers == "" {
		broker, err := devbroker.Start("localhost:0", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(broker.Close)
		x.brokers = broker.Address()
	}
	x.client = x.connect()
	x.admin = kadm.NewClient(x.client)
	x.create()
	return x
}

func (x *theme) connect(options ...kgo.Opt) *kgo.Client {
	x.t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(x.brokers), kgo.DefaultProduceTopic(x.topic))...)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(client.Close)
	return client
}

func (x *theme) create() {
	x.t.Helper()
	_, err := x.admin.CreateTopic(context.Background(), 1, 1, nil, x.topic)
	for began := time.Now(); err != nil && time.Since(began) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
		_, err = x.admin.CreateTopic(context.Background(), 1, 1, nil, x.topic) // the one before is still being deleted
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// send sends n bizums and returns their lines.
func (x *theme) send(client *kgo.Client, n int) (lines []string) {
	x.t.Helper()
	for range n {
		x.sent++
		lines = append(lines, fmt.Sprintf("Ana;%d.00;n;ENVIO", x.sent))
		r := &kgo.Record{Value: []byte(lines[len(lines)-1])}
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			x.t.Fatal(err)
		}
	}
	return lines
}

// consume runs consume --dir --exit, which should end with a code and say something.
func (x *theme) consume(code int, says string, args ...string) {
	x.t.Helper()
	x.run(code, says, append(args, "--exit")...)
}

func (x *theme) run(code int, says string, args ...string) {
	x.t.Helper()
	var stdout, stderr bytes.Buffer
	got := commands.Run(context.Background(), commands.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Now: time.Now, LookupEnv: lookupLogin},
		append([]string{"bizumctl", "consume", "-b", programBrokers(x.brokers), "-t", x.topic, "--dir", x.dir, "-o", "text"}, args...))
	if got != code || !strings.Contains(stderr.String(), says) || stdout.Len() > 0 {
		x.t.Fatalf("code %d, want %d: %s%s, want %q", got, code, stdout.String(), stderr.String(), says)
	}
}

// filed fails unless the folder has these lines, in files whose names cover the offsets from first to last.
func (x *theme) filed(first, last int64, want []string) {
	x.t.Helper()
	files, err := filepath.Glob(x.dir + "/*.txt")
	if err != nil {
		x.t.Fatal(err)
	}
	var got []string
	next := first
	for _, file := range files { // in the order of their offsets
		text, err := os.ReadFile(file)
		if err != nil {
			x.t.Fatal(err)
		}
		got = append(got, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
		prefix, end, _ := strings.Cut(filepath.Base(file), fmt.Sprintf("-0-%020d-", next))
		if prefix != x.topic {
			x.t.Errorf("%s does not begin at %d", file, next)
		}
		if _, err := fmt.Sscanf(strings.TrimLeft(end, "0"), "%d", &next); err != nil {
			next = 0
		}
		next++
	}
	if !slices.Equal(got, want) || next != last+1 {
		x.t.Errorf("up to %d: %q\nwant up to %d: %q", next-1, got, last, want)
	}
}

// TestFilesMarkers: the markers of transactions and what was aborted are no gaps of ours.
func TestFilesMarkers(t *testing.T) {
	for _, group := range [][]string{nil, {"--group", "g"}} {
		x := newTheme(t)
		client := x.connect(kgo.TransactionalID(x.topic))
		transaction := func(n int, commit kgo.TransactionEndTry) []string {
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			lines := x.send(client, n)
			if err := client.EndTransaction(context.Background(), commit); err != nil {
				t.Fatal(err)
			}
			x.sent++ // the marker's offset; only once it is written the transaction is seen
			for stable := int64(0); stable < int64(x.sent); time.Sleep(10 * time.Millisecond) {
				offsets, err := x.admin.ListCommittedOffsets(context.Background(), x.topic)
				if err != nil {
					t.Fatal(err)
				}
				end, _ := offsets.Lookup(x.topic, 0)
				stable = end.Offset
			}
			return lines
		}
		x.consume(0, "0 bizums in 0 files", group...)
		lines := transaction(3, kgo.TryCommit) // 0 to 3
		x.consume(0, "3 bizums in 1 file", group...)
		transaction(2, kgo.TryAbort) // 4 to 6
		x.consume(0, "0 bizums in 0 files", group...)
		x.consume(0, "0 bizums in 0 files", group...)
		lines = append(lines, transaction(2, kgo.TryCommit)...) // 7 to 9
		x.consume(0, "2 bizums in 1 file", group...)
		x.filed(0, 9, lines)
	}
}

// TestFilesRetention: what the log lost before it was read is reported, and covered by a name.
func TestFilesRetention(t *testing.T) {
	x := newTheme(t)
	gone := func(before int64) {
		offsets := kadm.Offsets{}
		offsets.AddOffset(x.topic, 0, before, -1)
		if _, err := x.admin.DeleteRecords(context.Background(), offsets); err != nil {
			t.Fatal(err)
		}
	}
	lines := x.send(x.client, 20)
	gone(5)
	x.consume(0, "closed "+x.topic+"-0-00000000000000000005-00000000000000000019.txt: 15 bizums")
	lines = append(lines[5:], x.send(x.client, 10)[4:]...)
	gone(24)
	x.consume(0, "starts at offset 24: 4 offsets from 20 on are gone; going on from offset 24")
	x.filed(5, 29, lines)
	x.send(x.client, 10)
	gone(40)
	x.consume(0, "starts at offset 40: 10 offsets from 30 on are gone")
	lines = append(lines, x.send(x.client, 1)...)
	x.consume(0, "1 bizum in 1 file")
	x.filed(5, 40, lines)
}

// TestFilesRecreated: the topic was deleted and recreated: its offsets mean something else.
func TestFilesRecreated(t *testing.T) {
	x := newTheme(t)
	lines := x.send(x.client, 5)
	x.consume(0, "5 bizums")
	if _, err := x.admin.DeleteTopic(context.Background(), x.topic); err != nil {
		t.Fatal(err)
	}
	x.create()
	x.client.PurgeTopicsFromClient(x.topic)
	x.send(x.connect(), 9)
	x.consume(1, "of an earlier topic \""+x.topic+"\", which was deleted and recreated since\n"+
		"bizumctl: hint: choose another folder")
	x.filed(0, 4, lines)
	x.dir += "2"
	x.consume(0, "9 bizums")
}

// TestFilesFrom: --from says where a folder begins, and nothing once it has begun.
func TestFilesFrom(t *testing.T) {
	for _, group := range [][]string{{}, {"--group", "g"}} {
		x := newTheme(t)
		lines := x.send(x.client, 10)
		x.consume(0, "4 bizums", append(group, "--from", "6")...)
		lines = append(lines, x.send(x.client, 5)...)
		x.consume(0, "5 bizums", append(group, "--from", "beginning")...)
		x.filed(6, 14, lines[6:])
		x.dir += "2"
		x.consume(0, "3 bizums", append(group, "--from", "-3", "--group", "h")...)
		x.filed(12, 14, lines[12:])

		// Beyond the end it waits for that offset, and has not begun before.
		x.dir += "3"
		x.consume(0, "0 bizums", append(group, "--from", "17", "--group", "i")...)
		sent := make(chan []string, 1)
		time.AfterFunc(300*time.Millisecond, func() { sent <- x.send(x.client, 5) })
		x.run(0, "3 bizums", append(group, "--from", "17", "--group", "i", "--idle-timeout", "1500ms")...)
		lines = append(lines, <-sent...)
		x.filed(17, 19, lines[17:])
	}
}

// TestFilesAhead: a log that ends before the folder does is not what was filed.
func TestFilesAhead(t *testing.T) {
	for _, group := range [][]string{nil, {"--group", "g"}} {
		x := newTheme(t)
		lines := x.send(x.client, 10)
		x.consume(0, "10 bizums", group...)
		path := x.dir + "/_bizumctl.json"
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(": 10"), []byte(": 11")), 0o600); err != nil {
			t.Fatal(err)
		}
		x.consume(1, "/0 ends at offset 10, before position 11", group...)
		x.filed(0, 9, lines)
	}
}

// TestFilesUnwritable: nothing is written where nothing can be.
func TestFilesUnwritable(t *testing.T) {
	x := newTheme(t)
	x.send(x.client, 1)
	x.dir = "/proc/self/fdinfo" // which nobody may write, not even root
	x.consume(1, "error: open /proc/self/fdinfo/._bizumctl.json.lock: ")
}
