package ledger

import (
	"context"
	"fmt"

	"bizumctl/bizum/record"
)

// takeOver makes the partition ours and finds out where to go on. Each step is taken only when the one before is done:
// what is read before the former owner is fenced, or while its last transaction is being completed, may change again.
// Only what is begun outlasts ctx, in steps.
func (k *keeper) takeOver(ctx, steps context.Context) error {
	if err := k.Fence(ctx); err != nil {
		return err
	}
	at("fenced")
	committed, words, err := k.Partition.Committed(ctx)
	if err != nil {
		return err
	}
	at("position")
	if err := k.restore(ctx); err != nil {
		return err
	}
	at("restored")
	if k.position, err = k.goOnAt(ctx, committed, words); err != nil {
		return err
	}
	if k.committed = committed; k.position != committed || words != metadata(k.page.booked) {
		k.committed = none // it is somebody else's, and means nothing
	}
	if !k.page.headed {
		if err := k.head(steps); err != nil {
			return err
		}
	}
	at("headed")
	return k.agree(ctx)
}

// restore reads what the ledger has and we do not know yet.
func (k *keeper) restore(ctx context.Context) error {
	from := k.page.next
	start, end, err := k.ReadOutput(ctx, from, k.reread)
	if from > 0 && err == nil && (start > from || end < from) { // it is not the ledger that we knew
		k.page = k.blank()
		start, end, err = k.ReadOutput(ctx, 0, k.reread)
	}
	if err != nil {
		return err
	}
	if !k.page.headed && start > 0 {
		return k.broken(start, "the ledger begins there: what came before, and its heading, is gone")
	}
	k.page.next = max(k.page.next, end)
	return nil
}

// reread takes a record of the ledger into the book.
func (k *keeper) reread(r *record.Record) error {
	at("restoring")
	key, value, offset := r.Key, r.Value, r.Offset
	if !k.page.headed {
		heading, err := ParseHeading(key, value)
		if err != nil {
			return k.broken(offset, err.Error())
		}
		k.page.headed, k.page.next = true, offset+1
		return heading.differs(k.Heading)
	}
	entry, err := parsePosted(value)
	switch {
	case len(key) == 0:
		return k.broken(offset, "an entry without an account")
	case err != nil:
		return k.broken(offset, fmt.Sprintf("%v: account %.40q, %.80q", err, key, value))
	case entry.offset <= k.page.booked:
		return k.broken(offset, fmt.Sprintf("an entry for offset %d of the topic stands after one for %d", entry.offset,
			k.page.booked))
	}
	k.page.book.Set(key, entry.balance)
	k.page.booked, k.page.next = entry.offset, offset+1
	return nil
}

// broken is a ledger that somebody else has changed.
func (k *keeper) broken(offset int64, what string) error {
	return stop(fmt.Sprintf("record at %s/%d@%d: %s", k.Name, k.number, offset, what),
		"somebody else has changed this ledger: bizumctl audit tells more; keep a new one in another --group")
}

// goOnAt finds the position to go on at, from the group's and from what the ledger has.
func (k *keeper) goOnAt(ctx context.Context, committed int64, words string) (position int64, err error) {
	counted, ours := parseMetadata(words)
	ours = ours && committed >= 0
	start, end, err := k.Bounds(ctx)
	if err != nil {
		return 0, err
	}
	switch {
	case ours && counted > k.page.booked:
		return 0, stop(fmt.Sprintf("ledger %s/%d: the group's position counts payments up to offset %d, the ledger has them "+
			"up to %d: was it emptied or cut?", k.Name, k.number, counted, k.page.booked),
			"bring the ledger back, or keep a new one in another --group")
	case ours && counted == k.page.booked && committed > counted:
		position = committed
	default:
		if position, err = k.withoutPosition(ctx, committed, start); err != nil {
			return 0, err
		}
	}
	if position > end {
		return 0, stop(fmt.Sprintf("partition %d: the topic ends at offset %d, before position %d: it has lost messages "+
			"that were booked", k.number, end, position), "keep a new ledger: take another --group")
	}
	if start > position {
		gone := fmt.Sprintf("the topic starts at offset %d: %d offsets from %d on are gone", start, start-position, position)
		if !k.AcceptGap {
			return 0, stop(fmt.Sprintf("partition %d: %s, unbooked", k.number, gone),
				"to go on without them: --accept-gap")
		}
		k.tell("%s, and accepted", gone)
		position = start
	}
	return position, nil
}

// withoutPosition goes on after what the ledger, or what was set aside, has last. The group's position is missing, or
// somebody else's.
func (k *keeper) withoutPosition(ctx context.Context, committed, start int64) (int64, error) {
	aside, err := k.LastAside(ctx)
	if err != nil {
		return 0, err
	}
	last := max(k.page.booked, aside)
	switch {
	case last >= 0 && committed >= 0:
		k.tell("the group's position was set to %d by something else; going on after the last entry, at offset %d",
			committed, last+1)
	case last >= 0:
		k.tell("the group's position is gone; going on after the last entry, at offset %d", last+1)
	case committed >= 0 && !k.page.headed:
		return 0, stop(fmt.Sprintf("partition %d: the group has position %d, but no ledger: something else uses it",
			k.number, committed), "take another --group")
	case committed >= 0:
		k.tell("the group's position was set to %d by something else; nothing is booked yet", committed)
	case start > 0 && !k.page.headed:
		k.tell("the topic starts at offset %d, and so does the ledger", start)
		return start, nil
	}
	return last + 1, nil
}

// head writes the heading, in a transaction of its own: before any entry, and visible to those who take over other
// partitions.
func (k *keeper) head(ctx context.Context) error {
	if err := k.begin(ctx); err != nil {
		return err
	}
	emptyKey := []byte{} // not a missing one, which a compacted topic refuses
	if err := k.Write(ctx, emptyKey, k.Value(), k.Now().UnixMilli()); err != nil {
		return k.doubt(err)
	}
	if err := k.commit(ctx); err != nil {
		return err
	}
	k.page.headed = true
	k.doubtful = k.doubtful || k.page.next == 0 // where the heading is, is not known
	// Kafka lets a transaction begin when the one before is all written, and so our heading is there for the others.
	if err := k.begin(ctx); err != nil {
		return err
	}
	if err := k.End(ctx, false); err != nil {
		return k.doubt(err)
	}
	k.open = false
	return nil
}

// agree compares the headings of all partitions. It does so after our own is there: of two who begin a ledger at once,
// with different ideas of it, at least one sees the other's.
func (k *keeper) agree(ctx context.Context) error {
	for other := range k.Partitions {
		if other == k.number || k.hasAgreed(other) {
			continue
		}
		key, value, found, err := k.FirstOutput(ctx, other)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		heading, err := ParseHeading(key, value)
		if err != nil {
			return stop(fmt.Sprintf("ledger %s/%d: %v", k.Name, other, err), "keep a new ledger: take another --group")
		}
		if err := heading.differs(k.Heading); err != nil {
			return err
		}
		k.agreed(other)
	}
	return nil
}
