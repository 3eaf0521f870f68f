package page

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"bizumctl/bizum"
)

// digest is what a page is told: all there is to show at first, then what is new since the digest before. What is no
// list is as it is now.
type digest struct {
	Now       int64   `json:"now"` // milliseconds since 1970, as all times
	State     state   `json:"state"`
	Text      string  `json:"text,omitempty"`
	Balance   *euros  `json:"balance"` // of all accounts; null: it does not fit
	Base      euros   `json:"base"`    // to be added to the lines
	Accounts  int     `json:"accounts"`
	Only      *named  `json:"only,omitempty"` // the account, if there is one
	Payments  int64   `json:"payments"`
	Rejected  int64   `json:"rejected"`
	Rounded   int64   `json:"rounded"`
	Totals    total   `json:"totals"`
	Changed   bool    `json:"changed,omitempty"` // other members of the group have booked, or book, what is in totals
	PerSecond float64 `json:"perSecond"`
	Lag       int64   `json:"lag"`
	Arrived   int64   `json:"arrived,omitempty"` // the last payment

	Partitions    []place           `json:"partitions"`
	PartitionsAll int               `json:"partitionsAll"` // how many there are of ours
	Rows          []json.RawMessage `json:"rows,omitempty"`
	Lines         []*steps          `json:"lines"` // minute, hour, all, less base; null: as before
	Names         []total           `json:"names,omitempty"`
	Concepts      []total           `json:"concepts,omitempty"`
	Movers        []mover           `json:"movers,omitempty"`
	Rejects       []rejectedMessage `json:"rejects,omitempty"`
	About         *about            `json:"about,omitempty"` // in a snapshot only
}

// about does not change in a run.
type about struct {
	Topic   string `json:"topic"`
	Group   string `json:"group,omitempty"`
	Account string `json:"account,omitempty"`
	Initial euros  `json:"initial"`
	Version string `json:"version"`
	Began   int64  `json:"began"`
}

// named is an account, with the reference that finds it: a name may be any bytes, which JSON cannot hold.
type named struct {
	Name string `json:"cuenta"`
	Ref  string `json:"ref"`
}

func nameOf(account string) named { return named{account, url.QueryEscape(account)} }

// total is what payments add up to; null: it does not fit.
type total struct {
	Name     string `json:"name,omitempty"`
	Sent     *euros `json:"sent"`
	Received *euros `json:"received"`
	Sends    int64  `json:"sends"`
	Receipts int64  `json:"receipts"`
}

func totalOf(name string, s *sums) total {
	t := total{Name: name, Sends: s.Sends, Receipts: s.Receipts}
	if !s.over {
		t.Sent, t.Received = (*euros)(new(s.Sent)), (*euros)(new(s.Received))
	}
	return t
}

type mover struct {
	named
	Balance euros `json:"saldo"`
	Change  euros `json:"change"`
}

// place is how far a partition was booked.
type place struct {
	Partition int32 `json:"partition"`
	Position  int64 `json:"position"`
	Lag       int64 `json:"lag"`
}

// steps are those of a level that are new, or have changed: they replace all from the stretch of the first one on.
type steps struct {
	Width int64             `json:"width"`
	Reset bool              `json:"reset,omitempty"` // they replace all
	Steps []json.RawMessage `json:"steps"`           // [at, last] or [at, lowest, highest, last]
}

// Limits of what one digest holds.
const (
	digestRows       = 100
	digestTotals     = 12
	digestMovers     = 12
	digestPartitions = 64
)

// sentRows is what the digest before has had.
type sentRows struct {
	rows, rejected, payments int64
	began                    bool
}

// digest returns what is new, and notes that it was returned; b.mu is held.
func (b *Balance) digest(now time.Time) *digest {
	d := b.now(now)
	fresh := int(min(b.rows.count-b.sent.rows, digestRows))
	d.Rows = b.encodeRows(b.rows.last(fresh), b.rows.count-b.sent.rows-int64(fresh))
	d.Lines = b.line.changes(now.UnixMilli())
	if b.payments.payments() != b.sent.payments {
		b.rank(d)
	}
	for _, r := range b.rejected.last {
		if r.number > b.sent.rejected {
			d.Rejects = append(d.Rejects, r)
		}
	}
	b.sent = sentRows{b.rows.count, b.rejected.count, b.payments.payments(), true}
	return d
}

