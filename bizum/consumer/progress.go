package consumer

import (
	"maps"
	"sync/atomic"

	"bizumctl/bizum/kafka"
)

// progress is how far the partitions of a run have come. Each partition has a goroutine of its own.
type progress map[int32]*atomic.Int64

// unread is the position of a partition that nothing was read of yet.
const unread = -1

// measure begins to note how far a run comes.
func (c *Consumer) measure() { c.ends, c.progress = maps.Clone(c.stops), newProgress(c.starts) }

func newProgress(starts map[int32]int64) progress {
	positions := make(progress, len(starts))
	for p := range starts {
		positions[p] = new(atomic.Int64)
		positions[p].Store(unread)
	}
	return positions
}

func (p progress) moved(partition int32, position int64) {
	if at := p[partition]; at != nil {
		at.Store(position)
	}
}

// following returns a deliver that notes how far it has come.
func (p progress) following(deliver func(kafka.Batch) error) func(kafka.Batch) error {
	return func(b kafka.Batch) error {
		err := deliver(b)
		p.moved(b.Partition, b.Next)
		return err
	}
}

// Positions returns how far the partitions that there were at the start have come, of which something was read. It may be
// called from any goroutine.
func (c *Consumer) Positions() map[int32]int64 {
	positions := make(map[int32]int64)
	for p, at := range c.progress {
		if position := at.Load(); position != unread {
			positions[p] = position
		}
	}
	return positions
}

// Progress returns how many messages of a run that has an end were handled, and how many there are; 0 of 0 where there is
// no end. Of a group, those are of the partitions that this process has had. It may be called from any goroutine.
func (c *Consumer) Progress() (done, of int64) {
	for p, stop := range c.ends {
		from, position := c.starts[p], c.progress[p].Load()
		if position == unread && c.config.Group != "" {
			continue
		}
		if stop > from {
			of += stop - from
			done += max(0, min(position, stop)-from)
		}
	}
	return done, of
}
