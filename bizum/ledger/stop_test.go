package ledger

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// single is the Log of a topic of some messages, read one at a time, and the Output of a ledger that was empty.
type single struct {
	messages  int64
	committed []int64
	at        func(position int64) // called when a position was committed
}

func (s *single) Committed(context.Context) (int64, string, error) { return none, "", nil }
func (s *single) Bounds(_ context.Context, topic string) (start, end int64, err error) {
	if topic == topics.Source {
		end = s.messages
	}
	return 0, end, nil
}

func (s *single) ReadSource(ctx context.Context, position int64,
	deliver func(next int64, records iter.Seq[*record.Record]) error) error {
	for ; position < s.messages; position++ {
		r := &record.Record{Position: record.Position{Offset: position}, Value: []byte("Maria;20;Cena;ENVIO")}
		if err := deliver(position+1, slices.Values([]*record.Record{r})); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *single) ReadToEnd(context.Context, string, int32, int64, func(*record.Record) error) (start, end int64, err error) {
	return 0, 0, nil
}

func (s *single) AwaitStable(context.Context) error   { return nil }
func (s *single) Fence(context.Context) error         { return nil }
func (s *single) Begin(context.Context, string) error { return nil }
func (s *single) Write(context.Context, string, []byte, []byte, int64, ...record.Header) error {
	return nil
}
func (s *single) Flush(context.Context) error { return nil }
func (s *single) NextOffset(string) int64     { return 1 }
func (s *single) Commit(_ context.Context, position int64, _ string) error {
	s.committed = append(s.committed, position)
	s.at(position)
	return nil
}
func (s *single) End(context.Context, bool) error { return nil }

// TestStop: what a run waits for is committed at once, and what comes before and after it when the interval is over.
func TestStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &single{messages: 5}
	s.at = func(position int64) {
		if position == 3 {
			cancel()
		}
	}
	now := time.Unix(1_800_000_000, 0)
	l := &Ledger{Heading: Heading{"id", 1, 0}, Topics: topics, Interval: time.Hour, PartitionOf: partitionOf,
		Now: func() time.Time { return now }, After: func(time.Duration) <-chan time.Time { return nil },
		Ready: func(int32) {}, Report: func(event.Event) {}, Show: func(Committed) error { return nil },
		Stop: func(int32) int64 { return 3 }}
	if err := l.Run(ctx, 0, s, s); err != nil {
		t.Fatal(err)
	}
	// The heading comes first; and what was booked when the run was over, last.
	if want := []int64{0, 3}; !slices.Equal(s.committed[:2], want) {
		t.Errorf("committed: %v, want %v first", s.committed, want)
	}
}
