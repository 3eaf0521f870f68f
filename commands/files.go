package commands

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/export"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/misuse"
	"bizumctl/commands/view"
)

// fileOptions are the flags of consume --dir and produce --dir.
type fileOptions struct {
	dir     string
	records int64
	bytes   flags.ByteSize
	age     time.Duration
}

func defaultFiles() fileOptions {
	return fileOptions{records: 1_000_000, bytes: 128 << 20, age: time.Minute}
}

func (o *fileOptions) flags(dir string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "dir", Destination: &o.dir, Usage: dir},
		&cli.Int64Flag{Name: "roll-records", Value: o.records, Destination: &o.records,
			Usage: "close a file at `N` messages"},
		&cli.GenericFlag{Name: "roll-bytes", Value: &o.bytes, Usage: "close a file at `SIZE`"},
		&cli.DurationFlag{Name: "roll-age", Value: o.age, Destination: &o.age, Usage: "close a file after `TIME`"},
	}
}

// withoutFolder refuses the flags that need --dir, which was not given.
func withoutFolder(c *cli.Context) error {
	for _, flag := range []string{"dir", "roll-records", "roll-bytes", "roll-age"} {
		if c.IsSet(flag) {
			return misuse.Errorf("--%s: files need a folder, --dir DIR", flag)
		}
	}
	return nil
}

func (o *fileOptions) check(topic string) error {
	if err := archive.CheckTopic(topic); err != nil {
		return misuse.Errorf("--topic (-t) %q: %w", topic, err)
	}
	switch {
	case o.records < 1:
		return misuse.Errorf("--roll-records %d: want 1 or more", o.records)
	case o.age <= 0:
		return misuse.Errorf("--roll-age %v: want a time above 0", o.age)
	}
	return nil
}

// suitFiles refuses what does not go with files, or only with them.
func (o *produceOptions) suitFiles(c *cli.Context) error {
	if o.files.dir == "" {
		return withoutFolder(c)
	}
	for _, flag := range []string{"dry-run", "partitions", "metrics", "compression", "accounts"} {
		if c.IsSet(flag) {
			return misuse.Errorf("--dir writes lines into files: leave out --%s", flag)
		}
	}
	return o.files.check(o.cluster.Topic)
}

// suitFiles refuses what does not go with files, or only with them. Without --output they are Parquet.
func (o *consumeOptions) suitFiles(c *cli.Context) error {
	if o.files.dir == "" {
		if c.IsSet("metrics") {
			return misuse.Errorf("--metrics serves the figures of files: give a folder, --dir DIR")
		}
		return withoutFolder(c)
	}
	for _, flag := range []string{"count", "until"} {
		if c.IsSet(flag) {
			return misuse.Errorf("--dir files all there is, up to the end with --exit: leave out --%s", flag)
		}
	}
	if !c.IsSet("output") && o.output == "table" {
		o.output = format.Names[0]
	}
	return o.files.check(o.cluster.Topic)
}

// writeFiles is consume when bizums go into a folder.
func (o *consumeOptions) writeFiles(ctx context.Context, env Env, cluster *kafka.Cluster, config consumer.Config,
	screen *console.Console) error {
	var opened atomic.Pointer[consumer.Consumer]
	report, stopMetrics, err := o.serveMetrics(ctx, env, cluster, &opened, screen)
	if err != nil {
		return err
	}
	defer stopMetrics()
	topic, err := consumer.Open(ctx, cluster, config)
	if err != nil {
		return consumer.Failure(err)
	}
	opened.Store(topic)
	stop := func() {}
	if o.exit {
		stop = screen.Follow(topic.Progress)
	}
	figures, err := export.Run(ctx, cluster, topic, export.Config{Dir: o.files.dir, Group: o.group,
		File:    format.FileOptions{Format: o.output, Topic: o.cluster.Topic, Safe: o.safe},
		Records: o.files.records, Bytes: int64(o.files.bytes), Age: o.files.age, Strict: o.bad == "stop",
		Now: env.Now, Report: report})
	stop()
	if figures != nil {
		screen.Noticef("%s in %s%s", console.Plural(figures.Rows, "bizum", "bizums"),
			console.Plural(figures.Files, "file", "files"), view.Exceptions(figures.Rounded, figures.Rejected))
	}
	if errors.Is(err, kafka.ErrNewTopic) {
		err = misuse.WithHint(err, "the new one needs a new folder")
	}
	return err
}
