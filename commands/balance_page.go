package commands

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/misuse"
	pages "bizumctl/commands/page"
)

// defaultPage is where a page is served if no address is given.
const defaultPage = flags.DefaultPage

// page is a page that is served while a balance runs. All methods of a nil one do nothing.
type page struct {
	*pages.Balance
	account string // the only one that is shown; "": all are
	server  *pages.Server
	stop    context.CancelFunc
	asking  sync.WaitGroup

	adding sync.Mutex
	buffer []pages.Row // used again
}

// openPage serves a page if one is asked for.
func (o *balanceOptions) openPage(ctx context.Context, env Env, cluster *kafka.Cluster,
	screen *console.Console) (*page, error) {
	if o.page == "" {
		return nil, nil
	}
	p := &page{account: o.account, Balance: pages.NewBalance(pages.BalanceConfig{Topic: o.cluster.Topic,
		Group: o.group, Account: o.account, Initial: o.initial, Version: env.Version, Now: env.Now})}
	metrics := pages.NewMetrics(env.Version)
	p.Figures(metrics)
	var err error
	config := pages.Config{Address: o.page, Metrics: metrics, Healthy: p.Healthy, Balance: p.Balance}
	if p.server, err = servePage(config, o.port); err != nil {
		return nil, err
	}
	screen.Noticef("a live page of the balance: http://%s/", p.server.Address())
	if p.server.Open() {
		screen.Noticef("it is open to the network, without a password: whoever reaches this machine reads the balances")
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.asking.Go(func() { p.ask(ctx, cluster, o.cluster.Topic) })
	return p, nil
}

// servePage begins to serve. If another port will do, that is one where the one that was asked for is taken.
func servePage(config pages.Config, anotherPort bool) (*pages.Server, error) {
	if !strings.Contains(config.Address, ":") {
		config.Address = net.JoinHostPort("localhost", config.Address)
	}
	server, err := pages.Listen(config)
	if errors.Is(err, syscall.EADDRINUSE) && anotherPort {
		host, _, _ := net.SplitHostPort(config.Address)
		config.Address = net.JoinHostPort(host, "0")
		server, err = pages.Listen(config)
	}
	switch {
	case errors.As(err, new(*pages.AddressError)):
		return nil, misuse.Errorf("--page: %w", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, misuse.WithHint(fmt.Errorf("page at %s: %w", config.Address, err),
			"something else is served there; take another port: --page localhost:8081")
	case err != nil:
		return nil, fmt.Errorf("page at %s: %w", config.Address, err)
	}
	return server, nil
}

// Close tells those who look on that the run has ended.
func (p *page) Close() {
	if p != nil {
		p.stop()
		p.asking.Wait()
		p.server.Close()
	}
}

// How often the broker is asked where the partitions end, and how long it may take to answer.
const (
	askEvery  = time.Second
	askWithin = 2 * time.Second // less than after which a wait is reported: others report it
)

// ask tells the page where the topic's partitions end, until ctx ends.
func (p *page) ask(ctx context.Context, cluster *kafka.Cluster, topic string) {
	for {
		ends, took, err := partitionEnds(ctx, cluster, topic)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, kafka.ErrNoTopic) { // which is waited for, and reported
			p.Ends(ends, err)
		}
		select {
		case <-time.After(max(askEvery, 10*took)): // a topic of many partitions less often
		case <-ctx.Done():
			return
		}
	}
}

func partitionEnds(ctx context.Context, cluster *kafka.Cluster, topic string) (ends map[int32]int64, took time.Duration,
	err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	partitions, err := cluster.Partitions(ctx, topic)
	ends = make(map[int32]int64, len(partitions))
	for _, number := range partitions {
		if err == nil {
			ends[number], err = cluster.Offset(ctx, topic, number, kafka.End)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s does not answer", cluster.Addresses())
	}
	return ends, time.Since(began), err
}

// reporting returns a report that the page hears of, too.
func (p *page) reporting(report func(event.Event)) func(event.Event) {
	if p == nil {
		return report
	}
	return func(e event.Event) {
		p.Report(e)
		report(e)
	}
}

// handled returns what notes how far a partition was shown; nil if there is no page.
func (p *page) handled() func(partition int32, position int64) {
	if p == nil {
		return nil
	}
	return p.Moved
}

// rows returns what shows an entry, and the flush after a batch, so that the page has what was shown.
func (p *page) rows(show func(*record.Record, *bizum.Entry) error, flush func() error) (
	func(*record.Record, *bizum.Entry) error, func() error) {
	if p == nil {
		return show, flush
	}
	rows := p.Rows()
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

// watch returns what shows the page a topic that is added up; nil if there is no page.
func (p *page) watch() *balance.Watch {
	if p == nil {
		return nil
	}
	return &balance.Watch{Booked: p.booked, Handled: p.Moved}
}

// join has a group tell the page what it takes over and commits.
func (p *page) join(config *balance.GroupConfig) {
	if p == nil {
		return
	}
	config.Joined, config.Committed = p.Joined, p.Balance.Committed
	config.Taken = func(partition int32, position int64, book *bizum.Book) { p.Taken(partition, position, book.All) }
}

// watchGroup returns what shows the page what a group has committed; nil if there is no page.
func (p *page) watchGroup() func(partition int32, entries []ledger.Entry) {
	if p == nil {
		return nil
	}
	return p.booked
}

// booked shows the page entries of a partition.
func (p *page) booked(partition int32, entries []ledger.Entry) {
	p.adding.Lock() // the partitions of a group commit side by side
	defer p.adding.Unlock()
	for block := range slices.Chunk(entries, pages.BlockRows) {
		rows := p.buffer[:0]
		for i := range block {
			if e := &block[i]; p.account == "" || p.account == string(e.Account) {
				rows = append(rows, pages.Row{Entry: e.Entry, Partition: partition, Offset: e.Offset, Timestamp: e.Timestamp})
			}
		}
		p.Add(rows)
		p.buffer = rows
	}
}
