package settings

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
	"bizumctl/commands/misuse"
)

// DefaultBrokers and DefaultTopic are what a command works with if nothing else is set.
const (
	DefaultBrokers = "localhost:9092"
	DefaultTopic   = "bizums"
)

// Cluster is what every command that talks to a cluster takes.
type Cluster struct {
	Brokers string
	Topic   string
	Speech  Speech

	session time.Duration // of a group, for those commands that join one
	access  access
}

// DefaultCluster returns what a command takes before its flags are read.
func DefaultCluster() Cluster {
	return Cluster{Brokers: DefaultBrokers, Topic: DefaultTopic, Speech: DefaultSpeech()}
}

// Flags returns the flags that set s.
func (s *Cluster) Flags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "brokers", Aliases: []string{"b", "bootstrap-server"}, Value: s.Brokers,
			Destination: &s.Brokers, Usage: "`HOST:PORT,...` of the cluster"},
		&cli.StringFlag{Name: "topic", Aliases: []string{"t"}, Value: s.Topic, Destination: &s.Topic,
			Usage: "the topic's `NAME`"},
	}, s.access.flags(), s.Speech.Flags())
}

// SessionFlag returns --session-timeout, for commands that join a group.
func (s *Cluster) SessionFlag() cli.Flag {
	return &cli.DurationFlag{Name: "session-timeout", Value: 6 * time.Second, Destination: &s.session,
		Usage: "`TIME` after which the group gives away the partitions of a member that is silent"}
}

func (s *Cluster) checkTopic() error {
	if err := record.CheckTopic(s.Topic); err != nil {
		return misuse.Errorf("--topic (-t) %q: %w", s.Topic, err)
	}
	return nil
}

// Open opens the cluster that the flags name. It may ask for a password. The error is a misuse.Error where the flags
// are wrong.
func (s *Cluster) Open(ctx context.Context, env Environment, c *console.Console) (*kafka.Cluster, error) {
	config, err := s.config(ctx, env, c)
	if err != nil {
		return nil, err
	}
	return kafka.Open(config)
}

// config makes the configuration of the client.
func (s *Cluster) config(ctx context.Context, env Environment, c *console.Console) (config kafka.Config, err error) {
	var brokers []string
	for address := range strings.SplitSeq(s.Brokers, ",") {
		address = strings.TrimSpace(address)
		if address == "" {
			continue
		}
		if !strings.Contains(address, ":") {
			address += ":9092"
		}
		brokers = append(brokers, address)
	}
	if len(brokers) == 0 {
		return config, misuse.Errorf("--brokers (-b) names no broker")
	}
	if err := s.checkTopic(); err != nil {
		return config, err
	}
	if s.session < 0 || s.session > 0 && s.session < sessionTimeoutMin {
		return config, misuse.Errorf("--session-timeout %v: want %v or more", s.session, sessionTimeoutMin)
	}
	config = kafka.Config{Brokers: brokers, ClientID: "bizumctl/" + env.Version, SessionTimeout: s.session,
		Notice: func(text string) { c.Noticef("%s", text) }}
	if s.Speech.Verbose {
		config.Log = c.Log()
	}
	for _, text := range s.UnusedKeys() {
		c.Noticef("%s", text)
	}
	return config, s.access.apply(ctx, env, c, &config)
}

// sessionTimeoutMin leaves room for some heartbeats.
const sessionTimeoutMin = 100 * time.Millisecond
