package archive

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Spool writes lines into files that no other process names, so that any number of them share a folder without a lock.
// It is for one goroutine.
type Spool struct {
	stem   string // of the files' names, with the folder
	number int    // of the file that is next
	draft  *file
	out    *bufio.Writer
	lines  int64
	bytes  int64
}

// NewSpool makes the folder if it is missing.
func NewSpool(dir, topic string, began time.Time, process int) (*Spool, error) {
	began = began.UTC()
	name := fmt.Sprintf("%s-%s%03d-%d", topic, began.Format("20060102T150405"), began.Nanosecond()/1e6, process)
	return &Spool{stem: filepath.Join(dir, name), number: 1}, os.MkdirAll(dir, 0o755)
}

func (s *Spool) name() string { return fmt.Sprintf("%s-%06d.txt", s.stem, s.number) }

// Put adds a line.
func (s *Spool) Put(line []byte) error {
	if s.draft == nil {
		dir, name := filepath.Split(s.name())
		draft, err := create(filepath.Join(dir, "."+name+".tmp"))
		if err != nil {
			return err
		}
		s.draft, s.out = &draft, bufio.NewWriterSize(draft, 64<<10)
	}
	s.lines++
	s.bytes += int64(len(line)) + 1
	if _, err := s.out.Write(line); err != nil {
		return err
	}
	return s.out.WriteByte('\n')
}

// Size is what the file that is open holds.
func (s *Spool) Size() (lines, bytes int64) { return s.lines, s.bytes }

// Publish makes the file that is open whole and lasting, and gives it its name.
func (s *Spool) Publish() (File, error) {
	if s.draft == nil {
		return File{}, nil
	}
	if err := s.out.Flush(); err != nil {
		return File{}, err
	}
	if err := s.draft.finish(); err != nil {
		return File{}, err
	}
	done := File{Name: filepath.Base(s.name()), Rows: s.lines, Bytes: s.bytes}
	taken, err := exists(s.name())
	if err == nil && taken { // the same process number in the same millisecond, in another container
		err = fmt.Errorf("%s: another process has made it", s.name())
	}
	if err != nil {
		return File{}, err
	}
	if err := put(s.draft.Name(), s.name()); err != nil {
		return File{}, err
	}
	s.draft, s.lines, s.bytes = nil, 0, 0
	s.number++
	return done, nil
}

// Close throws away what was not published.
func (s *Spool) Close() error {
	if s.draft == nil {
		return nil
	}
	_ = s.draft.Close() // Publish may have closed it
	return remove(s.draft.Name())
}
