package page

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the figures of a run in the format of Prometheus. They are read when somebody asks, so that they cost
// nothing else. Names follow Prometheus' conventions: https://prometheus.io/docs/practices/naming/.
type Metrics struct{ registry *prometheus.Registry }

// NewMetrics returns metrics that have the process's own already: memory, goroutines, version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "bizumctl_build_info",
		Help: "The version of bizumctl, as a label.", ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	m.registry.MustRegister(info)
	return m
}

// Counter adds a number that only grows, such as bizumctl_payments_total. Value is called from several goroutines.
func (m *Metrics) Counter(name, help string, value func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return float64(value()) }))
}

// Gauge adds a number that goes up and down. Value is called from several goroutines.
func (m *Metrics) Gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Partitioned adds a number for each partition, which goes up and down. Values is called from several goroutines.
func (m *Metrics) Partitioned(name, help string, values func() map[int32]int64) {
	m.registry.MustRegister(&partitioned{prometheus.NewDesc(name, help, []string{"partition"}, nil), values})
}

// Times adds how long something takes, such as bizumctl_commit_duration_seconds.
func (m *Metrics) Times(name, help string, t *Times) {
	m.registry.MustRegister(&timesCollector{prometheus.NewDesc(name, help, nil, nil), t})
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: writeTimeout})
}

// timeBounds are the bounds of a histogram's buckets: from what a local broker takes to what people call broken.
var timeBounds = [...]time.Duration{time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// Times is a histogram of durations. The zero value is ready; it may be used by several goroutines.
type Times struct {
	mu    sync.Mutex
	below [len(timeBounds) + 1]uint64 // the last one has those above all bounds
	sum   time.Duration
	count uint64
}

// Add adds so many durations of about the same length.
func (t *Times) Add(d time.Duration, n uint64) {
	d = max(d, 0)
	i := 0
	for i < len(timeBounds) && d > timeBounds[i] {
		i++
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.below[i] += n
	t.sum += d * time.Duration(n)
	t.count += n
}

type timesCollector struct {
	description *prometheus.Desc
	times       *Times
}

func (c *timesCollector) Describe(to chan<- *prometheus.Desc) { to <- c.description }

func (c *timesCollector) Collect(to chan<- prometheus.Metric) {
	c.times.mu.Lock()
	defer c.times.mu.Unlock()
	buckets, sum := make(map[float64]uint64), uint64(0)
	for i, bound := range timeBounds {
		sum += c.times.below[i]
		buckets[bound.Seconds()] = sum
	}
	to <- prometheus.MustNewConstHistogram(c.description, c.times.count, c.times.sum.Seconds(), buckets)
}

type partitioned struct {
	description *prometheus.Desc
	values      func() map[int32]int64
}

func (p *partitioned) Describe(to chan<- *prometheus.Desc) { to <- p.description }

func (p *partitioned) Collect(to chan<- prometheus.Metric) {
	for number, value := range p.values() {
		to <- prometheus.MustNewConstMetric(p.description, prometheus.GaugeValue, float64(value), partitionLabel(number))
	}
}
