package commands_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/commands"
)

// ledgerTest is a test with a topic of its own and the ledger that a group keeps of it.
type ledgerTest struct {
	*testing.T
	ctx     context.Context
	fake    *kfake.Cluster // nil on a real Kafka
	address string
	topic   string
	group   string
	client  *kgo.Client
	admin   *kadm.Client
}

func newLedgerTest(t *testing.T, partitions int32, options ...kfake.Opt) *ledgerTest {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	l := &ledgerTest{T: t, ctx: ctx, address: realBrokers, topic: fmt.Sprintf("test-%x", rand.Uint64())}
	l.group = "caja-" + l.topic
	if l.address == "" {
		fake, err := kfake.NewCluster(append(options, kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))...)
		l.must(err)
		t.Cleanup(fake.Close)
		l.fake, l.address = fake, fake.ListenAddrs()[0]
	}
	l.client = l.connect()
	l.admin = kadm.NewClient(l.client)
	l.create(l.topic, partitions, nil)
	return l
}

func (l *ledgerTest) connect(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(l.address), kgo.ProducerBatchMaxBytes(2<<20))...)
	l.must(err)
	l.Cleanup(client.Close)
	return client
}

func (l *ledgerTest) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *ledgerTest) create(topic string, partitions int32, settings map[string]string) {
	l.Helper()
	config := map[string]*string{}
	for name, value := range settings {
		config[name] = &value
	}
	_, err := l.admin.CreateTopic(l.ctx, partitions, 1, config, topic)
	l.must(err)
}

func (l *ledgerTest) delete(topics ...string) {
	l.Helper()
	_, err := l.admin.DeleteTopics(l.ctx, topics...)
	l.must(err)
	for _, topic := range topics { // it goes away a little later
		for {
			found, err := l.admin.ListTopics(l.ctx, topic)
			l.must(err)
			if found[topic].Err != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	l.client = l.connect() // the old one knows the topic's id
}

func (l *ledgerTest) ledger() string   { return l.topic + "." + l.group + ".ledger" }
func (l *ledgerTest) rejected() string { return l.topic + "." + l.group + ".rejected" }

// send appends messages with key cuenta.
func (l *ledgerTest) send(values ...string) {
	l.Helper()
	for _, v := range values {
		l.put(&kgo.Record{Topic: l.topic, Key: []byte("cuenta"), Value: []byte(v)})
	}
}

func (l *ledgerTest) put(records ...*kgo.Record) {
	l.Helper()
	l.must(l.client.ProduceSync(l.ctx, records...).FirstErr())
}

// run runs bizumctl on the topic and returns its exit code, its output and its notices.
func (l *ledgerTest) run(args ...string) (code int, out, notices string) {
	l.Helper()
	var stdout, stderr bytes.Buffer
	code = l.runTo(l.ctx, &stdout, &stderr, args...)
	return code, stdout.String(), stderr.String()
}

func (l *ledgerTest) runTo(ctx context.Context, stdout, stderr io.Writer, args ...string) int {
	return commands.Run(ctx, commands.Env{Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Now: time.Now,
		Names: []byte("Ana\nJosé Luis\n"), Concepts: []byte("Café\nCena, vino; y más\n"),
		LookupEnv: lookupLogin},
		append([]string{"bizumctl", args[0], "-b", programBrokers(l.address), "-t", l.topic}, args[1:]...))
}

// balance runs balance --group to the topic's end and returns the lines, as text with the balance.
func (l *ledgerTest) balance(args ...string) (code int, lines []string, notices string) {
	l.Helper()
	code, out, notices := l.run(append([]string{"balance", "-g", l.group, "--exit", "-o", "text"}, args...)...)
	return code, strings.Fields(out), notices
}

// wantBalance runs balance --group, compares its lines and a notice, and audits the ledger.
func (l *ledgerTest) wantBalance(notice string, lines ...string) {
	l.Helper()
	code, got, notices := l.balance()
	if code != 0 || strings.Join(got, " ") != strings.Join(lines, " ") || !regexp.MustCompile(notice).MatchString(notices) {
		l.Fatalf("code %d, %q, %s\nwant %q, %s", code, got, notices, lines, notice)
	}
	l.wantAudit(0, "0 missing, 0 double, 0 wrong")
}

// wantStop wants balance --group to fail before any line, with a reason and a hint.
func (l *ledgerTest) wantStop(reason, cure string, args ...string) {
	l.Helper()
	code, lines, notices := l.balance(args...)
	want := regexp.MustCompile(`(?s)error: .*` + reason + `.*hint: .*` + cure)
	if code != 1 || len(lines) > 0 || !want.MatchString(notices) {
		l.Fatalf("code %d, %q, %s\nwant %s", code, lines, notices, want)
	}
}

func (l *ledgerTest) wantAudit(code int, text string) {
	l.Helper()
	got, out, notices := l.run("audit", "-g", l.group)
	if got != code || !regexp.MustCompile(text).MatchString(out) {
		l.Fatalf("audit: code %d, %s%s\nwant %d, %s", got, out, notices, code, text)
	}
}

// deleteRecords deletes the records of partition 0 before an offset, as retention does.
func (l *ledgerTest) deleteRecords(topic string, before int64) {
	l.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, before, -1)
	_, err := l.admin.DeleteRecords(l.ctx, offsets)
	l.must(err)
}

// setPosition sets the group's position as Kafka's tool does, or deletes it if negative.
func (l *ledgerTest) setPosition(offset int64) {
	l.Helper()
	if offset < 0 {
		_, err := l.admin.DeleteOffsets(l.ctx, l.group, kadm.TopicsSet{l.topic: {0: {}}})
		l.must(err)
		return
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(l.topic, 0, offset, -1)
	l.must(l.admin.CommitAllOffsets(l.ctx, l.group, offsets))
}

// records returns the committed records of partition 0 as key|value.
func (l *ledgerTest) records(topic string) (list []string) { return l.recordsOf(topic, 0) }

func (l *ledgerTest) recordsOf(topic string, partition int32) (list []string) {
	l.Helper()
	ends, err := l.admin.ListCommittedOffsets(l.ctx, topic)
	l.must(err)
	end, _ := ends.Lookup(topic, partition)
	client := l.connect(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}), kgo.KeepControlRecords())
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(l.ctx)
		l.must(fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			if next = r.Offset + 1; !r.Attrs.IsControl() {
				list = append(list, string(r.Key)+"|"+string(r.Value))
			}
		})
	}
	return list
}

