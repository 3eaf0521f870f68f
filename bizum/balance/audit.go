package balance

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
)

// NoLedgerError means that a group has no ledger of a topic.
type NoLedgerError struct {
	Group, Topic string
	Err          error
}

func (e *NoLedgerError) Error() string {
	return fmt.Sprintf("group %q keeps no ledger of topic %q: %v", e.Group, e.Topic, e.Err)
}

func (e *NoLedgerError) Unwrap() error { return e.Err }

// AuditConfig says which ledger is audited.
type AuditConfig struct {
	Topic, Group string
	Now          func() time.Time
	Progress     func(payments int) // of one partition more; called from several goroutines
}

// Audit compares all partitions of a ledger with its topic, side by side. The error may be
// ledger.ErrGroupName or a NoLedgerError; it means that nothing could be proved.
func Audit(ctx context.Context, cluster *kafka.Cluster, config AuditConfig) ([]*ledger.Proof, error) {
	topics, source, err := find(ctx, cluster, config.Topic, config.Group)
	if err != nil {
		return nil, err
	}
	entries, err := cluster.Topic(ctx, topics.Entries)
	if err != nil {
		return nil, err
	}
	audit := &ledger.Audit{Topics: topics, SourceID: source.ID, Partitions: source.Partitions,
		CompactionLag: entries.CompactionLag, Now: config.Now, PartitionOf: kafka.PartitionOf, Progress: config.Progress}
	return auditAll(ctx, audit, func(partition int32) *kafka.PartitionLog {
		return partitionLog(cluster, config.Group, topics, source.ID, partition, true)
	})
}

// auditAll audits the partitions, each as open opens it. The first error ends all.
func auditAll(ctx context.Context, audit *ledger.Audit,
	open func(partition int32) *kafka.PartitionLog) ([]*ledger.Proof, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	proofs := make([]*ledger.Proof, audit.Partitions)
	failed := make(chan error, audit.Partitions)
	var running sync.WaitGroup
	for p := range audit.Partitions {
		running.Go(func() {
			partition := open(p)
			defer partition.Close()
			var err error
			if proofs[p], err = audit.Partition(ctx, p, partition); err != nil {
				failed <- err
				stop()
			}
		})
	}
	running.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return proofs, nil
	}
}

// Sum adds up the proofs of a group's partitions, whose headings have to agree. Its first difference of each kind is
// that of the first partition with one.
func Sum(group string, proofs []*ledger.Proof) (*ledger.Proof, error) {
	sum := new(ledger.Proof)
	var first *ledger.Heading
	for _, p := range proofs {
		if err := agree(group, p.Partition, &first, p.Heading); err != nil {
			return nil, err
		}
		sum.Payments += p.Payments
		sum.Accounts += p.Accounts
		sum.Rejected += p.Rejected
		sum.Compacted += p.Compacted
		sum.Unbooked += p.Unbooked
		sum.Missing += p.Missing
		sum.Double += p.Double
		sum.Wrong += p.Wrong
		for i, text := range p.First {
			sum.First[i] = cmp.Or(sum.First[i], text)
		}
	}
	return sum, nil
}

// agree compares a partition's heading, if it has one, with the first one that was found.
func agree(group string, partition int32, first **ledger.Heading, heading *ledger.Heading) error {
	*first = cmp.Or(*first, heading)
	if heading != nil && *heading != **first {
		return fmt.Errorf("ledger of group %q: partition %d begins with %q, others with %q", group, partition,
			heading.Value(), (*first).Value())
	}
	return nil
}
