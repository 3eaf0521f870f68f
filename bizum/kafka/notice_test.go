package kafka_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"bizumctl/bizum/kafka"
)

// notes are what a person is notices.
type notes struct {
	mu   sync.Mutex
	text []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text = append(n.text, text)
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.text)
}

const (
	shortPatience = time.Second
	withinIt      = shortPatience / 4
)

// impatient is a bench whose cluster soon reports what it waits for.
func impatient(t *testing.T, address string, partitions int32) (*bench, *notes) {
	notices := new(notes)
	b := benchAt(t, address, partitions, nil)
	cluster, err := kafka.Open(kafka.Config{Brokers: []string{address}, ClientID: "bizumctl-test", Notice: notices.add})
	b.must(err)
	t.Cleanup(cluster.Close)
	cluster.SetLimits(shortPatience, 10*time.Second)
	b.cluster = cluster
	return b, notices
}

// A handler that takes long with what the broker sent is not reported as a wait for the broker.
func TestSlowHandlerIsNotSilence(t *testing.T) {
	t.Parallel()
	fake := fakeCluster(t)
	const partitions, many, large = 60, 5, 100 << 10 // more than readers may hold together
	b, notices := impatient(t, fake.ListenAddrs()[0], partitions)
	w := b.writer(kafka.WriterConfig{})
	for range partitions * many {
		b.must(w.Append(b.ctx, nil, make([]byte, large), 0, 0)) // to the partitions in turn
	}
	b.must(w.Flush(b.ctx))
	var reading sync.WaitGroup
	for p := range int32(partitions) {
		reading.Go(func() {
			seen := 0
			err := b.cluster.Read(b.ctx, b.topic, p, 0, func(batch kafka.Batch) error {
				if seen == 0 {
					time.Sleep(shortPatience * 3 / 2)
				}
				for range batch.Records {
					seen++
				}
				if batch.Next == many {
					return errDone
				}
				return nil
			})
			if !errors.Is(err, errDone) || seen != many {
				t.Errorf("partition %d: %d records, want %d: %v", p, seen, many, err)
			}
		})
	}
	reading.Wait()
	if all := notices.all(); len(all) > 0 {
		t.Errorf("%q", all)
	}
}

// A wait for a broker that does not respond is reported, and so is its end.
func TestSilenceIsReported(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]kmsg.Key{"fetch": kmsg.Fetch, "produce": kmsg.Produce} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeCluster(t)
			b, notices := impatient(t, fake.ListenAddrs()[0], 1)
			fake.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
				fake.SleepControl(func() {
					for len(notices.all()) == 0 {
						b.must(b.ctx.Err())
						time.Sleep(10 * time.Millisecond) // between two looks
					}
				})
				return nil, nil, false
			})
			b.write(b.writer(kafka.WriterConfig{}), "a")
			equal(t, b.read(0, 0, 1), []string{"a"})
			all := notices.all()
			if len(all) != 2 || !strings.HasSuffix(all[0], "no answer yet") || !strings.HasSuffix(all[1], "answers again") {
				t.Errorf("%q", all)
			}
		})
	}
}

// A partition whose batch waits for those of others on the same connection does not take the broker,
// which responds to them one after the other, for a silent one.
func TestOthersFirstIsNotSilence(t *testing.T) {
	t.Parallel()
	fake := fakeCluster(t)
	const others, sharing = 3, 4 // a connection is shared by every fourth partition
	b, notices := impatient(t, fake.ListenAddrs()[0], others*sharing+1)
	writer := func(partition int32) *kafka.Writer {
		w := b.writer(kafka.WriterConfig{Partition: &partition, Records: 1})
		b.write(w, "first")
		return w
	}
	last := writer(others * sharing)
	var first []*kafka.Writer
	for i := range int32(others) {
		first = append(first, writer(i*sharing))
	}
	var responded atomic.Int32
	second := make(chan struct{})
	fake.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		n := responded.Add(1)
		fake.SleepControl(func() { time.Sleep(withinIt) })
		if n == 2 {
			close(second)
		}
		return nil, nil, false
	})
	const inFlight = 5
	for range inFlight {
		for _, w := range first {
			b.must(w.Append(b.ctx, nil, []byte("x"), 0, 0))
		}
	}
	for _, w := range first {
		w.Push()
	}
	<-second // by now all of those are on the connection
	b.write(last, "y")
	if all := notices.all(); len(all) > 0 {
		t.Errorf("%q", all)
	}
}
