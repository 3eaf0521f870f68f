package balance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
)

const topic = "test"

// fixture is a broker with a topic of two partitions, and the events that were reported.
type fixture struct {
	*testing.T
	ctx     context.Context
	cluster *kafka.Cluster

	mu     sync.Mutex
	events []event.Event
}

func newFixture(t *testing.T) *fixture {
	t.Parallel()
	broker, err := devbroker.Start("localhost:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	f := &fixture{T: t, ctx: ctx}
	f.cluster, err = kafka.Open(kafka.Config{Brokers: []string{broker.Address()}, ClientID: "test",
		SessionTimeout: 6 * time.Second, Notice: func(text string) { t.Log(text) }})
	f.must(err)
	t.Cleanup(f.cluster.Close)
	_, err = f.cluster.CreateTopic(ctx, topic, kafka.TopicSpec{Partitions: 2})
	f.must(err)
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// send sends payments of the accounts a and b, each to its key's partition.
func (f *fixture) send(values ...string) {
	f.Helper()
	w, err := f.cluster.NewWriter(f.ctx, topic, kafka.WriterConfig{Compression: "none"})
	f.must(err)
	defer w.Close()
	for i, value := range values {
		f.must(w.Append(f.ctx, []byte{"ab"[i%2]}, []byte(value), 0, 0))
	}
	f.must(w.Flush(f.ctx))
}

func (f *fixture) report(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func (f *fixture) open(group string) *consumer.Consumer {
	f.Helper()
	c, err := consumer.Open(f.ctx, f.cluster, consumer.Config{Topic: topic, From: consumer.Offset(0), Exit: true,
		Group: group, Counts: ledger.Ours, Now: time.Now, Report: f.report})
	f.must(err)
	return c
}

// A replay adds up what is good, and counts the rest.
func TestReplay(t *testing.T) {
	f := newFixture(t)
	f.send("Ana;10;x;ENVIO", "Ana;1.50;x;RECEPCIÓN", "nothing", "Ana;2.50;x;ENVIO", "Ana;5;x;RECEPCIÓN")
	got, err := balance.Replay(f.ctx, f.open(""), balance.ReplayConfig{Initial: 100_00, Report: f.report})
	f.must(err)
	if got.Booked != 4 || got.Rejected != 1 || got.Rounded != 0 || len(f.events) != 1 {
		t.Errorf("%+v, reported %v", got, f.events)
	}
	accounts := fmt.Sprint(got.Book.Accounts())
	if want := fmt.Sprint([]bizum.Account{{Name: "a", Balance: 95_00}, {Name: "b", Balance: 99_00}}); accounts != want {
		t.Errorf("%s, want %s", accounts, want)
	}
	_, err = balance.Replay(f.ctx, f.open(""), balance.ReplayConfig{Strict: true, Report: f.report})
	if err == nil {
		t.Error("a rejected message did not end it")
	}
}

// A group books each payment once, over two runs, and an audit finds nothing wrong.
func TestGroup(t *testing.T) {
	f := newFixture(t)
	var mu sync.Mutex
	booked := 0
	config := balance.GroupConfig{Topic: topic, Group: "g", Initial: 100_00, Interval: 10 * time.Millisecond,
		Now: time.Now, Report: f.report, Show: func(c ledger.Committed) error {
			mu.Lock()
			defer mu.Unlock()
			booked += c.Booked
			return nil
		}}
	for range 2 {
		f.send("Ana;10;x;ENVIO", "Ana;1.50;x;RECEPCIÓN", "Ana;5;x;RECEPCIÓN")
		group, err := balance.OpenGroup(f.ctx, f.cluster, config)
		f.must(err)
		f.must(group.Run(f.ctx, f.open("g")))
	}
	created := []event.Event{event.TopicCreated{Topic: topic + ".g.ledger"},
		event.TopicCreated{Topic: topic + ".g.rejected"}}
	if booked != 6 || !slices.Equal(f.events[:2], created) { // what follows is that the second run goes on
		t.Errorf("%d booked, reported %v", booked, f.events)
	}
	proofs, err := balance.Audit(f.ctx, f.cluster, balance.AuditConfig{Topic: topic, Group: "g", Now: time.Now,
		Progress: func(int) {}})
	f.must(err)
	sum, err := balance.Sum("g", proofs)
	if err != nil || !sum.Right() || sum.Payments != 6 || sum.Accounts != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// What a ledger cannot be is a typed error.
func TestRefused(t *testing.T) {
	f := newFixture(t)
	config := balance.GroupConfig{Topic: topic, Group: "g", Now: time.Now, Report: f.report}
	for _, c := range []struct {
		group string
		spec  kafka.TopicSpec
		fault balance.Fault
	}{
		{"partitions", kafka.TopicSpec{Partitions: 3, Settings: map[string]string{"cleanup.policy": "compact"}},
			balance.OtherPartitions},
		{"policy", kafka.TopicSpec{Partitions: 2}, balance.OtherPolicy},
	} {
		_, err := f.cluster.CreateTopic(f.ctx, topic+"."+c.group+".ledger", c.spec)
		f.must(err)
		config.Group = c.group
		var refused *balance.TopicError
		if _, err := balance.OpenGroup(f.ctx, f.cluster, config); !errors.As(err, &refused) || refused.Fault != c.fault {
			t.Errorf("%s: %v", c.group, err)
		}
	}
	config.Group = "a group"
	if _, err := balance.OpenGroup(f.ctx, f.cluster, config); !errors.Is(err, ledger.ErrGroupName) {
		t.Errorf("%v", err)
	}
	var missing *balance.NoLedgerError
	_, err := balance.Audit(f.ctx, f.cluster, balance.AuditConfig{Topic: topic, Group: "none", Now: time.Now})
	if !errors.As(err, &missing) || missing.Group != "none" {
		t.Errorf("%v", err)
	}
}
