// Package balance keeps the balances of a topic's accounts: by a replay of the topic, or as a member of a group that
// books every payment once in a ledger. It joins the rooms of the topic and of the ledger, and knows no screen.
package balance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
)

// GroupConfig says which ledger a group keeps, and how.
type GroupConfig struct {
	Topic, Group string
	Initial      bizum.Amount  // with which every account opens
	Interval     time.Duration // between commits
	AcceptGap    bool          // go on where messages are missing that the topic has lost
	Strict       bool          // end at the first rejected message

	Now    func() time.Time
	Report func(event.Event) // called from several goroutines

	// What shows the entries: ledger.Ledger's.
	Reserve func(account []byte) (wanted, room bool)
	Release func(entries int)
	Show    func(ledger.Committed) error

	// For who looks on, from several goroutines; each may be nil. Joined is called with the partitions of each session.
	Joined    func(partitions []int32)
	Taken     func(partition int32, position int64, book *bizum.Book)
	Committed func(partition int32, position int64, took time.Duration)
}

// Group is a member of a group that keeps a ledger.
type Group struct {
	cluster *kafka.Cluster
	config  GroupConfig
	topics  ledger.Topics
	heading ledger.Heading
	ids     map[string]string // of the ledger's topics

	checking chan struct{} // has one while the topics are checked, and guards checked
	checked  time.Time     // when they were found to be those with which we began
}

// How often the topics are checked, beside the start of each session, and how long one may be missing: a broker that
// starts may not know all of them yet.
const (
	checkEvery   = 5 * time.Second
	checkedFor   = time.Second // for all partitions of a session
	missingMax   = 3 * time.Second
	missingPause = 200 * time.Millisecond
)

// OpenGroup creates the topics of the ledger, or checks those that exist. The error may be
// ledger.ErrGroupName or a TopicError.
func OpenGroup(ctx context.Context, cluster *kafka.Cluster, config GroupConfig) (*Group, error) {
	topics, err := ledger.TopicsOf(config.Topic, config.Group)
	if err != nil {
		return nil, err
	}
	g := &Group{cluster: cluster, config: config, topics: topics, ids: make(map[string]string),
		checking: make(chan struct{}, 1)}
	source, err := cluster.Topic(ctx, config.Topic)
	if err != nil {
		return nil, err
	}
	if err := g.suits(source); err != nil {
		return nil, err
	}
	g.heading = ledger.Heading{SourceID: source.ID, Partitions: source.Partitions, Initial: config.Initial}
	for _, spec := range topics.Specs() {
		topic, err := g.ensure(ctx, spec, source)
		if err != nil {
			return nil, err
		}
		g.ids[spec.Name] = topic.ID
	}
	return g, nil
}

// suits returns an error if a source is one that cannot be booked.
func (g *Group) suits(source kafka.Topic) error {
	if source.Compacted {
		return fmt.Errorf("topic %q is compacted (cleanup.policy): messages are gone that were never booked",
			g.config.Topic)
	}
	return nil
}

// ensure creates a topic of the ledger if it is missing, and checks that it suits the source.
func (g *Group) ensure(ctx context.Context, spec ledger.TopicSpec, source kafka.Topic) (kafka.Topic, error) {
	name := spec.Name
	created, err := g.cluster.CreateTopic(ctx, name,
		kafka.TopicSpec{Partitions: source.Partitions, Replication: source.Replication, Settings: spec.Settings})
	if err != nil {
		return kafka.Topic{}, err
	}
	if created {
		g.config.Report(event.TopicCreated{Topic: name})
	}
	topic, err := g.cluster.Topic(ctx, name)
	switch {
	case err != nil:
	case topic.Partitions != source.Partitions:
		err = &TopicError{OtherPartitions, fmt.Sprintf("topic %q has %s, %q has %d", name,
			partitions(topic.Partitions), g.config.Topic, source.Partitions)}
	case !spec.Accepts(topic.Compacted, topic.Deleted):
		err = &TopicError{OtherPolicy,
			fmt.Sprintf("topic %q is not ours as it is: its cleanup.policy is another", name)}
	}
	return topic, err
}

func partitions(n int32) string {
	if n == 1 {
		return "1 partition"
	}
	return fmt.Sprintf("%d partitions", n)
}