// snapshot returns all there is; b.mu is held.
func (b *Balance) snapshot(now time.Time) *digest {
	d := b.now(now)
	d.Rows = b.encodeRows(b.rows.last(digestRows), 0)
	d.Lines = b.line.all(now.UnixMilli())
	b.rank(d)
	d.Rejects = slices.Clone(b.rejected.last)
	c := b.config
	d.About = &about{c.Topic, c.Group, c.Account, euros(c.Initial), c.Version, b.began.UnixMilli()}
	return d
}

// now returns what is neither a list nor new.
func (b *Balance) now(now time.Time) *digest {
	d := &digest{Now: now.UnixMilli(), Base: euros(b.sum - b.net), Accounts: b.opened,
		Payments: b.payments.payments(), Rejected: b.rejected.count, Rounded: b.rounded,
		Totals: totalOf("", &b.payments), Changed: b.changed, PerSecond: b.pace.perSecond(now), Lag: b.partitions.lag(),
		PartitionsAll: len(b.partitions.by), Partitions: []place{}}
	d.State, d.Text = b.state(now)
	if !b.sumOver {
		d.Balance = (*euros)(new(b.sum))
	}
	if b.opened == 1 {
		for _, known := range b.known.by {
			d.Only = new(nameOf(known.name))
		}
	}
	if !b.arrived.IsZero() {
		d.Arrived = b.arrived.UnixMilli()
	}
	for _, number := range slices.Sorted(maps.Keys(b.partitions.by)) {
		if len(d.Partitions) < digestPartitions {
			p := b.partitions.by[number]
			d.Partitions = append(d.Partitions, place{number, p.position, p.lag()})
		}
	}
	return d
}

// rank adds what is ordered by size.
func (b *Balance) rank(d *digest) {
	for _, t := range b.names.largest(digestTotals) {
		d.Names = append(d.Names, totalOf(t.name, t.sums))
	}
	for _, t := range b.concepts.largest(digestTotals) {
		d.Concepts = append(d.Concepts, totalOf(t.name, t.sums))
	}
	if b.opened < 2 {
		return
	}
	for _, k := range b.known.movers(digestMovers) {
		d.Movers = append(d.Movers, mover{nameOf(k.name), euros(k.balance), euros(k.net())})
	}
}

// encodeRows returns rows, oldest first. Between them, and before them, is how many were not kept.
func (b *Balance) encodeRows(rows []*keptRow, before int64) (list []json.RawMessage) {
	for i, r := range rows {
		skipped := r.skipped
		if i == 0 {
			skipped += before
		}
		if skipped > 0 {
			list = append(list, append(strconv.AppendInt([]byte(`{"skipped":`), skipped, 10), '}'))
		}
		list = append(list, b.writer.append(nil, &r.Row))
	}
	return list
}

// changes returns what has changed since the last call, nil for a level in which nothing has.
func (l *line) changes(now int64) []*steps {
	list := make([]*steps, len(l.levels))
	for i := range l.levels {
		v := &l.levels[i]
		recent := v.recent(now)
		fresh := min(len(v.steps)-v.changed, len(recent))
		if fresh > 0 {
			list[i] = v.encode(recent[len(recent)-fresh:], v.reset)
		}
		v.changed, v.reset = len(v.steps), false
	}
	return list
}

// all returns the steps that are to be shown now.
func (l *line) all(now int64) []*steps {
	list := make([]*steps, len(l.levels))
	for i := range l.levels {
		list[i] = l.levels[i].encode(l.levels[i].recent(now), true)
	}
	return list
}

func (l *level) encode(list []step, reset bool) *steps {
	s := &steps{Width: l.width, Reset: reset, Steps: make([]json.RawMessage, len(list))}
	for i, one := range list {
		text := strconv.AppendInt([]byte{'['}, one.at, 10)
		values := []bizum.Amount{one.low, one.high, one.last}
		if one.low == one.high {
			values = values[2:]
		}
		for _, value := range values {
			text = value.Append(append(text, ','))
		}
		s.Steps[i] = append(text, ']')
	}
	return s
}
