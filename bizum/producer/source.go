package producer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"bizumctl/bizum"
)

// Made returns the messages of a generator, without end.
func Made(generator *bizum.Generator) Source {
	m := new(Message)
	return func(context.Context, Sink) (*Message, error) {
		m.Key, m.Payment = generator.Next()
		m.Value = m.Payment.Append(m.Value[:0])
		return m, nil
	}
}

// Given reads messages, a line each, and checks them; name is where the lines come from, as errors call it. It reads
// ahead in a goroutine, so that an interruption need not wait for a person to type.
func Given(name string, reader io.Reader) Source {
	chunks := make(chan chunk, 4)
	go readLines(reader, chunks)
	var now chunk
	var m Message
	number, key := 0, []byte(bizum.DefaultAccount)
	return func(ctx context.Context, to Sink) (*Message, error) {
		for len(now.lines) == 0 {
			if now.err != nil {
				return nil, now.err
			}
			select {
			case now = <-chunks:
				continue
			default:
				to.Push()
			}
			select {
			case now = <-chunks:
			case <-to.Failed(): // Flush returns why
				return nil, io.EOF
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		value := now.lines[0]
		now.lines = now.lines[1:]
		number++
		payment, err := bizum.ParsePayment(value)
		if err != nil {
			return nil, fmt.Errorf("line %d of %s: %w", number, name, err)
		}
		m = Message{Key: key, Value: value, Payment: payment}
		return &m, nil
	}
}

// chunk is the lines that were there at once, without their ends, and what comes after them.
type chunk struct {
	lines [][]byte
	err   error
}

func readLines(r io.Reader, chunks chan<- chunk) {
	const linesMax, bytesMax = 1000, 64 << 10
	// A longer line is handed on cut, but still too long to be a message.
	reader := bufio.NewReaderSize(r, bizum.MessageBytesMax+len("\r\n")+1)
	var c chunk
	bytesRead := 0
	for c.err == nil {
		line, err := reader.ReadSlice('\n')
		if c.err = err; errors.Is(err, bufio.ErrBufferFull) {
			c.err = io.EOF // the message is refused, so nothing is read after it
		}
		if len(line) > 0 {
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			c.lines = append(c.lines, bytes.Clone(line))
			bytesRead += len(line)
		}
		if len(c.lines) == linesMax || bytesRead >= bytesMax || reader.Buffered() == 0 || c.err != nil {
			chunks <- c
			c.lines, bytesRead = nil, 0
		}
	}
}
