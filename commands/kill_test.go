package commands_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// killable is the real program, built so that it can kill itself, as kill -9 does, at a named step.
var killable = sync.OnceValues(func() (path string, err error) {
	return buildProgram("killable", nil, []string{"killpoints"})
})

// cleaned removes what tests share, after all of them.
type cleaned struct{ *testing.M }

func (m cleaned) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given { // they mostly wait
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // it is a number
	}
	defer func() { _ = os.RemoveAll(programDir) }() // if it is left, it is in a folder for that
	return m.M.Run()
}

// member is a process of the group.
type member struct {
	*exec.Cmd
	test     *ledgerTest
	out, err *os.File
	ended    chan struct{}
}

const killSession = "600ms"

// start starts a member of the group, which shows each entry as its account, text, partition and offset.
func (l *ledgerTest) start(killAt string, args ...string) *member {
	l.Helper()
	path, err := killable()
	l.must(err)
	k := &member{test: l, ended: make(chan struct{}), Cmd: exec.Command(path, append([]string{"balance", "-b", l.address,
		"-t", l.topic, "-g", l.group, "--session-timeout", killSession, "-o", "csv"}, args...)...)}
	k.Env = append(os.Environ(), "BIZUMCTL_KILL_AT="+killAt)
	dir := l.TempDir()
	k.out, err = os.Create(filepath.Join(dir, "out"))
	l.must(err)
	k.err, err = os.Create(filepath.Join(dir, "err"))
	l.must(err)
	k.Stdout, k.Stderr = k.out, k.err
	l.must(k.Start())
	go func() {
		_ = k.Wait() // its error does not matter, see ended and lines
		close(k.ended)
	}()
	l.Cleanup(func() {
		_ = k.Process.Kill() // it may have ended
		<-k.ended
		k.out.Close()
		k.err.Close()
	})
	return k
}

// finish waits until the process has ended.
func (m *member) finish() {
	m.test.Helper()
	select {
	case <-m.ended:
	case <-m.test.ctx.Done():
		m.test.Fatalf("it does not end: %s", m.notices())
	}
}

func (m *member) notices() string {
	text, _ := os.ReadFile(m.err.Name())
	return string(text)
}