const (
	maria = "Maria;20;Cena;RECEPCIÓN"
	pepe  = "Pepe;100;Viaje;ENVIO"
	ana   = "Ana;5;Café;ENVIO"

	afterMaria = "Maria;20.00;Cena;RECEPCIÓN;2020.00"
	afterPepe  = "Pepe;100.00;Viaje;ENVIO;1920.00"
	afterAna   = "Ana;5.00;Café;ENVIO;1915.00"
)

// The ledger is an ordinary topic that anybody can read.
func TestLedgerTopic(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria, "pago", pepe)
	l.wantBalance(`@1: fewer than four fields`, afterMaria, afterPepe)
	got := strings.Join(l.records(l.ledger()), " ")
	want := regexp.MustCompile(`^\|1;[\w-]{22};1;2000\.00 cuenta\|Maria;20\.00;Cena;RECEPCIÓN;2020\.00;0 ` +
		`cuenta\|Pepe;100\.00;Viaje;ENVIO;1920\.00;2$`)
	if !want.MatchString(got) {
		t.Errorf("%s", got)
	}
	if got := l.records(l.rejected()); len(got) != 1 || got[0] != "cuenta|pago" {
		t.Errorf("%q", got)
	}
	l.wantBalance(`0 bizums booked`)
	l.send(ana)
	l.wantBalance(`/0: going on at offset 3: account cuenta has 1,920.00 €`, afterAna)
}

