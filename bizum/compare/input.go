package compare

import (
	"context"
	"errors"
	"io"
	"os"

	"bizumctl/bizum/check"
	"bizumctl/bizum/consumer"
)

// Input is what is compared. It can be read several times.
type Input struct {
	Gone  int64 // offsets of a topic that are no longer there
	read  func(context.Context, Config) error
	close func()
}

// OfStream returns a stream as an input. It is kept in a file, because it may be read twice. When ctx ends OfStream
// returns, and leaves behind what waits for the stream.
func OfStream(ctx context.Context, from io.Reader, source string) (*Input, error) {
	file, err := os.CreateTemp("", "bizumctl-check-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // now, where open files can be, so that a kill leaves nothing; else in the end
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(file, from)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(err, file.Close())
		_ = os.Remove(file.Name())
		return nil, err
	}
	return &Input{read: func(ctx context.Context, c Config) error { return Stream(ctx, file, source, c) },
		close: func() { file.Close(); _ = os.Remove(file.Name()) }}, nil
}

// OfFiles returns files and folders as an input, see Files.
func OfFiles(paths []string) *Input {
	return &Input{read: func(ctx context.Context, c Config) error { return Files(ctx, paths, c) }}
}

// OfTopic returns a topic as an input, see Topic. Done is called when it is closed, also because of an error.
func OfTopic(ctx context.Context, open func(context.Context) (*consumer.Consumer, error), done func()) (*Input, error) {
	topic, err := open(ctx)
	if err != nil {
		done()
		return nil, err
	}
	return &Input{Gone: beheaded(topic.Starts()), close: done,
		read: func(ctx context.Context, c Config) error { return Topic(ctx, open, c) }}, nil
}

// beheaded returns how many offsets are gone from the beginning of a topic's partitions.
func beheaded(starts map[int32]int64) (gone int64) {
	for _, start := range starts {
		gone += start
	}
	return gone
}

// Close closes an input.
func (i *Input) Close() {
	if i.close != nil {
		i.close()
	}
}

// UnfitError means that receipts, or how they are to be compared, contradict each other.
type UnfitError struct{ error }

func (e *UnfitError) Unwrap() error { return e.error }

// Compare compares what it reads with what config says was sent. Payments that no record numbers it compares by value,
// which it sets in config, unless they have balances or a column with the number. Its errors are an UnfitError,
// check.ErrNoNumbers, and those of reading.
func (i *Input) Compare(ctx context.Context, config *check.Config, settings Config) (*check.Report, error) {
	settings.setRun(config.Receipts)
	for {
		comparison, err := check.New(*config)
		if err != nil {
			return nil, &UnfitError{err}
		}
		settings.Comparison = comparison
		err = i.read(ctx, settings)
		if errors.Is(err, check.ErrNoNumbers) && settings.Columns.ID == "" && !config.Balances {
			config.By = check.ByValue
			settings.ByValue()
			continue
		}
		return comparison.Report(), err
	}
}

// setRun says which run records are of that do not say it.
func (c *Config) setRun(receipts []*check.Receipt) {
	if len(receipts) == 1 {
		c.Run = []byte(receipts[0].Run)
	}
}
