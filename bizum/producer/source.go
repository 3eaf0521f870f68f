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

// LineError means that a given line is no message. Those before it are good.
type LineError struct {
	Source string // where the lines come from
	Line   int64  // the first one is 1
	Reason error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d of %s: %v", e.Line, e.Source, e.Reason)
}

func (e *LineError) Unwrap() error { return e.Reason }

// StandardInput is what errors call it.
const StandardInput = "standard input"

// Given reads messages, a line each, and checks them; name is where the lines come from. It reads ahead in a goroutine,
// so that an interruption need not wait for a person to type. A line that is no message is a LineError, unless there is
// a skip, which is called with it and its text.
func Given(name string, reader io.Reader, skip func(bad *LineError, line []byte)) Source {
	chunks := make(chan chunk, 4)
	go readLines(reader, chunks)
	var now chunk
	var m Message
	number, key := int64(0), []byte(bizum.DefaultAccount)
	return func(ctx context.Context, to Sink) (*Message, error) {
		for {
			if len(now.lines) == 0 {
				if now.err != nil {
					return nil, now.err
				}
				var err error
				if now, err = awaitLines(ctx, chunks, to); err != nil {
					return nil, err
				}
				continue
			}
			value := now.lines[0]
			now.lines = now.lines[1:]
			number++
			payment, err := bizum.ParsePayment(value)
			if err == nil {
				m = Message{Key: key, Value: value, Payment: payment}
				return &m, nil
			}
			bad := &LineError{Source: name, Line: number, Reason: err}
			if skip == nil {
				return nil, bad
			}
			skip(bad, value)
		}
	}
}

// awaitLines waits for lines, after it has pushed the sink.
func awaitLines(ctx context.Context, chunks <-chan chunk, to Sink) (c chunk, err error) {
	select {
	case c = <-chunks:
		return c, nil
	default:
		to.Push()
	}
	select {
	case c = <-chunks:
		return c, nil
	case <-to.Failed(): // Flush returns why
		return c, io.EOF
	case <-ctx.Done():
		return c, context.Cause(ctx)
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
	bytesRead, cut := 0, false
	for c.err == nil {
		line, err := reader.ReadSlice('\n')
		rest := cut // of a line that was handed on
		if cut = errors.Is(err, bufio.ErrBufferFull); !cut {
			c.err = err
		}
		if len(line) > 0 && !rest {
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
