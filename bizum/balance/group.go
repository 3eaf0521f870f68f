// Package balance keeps the balances of a topic's accounts: by a replay of the topic, or as a member of a group that
// books every payment once in a ledger. It joins the rooms of the topic and of the ledger, and knows no screen.
package balance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
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
}

// Group is a member of a group that keeps a ledger.
type Group struct {
	cluster  *kafka.Cluster
	config   GroupConfig
	topics   ledger.Topics
	heading  ledger.Heading
	ledgerID string // of the ledger's topic, as long as it is not recreated
}

// OpenGroup creates the topics of the ledger, or checks those that exist. The error may be
// ledger.ErrGroupName or a TopicError.
func OpenGroup(ctx context.Context, cluster *kafka.Cluster, config GroupConfig) (*Group, error) {
	topics, err := ledger.TopicsOf(config.Topic, config.Group)
	if err != nil {
		return nil, err
	}
	g := &Group{cluster: cluster, config: config, topics: topics}
	source, err := cluster.Topic(ctx, config.Topic)
	if err != nil {
		return nil, err
	}
	if source.Compacted {
		return nil, fmt.Errorf("topic %q is compacted (cleanup.policy): messages are gone that were never booked",
			config.Topic)
	}
	g.heading = ledger.Heading{SourceID: source.ID, Partitions: source.Partitions, Initial: config.Initial}
	for _, spec := range topics.Specs() {
		topic, err := g.ensure(ctx, spec, source)
		if err != nil {
			return nil, err
		}
		if spec.Name == topics.Entries {
			g.ledgerID = topic.ID
		}
	}
	return g, nil
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
		Strict: c.Strict, Now: c.Now, PartitionOf: kafka.PartitionOf, Ready: session.taken,
		Reserve: c.Reserve, Release: c.Release,
		Show: func(committed ledger.Committed) error {
			topic.Seen()
			return c.Show(committed)
		},
		Notice: func(partition int32, text string) {
			c.Report(event.LedgerNotice{Topic: c.Topic, Partition: partition, Text: text})
		}}
	joined := func(partitions []int32) {
		l.Retain(partitions)
		if len(partitions) > 0 {
			topic.WaitFor(event.WaitingForLedger{Group: c.Group, Topic: c.Topic})
		}
		session.joined(partitions)
	}
	return consumer.Failure(topic.RunClaims(ctx, joined, func(ctx context.Context, claim *kafka.Claim) error {
		if err := g.check(ctx, l); err != nil {
			return err
		}
		log := partitionLog(g.cluster, g.config.Group, g.topics, g.heading.SourceID, claim.Partition)
		defer log.Close()
		output := claim.Transactional(log)
		defer output.Close()
		return l.Run(ctx, claim.Partition, log, output)
	}))
}

// partitionLog returns the log of one partition of a ledger.
func partitionLog(cluster *kafka.Cluster, group string, topics ledger.Topics, sourceID string,
	partition int32) *kafka.PartitionLog {
	return cluster.PartitionLog(kafka.PartitionLogConfig{Group: group, Source: topics.Source, SourceID: sourceID,
		Outputs: []string{topics.Entries, topics.Rejected}, Partition: partition})
}

// check makes sure that the topics are still those with which we began.
func (g *Group) check(ctx context.Context, l *ledger.Ledger) error {
	source, err := g.cluster.Topic(ctx, g.config.Topic)
	if err != nil {
		return err
	}
	books, err := g.cluster.Topic(ctx, g.topics.Entries)
	if err != nil {
		return err
	}
	if books.ID != g.ledgerID {
		return &TopicError{Recreated,
			fmt.Sprintf("topic %q was deleted and recreated while it was in use", g.topics.Entries)}
	}
	return l.Check(ledger.Heading{SourceID: source.ID, Partitions: source.Partitions, Initial: g.heading.Initial})
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
