package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/event"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
)

// fileOptions are the flags of consume --dir and produce --dir.
type fileOptions struct {
	dir     string
	records int64
	bytes   byteSize
	age     time.Duration
	safe    bool
}

func (o *fileOptions) flags(dir string) []cli.Flag {
	o.bytes = 128 << 20
	return []cli.Flag{
		&cli.StringFlag{Name: "dir", Destination: &o.dir, Usage: dir},
		&cli.Int64Flag{Name: "roll-records", Value: 1_000_000, Destination: &o.records,
			Usage: "close a file at `N` messages"},
		&cli.GenericFlag{Name: "roll-bytes", Value: &o.bytes, Usage: "close a file at `SIZE`"},
		&cli.DurationFlag{Name: "roll-age", Value: time.Minute, Destination: &o.age, Usage: "close a file after `TIME`"},
	}
}

// withoutFolder refuses the flags that need --dir, which was not given.
func (o *fileOptions) withoutFolder(c *cli.Context) error {
	for _, flag := range []string{"dir", "roll-records", "roll-bytes", "roll-age", "csv-safe"} {
		if c.IsSet(flag) {
			return misuse("--%s: files need a folder, --dir DIR", flag)
		}
	}
	return nil
}

// suitFiles refuses what does not go with files, or only with them. Without --output they are Parquet.
func (o *consumeOptions) suitFiles(c *cli.Context) error {
	if o.dir == "" {
		return o.withoutFolder(c)
	}
	for _, flag := range []string{"count", "until"} {
		if c.IsSet(flag) {
			return misuse("--dir files all there is, up to the end with --exit: leave out --%s", flag)
		}
	}
	if !c.IsSet("output") {
		o.output = format.Names[0]
	}
	if o.safe && o.output != "csv" {
		return misuse("--csv-safe goes with --output csv")
	}
	return o.fileOptions.check()
}

func (o *fileOptions) check() error {
	switch {
	case o.records < 1:
		return misuse("--roll-records %d: want 1 or more", o.records)
	case o.age <= 0:
		return misuse("--roll-age %v: want a time above 0", o.age)
	}
	return nil
}

// filing writes the bizums of a topic into a folder, each partition in a goroutine of its own. The folder says where
// each partition goes on, also in a group.
type filing struct {
	*follower
	options *consumeOptions
	folder  *archive.Folder

	waiting, idling          *time.Timer
	rows, bad, rounded, made atomic.Int64 // for the summary: bizums, rejected, rounded, files
	began                    time.Time

	mu     sync.Mutex
	failed error  // the first one
	stop   func() // ends the run
}

func (f *filing) run(ctx context.Context) error {
	ctx, f.stop = context.WithCancel(ctx)
	defer f.stop()
	f.starts, f.stops, f.failures = make(map[int32]int64), make(map[int32]int64), make(chan error, 1)
	if err := f.begin(ctx); err != nil {
		return unlessAsked(err)
	}
	if err := f.open(ctx); err != nil {
		return interrupted(ctx, err)
	}
	f.began = f.now()
	f.waiting = time.AfterFunc(waitingAfter, func() {
		f.console.Noticef("waiting for bizums in topic %q at %s", f.topic, f.cluster.Addresses())
	})
	defer f.waiting.Stop()
	if f.idle > 0 {
		f.idling = time.AfterFunc(f.idle, f.stop)
		defer f.idling.Stop()
	}
	fileAll := f.fileAll
	if f.group != "" {
		fileAll = f.fileShared
	}
	err := fileAll(ctx)
	if err == nil || f.made.Load() > 0 {
		f.summary()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err = unlessAsked(cmp.Or(f.failed, err)); errors.Is(err, kafka.ErrNewTopic) {
		err = hintedError{err, "the new one needs a new folder"}
	}
	return err
}

// open makes sure that the folder is this topic's.
func (f *filing) open(ctx context.Context) error {
	cluster, id, err := f.cluster.Identity(ctx, f.topic)
	if err != nil {
		return err
	}
	o := f.options
	folder, foreign, err := archive.Open(o.dir, archive.Config{
		FileOptions: format.FileOptions{Format: o.output, Topic: f.topic, Safe: o.safe},
		Cluster:     cluster, TopicID: id, Records: o.records, Bytes: int64(o.bytes),
	})
	f.folder = folder
	const most = 5
	if more := len(foreign) - most; more > 0 {
		foreign = append(foreign[:most], fmt.Sprintf("and %d more", more))
	}
	if err != nil {
		return err
	}
	if len(foreign) > 0 {
		f.console.Noticef("folder %s: left alone what is not ours: %q", o.dir, foreign)
	}
	return f.compare(ctx)
}

// compare makes sure that the log has come as far as the folder. Without --exit, reading tells.
func (f *filing) compare(ctx context.Context) error {
	positions, err := f.folder.Positions()
	for p, stop := range f.stops {
		if err == nil && positions[p] > stop { // or other processes went on since we asked for the end
			if stop, err = f.cluster.Offset(ctx, f.topic, p, kafka.End); err == nil && positions[p] > stop {
				err = &kafka.OutOfRangeError{Topic: f.topic, Partition: p, Position: positions[p], End: stop}
			}
		}
	}
	return err
}

func (f *filing) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil && !errors.Is(err, context.Canceled) {
		f.failed = err
	}
	f.stop()
}