// Whatever somebody does to the group's position, each message is booked once; with a tail of rejected messages, too.
func TestLedgerPosition(t *testing.T) {
	t.Parallel()
	for name, position := range map[string]int64{"back": 0, "forth": 4, "near": 3, "gone": -1} {
		for _, tail := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, %d rejected", name, tail), func(t *testing.T) {
				t.Parallel()
				l := newLedgerTest(t, 1)
				l.send(maria, pepe)
				for range tail {
					l.send("pago")
				}
				l.wantBalance("", afterMaria, afterPepe)
				l.send(ana, "pago")
				l.setPosition(position)
				l.wantBalance(fmt.Sprintf(`after the last entry, at offset %d`, 2+tail), afterAna)
				if got := l.records(l.rejected()); len(got) != tail+1 {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

// A position that is set to what it was, with nothing new to book, is ours again.
func TestLedgerSamePosition(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria, pepe)
	l.wantBalance("", afterMaria, afterPepe)
	l.setPosition(2)
	l.wantBalance("0 bizums booked")
	l.send(ana)
	l.wantBalance("", afterAna)
}

// Positions that are set to the beginning do no harm to a ledger that has partitions without entries.
func TestLedgerResetWithoutEntries(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 3)
	one := func(value string) *kgo.Record {
		return &kgo.Record{Topic: l.topic, Key: []byte("cuenta-7"), Value: []byte(value)}
	}
	l.put(one(maria))
	l.wantBalance("", afterMaria)
	offsets := kadm.Offsets{}
	for p := range int32(3) {
		offsets.AddOffset(l.topic, p, 0, -1)
	}
	l.must(l.admin.CommitAllOffsets(l.ctx, l.group, offsets))
	l.put(one(pepe))
	l.wantBalance("was set to 0 by something else; nothing is booked yet", afterPepe)
}

// A ledger that was begun before its first message misses what retention takes, though its position expired.
func TestLedgerOvertakenBeforeEntries(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.wantBalance("")
	l.send(maria, pepe, ana)
	l.setPosition(-1)
	l.deleteRecords(l.topic, 2)
	l.wantStop("starts at offset 2: 2 offsets from 0 on are gone", "--accept-gap")
}

// A topic that is recreated while its ledger is kept is not booked in it, not even where gaps are accepted.
func TestLedgerTopicMadeAnew(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--accept-gap"}} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			l.send(maria)
			k := l.start("", flags...)
			k.awaitLines(1)
			l.delete(l.topic)
			l.admin = kadm.NewClient(l.client)
			l.create(l.topic, 1, nil)
			l.send(pepe, pepe, ana)
			l.deleteRecords(l.topic, 2)
			k.finish()
			if k.ProcessState.ExitCode() != 1 || !strings.Contains(k.notices(), "deleted and recreated") ||
				!strings.Contains(k.notices(), "another --group") {
				t.Errorf("%v: %s", k.ProcessState, k.notices())
			}
			if entries := l.records(l.ledger()); len(entries) != 2 { // the heading, and Maria's
				t.Errorf("%q", entries)
			}
		})
	}
}

// A message from the future is booked, though Kafka 4 takes no such timestamps unless a topic is made to.
func TestLedgerFuture(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	if l.fake == nil {
		l.delete(l.topic)
		l.create(l.topic, 1, map[string]string{"message.timestamp.after.max.ms": fmt.Sprint(math.MaxInt64)})
	}
	for _, value := range []string{maria, "no payment"} {
		l.put(&kgo.Record{Topic: l.topic, Key: []byte("cuenta"), Value: []byte(value), Timestamp: time.Now().Add(48 * time.Hour)})
	}
	l.wantBalance("", afterMaria)
}

