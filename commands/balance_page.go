package commands

import (
	"context"

	"bizumctl/bizum/kafka"
	"bizumctl/commands/console"
	"bizumctl/commands/hints"
	pages "bizumctl/commands/page"
)

// openPage serves a page if one is asked for.
func (o *balanceOptions) openPage(ctx context.Context, env Env, cluster *kafka.Cluster,
	screen *console.Console) (*pages.Live, error) {
	if o.page == "" {
		return nil, nil
	}
	config := pages.LiveConfig{Address: o.page, BalanceConfig: pages.BalanceConfig{Topic: o.cluster.Topic, Group: o.group,
		Account: o.account, Initial: o.initial, Version: env.Version, Now: env.Now},
		Ends:    func(ctx context.Context) (map[int32]int64, error) { return cluster.Ends(ctx, o.cluster.Topic) },
		Missing: kafka.ErrNoTopic}
	if o.port {
		config.Taken = hints.AddressInUse
	}
	page, err := pages.Serve(ctx, config)
	if err != nil {
		return nil, cannotServe(err, "--page", "localhost:8081")
	}
	screen.Noticef("a live page of the balance: http://%s/", page.Address())
	if page.Open() {
		screen.Noticef("it is open to the network, without a password: whoever reaches this machine reads the balances")
	}
	return page, nil
}
