package archive

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// LineFiles writes lines to a sequence of files in a folder. The names are unique to the process, so any number of
// processes share the folder without a lock; but not with a Folder, whose readers would find lines that are no part of
// the topic. It is for one goroutine.
type LineFiles struct {
	dir    string
	stem   string // of the files' names, with the folder
	number int    // of the next file
	draft  *file
	out    *bufio.Writer
	lines  int64
	bytes  int64
}

// NewLineFiles returns the files of a process that began at a time. It creates the folder if it is missing. The error
// is a WrongFolderError if the folder is that of a topic.
func NewLineFiles(dir, topic string, began time.Time, process int) (*LineFiles, error) {
	if err := CheckTopic(topic); err != nil {
		return nil, fmt.Errorf("topic %q: %w", topic, err)
	}
	began = began.UTC()
	name := fmt.Sprintf("%s-%s%03d-%d", topic, began.Format("20060102T150405"), began.Nanosecond()/1e6, process)
	f := &LineFiles{dir: dir, stem: filepath.Join(dir, name), number: 1}
	if err := f.compare(); err != nil {
		return nil, err
	}
	return f, os.MkdirAll(dir, 0o777)
}

// lineFile finds the names of LineFiles, and of their drafts.
var lineFile = regexp.MustCompile(`^\.?.+-\d{8}T\d{9}-\d+-\d{6}\.txt(\.tmp)?$`)

// compare returns a WrongFolderError if the folder is that of a topic.
func (f *LineFiles) compare() error {
	taken, err := exists(filepath.Join(f.dir, stateFile))
	if taken {
		err = &WrongFolderError{f.dir, "of a topic, each once; more would spoil that"}
	}
	return err
}

func (f *LineFiles) name() string { return fmt.Sprintf("%s-%06d.txt", f.stem, f.number) }

// Put adds a line to the open file, or begins one. Its errors are those of the disk.
func (f *LineFiles) Put(line []byte) error {
	if f.draft == nil {
		if err := f.compare(); err != nil { // it may have become one
			return err
		}
		dir, name := filepath.Split(f.name())
		draft, err := create(filepath.Join(dir, "."+name+".tmp"))
		if err != nil {
			return err
		}
		f.draft, f.out = &draft, bufio.NewWriterSize(draft, 64<<10)
	}
	f.lines++
	f.bytes += int64(len(line)) + 1
	if _, err := f.out.Write(line); err != nil {
		return err
	}
	return f.out.WriteByte('\n')
}

// Size returns how many lines and bytes the open file holds.
func (f *LineFiles) Size() (lines, bytes int64) { return f.lines, f.bytes }

// Publish completes and syncs the open file and renames it to its name. It returns a zero File if none is open. Its
// errors are those of the disk, and that a file of that name exists.
func (f *LineFiles) Publish() (File, error) {
	if f.draft == nil {
		return File{}, nil
	}
	if err := f.out.Flush(); err != nil {
		return File{}, err
	}
	if err := f.draft.finish(); err != nil {
		return File{}, err
	}
	done := File{Name: filepath.Base(f.name()), Rows: f.lines, Bytes: f.bytes}
	taken, err := exists(f.name())
	if err == nil && taken { // the same process id in the same millisecond, in another container
		err = fmt.Errorf("%s: another process has created it", f.name())
	}
	if err != nil {
		return File{}, err
	}
	if err := renameSynced(f.draft.Name(), f.name()); err != nil {
		return File{}, err
	}
	f.draft, f.lines, f.bytes = nil, 0, 0
	f.number++
	return done, nil
}

// Close discards what was not published.
func (f *LineFiles) Close() error {
	if f.draft == nil {
		return nil
	}
	_ = f.draft.Close() // Publish may have closed it
	return remove(f.draft.Name())
}
