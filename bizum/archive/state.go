package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// state is _bizumctl.json: which topic and format the folder is of, and the position of each partition. The names of
// the files do not suffice for that, as readers may delete files.
type state struct {
	Cluster    string             `json:"cluster"`
	Topic      string             `json:"topic"`
	TopicID    string             `json:"topic_id"`
	Format     string             `json:"format"`
	Partitions map[int32]position `json:"partitions"`
}

// position is the position of a partition. It is written when a file is complete and synced, but before the file is
// renamed: if the process dies in between, the draft that begins at Closing is there still, and the next start renames
// it. (If it were written afterwards, a file that a reader had deleted by then would be written twice.) If Closing is
// Next, no file was being closed. Read may be beyond Next: the log had no records in between, and the next file will
// cover those offsets.
type position struct {
	Next    int64 `json:"next"`
	Closing int64 `json:"closing"`
	Read    int64 `json:"read"`
}

// patience is how long another process may hold the lock of _bizumctl.json.
const patience = time.Minute

// change reads the state, calls edit with it, and writes it, unless edit returns false. It holds the lock meanwhile, so
// no other process changes the state.
func (f *Folder) change(edit func(*state) (bool, error)) error {
	f.mu.Lock() // so that the partitions of this process do not wait for each other by polling
	defer f.mu.Unlock()
	lock, err := f.lockState()
	if err != nil {
		return err
	}
	defer lock.Close()
	now, err := f.read()
	if err != nil {
		return err
	}
	if changed, err := edit(&now); err != nil || !changed {
		return err
	}
	text, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	draft, err := create(filepath.Join(f.dir, stateDraft))
	if err != nil {
		return err
	}
	_, err = draft.Write(append(text, '\n'))
	if err := errors.Join(err, draft.finish()); err != nil {
		return err
	}
	return renameSynced(draft.Name(), filepath.Join(f.dir, stateFile))
}

func (f *Folder) lockState() (*flock.Flock, error) {
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		lock, taken, err := tryLock(f.path(stateLock))
		if taken || err != nil {
			return lock, err
		}
		if time.Since(began) > patience {
			return nil, fmt.Errorf("another process has held %s for %v: is it stopped?", f.path(stateLock), patience)
		}
	}
}

// stateMax is what is read of _bizumctl.json at most: a partition takes about a hundred bytes.
const stateMax = 64 << 20

// read returns the state, an empty one if there is none yet.
func (f *Folder) read() (s state, err error) {
	path := filepath.Join(f.dir, stateFile)
	text, err := read(path, stateMax)
	if errors.Is(err, fs.ErrNotExist) {
		return state{Partitions: map[int32]position{}}, nil
	}
	if err == nil {
		if err = json.Unmarshal(text, &s); err == nil && (s.Topic == "" || s.Partitions == nil) {
			err = errors.New("it names no topic or no partitions")
		}
	}
	if err != nil && !errors.As(err, new(*NotRegularError)) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return s, err
}

// note writes the position to _bizumctl.json, unless somebody else has: then the lock has not kept others away.
func (p *Part) note(position position) error {
	err := p.folder.change(func(now *state) (bool, error) {
		if err := p.owned(); err != nil {
			return false, err
		}
		stated := int64(-1)
		if known, ok := now.Partitions[p.partition]; ok {
			stated = known.Read
		}
		if stated != p.stated {
			return false, fmt.Errorf("partition %d of folder %s: its position is %d, not %d as we left it: %w",
				p.partition, p.folder.dir, stated, p.stated, ErrLockLost)
		}
		now.Partitions[p.partition] = position
		return true, nil
	})
	if err == nil {
		p.noted, p.stated = position.Read, position.Read
	}
	return err
}

// claim writes the state of a new folder, or compares that of an existing one.
func (f *Folder) claim() error {
	now, err := f.read()
	if err != nil {
		return err
	}
	if now.Topic == "" {
		return f.change(func(s *state) (bool, error) {
			if s.Topic != "" { // another process was faster
				return false, f.compare(*s)
			}
			*s = state{f.Cluster, f.Topic, f.TopicID, f.kind(), s.Partitions}
			return true, nil
		})
	}
	return f.compare(now)
}

// compare returns a WrongFolderError if the folder is of another topic or format.
func (f *Folder) compare(s state) error {
	switch {
	case s.Topic != f.Topic:
		return f.wrong("of topic %q, not of %q", s.Topic, f.Topic)
	case s.Cluster != f.Cluster:
		return f.wrong("of topic %q on another cluster, %s; this one is %s", s.Topic, s.Cluster, f.Cluster)
	case s.TopicID != f.TopicID:
		return f.wrong("of an earlier topic %q, which was deleted and recreated since", s.Topic)
	case s.Format != f.kind():
		return f.wrong("in %s, not %s", s.Format, f.kind())
	}
	return nil
}

func (f *Folder) wrong(format string, args ...any) error {
	return &WrongFolderError{f.dir, fmt.Sprintf(format, args...)}
}

// kind returns the format as the state names it.
func (f *Folder) kind() string {
	if f.Safe {
		return f.Format + ", safe"
	}
	return f.Format
}
