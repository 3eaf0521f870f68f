package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// A commit interval has to leave a transaction time to end before Kafka ends it.
const (
	commitIntervalMin = time.Millisecond
	commitIntervalMax = 5 * time.Second
)

// runGroup is balance in a group: every payment is booked once, in a ledger whose partitions are shared.
func (o *balanceOptions) runGroup(ctx context.Context, env Env, screen *console.Console) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.checkPlot(); err != nil {
		return err
	}
	if o.interval < commitIntervalMin || o.interval > commitIntervalMax {
		return misuse("--commit-interval %v: want %v to %v", o.interval, commitIntervalMin, commitIntervalMax)
	}
	if err := checkGroup(o.cluster.topic, o.group); err != nil {
		return err
	}
	cluster, err := o.cluster.open(ctx, env, screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	page, err := o.openPage(ctx, env, cluster, screen)
	if err != nil {
		return err
	}
	defer page.Close()
	topic, err := consumer.Open(ctx, cluster, consumer.Config{Topic: o.cluster.topic, From: consumer.Offset(0),
		Exit: o.exit, Group: o.group, Counts: ledger.Ours, Now: env.Now,
		Report: page.reporting(o.cluster.report(screen))})
	if err != nil {
		return consumer.Failure(err)
	}
	picture := o.newPicture(env.Now)
	entries := &groupView{options: o, view: &view{console: screen, page: page, picture: picture},
		accounts: make(map[int32]int), sole: make(map[int32]*bizum.Account)}
	config := balance.GroupConfig{Topic: o.cluster.topic, Group: o.group,
		Initial: o.initial, Interval: o.interval, AcceptGap: o.gap, Strict: o.bad == "stop", Now: env.Now,
		Report: page.reporting(screen.Report), Reserve: entries.reserve, Release: entries.release, Show: entries.show}
	page.join(&config)
	group, err := balance.OpenGroup(ctx, cluster, config)
	if err != nil {
		return interrupted(ctx, err)
	}
	if entries.row, err = o.shower(screen); err != nil {
		return err
	}
	run := func(ctx context.Context) error {
		defer screen.Follow(topic.Progress)()
		return group.Run(ctx, topic)
	}
	if o.output == "none" {
		err = run(ctx)
	} else {
		err = whileRead(ctx, screen, run)
	}
	if err == nil {
		entries.summary()
	}
	return picture.drawn(ctx, screen, newLedger(err))
}

func checkGroup(topic, name string) error {
	if _, err := ledger.TopicsOf(topic, name); err != nil {
		return misuse("--group (-g) %q: %w", name, err)
	}
	return nil
}

// newLedger adds what to do about a topic that was recreated while its ledger was read, or lost what was in it.
func newLedger(err error) error {
	if errors.Is(err, kafka.ErrNewTopic) || errors.As(err, new(*kafka.LostError)) {
		return hintedError{err, hintNewLedger}
	}
	return err
}

// groupView shows what a ledger commits. Several partitions do so at once.
type groupView struct {
	options *balanceOptions
	view    *view
	row     func(r *record.Record, e *bizum.Entry) error

	mu       sync.Mutex
	taken    int64 // entries that are shown, or will be
	shown    int64
	accounts map[int32]int // by partition
	sole     map[int32]*bizum.Account
}

// reserve reports whether an entry is to be shown, and whether that is within --count.
func (v *groupView) reserve(account []byte) (wanted, room bool) {
	o := v.options
	unseen := o.output == "none" && o.count == 0 && v.view.page == nil && v.view.picture == nil
	if unseen || o.account != "" && string(account) != o.account {
		return false, true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if o.count > 0 && v.taken == o.count {
		return true, false
	}
	v.taken++
	return true, true
}

func (v *groupView) release(entries int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken -= int64(entries)
}

func (v *groupView) show(c ledger.Committed) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	o, screen := v.options, v.view.console
	v.accounts[c.Partition], v.sole[c.Partition] = c.Accounts, c.Sole
	v.view.seen += int64(c.Booked)
	v.view.rounded += int64(c.Rounded)
	for _, e := range c.Entries {
		r := record.Record{Position: record.Position{Topic: o.cluster.topic, Partition: c.Partition, Offset: e.Offset},
			Timestamp: e.Timestamp, Key: e.Account}
		if err := v.row(&r, &e.Entry); err != nil {
			return err
		}
		v.shown++
	}
	for _, r := range c.Rejected {
		position := record.Position{Topic: o.cluster.topic, Partition: c.Partition, Offset: r.Offset}
		if err := v.view.rejected(position, r.Reason, r.Start); err != nil {
			return err
		}
	}
	if err := screen.Flush(); err != nil {
		return err
	}
	v.view.page.committed(&c)
	v.view.picture.committed(&c)
	if o.count > 0 && v.shown == o.count {
		return consumer.ErrDone
	}
	if o.output == "none" && !o.exit && screen.ProgressDue() {
		screen.ShowProgress(v.booked())
	}
	return nil
}

func (v *groupView) booked() string {
	return console.Plural(v.view.seen, "bizum", "bizums") + " booked" + exceptions(v.view.rounded, v.view.bad)
}

// summary shows what this process has booked.
func (v *groupView) summary() {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := v.booked()
	accounts, sole := 0, (*bizum.Account)(nil)
	for partition, n := range v.accounts {
		accounts += n
		if n > 0 {
			sole = v.sole[partition]
		}
	}
	o := v.options
	switch {
	case accounts == 1 && sole != nil && (o.account == "" || o.account == sole.Name):
		text += fmt.Sprintf(", balance of %s %s", sole.Name, console.Euros(sole.Balance))
	case o.account != "" && o.output != "none" && v.shown == 0:
		text += fmt.Sprintf(", none of account %q", o.account)
	case accounts > 0 && o.count == 0 && o.account == "": // else these are not the accounts of what was counted
		text += ", in " + console.Plural(accounts, "account", "accounts")
	}
	v.view.console.Noticef("%s", text)
}
