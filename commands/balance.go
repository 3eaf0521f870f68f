package commands

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

type balanceOptions struct {
	shared
	initial bizum.Amount
	account string
	exit    bool
	count   int64
	output  string
	bad     string
	group   string
	every   time.Duration // between commits, in a group
	gap     bool
}

func newBalance(env Env) *cli.Command {
	o := balanceOptions{initial: 2000_00}
	return &cli.Command{
		Name: "balance", Usage: "show the account's balance after every bizum",
		Description: examples("Adds up a topic from its beginning, for every account (a message's key), and goes on.",
			"bizumctl balance --initial 2000        the statement, line by line",
			"bizumctl balance --exit -o none        only the closing balances, as of now",
			"bizumctl balance --group caja          kept in a ledger, exactly once, shared with others"),
		Flags: append([]cli.Flag{
			&cli.GenericFlag{Name: "initial", Value: &o.initial,
				Usage: "`EUROS` that every account opens with, such as 2000 or -12.50"},
			&cli.StringFlag{Name: "account", Destination: &o.account, Usage: "show only account `NAME`"},
			&cli.BoolFlag{Name: "exit", Aliases: []string{"e"}, Destination: &o.exit,
				Usage: "stop at the end that there is now"},
			&cli.Int64Flag{Name: "count", Aliases: []string{"n"}, Destination: &o.count, Usage: "stop after `N` bizums"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Destination: &o.output,
				Usage: "`FORMAT`: table, text, json, csv, none"},
			badFlag(&o.bad),
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "keep a ledger, exactly once, shared by all of group `NAME`"},
			o.sessionFlag(),
			&cli.DurationFlag{Name: "commit-interval", Value: 100 * time.Millisecond, Destination: &o.every,
				Usage: "`TIME` between two commits to the ledger"},
			&cli.BoolFlag{Name: "accept-gap", Destination: &o.gap,
				Usage: "go on where messages are gone before they were booked"},
		}, o.flags()...),
		Action: func(c *cli.Context) error {
			switch {
			case o.group != "":
				return o.keep(c.Context, env, newConsole(env, o.shared))
			case c.IsSet("commit-interval") || o.gap:
				return misuse("--commit-interval and --accept-gap are for a ledger: give it a --group")
			}
			return o.run(c.Context, env, newConsole(env, o.shared))
		},
	}
}

// check is what both ways of keeping a balance want of the flags.
func (o *balanceOptions) check() error {
	return cmp.Or(oneOf("output", o.output, "table", "text", "json", "csv", "none"),
		oneOf("bad", o.bad, "skip", "stop"), notNegative("count", o.count))
}

func (o *balanceOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.check(); err != nil {
		return err
	}
	cluster, err := o.open(env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	f := &follower{cluster: cluster, topic: o.topic, console: screen, now: env.Now, exit: o.exit}
	if o.output == "none" && o.count == 0 {
		return o.fold(ctx, f)
	}
	view := &view{console: screen, topic: o.topic, stop: o.bad == "stop", count: o.count}
	show, err := o.shower(screen)
	if err != nil {
		return err
	}
	book := bizum.NewBook(o.initial)
	handle := view.checked(func(r *record.Record, p *bizum.Payment) error {
		entry, err := book.Apply(r.Key, *p)
		if err != nil {
			return fmt.Errorf("message at %v: %w", r.Position, err)
		}
		if o.account != "" && string(entry.Account) != o.account {
			return nil
		}
		return view.shown(show(r, &entry))
	})
	err = f.run(ctx, handle, screen.Flush)
	if err == nil || ctx.Err() != nil {
		o.summary(view, book)
	}
	return err
}

// shower makes what shows an entry in the output format.
func (o *balanceOptions) shower(c *console.Console) (func(*record.Record, *bizum.Entry) error, error) {
	switch o.output {
	case "none":
		return func(*record.Record, *bizum.Entry) error { return nil }, nil
	case "table":
		statement := console.NewStatement(c, true)
		return func(r *record.Record, e *bizum.Entry) error {
			if e.Opens {
				if err := statement.Opening(e.Account, o.initial); err != nil {
					return err
				}
			}
			return statement.Row(r.Timestamp, e.Account, &e.Payment, e.Balance)
		}, nil
	}
	lines, err := console.NewLines(c, o.output, true)
	return func(r *record.Record, e *bizum.Entry) error {
		return lines.Row(r, &e.Payment, e.Balance)
	}, err
}

// summary tells the closing balances, each if they are few.
func (o *balanceOptions) summary(v *view, book *bizum.Book) {
	const few = 20
	text := console.Plural(v.seen, "bizum", "bizums") + v.asides()
	var accounts []bizum.Account
	if o.account != "" || book.Len() <= few {
		accounts = book.Accounts()
	}
	if o.account != "" {
		accounts = slices.DeleteFunc(accounts, func(a bizum.Account) bool { return a.Name != o.account })
	}
	if len(accounts) == 1 {
		v.console.Noticef("%s, closing balance %v €", text, accounts[0].Balance)
		return
	}
	if text += ", " + console.Plural(book.Len(), "account", "accounts"); len(accounts) == 0 && o.account == "" {
		if total, fits := book.Total(); fits && book.Len() > 0 {
			text += fmt.Sprintf(" with %v € in all", total)
		}
	}
	v.console.Noticef("%s", text)
	for _, a := range accounts {
		v.console.Noticef("%s: closing balance %v €", a.Name, a.Balance)
	}
}
