package kafka_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The ends of many partitions are asked for at once, so that they are known in time when the way to the brokers is long.
func TestEndsOfManyPartitions(t *testing.T) {
	const partitions, brokers = 60, 3
	fake := fakeCluster(t, kfake.NumBrokers(brokers))
	var asked atomic.Int64
	fake.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked.Add(1)
		time.Sleep(50 * time.Millisecond) // a long way
		return nil, nil, false
	})
	b := benchAt(t, fake.ListenAddrs()[0], partitions, nil)
	ends, err := b.cluster.Ends(b.ctx, b.topic)
	if err != nil || len(ends) != partitions {
		t.Fatalf("%d ends, %v", len(ends), err)
	}
	if n := asked.Load(); n > brokers {
		t.Errorf("%d requests to %d brokers", n, brokers)
	}
}