// A ledger that is not what the group's position stands for is not gone on with.
func TestLedgerStops(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(l *ledgerTest){
		"emptied": func(l *ledgerTest) {
			l.delete(l.ledger())
			l.wantStop("counts payments up to offset 1, the ledger has them up to -1", "another --group")
		},
		"cut": func(l *ledgerTest) {
			if l.fake == nil {
				return // Kafka does not cut a compacted topic
			}
			l.deleteRecords(l.ledger(), 3)
			l.wantStop("no heading of a ledger", "another --group")
		},
		"foreign record": func(l *ledgerTest) {
			l.put(&kgo.Record{Topic: l.ledger(), Key: []byte("cuenta"), Value: []byte("hola")})
			l.wantStop(`/0@\d+: not an entry`, "bizumctl audit")
			l.wantAudit(1, `wrong: .*/0@\d+: not an entry.*"hola"`)
		},
		"recreated, shorter": func(l *ledgerTest) {
			l.delete(l.topic)
			l.create(l.topic, 1, nil)
			l.send(ana)
			l.wantStop("deleted and recreated", "another --group")
		},
		"recreated, longer": func(l *ledgerTest) {
			l.delete(l.topic)
			l.create(l.topic, 1, nil)
			l.send(ana, ana, ana, ana)
			l.wantStop("deleted and recreated", "another --group")
		},
		"partitions added": func(l *ledgerTest) {
			_, err := l.admin.CreatePartitions(l.ctx, 2, l.topic)
			l.must(err)
			l.wantStop("has 1 partition, .* has 3", "another --group")
		},
		"another initial balance": func(l *ledgerTest) {
			l.wantStop("open with 2000.00, not 500.00", "--initial 2000.00", "--initial", "500")
		},
		"retention": func(l *ledgerTest) {
			l.send(ana, maria, pepe)
			l.deleteRecords(l.topic, 4)
			l.wantStop("starts at offset 4: 2 offsets from 2 on are gone", "--accept-gap")
			code, lines, notices := l.balance("--accept-gap")
			if code != 0 || strings.Join(lines, " ") != "Pepe;100.00;Viaje;ENVIO;1820.00" ||
				!strings.Contains(notices, "2 offsets from 2 on are gone, and accepted") {
				l.Errorf("code %d, %q, %s", code, lines, notices)
			}
			l.wantAudit(0, "^1 payment, 1 account, 0 missing, 0 double, 0 wrong\n")
		},
		"the log's end is lost": func(l *ledgerTest) {
			offsets := kadm.Offsets{}
			offsets.Add(kadm.Offset{Topic: l.topic, At: 9, LeaderEpoch: -1, Metadata: "1 1"})
			l.must(l.admin.CommitAllOffsets(l.ctx, l.group, offsets))
			l.wantStop("ends at offset 2, before position 9", "another --group")
			if code, out, notices := l.run("audit", "-g", l.group); code != 1 || out != "" ||
				!strings.Contains(notices, "ends at offset 2, before position 9") {
				l.Errorf("audit: code %d, %s%s", code, out, notices)
			}
		},
		"the ledger's end is lost, and what it was of": func(l *ledgerTest) {
			l.send(ana)
			l.wantBalance("", afterAna)
			entries := l.records(l.ledger())
			l.delete(l.ledger())
			l.create(l.ledger(), 1, map[string]string{"cleanup.policy": "compact"})
			for _, e := range entries[:len(entries)-1] {
				key, value, _ := strings.Cut(e, "|")
				l.put(&kgo.Record{Topic: l.ledger(), Key: []byte(key), Value: []byte(value)})
			}
			l.deleteRecords(l.topic, 3)
			l.wantStop("counts payments up to offset 2, the ledger has them up to 1", "another --group")
			l.wantAudit(1, "missing: .* counts payments up to offset 2, the ledger has them up to 1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			l.send(maria, pepe)
			l.wantBalance("", afterMaria, afterPepe)
			do(l)
		})
	}
}

// Topics that do not fit are refused before anything is done.
func TestLedgerRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(l *ledgerTest)
		reason  string
	}{
		"a ledger with more partitions": {func(l *ledgerTest) {
			l.create(l.ledger(), 3, map[string]string{"cleanup.policy": "compact"})
		}, "has 3 partitions, .* has 1"},
		"a ledger that is not compacted": {func(l *ledgerTest) { l.create(l.ledger(), 1, nil) }, "cleanup.policy is another"},
		"a ledger that is also deleted": {func(l *ledgerTest) {
			l.create(l.ledger(), 1, map[string]string{"cleanup.policy": "compact,delete"})
		}, "cleanup.policy is another"},
		"a compacted topic": {func(l *ledgerTest) {
			l.delete(l.topic)
			l.create(l.topic, 1, map[string]string{"cleanup.policy": "compact"})
		}, "is compacted"},
		"a group of consume": {func(l *ledgerTest) {
			l.send(maria, pepe)
			if code, _, notices := l.run("consume", "-g", l.group, "--exit"); code != 0 {
				l.Fatal(notices)
			}
		}, "the group has position 2, but no ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			c.prepare(l)
			code, lines, notices := l.balance()
			if code != 1 || len(lines) > 0 || !regexp.MustCompile(c.reason).MatchString(notices) {
				t.Errorf("code %d, %q, %s", code, lines, notices)
			}
		})
	}
}

// Two groups keep two ledgers, and a group one for each topic.
func TestLedgersApart(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria)
	l.wantBalance("", afterMaria)
	if code, out, notices := l.run("balance", "-g", "otra", "--exit", "-o", "text", "--initial", "0"); code != 0 ||
		out != "Maria;20.00;Cena;RECEPCIÓN;20.00\n" {
		t.Errorf("code %d, %s%s", code, out, notices)
	}
	l.topic += "-b"
	l.create(l.topic, 1, nil)
	l.send(maria)
	l.wantBalance("", afterMaria)
}

