package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
	"bizumctl/commands/view"
)

type balancesOptions struct {
	safe    bool // csv in which spreadsheets find no formula
	cluster settings.Cluster
	initial bizum.Amount
	account string
	by      string // a column: cuenta, nombre or concepto
	group   string // whose ledger is read; "": the topic is added up
	output  string
	bad     string
}

func newBalances(env Env) *cli.Command {
	o := balancesOptions{cluster: settings.DefaultCluster(), initial: defaultBalance().initial, by: "cuenta",
		output: "table", bad: "skip"}
	var json bool
	return &cli.Command{
		Name: "balances", Usage: "list the closing balances",
		Description: help.Examples("Lists what every account has now: added up, or as a group's ledger has it.",
			"bizumctl balances -o csv > saldos.csv   of all accounts, however many",
			"bizumctl balances --group caja          from the ledger, and how far it is",
			"bizumctl balances --by nombre           who has sent and received how much"),
		Flags: append([]cli.Flag{
			&cli.GenericFlag{Name: "initial", Value: &o.initial, Usage: "`EUROS` that every account opens with"},
			&cli.StringFlag{Name: "account", Destination: &o.account, Usage: "only account `NAME`"},
			&cli.StringFlag{Name: "by", Value: o.by, Destination: &o.by,
				Usage: "`WHAT`: cuenta, nombre, concepto; an account has a balance, the others totals"},
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "read the ledger of group `NAME`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: o.output, Destination: &o.output,
				Usage: "`FORMAT`: table, csv, json"},
			flags.JSON(&json), flags.Bad(&o.bad), flags.CSVSafe(&o.safe),
		}, o.cluster.Flags()...),
		Action: func(c *cli.Context) error {
			if o.group != "" && (o.by != "cuenta" || c.IsSet("initial") || c.IsSet("bad")) {
				return misuse.Errorf("--group reads a ledger as it is: leave out --by, --initial and --bad")
			}
			if err := flags.JSONOutput(c, json, &o.output); err != nil {
				return err
			}
			err := o.run(c.Context, env, newConsole(env, o.cluster.Speech))
			if err != nil && c.Context.Err() != nil { // not 0, as elsewhere: these are data, and not all of them
				return errors.New("interrupted: nothing is listed")
			}
			return err
		},
	}
}

func (o *balancesOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if err := flags.CheckView(o.output, o.bad, o.safe, 0, "table", "csv", "json"); err != nil {
		return err
	}
	if err := flags.OneOf("by", o.by, "cuenta", "nombre", "concepto"); err != nil {
		return err
	}
	cluster, err := openGroup(ctx, env, &o.cluster, o.group, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if o.group != "" {
		return o.fromLedger(ctx, cluster, screen)
	}
	topic, err := consumer.Open(ctx, cluster, consumer.Config{Topic: o.cluster.Topic, From: consumer.Offset(0), Exit: true,
		Now: env.Now, Report: screen.Report})
	if err != nil {
		return err
	}
	if o.by != "cuenta" {
		return o.totals(ctx, topic, screen)
	}
	replayed, err := balance.Replay(ctx, topic,
		balance.ReplayConfig{Initial: o.initial, Strict: o.bad == "stop", Report: screen.Report})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	counted := ""
	if o.account == "" { // else they are not those of the account
		counted = console.Plural(replayed.Booked, "bizum", "bizums") +
			view.Exceptions(replayed.Rounded, replayed.Rejected) + ", "
	}
	return o.list(screen, balance.Accounts(o.account, replayed.Book), counted)
}

// fromLedger lists what a ledger has, and says how far its partitions have come.
func (o *balancesOptions) fromLedger(ctx context.Context, cluster *kafka.Cluster, screen *console.Console) error {
	closings, err := balance.ReadClosing(ctx, cluster, o.cluster.Topic, o.group)
	if err != nil {
		return hints.NewLedger(err)
	}
	var books []*bizum.Book
	for p, c := range closings {
		books = append(books, c.Book)
		screen.Noticef("%s/%d: booked up to offset %d, %s behind", o.cluster.Topic, p, c.Position,
			console.Count(max(c.End-c.Position, 0)))
	}
	return o.list(screen, balance.Accounts(o.account, books...), "")
}

// list shows balances, and sums them up.
func (o *balancesOptions) list(screen *console.Console, accounts []bizum.Account, counted string) error {
	if o.account != "" && len(accounts) == 0 {
		return fmt.Errorf("topic %q has no bizum of account %q", o.cluster.Topic, o.account)
	}
	return o.sums().Accounts(screen, accounts, counted)
}

func (o *balancesOptions) sums() view.Sums {
	return view.Sums{Output: o.output, By: o.by, Safe: o.safe}
}

// totals lists what the payments of each name, or of each concept, add up to.
func (o *balancesOptions) totals(ctx context.Context, topic *consumer.Consumer, screen *console.Console) error {
	by := func(p *bizum.Payment) []byte { return p.Name }
	if o.by == "concepto" {
		by = func(p *bizum.Payment) []byte { return p.Concept }
	}
	totals, counts, err := balance.Totals(ctx, topic, balance.TotalsConfig{By: by, Account: o.account,
		Strict: o.bad == "stop", Report: screen.Report})
	if err != nil {
		return err
	}
	return o.sums().Totals(screen, totals, counts)
}
