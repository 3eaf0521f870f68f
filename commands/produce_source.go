package commands

import (
	"fmt"
	"os"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
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

func (o *produceOptions) made(env Env) (_ producer.Source, err error) {
	if o.nameList, err = list(o.names, env.Names, bizum.ParseNames); err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	if o.conceptList, err = list(o.concepts, env.Concepts, bizum.ParseConcepts); err != nil {
		return nil, fmt.Errorf("concepts: %w", err)
	}
	return producer.Made(o.generator()), nil
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