// What an aborted transaction has sent is never booked, and what an open one has is not booked yet.
func TestLedgerOfTransactions(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	transact := func(value string) *kgo.Client {
		client := l.connect(kgo.TransactionalID(fmt.Sprintf("%s-%x", l.topic, rand.Uint64())))
		l.must(client.BeginTransaction())
		l.must(client.ProduceSync(l.ctx, &kgo.Record{Topic: l.topic, Key: []byte("cuenta"), Value: []byte(value)}).FirstErr())
		return client
	}
	end := func(client *kgo.Client, how kgo.TransactionEndTry) {
		l.Helper()
		l.must(client.EndTransaction(l.ctx, how))
	}
	end(transact(maria), kgo.TryCommit)
	end(transact(ana), kgo.TryAbort)
	open := transact(pepe)
	l.wantBalance("", afterMaria)
	end(open, kgo.TryCommit)
	for { // the marker comes a little later
		ends, err := l.admin.ListCommittedOffsets(l.ctx, l.topic)
		l.must(err)
		if end, _ := ends.Lookup(l.topic, 0); end.Offset == 6 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.wantBalance("", afterPepe)
}

// Messages whose account is kept in another partition are rejected, with the cure.
func TestLedgerKeys(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 3)
	manual := l.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	home := int32(-1)
	for p := range int32(3) {
		r := &kgo.Record{Topic: l.topic, Partition: p, Key: []byte("cuenta-7"), Value: []byte(maria)}
		l.must(manual.ProduceSync(l.ctx, r).FirstErr())
	}
	l.must(manual.ProduceSync(l.ctx, &kgo.Record{Topic: l.topic, Partition: 1, Value: []byte(pepe)}).FirstErr())
	probe := &kgo.Record{Topic: l.topic, Key: []byte("cuenta-7"), Value: []byte(pepe)}
	l.put(probe)
	home = probe.Partition
	code, lines, notices := l.balance()
	if code != 0 || strings.Join(lines, " ") != afterMaria+" "+afterPepe {
		t.Errorf("code %d, %q, %s", code, lines, notices)
	}
	if n := strings.Count(notices, fmt.Sprintf(`key "cuenta-7" belongs in partition %d`, home)); n != 2 ||
		!strings.Contains(notices, "no key: in a topic of 3 partitions it must name the account") ||
		!strings.Contains(notices, "partitioner=murmur2_random") {
		t.Errorf("%d: %s", n, notices)
	}
	l.wantAudit(0, `^2 payments, 1 account, 0 missing, 0 double, 0 wrong, 3 rejected\n`)
}

// Long values and keys are booked or rejected.
func TestLedgerLong(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.delete(l.topic)
	l.create(l.topic, 1, map[string]string{"max.message.bytes": "3000000"})
	value := func(size int) string { return "Ana;5;" + strings.Repeat("x", size-len("Ana;5;;ENVIO")) + ";ENVIO" }
	l.send(value(64<<10-1), value(64<<10), value(64<<10+1), value(1<<20))
	l.put(&kgo.Record{Topic: l.topic, Key: bytes.Repeat([]byte("k"), 64<<10), Value: []byte(maria)})
	l.put(&kgo.Record{Topic: l.topic, Key: bytes.Repeat([]byte("k"), 64<<10+1), Value: []byte(maria)})
	code, lines, notices := l.balance()
	if code != 0 || len(lines) != 3 || !strings.Contains(notices, "3 bizums booked, 3 rejected") {
		t.Errorf("code %d, %d lines, %s", code, len(lines), notices)
	}
	l.wantAudit(0, "^3 payments, 2 accounts, 0 missing, 0 double, 0 wrong, 3 rejected\n")
}

// A balance that no longer fits ends the run, and nothing of the transaction is booked.
func TestLedgerOverflow(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	var records []*kgo.Record
	for range 92_233 {
		records = append(records, &kgo.Record{Topic: l.topic, Value: []byte("Ana;999999999999.99;Cena;RECEPCIÓN")})
	}
	l.put(records...)
	if code, _, notices := l.balance("-q"); code != 0 {
		t.Fatal(notices)
	}
	before := len(l.records(l.ledger()))
	l.put(records[:2]...)
	code, lines, notices := l.balance()
	if code != 1 || len(lines) > 0 || !strings.Contains(notices, "/0@92233: account") && !strings.Contains(notices, "/0@92234: account") {
		t.Errorf("code %d, %q, %s", code, lines, notices)
	}
	if after := len(l.records(l.ledger())); after != before {
		t.Errorf("%d entries, were %d", after, before)
	}
}

