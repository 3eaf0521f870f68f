package commands

import (
	"context"

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

// serveMetrics serves the figures of a run that talks to a cluster, until stop. It is healthy while the broker answers.
func serveMetrics(ctx context.Context, address, topic string, cluster *kafka.Cluster, screen *console.Console,
	metrics *pages.Metrics) (stop func(), err error) {
	server, err := pages.Listen(pages.Config{Address: address, Metrics: metrics, Healthy: func() error {
		_, err := cluster.Ends(ctx, topic)
		return err
	}})
	if err != nil {
		return nil, misuse.Errorf("--metrics %q: %w", pages.WithHost(address), err)
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
	return serveMetrics(ctx, o.metrics, o.cluster.Topic, cluster, screen, m)
}

// serveMetrics serves what a run has written into files, if that is asked for. It returns the report that counts it.
func (o *consumeOptions) serveMetrics(ctx context.Context, env Env, cluster *kafka.Cluster, topic *consumer.Consumer,
	screen *console.Console) (report func(event.Event), stop func(), err error) {
	if o.metrics == "" {
		return screen.Report, func() {}, nil
	}
	m := pages.NewMetrics(env.Version)
	count := m.Filing(topic.Positions, func() (map[int32]int64, error) { return cluster.Ends(ctx, o.cluster.Topic) })
	stop, err = serveMetrics(ctx, o.metrics, o.cluster.Topic, cluster, screen, m)
	return func(e event.Event) {
		count(e)
		screen.Report(e)
	}, stop, err
}
