package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bizumctl/bizum/consumer"
	"bizumctl/bizum/devbroker"
	"bizumctl/bizum/event"
	"bizumctl/bizum/export"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
)

const topic = "test"

// Each message is in one file, alone and in a group, and a second run adds none.
func TestExport(t *testing.T) {
	for _, group := range []string{"", "g"} {
		t.Run("group "+group, func(t *testing.T) {
			t.Parallel()
			broker, err := devbroker.Start("localhost:0", "")
			must(t, err)
			t.Cleanup(broker.Close)
			cluster, err := kafka.Open(kafka.Config{Brokers: []string{broker.Address()}, ClientID: "test",
				SessionTimeout: 6 * time.Second, Notice: func(text string) { t.Log(text) }})
			must(t, err)
			t.Cleanup(cluster.Close)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			t.Cleanup(cancel)
			lines := send(t, ctx, cluster, 25)

			dir, closed := t.TempDir(), new(closedFiles)
			config := export.Config{Dir: dir, Group: group, File: format.FileOptions{Format: "text", Topic: topic},
				Records: 10, Bytes: 1 << 20, Age: time.Minute, Now: time.Now, Report: closed.report}
			figures := run(t, ctx, cluster, config)
			if *figures != (export.Figures{Rows: 25, Files: 3, Rejected: 1}) || closed.rows != 25 || closed.rejected != 1 {
				t.Errorf("%+v, reported %+v", figures, closed)
			}
			if again := run(t, ctx, cluster, config); *again != (export.Figures{}) {
				t.Errorf("the second run: %+v", again)
			}
			if got := read(t, dir); got != lines {
				t.Errorf("files have %q, want %q", got, lines)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send sends n payments and then what is none, and returns the payments.
func send(t *testing.T, ctx context.Context, cluster *kafka.Cluster, n int) (lines string) {
	t.Helper()
	_, err := cluster.CreateTopic(ctx, topic, kafka.TopicSpec{Partitions: 1})
	must(t, err)
	w, err := cluster.NewWriter(ctx, topic, kafka.WriterConfig{Compression: "none"})
	must(t, err)
	defer w.Close()
	for i := range n {
		line := fmt.Sprintf("Ana;%d.00;x;ENVIO", i+1)
		must(t, w.Append(ctx, nil, []byte(line), 0, 0))
		lines += line + "\n"
	}
	must(t, w.Append(ctx, nil, []byte("nothing"), 0, 0))
	must(t, w.Flush(ctx))
	return lines
}

func run(t *testing.T, ctx context.Context, cluster *kafka.Cluster, config export.Config) *export.Figures {
	t.Helper()
	c, err := consumer.Open(ctx, cluster, consumer.Config{Topic: topic, From: consumer.Beginning(), Exit: true,
		Group: config.Group, Now: time.Now, Report: config.Report})
	must(t, err)
	figures, err := export.Run(ctx, cluster, c, config)
	must(t, err)
	return figures
}

// read returns what the files have, in the order of their names.
func read(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	must(t, err)
	var text strings.Builder
	for _, path := range paths {
		content, err := os.ReadFile(path)
		must(t, err)
		text.Write(content)
	}
	return text.String()
}

// closedFiles sums up the files that were reported, and the messages that were rejected.
type closedFiles struct {
	mu             sync.Mutex
	rows, rejected int64
}

func (c *closedFiles) report(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := e.(type) {
	case event.FileClosed:
		c.rows += e.Rows
	case event.Rejected:
		c.rejected++
	}
}