// An audit that is interrupted has proved nothing, and its exit code says so.
func TestAuditInterrupted(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria)
	l.wantBalance("", afterMaria)
	ctx, interrupt := context.WithCancel(l.ctx)
	interrupt()
	var out, notices bytes.Buffer
	if code := l.runTo(ctx, &out, &notices, "audit", "-g", l.group); code != 1 || out.Len() > 0 {
		t.Errorf("code %d, %s%s", code, &out, &notices)
	}
}

// An audit names the first entry that is not right, what stands there and what should.
func TestAuditFinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, want string }{
		"wrong": {"Ana;5.00;Café;ENVIO;1925.00;2", `(?s)^wrong: .*/0@\d+: account "cuenta" has "Ana;5.00;Café;ENVIO;1925.00;2", ` +
			`should be account "cuenta" with "Ana;5.00;Café;ENVIO;1915.00;2".*3 payments, 1 account, 0 missing, 0 double, 1 wrong`},
		"double": {"Pepe;100.00;Viaje;ENVIO;1920.00;1", `(?s)double: .*/0@\d+: a second record for offset 1.*1 missing, 1 double, 0 wrong`},
		"missing": {"", `^missing: .*/0@2: account "cuenta" has no entry for it, should have "Ana;5.00;Café;ENVIO;1915.00;2"\n` +
			`3 payments, 1 account, 1 missing, 0 double, 0 wrong`},
		"too much": {"Ana;5.00;Café;ENVIO;1915.00;9", `(?s)wrong: .*/0@\d+: no message booked at offset 9`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			l.send(maria, pepe)
			l.wantBalance("", afterMaria, afterPepe)
			l.send(ana)
			if c.value != "" {
				l.put(&kgo.Record{Topic: l.ledger(), Key: []byte("cuenta"), Value: []byte(c.value)})
			}
			offsets := kadm.Offsets{} // as if we had come so far
			offsets.Add(kadm.Offset{Topic: l.topic, At: 3, LeaderEpoch: -1, Metadata: "1 2"})
			l.must(l.admin.CommitAllOffsets(l.ctx, l.group, offsets))
			l.wantAudit(1, c.want)
		})
	}
}

