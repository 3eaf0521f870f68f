// Command peers is what .ci/bench runs beside bizumctl: bare loops over other clients that do the same work, and the
// helpers that measure them. It is a module of its own, so that the program's dependencies stay its own.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const usage = `usage: peers COMMAND, with the broker's address in BIZUMCTL_BROKERS
  topic NAME                       make it anew with one partition; topics produce-* go
  expect TOPIC N                   fail unless the topic holds N records
  measure FILE COMMAND...          run it and write to FILE: seconds, CPU seconds, broker's CPU seconds, peak MB
  franz-produce TOPIC N FILE       send N messages, FILE's lines over and over
  franz-consume TOPIC N            read N messages and only count
  sarama-produce TOPIC N FILE
  sarama-consume TOPIC N
  latency N                        N lines of consume --json on stdin: p50, p99 and max milliseconds from their timestamps
  table KIND N FILE                the runs of KIND in FILE as a table of medians; N messages a run
  latencies FILE                   the same of latencies
`

// key is the one that bizumctl gives its default account.
const key = "cuenta"

var broker = os.Getenv("BIZUMCTL_BROKERS")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	name := strings.Join(args[:min(1, len(args))], "")
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
		return ""
	}
	number := func(i int) int {
		n, err := strconv.Atoi(arg(i))
		if err != nil || n < 1 {
			arg(len(args))
		}
		return n
	}
	switch name {
	case "topic":
		return makeTopic(arg(1))
	case "expect":
		return expect(arg(1), number(2))
	case "measure":
		return measure(arg(1), arg(2), args[3:])
	case "franz-produce":
		return franzProduce(arg(1), number(2), arg(3))
	case "franz-consume":
		return franzConsume(arg(1), number(2))
	case "sarama-produce":
		return saramaProduce(arg(1), number(2), arg(3))
	case "sarama-consume":
		return saramaConsume(arg(1), number(2))
	case "latency":
		return latency(number(1))
	case "table":
		return table(arg(1), number(2), arg(3))
	case "latencies":
		return latencies(arg(1))
	}
	arg(len(args))
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

// makeTopic also deletes what earlier runs produced, at once, so that the disk stays small.
func makeTopic(name string) error {
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
	old := slices.DeleteFunc(topics.Names(), func(t string) bool { return !strings.HasPrefix(t, "produce-") })
	if len(old) > 0 {
		deleted, err := admin.DeleteTopics(ctx, old...)
		if err := errors.Join(err, deleted.Error()); err != nil {
			return err
		}
	}
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"file.delete.delay.ms": kadm.StringPtr("0")}, name)
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
	if end, _ := ends.Lookup(topic, 0); end.Offset != int64(n) {
		return fmt.Errorf("%s holds %d records, not %d", topic, end.Offset, n)
	}
	return nil
}

// measure takes the figures of a command and its children from wait4, and the broker's from /proc. Linux counts the
// memory that this process has into the command's peak, so less than that, some 10 MB, cannot be seen.
func measure(file, name string, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	before, err := brokerCPU()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
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
