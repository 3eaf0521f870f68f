package archive_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"bizumctl/bizum"
	"bizumctl/bizum/archive"
	"bizumctl/bizum/format"
)

const topic = "mis-bizums.v2-7"

func config(name string) archive.Config {
	return archive.Config{FileOptions: format.FileOptions{Format: name, Topic: topic},
		Cluster: "here", TopicID: "id", Records: 7, Bytes: 1 << 20}
}

// TestMain lets the test binary be a writer that is killed.
func TestMain(m *testing.M) {
	if args := os.Getenv("BIZUMCTL_WRITER"); args != "" {
		var dir, name string
		var partition int32
		var seed uint64
		var until int64
		fmt.Sscan(args, &dir, &name, &partition, &seed, &until)
		if err := write(dir, name, partition, seed, until); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What the log has at an offset.
const (
	good = iota
	bad
	gap
)

const (
	gapStart = 26
	logEnd   = 60
)

// logOf is a log that never changes.
func logOf(seed uint64) [logEnd]int {
	var log [logEnd]int
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range log {
		log[i] = []int{good, good, good, good, bad, gap}[rng.IntN(6)]
	}
	if seed%3 == 0 { // a stretch of nothing but rejected messages
		for i := 20; i < 40; i++ {
			log[i] = bad
		}
	}
	for i := gapStart; i < gapStart+6; i++ { // and one of nothing
		log[i] = gap
	}
	return log
}

var words = []string{"=1+1", `a"b,c`, "+3", "línea\nrota", "ok", "@x", "€\t", "a'b"}

func rowAt(partition int32, offset int64) *format.Row {
	return &format.Row{
		Payment: bizum.Payment{Name: []byte(words[offset%8]), Amount: bizum.Amount(500 + offset),
			Concept: fmt.Appendf(nil, "%d/%d", partition, offset), Kind: bizum.Sent},
		Account: "cuenta", Partition: partition, Offset: offset, Timestamp: 1_700_000_000_000 + offset}
}

func badValue(offset int64) []byte {
	if offset%2 == 0 {
		return fmt.Appendf(nil, "\xff%d", offset)
	}
	return fmt.Appendf(nil, "no \"bizum\" %d", offset)
}

// write archives the log from its position to an offset.
func write(dir, name string, partition int32, seed uint64, until int64) error {
	folder, _, err := archive.Open(dir, config(name))
	if err != nil {
		return err
	}
	p, err := folder.Take(partition)
	if err != nil {
		return err
	}
	defer p.Release()
	position, known := p.Next()
	if !known {
		position = 0
		p.Begin(0)
	}
	for log := logOf(seed); position < until; position++ {
		switch log[position] {
		case good:
			row := rowAt(partition, position)
			if err = p.Put(row); errors.Is(err, format.ErrLineBreak) {
				err = p.Reject(position, err, row.Payment.Append(nil))
			}
		case bad:
			err = p.Reject(position, errors.New("is bad"), badValue(position))
		case gap:
			p.MoveTo(position + 1)
		}
		if err == nil && p.Full() {
			_, err = p.Publish()
		}
		if err != nil {
			return err
		}
	}
	_, err = p.Publish()
	return err
}

// reader is a program that reads the folder now and then. It takes no notice of what begins with a dot or an
// underscore, and may delete what it has read.
type reader struct {
	dir       string
	files     map[string]bool // that were read
	good, bad map[string]int  // how often each offset was met
}

func newReader(dir string) *reader {
	return &reader{dir, map[string]bool{}, map[string]int{}, map[string]int{}}
}

// read reads the files that are new. A file must stay as it is, and one that was deleted must not come again.
func (s *reader) read(t *testing.T, deletes bool) {
	t.Helper()
	for _, pattern := range []string{"[^._]*.*", "_rejected/[^._]*.json"} {
		files, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			gone, known := s.files[file]
			if gone {
				t.Fatalf("%s was deleted, and is there again", file)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case known:
			case strings.HasPrefix(pattern, "_"):
				s.readRejected(t, file, text)
			default:
				s.readFile(t, file, text)
			}
			s.files[file] = deletes
			if deletes {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func (s *reader) readRejected(t *testing.T, file string, text []byte) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		var r struct {
			Partition               int32
			Offset                  int64
			Reason, Bytes, Encoding string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v: %s", file, err, line)
		}
		value := []byte(r.Bytes)
		if r.Encoding == "base64" {
			value, _ = base64.StdEncoding.DecodeString(r.Bytes)
		}
		if want := badValue(r.Offset); !bytes.Equal(value, want) && !strings.Contains(r.Reason, "line break") {
			t.Errorf("%s: %q, want %q", file, value, want)
		}
		s.bad[fmt.Sprintf("%d/%d", r.Partition, r.Offset)]++
	}
}

func (s *reader) readFile(t *testing.T, file string, text []byte) {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatalf("%s: %v:\n%q", file, err, text)
		}
	}
	add := func(name, concept string) {
		s.good[concept]++
		_, offset, _ := strings.Cut(concept, "/")
		n, _ := strconv.Atoi(offset)
		if want := words[n%8]; name != want {
			t.Errorf("%s: offset %d has name %q, want %q", file, n, name, want)
		}
	}
	switch filepath.Ext(file) {
	case ".parquet":
		type columns struct {
			Nombre   string `parquet:"nombre"`
			Concepto string `parquet:"concepto"`
		}
		rows, err := parquet.Read[columns](bytes.NewReader(text), int64(len(text)))
		fail(err)
		for _, row := range rows {
			add(row.Nombre, row.Concepto)
		}
	case ".csv":
		rows, err := stdcsv.NewReader(bytes.NewReader(text)).ReadAll()
		fail(err)
		for _, row := range rows[1:] {
			add(row[0], row[2])
		}
	case ".json":
		for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
			var row struct{ Nombre, Concepto string }
			fail(json.Unmarshal(in.Bytes(), &row))
			add(row.Nombre, row.Concepto)
		}
	case ".txt":
		for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
			p, err := bizum.ParsePayment(in.Bytes())
			fail(err)
			add(string(p.Name), string(p.Concept))
		}
	}
}

