package view

import (
	"fmt"
	"sync"

	"bizumctl/bizum"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// GroupConfig is what a Group shows, and how.
type GroupConfig struct {
	Topic  string
	Count  int64 // of entries to show; 0: endless
	Output Output
	Report func(event.Event) // of what is rejected
	// Watch, unless nil, is called with the entries that were shown, of which then none is left out.
	Watch func(partition int32, entries []ledger.Entry)
}

// Group shows what a ledger commits. Several partitions do so at once.
type Group struct {
	config GroupConfig
	view   View
	row    func(r *record.Record, e *bizum.Entry) error

	mu       sync.Mutex
	taken    int64 // entries that are shown, or will be
	shown    int64
	accounts map[int32]int // by partition
	sole     map[int32]*bizum.Account
}

// NewGroup makes a view of a ledger. The error is of an output format that there is not.
func NewGroup(screen *console.Console, c GroupConfig) (*Group, error) {
	row, err := Entries(screen, c.Output)
	return &Group{config: c, view: View{Console: screen, Report: c.Report}, row: row, accounts: make(map[int32]int),
		sole: make(map[int32]*bizum.Account)}, err
}

// Reserve reports whether an entry is to be shown, and whether that is within the count.
func (v *Group) Reserve(account []byte) (wanted, room bool) {
	output, count := &v.config.Output, v.config.Count
	unseen := output.Name == "none" && count == 0 && v.config.Watch == nil
	if unseen || output.Account != "" && string(account) != output.Account {
		return false, true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if count > 0 && v.taken == count {
		return true, false
	}
	v.taken++
	return true, true
}

// Release takes back what Reserve has promised to entries that were not committed after all.
func (v *Group) Release(entries int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken -= int64(entries)
}

// Show shows what was committed. The error is consumer.ErrDone after the last entry that is wanted.
func (v *Group) Show(c ledger.Committed) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	screen := v.view.Console
	v.accounts[c.Partition], v.sole[c.Partition] = c.Accounts, c.Sole
	v.view.Shown += int64(c.Booked)
	v.view.Rounded += int64(c.Rounded)
	for _, e := range c.Entries {
		r := record.Record{Position: record.Position{Topic: v.config.Topic, Partition: c.Partition, Offset: e.Offset},
			Timestamp: e.Timestamp, Key: e.Account}
		if err := v.row(&r, &e.Entry); err != nil {
			return err
		}
		v.shown++
	}
	for _, r := range c.Rejected {
		position := record.Position{Topic: v.config.Topic, Partition: c.Partition, Offset: r.Offset}
		if err := v.view.reject(position, r.Reason, r.Start); err != nil {
			return err
		}
	}
	if err := screen.Flush(); err != nil {
		return err
	}
	if v.config.Watch != nil {
		v.config.Watch(c.Partition, c.Entries)
	}
	if v.config.Count > 0 && v.shown == v.config.Count {
		return consumer.ErrDone
	}
	if v.config.Output.Name == "none" && !screen.Follows() && screen.ProgressDue() {
		screen.ShowProgress(v.booked())
	}
	return nil
}

func (v *Group) booked() string {
	return console.Plural(v.view.Shown, "bizum", "bizums") + " booked" + Exceptions(v.view.Rounded, v.view.Rejected)
}

// Summary shows what this process has booked.
func (v *Group) Summary() {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := v.booked()
	output := &v.config.Output
	accounts, sole := 0, (*bizum.Account)(nil)
	for partition, n := range v.accounts {
		accounts += n
		if n > 0 {
			sole = v.sole[partition]
		}
	}
	switch {
	case accounts == 1 && sole != nil && (output.Account == "" || output.Account == sole.Name):
		text += fmt.Sprintf(", balance of %s %s", sole.Name, console.Euros(sole.Balance))
	case output.Account != "" && output.Name != "none" && v.shown == 0:
		text += fmt.Sprintf(", none of account %q", output.Account)
	case accounts > 0 && v.config.Count == 0 && output.Account == "": // else they are not those of what was counted
		text += ", in " + console.Plural(accounts, "account", "accounts")
	}
	v.view.Console.Noticef("%s", text)
}
