package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"bizumctl/bizum/consumer"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

const topic = "test"

// fixture is a broker with a topic of a test's own, and the events that were reported.
type fixture struct {
	*testing.T
	ctx     context.Context
	address string
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
	f := &fixture{T: t, ctx: ctx, address: broker.Address()}
	f.cluster, err = kafka.Open(kafka.Config{Brokers: []string{f.address}, ClientID: "test",
		SessionTimeout: 6 * time.Second, Notice: func(text string) { t.Log(text) }})
	f.must(err)
	t.Cleanup(f.cluster.Close)
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) create(partitions int32) {
	f.Helper()
	_, err := f.cluster.CreateTopic(f.ctx, topic, kafka.TopicSpec{Partitions: partitions})
	f.must(err)
}

// send appends the records 0 to n-1 to a partition, a second apart from the start of 1970 on.
func (f *fixture) send(partition int32, n int) {
	f.Helper()
	w, err := f.cluster.NewWriter(f.ctx, topic, kafka.WriterConfig{Partition: &partition, Compression: "none"})
	f.must(err)
	defer w.Close()
	for i := range n {
		f.must(w.Append(f.ctx, nil, fmt.Append(nil, i), int64(i)*1000, 0))
	}
	f.must(w.Flush(f.ctx))
}

// cut deletes the records of partition 0 before an offset.
func (f *fixture) cut(before int64) {
	f.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(f.address))
	f.must(err)
	defer client.Close()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, before, -1)
	_, err = kadm.NewClient(client).DeleteRecords(f.ctx, offsets)
	f.must(err)
}

// config is of a run from the beginning to the end that there is.
func (f *fixture) config(change func(*consumer.Config)) consumer.Config {
	c := consumer.Config{Topic: topic, From: consumer.Beginning(), Exit: true, Now: time.Now, Report: f.report}
	if change != nil {
		change(&c)
	}
	return c
}

func (f *fixture) report(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// run runs a consumer and returns the offsets that it handled, by partition. Handle may end it.
func (f *fixture) run(c consumer.Config, handle func(*record.Record) error) (map[int32][]int64, error) {
	f.Helper()
	opened, err := consumer.Open(f.ctx, f.cluster, c)
	f.must(err)
	got := make(map[int32][]int64)
	err = opened.Run(f.ctx, func(r *record.Record) error {
		got[r.Partition] = append(got[r.Partition], r.Offset)
		if handle == nil {
			return nil
		}
		return handle(r)
	}, func() error { return nil })
	return got, err
}

// offsets are those from first up to end.
func offsets(first, end int64) (list []int64) {
	for o := first; o < end; o++ {
		list = append(list, o)
	}
	return list
}

func (f *fixture) handled(got map[int32][]int64, err error, want ...[]int64) {
	f.Helper()
	f.must(err)
	for p, want := range want {
		if !slices.Equal(got[int32(p)], want) {
			f.Errorf("partition %d: offsets %v, want %v", p, got[int32(p)], want)
		}
	}
}

// Each bound means an offset in each partition.
func TestBounds(t *testing.T) {
	f := newFixture(t)
	f.create(1)
	f.send(0, 10)
	f.cut(2)
	now := func() time.Time { return time.UnixMilli(8000) }
	for _, c := range []struct {
		name  string
		bound consumer.Bound
		want  int64
	}{
		{"beginning", consumer.Beginning(), 2},
		{"end", consumer.End(), 10},
		{"an offset", consumer.Offset(4), 4},
		{"an offset that is gone", consumer.Offset(0), 0},
		{"an offset to come", consumer.Offset(100), 100},
		{"before the end", consumer.BeforeEnd(3), 7},
		{"before the beginning", consumer.BeforeEnd(100), 2},
		{"less than nothing before the end", consumer.BeforeEnd(math.MinInt64), 10},
		{"a time", consumer.At(time.UnixMilli(5000)), 5},
		{"between two records", consumer.At(time.UnixMilli(5001)), 6},
		{"a time to come", consumer.At(time.UnixMilli(60_000)), 10},
		{"a time before 1970", consumer.At(time.UnixMilli(-2)), 2},
		{"a while ago", consumer.Ago(2 * time.Second), 6},
	} {
		config := f.config(func(x *consumer.Config) { x.From, x.Now = c.bound, now })
		opened, err := consumer.Open(f.ctx, f.cluster, config)
		f.must(err)
		if got := opened.Starts()[0]; got != c.want {
			t.Errorf("%s: offset %d, want %d", c.name, got, c.want)
		}
	}
}

// A run reads each partition in order, up to its stop.
func TestRun(t *testing.T) {
	f := newFixture(t)
	f.create(2)
	f.send(0, 300)
	f.send(1, 5)
	got, err := f.run(f.config(nil), nil)
	f.handled(got, err, offsets(0, 300), offsets(0, 5))

	got, err = f.run(f.config(func(c *consumer.Config) { c.Until = consumer.Offset(4) }), nil)
	f.handled(got, err, offsets(0, 4), offsets(0, 4))

	got, err = f.run(f.config(func(c *consumer.Config) { c.Partitions = []int32{1} }), nil)
	f.handled(got, err, nil, offsets(0, 5))

	if len(f.events) > 0 {
		t.Errorf("reported %v", f.events)
	}
}

// ErrDone is no error, and ends the run after the record; any other error ends it too.
func TestHandlerEnds(t *testing.T) {
	f := newFixture(t)
	f.create(1)
	f.send(0, 10)
	at4 := func(err error) func(*record.Record) error {
		return func(r *record.Record) error {
			if r.Offset == 4 {
				return err
			}
			return nil
		}
	}
	got, err := f.run(f.config(nil), at4(consumer.ErrDone))
	f.handled(got, err, offsets(0, 5))
	bad := errors.New("bad")
	if got, err = f.run(f.config(nil), at4(bad)); !errors.Is(err, bad) || len(got[0]) != 5 {
		t.Errorf("%v after %d records", err, len(got[0]))
	}
}

// Where the log starts after the position, the gap is reported and reading goes on.
func TestSkipped(t *testing.T) {
	f := newFixture(t)
	f.create(1)
	f.send(0, 10)
	f.cut(3)
	got, err := f.run(f.config(func(c *consumer.Config) { c.From = consumer.Offset(0) }), nil)
	f.handled(got, err, offsets(3, 10))
	if len(f.events) != 1 {
		t.Fatalf("reported %v", f.events)
	}
	if skipped, ok := f.events[0].(event.Skipped); !ok || skipped.Next != 3 {
		t.Errorf("reported %#v", f.events[0])
	}
}

// A topic that does not come within Idle is an end that was asked for, and the wait is reported.
func TestAwaitedTopic(t *testing.T) {
	f := newFixture(t)
	config := f.config(func(c *consumer.Config) { c.Exit, c.Idle = false, 100*time.Millisecond })
	if _, err := consumer.Open(f.ctx, f.cluster, config); !errors.Is(err, consumer.ErrDone) || consumer.Failure(err) != nil {
		t.Errorf("%v", err)
	}
	want := event.Event(event.WaitingForTopic{Topic: topic, Brokers: f.cluster.Addresses()})
	if !slices.Equal(f.events, []event.Event{want}) {
		t.Errorf("reported %v, want %v", f.events, want)
	}
	if _, err := consumer.Open(f.ctx, f.cluster, f.config(nil)); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("with an end at the start: %v", err)
	}
}

