package format_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bizumctl/bizum"
	"bizumctl/bizum/format"
)

var madrid = time.FixedZone("CEST", 2*60*60)

func row(name, concept, account string) *format.Row {
	return &format.Row{
		Payment: bizum.Payment{
			Name: []byte(name), Amount: 20_35, Concept: []byte(concept), Kind: bizum.Received,
		},
		Account: account, Balance: 2020_35, Partition: 2, Offset: 1041,
		Timestamp: time.Date(2026, 7, 1, 12, 34, 56, 789_000_000, madrid).UnixMilli(),
	}
}

func byName(t testing.TB, name string, withBalance bool) format.Format {
	t.Helper()
	f, err := format.ByName(name, format.Options{Balance: withBalance})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// line appends a row that is a line.
func line(t testing.TB, f format.Format, b []byte, r *format.Row) []byte {
	t.Helper()
	b, err := f.Append(b, r)
	if err != nil {
		t.Fatalf("%q, %q: %v", r.Name, r.Concept, err)
	}
	return b
}

func TestLines(t *testing.T) {
	in := row("Maria", "Cena", "cuenta")
	out := row("Íñigo", "Cena; y copas", "cuenta-2")
	out.Kind, out.Amount, out.Balance, out.Partition, out.Offset = bizum.Sent, 5, -3, 0, 1<<40
	out.Timestamp = 0
	broke := row("Ana", "", "ana")
	broke.Balance = -300
	quoted := row(`"La" Mari`, "a\rb", "x,\n")
	forged := row("Ana", "x;ENVIO\nEva;1000000;y", "cuenta")
	for _, c := range []struct {
		format  string
		balance bool
		header  string
		row     *format.Row
		want    string
	}{
		{"text", false, "", in, "Maria;20.35;Cena;RECEPCIÓN"},
		{"text", false, "", out, "Íñigo;0.05;Cena; y copas;ENVIO"},
		{"text", true, "", in, "Maria;20.35;Cena;RECEPCIÓN;2020.35"},
		{"text", true, "", out, "Íñigo;0.05;Cena; y copas;ENVIO;-0.03"},
		{"text", true, "", broke, "Ana;20.35;;RECEPCIÓN;-3.00"},
		{"text", true, "", quoted, `"La" Mari;20.35;a\rb;RECEPCIÓN;2020.35`},
		{"text", true, "", forged, `Ana;20.35;x;ENVIO\nEva;1000000;y;RECEPCIÓN;2020.35`},
		{"csv", false, "nombre,cantidad,concepto,tipo,cuenta,partition,offset,timestamp", in,
			"Maria,20.35,Cena,RECEPCIÓN,cuenta,2,1041,2026-07-01T10:34:56.789Z"},
		{"csv", true, "nombre,cantidad,concepto,tipo,cuenta,saldo,partition,offset,timestamp", in,
			"Maria,20.35,Cena,RECEPCIÓN,cuenta,2020.35,2,1041,2026-07-01T10:34:56.789Z"},
		{"csv", true, "nombre,cantidad,concepto,tipo,cuenta,saldo,partition,offset,timestamp", out,
			"Íñigo,0.05,Cena; y copas,ENVIO,cuenta-2,-0.03,0,1099511627776,1970-01-01T00:00:00.000Z"},
		{"csv", true, "nombre,cantidad,concepto,tipo,cuenta,saldo,partition,offset,timestamp", broke,
			"Ana,20.35,,RECEPCIÓN,ana,-3.00,2,1041,2026-07-01T10:34:56.789Z"},
		{"csv", false, "nombre,cantidad,concepto,tipo,cuenta,partition,offset,timestamp", quoted,
			`"""La"" Mari",20.35,"a` + "\r" + `b",RECEPCIÓN,"x,` + "\n" + `",2,1041,2026-07-01T10:34:56.789Z`},
		{"json", false, "", in, `{"nombre":"Maria","cantidad":20.35,"concepto":"Cena","tipo":"RECEPCIÓN",` +
			`"cuenta":"cuenta","partition":2,"offset":1041,"timestamp":"2026-07-01T10:34:56.789Z"}`},
		{"json", true, "", in, `{"nombre":"Maria","cantidad":20.35,"concepto":"Cena","tipo":"RECEPCIÓN",` +
			`"cuenta":"cuenta","saldo":2020.35,"partition":2,"offset":1041,"timestamp":"2026-07-01T10:34:56.789Z"}`},
		{"json", true, "", out, `{"nombre":"Íñigo","cantidad":0.05,"concepto":"Cena; y copas","tipo":"ENVIO",` +
			`"cuenta":"cuenta-2","saldo":-0.03,"partition":0,"offset":1099511627776,"timestamp":"1970-01-01T00:00:00.000Z"}`},
	} {
		f := byName(t, c.format, c.balance)
		if got := string(line(t, f, []byte("before "), c.row)); got != "before "+c.want {
			t.Errorf("%s, balance %v:\n%s\nwant\nbefore %s", c.format, c.balance, got, c.want)
		}
		if f.Header != c.header {
			t.Errorf("%s, balance %v: header %q, want %q", c.format, c.balance, f.Header, c.header)
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	for _, name := range []string{"", "xml", "CSV", "json ", "table", "raw", "none"} {
		for _, withBalance := range []bool{false, true} {
			if f, err := format.ByName(name, format.Options{Balance: withBalance}); err == nil || f.Append != nil {
				t.Errorf("%q, balance %v: %v, want an error", name, withBalance, err)
			} else if want := fmt.Sprintf("no format %q", name); err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}

// texts are the names, concepts and accounts that a format must not garble.
var texts = []string{
	"Maria", "Íñigo", "🍕", "Jose\u0301", "x", " x ", "a,b", `"`, `""`, `a"b`, `"a"`, "a\nb", "\n", "a\rb", "\r",
	"a\r\nb", "a\r\r\nb", "a\"\r\n,b", "a;b", "a\tb", "a'b", `a\b`, `\`, `\.`, `\n`, "=1+1", "+34", "-2", "@SUM(A1)", "#", "a|b",
	"<b>&amp;</b>", `<"&`, "\x00", "\x01", "\b\f\v", "\x1b[2J", "\x1f", "\x7f", "\u0080\u009b", "\u2028\u2029", "\u202e",
	"\u200b", "\ufeff", "\ufeffx", "\ufffd", "null", "NaN", "0", strings.Repeat("ñ", 30_000),
}

// invalid can only be accounts: a key may hold any bytes.
var invalid = []string{"\xff", "a\xe9b", "\xc3", "\xed\xa0\x80", "\x80\"\n", "\xff\xfe\x00", "<\xff>"}

// cells reads a csv file of one row back. A CRLF inside a field is read as LF: that is the reader's rule.
func cells(t *testing.T, withBalance bool, r *format.Row) map[string]string {
	t.Helper()
	f := byName(t, "csv", withBalance)
	file := line(t, f, []byte(f.Header+"\n"), r)
	lines, err := stdcsv.NewReader(bytes.NewReader(append(file, '\n'))).ReadAll()
	if err != nil || len(lines) != 2 || utf8.ValidString(string(r.Name)+string(r.Concept)) && !utf8.Valid(file) {
		t.Fatalf("%d lines, %v, in %.200q", len(lines), err, file)
	}
	cells := map[string]string{}
	for i, name := range lines[0] {
		cells[name] = lines[1][i] // ReadAll has made sure of the count
	}
	return cells
}

func wantCSV(t *testing.T, withBalance bool, r *format.Row) {
	t.Helper()
	want := map[string]string{
		"nombre": string(r.Name), "cantidad": r.Amount.String(), "concepto": string(r.Concept), "tipo": r.Kind.String(),
		"cuenta":    string([]rune(r.Account)), // every invalid byte is U+FFFD
		"partition": "2", "offset": "1041", "timestamp": "2026-07-01T10:34:56.789Z",
	}
	if withBalance {
		want["saldo"] = r.Balance.String()
	}
	got := cells(t, withBalance, r)
	for name, want := range want {
		if want = strings.ReplaceAll(want, "\r\n", "\n"); got[name] != want {
			t.Errorf("csv: %s is %.100q, want %.100q", name, got[name], want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("csv: %d columns, want %d", len(got), len(want))
	}
}

func wantJSON(t *testing.T, withBalance bool, r *format.Row) {
	t.Helper()
	line := line(t, byName(t, "json", withBalance), nil, r)
	if bytes.ContainsFunc(line, func(c rune) bool { return c < 0x20 }) || !utf8.Valid(line) {
		t.Errorf("json: not a line of UTF-8: %.200q", line)
	}
	for _, plain := range []string{"<", ">", "&"} {
		written := strings.Count(string(r.Name)+string(r.Concept)+r.Account, plain)
		if shown := strings.Count(string(line), plain); shown != written {
			t.Errorf("json: %d of %d %s left in %.200q", shown, written, plain, line)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	got := map[string]any{}
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("json: %v in %.200q", err, line)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("json: more than one value in %.200q", line)
	}
	want := map[string]any{
		"nombre": string([]rune(string(r.Name))), "concepto": string([]rune(string(r.Concept))),
		"cuenta": string([]rune(r.Account)), // every invalid byte is U+FFFD
		"tipo":   r.Kind.String(), "cantidad": json.Number(r.Amount.String()),
		"partition": json.Number("2"), "offset": json.Number("1041"), "timestamp": "2026-07-01T10:34:56.789Z",
	}
	if withBalance {
		want["saldo"] = json.Number(r.Balance.String())
	}
	for name, want := range want {
		if got[name] != want {
			t.Errorf("json: %s is %.100q, want %.100q", name, got[name], want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("json: %d members, want %d", len(got), len(want))
	}
}

func TestReadBack(t *testing.T) {
	for _, text := range slices.Concat(texts, []string{""}) {
		for _, r := range []*format.Row{
			row(text, "x", "y"), row("x", text, "y"), row("x", "y", text), row(text, text, text),
		} {
			for _, r.Balance = range []bizum.Amount{2020_35, -3_00, -5, 0} {
				wantCSV(t, true, r)
				wantJSON(t, true, r)
			}
			wantCSV(t, false, r)
			wantJSON(t, false, r)
		}
	}
	for _, text := range invalid {
		wantCSV(t, true, row("x", "y", text))
		wantJSON(t, true, row("x", "y", text))
	}
}

// TestTextReadsBack: a line of text is a message again, and what would be two lines is none.
func TestTextReadsBack(t *testing.T) {
	for _, concept := range texts {
		r := row("Maria", concept, "cuenta")
		line, err := byName(t, "text", false).Append([]byte("before"), r)
		if strings.ContainsAny(concept, "\r\n") {
			if !errors.Is(err, format.ErrLineBreak) || string(line) != "before" {
				t.Errorf("%q: %q, %v", concept, line, err)
			}
			continue
		}
		p, err := bizum.ParsePayment(line[len("before"):])
		if err != nil || string(p.Name) != "Maria" || string(p.Concept) != concept || p.Change() != r.Change() {
			t.Errorf("%.100q: %+v, %v", line, p, err)
		}
	}
}

func FuzzCSV(f *testing.F)  { fuzz(f, wantCSV) }
func FuzzJSON(f *testing.F) { fuzz(f, wantJSON) }

func fuzz(f *testing.F, want func(t *testing.T, withBalance bool, r *format.Row)) {
	for _, text := range slices.Concat(texts[:len(texts)-1], invalid) {
		f.Add(text, "Cena", "cuenta", int64(2035), int64(-300), true)
		f.Add("Maria", text, text, int64(1), int64(0), false)
	}
	f.Fuzz(func(t *testing.T, name, concept, account string, amount, balance int64, withBalance bool) {
		r := row(name, concept, account)
		r.Amount, r.Balance = bizum.Amount(amount), bizum.Amount(balance)
		want(t, withBalance, r)
	})
}

func everyFormat(visit func(name string, withBalance bool)) {
	for _, name := range []string{"text", "csv", "json"} {
		visit(name, false)
		visit(name, true)
	}
}

func TestPlainRowsAllocateNothing(t *testing.T) {
	r := row("María del Pilar", "Alquiler de la casa rural", "cuenta-20000")
	line := make([]byte, 0, 1000)
	everyFormat(func(name string, withBalance bool) {
		f := byName(t, name, withBalance)
		if n := testing.AllocsPerRun(100, func() { line, _ = f.Append(line[:0], r) }); n != 0 {
			t.Errorf("%s, balance %v: %v allocations a row", name, withBalance, n)
		}
	})
}

func BenchmarkFormat(b *testing.B) {
	r := row("Marcos", "Alquileres", "cuenta-12345")
	everyFormat(func(name string, withBalance bool) {
		f := byName(b, name, withBalance)
		b.Run(fmt.Sprintf("%s/balance=%v", name, withBalance), func(b *testing.B) {
			var line []byte
			b.ReportAllocs()
			for b.Loop() {
				line, _ = f.Append(line[:0], r)
			}
			b.SetBytes(int64(len(line)))
		})
	})
}
