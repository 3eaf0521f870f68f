package commands

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/devbroker"
	"bizumctl/commands/console"
	"bizumctl/commands/flags"
	"bizumctl/commands/help"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

const defaultListen = settings.DefaultBrokers

// What is kept of a partition in memory, which would grow without end: enough to try things out, and to look at.
const (
	keepInBroker = flags.ByteSize(256 << 20)
	keepInDemo   = flags.ByteSize(64 << 20)
)

type brokerOptions struct {
	speech    settings.Speech
	listen    string // HOST:PORT
	advertise string // HOST or HOST:PORT; "": what can be reached of listen
	data      string // folder; "": in memory
	keep      flags.ByteSize
}

func newBroker(env Env) *cli.Command {
	o := brokerOptions{speech: settings.DefaultSpeech(), listen: defaultListen, keep: keepInBroker}
	return &cli.Command{
		Name: "broker", Usage: "run an embedded Kafka-compatible broker",
		Description: help.Examples(
			"Runs a broker for a first run, tests and work offline. It is no Kafka.",
			"bizumctl broker                        in memory, at "+defaultListen,
			"bizumctl broker --data bizums.kafka    keep its data in a folder"),
		Flags: append([]cli.Flag{listenFlag(&o.listen),
			&cli.StringFlag{Name: "advertise", Destination: &o.advertise,
				Usage: "`HOST:PORT` that clients are told to connect to, if not the one that is listened on"},
			&cli.StringFlag{Name: "data", Destination: &o.data,
				Usage: "`FOLDER` to keep all data in; without it they are kept in memory"},
			&cli.GenericFlag{Name: "keep", Value: &o.keep, Usage: "in memory, keep the last `SIZE` of each partition"},
		}, o.speech.Flags()...),
		Action: func(c *cli.Context) error {
			switch {
			case o.data != "" && c.IsSet("keep"):
				return misuse.Errorf("--keep is for memory; a folder (--data) keeps all")
			case o.data != "":
				o.keep = 0
			}
			return o.run(c.Context, newConsole(env, o.speech))
		},
	}
}

func listenFlag(value *string) cli.Flag {
	return &cli.StringFlag{Name: "listen", Value: *value, Destination: value, Usage: "`HOST:PORT` to listen on"}
}

func (o *brokerOptions) run(ctx context.Context, screen *console.Console) error {
	broker, address, err := startBroker(devbroker.Config{Listen: o.listen, Advertise: o.advertise, Dir: o.data,
		Keep: int64(o.keep)})
	if err != nil {
		return err
	}
	defer broker.Close()
	where := "in memory, the last " + o.keep.String() + " of each partition: they are gone when it stops"
	if o.data != "" {
		where = "in " + o.data
	}
	screen.Noticef("an embedded broker, for trying things out, listens on %s", address)
	noticeOpen(screen, broker)
	screen.Noticef("it keeps its data %s", where)
	screen.Noticef("in other terminals: bizumctl produce%[1]s, bizumctl balance%[1]s; Ctrl-C stops it",
		brokersFlag(address))
	<-ctx.Done()
	return nil
}

// startBroker starts a broker, and returns the address at which it is reached: the one that was asked for, with the
// port that was found when that was 0, unless it is open to the network or clients are told another one.
func startBroker(c devbroker.Config) (broker *devbroker.Broker, address string, err error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, "", misuse.Errorf("--listen %q: want HOST:PORT", c.Listen)
	}
	name, _, err := net.SplitHostPort(c.Advertise)
	if err == nil && name == "" || strings.ContainsAny(c.Advertise, " /,") {
		return nil, "", misuse.Errorf("--advertise %q: want HOST or HOST:PORT", c.Advertise)
	}
	broker, err = c.Start()
	switch {
	case errors.As(err, new(*devbroker.ForeignFolderError)):
		return nil, "", misuse.WithHint(err, "choose another folder for --data")
	case err != nil:
		return nil, "", fmt.Errorf("broker at %s: %w", c.Listen, err)
	case broker.Open() || c.Advertise != "":
		return broker, broker.Address(), nil
	}
	_, port, _ := net.SplitHostPort(broker.Address())
	return broker, net.JoinHostPort(host, port), nil
}

func noticeOpen(screen *console.Console, broker *devbroker.Broker) {
	if broker.Open() {
		screen.Noticef("it is open to the network, without a password; clients are told to connect to %s", broker.Address())
	}
}

// brokersFlag is what another terminal needs to reach an address.
func brokersFlag(address string) string {
	if address == defaultListen {
		return ""
	}
	return " --brokers " + address
}
