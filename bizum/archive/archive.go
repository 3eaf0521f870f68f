// Package archive files bizums exactly once: it names files, publishes them whole, and finds out where to go on. It
// knows neither where messages come from nor what a file looks like inside.
//
// A file stands for a span of offsets. It is written as a draft, whose name no reader takes for a file, and synced.
// Then _bizumctl.json is rewritten to say so, and then the draft is renamed. Whenever the process dies, either
// _bizumctl.json does not know the file, and the draft is thrown away and its messages are read again; or it does, and
// the next start gives the draft its name. So each message is in exactly one file that ever gets a name, also when
// readers delete files.
package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"bizumctl/bizum/format"
)

// ErrTaken means that another process writes this partition.
var ErrTaken = errors.New("another process is writing it")

// StrangeError means that a folder belongs to something else.
type StrangeError struct {
	Dir, Has string
}

func (e *StrangeError) Error() string {
	return fmt.Sprintf("folder %s has the bizums %s", e.Dir, e.Has)
}

// Config says what goes into a folder.
type Config struct {
	format.FileOptions
	Cluster, TopicID string
	Records, Bytes   int64 // a file is closed when it has so many
}

// Folder is where the files of one topic are.
type Folder struct {
	Config
	dir string
	mu  sync.Mutex
}

// Open makes the folder if it is missing, and makes sure that it belongs to this topic and format. It answers also the
// names in it that are not ours; they are left alone.
func Open(dir string, config Config) (f *Folder, foreign []string, err error) {
	f = &Folder{Config: config, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		s, extension, isFile := spanOf(entry.Name())
		switch {
		case isFile && s.topic == f.Topic && extension == format.Extension(f.Format):
		case isFile && s.topic == f.Topic && isExtension(extension):
			return nil, nil, f.strange("in %s, not %s", extension, f.Format)
		case !f.isOurs(entry.Name()):
			foreign = append(foreign, entry.Name())
		}
	}
	return f, foreign, f.claim()
}

// isOurs says whether a name that is none of a file is one of those that we make besides.
func (f *Folder) isOurs(name string) bool {
	if slices.Contains([]string{rejectedFolder, stateFile, stateDraft, stateLock}, name) {
		return true
	}
	_, isDraft := draftOf(name)
	return isDraft || isLock(name)
}

// Take makes a partition ours, puts right what a process that died has left behind, and finds out where to go on. The
// error is ErrTaken as long as another process has the partition, also one that is stopped.
func (f *Folder) Take(partition int32) (*Part, error) {
	lock := flock.New(f.path(lockOf(f.Topic, partition)))
	taken, err := lock.TryLock()
	if err == nil && !taken {
		err = fmt.Errorf("partition %d of folder %s: %w", partition, f.dir, ErrTaken)
	}
	if err != nil {
		_ = lock.Close() // it holds nothing
		return nil, err
	}
	p := &Part{folder: f, partition: partition, lock: lock, first: -1, next: -1}
	if err := p.resume(); err != nil {
		_ = lock.Close() // the error before it tells more
		return nil, err
	}
	return p, nil
}

// Positions answers how far each partition of which something is filed was read, by whatever process.
func (f *Folder) Positions() (map[int32]int64, error) {
	now, err := f.read()
	positions := make(map[int32]int64)
	for p, position := range now.Partitions {
		positions[p] = position.Read
	}
	return positions, err
}

func (f *Folder) path(name string) string     { return filepath.Join(f.dir, name) }
func (f *Folder) rejected(name string) string { return filepath.Join(f.dir, rejectedFolder, name) }

// names are the files of a folder, none if it is missing.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	list := make([]string, len(entries))
	for i, entry := range entries {
		list[i] = entry.Name()
	}
	return list, err
}
