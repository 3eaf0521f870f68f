package commands

import (
	"context"
	"fmt"
	"net"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/devbroker"
	"bizumctl/commands/console"
)

const defaultListen = "localhost:9092"

type brokerOptions struct {
	speech speech
	listen string // HOST:PORT
	data   string // folder; "": in memory
}

func newBroker(env Env) *cli.Command {
	o := brokerOptions{speech: defaultSpeech(), listen: defaultListen}
	return &cli.Command{
		Name: "broker", Usage: "run an embedded Kafka-compatible broker",
		Description: examples(
			"Runs a broker for a first run, tests and work offline. It is no Kafka.",
			"bizumctl broker                        in memory, at "+defaultListen,
			"bizumctl broker --data bizums.kafka    keep its data in a folder"),
		Flags: append([]cli.Flag{listenFlag(&o.listen),
			&cli.StringFlag{Name: "data", Destination: &o.data,
				Usage: "`FOLDER` to keep the data in; without it they are kept in memory"},
		}, o.speech.flags()...),
		Action: func(c *cli.Context) error { return o.run(c.Context, newConsole(env, o.speech)) },
	}
}

func listenFlag(value *string) cli.Flag {
	return &cli.StringFlag{Name: "listen", Value: *value, Destination: value, Usage: "`HOST:PORT` to listen on"}
}

func (o *brokerOptions) run(ctx context.Context, screen *console.Console) error {
	broker, address, err := startBroker(o.listen, o.data)
	if err != nil {
		return err
	}
	defer broker.Close()
	where := "in memory: they are gone when it stops"
	if o.data != "" {
		where = "in " + o.data
	}
	screen.Noticef("an embedded broker, for trying things out, listens on %s", address)
	screen.Noticef("it keeps its data %s", where)
	screen.Noticef("in other terminals: bizumctl produce%[1]s, bizumctl balance%[1]s; Ctrl-C stops it",
		brokersFlag(address))
	<-ctx.Done()
	return nil
}

// startBroker starts a broker, and returns the address that was asked for, with the port that was found when that
// was 0.
func startBroker(listen, data string) (broker *devbroker.Broker, address string, err error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, "", misuse("--listen %q: want HOST:PORT", listen)
	}
	if broker, err = devbroker.Start(listen, data); err != nil {
		return nil, "", fmt.Errorf("broker at %s: %w", listen, err)
	}
	_, port, _ := net.SplitHostPort(broker.Address())
	return broker, net.JoinHostPort(host, port), nil
}

// brokersFlag is what another terminal needs to reach an address.
func brokersFlag(address string) string {
	if address == defaultListen {
		return ""
	}
	return " --brokers " + address
}
