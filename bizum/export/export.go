// Package export writes the bizums of a topic into the files of a folder, each exactly once. It joins the topic and the
// archive: what a partition of the one has become in the other, and when that may be committed. It knows no screen.
package export

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/format"
	"bizumctl/bizum/kafka"
)

const (
	waitingAfter     = 3 * time.Second // for another process; then the wait is reported
	takeEvery        = 100 * time.Millisecond
	positionsEvery   = 200 * time.Millisecond
	lastCommitWithin = 5 * time.Second
)

// Config says what is written, and where.
type Config struct {
	Dir            string
	Group          string // share the partitions with its other members; "": write them all
	File           format.FileOptions
	Records, Bytes int64         // a file is closed when it has so many
	Age            time.Duration // or is so old
	Strict         bool          // end at the first rejected message

	Now    func() time.Time
	Report func(event.Event) // called from several goroutines
}

// Figures are the sums of a run.
type Figures struct{ Rows, Files, Rejected, Rounded int64 }

// export is a run. Each partition is written by a goroutine of its own; the folder knows where it goes on, also in a
// group.
type export struct {
	topic  *consumer.Consumer
	config Config
	folder *archive.Folder
	began  time.Time

	rows, files, rejected, rounded atomic.Int64
}

// Run writes until the topic's stops are reached, ctx ends, or an error. The figures are nil when nothing was begun.
// The error may be archive.ErrTaken, an archive.WrongFolderError, or one of the rooms below.
func Run(ctx context.Context, cluster *kafka.Cluster, topic *consumer.Consumer, config Config) (*Figures, error) {
	folder, err := open(ctx, cluster, topic, config)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil
		}
		return nil, err
	}
	if len(topic.Stops()) == 0 { // else they come at once
		config.Report(event.FilesBegun{Dir: config.Dir, Format: config.File.Format, Records: config.Records,
			Bytes: config.Bytes, Age: config.Age})
	}
	x := &export{topic: topic, config: config, folder: folder, began: config.Now()}
	if config.Group != "" {
		err = consumer.Failure(x.claims(ctx))
		if err != nil && x.files.Load() == 0 {
			return nil, err
		}
		return x.figures(), err
	}
	parts, err := take(folder, topic)
	if err != nil {
		return nil, err // the locks end with the process
	}
	err = topic.RunEach(ctx, func(ctx context.Context, number int32, from int64) error {
		part := parts[number]
		if part == nil { // it was added since
			var err error
			if part, err = folder.Take(number); err != nil {
				return err
			}
		}
		return newPartition(x, part, number, func(context.Context, int64) error { return nil }).run(ctx, from)
	})
	return x.figures(), err
}

func (x *export) figures() *Figures {
	return &Figures{Rows: x.rows.Load(), Files: x.files.Load(), Rejected: x.rejected.Load(), Rounded: x.rounded.Load()}
}

func (x *export) reportProgress() {
	x.config.Report(event.Filing{Rows: x.rows.Load(), Elapsed: x.config.Now().Sub(x.began)})
}

// open makes sure that the folder is this topic's, and that the log has come as far as the folder.
func open(ctx context.Context, cluster *kafka.Cluster, topic *consumer.Consumer, config Config) (*archive.Folder,
	error) {
	name, id, err := cluster.Identity(ctx, config.File.Topic)
	if err != nil {
		return nil, err
	}
	folder, foreign, err := archive.Open(config.Dir, archive.Config{FileOptions: config.File,
		Cluster: name, TopicID: id, Records: config.Records, Bytes: config.Bytes})
	if err != nil {
		return nil, err
	}
	if len(foreign) > 0 {
		config.Report(event.ForeignFiles{Dir: config.Dir, Names: foreign})
	}
	return folder, compare(ctx, cluster, folder, topic, config.File.Topic)
}

// compare makes sure that the log has come as far as the folder. Without stops, reading finds out.
func compare(ctx context.Context, cluster *kafka.Cluster, folder *archive.Folder, topic *consumer.Consumer,
	name string) error {
	positions, err := folder.Positions()
	if err != nil {
		return err
	}
	for p, stop := range topic.Stops() {
		position := positions[p]
		if position <= stop {
			continue
		}
		// Other processes may have gone on since we asked for the end.
		if stop, err = cluster.Offset(ctx, name, p, kafka.End); err != nil {
			return err
		}
		if position > stop {
			return &kafka.OutOfRangeError{Topic: name, Partition: p, Position: position, End: stop}
		}
	}
	return nil
}

// take takes all the partitions, before anything is written, so that a run that is refused one has done nothing.
func take(folder *archive.Folder, topic *consumer.Consumer) (map[int32]*archive.Part, error) {
	parts := make(map[int32]*archive.Part)
	for _, p := range slices.Sorted(maps.Keys(topic.Starts())) {
		part, err := folder.Take(p)
		if err != nil {
			return nil, err
		}
		parts[p] = part
	}
	return parts, nil
}

// claims writes the partitions that the group gives us.
func (x *export) claims(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if stops := x.topic.Stops(); len(stops) > 0 {
		go x.awaitPositions(ctx, stops)
	}
	return x.topic.RunClaims(ctx, func([]int32) {}, func(ctx context.Context, claim *kafka.Claim) error {
		part, err := x.awaitPart(ctx, claim.Partition)
		if err != nil {
			return err
		}
		from, err := x.topic.StartOf(ctx, claim.Partition)
		if err != nil {
			return errors.Join(err, part.Release())
		}
		return newPartition(x, part, claim.Partition, claim.Commit).run(ctx, from)
	})
}

// awaitPart takes a partition that the group gave us, as soon as its former owner has released it.
func (x *export) awaitPart(ctx context.Context, partition int32) (*archive.Part, error) {
	waiting := time.AfterFunc(waitingAfter, func() {
		x.config.Report(event.WaitingForWriter{Dir: x.config.Dir, Partition: partition})
	})
	defer waiting.Stop()
	for {
		part, err := x.folder.Take(partition)
		if !errors.Is(err, archive.ErrTaken) {
			return part, err
		}
		select {
		case <-time.After(takeEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// awaitPositions ends the run when the group, in all its members, has written every partition up to its stop. It asks
// the folder, not the group, whose positions may be those of other work.
func (x *export) awaitPositions(ctx context.Context, stops map[int32]int64) {
	starts := x.topic.Starts()
	for {
		positions, err := x.folder.Positions()
		if err != nil {
			x.topic.End(err)
			return
		}
		reached := true
		for p, stop := range stops {
			position, known := positions[p]
			if !known {
				position = starts[p]
			}
			reached = reached && position >= stop
		}
		if reached {
			x.topic.End(consumer.ErrDone)
			return
		}
		select {
		case <-time.After(positionsEvery):
		case <-ctx.Done():
			return
		}
	}
}
