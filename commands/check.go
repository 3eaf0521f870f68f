package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/compare"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
	"bizumctl/commands/view"
)

type checkOptions struct {
	cluster  settings.Cluster
	receipts []string
	paths    []string

	// Of a run without a receipt.
	seed            uint64
	count           int64
	accounts        int
	names, concepts string
	initial         bizum.Amount // also instead of that of a receipt
	initialAsked    bool

	columns    compare.Columns
	closing    string // column
	sum        string // column
	asSent     bool
	allow      []string
	maxLatency time.Duration
	output     string
	follow     bool
	grace      time.Duration

	allowed map[string]bool
}

func newCheck(env Env) *cli.Command {
	o := checkOptions{cluster: settings.DefaultCluster(), accounts: 1, initial: defaultBalance().initial, output: "text",
		grace: 10 * time.Second}
	var receipts, allow cli.StringSlice
	var json bool
	return &cli.Command{
		Name: "check", Usage: "compare what a pipeline delivered with what was sent", ArgsUsage: "[PATH...]",
		Description: help.Examples("Compares a topic, files, folders or - (standard input) with what was sent.",
			"bizumctl check --receipt run.json -t out  exit code 1 if anything differs",
			"bizumctl check --receipt run.json pagos/  files, ours, Spark's or others'",
			"bizumctl check --seed 7 -n 1000 out.csv   without a receipt"),
		Flags: slices.Concat([]cli.Flag{
			&cli.StringSliceFlag{Name: "receipt", Destination: &receipts,
				Usage: "`FILE` of produce --receipt; may be repeated"},
			&cli.StringFlag{Name: "id-field", Destination: &o.columns.ID,
				Usage: "`FIELD` with the payment's number, if the headers are gone"},
			&cli.StringFlag{Name: "run-field", Destination: &o.columns.Run, Usage: "`FIELD` with the run's id"},
			&cli.StringFlag{Name: "account-field", Value: "cuenta", Destination: &o.columns.Account,
				Usage: "`FIELD` with the account"},
			&cli.StringFlag{Name: "balance-field", Destination: &o.columns.Balance,
				Usage: "`FIELD` with the balance after each payment, which is checked too"},
			&cli.StringFlag{Name: "closing-field", Destination: &o.closing,
				Usage: "`FIELD` with the closing balance: there is one record an account"},
			&cli.StringFlag{Name: "sum-field", Destination: &o.sum,
				Usage: "`FIELD` with what the payments add up to: there is one record an account"},
			&cli.DurationFlag{Name: "max-latency", Destination: &o.maxLatency,
				Usage: "a payment that comes more than `TIME` after it was due is late"},
			&cli.StringSliceFlag{Name: "allow", Destination: &allow,
				Usage: "`VERDICTS` that are no failure, such as doubled,reordered; with :purpose only those of what " +
					"produce did on purpose"},
			&cli.BoolFlag{Name: "as-sent", Destination: &o.asSent,
				Usage: "what produce did wrong on purpose has to come as it was sent, not mended"},
			&cli.BoolFlag{Name: "follow", Destination: &o.follow,
				Usage: "compare beside a run that goes on, until it has ended"},
			&cli.DurationFlag{Name: "grace", Value: o.grace, Destination: &o.grace,
				Usage: "with --follow: a payment that has not come after `TIME` is lost"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: o.output, Destination: &o.output,
				Usage: "`FORMAT`: text, json"},
			flags.JSON(&json),
		}, o.streamFlags(), o.cluster.Flags()),
		Action: func(c *cli.Context) error {
			o.initialAsked = c.IsSet("initial")
			o.receipts, o.allow, o.paths = receipts.Value(), allow.Value(), c.Args().Slice()
			if err := flags.JSONOutput(c, json, &o.output); err != nil {
				return err
			}
			if err := o.suit(c); err != nil {
				return err
			}
			err := o.run(c.Context, env, newConsole(env, o.cluster.Speech))
			if err != nil && c.Context.Err() != nil { // not 0, as elsewhere: that would be a verdict
				return errors.New("interrupted: nothing is judged")
			}
			return err
		},
	}
}

// streamFlags are those of a run without a receipt.
func (o *checkOptions) streamFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Uint64Flag{Name: "seed", Destination: &o.seed, Usage: "without --receipt: the seed `N` of produce"},
		flags.Count(&o.count, "without --receipt: `N` bizums were sent"),
		&cli.IntFlag{Name: "accounts", Value: o.accounts, Destination: &o.accounts,
			Usage: "without --receipt: of `N` accounts"},
		&cli.StringFlag{Name: "names", Destination: &o.names, Usage: "without --receipt: `FILE` of names"},
		&cli.StringFlag{Name: "concepts", Destination: &o.concepts, Usage: "without --receipt: `FILE` of concepts"},
		&cli.GenericFlag{Name: "initial", Value: &o.initial, Usage: "`EUROS` that every account opens with"},
	}
}

