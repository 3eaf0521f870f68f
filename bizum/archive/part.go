package archive

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/gofrs/flock"

	"bizumctl/bizum/format"
)

// Part writes the files of a partition that is locked by this process. It is for one goroutine.
type Part struct {
	folder    *Folder
	partition int32
	lock      *flock.Flock

	first, next int64 // of the span of the open file; -1 while unknown
	noted       int64 // that needs no other note
	stated      int64 // in _bizumctl.json; -1 if nothing is
	failed      error // the first error
	rows, bad   int64
	data        *file
	writer      format.Writer
	rejected    *file
	badBytes    int64
	line        bytes.Buffer
}

// File describes a published file.
type File struct {
	Name           string
	Rows, Rejected int64
	Bytes          int64
}

// resume renames or removes the drafts of a process that died, and finds the position.
func (p *Part) resume() error {
	f := p.folder
	now, err := f.read()
	if err != nil {
		return err
	}
	known, isKnown := now.Partitions[p.partition]
	if isKnown && known.Closing < known.Next {
		if err := p.name(span{f.Topic, p.partition, known.Closing, known.Next - 1}); err != nil {
			return err
		}
	}
	if isKnown {
		p.first, p.next, p.stated = known.Next, known.Read, known.Read
	}
	files, err := names(f.dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if s, ok := draftOf(name); ok && p.isOurs(s) {
			if err := remove(f.path(name)); err != nil {
				return err
			}
		}
		s, extension, ok := spanOf(name)
		if ok && p.isOurs(s) && extension == format.Extension(f.Format) {
			p.first = max(p.first, s.last+1)
		}
	}
	p.next = max(p.first, p.next)
	p.noted = p.next
	return p.dropRejected()
}

func (p *Part) isOurs(s span) bool { return s.topic == p.folder.Topic && s.partition == p.partition }

