package producer

import (
	"context"
	"math/rand/v2"
	"strconv"

	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
)

// TargetConfig says how a run sends messages into a topic.
type TargetConfig struct {
	Topic, Compression string
	Run                *Producer             // hears of acknowledgements, and so does the Recorder
	Missing            func(context.Context) // see kafka.WriterConfig
	Recorder           *Recorder             // nil: there is no receipt
	Plan               Plan
	Faults             *Faults // that the receipt says; nil: none
}

// Target is a topic that a run sends messages to. The caller closes it.
type Target struct {
	Sink
	Writer       *kafka.Writer
	Recorded     *Recorded           // is the sink; nil: there is no receipt
	transactions *kafka.Transactions // nil: none
}

// OpenTarget opens a topic to send to.
func OpenTarget(ctx context.Context, cluster *kafka.Cluster, c TargetConfig) (to *Target, err error) {
	config := kafka.WriterConfig{Compression: c.Compression, Acked: c.Run.Acked, Missing: c.Missing}
	if c.Recorder != nil {
		config.Acked = func(a kafka.Ack) {
			c.Run.Acked(a)
			c.Recorder.Acked(a)
		}
	}
	to = new(Target)
	if c.Faults != nil && c.Faults.Transactional() {
		if to.transactions, err = cluster.NewTransactions(ctx, c.Topic, "bizumctl-"+c.Recorder.Run()); err != nil {
			return nil, err
		}
		config.Producer, config.Missing = to.transactions.Producer(), nil
	}
	if to.Writer, err = cluster.NewWriter(ctx, c.Topic, config); err != nil {
		to.Close()
		return nil, err
	}
	if c.Recorder == nil {
		to.Sink = ToTopic(to.Writer)
		return to, nil
	}
	to.Recorded = RecordedTopic(c.Recorder, to.Writer, c.Plan, c.Faults, to.transactions)
	to.Sink = to.Recorded
	return to, nil
}

// Close closes what was opened.
func (t *Target) Close() {
	if t.Writer != nil {
		t.Writer.Close()
	}
	if t.transactions != nil {
		t.transactions.Close()
	}
}

// NewRunID returns an id that no other run has: of a thousand runs, two have the same one with a chance of 2 in ten
// million. It is short because each record carries it.
func NewRunID() string {
	const ids = 36 * 36 * 36 * 36 * 36 * 36 * 36 // of seven digits or fewer
	return strconv.FormatUint(ids+rand.Uint64N(35*ids), 36)
}

// Schedule is the plan as a receipt has it.
func (plan *Plan) Schedule() check.Schedule {
	switch plan.Mode {
	case Steady:
		return check.Schedule{Mode: check.Steady, PerSecond: plan.PerSecond}
	case Unpaced:
		return check.Schedule{Mode: "unpaced"}
	}
	return check.Schedule{Mode: "paused", DelayMin: plan.DelayMin, DelayMax: plan.DelayMax}
}
