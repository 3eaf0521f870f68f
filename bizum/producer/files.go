package producer

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"bizumctl/bizum/archive"
	"bizumctl/bizum/format"
)

// FileConfig says when a file is closed: when it has so many messages, so many bytes, or is so old.
type FileConfig struct {
	Records, Bytes int64
	Age            time.Duration
}

// Files is a sink that puts messages into files of a folder. With pauses, after each of which there is a flush, each
// message has a file of its own.
type Files struct {
	config FileConfig
	broken chan struct{} // closed after an error

	mu              sync.Mutex
	out             *archive.LineFiles
	aging           *time.Timer // of the file that is open
	err             error
	messages, files int64
}

// ToFiles returns a sink that puts messages into files. The caller closes out after the run.
func ToFiles(out *archive.LineFiles, config FileConfig) *Files {
	return &Files{config: config, out: out, broken: make(chan struct{})}
}

// Closed returns how many messages are in how many files that have been closed.
func (s *Files) Closed() (messages, files int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages, s.files
}

// Put refuses a message with a line break inside, which would be two.
func (s *Files) Put(_ context.Context, m *Message, _, _ time.Time) error {
	if bytes.IndexByte(m.Value, '\r') >= 0 || bytes.IndexByte(m.Value, '\n') >= 0 {
		return fmt.Errorf("message %q: %w", m.Value, format.ErrLineBreak)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.fail(s.out.Put(m.Value))
	}
	lines, size := s.out.Size()
	if s.err == nil && (lines >= s.config.Records || size >= s.config.Bytes) {
		s.publish()
	} else if lines == 1 {
		s.aging = time.AfterFunc(s.config.Age, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.publish()
		})
	}
	return s.err
}

// publish closes the file that is open.
func (s *Files) publish() {
	if s.aging != nil {
		s.aging.Stop()
	}
	if s.err != nil {
		return
	}
	file, err := s.out.Publish()
	s.fail(err)
	if file.Rows > 0 {
		s.messages += file.Rows
		s.files++
	}
}

func (s *Files) fail(err error) {
	if err != nil {
		s.err = err
		close(s.broken)
	}
}

// Push does nothing: a file is closed when it is full, or old.
func (s *Files) Push() {}

// Flush closes the file that is open.
func (s *Files) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish()
	return s.err
}

// Failed is closed after an error, which Flush returns.
func (s *Files) Failed() <-chan struct{} { return s.broken }
