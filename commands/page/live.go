package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/event"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
)

// LiveConfig says what a page is of, and where it is served.
type LiveConfig struct {
	BalanceConfig
	Address string // [HOST:]PORT
	// Taken is the error of listening with which another port will do; nil: none will.
	Taken error
	// Ends asks where the topic's partitions end.
	Ends func(ctx context.Context) (map[int32]int64, error)
	// Missing is the error of Ends with which there is no topic: it is waited for, and reported, until it is read.
	Missing error
}

// Live is a page that is served while a balance runs, and told by it what happens. All methods of a nil one that the
// run calls do nothing.
type Live struct {
	*Server
	balance *Balance
	account string // the only one that is shown; "": all are
	stop    context.CancelFunc
	asking  sync.WaitGroup

	adding sync.Mutex
	buffer []Row // used again
}

// Serve serves a page until it is closed. Its errors are those of Listen, with the address.
func Serve(ctx context.Context, c LiveConfig) (*Live, error) {
	p := &Live{account: c.Account, balance: NewBalance(c.BalanceConfig)}
	metrics := NewMetrics(c.Version)
	p.balance.Figures(metrics)
	config := Config{Address: c.Address, Metrics: metrics, Healthy: p.balance.Healthy, Balance: p.balance}
	var err error
	if p.Server, err = Listen(config); c.Taken != nil && errors.Is(err, c.Taken) {
		host, _, _ := net.SplitHostPort(WithHost(c.Address))
		config.Address = net.JoinHostPort(host, "0")
		p.Server, err = Listen(config)
	}
	if err != nil {
		return nil, fmt.Errorf("page at %s: %w", WithHost(config.Address), err)
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.asking.Go(func() { p.ask(ctx, &c) })
	return p, nil
}

// Close tells those who look on that the run has ended.
func (p *Live) Close() {
	if p != nil {
		p.stop()
		p.asking.Wait()
		p.Server.Close()
	}
}

// askEvery is how often is asked where the partitions end: of many, or of a slow broker, less often, but often enough
// that one which is away or back is noticed soon.
const (
	askEvery    = time.Second
	askEveryMax = 3 * time.Second
)

// ask tells the page where the topic's partitions end, until ctx ends.
func (p *Live) ask(ctx context.Context, c *LiveConfig) {
	for {
		began := time.Now()
		ends, err := c.Ends(ctx)
		took := time.Since(began)
		if ctx.Err() != nil {
			return
		}
		if err != nil && errors.Is(err, c.Missing) {
			p.balance.Gone(err)
		} else {
			p.balance.Ends(ends, err)
		}
		select {
		case <-time.After(min(max(askEvery, 10*took), askEveryMax)):
		case <-ctx.Done():
			return
		}
	}
}

// Reporting returns a report that the page hears of, too.
func (p *Live) Reporting(report func(event.Event)) func(event.Event) {
	if p == nil {
		return report
	}
	return func(e event.Event) {
		p.balance.Report(e)
		report(e)
	}
}

// Handled returns what notes how far a partition was shown; nil if there is no page.
func (p *Live) Handled() func(partition int32, position int64) {
	if p == nil {
		return nil
	}
	return p.balance.Moved
}

// Rows returns what shows an entry, and the flush after a batch, so that the page has what was shown.
func (p *Live) Rows(show func(*record.Record, *bizum.Entry) error, flush func() error) (
	func(*record.Record, *bizum.Entry) error, func() error) {
	if p == nil {
		return show, flush
	}
	rows := p.balance.Rows()
	return func(r *record.Record, e *bizum.Entry) error {
			err := show(r, e)
			if err == nil {
				rows.Add(e, r.Partition, r.Offset, r.Timestamp)
			}
			return err
		}, func() error {
			rows.Flush()
			return flush()
		}
}

// Watch returns what shows the page a topic that is added up; nil if there is no page.
func (p *Live) Watch() *balance.Watch {
	if p == nil {
		return nil
	}
	return &balance.Watch{Booked: p.booked, Handled: p.balance.Moved}
}

// Join has a group tell the page what it takes over and commits.
func (p *Live) Join(config *balance.GroupConfig) {
	if p == nil {
		return
	}
	b := p.balance
	config.Joined, config.Committed = b.Joined, b.Committed
	config.Taken = func(partition int32, position int64, book *bizum.Book) { b.Taken(partition, position, book.All) }
}

// WatchGroup returns what shows the page what a group has committed; nil if there is no page.
func (p *Live) WatchGroup() func(partition int32, entries []ledger.Entry) {
	if p == nil {
		return nil
	}
	return p.booked
}

// booked shows the page entries of a partition.
func (p *Live) booked(partition int32, entries []ledger.Entry) {
	p.adding.Lock() // the partitions of a group commit side by side
	defer p.adding.Unlock()
	for block := range slices.Chunk(entries, BlockRows) {
		rows := p.buffer[:0]
		for i := range block {
			if e := &block[i]; p.account == "" || p.account == string(e.Account) {
				rows = append(rows, Row{Entry: e.Entry, Partition: partition, Offset: e.Offset, Timestamp: e.Timestamp})
			}
		}
		p.balance.Add(rows)
		p.buffer = rows
	}
}
