package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// A commit interval has to leave a transaction time to end before Kafka ends it.
const (
	everyLeast = time.Millisecond
	everyMost  = 5 * time.Second
)

// books are the topics of a ledger, and what it is kept of.
type books struct {
	cluster          *kafka.Cluster
	source, group    string
	ledger, rejected string // topics
	heading          ledger.Heading
	ledgerID         string
}

var groupName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func booksOf(cluster *kafka.Cluster, topic, group string) (*books, error) {
	if !groupName.MatchString(group) {
		return nil, misuse("--group (-g) %q: want letters, digits, _ and -", group)
	}
	name := topic + "." + group
	return &books{cluster: cluster, source: topic, group: group,
		ledger: name + ".ledger", rejected: name + ".rejected"}, nil
}

// keep is balance in a group: the ledger's partitions are shared, and every payment is booked once.
func (o *balanceOptions) keep(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.every < everyLeast || o.every > everyMost {
		return misuse("--commit-interval %v: want %v to %v", o.every, everyLeast, everyMost)
	}
	cluster, err := o.open(env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	books, err := booksOf(cluster, o.topic, o.group)
	if err != nil {
		return err
	}
	f := &follower{cluster: cluster, topic: o.topic, console: screen, now: env.Now, exit: o.exit, group: o.group,
		counts: ledger.Ours, starts: make(map[int32]int64), stops: make(map[int32]int64), failures: make(chan error, 1)}
	if err := f.begin(ctx); err != nil {
		return unlessAsked(err)
	}
	if err := books.prepare(ctx, o.initial, screen); err != nil {
		return interrupted(ctx, err)
	}
	if f.members, err = cluster.Group(o.group, o.topic); err != nil {
		return err
	}
	board, err := o.newBoard(screen)
	if err != nil {
		return err
	}
	l := &ledger.Ledger{Heading: books.heading, Source: o.topic, Name: books.ledger, Interval: o.every, AcceptGap: o.gap,
		Strict: o.bad == "stop", Now: env.Now, Take: board.take, Untake: board.untake, Show: board.show,
		Tell: func(partition int32, text string) { screen.Noticef("%s/%d: %s", o.topic, partition, text) }}
	err = unlessAsked(books.share(ctx, f, l))
	if err == nil {
		board.summary()
	}
	return err
}

// prepare makes the ledger's topics, or checks those that there are.
func (b *books) prepare(ctx context.Context, initial bizum.Amount, screen *console.Console) error {
	source, err := b.cluster.Topic(ctx, b.source)
	if err != nil {
		return err
	}
	if source.Compacted {
		return fmt.Errorf("topic %q is compacted (cleanup.policy): messages are gone that were never booked", b.source)
	}
	b.heading = ledger.Heading{Topic: source.ID, Partitions: source.Partitions, Initial: initial}
	for _, t := range []struct {
		name     string
		compact  bool
		settings map[string]string
	}{
		{b.ledger, true, map[string]string{"cleanup.policy": "compact",
			"min.compaction.lag.ms": fmt.Sprint(compactionLag.Milliseconds()), "segment.ms": "600000"}},
		{b.rejected, false, map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}},
	} {
		created, err := b.cluster.CreateTopic(ctx, t.name,
			kafka.TopicSpec{Partitions: source.Partitions, Replication: source.Replication, Settings: t.settings})
		if err != nil {
			return err
		}
		if created {
			screen.Noticef("made topic %q", t.name)
		}
		topic, err := b.cluster.Topic(ctx, t.name)
		switch {
		case err != nil:
			return err
		case topic.Partitions != source.Partitions:
			return hintedError{fmt.Errorf("topic %q has %s, %q has %d", t.name,
				console.Plural(topic.Partitions, "partition", "partitions"), b.source, source.Partitions),
				"keep a new ledger: take another --group"}
		case topic.Compacted != t.compact || t.compact && topic.Deleted:
			return hintedError{fmt.Errorf("topic %q is not ours as it is: its cleanup.policy is another", t.name),
				"a ledger's is compact, that of rejected messages is delete; or take another --group"}
		}
		if t.name == b.ledger {
			b.ledgerID = topic.ID
		}
	}
	return nil
}

// compactionLag is how long after a message's timestamp the ledger keeps its entry even if there is a later one.
const compactionLag = time.Hour

// share keeps those partitions that the group gives us, until ctx ends, the group has come to its stops, or an error.
func (b *books) share(ctx context.Context, f *follower, l *ledger.Ledger) error {
	defer f.members.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	waiting := time.AfterFunc(waitingAfter, func() {
		f.console.Noticef("waiting for bizums in topic %q at %s", f.topic, f.cluster.Addresses())
	})
	defer waiting.Stop()
	show := l.Show
	l.Show = func(c ledger.Committed) error {
		waiting.Stop()
		return show(c)
	}
	first := &firstSession{all: func() { f.awaitGroup(ctx) }}
	l.Ready = first.ready
	f.members.Joined = func(partitions []int32) {
		f.joined(partitions)
		l.Retain(partitions)
		first.joined(partitions)
	}
	ended := make(chan error, 1)
	go func() {
		select {
		case err := <-f.failures:
			ended <- err
			stop()
		case <-ctx.Done():
			ended <- nil
		}
	}()
	err := f.members.Run(ctx, func(ctx context.Context, claim *kafka.Claim) error {
		if err := b.check(ctx, l); err != nil {
			return err
		}
		task := claim.Task(b.heading.Topic, b.ledger, b.rejected, b.heading.Partitions)
		defer task.Close()
		return l.Keep(ctx, claim.Partition, task)
	})
	stop()
	return anew(cmp.Or(err, <-ended))
}

