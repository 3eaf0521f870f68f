package format_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

var readColumns = []string{"nombre", "cantidad", "concepto", "tipo", "value", "timestamp", "saldo"}

// readAll reads a file, and returns its rows with their cells joined; a cell that is not there is a dash.
func readAll(t testing.TB, file []byte) (rows []string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part-00000")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	err = format.ReadFile(path, readColumns, readColumns[:4], func(n int64, cells format.Cells) error {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			if texts[i] = string(cell); cell == nil {
				texts[i] = "-"
			}
		}
		rows = append(rows, strings.Join(texts, "|"))
		return nil
	})
	return rows, err
}

func TestReadLines(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string
	}{
		{"", nil},
		{"\n\n", nil},
		{"Ana;5;x, y;t\r\n\nZoe;7;;t", []string{"-|-|-|-|Ana;5;x, y;t|-|-", "-|-|-|-|Zoe;7;;t|-|-"}},
		{`{"nombre":"Ana","cantidad":20.30,"concepto":null,"x":[1]}` + "\n" + `{"saldo":"7.00","nombre":"\u00d1"}`,
			[]string{"Ana|20.30|-|-|-|-|-", "Ñ|-|-|-|-|-|7.00"}},
		{"saldo,nombre,cantidad\n-3.00,Ana,5\n,\"a,\"\"b\",6\n", []string{"Ana|5|-|-|-|-|-3.00", "a,\"b|6|-|-|-|-|"}},
		{"\ufeffnombre,x\nAna,1\n", []string{"Ana|-|-|-|-|-|-"}},
		{"Ana;12,5\nAna;5;x;t\nZoe;7;y;t\n", []string{"-|-|-|-|Ana;12,5|-|-", "-|-|-|-|Ana;5;x;t|-|-",
			"-|-|-|-|Zoe;7;y;t|-|-"}},
		{"nombre,saldo\na;b;c;d,1\na;b;c;e,2\n", []string{"a;b;c;d|-|-|-|-|-|1", "a;b;c;e|-|-|-|-|-|2"}},
		{"Ana,5,Cena,t\nZoe,6\n", []string{"Ana|5|Cena|t|-|-|-", "Zoe|6|-|-|-|-|-"}},
	} {
		if rows, err := readAll(t, []byte(c.file)); err != nil || !slices.Equal(rows, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.file, rows, err, c.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{"{}\nx\n", "PAR1", "PAR1xxxxxxxxPAR1", strings.Repeat("x", format.LineBytesMax+1),
		"nombre,saldo\nAna,1\n\"" + strings.Repeat("x\n", format.LineBytesMax)} {
		_, err := readAll(t, []byte(text))
		var reading *format.ReadError
		if !errors.As(err, &reading) || !strings.Contains(err.Error(), "part-00000") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Our own Parquet, and what Spark and others make of the same columns.
func TestReadParquet(t *testing.T) {
	own := written(t, format.FileOptions{Format: "parquet", Topic: "t"}, row("Maria", "Cena", "cuenta"))
	rows, err := readAll(t, own)
	want := "Maria|20.35|Cena|" + bizum.Received.String() + "|-|2026-07-01T10:34:56.789Z|-"
	if err != nil || len(rows) != 1 || rows[0] != want {
		t.Errorf("%v, %v, want %s", rows, err, want)
	}
	type spark struct {
		Name   *string          `parquet:"nombre,optional"`
		Amount float64          `parquet:"cantidad"`
		Saldo  [9]byte          `parquet:"saldo,decimal(2:20)"`
		Kind   []byte           `parquet:"tipo"`
		At     deprecated.Int96 `parquet:"timestamp"`
	}
	name, at := "Ñ", time.Date(2026, 11, 22, 15, 4, 5, 600, time.UTC)
	nanos := uint64(15*3600+4*60+5)*1e9 + 600
	day := uint32(at.Truncate(24*time.Hour).Unix()/86400 + 2_440_588)
	values := []spark{{&name, 20.3, [9]byte{8: 5}, []byte("x"),
		deprecated.Int96{uint32(nanos), uint32(nanos >> 32), day}},
		{nil, 5, [9]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xd4}, nil, deprecated.Int96{0, 0, 2_440_588}}}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[spark](&file)
	if _, err := w.Write(values); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rows, err = readAll(t, file.Bytes())
	wants := []string{"Ñ|20.3|-|x|-|2026-11-22T15:04:05.0000006Z|0.05", "-|5|-||-|1970-01-01T00:00:00Z|-3.00"}
	if err != nil || len(rows) != 2 || rows[0] != wants[0] || rows[1] != wants[1] {
		t.Errorf("%q, %v, want %q", rows, err, wants)
	}
}

// A file that was damaged is refused, or read; it ends nothing.
func TestReadDamagedParquet(t *testing.T) {
	own := written(t, format.FileOptions{Format: "parquet", Topic: "t"}, row("Maria", "Cena", "cuenta"),
		row("Zoe", "", "x"))
	rng := rand.New(rand.NewPCG(1, 3))
	for range 60 {
		bad := bytes.Clone(own)
		for range 1 + rng.IntN(3) {
			bad[4+rng.IntN(len(bad)-4)] ^= 1 << rng.IntN(8)
		}
		_, _ = readAll(t, bad)
	}
}

// No file makes the reader fail in another way than by an error.
func FuzzReadFile(f *testing.F) {
	f.Add([]byte("nombre,cantidad\nAna,5\n"))
	f.Add([]byte(`{"nombre":"Ana"}` + "\n"))
	f.Add([]byte("Ana;5;x;y\n"))
	f.Fuzz(func(t *testing.T, file []byte) { _, _ = readAll(t, file) })
}
