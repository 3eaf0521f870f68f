package ledger

import (
	"context"
	"errors"
	"iter"

	"bizumctl/bizum/record"
)

func (k *auditor) entries(ctx context.Context) *cursor {
	return newCursor(k.Topics.Entries, func(yield func(*written) bool) error {
		headed := false
		var w written
		_, _, err := k.readEntries(ctx, 0, func(r *record.Record) error {
			w = written{place: r.Offset, key: r.Key, value: r.Value, offset: none}
			if headed {
				w.entry, w.fault = parsePosted(r.Value)
				w.offset = w.entry.offset
				if w.fault == nil && len(r.Key) == 0 {
					w.fault = errors.New("an entry without an account")
				}
			}
			headed = true
			return orStopped(yield(&w))
		})
		return err
	})
}

func (k *auditor) rejections(ctx context.Context) *cursor {
	return newCursor(k.Topics.Rejected, func(yield func(*written) bool) error {
		return k.readRejected(ctx, func(place, origin int64) error {
			return orStopped(yield(&written{place: place, offset: origin}))
		})
	})
}

// readEntries calls each for the records of the ledger, as Log.ReadToEnd does.
func (k *auditor) readEntries(ctx context.Context, from int64,
	each func(*record.Record) error) (start, end int64, err error) {
	return k.log.ReadToEnd(ctx, k.Topics.Entries, k.number, from, each)
}

// readRejected calls each for the rejected messages: with their offsets among them, and in the source.
func (k *auditor) readRejected(ctx context.Context, each func(offset, origin int64) error) error {
	_, _, err := k.log.ReadToEnd(ctx, k.Topics.Rejected, k.number, 0, func(r *record.Record) error {
		origin, err := rejectedOffset(r)
		if err != nil {
			return err
		}
		return each(r.Offset, origin)
	})
	return err
}

// cursor goes through records one at a time; now is nil after the last, and changes with the next.
type cursor struct {
	topic string
	now   *written
	last  int64 // offset of the one before
	err   error
	next  func() (*written, bool)
	stop  func()
}

var errStopped = errors.New("stopped")

func orStopped(on bool) error {
	if on {
		return nil
	}
	return errStopped
}

func newCursor(topic string, read func(yield func(*written) bool) error) *cursor {
	c := &cursor{topic: topic, last: none}
	c.next, c.stop = iter.Pull(func(yield func(*written) bool) {
		if err := read(yield); !errors.Is(err, errStopped) {
			c.err = err
		}
	})
	c.advance()
	c.last = none
	return c
}

func (c *cursor) advance() {
	if c.now != nil && c.now.fault == nil {
		c.last = max(c.last, c.now.offset)
	}
	c.now, _ = c.next() // nil after the last
}
