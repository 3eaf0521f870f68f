package commands

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"bizumctl/bizum"
)

// message is what is sent. It is good until the next one.
type message struct {
	key, value []byte
	payment    bizum.Payment
}

// source answers the next message, and io.EOF after the last, or when the sink has failed. Before it waits for one, it
// pushes the sink.
type source func(ctx context.Context, to sink) (*message, error)

func (o *produceOptions) source(env Env) (source, error) {
	if o.input != "" {
		return o.given(env)
	}
	names, err := list(o.names, env.Names, bizum.ParseNames)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	concepts, err := list(o.concepts, env.Concepts, bizum.ParseConcepts)
	if err != nil {
		return nil, fmt.Errorf("concepts: %w", err)
	}
	generator := bizum.NewGenerator(o.seed, names, concepts, o.accounts)
	m := new(message)
	return func(context.Context, sink) (*message, error) {
		m.key, m.payment = generator.Next()
		m.value = m.payment.Append(m.value[:0])
		return m, nil
	}, nil
}

// list reads a list from a file, or takes the one that is built in.
func list(file string, builtIn []byte, parse func([]byte) ([][]byte, error)) ([][]byte, error) {
	if file == "" {
		return parse(builtIn)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// given reads messages, a line each, and checks them. It reads ahead in a goroutine, so that Ctrl-C need not wait for
// a person to type.
func (o *produceOptions) given(env Env) (source, error) {
	name, reader := "standard input", env.Stdin
	if o.input != "-" {
		file, err := os.Open(o.input)
		if err != nil {
			return nil, err
		}
		name, reader = o.input, file
	}
	chunks := make(chan chunk, 4)
	go readLines(reader, chunks)
	var now chunk
	var m message
	number, key := 0, []byte(bizum.DefaultAccount)
	return func(ctx context.Context, to sink) (*message, error) {
		for len(now.lines) == 0 {
			if now.err != nil {
				return nil, now.err
			}
			select {
			case now = <-chunks:
				continue
			default:
				to.push()
			}
			select {
			case now = <-chunks:
			case <-to.failed(): // flush tells why
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
		m = message{key: key, value: value, payment: payment}
		return &m, nil
	}, nil
}

// chunk is the lines that were there at once, without their ends, and what comes after them.
type chunk struct {
	lines [][]byte
	err   error
}

func readLines(r io.Reader, chunks chan<- chunk) {
	const most, mostBytes = 1000, 64 << 10
	// A longer line is handed on cut, but still too long to be a message.
	reader := bufio.NewReaderSize(r, bizum.MaxMessage+len("\r\n")+1)
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
		if len(c.lines) == most || bytesRead >= mostBytes || reader.Buffered() == 0 || c.err != nil {
			chunks <- c
			c.lines, bytesRead = nil, 0
		}
	}
}
