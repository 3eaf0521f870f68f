package commands

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
	"bizumctl/commands/help"
	"bizumctl/commands/settings"
)

func newPing(env Env) *cli.Command {
	cluster := settings.DefaultCluster()
	return &cli.Command{
		Name: "ping", Usage: "whether the cluster lets us in, and what is wrong if not",
		Description: help.Examples("Connects step by step as every command does, up to what is wrong.",
			"bizumctl ping --brokers kafka:9093 --tls",
			"bizumctl ping --profile prod -t pagos"),
		Flags: cluster.Flags(),
		Action: func(c *cli.Context) error {
			return ping(c.Context, env, &cluster, newConsole(env, cluster.Speech))
		},
	}
}

func ping(ctx context.Context, env Env, o *settings.Cluster, screen *console.Console) error {
	cluster, err := o.Open(ctx, env.settings(), screen)
	if err != nil {
		return err
	}
	defer cluster.Close()
	err = cluster.Ping(ctx, o.Topic, func(f kafka.Finding) {
		took := ""
		if f.Took > 0 {
			took = fmt.Sprintf(" (%v)", f.Took.Round(100*time.Microsecond))
		}
		_ = screen.Line(fmt.Appendf(nil, "%-11s %s%s", f.Step, f.Text, took)) // Flush returns its error
	})
	if flushed := screen.Flush(); err == nil {
		err = flushed
	}
	return interrupted(ctx, err)
}