// check fails unless every offset of these partitions was met exactly once.
func (s *reader) check(t *testing.T, name string, partitions int32, seed uint64) {
	t.Helper()
	want := newReader("")
	for p := range partitions {
		for offset, kind := range logOf(seed) {
			isGood := kind == good && !(name == "text" && strings.Contains(words[offset%8], "\n"))
			switch {
			case isGood:
				want.good[fmt.Sprintf("%d/%d", p, offset)] = 1
			case kind != gap:
				want.bad[fmt.Sprintf("%d/%d", p, offset)] = 1
			}
		}
	}
	if !maps.Equal(s.good, want.good) || !maps.Equal(s.bad, want.bad) {
		t.Fatalf("seed %d, %s: met\n%v\n%v\nwant\n%v\n%v", seed, name, s.good, s.bad, want.good, want.bad)
	}
}

// spans fails unless the names of the files cover the log without a gap or an overlap.
func spans(t *testing.T, dir string, partition int32) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%s-%d-*", topic, partition)))
	slices.Sort(files)
	next := int64(0)
	for _, file := range files {
		var first, last int64
		fields := strings.Split(strings.Split(filepath.Base(file), "v2-7-")[1], "-")
		fmt.Sscan(strings.TrimLeft(fields[1], "0")+"0", &first)
		fmt.Sscan(strings.TrimLeft(strings.Split(fields[2], ".")[0], "0")+"0", &last)
		first, last = first/10, last/10
		if first != next || last < first {
			t.Errorf("%s begins at %d, want %d", file, first, next)
		}
		next = last + 1
	}
}

// writer is the process that writes.
func writer(dir, name string, partition int32, seed uint64, env ...string) *exec.Cmd {
	return writerUntil(logEnd, dir, name, partition, seed, env...)
}

func writerUntil(end int64, dir, name string, partition int32, seed uint64, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	env = append(env, "GORACE=atexit_sleep_ms=0",
		fmt.Sprintf("BIZUMCTL_WRITER=%s %s %d %d %d", dir, name, partition, seed, end))
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = new(strings.Builder)
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v", err, cmd.Stderr)
	}
}

// TestWhole: what is written is read, in every format, and names cover all that was read.
func TestWhole(t *testing.T) {
	for _, name := range format.Names {
		for seed := range uint64(6) {
			dir := t.TempDir()
			if err := write(dir, name, 0, seed, logEnd); err != nil {
				t.Fatal(err)
			}
			r := newReader(dir)
			r.read(t, false)
			r.check(t, name, 1, seed)
			spans(t, dir, 0)
			if drafts, _ := filepath.Glob(filepath.Join(dir, ".*.tmp")); len(drafts) > 0 {
				t.Errorf("left behind: %v", drafts)
			}
		}
	}
}

// TestKilled: processes are killed at any moment, while a reader takes away what it has read.
func TestKilled(t *testing.T) {
	kills := 200
	if testing.Short() {
		kills = 20
	}
	seed := rand.Uint64N(1000)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	began := time.Now()
	finish(t, writer(t.TempDir(), "parquet", 0, seed))
	whole := time.Since(began) // which depends on the machine, and on the race detector
	for killed, round := 0, 0; killed < kills; round++ {
		name, r := format.Names[round%4], newReader(t.TempDir())
		for {
			cmd := writer(r.dir, name, 0, seed)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(rng.Float64()*1.5*float64(whole)), func() { _ = cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			r.read(t, rng.IntN(2) == 0)
			if cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
				killed++
				continue
			}
			if err != nil {
				t.Fatalf("%v: %v", err, cmd.Stderr)
			}
			break
		}
		r.check(t, name, 1, seed)
	}
}

