package plot

import (
	"time"

	"bizumctl/bizum"
	"bizumctl/bizum/ledger"
	"bizumctl/bizum/record"
)

// Picture is drawn of a balance when its run ends, and told by the run what happens. All methods of a nil one but Draw
// do nothing.
type Picture struct {
	recorder *Recorder
	file     string
	title    Title
}

// PictureConfig says what a picture is of.
type PictureConfig struct {
	File    string // see CheckFile
	Title   Title
	Initial bizum.Amount // with which every account opens
	Account string       // the only one that is drawn; "": those that move most
	Now     func() time.Time
}

// NewPicture prepares a picture.
func NewPicture(c PictureConfig) *Picture {
	return &Picture{NewRecorder(c.Initial, c.Account, c.Now), c.File, c.Title}
}

// Draw draws what was recorded, and returns what that is, in words.
func (p *Picture) Draw() (drawn string, err error) { return p.recorder.Write(p.file, p.title) }

// Rows returns what shows an entry of a topic that is added up, so that the picture has it, too.
func (p *Picture) Rows(show func(*record.Record, *bizum.Entry) error) func(*record.Record, *bizum.Entry) error {
	if p == nil {
		return show
	}
	return func(r *record.Record, e *bizum.Entry) error {
		err := show(r, e)
		if err == nil {
			p.recorder.Part(r.Partition).Moved(r.Key, r.Timestamp, e.Change())
		}
		return err
	}
}

// Moved returns what a replay tells the picture of; nil if there is none.
func (p *Picture) Moved() func(partition int32) func(key []byte, timestamp int64, change bizum.Amount) {
	if p == nil {
		return nil
	}
	return func(partition int32) func([]byte, int64, bizum.Amount) { return p.recorder.Part(partition).Moved }
}

// WatchGroup returns what a group tells of the entries that it has committed: whom it told before, and the picture.
func (p *Picture) WatchGroup(other func(int32, []ledger.Entry)) func(partition int32, entries []ledger.Entry) {
	if p == nil {
		return other
	}
	return func(partition int32, entries []ledger.Entry) {
		if other != nil {
			other(partition, entries)
		}
		part := p.recorder.Part(partition)
		for i := range entries {
			e := &entries[i]
			part.Booked(e.Account, e.Timestamp, e.Change(), e.Balance)
		}
	}
}
