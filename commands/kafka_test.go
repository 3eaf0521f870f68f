package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestOnKafka checks that the broker tests run on a real Kafka, if they should.
func TestOnKafka(t *testing.T) {
	if realBrokers == "" {
		t.Skip("the broker tests run on embedded brokers only: BIZUMCTL_TEST_BROKERS is not set. " +
			"With Java 17 and Maven, .ci/kafka start runs an Apache Kafka and prints its address")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(realBrokers))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if metadata, err := kadm.NewClient(client).BrokerMetadata(ctx); err != nil || metadata.Cluster == "kfake" {
		t.Errorf("cluster %q, %v: want an Apache Kafka", metadata.Cluster, err)
	}
}
