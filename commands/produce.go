package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
)

// lingerMost is how long a bizum may wait for others to go with it.
const lingerMost = 50 * time.Millisecond

// lastFlushWithin is how long an interrupted run may take to deliver what it has under way.
const lastFlushWithin = 5 * time.Second

const longestDelay = 1000 * time.Hour

type produceOptions struct {
	shared
	fileOptions
	minDelay, maxDelay time.Duration
	rate               rate
	count              int64
	duration           time.Duration
	seed               uint64
	accounts           int
	names, concepts    string // files; "": the lists that are built in
	input              string // file of messages, or -; "": they are made
	dryRun             bool
	compression        string
	partitions         int
	onlyIfMade         bool // --partitions was given, so tell if it does not apply
	paced              bool // with random pauses
	rated              bool // --rate was given: figures are wanted
}

func newProduce(env Env) *cli.Command {
	var o produceOptions
	return &cli.Command{
		Name: "produce", Usage: "send made-up bizums, or given ones",
		Description: examples("Sends a bizum, waits a random pause, and so on. A missing topic is made.",
			"bizumctl produce                                a bizum every 1 to 10 seconds",
			"bizumctl produce --rate 1000 -n 60000 --seed 7  the same minute of load, each time"),
		Flags: slices.Concat([]cli.Flag{
			&cli.DurationFlag{Name: "min-delay", Value: time.Second, Destination: &o.minDelay, Usage: "shortest pause `TIME`"},
			&cli.DurationFlag{Name: "max-delay", Value: 10 * time.Second, Destination: &o.maxDelay,
				Usage: "longest pause `TIME`"},
			&cli.GenericFlag{Name: "rate", Value: &o.rate, Usage: "`N` a second instead of pauses, or max"},
			&cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Destination: &o.count, Usage: "stop after `N` bizums"},
			&cli.DurationFlag{Name: "duration", Aliases: []string{"d"}, Destination: &o.duration, Usage: "stop after `TIME`"},
			&cli.Uint64Flag{Name: "seed", Value: rand.Uint64(), Destination: &o.seed, DefaultText: "random",
				Usage: "the same `N`: the same bizums and pauses"},
			&cli.IntFlag{Name: "accounts", Value: 1, Destination: &o.accounts,
				Usage: "spread over `N` accounts, cuenta-1 to cuenta-N"},
			&cli.StringFlag{Name: "names", Destination: &o.names, Usage: "`FILE` of names, one a line"},
			&cli.StringFlag{Name: "concepts", Destination: &o.concepts, Usage: "`FILE` of concepts, one a line"},
			&cli.StringFlag{Name: "input", Destination: &o.input, Usage: "send the messages of `FILE`, or - for standard input"},
			&cli.BoolFlag{Name: "dry-run", Destination: &o.dryRun, Usage: "print the messages instead of sending them"},
			&cli.StringFlag{Name: "compression", Value: "none", Destination: &o.compression,
				Usage: "`CODEC`: none, gzip, snappy, lz4, zstd"},
			&cli.IntFlag{Name: "partitions", Value: 1, Destination: &o.partitions,
				Usage: "make a missing topic with `N` partitions"},
		}, o.fileOptions.flags("write text files into folder `DIR` instead of sending"), o.shared.flags()),
		Action: func(c *cli.Context) error {
			delays := c.IsSet("min-delay") || c.IsSet("max-delay")
			o.rated = c.IsSet("rate")
			switch {
			case o.rated && delays:
				return misuse("--rate and --min-delay, --max-delay exclude each other")
			case o.input != "" && (c.IsSet("accounts") || c.IsSet("names") || c.IsSet("concepts")):
				return misuse("--input sends given messages: leave out --accounts, --names and --concepts")
			case o.input != "" && !delays && !o.rated:
				o.rate.max = true
			}
			o.paced = !o.rated && !o.rate.max
			o.onlyIfMade = c.IsSet("partitions")
			if err := o.suitFiles(c); err != nil {
				return err
			}
			return o.run(c.Context, env, newConsole(env, o.shared))
		},
	}
}

func (o *produceOptions) validate() error {
	switch {
	case o.minDelay < 0 || o.maxDelay < o.minDelay || o.maxDelay > longestDelay:
		return misuse("--min-delay %v, --max-delay %v: want 0 ≤ min ≤ max ≤ %v", o.minDelay, o.maxDelay, longestDelay)
	case o.duration < 0:
		return misuse("--duration (-d) %v: want a time above 0", o.duration)
	case o.accounts < 1:
		return misuse("--accounts %d: want 1 or more", o.accounts)
	case o.partitions < 1 || o.partitions > 10_000:
		return misuse("--partitions %d: want 1 to 10000", o.partitions)
	}
	err := kafka.CheckCompression(o.compression)
	if err != nil {
		err = misuseError{err}
	}
	return cmp.Or(notNegative("count", o.count), err)
}

