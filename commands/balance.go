package commands

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/misuse"
	pages "bizumctl/commands/page"
	"bizumctl/commands/plot"
	"bizumctl/commands/settings"
	"bizumctl/commands/view"
)

type balanceOptions struct {
	cluster  settings.Cluster
	initial  bizum.Amount
	account  string
	from     flags.Bound // rows before it are booked, but not shown
	last     int
	exit     bool
	count    int64
	output   string
	safe     bool // csv in which spreadsheets find no formula
	bad      string
	group    string
	page     string        // address to serve a page at; "": none
	plot     string        // file to draw the balance into; "": none
	port     bool          // another port will do where that of the page is taken
	interval time.Duration // between commits, in a group
	gap      bool
}

func defaultBalance() balanceOptions {
	return balanceOptions{cluster: settings.DefaultCluster(), initial: 2000_00, output: "table", bad: "skip",
		interval: 100 * time.Millisecond}
}

func newBalance(env Env) *cli.Command {
	o := defaultBalance()
	o.from.Now = env.Now
	var json bool
	return &cli.Command{
		Name: "balance", Usage: "show the account's balance after every bizum",
		Description: help.Examples("Adds up a topic from its beginning, account by account, and goes on.",
			"bizumctl balance --initial 2000        the statement, line by line",
			"bizumctl balance --last 20             the last 20 rows",
			"bizumctl balance --group caja          kept in a ledger, exactly once, shared"),
		Flags: append([]cli.Flag{
			&cli.GenericFlag{Name: "initial", Value: &o.initial,
				Usage: "`EUROS` that every account opens with, such as 2000 or -12.50"},
			&cli.StringFlag{Name: "account", Destination: &o.account, Usage: "show only account `NAME`"},
			&cli.GenericFlag{Name: "from", Value: &o.from,
				Usage: "`PLACE` where the rows begin, after the opening balance of then, in the forms of consume"},
			&cli.IntFlag{Name: "last", Destination: &o.last, Usage: "show the last `N` rows, and stop"},
			flags.Exit(&o.exit),
			flags.Count(&o.count, "stop after `N` bizums"),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: o.output, Destination: &o.output,
				Usage: "`FORMAT`: table, text, json, csv, none"},
			flags.JSON(&json),
			flags.Bad(&o.bad), flags.CSVSafe(&o.safe),
			&cli.StringFlag{Name: "group", Aliases: []string{"g"}, Destination: &o.group,
				Usage: "keep a ledger, exactly once, shared by all of group `NAME`"},
			o.cluster.SessionFlag(),
			&cli.DurationFlag{Name: "commit-interval", Value: o.interval, Destination: &o.interval,
				Usage: "`TIME` between two commits to the ledger"},
			&cli.BoolFlag{Name: "accept-gap", Destination: &o.gap,
				Usage: "go on where messages are gone before they were booked"},
			&cli.StringFlag{Name: "plot", Destination: &o.plot,
				Usage: "when the run ends, draw the balance into `FILE`, .svg or .png"},
			flags.Page(&o.page, "serve a live page, and metrics, at `[ADDRESS]`; alone: "+flags.DefaultPage),
		}, o.cluster.Flags()...),
		Action: func(c *cli.Context) error {
			screen := newConsole(env, o.cluster.Speech)
			if err := o.checkRows(c); err != nil {
				return err
			}
			if err := flags.JSONOutput(c, json, &o.output); err != nil {
				return err
			}
			switch {
			case o.group != "":
				return o.runGroup(c.Context, env, screen)
			case c.IsSet("commit-interval") || o.gap:
				return misuse.Errorf("--commit-interval and --accept-gap are for a ledger: give it a --group")
			}
			return o.run(c.Context, env, screen)
		},
	}
}

// check is what both ways of keeping a balance want of the flags.
func (o *balanceOptions) check() error {
	return flags.CheckView(o.output, o.bad, o.safe, o.count, "table", "text", "json", "csv", "none")
}

func (o *balanceOptions) shown() view.Output {
	return view.Output{Name: o.output, Account: o.account, Safe: o.safe}
}

// lastMax is how many rows may be kept until the last ones are known.
const lastMax = 1_000_000

// checkRows is what the flags that choose rows want of the others.
func (o *balanceOptions) checkRows(c *cli.Context) error {
	from, last := c.IsSet("from"), c.IsSet("last")
	switch {
	case last && (o.last < 1 || o.last > lastMax):
		return misuse.Errorf("--last %d: want 1 to %s", o.last, console.Count(lastMax))
	case last && (from || o.count > 0):
		return misuse.Errorf("--last, --from and --count choose other rows: give one of them")
	case (from || last) && o.group != "":
		return misuse.Errorf("--from and --last are for a balance that is added up: leave out --group")
	case (from || last) && o.plot != "":
		return misuse.Errorf("--from and --last choose the rows that are shown, and a picture has all: leave out --plot")
	case (from || last) && o.page != "":
		return misuse.Errorf("--from and --last choose the rows that are shown, and a page has all: leave out --page")
	case (from || last) && o.output == "none":
		return misuse.Errorf("--from and --last choose the rows that are shown: leave out --output none")
	}
	return nil
}

