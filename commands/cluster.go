package commands

import (
	"context"

	"bizumctl/bizum/event"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
	"bizumctl/commands/hints"
	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

// openGroup opens a cluster for a group's ledger. A group "" has none, and wants nothing of its name.
func openGroup(ctx context.Context, env Env, s *settings.Cluster, group string,
	screen *console.Console) (*kafka.Cluster, error) {
	if group != "" {
		if _, err := ledger.TopicsOf(s.Topic, group); err != nil {
			return nil, misuse.Errorf("--group (-g) %q: %w", group, err)
		}
	}
	return s.Open(ctx, env.settings(), screen)
}

// report returns what shows the events of the rooms below, with hints.
func report(s *settings.Cluster, screen *console.Console) func(event.Event) {
	return hints.Report(screen, hints.Place{Brokers: s.Brokers, Topic: s.Topic})
}

// interrupted turns the error of a run that was ended before it began into none.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
