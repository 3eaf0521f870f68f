package consumer

import (
	"context"
	"time"

	"bizumctl/bizum/kafka"
)

// Bound is a place in every partition of a topic, at which reading begins or ends. The zero Bound is none.
type Bound struct {
	kind   kind
	offset int64 // atOffset: it; beforeEnd: how many before
	time   time.Time
	ago    time.Duration
}

type kind int

const (
	none kind = iota
	atOffset
	atStart
	beforeEnd
	atTime
	sinceAgo
)

// Beginning returns the first offset that each partition still has.
func Beginning() Bound { return Bound{kind: atStart} }

// End returns the end that each partition has when it is asked for.
func End() Bound { return BeforeEnd(0) }

// Offset returns the same offset in each partition, whether it exists or not.
func Offset(offset int64) Bound { return Bound{kind: atOffset, offset: offset} }

// BeforeEnd returns the place n offsets before the end of each partition, or its first offset if it has fewer.
func BeforeEnd(n int64) Bound { return Bound{kind: beforeEnd, offset: max(n, 0)} }

// At returns the first record of each partition with at least this timestamp.
func At(t time.Time) Bound { return Bound{kind: atTime, time: t} }

// Ago returns what At returns for a time so long before now, whenever it is asked for.
func Ago(d time.Duration) Bound { return Bound{kind: sinceAgo, ago: d} }

// exists reports whether there is a bound at all.
func (b Bound) exists() bool { return b.kind != none }

// moment returns the time of a bound that is one.
func (b Bound) moment(now time.Time) (t time.Time, isTime bool) {
	if b.kind == sinceAgo {
		return now.Add(-b.ago), true
	}
	return b.time, b.kind == atTime
}

// untilThen returns how long it is until a bound that is a time to come; what it means is known only then.
func (b Bound) untilThen(now time.Time) (left time.Duration, future bool) {
	t, isTime := b.moment(now)
	return t.Sub(now), isTime && t.After(now)
}

// resolve returns the offset of a bound in a partition. An offset beyond the end stays what it is.
func (b Bound) resolve(ctx context.Context, cluster *kafka.Cluster, topic string, partition int32,
	now time.Time) (int64, error) {
	switch b.kind {
	case atOffset:
		return b.offset, nil
	case atStart:
		return cluster.Offset(ctx, topic, partition, kafka.Start)
	case beforeEnd:
		end, err := cluster.Offset(ctx, topic, partition, kafka.End)
		if err != nil || b.offset == 0 {
			return end, err
		}
		start, err := cluster.Offset(ctx, topic, partition, kafka.Start)
		return max(end-b.offset, start), err
	case atTime, sinceAgo:
		t, _ := b.moment(now)
		return cluster.Offset(ctx, topic, partition, max(t.UnixMilli(), 0)) // below, numbers have meanings of their own
	}
	panic("consumer: internal error: no bound to resolve")
}