// suit refuses flags that do not go together.
func (o *checkOptions) suit(c *cli.Context) (err error) {
	isSet := func(flags ...string) string {
		for _, flag := range flags {
			if c.IsSet(flag) {
				return flag
			}
		}
		return ""
	}
	if len(o.receipts) > 0 {
		if flag := isSet("seed", "count", "accounts", "names", "concepts"); flag != "" {
			return misuse.Errorf("--%s: the receipt says that: leave it out", flag)
		}
	} else if !c.IsSet("seed") || o.count < 1 {
		return misuse.Errorf("check wants what was sent: --receipt FILE, or --seed N and --count N")
	}
	if o.accounts < 1 {
		return misuse.Errorf("--accounts %d: want 1 or more", o.accounts)
	}
	if o.columns.Run != "" && o.columns.ID == "" {
		return misuse.Errorf("--run-field goes with --id-field")
	}
	if len(o.receipts) > 1 && o.columns.ID != "" && o.columns.Run == "" {
		return misuse.Errorf("--id-field: several receipts need --run-field too: every run numbers its payments from 0")
	}
	totals := isSet("closing-field", "sum-field")
	if other := isSet("id-field", "balance-field", "max-latency", "as-sent"); totals != "" && other != "" {
		return misuse.Errorf("--%s: there is one record an account: leave out --%s", totals, other)
	}
	if o.columns.Balance != "" && len(o.paths) > 0 && o.columns.ID == "" {
		return misuse.Errorf("--balance-field: rows need --id-field too: the field with the payment's number, which is the " +
			"offset in a topic that has nothing else")
	}
	if o.closing != "" && o.sum != "" {
		return misuse.Errorf("--closing-field and --sum-field exclude each other")
	}
	if o.maxLatency < 0 || o.grace < 0 {
		return misuse.Errorf("--max-latency %v, --grace %v: want 0 or more", o.maxLatency, o.grace)
	}
	if o.follow && (len(o.receipts) == 0 || len(o.paths) > 0 || o.columns.ID != "" || totals != "") {
		return misuse.Errorf("--follow reads a topic beside a run with --receipt, by its headers")
	}
	if c.IsSet("grace") && !o.follow {
		return misuse.Errorf("--grace goes with --follow")
	}
	if o.allowed, err = check.ParseAllowed(o.allow); err != nil {
		return misuse.Errorf("--allow: %w", err)
	}
	return flags.OneOf("output", o.output, "text", "json")
}

func (o *checkOptions) run(ctx context.Context, env Env, screen *console.Console) error {
	receipts, err := o.expected(ctx, env, screen)
	if err != nil {
		return err
	}
	config := check.Config{Receipts: receipts, AsSent: o.asSent, MaxLatency: o.maxLatency,
		Balances: o.columns.Balance != "", By: o.naming()}
	switch config.By {
	case check.ByClosing:
		o.columns.Balance = o.closing
	case check.BySum:
		o.columns.Balance = o.sum
	}
	compared := o.compare
	if o.follow {
		compared = o.live
	}
	report, err := compared(ctx, env, screen, &config)
	screen.EndProgress()
	if err != nil {
		return err
	}
	return o.show(screen, report, &config)
}

// show shows a report, and returns an error unless the pipeline has kept its promise.
func (o *checkOptions) show(screen *console.Console, report *check.Report, config *check.Config) error {
	if o.isOther(report, config) {
		return misuse.Errorf("topic %q has records of %s, and none of run %q, whose receipt was given", o.cluster.Topic,
			console.Plural(report.OtherRuns, "other run", "other runs"), config.Receipts[0].Run)
	}
	kept := report.Judge(config, o.allowed)
	var err error
	if o.output == "json" {
		err = view.CheckJSON(screen, report, kept)
	} else {
		err = view.Check(screen, report, config)
	}
	if err != nil || kept {
		return err
	}
	return errors.New(view.Verdict(report))
}

// isOther reports whether the receipt is of another run than all records.
func (o *checkOptions) isOther(report *check.Report, config *check.Config) bool {
	return config.By == check.ByNumber && len(o.paths) == 0 && report.OtherRecords > 0 && report.Distinct == 0 &&
		report.OtherRecords+report.Unnamed == report.Records
}

// naming returns what names a payment. Headers name it, where there are any.
func (o *checkOptions) naming() check.Naming {
	switch {
	case o.closing != "":
		return check.ByClosing
	case o.sum != "":
		return check.BySum
	case o.columns.ID != "" || len(o.receipts) > 0 && len(o.paths) == 0:
		return check.ByNumber
	}
	return check.ByValue
}

// compare compares by number, if there are any, and else by value.
func (o *checkOptions) compare(ctx context.Context, env Env, screen *console.Console, config *check.Config) (
	*check.Report, error) {
	input, err := o.input(ctx, env, screen, config)
	if err != nil {
		return nil, err
	}
	defer input.Close()
	if config.Beheaded = input.Gone > 0; config.Beheaded {
		screen.Noticef("topic %q no longer begins at 0: %s gone, and what was in them cannot be judged",
			o.cluster.Topic, console.Plural(input.Gone, "offset is", "offsets are"))
	}
	report, err := input.Compare(ctx, config, compare.Config{Columns: o.columns, Progress: func(n int64) {
		if n%256 == 0 && screen.ProgressDue() {
			screen.ShowProgress(console.Plural(n, "record", "records") + " compared")
		}
	}, ByValue: func() {
		screen.Noticef("no record has the headers %s and %s: comparing by value", check.HeaderRun, check.HeaderN)
	}})
	switch {
	case errors.As(err, new(*compare.UnfitError)):
		return nil, misuse.Errorf("%w", err)
	case errors.Is(err, check.ErrNoNumbers) && o.columns.ID != "":
		return nil, misuse.Errorf("--id-field %q: no record has such a field", o.columns.ID)
	}
	return report, err
}
