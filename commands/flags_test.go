package commands

import (
	"testing"
	"time"

	"bizumctl/bizum/producer"
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
		"--rate 5": {func(o *produceOptions) { o.rate, o.asked.rate = rate{perSecond: 5}, true },
			plan(func(p *producer.Plan) { p.Mode, p.PerSecond = producer.Steady, 5 })},
		"--rate max": {func(o *produceOptions) { o.rate, o.asked.rate = rate{max: true}, true },
			plan(func(p *producer.Plan) { p.Mode = producer.Unpaced })},
		"--input": {func(o *produceOptions) { o.input = "-" },
			plan(func(p *producer.Plan) { p.Mode, p.Given = producer.Unpaced, true })},
		"--input --rate 5": {func(o *produceOptions) { o.input, o.rate, o.asked.rate = "-", rate{perSecond: 5}, true },
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

// What cannot be read of a bound (package consumer has them all), a rate or a size is refused, and leaves the value as it was.
func TestFlagTypes(t *testing.T) {
	type value interface {
		Set(string) error
		String() string
	}
	for _, c := range []struct {
		value   value
		good    map[string]string // as given, and as shown
		refused []string
	}{
		{&boundFlag{now: time.Now}, map[string]string{"beginning": "beginning", "-20": "-20", "@-1h": "@-1h"},
			[]string{"", "start"}},
		{new(rate), map[string]string{"max": "max", "10": "10", "0.5": "0.5", "1e3": "1000"},
			[]string{"", "0", "-1", "NaN", "Inf", "1e10"}},
		{new(byteSize), map[string]string{"1": "1", "10MB": "10000000", "128MiB": "128MiB", "2 GiB": "2GiB", "1024KiB": "1MiB"},
			[]string{"", "0", "-1", "1.5MB", "2000GiB", "MB"}},
		{new(when), map[string]string{"auto": "auto", "always": "always", "never": "never"},
			[]string{"", "Auto", "yes"}},
	} {
		last := c.value.String()
		for text, shown := range c.good {
			if err := c.value.Set(text); err != nil || c.value.String() != shown {
				t.Errorf("%T %q: %q, %v; want %q", c.value, text, c.value.String(), err, shown)
			}
			last = c.value.String()
		}
		for _, text := range c.refused {
			if err := c.value.Set(text); err == nil || c.value.String() != last {
				t.Errorf("%T %q: %q, %v; want it refused", c.value, text, c.value.String(), err)
			}
		}
	}
}
