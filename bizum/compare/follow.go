package compare

import (
	"context"
	"sync"
	"time"

	"bizumctl/bizum/check"
	"bizumctl/bizum/consumer"
	"bizumctl/bizum/record"
)

// Following says how runs that go on are followed.
type Following struct {
	Grace  time.Duration // how long a payment may take once it has arrived where it was sent
	Now    func() time.Time
	Report func(Standing) // called every now and then
}

// Standing is how far a pipeline has come with runs that go on.
type Standing struct {
	Came        int64 // payments
	Outstanding int64 // were sent, and have not come yet
	Lost        int64 // of them, for longer than the grace
}

const followEvery = 200 * time.Millisecond

// Follow compares the records of a topic as they come, until all runs have ended and all their payments have
// come, or are lost. A run whose receipt has an end
// has ended. The time of a record is when it came here.
func Follow(ctx context.Context, topic *consumer.Consumer, comparison *check.Numbered, config Config,
	following Following) error {
	f := &follower{Following: following, comparison: comparison}
	r := newReader(config)
	running, stop := context.WithCancel(ctx)
	defer stop()
	came, err := topic.SeenFrom(ctx, consumer.End())
	if err != nil {
		return err
	}
	looked := make(chan error, 1)
	go func() {
		looked <- f.look(running)
		stop()
	}()
	err = topic.Run(running, func(m *record.Record) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if m.Timestamp = following.Now().UnixMilli(); m.Offset < came[m.Partition] {
			m.Timestamp = check.Earlier
		}
		return r.record(m)
	}, func() error { return nil })
	stop()
	if failed := <-looked; err == nil {
		err = failed
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		_, err = comparison.EndPass(ctx)
	}
	return err
}

// follower looks after the receipts, beside those who read records.
type follower struct {
	Following
	mu         sync.Mutex // of the comparison
	comparison *check.Numbered
	settled    []settlement
}

// settlement is up to where each run was settled at a time.
type settlement struct {
	at time.Time
	by map[string]int64
}

// look updates the comparison until there is nothing to wait for.
func (f *follower) look(ctx context.Context) error {
	ticks := time.NewTicker(followEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
		if over, err := f.over(); over || err != nil {
			return err
		}
	}
}

// over takes the latest receipts, and reports whether there is nothing to wait for.
func (f *follower) over() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.comparison.Update(); err != nil {
		return false, err
	}
	receipts := f.comparison.Receipts()
	now, ended := f.Now(), true
	latest := settlement{now, make(map[string]int64)}
	for _, r := range receipts {
		latest.by[r.Run] = r.Settled()
		ended = ended && !r.Ended.IsZero()
	}
	f.settled = append(f.settled, latest)
	for len(f.settled) > 1 && now.Sub(f.settled[1].at) >= f.Grace {
		f.settled = f.settled[1:]
	}
	standing, waiting := Standing{Came: f.comparison.Came()}, int64(0)
	for _, r := range receipts {
		outstanding, lost := f.comparison.Outstanding(r.Run, r.Sent), int64(0)
		if oldest := f.settled[0]; now.Sub(oldest.at) >= f.Grace {
			lost = f.comparison.Outstanding(r.Run, oldest.by[r.Run])
		}
		standing.Outstanding += outstanding
		standing.Lost += lost
		waiting += outstanding - lost
	}
	f.Report(standing)
	return ended && waiting == 0, nil
}
