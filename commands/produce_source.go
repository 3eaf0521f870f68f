package commands

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
)

// source opens what is sent: given messages, or made ones.
func (o *produceOptions) source(env Env) (producer.Source, error) {
	switch o.input {
	case "":
		return o.made(env)
	case "-":
		return producer.Given("standard input", env.Stdin), nil
	}
	file, err := producer.OpenInput(o.input)
	if err != nil {
		return nil, err
	}
	return producer.Given(o.input, file), nil
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
	sent, lost := console.Plural(f.Acknowledged, "bizum", "bizums")+" sent", ""
	if pending > 0 {
		lost = fmt.Sprintf(", %d more not acknowledged", pending)
	}
	if !o.asked.rate || f.Acknowledged == 0 {
		screen.Noticef("%s%s", sent, lost)
		return
	}
	requested := ""
	if o.rate.perSecond > 0 {
		requested = o.rate.String() + "/s requested, "
	}
	screen.Noticef("%s in %v: %s%s/s achieved, %.1f MB/s%s", sent, f.Took.Round(time.Millisecond), requested,
		perSecond(f.PerSecond(o.plan().Mode)), float64(f.Bytes)/1e6/f.Took.Seconds(), lost)
	screen.Noticef("acknowledged after p50 %v, p99 %v, max %v", f.P50, f.P99, f.Max)
}

// perSecond formats a rate, with more digits where they say more.
func perSecond(rate float64) string {
	decimals := 1
	if rate < 100 {
		decimals = 3
	}
	return strconv.FormatFloat(rate, 'f', decimals, 64)
}