// fileAll files all the partitions, or those that were named. It takes all of them first, so that a run that is
// refused one has done nothing.
func (f *filing) fileAll(ctx context.Context) error {
	parts := make(map[int32]*archive.Part)
	for _, p := range slices.Sorted(maps.Keys(f.starts)) {
		part, err := f.folder.Take(p)
		if err != nil {
			return err // the locks end with the process
		}
		parts[p] = part
	}
	var running sync.WaitGroup
	file := func(p int32, from int64, part *archive.Part) {
		running.Go(func() {
			k := &keeper{filing: f, part: part, partition: p, commit: func(context.Context, int64) error { return nil }}
			if err := k.keep(ctx, from); err != nil {
				f.fail(err)
			}
		})
	}
	for p, part := range parts {
		file(p, f.starts[p], part)
	}
	if len(f.partitions) == 0 && !f.exit {
		running.Go(func() {
			f.readNew(ctx, len(f.starts), func(p int32) {
				if part, err := f.folder.Take(p); err != nil {
					f.fail(err)
				} else {
					file(p, 0, part)
				}
			})
		})
	}
	running.Wait()
	return nil
}

// fileShared files the partitions that the group gives us.
func (f *filing) fileShared(ctx context.Context) (err error) {
	if f.members, err = f.cluster.Group(f.group, f.topic); err != nil {
		return err
	}
	defer f.members.Close()
	if f.exit {
		go f.awaitFolder(ctx)
	}
	return f.members.Run(ctx, func(claimed context.Context, claim *kafka.Claim) error {
		part, err := f.await(claimed, claim.Partition)
		if err != nil {
			return err
		}
		from, err := f.resolve(claimed, claim.Partition, &f.from)
		if err != nil {
			return errors.Join(err, part.Release())
		}
		k := &keeper{filing: f, part: part, partition: claim.Partition, commit: claim.Commit}
		return k.keep(claimed, from)
	})
}

// await takes a partition that the group gave us, as soon as whoever had it before has let go of it.
func (f *filing) await(ctx context.Context, partition int32) (*archive.Part, error) {
	told := time.AfterFunc(waitingAfter, func() {
		f.console.Noticef("waiting for the process that writes partition %d of folder %s", partition, f.options.dir)
	})
	defer told.Stop()
	for {
		part, err := f.folder.Take(partition)
		if !errors.Is(err, archive.ErrTaken) {
			return part, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// awaitFolder ends the run when the group, in all its members, has filed every partition to its stop. It asks the
// folder, not the group, whose positions may be those of other work.
func (f *filing) awaitFolder(ctx context.Context) {
	for {
		positions, err := f.folder.Positions()
		if err != nil {
			f.fail(err)
			return
		}
		reached := true
		for p, stop := range f.stops {
			position, known := positions[p]
			if !known {
				position = f.starts[p]
			}
			reached = reached && position >= stop
		}
		if reached {
			f.stop()
			return
		}
		select {
		case <-time.After(askPositions):
		case <-ctx.Done():
			return
		}
	}
}

func (f *filing) summary() {
	f.console.Noticef("%s in %s%s", console.Plural(f.rows.Load(), "bizum", "bizums"), console.Plural(f.made.Load(), "file", "files"),
		(&view{bad: f.bad.Load(), rounded: f.rounded.Load()}).asides())
}

// progress tells how far the run is, on a terminal.
func (f *filing) progress() {
	f.console.Report(event.Filing{Rows: f.rows.Load(), Elapsed: f.now().Sub(f.began)})
}
