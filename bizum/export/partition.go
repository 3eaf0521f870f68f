package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/archive"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
)

// partition writes one partition as long as it is ours.
type partition struct {
	export  *export
	archive *archive.Part
	number  int32
	commit  func(ctx context.Context, position int64) error // to the group, if there is one

	first     int64            // what comes before it is not wanted
	committed int64            // position
	due       <-chan time.Time // when the file is old enough
	row       format.Row
}

func newPartition(x *export, part *archive.Part, number int32,
	commit func(ctx context.Context, position int64) error) *partition {
	return &partition{export: x, archive: part, number: number, commit: commit, committed: -1}
}

// run reads the partition and writes it, until it comes to its stop, ctx ends or something fails. Whatever ends it,
// what was read is published, unless it is the disk that failed.
func (p *partition) run(ctx context.Context, from int64) error {
	position, known := p.archive.Next()
	var err error
	if known {
		p.export.topic.ReportResumed("folder "+p.export.config.Dir, p.number, position)
	} else {
		p.first = from
		if position, err = p.export.topic.Within(ctx, p.number, from); err == nil {
			p.archive.Begin(position)
		}
	}
	if err == nil {
		err = p.read(ctx, position)
	}
	published := p.publish()
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommitWithin)
	defer cancel()
	_ = p.commitPublished(late) // should it fail, the folder knows better
	released := p.archive.Release()
	return cmp.Or(consumer.Failure(cmp.Or(published, err)), released)
}

// read writes batches. Their reader waits until each is written, and fetches the next one meanwhile.
func (p *partition) read(ctx context.Context, position int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches, written, ended := make(chan kafka.Batch), make(chan struct{}), make(chan struct{})
	defer close(ended)
	var failed error
	go func() {
		defer close(batches)
		failed = p.export.topic.Read(ctx, p.number, position, func(b kafka.Batch) error {
			select {
			case batches <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
			select { // it is good only as long as this has not returned, even if ctx ends
			case <-written:
			case <-ended:
			}
			return nil
		})
	}()
	for end := p.export.topic.StopOf(p.number); position < end; {
		select {
		case b, more := <-batches:
			if !more {
				return failed
			}
			if err := p.write(b); err != nil {
				return err
			}
			position = b.Next
			written <- struct{}{}
		case <-p.due:
			if err := p.publish(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := p.commitPublished(ctx); err != nil {
			return err
		}
	}
	return nil
}

// commitPublished commits to the group how far the partition is published.
func (p *partition) commitPublished(ctx context.Context) error {
	position, known := p.archive.Next()
	if !known || !p.archive.Empty() || position == p.committed {
		return nil
	}
	p.committed = position
	return p.commit(ctx, position)
}

// write writes the records of a batch, up to the partition's stop.
func (p *partition) write(b kafka.Batch) error {
	if b.Next <= p.first {
		return nil // the log has not come to where the folder begins
	}
	if next, _ := p.archive.Next(); next < p.first {
		p.archive.Begin(p.first)
	}
	stop := p.export.topic.StopOf(p.number)
	b.Limit(p.first, stop)
	seen := false
	for r := range b.Records {
		seen = true
		if err := p.record(r); err != nil {
			return err
		}
		if p.due == nil {
			p.due = time.After(p.export.config.Age)
		}
		if p.archive.Full() {
			if err := p.publish(); err != nil {
				return err
			}
		}
	}
	if seen {
		p.export.topic.Seen()
		p.export.reportProgress()
	}
	p.archive.MoveTo(min(b.Next, stop))
	return nil
}

func (p *partition) record(r *record.Record) error {
	payment, err := bizum.ParsePayment(r.Value)
	if err == nil {
		row := &p.row
		row.Payment, row.Partition, row.Offset, row.Timestamp = payment, p.number, r.Offset, r.Timestamp
		if account := row.Account; account == "" || account != string(r.Key) { // mostly that of the row before
			row.Account = bizum.AccountOf(r.Key)
		}
		err = p.archive.Put(row)
		if err == nil {
			p.export.rows.Add(1)
			if payment.Rounded {
				p.export.rounded.Add(1)
			}
			return nil
		}
		if !errors.Is(err, format.ErrLineBreak) {
			return err
		}
	}
	if p.export.config.Strict {
		return fmt.Errorf("message at %v: %w", r.Position, err)
	}
	p.export.config.Report(event.Rejected{Position: r.Position, Reason: err, Value: r.Value})
	p.export.rejected.Add(1)
	return p.archive.Reject(r.Offset, err, r.Value)
}

// publish closes the file that is open.
func (p *partition) publish() error {
	p.due = nil
	file, err := p.archive.Publish()
	if err != nil || file.Name == "" {
		return err
	}
	p.export.files.Add(1)
	p.export.config.Report(event.FileClosed(file))
	return nil
}
