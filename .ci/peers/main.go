// Command peers is what .ci/bench runs beside bizumctl: bare loops over other clients that do the same work, and the
// helpers that measure them. It is a module of its own, so that the program's dependencies stay its own.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const usage = `usage: peers COMMAND ARG..., with the broker's address in BIZUMCTL_BROKERS
  topic NAME [PARTITIONS]        make it, with one partition or more; every topic of a round- goes
  expect TOPIC N                 fail unless the topic holds N records
  measure FILE COMMAND...        run it; into FILE: seconds, CPU seconds, broker's CPU seconds, peak MB
  franz-produce TOPIC N FILE [CODEC [ACCOUNTS]]
                                 send N messages, FILE's lines over and over, to partition 0, or of so many accounts
  franz-consume TOPIC N [pooled] read N messages of all partitions, only to count them
  franz-sum TOPIC N EUROS        read N messages, and tell what their accounts, each opened with so much, have in all
  sarama-produce TOPIC N FILE    the same as franz-produce
  sarama-consume TOPIC N         the same
  latency N                      N lines of consume --json on stdin; p50, p99 and max milliseconds from their timestamps
  table KIND N FILE              a table of the runs of KIND in FILE, of N messages each`

var (
	broker = os.Getenv("BIZUMCTL_BROKERS")
	key    = []byte("cuenta") // of bizumctl's default account
)

func main() {
	args := os.Args[1:]
	for len(args) < 6 {
		args = append(args, "")
	}
	var err error
	switch args[0] {
	case "topic":
		err = makeTopic(args[1], number(cmp.Or(args[2], "1")))
	case "expect":
		err = expect(args[1], number(args[2]))
	case "measure":
		err = measure(args[1], args[2:])
	case "franz-produce":
		err = franzProduce(args[1], number(args[2]), args[3], cmp.Or(args[4], "none"), number(cmp.Or(args[5], "1")))
	case "franz-consume":
		err = franzConsume(args[1], number(args[2]), args[3] == "pooled")
	case "franz-sum":
		err = franzSum(args[1], number(args[2]), number(args[3]))
	case "sarama-produce":
		err = saramaProduce(args[1], number(args[2]), args[3])
	case "sarama-consume":
		err = saramaConsume(args[1], number(args[2]))
	case "latency":
		err = latency(number(args[1]))
	case "table":
		err = table(args[1], number(args[2]), args[3])
	default:
		err = errors.New(usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func number(arg string) int {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		fmt.Fprintf(os.Stderr, "peers: %q is no count\n", arg)
		os.Exit(1)
	}
	return n
}

// counted fails a reader that saw more than there should be; with less it would not have come to its end.
func counted(seen, size, n int) error {
	if seen != n || size == 0 {
		return fmt.Errorf("%d messages of %d bytes in all, not %d messages", seen, size, n)
	}
	return nil
}

// lines are the messages to send: few enough that holding them is not what a peer's memory shows.
func lines(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")), nil
}

// makeTopic also deletes the topics of earlier runs, so that the disk stays small.
func makeTopic(name string, partitions int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, admin := context.Background(), kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	old := slices.DeleteFunc(topics.Names(), func(t string) bool { return !strings.Contains(t, "round-") })
	if len(old) > 0 {
		deleted, err := admin.DeleteTopics(ctx, old...)
		if err := errors.Join(err, deleted.Error()); err != nil {
			return err
		}
	}
	_, err = admin.CreateTopic(ctx, int32(partitions), 1, map[string]*string{"file.delete.delay.ms": kadm.StringPtr("0")},
		name)
	return err
}

func expect(topic string, n int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(context.Background(), topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		return err
	}
	sum := int64(0)
	ends.Each(func(end kadm.ListedOffset) { sum += end.Offset })
	if sum != int64(n) {
		return fmt.Errorf("%s holds %d records, not %d", topic, sum, n)
	}
	return nil
}

// measure takes the figures of a command and its children from wait4, and the broker's from /proc. Linux counts the
// memory that this process has into the command's peak, so less than that, some 10 MB, cannot be seen.
func measure(file string, args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(number(cmp.Or(os.Getenv("BENCH_MINUTES"), "10")))*time.Minute)
	// A reader that misses a message waits for ever.
	defer cancel()
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	before, err := brokerCPU()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", args, err)
	}
	wall := time.Since(start)
	after, err := brokerCPU()
	if err != nil {
		return err
	}
	state := command.ProcessState
	cpu, peak := state.UserTime()+state.SystemTime(), state.SysUsage().(*syscall.Rusage).Maxrss
	figures := fmt.Sprintf("%f %f %f %f\n", wall.Seconds(), cpu.Seconds(), after-before, float64(peak)/1024)
	return os.WriteFile(file, []byte(figures), 0o600)
}

// brokerCPU is what the process BENCH_BROKER_PID has used, in seconds; the kernel counts it in hundredths.
func brokerCPU() (float64, error) {
	stat, err := os.ReadFile("/proc/" + os.Getenv("BENCH_BROKER_PID") + "/stat")
	if err != nil {
		return 0, err
	}
	// The command's name, in parentheses, may hold spaces; user and system time are 12 and 13 after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return float64(user+system) / 100, errors.Join(err1, err2)
}

// latency compares each line's record timestamp, whole milliseconds, with the clock when the line is read.
func latency(n int) error {
	late := make([]float64, 0, n)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		now := time.Now()
		_, rest, _ := bytes.Cut(in.Bytes(), []byte(`"timestamp":"`))
		stamp, _, _ := bytes.Cut(rest, []byte(`"`))
		at, err := time.Parse(time.RFC3339, string(stamp))
		if err != nil {
			return err
		}
		late = append(late, now.Sub(at).Seconds()*1000)
	}
	if len(late) != n {
		return fmt.Errorf("%d lines, not %d (%v)", len(late), n, in.Err())
	}
	slices.Sort(late)
	fmt.Println(late[n/2], late[n*99/100], late[n-1])
	return nil
}
