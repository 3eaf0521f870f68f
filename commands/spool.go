package commands

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/format"
	"bizumctl/commands/console"
)

// suitFiles refuses what does not go with files, or only with them.
func (o *produceOptions) suitFiles(c *cli.Context) error {
	if o.dir == "" {
		return o.withoutFolder(c)
	}
	if strings.ContainsAny(o.topic, `/\`) {
		return misuse("--topic (-t) %q: files are named after it", o.topic)
	}
	for _, flag := range []string{"dry-run", "partitions", "compression", "accounts"} {
		if c.IsSet(flag) {
			return misuse("--dir writes lines into files: leave out --%s", flag)
		}
	}
	return o.fileOptions.check()
}

// sendFiles is the run when messages go into a folder.
func (o *produceOptions) sendFiles(ctx context.Context, messages source, screen *console.Console, tally *tally) error {
	spool, err := archive.NewSpool(o.dir, o.topic, tally.began, os.Getpid())
	if err != nil {
		return err
	}
	s := &spooler{options: &o.fileOptions, spool: spool, broken: make(chan struct{}),
		sender: sender{console: screen, statement: console.NewStatement(screen, false)}}
	err = o.send(ctx, messages, s, tally)
	screen.Noticef("%s in %s", console.Plural(s.bizums, "bizum", "bizums"), console.Plural(s.files, "file", "files"))
	return cmp.Or(err, spool.Close())
}

// spooler puts messages into files of a folder. With pauses, after each of which there is a flush, each has one of its
// own.
type spooler struct {
	sender  // shows what was filed
	options *fileOptions
	broken  chan struct{} // closed after an error

	mu            sync.Mutex
	spool         *archive.Spool
	aging         *time.Timer // of the file that is open
	err           error
	bizums, files int64
}

func (s *spooler) put(_ context.Context, m *message, _, now time.Time) error {
	if bytes.IndexByte(m.value, '\r') >= 0 || bytes.IndexByte(m.value, '\n') >= 0 {
		return fmt.Errorf("message %q: %w", m.value, format.ErrLineBreak)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	if s.err == nil {
		s.fail(s.spool.Put(m.value))
	}
	lines, size := s.spool.Size()
	if s.err == nil && (lines >= s.options.records || size >= int64(s.options.bytes)) {
		s.publish()
	} else if lines == 1 {
		s.aging = time.AfterFunc(s.options.age, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.publish()
		})
	}
	return s.err
}

// publish closes the file that is open.
func (s *spooler) publish() {
	if s.aging != nil {
		s.aging.Stop()
	}
	if s.err != nil {
		return
	}
	file, err := s.spool.Publish()
	if s.fail(err); file.Rows > 0 {
		s.bizums += file.Rows
		s.files++
	}
}

func (s *spooler) fail(err error) {
	if err != nil {
		s.err = err
		close(s.broken)
	}
}

func (s *spooler) push() {}

func (s *spooler) flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish()
	return s.err
}

func (s *spooler) failed() <-chan struct{} { return s.broken }