func (o *balanceOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.checkPlot(); err != nil {
		return err
	}
	cluster, err := o.cluster.Open(ctx, env.settings(), screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	page, err := o.openPage(ctx, env, cluster, screen)
	if err != nil {
		return err
	}
	defer page.Close()
	config := consumer.Config{Topic: o.cluster.Topic, From: consumer.Offset(0), Exit: o.exit, Now: env.Now,
		Handled: page.Handled(), Report: page.Reporting(report(&o.cluster, screen))}
	picture := o.newPicture(env.Now)
	if o.output == "none" && o.count == 0 && (page == nil || picture == nil) {
		return o.drawn(ctx, picture, screen, o.replay(ctx, cluster, config, screen, page, picture))
	}
	shown := &view.View{Console: screen, Strict: o.bad == "stop", Count: o.count,
		Report: page.Reporting(screen.Report)}
	book := bizum.NewBook(o.initial)
	err = view.WhileRead(ctx, screen, func(ctx context.Context) error {
		return o.show(ctx, cluster, config, shown, book, page, picture)
	})
	if err == nil || ctx.Err() != nil {
		view.Closing(screen, o.account, &balance.Replayed{Book: book,
			Counts: balance.Counts{Booked: shown.Shown, Rejected: shown.Rejected, Rounded: shown.Rounded}})
	}
	if err == nil && ctx.Err() == nil {
		err = o.missing(book)
	}
	return o.drawn(ctx, picture, screen, err)
}

// show shows the balance after every bizum.
func (o *balanceOptions) show(ctx context.Context, cluster *kafka.Cluster, config consumer.Config, shown *view.View,
	book *bizum.Book, page *pages.Live, picture *plot.Picture) error {
	show, err := view.Entries(shown.Console, o.shown())
	if err != nil {
		return err
	}
	show, flush := page.Rows(picture.Rows(show), shown.Console.Flush)
	config.Exit = config.Exit || o.last > 0
	topic, err := consumer.Open(ctx, cluster, config)
	if err != nil {
		return consumer.Failure(err)
	}
	defer shown.Console.Follow(topic.Progress)()
	statement := &balance.Statement{Book: book, Account: o.account, Last: o.last,
		Show: func(r *record.Record, e *bizum.Entry) error { return shown.Wrote(show(r, e)) }}
	if o.from.Text != "" {
		if statement.From, err = topic.SeenFrom(ctx, o.from.At); err != nil {
			return interrupted(ctx, err)
		}
	}
	handle := shown.Checked(func(r *record.Record, p *bizum.Payment) error { return statement.Apply(r, *p) })
	if err := topic.Run(ctx, handle, flush); err != nil || ctx.Err() != nil {
		return err // interrupted, the last rows so far would not be the last ones
	}
	return cmp.Or(statement.End(), shown.Console.Flush())
}

// replay shows only the closing balances.
func (o *balanceOptions) replay(ctx context.Context, cluster *kafka.Cluster, config consumer.Config,
	screen *console.Console, page *pages.Live, picture *plot.Picture) error {
	topic, err := consumer.Open(ctx, cluster, config)
	if err != nil {
		return o.nothing(screen, consumer.Failure(err))
	}
	followed := screen.Follow(topic.Progress)
	replayed, err := balance.Replay(ctx, topic,
		balance.ReplayConfig{Initial: o.initial, Strict: o.bad == "stop", Watch: page.Watch(), Moved: picture.Moved(),
			Report: page.Reporting(screen.Report)})
	followed()
	if o.exit && ctx.Err() != nil {
		screen.Noticef("interrupted before the topic's end: what follows is of a part of it")
	}
	if replayed != nil {
		view.Closing(screen, o.account, replayed)
	}
	if err == nil && ctx.Err() == nil {
		return o.missing(replayed.Book)
	}
	return err
}

// missing returns an error if a topic that was read to its end has no account of the name that was asked for.
func (o *balanceOptions) missing(book *bizum.Book) error {
	const fewNames = 10
	if _, known := book.Balance([]byte(o.account)); known || o.account == "" || !o.exit {
		return nil
	}
	err := fmt.Errorf("topic %q has no account %q", o.cluster.Topic, o.account)
	if book.Len() == 0 || book.Len() > fewNames {
		return err
	}
	var names []string
	for _, a := range book.Accounts() {
		names = append(names, a.Name)
	}
	return misuse.WithHint(err, "it has: "+strings.Join(names, ", "))
}

// nothing sums up a run that was ended before it had read anything.
func (o *balanceOptions) nothing(screen *console.Console, err error) error {
	if err == nil {
		view.Closing(screen, o.account, &balance.Replayed{Book: bizum.NewBook(o.initial)})
	}
	return err
}
