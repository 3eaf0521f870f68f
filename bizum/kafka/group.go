package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/cenkalti/backoff/v5"
)

// How long leaving may take once a membership was told to end; after that the group removes us when the session times
// out. Sarama ends a session only when its last heartbeat has a response, or has timed out after 12 s.
const (
	sessionEndTimeout = 4500 * time.Millisecond // more than the work on a partition takes to commit what it has begun
	leaveTimeout      = time.Second             // of LeaveGroup, where the session has ended
)

// sessionDurationMin is after which a session counts as stable, so that the pauses begin small again.
const sessionDurationMin = 30 * time.Second

// Group is a member of a consumer group: it is assigned some of a topic's partitions and commits positions to Kafka.
// Sarama does the membership only (see sarama.go); our own reader reads.
type Group struct {
	// Joined, if set, is called at the start of each session with the partitions that are ours. It must return soon.
	Joined func(partitions []int32)

	cluster     *Cluster
	name        string
	topic       string
	members     sarama.ConsumerGroup
	coordinator *coordinator
	abandoned   bool // the session, see consume
}

// Claim is a partition that is assigned to us until the session ends.
type Claim struct {
	Partition  int32
	claimed    int // number of partitions assigned to us in this session
	group      *Group
	generation int32
	member     string
}

// Group prepares to join a group. It does not connect; its error is one of the configuration. The caller closes the
// Group after Run.
func (c *Cluster) Group(name, topic string) (*Group, error) {
	conf, err := clientConfig(c.dialer)
	if err != nil {
		return nil, err
	}
	conf.Metadata.Retry.Max = 2                       // heartbeats are retried as often
	conf.Metadata.RefreshFrequency = 10 * time.Second // to find added partitions
	conf.Consumer.Group.Session.Timeout = c.config.SessionTimeout
	conf.Consumer.Group.Heartbeat.Interval = c.config.SessionTimeout / 6
	conf.Consumer.Offsets.AutoCommit.Enable = false
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	conf.Consumer.Return.Errors = true
	members, err := sarama.NewConsumerGroup(c.config.Brokers, name, conf)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", name, reason(err))
	}
	go func() {
		for range members.Errors() { // Consume returns what matters; unread, they block sarama
		}
	}()
	return &Group{cluster: c, name: name, topic: topic, members: members, coordinator: c.groupCoordinator(name)}, nil
}

// Close leaves the group. It does not wait for it where the session did not end.
func (g *Group) Close() {
	defer g.coordinator.close()
	if g.abandoned {
		go g.members.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_, _ = await(ctx, func() (struct{}, error) { return struct{}{}, g.members.Close() })
}

// Run is a member of the group until ctx ends or own returns an error. It calls own, in a goroutine each, for every
// partition that it is assigned; ctx of own ends when the partition is revoked, and own should then commit and return
// soon. When the session is lost, or own returns an error after which a new session may help (of a PartitionLog or a
// TransactionalPartition), it joins again. It returns nil when ctx ends, the first other error of own, or an error of
// joining that is not retriable. When ctx has ended it returns once own has, whether the broker responds or not.
func (g *Group) Run(ctx context.Context, own func(ctx context.Context, claim *Claim) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	handler := &claims{group: g, own: own, stop: stop, leaving: func() bool { return ctx.Err() != nil },
		wait: wait{cluster: g.cluster}, idle: make(chan struct{}, 1)}
	defer handler.wait.over(false)
	var failing time.Time // since when no session began
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 5*time.Second
	for ctx.Err() == nil {
		handler.joined, handler.broken = false, false
		began := time.Now()
		err := g.consume(ctx, handler)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			err = missingTopicError(g.topic)
		}
		switch {
		case ctx.Err() != nil:
		case handler.joined:
			failing = time.Time{}
		case err != nil && !retriable(err) && !lostSession(err):
			return fmt.Errorf("group %q: %w", g.name, reason(g.needs(err)))
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > patience:
			handler.wait.report(err)
		}
		if !handler.broken || time.Since(began) > sessionDurationMin {
			pause.Reset()
		}
		select { // a session that ends at once must not make a tight loop
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
		}
	}
	handler.mu.Lock()
	defer handler.mu.Unlock()
	return handler.err
}

