package producer

import "sync"

// Shares shares out so many messages to producers. There are fewer of them if there are fewer messages; 0 is endless,
// for each.
func Shares(messages int64, producers int) (shares []int64) {
	for i := range int64(producers) {
		share := messages / int64(producers)
		if i < messages%int64(producers) {
			share++
		}
		if messages == 0 || share > 0 {
			shares = append(shares, share)
		}
	}
	return shares
}

// Together begins several runs. The first one that fails calls stop; failed waits for all of them and returns its
// error.
func Together(runs []func() error, stop func()) (failed func() error) {
	var running sync.WaitGroup
	errs := make(chan error, len(runs))
	for _, run := range runs {
		running.Go(func() {
			if err := run(); err != nil {
				errs <- err
				stop()
			}
		})
	}
	return func() error {
		running.Wait()
		select {
		case err := <-errs:
			return err
		default:
			return nil
		}
	}
}
