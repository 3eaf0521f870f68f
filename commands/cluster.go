package commands

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/bizum/record"
	"bizumctl/commands/console"
)

// clusterOptions is what every command that talks to a cluster takes.
type clusterOptions struct {
	brokers string
	topic   string
	session time.Duration // of a group, for those commands that join one
	access  accessOptions
	speech  speech
}

func defaultCluster() clusterOptions {
	return clusterOptions{brokers: defaultListen, topic: "bizums", speech: defaultSpeech()}
}

func (s *clusterOptions) flags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "brokers", Aliases: []string{"b", "bootstrap-server"}, Value: s.brokers,
			Destination: &s.brokers, Usage: "`HOST:PORT,...` of the cluster"},
		&cli.StringFlag{Name: "topic", Aliases: []string{"t"}, Value: s.topic, Destination: &s.topic,
			Usage: "the topic's `NAME`"},
	}, s.access.flags(), s.speech.flags())
}

// speech is what every command takes: how it speaks.
type speech struct {
	color   when
	quiet   bool
	verbose bool
}

func defaultSpeech() speech { return speech{color: when(console.Auto)} }

func (s *speech) flags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "color", Value: &s.color, Usage: "`WHEN` to colour: auto, always, never"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Destination: &s.quiet, Usage: "no notices but errors"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Destination: &s.verbose,
			Usage: "also the log of the Kafka client"},
	}
}

// sessionFlag is for commands that join a group.
func (s *clusterOptions) sessionFlag() cli.Flag {
	return &cli.DurationFlag{Name: "session-timeout", Value: 6 * time.Second, Destination: &s.session,
		Usage: "`TIME` after which the group gives away the partitions of a member that is silent"}
}

func (s *clusterOptions) checkTopic() error {
	if err := record.CheckTopic(s.topic); err != nil {
		return misuse("--topic (-t) %q: %w", s.topic, err)
	}
	return nil
}

// open opens the cluster that the flags name.
func (s *clusterOptions) open(ctx context.Context, env Env, c *console.Console) (*kafka.Cluster, error) {
	config, err := s.config(ctx, env, c)
	if err != nil {
		return nil, err
	}
	return kafka.Open(config)
}

// config makes the configuration of the client.
func (s *clusterOptions) config(ctx context.Context, env Env, c *console.Console) (config kafka.Config, err error) {
	var brokers []string
	for address := range strings.SplitSeq(s.brokers, ",") {
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
		return config, misuse("--brokers (-b) names no broker")
	}
	if err := s.checkTopic(); err != nil {
		return config, err
	}
	if s.session < 0 || s.session > 0 && s.session < sessionTimeoutMin {
		return config, misuse("--session-timeout %v: want %v or more", s.session, sessionTimeoutMin)
	}
	config = kafka.Config{Brokers: brokers, ClientID: "bizumctl/" + env.Version, SessionTimeout: s.session,
		Notice: func(text string) { c.Noticef("%s", text) }}
	if s.speech.verbose {
		config.Log = c.Log()
	}
	for _, text := range s.access.file.unusedKeys(s.speech.verbose) {
		c.Noticef("%s", text)
	}
	return config, s.access.apply(ctx, env, c, &config)
}

// sessionTimeoutMin leaves room for some heartbeats.
const sessionTimeoutMin = 100 * time.Millisecond
