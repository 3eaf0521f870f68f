package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
)

type auditOptions struct {
	shared
	group string
}

func newAudit(env Env) *cli.Command {
	var o auditOptions
	return &cli.Command{
		Name: "audit", Usage: "prove a group's ledger from its topic",
		Description: examples("Adds up the topic again and compares every entry. It may run beside balance.",
			"bizumctl audit --group caja            exit code 1 if anything is missing, double or wrong",
			"bizumctl audit --group caja -t otros   the ledger of another topic"),
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "whose ledger: the group's `NAME`"},
		}, o.flags()...),
		Action: func(c *cli.Context) error {
			err := o.run(c.Context, env, newConsole(env, o.shared))
			if err != nil && c.Context.Err() != nil { // not 0, as elsewhere: that would be a proof
				return errors.New("interrupted: nothing is proved")
			}
			return err
		},
	}
}

func (o *auditOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if o.group == "" {
		return misuse("audit wants the group whose ledger it is: --group (-g) NAME")
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
	for _, topic := range []string{books.source, books.ledger, books.rejected} { // one that is missing is not waited for
		_, err := cluster.Partitions(ctx, topic)
		if errors.Is(err, kafka.ErrNoTopic) && topic != books.source {
			return hintedError{fmt.Errorf("group %q keeps no ledger of topic %q: %w", o.group, o.topic, err),
				"it is begun by: bizumctl balance --group " + o.group}
		}
		if err != nil {
			return err
		}
	}
	source, err := cluster.Topic(ctx, books.source)
	if err != nil {
		return err
	}
	entries, err := cluster.Topic(ctx, books.ledger)
	if err != nil {
		return err
	}
	var payments atomic.Int64
	audit := &ledger.Audit{Source: books.source, Name: books.ledger, Topic: source.ID, Partitions: source.Partitions,
		CompactionLag: entries.CompactionLag, Now: env.Now, Progress: func(more int) {
			if n := payments.Add(int64(more)); screen.ProgressDue() {
				screen.ShowProgress(humanize.Comma(n) + " payments compared")
			}
		}}
	proofs, err := books.audit(ctx, audit)
	if err != nil {
		return anew(err)
	}
	return o.tell(screen, proofs)
}

// audit proves all partitions, side by side.
func (b *books) audit(ctx context.Context, audit *ledger.Audit) ([]*ledger.Proof, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	proofs := make([]*ledger.Proof, audit.Partitions)
	failed := make(chan error, audit.Partitions)
	var all sync.WaitGroup
	for p := range audit.Partitions {
		all.Go(func() {
			trail := b.cluster.Trail(b.group, b.source, audit.Topic, b.ledger, b.rejected, p, audit.Partitions)
			defer trail.Close()
			var err error
			if proofs[p], err = audit.Partition(ctx, p, trail); err != nil {
				failed <- err
				stop()
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return proofs, nil
	}
}

// tell tells what was found: the first difference of each kind, and the sums.
func (o *auditOptions) tell(screen *console.Console, proofs []*ledger.Proof) error {
	var sum ledger.Proof
	var first *ledger.Heading
	for _, p := range proofs {
		if first = cmp.Or(first, p.Heading); p.Heading != nil && *p.Heading != *first {
			return fmt.Errorf("ledger of group %q: partition %d begins with %q, others with %q", o.group, p.Partition,
				p.Heading.Value(), first.Value())
		}
		screen.Noticef("%s/%d: compared from offset %d up to %d", o.topic, p.Partition, p.From, p.To)
		sum.Payments += p.Payments
		sum.Accounts += p.Accounts
		sum.Rejected += p.Rejected
		sum.Compacted += p.Compacted
		sum.Missing += p.Missing
		sum.Double += p.Double
		sum.Wrong += p.Wrong
		for i, text := range p.First {
			if sum.First[i] == "" {
				sum.First[i] = text
			}
		}
	}
	for i, kind := range [...]string{"missing", "double", "wrong"} {
		if sum.First[i] == "" {
			continue
		}
		if err := screen.Line(fmt.Appendf(nil, "%s: %s", kind, sum.First[i])); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s, %s, %s missing, %s double, %s wrong", grouped(sum.Payments, "payment"),
		grouped(int64(sum.Accounts), "account"), humanize.Comma(sum.Missing), humanize.Comma(sum.Double),
		humanize.Comma(sum.Wrong))
	if sum.Rejected > 0 {
		text += fmt.Sprintf(", %s rejected", humanize.Comma(sum.Rejected))
	}
	if sum.Compacted > 0 {
		text += fmt.Sprintf(", %s compacted", humanize.Comma(sum.Compacted))
	}
	if err := screen.Line([]byte(text)); err != nil {
		return err
	}
	if err := screen.Flush(); err != nil {
		return err
	}
	if !sum.Right() {
		return fmt.Errorf("the ledger of group %q is not what topic %q makes it", o.group, o.topic)
	}
	return nil
}

// grouped is a number of things, its digits in groups of three.
func grouped(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return humanize.Comma(n) + " " + thing
}