// dropRejected removes drafts, and files beyond the position: their data was never published.
func (p *Part) dropRejected() error {
	if err := isFolder(p.folder.path(rejectedFolder)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	files, err := names(p.folder.path(rejectedFolder))
	if err != nil {
		return err
	}
	for _, name := range files {
		draft, isDraft := draftOf(name)
		s, _, isFile := spanOf(name)
		if isDraft && p.isOurs(draft) || isFile && p.isOurs(s) && s.first >= p.first {
			if err := remove(p.folder.rejected(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Next returns the offset to resume from, and false if nothing of the partition was written yet.
func (p *Part) Next() (offset int64, known bool) { return p.next, p.next >= 0 }

// Begin sets the offset at which a partition begins of which nothing was written yet.
func (p *Part) Begin(offset int64) { p.first, p.next, p.noted = offset, offset, offset }

// MoveTo moves the position over offsets without records: compaction, retention or a transaction marker.
func (p *Part) MoveTo(offset int64) { p.next = max(p.next, offset) }

// Put writes a row. Its errors are those of the disk and format.ErrLineBreak, after which the caller may Reject it.
func (p *Part) Put(r *format.Row) error {
	if err := p.open(); err != nil {
		return p.fail(err)
	}
	if err := p.writer.Append(r); errors.Is(err, format.ErrLineBreak) {
		return err
	} else if err != nil {
		return p.fail(err)
	}
	p.rows++
	p.next = r.Offset + 1
	return nil
}

// fail records the first error. After it only Release may be called.
func (p *Part) fail(err error) error {
	p.failed = cmp.Or(p.failed, err)
	return err
}

// rejection is a line of a file of rejected messages.
type rejection struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
	Bytes     any    `json:"bytes"`              // a string; or []byte, which is written in base64
	Encoding  string `json:"encoding,omitempty"` // base64 then
}

// Reject writes a message that is no bizum. Its errors are those of the disk.
func (p *Part) Reject(offset int64, reason error, value []byte) error {
	if err := p.openRejected(); err != nil {
		return p.fail(err)
	}
	r := rejection{p.partition, offset, reason.Error(), string(value), ""}
	if !utf8.Valid(value) {
		r.Bytes, r.Encoding = value, "base64"
	}
	p.line.Reset()
	encoder := json.NewEncoder(&p.line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		panic("archive: internal error: a rejected message is not JSON: " + err.Error())
	}
	n, err := p.rejected.Write(p.line.Bytes())
	if err != nil {
		return p.fail(err)
	}
	p.badBytes += int64(n)
	p.bad++
	p.next = offset + 1
	return nil
}

// open creates the draft, if there is none.
func (p *Part) open() error {
	if p.data != nil {
		return nil
	}
	if err := p.owned(); err != nil {
		return err
	}
	draft, err := create(p.folder.path(p.span().draft()))
	if err != nil {
		return err
	}
	p.data = &draft
	p.writer, err = format.NewWriter(p.data, p.folder.FileOptions)
	return err
}

func (p *Part) openRejected() error {
	if p.rejected != nil {
		return nil
	}
	if err := makeFolder(p.folder.path(rejectedFolder)); err != nil {
		return err
	}
	draft, err := create(p.folder.rejected(p.span().draft()))
	if err != nil {
		return err
	}
	p.rejected = &draft
	return nil
}

func (p *Part) span() span { return span{p.folder.Topic, p.partition, p.first, p.next - 1} }

// Empty reports whether there are no messages to publish.
func (p *Part) Empty() bool { return p.rows == 0 && p.bad == 0 }

// Full reports whether the file has reached Records or Bytes.
func (p *Part) Full() bool {
	size := p.badBytes
	if p.writer != nil {
		size += p.writer.Size()
	}
	return p.rows+p.bad >= p.folder.Records || size >= p.folder.Bytes
}

// Publish completes the file and renames it to its name; the next one begins after it. If there were no messages, only
// the position is written, and the next file covers the offsets, too. Its errors are those of the disk.
func (p *Part) Publish() (File, error) {
	if p.failed != nil || p.next == p.noted {
		return File{}, p.failed
	}
	var file File
	err := p.owned()
	if err == nil && p.Empty() {
		err = p.note(position{Next: p.first, Closing: p.first, Read: p.next})
	} else if err == nil {
		file, err = p.publish()
	}
	if err != nil {
		return File{}, p.fail(err)
	}
	return file, nil
}

func (p *Part) publish() (File, error) {
	if err := p.open(); err != nil { // if all was rejected, an empty file covers the span
		return File{}, err
	}
	s := p.span()
	if err := p.finish(); err != nil {
		return File{}, err
	}
	info, err := os.Stat(p.folder.path(s.draft()))
	if err != nil {
		return File{}, err
	}
	file := File{s.String() + "." + format.Extension(p.folder.Format), p.rows, p.bad, info.Size()}
	if err := p.note(position{Next: p.next, Closing: p.first, Read: p.next}); err != nil {
		return File{}, err
	}
	p.first, p.rows, p.bad, p.badBytes = p.next, 0, 0, 0
	return file, p.name(s)
}

// finish completes and syncs the drafts. If what follows fails, they stay: the next start renames or removes them.
func (p *Part) finish() error {
	if err := p.writer.Close(); err != nil {
		return err
	}
	if err := p.data.finish(); err != nil {
		return err
	}
	if p.rejected != nil {
		if err := p.rejected.finish(); err != nil {
			return err
		}
		if err := syncFolder(p.folder.path(rejectedFolder)); err != nil {
			return err
		}
	}
	p.data, p.writer, p.rejected = nil, nil, nil
	return syncFolder(p.folder.dir) // or _bizumctl.json may survive a crash and the draft not
}

// name renames the drafts of a span to their names, that of the rejected messages first.
func (p *Part) name(s span) error {
	if err := isFolder(p.folder.path(rejectedFolder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	extension := "." + format.Extension(p.folder.Format)
	for _, n := range [...]struct{ from, to string }{
		{p.folder.rejected(s.draft()), p.folder.rejected(s.String() + ".json")},
		{p.folder.path(s.draft()), p.folder.path(s.String() + extension)},
	} {
		there, err := isRegular(n.from)
		if err == nil && there {
			err = renameSynced(n.from, n.to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Release discards what was not published, and unlocks the partition.
func (p *Part) Release() error {
	var err error
	for _, draft := range []*file{p.data, p.rejected} {
		if draft != nil {
			_ = draft.Close()     // finish may have closed it
			if p.owned() == nil { // else the draft of that name may be another process's
				err = errors.Join(err, remove(draft.Name()))
			}
		}
	}
	return errors.Join(err, p.lock.Close())
}
