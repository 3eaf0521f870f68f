package compare_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"bizumctl/bizum/check"
	"bizumctl/bizum/compare"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
)

// sentTo sends a run with its headers into a topic.
func sentTo(t testing.TB, cluster *kafka.Cluster, topic string, partitions int32, sent int64, accounts int) *check.Receipt {
	t.Helper()
	ctx := context.Background()
	if _, err := cluster.CreateTopic(ctx, topic, kafka.TopicSpec{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	writer, err := cluster.NewWriter(ctx, topic, kafka.WriterConfig{Compression: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	names := [][]byte{[]byte("Ana"), []byte("Íñigo")}
	r := &check.Receipt{Run: "5f3a9c1d", Sent: sent, Stream: check.NewStream(check.Stream{Seed: 7, Accounts: accounts},
		names, names)}
	generator := r.Stream.Generator()
	run := []byte(r.Run)
	for n := range sent {
		key, p := generator.Next()
		err := writer.Append(ctx, key, p.Append(nil), 1, 0, kafka.Header{Key: check.HeaderRun, Value: run},
			kafka.Header{Key: check.HeaderN, Value: fmt.Append(nil, n)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Summarize(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

func newCluster(t testing.TB) *kafka.Cluster {
	t.Helper()
	broker, err := devbroker.Start("localhost:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	cluster, err := kafka.Open(kafka.Config{Brokers: []string{broker.Address()}, ClientID: "test",
		Notice: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// compared compares a topic and returns the report, and whether the promise was kept.
func compared(t testing.TB, cluster *kafka.Cluster, topic string, config check.Config) (*check.Report, bool) {
	t.Helper()
	comparison, err := check.New(config)
	if err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context) (*consumer.Consumer, error) {
		return consumer.Open(ctx, cluster, consumer.Config{Topic: topic, From: consumer.Beginning(), Exit: true,
			Now: time.Now, Report: func(event.Event) {}})
	}
	if err := compare.Topic(context.Background(), open, compare.Config{Comparison: comparison}); err != nil {
		t.Fatal(err)
	}
	report := comparison.Report()
	return report, report.Judge(&config, nil)
}

// Partitions come at speeds of their own, and each payment is found.
func TestTopic(t *testing.T) {
	cluster := newCluster(t)
	for _, partitions := range []int32{1, 7} {
		topic := fmt.Sprint("topic-", partitions)
		r := sentTo(t, cluster, topic, partitions, 150_000, 50)
		for _, by := range []check.Naming{check.ByNumber, check.ByValue} {
			report, kept := compared(t, cluster, topic, check.Config{Receipts: []*check.Receipt{r}, By: by})
			if !kept || report.Distinct != r.Sent {
				t.Errorf("%d partitions, naming %d: %d of %d, %+v", partitions, by, report.Distinct, r.Sent, report.Findings)
			}
		}
	}
}

func BenchmarkTopic(b *testing.B) {
	cluster := newCluster(b)
	for _, partitions := range []int32{1, 16} {
		topic := fmt.Sprint("topic-", partitions)
		var r *check.Receipt
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			const sent = 2_000_000
			if r == nil {
				r = sentTo(b, cluster, topic, partitions, sent, 1000)
			}
			for b.Loop() {
				if _, kept := compared(b, cluster, topic, check.Config{Receipts: []*check.Receipt{r}}); !kept {
					b.Fatal("not kept")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sent, "ns/record")
		})
	}
}
