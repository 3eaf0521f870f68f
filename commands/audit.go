package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/balance"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
)

type auditOptions struct {
	cluster  clusterOptions
	group    string
	complete bool // what is not booked yet is a failure
}

func newAudit(env Env) *cli.Command {
	o := auditOptions{cluster: defaultCluster()}
	return &cli.Command{
		Name: "audit", Usage: "prove a group's ledger from its topic",
		Description: examples("Adds up the topic again and compares every entry. It may run beside balance.",
			"bizumctl audit --group caja            exit code 1 if anything differs",
			"bizumctl audit --group caja -t otros   the ledger of another topic"),
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "whose ledger: the group's `NAME`"},
			&cli.BoolFlag{Name: "complete", Destination: &o.complete,
				Usage: "fail if there are messages that are not booked yet"},
		}, o.cluster.flags()...),
		Action: func(c *cli.Context) error {
			err := o.run(c.Context, env, newConsole(env, o.cluster.speech))
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
	if err := checkGroup(o.cluster.topic, o.group); err != nil {
		return err
	}
	cluster, err := o.cluster.open(ctx, env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	var payments atomic.Int64
	of := messages(ctx, cluster, o.cluster.topic)
	followed := screen.Follow(func() (done, all int64) { return payments.Load(), of })
	proofs, err := balance.Audit(ctx, cluster, balance.AuditConfig{Topic: o.cluster.topic, Group: o.group, Now: env.Now,
		Progress: func(more int) { payments.Add(int64(more)) }})
	followed()
	if err != nil {
		return newLedger(err)
	}
	return o.report(screen, proofs)
}

// messages returns about how many messages a topic has; 0 if that cannot be found out, which others then report.
func messages(ctx context.Context, cluster *kafka.Cluster, topic string) (sum int64) {
	partitions, err := cluster.Partitions(ctx, topic)
	for _, p := range partitions {
		start, failed := cluster.Offset(ctx, topic, p, kafka.Start)
		end, alsoFailed := cluster.Offset(ctx, topic, p, kafka.End)
		if err = cmp.Or(err, failed, alsoFailed); err != nil {
			return 0
		}
		sum += end - start
	}
	return sum
}

// report shows what was found: the first difference of each kind, and the sums.
func (o *auditOptions) report(screen *console.Console, proofs []*ledger.Proof) error {
	for _, p := range proofs {
		screen.Noticef("%s/%d: compared from offset %d up to %d", o.cluster.topic, p.Partition, p.From, p.To)
	}
	sum, err := balance.Sum(o.group, proofs)
	if err != nil {
		return err
	}
	for i, kind := range [...]string{"missing", "double", "wrong"} {
		if sum.First[i] == "" {
			continue
		}
		if err := screen.Line(fmt.Appendf(nil, "%s: %s", kind, sum.First[i])); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s, %s, %s missing, %s double, %s wrong", console.Plural(sum.Payments, "payment", "payments"),
		console.Plural(sum.Accounts, "account", "accounts"), console.Count(sum.Missing), console.Count(sum.Double),
		console.Count(sum.Wrong))
	for _, c := range [...]struct {
		n    int64
		what string
	}{{sum.Rejected, "rejected"}, {sum.Compacted, "compacted"}, {sum.Unbooked, "not booked yet"}} {
		if c.n > 0 {
			text += ", " + console.Count(c.n) + " " + c.what
		}
	}
	if err := screen.Line([]byte(text)); err != nil {
		return err
	}
	if err := screen.Flush(); err != nil {
		return err
	}
	switch {
	case !sum.Right():
		return fmt.Errorf("the ledger of group %q is not what topic %q makes it", o.group, o.cluster.topic)
	case o.complete && sum.Unbooked > 0:
		return fmt.Errorf("the ledger of group %q is not complete: %s of topic %q not booked yet", o.group,
			console.Plural(sum.Unbooked, "message", "messages"), o.cluster.topic)
	}
	return nil
}
