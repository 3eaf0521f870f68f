package format_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

// written is a file of these rows.
func written(t *testing.T, o format.FileOptions, rows ...*format.Row) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := format.NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFileLines(t *testing.T) {
	for name, want := range map[string]string{
		"text": "Maria;20.35;Cena;RECEPCIÓN\n",
		"csv": "nombre,cantidad,concepto,tipo,cuenta,topic,partition,offset,timestamp\n" +
			"Maria,20.35,Cena,RECEPCIÓN,cuenta,bizums,2,1041,2026-07-01T10:34:56.789Z\n",
		"json": `{"nombre":"Maria","cantidad":20.35,"concepto":"Cena","tipo":"RECEPCIÓN","cuenta":"cuenta",` +
			`"topic":"bizums","partition":2,"offset":1041,"timestamp":"2026-07-01T10:34:56.789Z"}` + "\n",
	} {
		got := string(written(t, format.FileOptions{Format: name, Topic: "bizums"}, row("Maria", "Cena", "cuenta")))
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
	if _, err := format.NewWriter(nil, format.FileOptions{Format: "xml"}); err == nil {
		t.Error("xml is a format")
	}
}

// corpus is names and concepts that a format could stumble over.
var corpus = []string{"Maria", `"La" Mari`, "a,b", "a;b", "a\nb", "a\r\nb\r", "=1+1", "+34", "-2", "@SUM(A1)",
	"\ttab", "\rcr", "'", "''", "ñÑáÉ€", "👩‍👧", "e\u0301", "\u202egnp", "\x00", "\x1b[2J", "\u2028", `\n`, " x ", "", "NULL"}

func TestFilesRoundTrip(t *testing.T) {
	var rows []*format.Row
	for i, name := range corpus {
		r := row(name, corpus[len(corpus)-1-i], name)
		r.Offset = int64(i)
		rows = append(rows, r)
	}
	same := func(name string, i int, fields ...string) {
		t.Helper()
		if r := rows[i]; fields[0] != string(r.Name) || fields[1] != string(r.Concept) || fields[2] != r.Account {
			t.Errorf("%s: %q, want %q, %q, %q", name, fields, r.Name, r.Concept, r.Account)
		}
	}
	text := written(t, format.FileOptions{Format: "csv", Topic: "t"}, rows...)
	// the reader of the standard library takes \r\n in a cell for \n
	lines, err := stdcsv.NewReader(bytes.NewReader(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\r\r\n")))).ReadAll()
	if err != nil || len(lines) != len(rows)+1 {
		t.Fatalf("csv: %d lines, %v", len(lines), err)
	}
	for i, cells := range lines[1:] {
		same("csv", i, cells[0], cells[2], cells[4])
	}
	text = written(t, format.FileOptions{Format: "json", Topic: "t"}, rows...)
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		var o struct{ Nombre, Concepto, Cuenta string }
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("json: %v: %s", err, line)
		}
		same("json", i, o.Nombre, o.Concepto, o.Cuenta)
	}
	text = written(t, format.FileOptions{Format: "parquet", Topic: "t"}, rows...)
	for i, o := range parquetRows(t, text) {
		same("parquet", i, o.Nombre, o.Concepto, o.Cuenta)
	}
	for _, r := range rows {
		var out bytes.Buffer
		w, _ := format.NewWriter(&out, format.FileOptions{Format: "text"})
		err := w.Append(r)
		if strings.ContainsAny(string(r.Name)+string(r.Concept), "\r\n") {
			if !errors.Is(err, format.ErrLineBreak) || w.Size() != 0 {
				t.Errorf("text: %q: %v, size %d", r.Name, err, w.Size())
			}
			continue
		}
		if err := errors.Join(err, w.Close()); err != nil || out.String() != string(r.Payment.Append(nil))+"\n" {
			t.Errorf("text: %q, %v", out.String(), err)
		}
	}
}

// TestSafe: no cell of text begins like a formula, also where ; ends a cell, and none is changed otherwise.
func TestSafe(t *testing.T) {
	formulas := map[string]string{"=1+1": "'=1+1", "+34": "'+34", "-2": "'-2", "@SUM(A1)": "'@SUM(A1)", "\ttab": "'\ttab",
		"\rcr": "'\rcr", "＝1": "'＝1", "a;=1": "a;'=1", "a;b;-1;;@x": "a;b;'-1;;'@x", `a;""=1`: `a;'""=1`, "a\n=1": "a\n'=1",
		"a\t+1": "a\t'+1", "=1;=2": "'=1;'=2"}
	for _, s := range slices.Concat(corpus, slices.Collect(maps.Keys(formulas)), []string{"a;b=1", "a; =1", "a,=1", `"=1`}) {
		o := format.FileOptions{Format: "csv", Topic: "-t", Safe: true}
		in := bytes.ReplaceAll(written(t, o, row(s, s, s)), []byte("\r\n"), []byte("\r\r\n"))
		lines, err := stdcsv.NewReader(bytes.NewReader(in)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want, isFormula := formulas[s]
		if !isFormula {
			want = s
		}
		for _, i := range []int{0, 2, 4} {
			if lines[1][i] != want {
				t.Errorf("cell %q of %q, want %q", lines[1][i], s, want)
			}
		}
		if lines[1][5] != "'-t" || lines[1][1] != "20.35" {
			t.Errorf("cells %q", lines[1])
		}
	}
}

type parquetRow struct {
	Nombre    string `parquet:"nombre"`
	Cantidad  int64  `parquet:"cantidad"`
	Concepto  string `parquet:"concepto"`
	Tipo      string `parquet:"tipo"`
	Cuenta    string `parquet:"cuenta"`
	Topic     string `parquet:"topic"`
	Partition int32  `parquet:"partition"`
	Offset    int64  `parquet:"offset"`
	Timestamp int64  `parquet:"timestamp"`
}

func parquetRows(t *testing.T, file []byte) []parquetRow {
	t.Helper()
	rows, err := parquet.Read[parquetRow](bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestParquet(t *testing.T) {
	sent := row("Íñigo", "", "clave \xff")
	sent.Kind, sent.Amount, sent.Offset = bizum.Sent, bizum.AmountMax, 1<<62
	sent.Timestamp = -1
	file := written(t, format.FileOptions{Format: "parquet", Topic: "bizums"}, row("Maria", "Cena", "cuenta"), sent)
	rows := parquetRows(t, file)
	want := []parquetRow{
		{"Maria", 20_35, "Cena", bizum.Received.String(), "cuenta", "bizums", 2, 1041, 1782902096789},
		{"Íñigo", 99_999_999_999_999, "", bizum.Sent.String(), "clave \ufffd", "bizums", 2, 1 << 62, -1},
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("%v\nwant\n%v", rows, want)
	}
	opened, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var schema []string
	for _, field := range opened.Schema().Fields() {
		schema = append(schema, field.Name()+" "+field.Type().String())
	}
	if got := strings.Join(schema, ", "); got != "nombre STRING, cantidad DECIMAL(14,2), concepto STRING, tipo STRING, "+
		"cuenta STRING, topic STRING, partition INT(32,true), offset INT(64,true), "+
		"timestamp TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)" {
		t.Errorf("schema %s", got)
	}
	if rows := parquetRows(t, written(t, format.FileOptions{Format: "parquet"})); len(rows) != 0 {
		t.Errorf("an empty file has %v", rows)
	}
}

// TestParquetMemory: texts that are large and never the same do not pile up.
func TestParquetMemory(t *testing.T) {
	var out counter
	w, err := format.NewWriter(&out, format.FileOptions{Format: "parquet", Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var most uint64
	for i := range 20_000 {
		text := make([]byte, 30_000)
		for j := 0; j < len(text); j += 100 {
			text[j] = byte('a' + rng.IntN(26))
		}
		if err := w.Append(row(string(text), string(text[1:]), "cuenta")); err != nil {
			t.Fatal(err)
		}
		if i%200 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if err := w.Close(); err != nil || most > 120<<20 {
		t.Errorf("%d MiB held, %v", most>>20, err)
	}
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// TestOddTimes: what RFC 3339 cannot name is missing, as is what is no timestamp.
func TestOddTimes(t *testing.T) {
	for at, want := range map[int64][2]string{
		-1: {"", "null"}, -2: {"1969-12-31T23:59:59.998Z", `"1969-12-31T23:59:59.998Z"`}, 0: {"1970-01-01T00:00:00.000Z", `"1970-01-01T00:00:00.000Z"`},
		253_402_300_799_999: {"9999-12-31T23:59:59.999Z", `"9999-12-31T23:59:59.999Z"`}, 253_402_300_800_000: {"", "null"},
		-62_167_219_200_000: {"0000-01-01T00:00:00.000Z", `"0000-01-01T00:00:00.000Z"`}, -62_167_219_200_001: {"", "null"},
		math.MaxInt64: {"", "null"}, math.MinInt64: {"", "null"},
	} {
		r := row("a", "b", "c")
		r.Timestamp = at
		if line := string(line(t, byName(t, "csv", false), nil, r)); !strings.HasSuffix(line, ",1041,"+want[0]) {
			t.Errorf("csv of %d: %s", at, line)
		}
		if line := string(line(t, byName(t, "json", false), nil, r)); !strings.HasSuffix(line, `,"timestamp":`+want[1]+"}") {
			t.Errorf("json of %d: %s", at, line)
		}
	}
}

// TestTimes: the time by hand is that of the standard library.
func TestTimes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := byName(t, "csv", false)
	for range 100_000 {
		r := row("a", "b", "c")
		r.Timestamp = rng.Int64N(400_000_000_000_000) - 100_000_000_000_000
		line := string(line(t, f, nil, r))
		want := time.UnixMilli(r.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z")
		if len(want) != len("2006-01-02T15:04:05.000Z") {
			want = ""
		}
		if !strings.HasSuffix(line, ","+want) {
			t.Fatalf("%s, want %s", line, want)
		}
	}
}

func BenchmarkFile(b *testing.B) {
	for _, name := range format.Names {
		b.Run(name, func(b *testing.B) {
			var out counter
			w, err := format.NewWriter(&out, format.FileOptions{Format: name, Topic: "bizums"})
			if err != nil {
				b.Fatal(err)
			}
			rows := make([]format.Row, 1000)
			for i := range rows {
				rows[i] = *row(fmt.Sprint("Nombre", i%7), fmt.Sprint("Concepto", i%11), "cuenta")
				rows[i].Amount = bizum.Amount(500 + i*77%9501)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := &rows[i%len(rows)]
				r.Offset = int64(i)
				if err := w.Append(r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(out)/float64(b.N), "B/row")
		})
	}
}
