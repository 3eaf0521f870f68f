package producer

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/kafka"
)

// What the headers and the journal of a receipt cost a payment at full speed.
func BenchmarkSend(b *testing.B) {
	for _, receipt := range []bool{false, true} {
		name := "plain"
		if receipt {
			name = "receipt"
		}
		b.Run(name, func(b *testing.B) { benchmarkSend(b, receipt) })
	}
}

func benchmarkSend(b *testing.B, receipt bool) {
	address := os.Getenv("BIZUMCTL_TEST_BROKERS")
	if address == "" {
		broker, err := devbroker.Start("localhost:0", "")
		if err != nil {
			b.Fatal(err)
		}
		defer broker.Close()
		address = broker.Address()
	}
	cluster, err := kafka.Open(kafka.Config{Brokers: []string{address}, ClientID: "test",
		SessionTimeout: 6 * time.Second, Notice: func(text string) { b.Log(text) }})
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	if _, _, err := EnsureTopic(b.Context(), cluster, "bench", 1); err != nil {
		b.Fatal(err)
	}
	names, concepts := [][]byte{[]byte("Maria"), []byte("Ana")}, [][]byte{[]byte("Cena"), []byte("Regalo")}
	plan := Plan{Mode: Unpaced, Count: int64(b.N)}
	run := New(Config{Plan: plan, Now: time.Now})
	recorder := NewRecorder(filepath.Join(b.TempDir(), "run.json"), &check.Receipt{Run: "0123456789abcdef",
		Stream: check.NewStream(check.Stream{Seed: 1, Accounts: 1}, names, concepts)}, time.Now)
	writer, err := cluster.NewWriter(b.Context(), "bench", kafka.WriterConfig{Acked: func(a kafka.Ack) {
		run.Acked(a)
		recorder.Acked(a)
	}, Compression: "none"})
	if err != nil {
		b.Fatal(err)
	}
	defer writer.Close()
	to := ToTopic(writer)
	if receipt {
		to = RecordedTopic(recorder, writer, plan, nil, nil)
	}
	b.ResetTimer()
	if err := run.Run(b.Context(), Made(bizum.NewGenerator(1, names, concepts, 1)), to); err != nil {
		b.Fatal(err)
	}
}