// The ledger may be compacted at any time.
func TestLedgerCompacted(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	if l.fake == nil {
		l.create(l.ledger(), 1, map[string]string{"cleanup.policy": "compact", "segment.ms": "100",
			"min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "100"})
	} else {
		l.create(l.ledger(), 1, map[string]string{"cleanup.policy": "compact", "segment.ms": "1", "segment.bytes": "14",
			"min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0"})
	}
	for range 20 {
		l.send(maria, pepe)
		if code, lines, notices := l.balance(); code != 0 || len(lines) != 2 {
			t.Fatalf("code %d, %q, %s", code, lines, notices)
		}
	}
	for n := 0; ; n++ {
		if l.fake != nil {
			l.fake.Compact()
		} else {
			l.send(maria) // a segment is closed when the next record comes
			l.balance("-q")
		}
		if len(l.records(l.ledger())) < 20 {
			break
		}
		if n == 300 {
			t.Fatal("it was never compacted")
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.wantAudit(0, `0 missing, 0 double, 0 wrong, \d+ compacted`)
	l.send(ana)
	code, lines, notices := l.balance()
	if code != 0 || len(lines) != 1 || !strings.HasPrefix(lines[0], "Ana;5.00;Café;ENVIO;") {
		t.Errorf("code %d, %q, %s", code, lines, notices)
	}
	l.wantAudit(0, `0 missing, 0 double, 0 wrong, \d+ compacted`)
}

// --count books so many bizums, and no more.
func TestLedgerCount(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria, pepe, ana)
	code, out, notices := l.run("balance", "-g", l.group, "-n", "2", "-o", "text")
	if code != 0 || out != afterMaria+"\n"+afterPepe+"\n" {
		t.Errorf("code %d, %s%s", code, out, notices)
	}
	if code, out, notices := l.run("balance", "-g", l.group, "-n", "1", "-o", "text"); code != 0 || out != afterAna+"\n" {
		t.Errorf("of the last: code %d, %s%s", code, out, notices)
	}
	l.wantBalance("going on at offset 3")
}

// Two begin a ledger at once, and differ about how accounts open: one goes on, and the other can do as it is told.
func TestLedgerBegunTwice(t *testing.T) {
	t.Parallel()
	type run struct {
		initial, other string
		code           int
		notices        bytes.Buffer
	}
	for range 5 {
		l := newLedgerTest(t, 2)
		l.produce("--rate", "max", "-n", "2000", "--accounts", "50")
		runs := make(chan *run, 2)
		for _, r := range []*run{{initial: "2000", other: "500"}, {initial: "500", other: "2000"}} {
			go func() {
				r.code = l.runTo(l.ctx, io.Discard, &r.notices, "balance", "-g", l.group, "--exit", "-q", "-o", "none",
					"--initial", r.initial)
				runs <- r
			}()
		}
		one, two := <-runs, <-runs
		for _, r := range []*run{one, two} {
			refused := regexp.MustCompile(fmt.Sprintf(`(?s)^bizumctl: error: the accounts of this ledger open with %s\.00, not `+
				`%s\.00\n.*hint: go on with --initial %[1]s\.00, or keep another ledger in another --group\n$`, r.other, r.initial))
			switch text := r.notices.String(); {
			case r.code == 0 && text == "":
			case r.code == 1 && refused.MatchString(text):
			default:
				t.Errorf("with --initial %s: code %d, %s", r.initial, r.code, text)
			}
		}
		if one.code == 1 && two.code == 1 {
			t.Error("nobody goes on")
		}
		if first, second := l.recordsOf(l.ledger(), 0)[0], l.recordsOf(l.ledger(), 1)[0]; first != second {
			t.Errorf("the ledger has two headings: %q, %q", first, second)
		}
	}
}

// A ledger whose partitions open accounts differently cannot be gone on with, whatever --initial is.
func TestLedgerDivided(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 2)
	l.produce("--rate", "max", "-n", "100", "--accounts", "50")
	if code, _, notices := l.balance("-q"); code != 0 {
		t.Fatal(notices)
	}
	heading := strings.TrimPrefix(l.recordsOf(l.ledger(), 0)[0], "|")
	l.delete(l.ledger())
	l.create(l.ledger(), 2, map[string]string{"cleanup.policy": "compact"})
	_, err := l.admin.DeleteGroup(l.ctx, l.group)
	l.must(err)
	client := l.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p, value := range []string{heading, strings.Replace(heading, ";2000.00", ";500.00", 1)} {
		r := &kgo.Record{Topic: l.ledger(), Partition: int32(p), Key: []byte{}, Value: []byte(value)}
		l.must(client.ProduceSync(l.ctx, r).FirstErr())
	}
	l.wantStop("(of partition 0 open with 2000.00, those|; but partition 0 begins with) ", "keep a new ledger")
	l.wantStop("open with 2000.00, not 500.00", "another --group", "--initial", "500")
}

// A transaction that Kafka takes for committed, and whose position has its marker but whose entries do not, is ended as
// what it was: committed. The broker is made to forget it, and an owner that follows to be given its epoch, as one is by
// a Kafka that has lost markers.
func TestLedgerHanging(t *testing.T) {
	t.Parallel()
	if realBrokers != "" {
		t.Skip("a broker of the tests can be made to lose markers")
	}
	l := newLedgerTest(t, 1)
	l.send(maria, "hola", pepe)
	var mu sync.Mutex
	var position *kmsg.TxnOffsetCommitRequestTopicPartition // that was booked
	var owner *kmsg.AddPartitionsToTxnRequest
	forgotten := false
	control := func(key kmsg.Key, respond func(kmsg.Request) kmsg.Response) {
		l.fake.ControlKey(int16(key), func(request kmsg.Request) (kmsg.Response, error, bool) {
			l.fake.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			response := respond(request)
			return response, nil, response != nil
		})
	}
	control(kmsg.AddPartitionsToTxn, func(request kmsg.Request) kmsg.Response {
		owner = request.(*kmsg.AddPartitionsToTxnRequest)
		return nil
	})
	control(kmsg.TxnOffsetCommit, func(request kmsg.Request) kmsg.Response {
		r := request.(*kmsg.TxnOffsetCommitRequest)
		if p := r.Topics[0].Partitions[0]; p.Offset < 3 || position != nil {
			return nil
		} else {
			position = &p
		}
		response := r.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		response.Topics = []kmsg.TxnOffsetCommitResponseTopic{{Topic: l.topic,
			Partitions: []kmsg.TxnOffsetCommitResponseTopicPartition{{Partition: 0}}}}
		return response
	})
	control(kmsg.EndTxn, func(request kmsg.Request) kmsg.Response {
		if position == nil || forgotten {
			return nil
		}
		forgotten = true
		return request.(*kmsg.EndTxnRequest).ResponseKind()
	})
	control(kmsg.InitProducerID, func(request kmsg.Request) kmsg.Response {
		r := request.(*kmsg.InitProducerIDRequest)
		r.TransactionTimeoutMillis = int32(time.Minute.Milliseconds()) // or the broker ends it by itself
		if !forgotten || r.TransactionalID == nil {
			return nil
		}
		response := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		response.ProducerID, response.ProducerEpoch = owner.ProducerID, owner.ProducerEpoch
		return response
	})
	if code, out, notices := l.run("balance", "-g", l.group, "-n", "2", "-o", "text"); code != 0 ||
		out != afterMaria+"\n"+afterPepe+"\n" {
		t.Fatalf("code %d, %q, %s", code, out, notices)
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: l.topic, At: position.Offset, LeaderEpoch: -1, Metadata: *position.Metadata})
	l.must(l.admin.CommitAllOffsets(l.ctx, l.group, offsets))
	l.wantBalance("(?s)a transaction that Kafka has lost track of.*going on at offset 3: account cuenta has 1,920.00")
}

// A topic of the ledger that is deleted while it is in use, and a source that becomes compacted, end it.
func TestLedgerChanged(t *testing.T) {
	t.Parallel()
	compact := "compact"
	for name, c := range map[string]struct {
		change func(l *ledgerTest)
		reason string
	}{
		"ledger deleted":   {func(l *ledgerTest) { l.delete(l.ledger()) }, "ledger\" was deleted while it was in use"},
		"rejected deleted": {func(l *ledgerTest) { l.delete(l.rejected()) }, "rejected\" was deleted while it was in use"},
		"source compacted": {func(l *ledgerTest) {
			_, err := l.admin.AlterTopicConfigs(l.ctx, []kadm.AlterConfig{{Name: "cleanup.policy", Value: &compact}}, l.topic)
			l.must(err)
		}, "is compacted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			l.send(maria)
			k := l.start("")
			k.awaitLines(1)
			c.change(l)
			k.finish()
			if k.ProcessState.ExitCode() != 1 || !strings.Contains(k.notices(), c.reason) {
				t.Errorf("%v: %s", k.ProcessState, k.notices())
			}
		})
	}
}

