// Package archive writes bizums to files exactly once: it names the files, publishes them complete, and finds the
// position to resume from. It knows neither where messages come from nor what a file looks like inside.
//
// A file covers a span of offsets. It is written as a draft, whose name no reader takes for a file, and synced. Then
// the position in _bizumctl.json is moved past it, and then the draft is renamed. If the process dies in between, the
// next start either finds the position before the file, discards the draft and reads its messages again; or finds it
// past the file, and renames the draft. So each message is in exactly one published file, even if readers delete files.
package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"bizumctl/bizum/format"
)

// ErrTaken means that another process writes the files of this partition.
var ErrTaken = errors.New("another process is writing it")

// ErrLockLost means that the lock of a partition is no longer that file: somebody has deleted or replaced it, and
// another process may write the partition.
var ErrLockLost = errors.New("the lock of the partition was deleted")

// WrongFolderError means that a folder has the files of another topic or format.
type WrongFolderError struct {
	Dir, Has string
}

func (e *WrongFolderError) Error() string {
	return fmt.Sprintf("folder %s has the bizums %s", e.Dir, e.Has)
}

// Config configures a Folder.
type Config struct {
	format.FileOptions
	Cluster, TopicID string
	Records, Bytes   int64 // after which a file is closed
}

// Folder is the folder of the files of one topic.
type Folder struct {
	Config
	dir string
	mu  sync.Mutex
}

// Open creates the folder if it is missing. It returns the names in it that are not ours, too, which are left alone,
// and a WrongFolderError if the folder belongs to another topic or format, or to LineFiles.
func Open(dir string, config Config) (f *Folder, foreign []string, err error) {
	f = &Folder{Config: config, dir: dir}
	if err := CheckTopic(f.Topic); err != nil {
		return nil, nil, fmt.Errorf("topic %q: %w", f.Topic, err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		s, extension, isFile := spanOf(entry.Name())
		if ours := isFile && s.topic == f.Topic || f.isOurs(entry.Name()); ours && !isPlain(entry) {
			return nil, nil, &NotRegularError{f.path(entry.Name()), entry.Type()}
		}
		switch {
		case isFile && s.topic == f.Topic && extension == format.Extension(f.Format):
		case isFile && s.topic == f.Topic && isExtension(extension):
			return nil, nil, f.wrong("in %s, not %s", extension, f.Format)
		case !f.isOurs(entry.Name()):
			foreign = append(foreign, entry.Name())
		}
	}
	if now, err := f.read(); err == nil && now.Topic == "" && slices.ContainsFunc(foreign, lineFile.MatchString) {
		return nil, nil, f.wrong("of no topic, as lines; a topic's would be lost among them")
	}
	return f, foreign, f.claim()
}

// isPlain reports whether an entry is of the kind that one of ours has.
func isPlain(entry os.DirEntry) bool {
	return entry.Name() == rejectedFolder && entry.IsDir() ||
		entry.Name() != rejectedFolder && entry.Type().IsRegular()
}

// isOurs reports whether a name that is not that of a published file is one of ours.
func (f *Folder) isOurs(name string) bool {
	if slices.Contains([]string{rejectedFolder, stateFile, stateDraft, stateLock}, name) {
		return true
	}
	_, isDraft := draftOf(name)
	return isDraft || isLock(name)
}

// Take locks a partition, recovers from a process that died, and finds the position to resume from. It returns ErrTaken
// while another process has the partition locked, even if that process is stopped.
func (f *Folder) Take(partition int32) (*Part, error) {
	lock, taken, err := tryLock(f.path(lockOf(f.Topic, partition)))
	if err == nil && !taken {
		err = fmt.Errorf("partition %d of folder %s: %w", partition, f.dir, ErrTaken)
	}
	if err != nil {
		return nil, err
	}
	p := &Part{folder: f, partition: partition, lock: lock, first: -1, next: -1, stated: -1}
	if err := p.resume(); err != nil {
		_ = lock.Close() // err matters more
		return nil, err
	}
	return p, nil
}

// Positions returns the next offset of each partition that any process has written files of.
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

// names returns the names of the files in a folder.
func names(dir string) (list []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			list = append(list, entry.Name())
		}
	}
	return list, err
}