// anew says what to do about a topic that was made anew while its ledger was read.
func anew(err error) error {
	if errors.Is(err, kafka.ErrNewTopic) {
		return hintedError{err, "keep a new ledger: take another --group"}
	}
	return err
}

// firstSession finds out when all partitions of it have been taken over: then only can the group's end be reached,
// because taking over is what tells whether the ledger can be gone on with.
type firstSession struct {
	all func()

	mu   sync.Mutex
	left map[int32]bool
	over bool
}

func (s *firstSession) joined(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = make(map[int32]bool)
	for _, p := range partitions {
		s.left[p] = true
	}
	s.check()
}

func (s *firstSession) ready(partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.left, partition)
	s.check()
}

func (s *firstSession) check() {
	if len(s.left) == 0 && !s.over {
		s.over = true
		s.all()
	}
}

// check sees to it that the topics are still those with which we began.
func (b *books) check(ctx context.Context, l *ledger.Ledger) error {
	source, err := b.cluster.Topic(ctx, b.source)
	if err != nil {
		return err
	}
	ours, err := b.cluster.Topic(ctx, b.ledger)
	if err != nil {
		return err
	}
	if ours.ID != b.ledgerID {
		return hintedError{fmt.Errorf("topic %q was deleted and made anew while it was kept", b.ledger),
			"keep a new ledger: take another --group"}
	}
	return l.Check(ledger.Heading{Topic: source.ID, Partitions: source.Partitions, Initial: b.heading.Initial})
}

// board shows what a ledger commits. Several partitions do so at once.
type board struct {
	options *balanceOptions
	console *console.Console
	view    *view
	row     func(r *record.Record, e *bizum.Entry) error

	mu       sync.Mutex
	taken    int64 // entries that are shown, or will be
	showed   int64
	accounts map[int32]int
	sole     map[int32]*bizum.Account
}

func (o *balanceOptions) newBoard(screen *console.Console) (*board, error) {
	row, err := o.shower(screen)
	return &board{options: o, console: screen, view: &view{console: screen, topic: o.topic}, row: row,
		accounts: make(map[int32]int), sole: make(map[int32]*bizum.Account)}, err
}

// take says whether an entry is to be shown, and whether that is within --count.
func (b *board) take(account []byte) (wanted, room bool) {
	o := b.options
	if o.account != "" && string(account) != o.account || o.output == "none" && o.count == 0 {
		return false, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.count > 0 && b.taken == o.count {
		return true, false
	}
	b.taken++
	return true, true
}

func (b *board) untake(entries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken -= int64(entries)
}

func (b *board) show(c ledger.Committed) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[c.Partition], b.sole[c.Partition] = c.Accounts, c.Sole
	b.view.seen += int64(c.Booked)
	b.view.rounded += int64(c.Rounded)
	for _, e := range c.Entries {
		r := record.Record{Position: record.Position{Topic: b.options.topic, Partition: c.Partition, Offset: e.Offset},
			Timestamp: e.Timestamp, Key: e.Account}
		if err := b.row(&r, &e.Entry); err != nil {
			return err
		}
		b.showed++
	}
	for _, r := range c.Rejected {
		if err := b.view.rejected(record.Position{Topic: b.options.topic, Partition: c.Partition, Offset: r.Offset},
			r.Reason); err != nil {
			return err
		}
	}
	if err := b.console.Flush(); err != nil {
		return err
	}
	if b.options.count > 0 && b.showed == b.options.count {
		return errEnough
	}
	if b.options.output == "none" && b.console.ProgressDue() {
		b.console.ShowProgress(console.Plural(b.view.seen, "bizum", "bizums") + " booked" + b.view.asides())
	}
	return nil
}

// summary tells what this process has booked.
func (b *board) summary() {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := console.Plural(b.view.seen, "bizum", "bizums") + " booked" + b.view.asides()
	accounts, sole := 0, (*bizum.Account)(nil)
	for partition, n := range b.accounts {
		if accounts += n; n > 0 {
			sole = b.sole[partition]
		}
	}
	switch {
	case accounts == 1 && sole != nil:
		text += fmt.Sprintf(", balance of %s %v €", sole.Name, sole.Balance)
	case accounts > 0:
		text += ", in " + console.Plural(accounts, "account", "accounts")
	}
	b.console.Noticef("%s", text)
}
