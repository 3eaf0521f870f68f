package devbroker_test

import (
	"context"
	"testing"

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
