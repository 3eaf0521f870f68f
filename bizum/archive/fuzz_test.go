package archive

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A name is that of one file or draft, of one span of one partition, or of none.
func FuzzName(f *testing.F) {
	s := span{"bizums.caja-1", 3, 41, 99}
	for _, name := range []string{s.String() + ".parquet", s.draft(), lockOf(s.topic, s.partition), stateFile, stateDraft,
		"bizums-0-00000000000000000007-00000000000000000006.csv", "bizums-2147483648-00000000000000000007.tmp", "-", ".-0.lock",
		"bizums-0-7-9.txt", "bizums--00000000000000000000-00000000000000000000.json", "", s.String() + "."} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, extension, isFile := spanOf(name)
		if isFile && (s.topic == "" || s.partition < 0 || s.first < 0 || s.last < s.first ||
			s.String()+strings.TrimPrefix(name, s.String()) != name || extension == "" != (name == s.String())) {
			t.Fatalf("%q: %+v, %q", name, s, extension)
		}
		d, isDraft := draftOf(name)
		if isDraft && (d.topic == "" || d.partition < 0 || d.first < 0 || d.draft() != name) {
			t.Fatalf("%q: draft of %+v", name, d)
		}
		if isDraft && isFile && isExtension(extension) || isDraft && isLock(name) {
			t.Fatalf("%q: a draft, and a file or a lock", name)
		}
	})
}

// A state that can be read is written so that it reads the same; one that cannot is an error that names the file.
func FuzzState(f *testing.F) {
	for _, text := range []string{
		`{"cluster":"c","topic":"bizums","topic_id":"t","format":"csv, safe","partitions":{"0":{"next":7,"closing":5,"read":9}}}`,
		`{"topic":"bizums","partitions":{}}`, `{"topic":"bizums"}`, `{"topic":"bizums","partitions":{"x":{}}}`,
		`{"topic":"bizums","partitions":{"0":{"next":1e99}}}`, `{`, ``, `null`, `[]`,
	} {
		f.Add([]byte(text))
	}
	x := &Folder{dir: f.TempDir()}
	path := filepath.Join(x.dir, stateFile)
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := x.read()
		if err != nil {
			if !strings.HasPrefix(err.Error(), path+": ") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if read.Topic == "" || read.Partitions == nil {
			t.Fatalf("%q: %+v", text, read)
		}
		if err := x.change(func(*state) (bool, error) { return true, nil }); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if again, err := x.read(); err != nil || !reflect.DeepEqual(again, read) {
			t.Fatalf("%q: %+v, and of that %+v, %v", text, read, again, err)
		}
	})
}