// TestStrange: a folder belongs to one topic of one cluster, in one format, and to one process a partition.
func TestStrange(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, "csv", 0, 1, logEnd); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*archive.Config)
		want   string
	}{
		{func(*archive.Config) {}, ""},
		{func(c *archive.Config) { c.Topic = "other" }, `of topic "mis-bizums.v2-7", not of "other"`},
		{func(c *archive.Config) { c.Cluster = "there" }, "on another cluster, here; this one is there"},
		{func(c *archive.Config) { c.TopicID = "new" }, "which was deleted and recreated since"},
		{func(c *archive.Config) { c.Format = "parquet" }, "in csv, not parquet"},
		{func(c *archive.Config) { c.Safe = true }, "in csv, not csv, safe"},
	} {
		config := config("csv")
		c.change(&config)
		_, _, err := archive.Open(dir, config)
		wrong := errors.As(err, new(*archive.WrongFolderError)) && strings.HasSuffix(err.Error(), c.want)
		if c.want == "" && err != nil || c.want != "" && !wrong {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "_bizumctl.json")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := archive.Open(dir, config("json")); !errors.As(err, new(*archive.WrongFolderError)) {
		t.Errorf("%v, want that it has csv", err)
	}
	folder, _, err := archive.Open(dir, config("csv"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := folder.Take(0)
	if err != nil {
		t.Fatal(err)
	}
	if next, known := p.Next(); next != logEnd || !known {
		t.Errorf("goes on at %d, %v, want after the last file, %d", next, known, logEnd)
	}
	cmd := writer(dir, "csv", 0, 1)
	if err := cmd.Run(); err == nil || !strings.Contains(fmt.Sprint(cmd.Stderr), archive.ErrTaken.Error()) {
		t.Errorf("a second process ended with %v, %v", err, cmd.Stderr)
	}
	finish(t, writer(dir, "csv", 1, 1))
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	finish(t, writer(dir, "csv", 0, 1))
	if err := os.WriteFile(filepath.Join(dir, "_bizumctl.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := archive.Open(dir, config("csv")); err == nil || !strings.Contains(err.Error(), "_bizumctl.json: ") {
		t.Errorf("a state that cannot be read: %v", err)
	}
}

// TestForeign: what is not ours is named and left alone, what is ours is not named.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, "text", 3, 1, logEnd); err != nil {
		t.Fatal(err)
	}
	const n = "00000000000000000000"
	theirs := []string{"notes.txt", topic + "-3-1-2.txt", topic + "-3-" + n + ".txt", "other-3-" + n + "-" + n + ".txt",
		topic + "-03-" + n + "-" + n + ".txt", topic + "-3-" + n + "-" + n + ".bak", ".DS_Store", "_SUCCESS",
		"-0-" + n + "-" + n + ".txt",
		topic + "-4294967296-" + n + "-" + n + ".txt", topic + "-3-00000000000000000002-00000000000000000001.txt"}
	for _, name := range theirs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ours := []string{"." + topic + "-3-" + n + ".tmp", "." + topic + "-3-99999999999999999999.tmp",
		"_rejected/." + topic + "-3-" + n + ".tmp",
		"_rejected/" + topic + "-3-00000000000000000900-00000000000000000901.json"}
	for _, name := range ours {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, foreign, err := archive.Open(dir, config("text"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(theirs)
	theirs = append(theirs, "."+topic+"-3-99999999999999999999.tmp") // no offset is as large
	slices.Sort(theirs)
	if slices.Sort(foreign); !slices.Equal(foreign, theirs) {
		t.Errorf("foreign: %q, want %q", foreign, theirs)
	}
	if err := write(dir, "text", 3, 1, logEnd); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(theirs, ours...) {
		_, err := os.Stat(filepath.Join(dir, name))
		if isTheirs := slices.Contains(theirs, name); isTheirs != (err == nil) {
			t.Errorf("%s: %v, theirs: %v", name, err, isTheirs)
		}
	}
}

// TestTogether: processes that write partitions of their own share the folder.
func TestTogether(t *testing.T) {
	const partitions = 6
	r := newReader(t.TempDir())
	var all []*exec.Cmd
	for p := range int32(partitions) {
		cmd := writer(r.dir, "parquet", p, 1)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for p, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%d: %v: %v", p, err, cmd.Stderr)
		}
		spans(t, r.dir, int32(p))
	}
	r.read(t, true)
	r.check(t, "parquet", partitions, 1)
	for p := range int32(partitions) { // nothing is left to do, though the files are gone
		finish(t, writer(r.dir, "parquet", p, 1))
	}
	r.read(t, true)
}
