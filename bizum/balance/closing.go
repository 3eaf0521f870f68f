package balance

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"bizumctl/bizum"
	"bizumctl/bizum/kafka"
	"bizumctl/bizum/ledger"
)

// ReadClosing reads what the partitions of a group's ledger have come to, side by side. The error may be
// ledger.ErrGroupName, a NoLedgerError or a ledger.StopError.
func ReadClosing(ctx context.Context, cluster *kafka.Cluster, topic, group string) ([]*ledger.Closing, error) {
	topics, source, err := find(ctx, cluster, topic, group)
	if err != nil {
		return nil, err
	}
	closings := make([]*ledger.Closing, source.Partitions)
	reading, ctx := errgroup.WithContext(ctx)
	for p := range source.Partitions {
		reading.Go(func() (err error) {
			log := partitionLog(cluster, group, topics, source.ID, p, false)
			defer log.Close()
			closings[p], err = ledger.ReadClosing(ctx, log, topics, p,
				ledger.Heading{SourceID: source.ID, Partitions: source.Partitions})
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return nil, err
	}
	return closings, headingsAgree(group, closings)
}

// headingsAgree makes sure that the partitions are those of one ledger.
func headingsAgree(group string, closings []*ledger.Closing) error {
	var first *ledger.Heading
	for p, c := range closings {
		if err := agree(group, int32(p), &first, c.Heading); err != nil {
			return err
		}
	}
	return nil
}

// find looks up the topics of a group's ledger, none of which is waited for.
func find(ctx context.Context, cluster *kafka.Cluster, topic, group string) (topics ledger.Topics, source kafka.Topic,
	err error) {
	if topics, err = ledger.TopicsOf(topic, group); err != nil {
		return topics, source, err
	}
	for _, name := range []string{topics.Source, topics.Entries, topics.Rejected} {
		_, err := cluster.Partitions(ctx, name)
		if errors.Is(err, kafka.ErrNoTopic) && name != topic {
			err = &NoLedgerError{Group: group, Topic: topic, Err: err}
		}
		if err != nil {
			return topics, source, err
		}
	}
	source, err = cluster.Topic(ctx, topic)
	return topics, source, err
}

// Accounts lists the accounts of books that have none in common, sorted by name; with a name only that one, if it is
// known.
func Accounts(name string, books ...*bizum.Book) (list []bizum.Account) {
	for _, book := range books {
		if name == "" {
			list = append(list, book.Accounts()...)
		} else if balance, known := book.Balance([]byte(name)); known {
			list = append(list, bizum.Account{Name: name, Balance: balance})
		}
	}
	if len(books) > 1 {
		slices.SortFunc(list, func(a, b bizum.Account) int { return strings.Compare(a.Name, b.Name) })
	}
	return list
}
