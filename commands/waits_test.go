package commands_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/twmb/franz-go/pkg/kgo"
)

// notices collects what a run writes, and hands on the first text that contains what is awaited.
type notices struct {
	mu      sync.Mutex
	text    strings.Builder
	awaited string
	seen    chan struct{}
}

func awaiting(text string) *notices { return &notices{awaited: text, seen: make(chan struct{})} }

func (n *notices) Write(text []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	had := strings.Contains(n.text.String(), n.awaited)
	n.text.Write(text)
	if !had && strings.Contains(n.text.String(), n.awaited) {
		close(n.seen)
	}
	return len(text), nil
}

func (n *notices) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// While a ledger cannot be read yet, that is what is waited for, and not bizums; after it, they are.
func TestWaitingForLedger(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	l.send(maria)
	l.wantBalance("1 bizum booked", afterMaria)
	foreign := l.connect(kgo.TransactionalID(fmt.Sprintf("%s-%x", l.topic, rand.Uint64())))
	l.must(foreign.BeginTransaction())
	l.must(foreign.ProduceSync(l.ctx, &kgo.Record{Topic: l.ledger(), Key: []byte("cuenta"), Value: []byte("x")}).FirstErr())
	ctx, stop := context.WithCancel(l.ctx)
	defer stop()
	ledger, records := awaiting("still reading the ledger of group"), awaiting("waiting for bizums in topic")
	ended := make(chan int)
	go func() { ended <- l.runTo(ctx, io.Discard, io.MultiWriter(ledger, records), "balance", "-g", l.group) }()
	select {
	case <-ledger.seen:
	case <-records.seen:
		t.Error("bizums were waited for")
	case <-ctx.Done():
	}
	if text := records.String(); strings.Contains(text, "waiting for bizums") {
		t.Errorf("%s", text)
	}
	l.must(foreign.EndTransaction(l.ctx, kgo.TryAbort))
	select {
	case <-records.seen:
	case <-ctx.Done():
		t.Errorf("bizums were not waited for: %s", records)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("%d: %s", code, ledger)
	}
}

// A window that is closed is a Ctrl-C: what was shown is committed, and nothing has failed.
func TestClosedWindow(t *testing.T) {
	s := newScreen(t)
	s.send("", "Ana;10;Cine;ENVIO")
	cmd := exec.Command("bizumctl", "consume", "--group", "g", "--raw", "-b", s.brokers, "-t", s.topic)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	timeout := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	if _, err := io.ReadFull(terminal, make([]byte, len("Ana;10;Cine;ENVIO\r\n"))); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if text := s.run(80, "consume", "--group", "g", "--exit", "--raw", "-q"); text != "" {
		t.Errorf("shown again: %q", text)
	}
}