func (o *produceOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.validate(); err != nil {
		return err
	}
	messages, err := o.source(env)
	if err != nil {
		return err
	}
	tally := newTally(o, screen, env.Now)
	if o.dryRun {
		return o.send(ctx, messages, &printer{console: screen}, tally)
	}
	if o.dir != "" {
		return o.sendFiles(ctx, messages, screen, tally)
	}
	cluster, err := o.open(env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := o.ensureTopic(ctx, cluster, screen); err != nil {
		return err
	}
	writer, err := cluster.NewWriter(ctx, o.topic, kafka.WriterConfig{Compression: o.compression, Acked: tally.acked})
	if err != nil {
		return interrupted(ctx, err)
	}
	defer writer.Close()
	err = o.send(ctx, messages, &sender{writer: writer, console: screen, statement: console.NewStatement(screen, false)}, tally)
	tally.summary(writer.Pending())
	return err
}

// interrupted turns the error of a run that was ended before it began into none.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ensureTopic makes the topic if it is missing.
func (o *produceOptions) ensureTopic(ctx context.Context, cluster *kafka.Cluster, screen *console.Console) error {
	partitions, err := cluster.Partitions(ctx, o.topic)
	switch {
	case errors.Is(err, kafka.ErrNoTopic):
		created, err := cluster.CreateTopic(ctx, o.topic, keptForEver(o.partitions))
		if created {
			screen.Noticef("made topic %q with %s; it keeps its records for ever (retention.ms=-1)",
				o.topic, console.Plural(o.partitions, "partition", "partitions"))
		}
		return interrupted(ctx, err)
	case err == nil && o.onlyIfMade && len(partitions) != o.partitions:
		screen.Noticef("topic %q has %s already: --partitions does not apply",
			o.topic, console.Plural(len(partitions), "partition", "partitions"))
	}
	return interrupted(ctx, err)
}

// keptForEver is how a topic of bizums is made.
func keptForEver(partitions int) kafka.TopicSpec {
	return kafka.TopicSpec{Partitions: int32(partitions), Settings: map[string]string{"retention.ms": "-1"}}
}

// sink is where messages go: to a topic, into files or, on a dry run, to the screen.
type sink interface {
	put(ctx context.Context, m *message, due, now time.Time) error
	push()                           // let go of what was put
	flush(ctx context.Context) error // and wait until it has arrived
	show(m *message) error           // one that has arrived, when paced
	failed() <-chan struct{}
}

// send is the run. When it is over, for whatever reason, it waits for what was put to arrive; interrupted, only a
// little longer.
func (o *produceOptions) send(ctx context.Context, next source, to sink, tally *tally) error {
	late, cancel := outlast(ctx, lastFlushWithin)
	defer cancel()
	tally.begin()
	err := o.sendAll(ctx, late, next, to, tally)
	if errors.Is(err, console.ErrClosedPipe) {
		return err
	}
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		err = nil
	}
	return cmp.Or(to.flush(late), err) // the messages before a bad line are good
}

// sendAll waits until the next message is due, and puts it.
func (o *produceOptions) sendAll(ctx, late context.Context, next source, to sink, tally *tally) error {
	pace, pushed := o.pace(), tally.began
	until := ctx // to wait for input
	if o.duration > 0 {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadlineCause(ctx, tally.began.Add(o.duration), io.EOF)
		defer cancel()
	}
	for n := int64(0); o.count == 0 || n < o.count; n++ {
		now := tally.clock(n)
		due := now
		if pace != nil {
			due = tally.began.Add(pace.Next(now.Sub(tally.began)))
		}
		if o.duration > 0 && due.Sub(tally.began) >= o.duration {
			return nil
		}
		if due.After(now) {
			await(ctx, due.Sub(now), to)
			now = tally.now()
		}
		if pace != nil || n%seldom == 0 {
			if ctx.Err() != nil {
				return nil
			}
			if now.Sub(pushed) > lingerMost {
				to.push()
				pushed = now
			}
		}
		tally.behind(now.Sub(due))
		m, err := next(until, to)
		if err != nil {
			return err
		}
		if o.input != "" { // it may have been long in coming
			if now = tally.now(); pace == nil {
				due = now
			}
		}
		if err := to.put(ctx, m, due, now); err != nil {
			return err
		}
		tally.put(n + 1)
		if o.paced {
			if err := to.flush(late); err != nil {
				return err
			}
			if err := to.show(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// outlast makes a context that ends so long after another one does.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return late, func() {
		stop()
		cancel()
	}
}

// pace says when messages are due; nil: as soon as can be.
func (o *produceOptions) pace() *bizum.Pace {
	switch {
	case o.paced:
		return bizum.Pauses(o.seed, o.minDelay, o.maxDelay)
	case o.rate.max:
		return nil
	}
	return bizum.Rate(o.rate.perSecond)
}

// await waits, at least a millisecond at once, so that a fast pace goes in small batches.
func await(ctx context.Context, left time.Duration, to sink) {
	to.push()
	timer := time.NewTimer(max(left, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-to.failed(): // flush tells why
	case <-ctx.Done():
	}
}

// sender puts messages into a topic.
type sender struct {
	writer    *kafka.Writer
	console   *console.Console
	statement *console.Statement
	now       time.Time // of the last message
}

func (s *sender) put(ctx context.Context, m *message, due, now time.Time) error {
	s.now = now
	return s.writer.Append(ctx, m.key, m.value, now.UnixMilli(), due.UnixNano())
}

func (s *sender) push() { s.writer.Push() }

func (s *sender) flush(ctx context.Context) error {
	err := s.writer.Flush(ctx)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted before %s acknowledged", console.Plural(s.writer.Pending(), "bizum was", "bizums were"))
	}
	return err
}

func (s *sender) failed() <-chan struct{} { return s.writer.Failed() }

func (s *sender) show(m *message) error {
	if err := s.statement.Row(s.now.UnixMilli(), bizum.KeyOf(m.key), &m.payment, 0); err != nil {
		return err
	}
	return s.console.Flush()
}

// printer is the dry run: messages go to standard output.
type printer struct {
	console *console.Console
	err     error
}

func (p *printer) put(_ context.Context, m *message, _, _ time.Time) error {
	return p.console.Line(m.value)
}
func (p *printer) push()                       { p.err = p.console.Flush() }
func (p *printer) flush(context.Context) error { return cmp.Or(p.err, p.console.Flush()) }
func (p *printer) show(*message) error         { return nil }
func (p *printer) failed() <-chan struct{}     { return nil }