// Retention takes messages while the ledger is kept: that is met as at the start.
func TestLedgerOvertaken(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria)
	k := l.start("", "--accept-gap")
	k.awaitOffset(0)
	for end := int64(1); !strings.Contains(k.notices(), "are gone"); end += 4 { // a fetch under way may bring them all
		l.must(k.Process.Signal(syscall.SIGSTOP))
		l.send(pepe, pepe, ana)
		offsets := kadm.Offsets{}
		offsets.AddOffset(l.topic, 0, end+2, -1)
		_, err := l.admin.DeleteRecords(l.ctx, offsets)
		l.must(err)
		l.must(k.Process.Signal(syscall.SIGCONT))
		l.send(maria)
		k.awaitOffset(end + 3)
	}
	l.must(k.Process.Signal(syscall.SIGTERM))
	k.finish()
	if text := k.notices(); !k.ProcessState.Success() || !strings.Contains(text, "are gone, and accepted") {
		t.Errorf("%v: %s", k.ProcessState, text)
	}
}

// A payment is booked whatever its timestamp is: one that Kafka would refuse in the ledger is booked as of another time.
// (The greatest and the least that a client can write are hundreds of thousands of years from now.)
func TestLedgerTimestamps(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.delete(l.topic)
	l.create(l.topic, 1, map[string]string{"message.timestamp.after.max.ms": fmt.Sprint(math.MaxInt64)})
	for _, at := range []int64{-1, -2, -1 << 60, 0, time.Now().Add(2 * time.Hour).UnixMilli(), 11_770_000_000_000, 1 << 60} {
		l.put(&kgo.Record{Topic: l.topic, Value: []byte(maria), Timestamp: time.UnixMilli(at)})
	}
	code, lines, notices := l.balance()
	if code != 0 || len(lines) != 7 {
		t.Errorf("code %d, %q, %s", code, lines, notices)
	}
	l.wantAudit(0, "^7 payments, 1 account, 0 missing, 0 double, 0 wrong\n")
}