// consume runs a session. A silent broker does not respond to the last heartbeat, so once ctx has ended it waits for
// the work on the partitions, but for the end of the session no longer than sessionEndTimeout.
func (g *Group) consume(ctx context.Context, handler *claims) error {
	ended := make(chan error, 1)
	go func() { ended <- g.members.Consume(ctx, []string{g.topic}, handler) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(sessionEndTimeout):
	}
	g.abandoned = true
	for handler.atWork() {
		<-handler.idle
	}
	return ctx.Err()
}

// claims is the sarama.ConsumerGroupHandler.
type claims struct {
	group   *Group
	own     func(ctx context.Context, claim *Claim) error
	stop    func() // ends the membership
	leaving func() bool
	joined  bool
	wait    wait

	mu      sync.Mutex
	err     error // the first one of own
	broken  bool  // the session, by an error of own
	working int   // partitions of which own has not returned
	idle    chan struct{}
}

// work counts the partitions that are at work.
func (h *claims) work(more int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.working += more
	select {
	case h.idle <- struct{}{}:
	default:
	}
}

func (h *claims) atWork() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.working > 0
}

func (h *claims) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
	h.stop()
}

func (h *claims) Setup(session sarama.ConsumerGroupSession) error {
	h.joined = true
	h.wait.over(true)
	if g := h.group; g.Joined != nil {
		g.Joined(session.Claims()[g.topic])
	}
	return nil
}

func (h *claims) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim returns when the session ends, or to end it: sarama ends the session for all partitions when a claim
// returns.
func (h *claims) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	h.group.members.Pause(map[string][]int32{claim.Topic(): {claim.Partition()}})
	go func() {
		for range claim.Messages() { // no messages: it is paused
		}
	}()
	claimed := len(session.Claims()[claim.Topic()])
	h.work(1)
	err := h.ended(h.own(session.Context(),
		&Claim{claim.Partition(), claimed, h.group, session.GenerationID(), session.MemberID()}))
	h.work(-1)
	if err == nil {
		<-session.Context().Done()
	}
	return err
}

// ended returns an error of own that ends the session, and notes one that ends the membership.
func (h *claims) ended(err error) error {
	var again sessionError
	switch isSession := errors.As(err, &again); {
	case lostSession(err):
		return err
	case isSession && !h.leaving():
		h.mu.Lock()
		h.broken = true
		h.mu.Unlock()
		h.group.cluster.notice("%v; joining group %q again", err, h.group.name)
		return err
	case again.taken:
		return err
	case err != nil && !errors.Is(err, context.Canceled):
		h.fail(err)
	}
	return nil
}

// lostSession reports whether the group has a new generation: another member has, or will have, our partitions.
func lostSession(err error) bool {
	return errors.Is(err, sarama.ErrIllegalGeneration) || errors.Is(err, sarama.ErrUnknownMemberId) ||
		errors.Is(err, sarama.ErrRebalanceInProgress) || errors.Is(err, sarama.ErrFencedInstancedId)
}

// Commit commits the position of the partition, the next offset to read, without a transaction. It retries what is
// retriable until ctx ends. If the session was lost, the position is not committed, and Run joins again after the
// error.
func (c *Claim) Commit(ctx context.Context, position int64) error {
	g := c.group
	request := sarama.NewOffsetCommitRequest(g.cluster.conf, g.name)
	request.ConsumerGroupGeneration, request.ConsumerID = c.generation, c.member
	request.AddBlockWithLeaderEpoch(g.topic, c.Partition, position, -1, 0, "")
	_, err := persist(ctx, g.cluster, func() (struct{}, error) {
		return struct{}{}, g.coordinator.request(func(coordinator *sarama.Broker) error {
			response, err := coordinator.CommitOffset(request)
			if err != nil {
				return err
			}
			return orNil(response.Errors[g.topic][c.Partition])
		})
	})
	if err != nil {
		return fmt.Errorf("committing %s/%d@%d in group %q: %w", g.topic, c.Partition, position, g.name, reason(g.needs(err)))
	}
	return nil
}

// needs names the right that a member lacks.
func (g *Group) needs(err error) error { return g.cluster.needs(err, member(g.name), reads(g.topic)) }
