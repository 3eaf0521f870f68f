package commands

import (
	"context"
	"net"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/consumer"
	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
	pages "bizumctl/commands/page"
)

// metricsFlag is the address at which a run without a page serves its figures.
func metricsFlag(address *string) cli.Flag {
	return &cli.StringFlag{Name: "metrics", Destination: address,
		Usage: "serve /metrics, for Prometheus, and /healthz at `ADDRESS`, such as localhost:9100"}
}

// serveMetrics serves the figures of a run that talks to a cluster, until the server is closed. It is healthy while the
// broker answers.
func serveMetrics(ctx context.Context, address, topic string, cluster *kafka.Cluster, screen *console.Console,
	metrics *pages.Metrics) (*pages.Server, error) {
	if !strings.Contains(address, ":") {
		address = net.JoinHostPort("localhost", address)
	}
	server, err := pages.Listen(pages.Config{Address: address, Metrics: metrics, Healthy: func() error {
		_, _, err := partitionEnds(ctx, cluster, topic)
		return err
	}})
	if err != nil {
		return nil, misuse.Errorf("--metrics %q: %w", address, err)
	}
	screen.Noticef("metrics of this run: http://%s/metrics", server.Address())
	if server.Open() {
		screen.Noticef("they are open to the network, without a password")
	}
	return server, nil
}

// serveMetrics serves what a run has sent, if that is asked for.
func (o *produceOptions) serveMetrics(ctx context.Context, env Env, cluster *kafka.Cluster, run *producer.Producer,
	pending func() int64, screen *console.Console) (stop func(), err error) {
	if o.metrics == "" {
		return func() {}, nil
	}
	m := pages.NewMetrics(env.Version)
	m.Counter("bizumctl_payments_sent_total", "Payments that the broker has acknowledged.",
		func() int64 { return run.Figures().Acknowledged })
	m.Counter("bizumctl_sent_bytes_total", "Bytes of the payments that the broker has acknowledged.",
		func() int64 { return run.Figures().Bytes })
	m.Gauge("bizumctl_payments_in_flight", "Payments that are sent and not acknowledged yet.",
		func() float64 { return float64(pending()) })
	m.Gauge("bizumctl_acknowledgement_p99_seconds",
		"Time within which 99 of 100 payments were acknowledged, from when they were due; 0 with pauses.",
		func() float64 { return run.Figures().P99.Seconds() })
	server, err := serveMetrics(ctx, o.metrics, o.cluster.Topic, cluster, screen, m)
	if err != nil {
		return nil, err
	}
	return func() { server.Close() }, nil
}

// serveMetrics serves what a run has written into files, if that is asked for. It returns the report that counts it.
func (o *consumeOptions) serveMetrics(ctx context.Context, env Env, cluster *kafka.Cluster, topic *consumer.Consumer,
	screen *console.Console) (report func(event.Event), stop func(), err error) {
	if o.metrics == "" {
		return screen.Report, func() {}, nil
	}
	var written, files, rejected atomic.Int64
	m := pages.NewMetrics(env.Version)
	m.Counter("bizumctl_payments_written_total", "Payments that were written into files.", written.Load)
	m.Counter("bizumctl_files_closed_total", "Files that are complete.", files.Load)
	m.Counter("bizumctl_rejected_total", "Messages that are no payment.", rejected.Load)
	m.Partitioned("bizumctl_partition_position", "Offset after the last message that was written.", topic.Positions)
	m.Partitioned("bizumctl_partition_lag", "Messages that are not written yet.", func() map[int32]int64 {
		ends, _, err := partitionEnds(ctx, cluster, o.cluster.Topic)
		if err != nil {
			return nil
		}
		positions, lags := topic.Positions(), make(map[int32]int64)
		for p, end := range ends {
			if position, known := positions[p]; known {
				lags[p] = max(0, end-position)
			}
		}
		return lags
	})
	server, err := serveMetrics(ctx, o.metrics, o.cluster.Topic, cluster, screen, m)
	if err != nil {
		return nil, nil, err
	}
	return func(e event.Event) {
		switch e := e.(type) {
		case event.Filing:
			raise(&written, e.Rows)
		case event.FileClosed:
			files.Add(1)
		case event.Rejected:
			rejected.Add(1)
		}
		screen.Report(e)
	}, func() { server.Close() }, nil
}

// raise sets a number that several goroutines only raise.
func raise(n *atomic.Int64, to int64) {
	for {
		before := n.Load()
		if to <= before || n.CompareAndSwap(before, to) {
			return
		}
	}
}
