package commands

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/balance"
	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
	"bizumctl/commands/help"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
	"bizumctl/commands/view"
)

type auditOptions struct {
	cluster  settings.Cluster
	group    string
	complete bool // what is not booked yet is a failure
}

func newAudit(env Env) *cli.Command {
	o := auditOptions{cluster: settings.DefaultCluster()}
	return &cli.Command{
		Name: "audit", Usage: "prove a group's ledger from its topic",
		Description: help.Examples("Adds up the topic again and compares every entry. It may run beside balance.",
			"bizumctl audit --group caja            exit code 1 if anything differs",
			"bizumctl audit --group caja -t otros   the ledger of another topic"),
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "whose ledger: the group's `NAME`"},
			&cli.BoolFlag{Name: "complete", Destination: &o.complete,
				Usage: "fail if there are messages that are not booked yet"},
		}, o.cluster.Flags()...),
		Action: func(c *cli.Context) error {
			err := o.run(c.Context, env, newConsole(env, o.cluster.Speech))
			if err != nil && c.Context.Err() != nil { // not 0, as elsewhere: that would be a proof
				return errors.New("interrupted: nothing is proved")
			}
			return err
		},
	}
}

func (o *auditOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if o.group == "" {
		return misuse.Errorf("audit wants the group whose ledger it is: --group (-g) NAME")
	}
	cluster, err := openGroup(ctx, env, &o.cluster, o.group, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	var payments atomic.Int64
	of := cluster.Messages(ctx, o.cluster.Topic)
	followed := screen.Follow(func() (done, all int64) { return payments.Load(), of })
	proofs, err := balance.Audit(ctx, cluster, balance.AuditConfig{Topic: o.cluster.Topic, Group: o.group, Now: env.Now,
		Progress: func(more int) { payments.Add(int64(more)) }})
	followed()
	if err != nil {
		return hints.NewLedger(err)
	}
	return o.report(screen, proofs)
}

// report shows what was found: the first difference of each kind, and the sums.
func (o *auditOptions) report(screen *console.Console, proofs []*ledger.Proof) error {
	for _, p := range proofs {
		screen.Noticef("%s/%d: compared from offset %d up to %d", o.cluster.Topic, p.Partition, p.From, p.To)
	}
	sum, err := balance.Sum(o.group, proofs)
	if err != nil {
		return err
	}
	if err := view.Audit(screen, sum); err != nil {
		return err
	}
	switch {
	case !sum.Right():
		return fmt.Errorf("the ledger of group %q is not what topic %q makes it", o.group, o.cluster.Topic)
	case o.complete && sum.Unbooked > 0:
		return fmt.Errorf("the ledger of group %q is not complete: %s of topic %q not booked yet", o.group,
			console.Plural(sum.Unbooked, "message", "messages"), o.cluster.Topic)
	}
	return nil
}
