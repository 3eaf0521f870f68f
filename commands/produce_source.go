package commands

import (
	"fmt"
	"os"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
	"bizumctl/commands/view"
)

// source opens what is sent: given messages, or made ones.
func (o *produceOptions) source(env Env, screen *console.Console) (producer.Source, error) {
	var skip func(*producer.LineError, []byte)
	if o.bad == "skip" {
		skip = func(bad *producer.LineError, line []byte) {
			o.rejected++
			screen.Report(event.RejectedLine{Reason: bad, Value: line})
		}
	}
	switch o.input {
	case "":
		return o.made(env)
	case "-":
		return producer.Given(producer.StandardInput, env.Stdin, skip), nil
	}
	file, err := producer.OpenInput(o.input)
	if err != nil {
		return nil, err
	}
	return producer.Given(o.input, file, skip), nil
}

func (o *produceOptions) made(env Env) (producer.Source, error) {
	names, err := list(o.names, env.Names, bizum.ParseNames)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	concepts, err := list(o.concepts, env.Concepts, bizum.ParseConcepts)
	if err != nil {
		return nil, fmt.Errorf("concepts: %w", err)
	}
	return producer.Made(bizum.NewGenerator(o.seed, names, concepts, o.accounts)), nil
}

// list reads a list from a file, or takes the one that is built in.
func list(file string, builtIn []byte, parse func([]byte) ([][]byte, error)) ([][]byte, error) {
	if file == "" {
		return parse(builtIn)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// summary shows what was delivered, and what not.
func (o *produceOptions) summary(screen *console.Console, f producer.Figures, pending int64) {
	sent, lost := console.Plural(f.Acknowledged, "bizum", "bizums")+" sent", view.Exceptions(0, o.rejected)
	if pending > 0 {
		lost += fmt.Sprintf(", %s more not acknowledged", console.Count(pending))
	}
	if !o.asked.rate || f.Acknowledged == 0 {
		screen.Noticef("%s%s", sent, lost)
		return
	}
	requested, achieved := "", ""
	if o.rate.PerSecond > 0 {
		requested = console.AskedRate(o.rate.PerSecond) + " requested, "
	}
	if rate := f.PerSecond(o.plan().Mode); rate > 0 { // one bizum has none
		achieved = console.Rate(rate) + " achieved, "
	}
	screen.Noticef("%s in %s: %s%s%s/s%s", sent, console.Duration(f.Took), requested, achieved,
		console.Size(float64(f.Bytes)/f.Took.Seconds()), lost)
	screen.Noticef("acknowledged after p50 %s, p99 %s, max %s", console.Duration(f.P50), console.Duration(f.P99),
		console.Duration(f.Max))
}
