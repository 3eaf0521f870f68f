package console

import (
	"fmt"
	"unicode/utf8"

	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// Report shows what a room below reports.
func (c *Console) Report(e event.Event) {
	switch e := e.(type) {
	case event.WaitingForTopic:
		c.Noticef("waiting for topic %q to be made at %s", e.Topic, e.Brokers)
	case event.WaitingForRecords:
		c.Noticef("waiting for bizums in topic %q at %s", e.Topic, e.Brokers)
	case event.WaitingForGroup:
		c.Noticef("waiting for group %q at %s to take us in: it waits for its members, also for one that died", e.Group,
			e.Brokers)
	case event.WaitingForLedger:
		c.Noticef("still reading the ledger of group %q: its balances come before new bizums of topic %q", e.Group,
			e.Topic)
	case event.WaitingForPartition:
		c.Noticef("the other members of group %q have all partitions of %q; waiting for one", e.Group, e.Topic)
	case event.PartitionAdded:
		c.Noticef("topic %q has a new partition, %d", e.Topic, e.Partition)
	case event.Resumed:
		c.Noticef("%s goes on where it was, at %v, not where it was asked to begin", e.By, e.Position)
	case event.Skipped:
		c.Noticef("%v; going on from offset %d", e.Reason, e.Next)
	case event.Rejected:
		c.rejected(fmt.Sprintf("%v: %v", e.Position, e.Reason), e.Value)
	case event.RejectedLine:
		c.rejected(e.Reason.Error(), e.Value)
	case event.TopicCreated:
		c.Noticef("made topic %q", e.Topic)
	case event.WaitingForHeading:
		c.Noticef("%s/%d: waiting for the member that has partition %d, which begins the ledger", e.Topic, e.Partition, e.Of)
	case event.LedgerBegun, event.LedgerResumed, event.PositionReplaced, event.GapAccepted:
		c.Noticef("%s", begins(e))
	case event.ForeignFiles:
		c.foreign(e)
	case event.WaitingForWriter:
		c.Noticef("waiting for the process that writes partition %d of folder %s", e.Partition, e.Dir)
	case event.FilesBegun:
		c.Noticef("writing files of %s into folder %s: each appears after %s, at %s or at %s", e.Format, e.Dir,
			Duration(e.Age), Plural(e.Records, "message", "messages"), Size(e.Bytes))
	case event.FileClosed:
		c.closed(e)
	case event.Filing:
		c.filing(e)
	case event.TopicRecreated:
		c.Noticef("topic %q was gone, as after a restart of a broker without a folder: made it again", e.Topic)
	case event.Behind:
		c.Noticef("cannot keep %s: %s behind, and catching up as fast as the broker takes it", AskedRate(e.PerSecond),
			Duration(e.By))
	case event.HoldingBack:
		c.Noticef("%s to be late: waiting %s to send the last", Plural(e.Messages, "bizum is", "bizums are"),
			Duration(e.Left))
	case event.Sending:
		c.sending(e)
	default:
		panic(fmt.Sprintf("console: internal error: no words for %T", e))
	}
}

// begins returns the words for where a partition of a ledger goes on, and why.
func begins(e event.Event) string {
	place := func(at record.Position, format string, args ...any) string {
		return fmt.Sprintf("%s/%d: ", at.Topic, at.Partition) + fmt.Sprintf(format, args...)
	}
	switch e := e.(type) {
	case event.LedgerBegun:
		return place(e.Position, "the topic starts at offset %d, and so does the ledger", e.Offset)
	case event.LedgerResumed:
		if e.Accounts == 1 {
			return place(e.Position, "going on at offset %d: account %s has %s", e.Offset, e.Sole.Name, Euros(e.Sole.Balance))
		}
		return place(e.Position, "going on at offset %d: %s accounts", e.Offset, Count(e.Accounts))
	case event.GapAccepted:
		return place(e.Position, "the topic starts at offset %d: %d offsets from %d on are gone, and accepted", e.Offset,
			e.Offset-e.From, e.From)
	case event.PositionReplaced:
		switch {
		case e.Found < 0:
			return place(e.Position, "the group's position is gone; going on after the last entry, at offset %d", e.Offset)
		case e.Offset == 0:
			return place(e.Position, "the group's position was set to %d by something else; nothing is booked yet", e.Found)
		}
		return place(e.Position, "the group's position was set to %d by something else; going on after the last entry, "+
			"at offset %d", e.Found, e.Offset)
	}
	panic(fmt.Sprintf("console: internal error: no words for %T", e))
}

// rejected shows why a message is not taken, and how it begins: always escaped, since it is anything but text.
func (c *Console) rejected(why string, value []byte) {
	const beginning = 60 // characters
	c.rejections.Add(1)
	if c.quiet {
		return
	}
	text, more := value, ""
	if i := runeIndex(value, beginning); i < len(value) {
		text, more = value[:i], "…"
	}
	c.notice(c.warn, fmt.Sprintf("rejected %s, in %q%s", why, text, more))
}

// runeIndex returns where rune n begins, or the text's length.
func runeIndex(text []byte, n int) (at int) {
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}

func (c *Console) foreign(e event.ForeignFiles) {
	const maxNames = 5
	names := e.Names
	if more := len(names) - maxNames; more > 0 {
		names = append(names[:maxNames:maxNames], fmt.Sprintf("and %s more", Count(more)))
	}
	c.Noticef("folder %s: left alone what is not ours: %q", e.Dir, names)
}

// sending shows first what a narrow terminal must not cut off.
func (c *Console) sending(e event.Sending) {
	rejected := ""
	if n := c.rejections.Load(); n > 0 {
		rejected = ", " + Count(n) + " rejected"
	}
	c.ShowProgress(fmt.Sprintf("%s%s sent%s%s, %s, %s/s, %s in flight, p99 %s", share(e.Acknowledged, e.Of),
		Count(e.Acknowledged), left(e.Of-e.Acknowledged, e.PerSecond), rejected, Rate(e.PerSecond),
		Size(e.BytesPerSecond), Count(e.InFlight), Duration(e.P99)))
}

func (c *Console) closed(e event.FileClosed) {
	rejected := ""
	if e.Rejected > 0 {
		rejected = fmt.Sprintf(", %s rejected", Count(e.Rejected))
	}
	c.Noticef("closed %s: %s%s, %s", e.Name, Plural(e.Rows, "bizum", "bizums"), rejected, Size(e.Bytes))
}

// filing shows progress on a terminal only: files are noticed as they are closed.
func (c *Console) filing(e event.Filing) {
	if c.noticesScreen && !c.followed.Load() && c.ProgressDue() {
		c.ShowProgress(fmt.Sprintf("%s filed, %s", Plural(e.Rows, "bizum", "bizums"),
			Rate(float64(e.Rows)/e.Elapsed.Seconds())))
	}
}