// Run books the partitions that the group gives us, until ctx ends, the group has come to the topic's stops, or an
// error. The error may be a TopicError, a ledger.StopError or kafka.ErrNewTopic.
func (g *Group) Run(ctx context.Context, topic *consumer.Consumer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	session := &sessions{ready: topic.WaitForRecords, first: func() { topic.AwaitGroup(ctx) }}
	c := g.config
	l := &ledger.Ledger{Heading: g.heading, Topics: g.topics, Interval: c.Interval, AcceptGap: c.AcceptGap,
		Strict: c.Strict, Now: c.Now, PartitionOf: kafka.PartitionOf, Ready: session.taken, Stop: topic.StopOf,
		Reserve: c.Reserve, Release: c.Release, Taken: c.Taken, Committed: c.Committed, Report: c.Report,
		Show: func(committed ledger.Committed) error {
			topic.Seen()
			topic.Committed(committed.Partition, committed.Position)
			return c.Show(committed)
		}}
	joined := func(partitions []int32) {
		l.Retain(partitions)
		if c.Joined != nil {
			c.Joined(partitions)
		}
		if len(partitions) > 0 {
			topic.WaitFor(event.WaitingForLedger{Group: c.Group, Topic: c.Topic})
		}
		session.joined(partitions)
	}
	go g.watch(ctx, l, topic.End)
	var uncommitted atomic.Int64 // bizums of all partitions
	err := consumer.Failure(topic.RunClaims(ctx, joined, func(ctx context.Context, claim *kafka.Claim) error {
		if err := g.check(ctx, l); err != nil {
			return err
		}
		log := partitionLog(g.cluster, g.config.Group, g.topics, g.heading.SourceID, claim.Partition, false)
		defer log.Close()
		output := claim.Transactional(log)
		defer output.Close()
		err := l.Run(ctx, claim.Partition, log, output)
		var lost *ledger.UncommittedError
		if errors.As(err, &lost) {
			uncommitted.Add(int64(lost.Bizums))
		}
		return err
	}))
	var lost *ledger.UncommittedError
	if errors.As(err, &lost) {
		lost.Bizums = int(uncommitted.Load())
	}
	return err
}

// partitionLog returns the log of one partition of a ledger, which is kept, or compared side by side.
func partitionLog(cluster *kafka.Cluster, group string, topics ledger.Topics, sourceID string, partition int32,
	sideBySide bool) *kafka.PartitionLog {
	return cluster.PartitionLog(kafka.PartitionLogConfig{Group: group, Source: topics.Source, SourceID: sourceID,
		Outputs: []string{topics.Entries, topics.Rejected}, Partition: partition, SideBySide: sideBySide,
		Counts: func(position kafka.Position, topic string, r *record.Record) bool {
			return topics.Counts(position.Offset, position.Metadata, topic, r)
		}})
}

// watch ends the run when the topics are no longer those with which we began.
func (g *Group) watch(ctx context.Context, l *ledger.Ledger, end func(error)) {
	for {
		select {
		case <-time.After(checkEvery):
		case <-ctx.Done():
			return
		}
		if err := g.check(ctx, l); err != nil && ctx.Err() == nil {
			end(err)
			return
		}
	}
}

// check makes sure that the topics are still those with which we began, unless that was just done.
func (g *Group) check(ctx context.Context, l *ledger.Ledger) error {
	select { // not a mutex: a broker that hangs must not keep who waits here from its own end
	case g.checking <- struct{}{}:
		defer func() { <-g.checking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if time.Since(g.checked) < checkedFor {
		return nil
	}
	source, err := g.cluster.Topic(ctx, g.config.Topic)
	if err == nil {
		err = cmp.Or(g.suits(source),
			l.Check(ledger.Heading{SourceID: source.ID, Partitions: source.Partitions, Initial: g.heading.Initial}))
	}
	for name, id := range g.ids {
		if err == nil {
			err = g.checkOwn(ctx, name, id)
		}
	}
	if err == nil {
		g.checked = time.Now()
	}
	return err
}

// checkOwn makes sure that a topic of the ledger is there, and has the id that it had.
func (g *Group) checkOwn(ctx context.Context, name, id string) error {
	for began := time.Now(); ; {
		_, err := g.cluster.Partitions(ctx, name)
		if !errors.Is(err, kafka.ErrNoTopic) {
			break // another error is that of a broker that is away, which is waited for
		}
		if time.Since(began) > missingMax {
			return &TopicError{Recreated, fmt.Sprintf("topic %q was deleted while it was in use", name)}
		}
		select {
		case <-time.After(missingPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	topic, err := g.cluster.Topic(ctx, name)
	if err == nil && topic.ID != id {
		err = &TopicError{Recreated, fmt.Sprintf("topic %q was deleted and recreated while it was in use", name)}
	}
	return err
}

// sessions finds out when all partitions of a session have been taken over: only then can records come, and only then
// can the group's end be reached, because it is taking over that shows whether the ledger can be continued.
type sessions struct {
	ready func() // of each session
	first func()

	mu   sync.Mutex
	left map[int32]bool
	over bool // the first one
}

func (s *sessions) joined(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = make(map[int32]bool)
	for _, p := range partitions {
		s.left[p] = true
	}
	if len(partitions) == 0 {
		s.end()
	}
}

func (s *sessions) taken(partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.left, partition)
	if len(s.left) == 0 {
		s.ready()
		s.end()
	}
}

func (s *sessions) end() {
	if !s.over {
		s.over = true
		s.first()
	}
}
