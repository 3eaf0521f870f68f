package compare

import (
	"context"

	"bizumctl/bizum/consumer"
	"bizumctl/bizum/record"
)

// Topic compares the records of a topic up to the stops that it has when it is first opened. Open opens it,
// once for each time that it is read.
func Topic(ctx context.Context, open func(context.Context) (*consumer.Consumer, error), config Config) error {
	r := newReader(config)
	var stops map[int32]int64
	return passes(ctx, config.Comparison, func() error {
		topic, err := open(ctx)
		if err != nil {
			return err
		}
		if stops == nil {
			stops = topic.Stops()
		}
		err = topic.Run(ctx, func(m *record.Record) error {
			if m.Offset >= stops[m.Partition] { // it has come since
				return nil
			}
			return r.record(m)
		}, func() error { return nil })
		if err == nil {
			err = ctx.Err() // else the rest would seem to be missing
		}
		return err
	})
}