// A group goes on after what its members have handled.
func TestGroup(t *testing.T) {
	f := newFixture(t)
	f.create(1)
	f.send(0, 10)
	group := func(c *consumer.Config) { c.Group = "g" }
	got, err := f.run(f.config(group), func(r *record.Record) error {
		if r.Offset == 5 {
			return consumer.ErrDone
		}
		return nil
	})
	f.handled(got, err, offsets(0, 6))
	got, err = f.run(f.config(group), nil)
	f.handled(got, err, offsets(6, 10))
	got, err = f.run(f.config(group), nil)
	f.handled(got, err, nil)
}

// RunEach reads each partition in a goroutine; the first error ends all of them.
func TestRunEach(t *testing.T) {
	f := newFixture(t)
	f.create(3)
	bad := errors.New("bad")
	opened, err := consumer.Open(f.ctx, f.cluster, f.config(func(c *consumer.Config) { c.Exit = false }))
	f.must(err)
	var ended sync.Map
	err = opened.RunEach(f.ctx, func(ctx context.Context, partition int32, _ int64) error {
		if partition == 1 {
			return bad
		}
		<-ctx.Done()
		ended.Store(partition, true)
		return ctx.Err()
	})
	_, first := ended.Load(int32(0))
	_, third := ended.Load(int32(2))
	if !errors.Is(err, bad) || !first || !third {
		t.Errorf("%v, ended %v, %v", err, first, third)
	}
}

// A run that sees nothing for so long ends, without an error.
func TestIdle(t *testing.T) {
	f := newFixture(t)
	f.create(1)
	idle := func(c *consumer.Config) { c.Exit, c.Idle = false, 50*time.Millisecond }
	got, err := f.run(f.config(idle), nil)
	f.handled(got, err, nil)
	opened, err := consumer.Open(f.ctx, f.cluster, f.config(idle))
	f.must(err)
	f.must(opened.RunEach(f.ctx, func(ctx context.Context, _ int32, _ int64) error {
		<-ctx.Done()
		return ctx.Err()
	}))
}
