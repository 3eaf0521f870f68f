package commands

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"bizumctl/bizum/balance"
	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
)

type auditOptions struct {
	cluster clusterOptions
	group   string
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
	cluster, err := o.cluster.open(ctx, env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := checkGroup(o.cluster.topic, o.group); err != nil {
		return err
	}
	var payments atomic.Int64
	progress := func(more int) {
		if n := payments.Add(int64(more)); screen.ProgressDue() {
			screen.ShowProgress(humanize.Comma(n) + " payments compared")
		}
	}
	proofs, err := balance.Audit(ctx, cluster,
		balance.AuditConfig{Topic: o.cluster.topic, Group: o.group, Now: env.Now, Progress: progress})
	if err != nil {
		return newLedger(err)
	}
	return o.report(screen, proofs)
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
		return fmt.Errorf("the ledger of group %q is not what topic %q makes it", o.group, o.cluster.topic)
	}
	return nil
}

// grouped returns a number of things, its digits in groups of three.
func grouped(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return humanize.Comma(n) + " " + thing
}
