package devbroker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/devbroker"
)

// Java's client describes topics by another request only where this one is not offered.
func TestNoDescribeTopicPartitions(t *testing.T) {
	broker, err := devbroker.Start("localhost:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Address()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	response, err := kmsg.NewPtrApiVersionsRequest().RequestWith(context.Background(), client)
	if err != nil || len(response.ApiKeys) < 30 {
		t.Fatalf("%v, %v", response, err)
	}
	for _, key := range response.ApiKeys {
		if key.ApiKey == int16(kmsg.DescribeTopicPartitions) {
			t.Error("the broker offers DescribeTopicPartitions")
		}
	}
}

// start starts a broker, and a client of it.
func start(t *testing.T, c devbroker.Config) (*devbroker.Broker, *kgo.Client) {
	t.Helper()
	broker, err := c.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Address()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return broker, client
}

// TestTopicNames: the broker takes the names that Kafka takes.
func TestTopicNames(t *testing.T) {
	_, client := start(t, devbroker.Config{Listen: "localhost:0"})
	admin := kadm.NewClient(client)
	for _, name := range []string{"a b", "x/../../evil", "..", "ñ", strings.Repeat("t", 250)} {
		if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, name); !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, "a.b_c-D9"); err != nil {
		t.Error(err)
	}
	topics, err := admin.ListTopics(t.Context())
	if err != nil || len(topics) != 1 {
		t.Errorf("topics %v, %v", topics.Names(), err)
	}
}

// TestKeep: of a topic the last bytes are kept, of one that is compacted all, and where nothing is said all.
func TestKeep(t *testing.T) {
	const keep, value, records = 64 << 10, 1 << 10, 200
	for _, limit := range []int64{keep, 0} {
		_, client := start(t, devbroker.Config{Listen: "localhost:0", Keep: limit})
		admin, forever, compact := kadm.NewClient(client), "-1", "compact"
		for topic, settings := range map[string]map[string]*string{
			"made":   {"retention.ms": &forever},
			"all":    {"retention.bytes": &forever},
			"ledger": {"cleanup.policy": &compact},
		} {
			if _, err := admin.CreateTopic(t.Context(), 1, 1, settings, topic); err != nil {
				t.Fatal(err)
			}
			for i := range records {
				r := &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: make([]byte, value)}
				if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		first := func(topic string) int64 {
			offsets, err := admin.ListStartOffsets(t.Context(), topic)
			if err != nil {
				t.Fatal(err)
			}
			at, _ := offsets.Lookup(topic, 0)
			return at.Offset
		}
		for began := time.Now(); limit > 0 && first("made") == 0 && time.Since(began) < 20*time.Second; {
			time.Sleep(10 * time.Millisecond)
		}
		wanted := map[string]int64{"made": 0, "all": 0, "ledger": 0}
		if kept := records - first("made"); limit > 0 {
			wanted["made"] = first("made")
			if kept*value > keep || kept*value < keep/2 {
				t.Errorf("%d records are kept, of %d bytes each", kept, value)
			}
		}
		for topic, want := range wanted {
			if got := first(topic); got != want {
				t.Errorf("keep %d: %s begins at %d, want %d", limit, topic, got, want)
			}
		}
	}
}

// TestForeignFolder: only a folder that is empty, or a broker's already, is written.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		broker, err := devbroker.Start("localhost:0", dir)
		if err != nil {
			t.Fatal(err)
		}
		broker.Close()
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broker, err := devbroker.Start("localhost:0", dir)
	if wrong := new(devbroker.ForeignFolderError); !errors.As(err, &wrong) || wrong.Dir != dir {
		t.Errorf("%v, %v", broker, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the folder has %v", entries)
	}
}

// TestAdvertise: clients are told an address that they can reach, or the one that was asked for.
func TestAdvertise(t *testing.T) {
	for _, c := range []struct {
		config devbroker.Config
		want   string
		open   bool
	}{
		{devbroker.Config{Listen: "127.0.0.1:0"}, `^127\.0\.0\.1:\d+$`, false},
		{devbroker.Config{Listen: "127.0.0.1:0", Advertise: "localhost"}, `^localhost:\d+$`, false},
		{devbroker.Config{Listen: "0.0.0.0:0"}, `^[^:]*[^:.0][^:]*:\d+$`, true},
		{devbroker.Config{Listen: ":0"}, `^([^:[]|\[.*[^:0].*\])+:\d+$`, true},
		{devbroker.Config{Listen: "0.0.0.0:0", Advertise: "kafka.example:1234"}, `^kafka\.example:1234$`, true},
		{devbroker.Config{Listen: "0.0.0.0:0", Advertise: "::1"}, `^\[::1\]:\d+$`, true},
	} {
		broker, err := c.config.Start()
		if err != nil {
			t.Fatal(err)
		}
		if got := broker.Address(); !regexp.MustCompile(c.want).MatchString(got) || broker.Open() != c.open {
			t.Errorf("%+v: %s, open %v", c.config, got, broker.Open())
		}
		broker.Close()
	}
}
