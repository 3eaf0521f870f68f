package commands_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// afterLines is standard output that calls a function once, when it has so many lines.
type afterLines struct {
	bytes.Buffer
	lines int
	call  func()
}

func (w *afterLines) Write(text []byte) (int, error) {
	n, err := w.Buffer.Write(text)
	if w.call != nil && bytes.Count(w.Bytes(), []byte("\n")) >= w.lines {
		w.call()
		w.call = nil
	}
	return n, err
}

// groupRun consumes ten bizums in group g on a broker that can be told to fail, with more arguments, and returns what
// came of it and the position that is committed afterwards. Without an argument that ends it, it is interrupted after
// the tenth.
func groupRun(t *testing.T, prepare func(*kfake.Cluster, *kadm.Client), args ...string) (code int, lines int, errors string, position int64) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fake := fakeTopic(t, nil)
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for range 10 {
		r := &kgo.Record{Topic: "bizums", Value: []byte("Ana;10;Cine;ENVIO")}
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	admin := kadm.NewClient(client)
	prepare(fake, admin)
	stdout := afterLines{lines: 10}
	if len(args) == 0 {
		stdout.call = cancel
	}
	code, errors = runOn(ctx, fake, nil, &stdout, append([]string{"consume", "--group", "g", "--raw"}, args...)...)
	if errors == "" && ctx.Err() == context.DeadlineExceeded {
		errors = "it did not end"
	}
	offsets, err := admin.FetchOffsets(context.Background(), "g")
	if err != nil {
		t.Fatal(err)
	}
	position = -1
	if offset, ok := offsets.Lookup("bizums", 0); ok {
		position = offset.At
	}
	return code, strings.Count(stdout.String(), "\n"), errors, position
}

// A position beyond the end of the log is an error, not a jump.
func TestGroupBeyondEnd(t *testing.T) {
	code, lines, errors, position := groupRun(t, func(_ *kfake.Cluster, admin *kadm.Client) {
		offsets := kadm.Offsets{}
		offsets.AddOffset("bizums", 0, 100, -1)
		if err := admin.CommitAllOffsets(context.Background(), "g", offsets); err != nil {
			t.Fatal(err)
		}
	})
	if code != 1 || lines != 0 || position != 100 || !strings.Contains(errors, "ends at offset 10, before position 100") {
		t.Errorf("code %d, %d lines, position %d, %s", code, lines, position, errors)
	}
}

// A commit that is refused once is tried again.
func TestGroupCommitRefusedOnce(t *testing.T) {
	code, lines, errors, position := groupRun(t, func(fake *kfake.Cluster, _ *kadm.Client) {
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.NotCoordinator, Count: 1})
	})
	if code != 0 || lines != 10 || position != 10 {
		t.Errorf("code %d, %d lines, position %d, %s", code, lines, position, errors)
	}
}

// When positions cannot be committed, the run is no success.
func TestGroupCommitRefused(t *testing.T) {
	code, lines, errors, position := groupRun(t, func(fake *kfake.Cluster, _ *kadm.Client) {
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.NotCoordinator, Count: -1})
	})
	if code != 1 || lines != 10 || position != -1 || !strings.Contains(errors, "the last 10 bizums may not be committed") {
		t.Errorf("code %d, %d lines, position %d, %s", code, lines, position, errors)
	}
}

// The last position is committed, however long that takes, for the end of the group is known by it.
func TestGroupCommitRefusedForLong(t *testing.T) {
	code, lines, errors, position := groupRun(t, func(fake *kfake.Cluster, _ *kadm.Client) {
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.NotCoordinator, Count: 14})
	}, "--exit")
	if code != 0 || lines != 10 || position != 10 {
		t.Errorf("code %d, %d lines, position %d, %s", code, lines, position, errors)
	}
}

// With --from end, a partition that is added later is still read from its beginning.
func TestGroupNewPartition(t *testing.T) {
	t.Parallel()
	fake := fakeTopic(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	produce := func(partition int32, value string) *kgo.Client {
		t.Helper()
		client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		r := &kgo.Record{Topic: "bizums", Partition: partition, Value: []byte(value)}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		return client
	}
	admin := kadm.NewClient(produce(0, "left out"))
	read, write := io.Pipe()
	var notices string
	ended := make(chan int, 1)
	running, stop := context.WithCancel(ctx)
	go func() {
		var code int
		code, notices = runOn(running, fake, nil, write, "consume", "--group", "g", "--from", "end", "--raw")
		write.Close()
		ended <- code
	}()
	for { // until it is in the group, and so has found its ends
		groups, err := admin.DescribeGroups(ctx, "g")
		if err != nil {
			t.Fatal(err)
		}
		if groups["g"].State == "Stable" {
			break
		}
		time.Sleep(10 * time.Millisecond) // between two questions
	}
	if _, err := admin.CreatePartitions(ctx, 1, "bizums"); err != nil {
		t.Fatal(err)
	}
	produce(1, "first of the new partition")
	line, _ := bufio.NewReader(read).ReadString('\n')
	stop()
	if code := <-ended; code != 0 || line != "first of the new partition\n" {
		t.Errorf("code %d, %q, %s", code, line, notices)
	}
}
