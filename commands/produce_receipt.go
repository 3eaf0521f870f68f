package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
	"bizumctl/commands/view"
)

// faultsFlag is the value of --faults.
type faultsFlag struct{ *producer.Faults }

func (f *faultsFlag) Set(text string) error {
	faults, err := producer.ParseFaults(text)
	f.Faults = &faults
	return err
}

func (f *faultsFlag) String() string {
	if f.Faults == nil {
		return ""
	}
	return f.Text
}

const skewMax = 10

// receiptFlags are those that make a stream which check knows.
func (o *produceOptions) receiptFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "skew", Destination: &o.skew, DefaultText: "all alike",
			Usage: "a few of --accounts have most bizums: Zipf's law with exponent `N`, such as 1.1"},
		&cli.StringFlag{Name: "receipt", Destination: &o.receipt,
			Usage: "write into `FILE` what was sent, for check; headers run and n name each bizum"},
		&cli.GenericFlag{Name: "faults", Value: &o.faults,
			Usage: "do wrong on purpose, as the receipt will say: `LIST`, such as double=0.1%,late=1%:30s, " +
				"also of malformed, reorder and abort"},
	}
}

// suitReceipt refuses flags that do not go together with those of receiptFlags, and a receipt that is there already.
func (o *produceOptions) suitReceipt(c *cli.Context) error {
	switch {
	case c.IsSet("skew") && !(o.skew > 1 && o.skew <= skewMax):
		return misuse.Errorf("--skew %v: want more than 1, as 1.1, and at most %d", o.skew, skewMax)
	case c.IsSet("skew") && o.accounts < 2:
		return misuse.Errorf("--skew goes with --accounts of 2 or more")
	case o.receipt == "" && o.faults.Faults != nil:
		return misuse.Errorf("--faults goes with --receipt FILE: nobody else would know of them")
	case o.receipt == "":
		return nil
	case o.input != "":
		return misuse.Errorf("--receipt is of bizums that can be made again from a seed: leave out --input")
	case o.dryRun:
		return misuse.Errorf("--receipt is of bizums that were sent: leave out --dry-run")
	case o.files.dir != "" && o.faults.Faults != nil:
		return misuse.Errorf("--faults needs the headers of a topic: leave out --dir")
	}
	return cmp.Or(o.receiptCanBeMade(), o.receiptAbsent())
}

// receiptCanBeMade refuses a receipt whose folder is missing or takes no file, before anything is sent.
func (o *produceOptions) receiptCanBeMade() error {
	try, err := os.CreateTemp(filepath.Dir(o.receipt), ".bizumctl-*.tmp")
	if err != nil {
		if failed := new(fs.PathError); errors.As(err, &failed) {
			err = failed.Err // the file's name says nothing
		}
		return misuse.Errorf("--receipt %s: no file can be made there: %w", o.receipt, err)
	}
	return errors.Join(try.Close(), os.Remove(try.Name()))
}

// receiptAbsent refuses to take the place of another run's receipt: what that run sent could never be checked again.
func (o *produceOptions) receiptAbsent() error {
	journal := check.JournalPath(o.receipt)
	if _, err := os.Lstat(o.receipt); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, misuse.Errorf("--receipt %s: is there already, of another run: name another file", o.receipt))
	}
	if _, err := os.Lstat(journal); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, misuse.Errorf("--receipt %s: %s is there, of a run that goes on or was killed, which check --receipt %s "+
			"reads: name another file", o.receipt, journal, o.receipt))
	}
	return nil
}

// newRecorder returns what keeps the receipt of a run, nil if none is asked for.
func (o *produceOptions) newRecorder(ctx context.Context, env Env, cluster *kafka.Cluster) (*producer.Recorder, error) {
	if o.receipt == "" {
		return nil, nil
	}
	plan := o.plan()
	r := &check.Receipt{Run: producer.NewRunID(),
		Tool: "bizumctl " + env.Version, Opening: check.Euros(defaultBalance().initial),
		Stream: check.NewStream(check.Stream{Seed: o.seed, Accounts: o.accounts, Skew: o.skew, Faults: o.faults.String(),
			Schedule: plan.Schedule()}, o.nameList, o.conceptList)}
	if o.faults.Faults != nil && o.faults.LateBy > 0 {
		r.Faults = []check.Fault{{Kind: check.Late, By: o.faults.LateBy}}
	}
	if cluster != nil {
		var err error
		if r.ClusterID, r.TopicID, err = cluster.Identity(ctx, o.cluster.Topic); err != nil {
			return nil, err
		}
		r.Topic = o.cluster.Topic
	}
	return producer.NewRecorder(o.receipt, r, env.Now), nil
}

// target opens the topic that the run sends to. The caller closes it.
func (o *produceOptions) target(ctx context.Context, env Env, cluster *kafka.Cluster, run *producer.Producer,
	missing func(context.Context)) (*producer.Target, error) {
	recorder, err := o.newRecorder(ctx, env, cluster)
	if err != nil {
		return nil, err
	}
	return producer.OpenTarget(ctx, cluster, producer.TargetConfig{Topic: o.cluster.Topic, Compression: o.compression,
		Run: run, Missing: missing, Recorder: recorder, Plan: o.plan(), Faults: o.faults.Faults})
}

// finish writes the receipt of a run that ended with err or without. It returns err, or its own error.
func (o *produceOptions) finish(ctx context.Context, screen *console.Console, to *producer.Recorded, err error) error {
	if to == nil {
		return err
	}
	result, failed := to.Finish(ctx, err)
	if failed != nil {
		failed = fmt.Errorf("receipt %s: %w; its journal is kept", o.receipt, failed)
		if err != nil {
			screen.Noticef("%v", failed)
		}
		return cmp.Or(err, failed)
	}
	if result.Run != "" { // else nothing was sent
		view.Receipt(screen, o.receipt, &result)
	}
	return err
}

// generator makes the bizums of the run.
func (o *produceOptions) generator() *bizum.Generator {
	return bizum.NewSkewedGenerator(o.seed, o.nameList, o.conceptList, o.accounts, o.skew)
}
