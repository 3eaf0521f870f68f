package commands

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/compare"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
)

// input opens the input that the flags name.
func (o *checkOptions) input(ctx context.Context, env Env, screen *console.Console,
	config *check.Config) (*compare.Input, error) {
	switch {
	case slices.Equal(o.paths, []string{"-"}):
		return compare.OfStream(ctx, env.Stdin, producer.StandardInput)
	case slices.Contains(o.paths, "-"):
		return nil, misuse.Errorf("- is standard input, and stands alone")
	case len(o.paths) > 0:
		for _, path := range o.paths {
			if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
				return nil, misuse.Errorf("%s: not a file that can be read twice: want - with < %s", path, path)
			}
		}
		return compare.OfFiles(o.paths), nil
	}
	cluster, err := o.cluster.Open(ctx, env.settings(), screen)
	if err != nil {
		return nil, err
	}
	if err := o.awaitStable(ctx, cluster, screen, config); err != nil {
		cluster.Close()
		return nil, err
	}
	return compare.OfTopic(ctx, func(ctx context.Context) (*consumer.Consumer, error) {
		return consumer.Open(ctx, cluster, consumer.Config{Topic: o.cluster.Topic, From: consumer.Beginning(),
			Exit: true, Now: env.Now, Report: screen.Report})
	}, cluster.Close)
}

// expected returns what was sent.
func (o *checkOptions) expected(ctx context.Context, env Env, screen *console.Console) (list []*check.Receipt,
	err error) {
	if len(o.receipts) == 0 {
		r, err := o.fromSeed(env)
		if err == nil && (o.closing != "" || o.sum != "") {
			err = r.Summarize(ctx)
		}
		return []*check.Receipt{r}, err
	}
	for _, path := range o.receipts {
		r, err := o.receipt(ctx, screen, path)
		if err != nil {
			return nil, err
		}
		if o.initialAsked {
			r.Opening = check.Euros(o.initial)
		}
		list = append(list, r)
	}
	return list, nil
}

// receipt reads a receipt, or its journal, and says so.
func (o *checkOptions) receipt(ctx context.Context, screen *console.Console, path string) (*check.Receipt, error) {
	r, goesOn, err := check.ReadRun(path)
	if err != nil || !goesOn || o.follow {
		return r, unusable(err)
	}
	screen.Noticef("no receipt %s yet: its journal has %s, and %s of unknown outcome", path,
		console.Plural(r.Acknowledged, "bizum that was sent", "bizums that were sent"),
		console.Count(r.Sent-r.Acknowledged))
	return r, r.Summarize(ctx)
}

// unusable makes a misuse of a receipt that cannot be relied on.
func unusable(err error) error {
	if errors.As(err, new(*check.ReceiptError)) || errors.Is(err, fs.ErrNotExist) {
		return misuse.Errorf("%w", err)
	}
	return err
}

// fromSeed returns the receipt of a run that has none.
func (o *checkOptions) fromSeed(env Env) (*check.Receipt, error) {
	names, err := list(o.names, env.Names, bizum.ParseNames)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	concepts, err := list(o.concepts, env.Concepts, bizum.ParseConcepts)
	if err != nil {
		return nil, fmt.Errorf("concepts: %w", err)
	}
	stream := check.NewStream(check.Stream{Seed: o.seed, Accounts: o.accounts}, names, concepts)
	return &check.Receipt{Run: fmt.Sprintf("of seed %d", o.seed), Stream: stream, Sent: o.count, Acknowledged: o.count,
		Opening: check.Euros(o.initial)}, nil
}
