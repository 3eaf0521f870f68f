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

	"bizumctl/bizum"
	"bizumctl/bizum/archive"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
)

// fileOptions are the flags of consume --dir.
type fileOptions struct {
	dir     string
	records int64
	bytes   byteSize
	age     time.Duration
	safe    bool
}

func (o *fileOptions) flags() []cli.Flag {
	o.bytes = 128 << 20
	return []cli.Flag{
		&cli.StringFlag{Name: "dir", Destination: &o.dir, Usage: "write files into folder `DIR`, each bizum exactly once"},
		&cli.Int64Flag{Name: "roll-records", Value: 1_000_000, Destination: &o.records, Usage: "close a file at `N` messages"},
		&cli.GenericFlag{Name: "roll-bytes", Value: &o.bytes, Usage: "close a file at `SIZE`"},
		&cli.DurationFlag{Name: "roll-age", Value: time.Minute, Destination: &o.age, Usage: "close a file after `TIME`"},
		&cli.BoolFlag{Name: "csv-safe", Destination: &o.safe, Usage: "csv files in which spreadsheets find no formula"},
	}
}

// suitFiles refuses what does not go with files, or only with them. Without --output they are Parquet.
func (o *consumeOptions) suitFiles(c *cli.Context) error {
	if o.dir == "" {
		for _, flag := range []string{"dir", "roll-records", "roll-bytes", "roll-age", "csv-safe"} {
			if c.IsSet(flag) {
				return misuse("--%s: files need a folder, --dir DIR", flag)
			}
		}
		return nil
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
	return nil
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
		f.console.remark("waiting for bizums in topic %q at %s", f.topic, f.cluster.Addresses())
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
	f.summary()
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
	if len(foreign) > 0 && err == nil {
		f.console.remark("folder %s: left alone what is not ours: %q", o.dir, foreign)
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
		f.console.remark("waiting for the process that writes partition %d of folder %s", partition, f.options.dir)
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
	f.console.remark("%s in %s%s", plural(f.rows.Load(), "bizum", "bizums"), plural(f.made.Load(), "file", "files"),
		(&view{bad: f.bad.Load(), rounded: f.rounded.Load()}).asides())
}

// progress tells how far the run is, on a terminal.
func (f *filing) progress() {
	if f.console.remarksScreen && f.console.progressDue() {
		rows := f.rows.Load()
		f.console.showProgress(fmt.Sprintf("%s filed, %.0f/s", plural(rows, "bizum", "bizums"),
			float64(rows)/f.now().Sub(f.began).Seconds()))
	}
}

// keeper files one partition as long as it is ours.
type keeper struct {
	*filing
	part      *archive.Part
	partition int32
	commit    func(ctx context.Context, position int64) error // to the group, if there is one

	first     int64            // what comes before it is not wanted
	committed int64            // position
	due       <-chan time.Time // when the file is old enough
	row       format.Row
}

// keep reads the partition and files it, until it comes to its stop, ctx ends or something fails. Whatever ends it,
// what was read is published, unless it is the disk that failed.
func (k *keeper) keep(ctx context.Context, from int64) error {
	position, known := k.part.Next()
	var err error
	if !known {
		k.first = from
		if position, err = k.within(ctx, k.partition, from); err == nil {
			k.part.Begin(position)
		}
	}
	if err == nil {
		k.committed = -1
		err = k.read(ctx, position)
	}
	err = unlessAsked(cmp.Or(k.publish(), err))
	late, cancel := outlast(ctx, lastCommitWithin)
	defer cancel()
	_ = k.tell(late) // should it fail, the folder knows better
	return cmp.Or(err, k.part.Release())
}

// read files batches. They are fetched in a goroutine, one ahead.
func (k *keeper) read(ctx context.Context, position int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan kafka.Batch)
	var failed error
	go func() {
		defer close(batches)
		failed = k.readFrom(ctx, k.partition, position, func(b kafka.Batch) error {
			select {
			case batches <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	end, ends := k.stops[k.partition]
	for !ends || position < end {
		select {
		case b, more := <-batches:
			if !more {
				return failed
			}
			if err := k.file(b); err != nil {
				return err
			}
			position = b.Next
		case <-k.due:
			if err := k.publish(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := k.tell(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tell commits to the group how far the partition is filed.
func (k *keeper) tell(ctx context.Context) error {
	position, known := k.part.Next()
	if !known || !k.part.Empty() || position == k.committed {
		return nil
	}
	k.committed = position
	return k.commit(ctx, position)
}

// file files the records of a batch, up to the partition's stop.
func (k *keeper) file(b kafka.Batch) error {
	stop, stops := k.stops[k.partition]
	seen := false
	for r := range b.Records() {
		if stops && r.Offset >= stop {
			break
		}
		if r.Offset < k.first {
			continue
		}
		seen = true
		if err := k.record(r); err != nil {
			return err
		}
		if k.due == nil {
			k.due = time.After(k.options.age)
		}
		if k.part.Full() {
			if err := k.publish(); err != nil {
				return err
			}
		}
	}
	if seen {
		k.waiting.Stop()
		if k.idling != nil {
			k.idling.Reset(k.idle)
		}
		k.progress()
	}
	if stops {
		b.Next = min(b.Next, stop)
	}
	k.part.MoveTo(b.Next)
	return nil
}

func (k *keeper) record(r kafka.Record) error {
	p, err := bizum.ParsePayment(r.Value)
	if err == nil {
		row := &k.row
		row.Payment, row.Partition, row.Offset, row.Time = p, k.partition, r.Offset, r.Time
		if account := row.Account; account == "" || account != string(r.Key) { // mostly that of the row before
			row.Account = bizum.AccountOf(r.Key)
		}
		err = k.part.Put(row)
		if err == nil {
			k.rows.Add(1)
			if p.Rounded {
				k.rounded.Add(1)
			}
			return nil
		}
		if !errors.Is(err, format.ErrLineBreak) {
			return err
		}
	}
	place := fmt.Sprintf("%s/%d@%d", k.topic, k.partition, r.Offset)
	if k.options.bad == "stop" {
		return fmt.Errorf("message at %s: %w", place, err)
	}
	k.console.rejected(place, err)
	k.bad.Add(1)
	return k.part.Reject(r.Offset, err, r.Value)
}

// publish closes the file that is open.
func (k *keeper) publish() error {
	k.due = nil
	file, err := k.part.Publish()
	if err != nil || file.Name == "" {
		return err
	}
	k.made.Add(1)
	rejected := ""
	if file.Rejected > 0 {
		rejected = fmt.Sprintf(", %d rejected", file.Rejected)
	}
	k.console.remark("closed %s: %s%s, %s", file.Name, plural(file.Rows, "bizum", "bizums"), rejected, short(file.Bytes))
	return nil
}

// short is a size in few digits.
func short(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
