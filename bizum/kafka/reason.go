package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/IBM/sarama"
)

// orNil returns nil for the code NONE, else the code.
func orNil(code sarama.KError) error {
	if code == sarama.ErrNoError {
		return nil
	}
	return code
}

// reason returns the part of an error of sarama or net that helps the user, without their wrapping.
func reason(err error) error {
	var (
		lookup     *net.DNSError
		address    *net.AddrError
		op         *net.OpError
		code       sarama.KError
		peer       *notKafkaError
		refused    *AccessError
		denied     *DeniedError
		advertised *advertisedError
		missing    missingTopicError
	)
	switch {
	case isExhausted(err):
		return errors.New("too many open files: every partition takes a connection; raise the limit (ulimit -n)")
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &denied):
		return denied
	case errors.As(err, &advertised):
		return advertised
	case errors.As(err, &missing):
		return missing
	case errors.As(err, &peer):
		return peer
	case errors.As(err, &lookup):
		return fmt.Errorf("host %q not found", lookup.Name)
	case errors.As(err, &address):
		return fmt.Errorf("address %q: %s", address.Addr, address.Err)
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) && op.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%s: %w", op.Addr, cause(op.Err))
	case errors.As(err, &op):
		return cause(op.Err)
	case errors.As(err, &code) && code == sarama.ErrProducerFenced:
		return errFenced
	case errors.As(err, &code) && code == sarama.ErrUnknownTopicOrPartition:
		return ErrNoTopic
	case errors.As(err, &code):
		return code
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closed the connection")
	}
	return err
}

// cause strips the name of the system call: "connect: connection refused" says no more than "connection refused".
func cause(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return err
}
