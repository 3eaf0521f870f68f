package ledger

import (
	"context"
	"fmt"
	"strconv"

	"bizumctl/bizum/record"
)

// Headers of a rejected message in the topic of rejected messages.
const (
	reasonHeader = "reason"
	offsetHeader = "offset" // of the message in the source
)

func rejectedHeaders(offset int64, reason error) []record.Header {
	return []record.Header{{Key: reasonHeader, Value: []byte(reason.Error())},
		{Key: offsetHeader, Value: strconv.AppendInt(nil, offset, 10)}}
}

// rejectedOffset returns the source offset of a record in the topic of rejected messages.
func rejectedOffset(r *record.Record) (int64, error) {
	value := r.Headers.Get(offsetHeader)
	offset, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("record at %v is none of ours: header %q is %q", r.Position, offsetHeader, value)
	}
	return offset, nil
}

// lastRejected returns the source offset of the message of a partition that was rejected last, none if there is none.
func lastRejected(ctx context.Context, log Log, topic string, number int32) (last int64, err error) {
	start, end, err := log.Bounds(ctx, topic)
	last = none
	// It reads the log's end first, and more of it as long as that holds only markers and aborted records.
	for length := int64(rejectedTail); err == nil && last == none; length *= 10 {
		from := max(end-length, start)
		_, _, err = log.ReadToEnd(ctx, topic, number, from, func(r *record.Record) (err error) {
			last, err = rejectedOffset(r)
			return err
		})
		if from == start {
			break
		}
	}
	return last, err
}

// rejectedTail is how many offsets lastRejected reads first.
const rejectedTail = 1000
