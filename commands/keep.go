package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/archive"
	"bizumctl/bizum/event"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// keeper files one partition as long as it is ours.
type keeper struct {
	*filing
	part      *archive.Part
	partition int32
	commit    func(ctx context.Context, position int64) error // to the group, if there is one

	first     int64            // what comes before it is not wanted
	committed int64            // position
	due       <-chan time.Time // when the file is old enough
	row       format.Row
}

// keep reads the partition and files it, until it comes to its stop, ctx ends or something fails. Whatever ends it,
// what was read is published, unless it is the disk that failed.
func (k *keeper) keep(ctx context.Context, from int64) error {
	position, known := k.part.Next()
	var err error
	if !known {
		k.first = from
		if position, err = k.within(ctx, k.partition, from); err == nil {
			k.part.Begin(position)
		}
	}
	if err == nil {
		k.committed = -1
		err = k.read(ctx, position)
	}
	err = unlessAsked(cmp.Or(k.publish(), err))
	late, cancel := outlast(ctx, lastCommitWithin)
	defer cancel()
	_ = k.tell(late) // should it fail, the folder knows better
	return cmp.Or(err, k.part.Release())
}

// read files batches. Their reader waits until each is filed, and fetches the next one meanwhile.
func (k *keeper) read(ctx context.Context, position int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches, filed, ended := make(chan kafka.Batch), make(chan struct{}), make(chan struct{})
	defer close(ended)
	var failed error
	go func() {
		defer close(batches)
		failed = k.readFrom(ctx, k.partition, position, func(b kafka.Batch) error {
			select {
			case batches <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
			select { // it is good only as long as this has not returned, even if ctx ends
			case <-filed:
			case <-ended:
			}
			return nil
		})
	}()
	end, ends := k.stops[k.partition]
	for !ends || position < end {
		select {
		case b, more := <-batches:
			if !more {
				return failed
			}
			if err := k.file(b); err != nil {
				return err
			}
			position = b.Next
			filed <- struct{}{}
		case <-k.due:
			if err := k.publish(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := k.tell(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tell commits to the group how far the partition is filed.
func (k *keeper) tell(ctx context.Context) error {
	position, known := k.part.Next()
	if !known || !k.part.Empty() || position == k.committed {
		return nil
	}
	k.committed = position
	return k.commit(ctx, position)
}

// file files the records of a batch, up to the partition's stop.
func (k *keeper) file(b kafka.Batch) error {
	if b.Next <= k.first {
		return nil // the log has not come to where the folder begins
	}
	if next, _ := k.part.Next(); next < k.first {
		k.part.Begin(k.first)
	}
	stop, stops := k.stops[k.partition]
	if !stops {
		stop = math.MaxInt64
	}
	b.Limit(k.first, stop)
	seen := false
	for r := range b.Records {
		seen = true
		if err := k.record(r); err != nil {
			return err
		}
		if k.due == nil {
			k.due = time.After(k.options.age)
		}
		if k.part.Full() {
			if err := k.publish(); err != nil {
				return err
			}
		}
	}
	if seen {
		k.waiting.Stop()
		if k.idling != nil {
			k.idling.Reset(k.idle)
		}
		k.progress()
	}
	k.part.MoveTo(min(b.Next, stop))
	return nil
}

func (k *keeper) record(r *record.Record) error {
	p, err := bizum.ParsePayment(r.Value)
	if err == nil {
		row := &k.row
		row.Payment, row.Partition, row.Offset, row.Timestamp = p, k.partition, r.Offset, r.Timestamp
		if account := row.Account; account == "" || account != string(r.Key) { // mostly that of the row before
			row.Account = bizum.AccountOf(r.Key)
		}
		err = k.part.Put(row)
		if err == nil {
			k.rows.Add(1)
			if p.Rounded {
				k.rounded.Add(1)
			}
			return nil
		}
		if !errors.Is(err, format.ErrLineBreak) {
			return err
		}
	}
	if k.options.bad == "stop" {
		return fmt.Errorf("message at %v: %w", r.Position, err)
	}
	k.console.Report(event.Rejected{Position: r.Position, Reason: err})
	k.bad.Add(1)
	return k.part.Reject(r.Offset, err, r.Value)
}

// publish closes the file that is open.
func (k *keeper) publish() error {
	k.due = nil
	file, err := k.part.Publish()
	if err != nil || file.Name == "" {
		return err
	}
	k.made.Add(1)
	rejected := ""
	if file.Rejected > 0 {
		rejected = fmt.Sprintf(", %d rejected", file.Rejected)
	}
	k.console.Noticef("closed %s: %s%s, %s", file.Name, console.Plural(file.Rows, "bizum", "bizums"), rejected, short(file.Bytes))
	return nil
}

// short is a size in few digits.
func short(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