// lines returns the complete lines that were shown, without the heading.
func (m *member) lines() []string {
	text, err := os.ReadFile(m.out.Name())
	m.test.must(err)
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	lines := strings.Split(string(text), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" || strings.HasPrefix(line, "nombre,") })
}

// produce sends bizums by our own produce, compressed.
func (l *ledgerTest) produce(args ...string) {
	l.Helper()
	var stderr bytes.Buffer
	args = append([]string{"produce", "-q", "--compression", "zstd"}, args...)
	if code := l.runTo(l.ctx, io.Discard, &stderr, args...); code != 0 {
		l.Errorf("produce: %d %s", code, &stderr)
	}
}

// awaitOpen waits until the ledger has records of a transaction that is not committed.
func (l *ledgerTest) awaitOpen() {
	l.Helper()
	for {
		stable, err := l.admin.ListCommittedOffsets(l.ctx, l.ledger())
		l.must(err)
		ends, err := l.admin.ListEndOffsets(l.ctx, l.ledger())
		l.must(err)
		for p, end := range ends[l.ledger()] {
			if end.Offset > stable[l.ledger()][p].Offset {
				return
			}
		}
		time.Sleep(10 * time.Millisecond) // between two requests
	}
}

// awaitLines waits until a process has shown so many.
func (m *member) awaitLines(n int) {
	m.test.Helper()
	for len(m.lines()) < n {
		if m.test.ctx.Err() != nil {
			m.test.Fatalf("%d lines, want %d: %s", len(m.lines()), n, m.notices())
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// awaitOffset waits until a process has shown the bizum at an offset of partition 0.
func (m *member) awaitOffset(offset int64) {
	m.test.Helper()
	place := fmt.Sprintf(",0,%d,", offset)
	for !slices.ContainsFunc(m.lines(), func(line string) bool { return strings.Contains(line, place) }) {
		if m.test.ctx.Err() != nil {
			m.test.Fatalf("offset %d was not shown: %s", offset, m.notices())
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// shownOnce wants no line in two processes or twice in one, and each to be an entry of the ledger.
func (l *ledgerTest) shownOnce(members []*member) (shown int) {
	l.Helper()
	all := map[string]bool{}
	for _, k := range members {
		for _, line := range k.lines() {
			if all[line] {
				l.Errorf("shown twice: %s", line)
			}
			all[line] = true
		}
	}
	entries := map[string]bool{}
	client := l.connect(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics(l.ledger()),
		kgo.KeepControlRecords())
	left := map[int32]int64{}
	ends, err := l.admin.ListCommittedOffsets(l.ctx, l.ledger())
	l.must(err)
	for p, end := range ends[l.ledger()] {
		left[p] = end.Offset
	}
	for len(left) > 0 {
		fetches := client.PollFetches(l.ctx)
		l.must(fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			if fields := strings.Split(string(r.Value), ";"); !r.Attrs.IsControl() && len(r.Key) > 0 {
				entries[fmt.Sprintf("%s,%s,%d,%s", r.Key, fields[len(fields)-2], r.Partition, fields[len(fields)-1])] = true
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	for line := range all {
		fields := strings.Split(line, ",")
		n := len(fields)
		if key := strings.Join(fields[n-5:n-1], ","); !entries[key] {
			l.Errorf("shown, but not in the ledger: %s", line)
		}
	}
	return len(all)
}

// TestKilledAtEachStep: whatever the step at which a process ends, the next one goes on, and all is booked once.
func TestKilledAtEachStep(t *testing.T) {
	for _, at := range []string{"fenced:1", "position:1", "restored:1", "headed:1", "begun:1", "begun:2", "begun:4",
		"fetched:1", "fetched:3", "parsed:1", "parsed:700", "applied:700", "written:1", "written:700", "sent:1", "sent:3",
		"positioned:1", "positioned:2", "positioned:4", "committed:1", "committed:2", "committed:4", "restoring:1",
		"restoring:300"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			l := newLedgerTest(t, 1)
			var members []*member
			if strings.HasPrefix(at, "restoring") { // there has to be something to restore
				l.produce("--rate", "max", "-n", "400", "--accounts", "50")
				members = append(members, l.start("", "--exit"))
				members[0].finish()
			}
			doomed := l.start(at, "--commit-interval", "1ms")
			l.produce("--rate", "3000", "-n", "2000", "--accounts", "50")
			doomed.finish()
			if status := doomed.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
				t.Fatalf("it never came to %s: %v, %s", at, status, doomed.notices())
			}
			last := l.start("", "--exit")
			last.finish()
			if !last.ProcessState.Success() {
				t.Fatal(last.notices())
			}
			l.wantAudit(0, `00 payments, 50 accounts, 0 missing, 0 double, 0 wrong\n`)
			l.shownOnce(append(members, doomed, last))
		})
	}
}

// TestKilledAtRandom: three processes keep five partitions while bizums are sent, and are killed again and again. On
// Kafka, BIZUMCTL_TEST_KILLS says how often.
func TestKilledAtRandom(t *testing.T) {
	kills, payments, rate := 6, 200_000, "10000"
	if n, err := strconv.Atoi(os.Getenv("BIZUMCTL_TEST_KILLS")); err == nil {
		kills, payments, rate = n, 1_000_000, strconv.Itoa(max(1_000_000/(4*n), 1000)) // a kill every 2 s or so
	}
	seed := rand.Uint64()
	if text := os.Getenv("BIZUMCTL_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("BIZUMCTL_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	l := newLedgerTest(t, 5)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(kills)*10*time.Second+2*time.Minute)
	defer cancel()
	l.ctx = ctx
	args := []string{"--commit-interval", "4s", "--initial", "0"} // long, so that transactions are large when they are killed
	var all, alive []*member
	begin := func() *member {
		k := l.start("", args...)
		all = append(all, k)
		return k
	}
	for range 3 {
		alive = append(alive, begin())
	}
	sent := make(chan struct{})
	go func() { // two producers, one of whose accounts is hot
		defer close(sent)
		half, accounts := strconv.Itoa(payments/2), []string{"20000", "1"}
		var both sync.WaitGroup
		for _, n := range accounts {
			both.Go(func() { l.produce("--rate", rate, "-n", half, "--accounts", n) })
		}
		both.Wait()
	}()
	for range kills {
		select {
		case <-time.After(time.Duration(500+rng.IntN(2500)) * time.Millisecond):
		case <-ctx.Done():
		}
		i := rng.IntN(len(alive))
		l.must(alive[i].Process.Kill())
		<-alive[i].ended
		alive[i] = begin()
	}
	<-sent
	last := l.start("", append(args, "--exit")...)
	all = append(all, last)
	last.finish()
	for _, k := range alive {
		l.must(k.Process.Signal(syscall.SIGTERM))
		k.finish()
		if !k.ProcessState.Success() {
			t.Errorf("%v: %s", k.ProcessState, k.notices())
		}
	}
	for _, k := range all {
		if s := k.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() && s.ExitStatus() != 0 {
			t.Errorf("ended with %d: %s", s.ExitStatus(), k.notices())
		}
	}
	l.wantAudit(0, fmt.Sprintf(`^%s,000 payments, [\d,]+ accounts, 0 missing, 0 double, 0 wrong\n`,
		strings.ReplaceAll(strconv.Itoa(payments/1000), "1000", "1,000")))
	shown := l.shownOnce(all)
	t.Logf("%d kills, %d payments, %d of them shown", kills, payments, shown)
}

// A process that is stopped for longer than its session has lost its partition. Woken up, it says so, and what it had
// open is never seen.
func TestZombie(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 1)
	zombie := l.start("", "--commit-interval", "5s")
	l.produce("--rate", "max", "-n", "1000", "--accounts", "20")
	zombie.awaitLines(1000)
	l.produce("--rate", "max", "-n", "50000", "--accounts", "20")
	l.awaitOpen()
	l.must(zombie.Process.Signal(syscall.SIGSTOP))
	newOwner := l.start("", "--exit")
	newOwner.finish()
	if !newOwner.ProcessState.Success() {
		t.Fatal(newOwner.notices())
	}
	l.must(zombie.Process.Signal(syscall.SIGCONT))
	l.produce("--rate", "max", "-n", "1000", "--accounts", "20")
	last := l.start("", "--exit")
	last.finish()
	for !strings.Contains(zombie.notices(), "joining group") {
		l.must(l.ctx.Err())
		time.Sleep(10 * time.Millisecond) // between two looks
	}
	l.must(zombie.Process.Signal(syscall.SIGTERM))
	zombie.finish()
	if !zombie.ProcessState.Success() || !strings.Contains(zombie.notices(), "taken over by another member") {
		t.Errorf("%v: %s", zombie.ProcessState, zombie.notices())
	}
	l.wantAudit(0, `^52,000 payments, 20 accounts, 0 missing, 0 double, 0 wrong\n`)
	if shown := l.shownOnce([]*member{zombie, newOwner, last}); shown < 2000 {
		t.Errorf("%d shown", shown)
	}
}

// SIGTERM: what was booked is committed, shown, and the group is left, at once.
func TestTerminated(t *testing.T) {
	t.Parallel()
	l := newLedgerTest(t, 2)
	k := l.start("", "--commit-interval", "5s")
	l.produce("--rate", "max", "-n", "1000", "--accounts", "20")
	k.awaitLines(1000)
	l.produce("--rate", "max", "-n", "50000", "--accounts", "20")
	l.awaitOpen()
	began := time.Now()
	l.must(k.Process.Signal(syscall.SIGTERM))
	time.Sleep(5 * time.Millisecond)
	l.must(k.Process.Signal(syscall.SIGINT)) // right behind the first, as timeout(1) does: not a second wish
	k.finish()
	if took := time.Since(began); !k.ProcessState.Success() || took > 5*time.Second {
		t.Errorf("%v after %v: %s", k.ProcessState, took, k.notices())
	}
	groups, err := l.admin.DescribeGroups(l.ctx, l.group)
	l.must(err)
	if n := len(groups[l.group].Members); n > 0 {
		t.Errorf("%d members are left", n)
	}
	last := l.start("", "--exit")
	last.finish()
	l.wantAudit(0, `^51,000 payments, 20 accounts, 0 missing, 0 double, 0 wrong\n`)
	if shown := l.shownOnce([]*member{k, last}); shown != 51_000 {
		t.Errorf("%d shown", shown)
	}
}

// hang makes the embedded broker hang, as one does that is stopped or starved: it keeps its connections, and is silent.
func (l *ledgerTest) hang() (release func()) {
	hung := make(chan struct{})
	l.fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		l.fake.KeepControl()
		<-hung
		return nil, nil, false
	})
	release = sync.OnceFunc(func() { close(hung) })
	l.Cleanup(release)
	return release
}

// SIGTERM while the broker hangs: a member ends within 5 s all the same, says why it fails and how much it could not
// commit, and another one books that again. What has nothing to commit is no failure.
func TestTerminatedWhileHung(t *testing.T) {
	t.Parallel()
	if realBrokers != "" {
		t.Skip("a broker of the tests can be made to hang")
	}
	l := newLedgerTest(t, 2)
	k := l.start("", "--commit-interval", "5s")
	l.produce("--rate", "max", "-n", "1000", "--accounts", "20")
	k.awaitLines(1000)
	idle := l.start("", "-g", "idle")
	idle.awaitLines(1000)
	l.produce("--rate", "max", "-n", "50000", "--accounts", "20")
	idle.awaitLines(51_000)
	l.awaitOpen()
	release := l.hang()
	for _, member := range []*member{k, idle} {
		began := time.Now()
		l.must(member.Process.Signal(syscall.SIGTERM))
		member.finish()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	lost := regexp.MustCompile(`error: (\d+) bizums were booked, but not committed; the new owner books them again: `)
	if found := lost.FindStringSubmatch(k.notices()); k.ProcessState.ExitCode() != 1 || found == nil {
		t.Errorf("%v: %s", k.ProcessState, k.notices())
	}
	if !idle.ProcessState.Success() {
		t.Errorf("%v: %s", idle.ProcessState, idle.notices())
	}
	release()
	last := l.start("", "--exit")
	last.finish()
	l.wantAudit(0, `^51,000 payments, 20 accounts, 0 missing, 0 double, 0 wrong\n`)
	if shown := l.shownOnce([]*member{k, last}); shown != 51_000 {
		t.Errorf("%d shown", shown)
	}
}

// Members come and go, from one to four and back, and nobody reads a partition again that it keeps. BIZUMCTL_TEST_REBALANCES says
// how many come and go.
func TestRebalances(t *testing.T) {
	t.Parallel()
	changes := 10
	if n, err := strconv.Atoi(os.Getenv("BIZUMCTL_TEST_REBALANCES")); err == nil {
		changes = n
	}
	l := newLedgerTest(t, 5)
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(changes)*4*time.Second+time.Minute)
	defer cancel()
	l.ctx = ctx
	sending, stop := context.WithCancel(ctx)
	sent := make(chan int, 1)
	go func() {
		sent <- l.runTo(sending, io.Discard, io.Discard, "produce", "-q", "--compression", "zstd", "--rate", "5000",
			"--accounts", "20000")
	}()
	all := []*member{l.start("")}
	members := all
	rng := rand.New(rand.NewPCG(1, 0))
	for range changes {
		if len(members) == 1 || len(members) < 4 && rng.IntN(2) == 0 {
			k := l.start("")
			all, members = append(all, k), append(slices.Clone(members), k)
		} else {
			i := rng.IntN(len(members))
			k := members[i]
			l.must(k.Process.Signal([]os.Signal{syscall.SIGTERM, syscall.SIGINT}[rng.IntN(2)]))
			k.finish()
			if !k.ProcessState.Success() {
				t.Errorf("%v: %s", k.ProcessState, k.notices())
			}
			members = slices.Delete(slices.Clone(members), i, i+1)
		}
		l.awaitShown(members)
	}
	stop()
	if code := <-sent; code != 0 {
		t.Errorf("produce ended with %d", code)
	}
	last := l.start("", "--exit")
	last.finish()
	for _, k := range members {
		l.must(k.Process.Signal(syscall.SIGTERM))
		k.finish()
	}
	l.wantAudit(0, ` accounts, 0 missing, 0 double, 0 wrong\n`)
	l.shownOnce(append(all, last))
}

// awaitShown waits until entries of every partition are shown again.
func (l *ledgerTest) awaitShown(members []*member) {
	l.Helper()
	before := map[*member]int{}
	for _, k := range members {
		before[k] = len(k.lines())
	}
	for seen := map[string]bool{}; len(seen) < 5; {
		if errors.Is(l.ctx.Err(), context.DeadlineExceeded) {
			l.Fatalf("only partitions %v have an owner", seen)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
		for _, k := range members {
			lines := k.lines()
			for _, line := range lines[min(before[k], len(lines)):] {
				fields := strings.Split(line, ",")
				seen[fields[len(fields)-3]] = true
			}
		}
	}
}
