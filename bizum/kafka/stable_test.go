package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What an open transaction holds back is waited for, but not for ever, and not what is written meanwhile.
func TestAwaitStable(t *testing.T) {
	b := newBench(t, 2)
	b.produce(0, "a")
	behind, err := b.cluster.AwaitStable(b.ctx, b.topic, time.Minute, func(int64) { t.Error("waits for nothing") })
	if b.must(err); behind != 0 {
		t.Errorf("%d offsets behind nothing", behind)
	}
	client := b.client(b.address, kgo.TransactionalID(b.topic))
	begin := func() {
		b.must(client.BeginTransaction())
		b.must(client.ProduceSync(b.ctx, &kgo.Record{Topic: b.topic, Partition: 1, Value: []byte("b")}).FirstErr())
	}
	begin()
	b.produce(1, "c", "d")
	if behind, err = b.cluster.AwaitStable(b.ctx, b.topic, 0, nil); err != nil || behind != 3 {
		t.Errorf("%d offsets behind an open transaction, %v, want 3", behind, err)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	if _, err = b.cluster.AwaitStable(ctx, b.topic, time.Minute, func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	behind, err = b.cluster.AwaitStable(b.ctx, b.topic, time.Minute, func(int64) {
		b.must(client.EndTransaction(b.ctx, kgo.TryCommit))
		begin() // which is not waited for
	})
	if err != nil || behind != 0 {
		t.Errorf("%d offsets behind a transaction that ended, %v", behind, err)
	}
	b.must(client.EndTransaction(b.ctx, kgo.TryAbort))
}
