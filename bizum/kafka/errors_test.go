package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/IBM/sarama"
)

var (
	refusedConn = &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092},
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	resetConn = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	slowConn  = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	noHost    = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "kafka"}}
)

func TestRetriable(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{sarama.ErrNotLeaderForPartition, true},
		{sarama.ErrUnknownTopicOrPartition, true}, // a topic that is being created
		{sarama.ErrNotCoordinatorForConsumer, true},
		{sarama.ErrConsumerCoordinatorNotAvailable, true},
		{sarama.ErrOffsetsLoadInProgress, true},
		{sarama.ErrOffsetNotAvailable, true},
		{sarama.ErrUnstableOffsetCommit, true},
		{sarama.ErrConcurrentTransactions, true},
		{sarama.ErrNotEnoughReplicas, true},
		{fmt.Errorf("a request: %w", sarama.ErrRequestTimedOut), true},
		{sarama.ErrOutOfBrokers, true},
		{sarama.ErrNotConnected, true},
		{sarama.ErrIncompleteResponse, true},
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{net.ErrClosed, true},
		{refusedConn, true},
		{resetConn, true},
		{slowConn, true},
		{noHost, true},

		{sarama.ErrProducerFenced, false},
		{sarama.ErrInvalidProducerEpoch, false},
		{sarama.ErrIllegalGeneration, false},
		{sarama.ErrRebalanceInProgress, false},
		{sarama.ErrOffsetOutOfRange, false},
		{sarama.ErrMessageSizeTooLarge, false},
		{sarama.ErrTopicAuthorizationFailed, false},
		{sarama.ErrInvalidTopic, false},
		{fmt.Errorf("a request: %w", sarama.ErrOutOfOrderSequenceNumber), false},
		{sarama.ErrClosedClient, false},
		{refusedError{ErrNoTopic}, false},
		{context.Canceled, false},
		{errors.New("something else"), false},
		{nil, false},
	} {
		if got := retriable(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestFenced(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{sarama.ErrInvalidProducerEpoch, true},
		{sarama.ErrProducerFenced, true},
		{sarama.ErrInvalidTxnState, true},
		{sarama.ErrInvalidProducerIDMapping, true},
		{sarama.ErrUnknownProducerID, true},
		{fmt.Errorf("a step: %w", sarama.ErrProducerFenced), true},
		{reason(sarama.ErrProducerFenced), true}, // what is left of it after a Writer has worded it

		{sarama.ErrConcurrentTransactions, false},
		{sarama.ErrOutOfOrderSequenceNumber, false},
		{sarama.ErrIllegalGeneration, false}, // that is lostSession
		{sarama.ErrTransactionCoordinatorFenced, false},
		{sarama.ErrFencedLeaderEpoch, false},
		{context.DeadlineExceeded, false},
		{io.EOF, false},
		{nil, false},
	} {
		if got := fenced(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
		is   error // what is to be found in it, for those who act on it
	}{
		{fmt.Errorf("sarama: %w", noHost), `host "kafka" not found`, nil},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.AddrError{Err: "missing port in address", Addr: "kafka"}},
			`address "kafka": missing port in address`, nil},
		{context.DeadlineExceeded, "no answer in time", nil},
		{fmt.Errorf("sarama: %w", slowConn), "no answer in time", nil},
		{refusedConn, "127.0.0.1:9092: connection refused", syscall.ECONNREFUSED},
		{resetConn, "connection reset by peer", syscall.ECONNRESET},
		{fmt.Errorf("sarama: %w", sarama.ErrProducerFenced), "another producer took over our transactional id", errFenced},
		{sarama.ErrUnknownTopicOrPartition, "topic does not exist", ErrNoTopic},
		{fmt.Errorf("sarama: %w", sarama.ErrMessageSizeTooLarge), sarama.ErrMessageSizeTooLarge.Error(),
			sarama.ErrMessageSizeTooLarge},
		{io.EOF, "it closed the connection", nil},
		{fmt.Errorf("sarama: %w", io.ErrUnexpectedEOF), "it closed the connection", nil},
		{ErrNewTopic, ErrNewTopic.Error(), ErrNewTopic},
	} {
		got := reason(c.err)
		if got.Error() != c.want || c.is != nil && !errors.Is(got, c.is) {
			t.Errorf("%v: %q, want %q; is %v: %v", c.err, got, c.want, c.is, errors.Is(got, c.is))
		}
	}
}
