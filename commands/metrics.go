package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	pages "bizumctl/commands/page"
)

// metricsFlag is the address at which a run without a page serves its figures.
func metricsFlag(address *string) cli.Flag {
	return &cli.StringFlag{Name: "metrics", Destination: address,
		Usage: "serve /metrics, for Prometheus, and /healthz at `ADDRESS`, such as localhost:9100"}
}

// cannotServe returns the error of serving at the address that a flag gives, with another address that may do.
func cannotServe(err error, flag, other string) error {
	if wrong := new(pages.AddressError); errors.As(err, &wrong) {
		return misuse.Errorf("%s: %w", flag, wrong)
	}
	if errors.Is(err, hints.AddressInUse) {
		return misuse.WithHint(err, fmt.Sprintf("something else is served there; take another port: %s %s", flag, other))
	}
	return err
}

// endsFor is how long the answer of where partitions end is used again: whoever looks on must not be a burden.
const endsFor = time.Second

// endsOf returns what asks where a topic's partitions end, however many want to know it.
func endsOf(ctx context.Context, cluster *kafka.Cluster, topic string) func() (map[int32]int64, error) {
	var mu sync.Mutex
	var asked time.Time
	var ends map[int32]int64
	var err error
	return func() (map[int32]int64, error) {
		mu.Lock()
		defer mu.Unlock()
		if asked.IsZero() || time.Since(asked) >= endsFor {
			ends, err = cluster.Ends(ctx, topic)
			asked = time.Now()
		}
		return ends, err
	}
}

// serveMetrics serves the figures of a run that talks to a cluster, until stop. It is healthy while the broker says
// where the partitions end.
func serveMetrics(address string, ends func() (map[int32]int64, error), screen *console.Console,
	metrics *pages.Metrics) (stop func(), err error) {
	server, err := pages.Listen(pages.Config{Address: address, Metrics: metrics, Healthy: func() error {
		_, err := ends()
		return err
	}})
	if err != nil {
		err = fmt.Errorf("metrics at %s: %w", pages.WithHost(address), err)
		return nil, cannotServe(err, "--metrics", "localhost:9101")
	}
	screen.Noticef("metrics of this run: http://%s/metrics", server.Address())
	if server.Open() {
		screen.Noticef("they are open to the network, without a password")
	}
	return server.Close, nil
}

// serveMetrics serves what a run has sent, if that is asked for.
func (o *produceOptions) serveMetrics(ctx context.Context, env Env, cluster *kafka.Cluster, run *producer.Producer,
	pending func() int64, screen *console.Console) (stop func(), err error) {
	if o.metrics == "" {
		return func() {}, nil
	}
	m := pages.NewMetrics(env.Version)
	m.Sending(func() pages.Sent {
		f := run.Figures()
		return pages.Sent{Payments: f.Acknowledged, Bytes: f.Bytes, P99: f.P99}
	}, pending)
	return serveMetrics(o.metrics, endsOf(ctx, cluster, o.cluster.Topic), screen, m)
}

// serveMetrics serves what a run writes into files, if that is asked for, before there is a topic. It returns the report
// that counts it. The topic is set once it is open.
func (o *consumeOptions) serveMetrics(ctx context.Context, env Env, cluster *kafka.Cluster,
	topic *atomic.Pointer[consumer.Consumer], screen *console.Console) (
	report func(event.Event), stop func(), err error) {
	if o.metrics == "" {
		return screen.Report, func() {}, nil
	}
	m, ends := pages.NewMetrics(env.Version), endsOf(ctx, cluster, o.cluster.Topic)
	count := m.Filing(func() map[int32]int64 {
		if t := topic.Load(); t != nil {
			return t.Positions()
		}
		return nil
	}, ends)
	stop, err = serveMetrics(o.metrics, ends, screen, m)
	return func(e event.Event) {
		count(e)
		screen.Report(e)
	}, stop, err
}
