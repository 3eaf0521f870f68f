package commands

import (
	"testing"
	"time"

	"bizumctl/bizum/producer"
	"bizumctl/commands/flags"
)

// The flags of produce mean one plan together.
func TestPlan(t *testing.T) {
	paused := producer.Plan{Mode: producer.Paused, DelayMin: time.Second, DelayMax: 10 * time.Second, Seed: 7}
	plan := func(change func(*producer.Plan)) producer.Plan {
		p := paused
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		options func(*produceOptions)
		want    producer.Plan
	}{
		"nothing given": {func(*produceOptions) {}, paused},
		"--rate 5": {func(o *produceOptions) { o.rate, o.asked.rate = flags.Rate{PerSecond: 5}, true },
			plan(func(p *producer.Plan) { p.Mode, p.PerSecond = producer.Steady, 5 })},
		"--rate max": {func(o *produceOptions) { o.rate, o.asked.rate = flags.Rate{Max: true}, true },
			plan(func(p *producer.Plan) { p.Mode = producer.Unpaced })},
		"--input": {func(o *produceOptions) { o.input = "-" },
			plan(func(p *producer.Plan) { p.Mode, p.Given = producer.Unpaced, true })},
		"--input --rate 5": {func(o *produceOptions) { o.input, o.rate, o.asked.rate = "-", flags.Rate{PerSecond: 5}, true },
			plan(func(p *producer.Plan) { p.Mode, p.PerSecond, p.Given = producer.Steady, 5, true })},
		"--input --min-delay 0s": {func(o *produceOptions) { o.input, o.pauses.min, o.asked.delays = "-", 0, true },
			plan(func(p *producer.Plan) { p.DelayMin, p.Given = 0, true })},
		"-n 3 -d 1m": {func(o *produceOptions) { o.count, o.duration = 3, time.Minute },
			plan(func(p *producer.Plan) { p.Count, p.Duration = 3, time.Minute })},
	} {
		o := defaultProduce()
		o.seed = 7
		c.options(&o)
		if got := o.plan(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
