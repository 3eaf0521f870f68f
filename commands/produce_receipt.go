package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum"
	"bizumctl/bizum/check"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
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
			Usage: "do wrong on purpose, as the receipt will say: `LIST` of double=0.1%, late=1%:30s, malformed=0.5%, " +
				"reorder=0.2%, abort=1%, joined by commas"},
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
	r := &check.Receipt{Run: newRunID(),
		Tool: "bizumctl " + env.Version, Opening: check.Euros(defaultBalance().initial),
		Stream: check.NewStream(check.Stream{Seed: o.seed, Accounts: o.accounts, Skew: o.skew, Faults: o.faults.String(),
			Schedule: schedule(&plan)}, o.nameList, o.conceptList)}
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

// newRunID returns an id that no other run has: of a thousand runs, two have the same one with a chance of 2 in ten
// million. It is short because each record carries it.
func newRunID() string {
	const ids = 36 * 36 * 36 * 36 * 36 * 36 * 36 // of seven digits or fewer
	return strconv.FormatUint(ids+rand.Uint64N(35*ids), 36)
}

// schedule is the plan as a receipt has it.
func schedule(plan *producer.Plan) check.Schedule {
	switch plan.Mode {
	case producer.Steady:
		return check.Schedule{Mode: check.Steady, PerSecond: plan.PerSecond}
	case producer.Unpaced:
		return check.Schedule{Mode: "unpaced"}
	}
	return check.Schedule{Mode: "paused", DelayMin: plan.DelayMin, DelayMax: plan.DelayMax}
}

// sender is what a run sends messages to.
type sender struct {
	producer.Sink
	writer   *kafka.Writer
	recorded *producer.Recorded // is the sink, if there is a receipt
	close    func()
}

// sender opens what the run sends to. The caller closes it.
func (o *produceOptions) sender(ctx context.Context, env Env, cluster *kafka.Cluster, run *producer.Producer,
	missing func(context.Context)) (to sender, err error) {
	recorder, err := o.newRecorder(ctx, env, cluster)
	if err != nil {
		return to, err
	}
	config := kafka.WriterConfig{Compression: o.compression, Acked: run.Acked, Missing: missing}
	if recorder != nil {
		config.Acked = func(a kafka.Ack) {
			run.Acked(a)
			recorder.Acked(a)
		}
	}
	var transactions *kafka.Transactions
	to.close = func() {}
	if o.faults.Faults != nil && o.faults.Transactional() {
		id := "bizumctl-" + recorder.Run()
		if transactions, err = cluster.NewTransactions(ctx, o.cluster.Topic, id); err != nil {
			return to, err
		}
		to.close = transactions.Close
		config.Producer, config.Missing = transactions.Producer(), nil
	}
	if to.writer, err = cluster.NewWriter(ctx, o.cluster.Topic, config); err != nil {
		to.close()
		return to, err
	}
	closeTransactions := to.close
	to.close = func() {
		to.writer.Close()
		closeTransactions()
	}
	if recorder == nil {
		to.Sink = producer.ToTopic(to.writer)
		return to, nil
	}
	to.recorded = producer.RecordedTopic(recorder, to.writer, o.plan(), o.faults.Faults, transactions)
	to.Sink = to.recorded
	return to, nil
}

// finish writes the receipt of a run that ended with err or without, and says what it holds. It returns err, or its
// own error.
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
	if result.Run == "" { // nothing was sent
		return err
	}
	var parts []string
	for _, part := range []struct {
		n    int64
		text string
	}{
		{result.Unknown, "of unknown outcome"}, {result.Doubled, "doubled"}, {result.Malformed, "malformed"},
		{result.Reordered, "out of order"}, {result.Late, "late"},
		{result.Aborted, "in " + console.Plural(result.Transactions, "transaction that is", "transactions that are") +
			" not committed"},
	} {
		if part.n > 0 {
			parts = append(parts, console.Count(part.n)+" "+part.text)
		}
	}
	text := ""
	if len(parts) > 0 {
		text = ": " + strings.Join(parts, ", ")
	}
	screen.Noticef("receipt of run %s in %s%s", result.Run, o.receipt, text)
	return err
}

// generator makes the bizums of the run.
func (o *produceOptions) generator() *bizum.Generator {
	if o.skew > 0 {
		return bizum.NewSkewedGenerator(o.seed, o.nameList, o.conceptList, o.accounts, o.skew)
	}
	return bizum.NewGenerator(o.seed, o.nameList, o.conceptList, o.accounts)
}
