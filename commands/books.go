package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
)

// A commit interval has to leave a transaction time to end before Kafka ends it.
const (
	everyLeast = time.Millisecond
	everyMost  = 5 * time.Second
)

// books are the topics of a ledger, and what it is kept of.
type books struct {
	cluster  *kafka.Cluster
	group    string
	topics   ledger.Topics
	heading  ledger.Heading
	ledgerID string
}

func booksOf(cluster *kafka.Cluster, topic, group string) (*books, error) {
	topics, err := ledger.TopicsOf(topic, group)
	if err != nil {
		return nil, misuse("--group (-g) %q: %v", group, err)
	}
	return &books{cluster: cluster, group: group, topics: topics}, nil
}

// keep is balance in a group: the ledger's partitions are shared, and every payment is booked once.
func (o *balanceOptions) keep(ctx context.Context, env Env, console *console) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.every < everyLeast || o.every > everyMost {
		return misuse("--commit-interval %v: want %v to %v", o.every, everyLeast, everyMost)
	}
	cluster, err := o.open(env, console)
	if err != nil {
		return err
	}
	defer cluster.Close()
	books, err := booksOf(cluster, o.topic, o.group)
	if err != nil {
		return err
	}
	f := &follower{cluster: cluster, topic: o.topic, console: console, now: env.Now, exit: o.exit, group: o.group,
		counts: ledger.Ours, starts: make(map[int32]int64), stops: make(map[int32]int64), failures: make(chan error, 1)}
	if err := f.begin(ctx); err != nil {
		return unlessAsked(err)
	}
	if err := books.prepare(ctx, o.initial, console); err != nil {
		return interrupted(ctx, err)
	}
	if f.members, err = cluster.Group(o.group, o.topic); err != nil {
		return err
	}
	board, err := o.newBoard(console)
	if err != nil {
		return err
	}
	l := &ledger.Ledger{Heading: books.heading, Topics: books.topics, Interval: o.every, AcceptGap: o.gap,
		Strict: o.bad == "stop", Now: env.Now, PartitionOf: kafka.PartitionOf,
		Reserve: board.take, Release: board.untake, Show: board.show,
		Notice: func(partition int32, text string) { console.remark("%s/%d: %s", o.topic, partition, text) }}
	err = unlessAsked(books.share(ctx, f, l))
	if err == nil {
		board.summary()
	}
	return err
}

// prepare makes the ledger's topics, or checks those that there are.
func (b *books) prepare(ctx context.Context, initial bizum.Amount, console *console) error {
	source, err := b.cluster.Topic(ctx, b.topics.Source)
	if err != nil {
		return err
	}
	if source.Compacted {
		return fmt.Errorf("topic %q is compacted (cleanup.policy): messages are gone that were never booked", b.topics.Source)
	}
	b.heading = ledger.Heading{SourceID: source.ID, Partitions: source.Partitions, Initial: initial}
	for _, t := range b.topics.Specs() {
		created, err := b.cluster.CreateTopic(ctx, t.Name,
			kafka.TopicSpec{Partitions: source.Partitions, Replication: source.Replication, Settings: t.Settings})
		if err != nil {
			return err
		}
		if created {
			console.remark("made topic %q", t.Name)
		}
		topic, err := b.cluster.Topic(ctx, t.Name)
		switch {
		case err != nil:
			return err
		case topic.Partitions != source.Partitions:
			return hintedError{fmt.Errorf("topic %q has %s, %q has %d", t.Name,
				plural(topic.Partitions, "partition", "partitions"), b.topics.Source, source.Partitions),
				"keep a new ledger: take another --group"}
		case !t.Accepts(topic.Compacted, topic.Deleted):
			return hintedError{fmt.Errorf("topic %q is not ours as it is: its cleanup.policy is another", t.Name),
				"a ledger's is compact, that of rejected messages is delete; or take another --group"}
		}
		if t.Name == b.topics.Entries {
			b.ledgerID = topic.ID
		}
	}
	return nil
}

// share keeps those partitions that the group gives us, until ctx ends, the group has come to its stops, or an error.
func (b *books) share(ctx context.Context, f *follower, l *ledger.Ledger) error {
	defer f.members.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	waiting := time.AfterFunc(waitingAfter, func() {
		f.console.remark("waiting for bizums in topic %q at %s", f.topic, f.cluster.Addresses())
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
		log := b.log(b.heading.SourceID, claim.Partition)
		defer log.Close()
		output := claim.Transactional(log)
		defer output.Close()
		return l.Run(ctx, claim.Partition, log, output)
	})
	stop()
	return anew(cmp.Or(err, <-ended))
}

// log is that of one partition of the ledger.
func (b *books) log(sourceID string, partition int32) *kafka.PartitionLog {
	return b.cluster.PartitionLog(b.group, b.topics.Source, sourceID, partition, b.topics.Entries, b.topics.Rejected)
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
	source, err := b.cluster.Topic(ctx, b.topics.Source)
	if err != nil {
		return err
	}
	ours, err := b.cluster.Topic(ctx, b.topics.Entries)
	if err != nil {
		return err
	}
	if ours.ID != b.ledgerID {
		return hintedError{fmt.Errorf("topic %q was deleted and made anew while it was kept", b.topics.Entries),
			"keep a new ledger: take another --group"}
	}
	return l.Check(ledger.Heading{SourceID: source.ID, Partitions: source.Partitions, Initial: b.heading.Initial})
}

// board shows what a ledger commits. Several partitions do so at once.
type board struct {
	options *balanceOptions
	console *console
	view    *view
	row     func(r *record.Record, e *bizum.Entry) error

	mu       sync.Mutex
	taken    int64 // entries that are shown, or will be
	showed   int64
	accounts map[int32]int
	sole     map[int32]*bizum.Account
}

func (o *balanceOptions) newBoard(console *console) (*board, error) {
	row, err := o.shower(console)
	return &board{options: o, console: console, view: &view{console: console, topic: o.topic}, row: row,
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
	if err := b.console.flush(); err != nil {
		return err
	}
	if b.options.count > 0 && b.showed == b.options.count {
		return errEnough
	}
	if b.options.output == "none" && b.console.progressDue() {
		b.console.showProgress(plural(b.view.seen, "bizum", "bizums") + " booked" + b.view.asides())
	}
	return nil
}

// summary tells what this process has booked.
func (b *board) summary() {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := plural(b.view.seen, "bizum", "bizums") + " booked" + b.view.asides()
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
		text += ", in " + plural(accounts, "account", "accounts")
	}
	b.console.remark("%s", text)
}

// ledgerHint returns what may be done about a ledger that has stopped.
func ledgerHint(err *ledger.StopError) string {
	switch err.Cause {
	case ledger.OtherInitial:
		return fmt.Sprintf("go on with --initial %v, or keep another ledger in another --group", err.Initial)
	case ledger.OtherWriter:
		return "somebody else has changed this ledger: bizumctl audit tells more; keep a new one in another --group"
	case ledger.Emptied:
		return "bring the ledger back, or keep a new one in another --group"
	case ledger.Gap:
		return "to go on without them: --accept-gap"
	case ledger.OtherUse:
		return "take another --group"
	}
	return "keep a new ledger: take another --group"
}
