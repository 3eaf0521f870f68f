package bizum_test

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"bizumctl/bizum"
)

// Messages of 29 bytes, one of each tipo.
const (
	sentMessage     = "Marcos;57.23;Alquileres;ENVIO"
	receivedMessage = "Marcos;20.35;Bizum;RECEPCIÓN"
)

const (
	empty     = "empty message"
	tooLong   = "longer than 64 KiB"
	notUTF8   = "not UTF-8"
	noName    = "name is empty"
	fewFields = "fewer than four fields"
	badTipo   = "neither ENVIO nor RECEPCIÓN"
)

// long is a good message of so many bytes.
func long(size int) string {
	const start, end = "Maria;20.00;", ";ENVIO"
	return start + strings.Repeat("x", size-len(start)-len(end)) + end
}

func TestPayment(t *testing.T) {
	const bom = "\ufeff"
	for _, c := range []struct{ value, want, reason string }{
		{"Maria;20.35;Cena;RECEPCIÓN", "Maria;20.35;Cena;RECEPCIÓN", ""},
		{"Maria;20;Cena;RECEPCIÓN", "Maria;20.00;Cena;RECEPCIÓN", ""},
		{"Íñigo;5,5;Cañas y más;ENVIO", "Íñigo;5.50;Cañas y más;ENVIO", ""},
		{"Maria;20;;ENVIO", "Maria;20.00;;ENVIO", ""},
		{"Maria;20;a;b;c;ENVIO", "Maria;20.00;a;b;c;ENVIO", ""},
		{"Maria;20;;;;ENVIO", "Maria;20.00;;;;ENVIO", ""},
		{"Maria;20;ENVIO;RECEPCIÓN", "Maria;20.00;ENVIO;RECEPCIÓN", ""},
		{"Maria;20; Cena ;ENVIO", "Maria;20.00; Cena ;ENVIO", ""},
		{" ;20;Cena;ENVIO", " ;20.00;Cena;ENVIO", ""},
		{"Ma\x00ria;20;Ce\nna\r;ENVIO", "Ma\x00ria;20.00;Ce\nna\r;ENVIO", ""}, // shown escaped, kept as it is
		{"Jose\u0301;20;🍕;ENVIO", "Jose\u0301;20.00;🍕;ENVIO", ""},
		{"M;1;C;ENVIO", "M;1.00;C;ENVIO", ""},

		{bom + "Maria;20;Cena;ENVIO", "Maria;20.00;Cena;ENVIO", ""},
		{"Maria;20;Cena;ENVIO\n", "Maria;20.00;Cena;ENVIO", ""},
		{"Maria;20;Cena;ENVIO\r", "Maria;20.00;Cena;ENVIO", ""},
		{bom + "Maria;20;Cena;RECEPCIÓN\r\n", "Maria;20.00;Cena;RECEPCIÓN", ""},
		{"Maria;20;" + bom + ";ENVIO", "Maria;20.00;" + bom + ";ENVIO", ""},
		{"Maria;20;Cena;ENVIO" + bom, "", badTipo},
		{"Maria;" + bom + "20;Cena;ENVIO", "", notANumber},

		{long(bizum.MessageBytesMax), long(bizum.MessageBytesMax), ""},
		{long(bizum.MessageBytesMax + 1), "", tooLong},
		{long(bizum.MessageBytesMax) + "\n", "", tooLong},
		{long(bizum.MessageBytesMax-1) + "\n", long(bizum.MessageBytesMax - 1), ""},
		{strings.Repeat("x", 1<<20), "", tooLong},

		{"", "", empty},
		{"\n", "", empty},
		{"\r\n", "", empty},
		{bom, "", empty},
		{bom + "\r\n", "", empty},
		{"x", "", fewFields},
		{"Maria", "", fewFields},
		{"Maria;20", "", fewFields},
		{"Maria;20;ENVIO", "", fewFields},
		{";", "", fewFields},
		{";;", "", fewFields},
		{"Maria,20,Cena,ENVIO", "", fewFields},
		{";;;", "", noName},
		{";20;Cena;ENVIO", "", noName},
		{bom + ";20;Cena;ENVIO", "", noName},
		{"Maria;;Cena;ENVIO", "", notANumber},
		{"Maria;Cena;20;ENVIO", "", notANumber},
		{"Maria;20;Cena;", "", badTipo},
		{"Maria;20;Cena;pago", "", badTipo},
		{"Maria;20;Cena;ENVIO;", "", badTipo},
		{"Maria;20;Cena; ENVIO", "", badTipo},
		{"Maria;20;Cena;ENVIO ", "", badTipo},
		{"Maria;20;Cena;ENVIO\x00", "", badTipo},
		{"Maria;20;Cena;ENVIO\n\x00", "", badTipo},
		{"Maria;20\x00;Cena;ENVIO", "", notANumber},
		{"\x00", "", fewFields},
		{"Nombre;Cantidad;Concepto;tipo", "", notANumber}, // a header line

		{"Maria;20;Cena;RECEPCI\xd3N", "", notUTF8}, // Latin-1
		{"Mar\xeda;20;Cena;ENVIO", "", notUTF8},
		{"Maria;20;\xff;ENVIO", "", notUTF8},
		{"Maria;20;\xed\xa0\x80;ENVIO", "", notUTF8}, // half a surrogate pair
		{"Maria;20;\xc0\xbb;ENVIO", "", notUTF8},     // an overlong ;
		{"Maria;20;Cena;RECEPCI\xc3", "", notUTF8},
		{"\xff\xfeM\x00", "", notUTF8}, // UTF-16
	} {
		value := []byte(c.value)
		p, err := bizum.ParsePayment(value)
		if !reasonIs(err, c.reason) {
			t.Errorf("%.60q: %v, want %q", c.value, err, c.reason)
		}
		if got := p.Append(nil); err == nil && string(got) != c.want {
			t.Errorf("%.60q: read as %.60q, want %.60q", c.value, got, c.want)
		}
		if string(value) != c.value {
			t.Errorf("%.60q: was changed to %.60q", c.value, value)
		}
	}
}

func TestTombstone(t *testing.T) {
	if _, err := bizum.ParsePayment(nil); !reasonIs(err, empty) {
		t.Errorf("nil: %v, want %q", err, empty)
	}
}

func TestTipo(t *testing.T) {
	const sent, received = bizum.Sent, bizum.Received
	for word, want := range map[string]bizum.Kind{
		"ENVIO": sent, "envio": sent, "Envio": sent, "eNvIo": sent,
		"ENVÍO": sent, "envío": sent, "Envío": sent, "ENVI\u0301O": sent, "envi\u0301o": sent,
		"RECEPCIÓN": received, "recepción": received, "Recepción": received, "RECEPCIóN": received,
		"RECEPCION": received, "recepcion": received, "rEcEpCiOn": received,
		"RECEPCIO\u0301N": received, "recepcio\u0301n": received, "Recepcio\u0301n": received,

		"": 0, "ENVI": 0, "ENVIOS": 0, "ENVÌO": 0, "ENVIO\u0301": 0, "E\u0301NVIO": 0, "ENVI\u0301\u0301O": 0,
		"ENVıO": 0, "ENVİO": 0, "ЕNVIO": 0, "ＥＮＶＩＯ": 0, "EN\u200bVIO": 0, "ENV1O": 0, "ENVI0": 0,
		"RECEPCI": 0, "RECEPCIÒN": 0, "RECEPCIÖN": 0, "RECEPCIO\u0300N": 0, "RÉCEPCIÓN": 0, "RECEPCIÓN\u0301": 0,
		"RECEPCIÃ“N": 0, "INGRESO": 0, "ENVIO RECEPCIÓN": 0,
	} {
		p, err := bizum.ParsePayment([]byte("Maria;20;Cena;" + word))
		if p.Kind != want || (err == nil) != (want != 0) {
			t.Errorf("%+q: %d, %v; want %d", word, p.Kind, err, want)
		}
	}
	if sent.String() != "ENVIO" || received.String() != "RECEPCIÓN" {
		t.Errorf("the words are %v and %v", sent, received)
	}
	if in, out := parse(t, receivedMessage).Change(), parse(t, sentMessage).Change(); in != 2035 || out != -5723 {
		t.Errorf("changes %v and %v, want 20.35 and -57.23", in, out)
	}
}

// obeyed finds what a terminal would obey, or not show, or cannot decode.
func obeyed(text string) string {
	if !utf8.ValidString(text) {
		return "invalid UTF-8"
	}
	for _, r := range text {
		if r < 0x20 || r >= 0x7f && r <= 0x9f || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// attacks are what somebody may send to rule the reader's terminal.
var attacks = []string{
	"\x1b[2J", "\x1b[31m", "\x1b]0;title\a", "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\", "\x1b]52;c;cm0=\a",
	"\x1bP1$r0m\x1b\\", "\x1bc", "\x1b", "\a", "\b\b\b\b", "\x00", "\t", "\v", "\f", "\x0e",
	"\u009b2J", "\u009d0;title\u009c", "\u0080", "\u0090", "\u009f", "\x9b2J", "\x7f", "a\rb", "a\nbizumctl: forged",
	"\u202eoivne", "\u202a", "\u2066x\u2069", "\u200b", "\u200d", "\u200e", "\u200f", "\u061c", "\u2028", "\u2029",
	"\ufeff", "\u00ad", "\U000e0041", "\ue000", "\xff\xfe", "\xed\xa0\x80",
}

// TestReasonsHoldNothingToObey: in every place that quotes what somebody wrote.
func TestReasonsHoldNothingToObey(t *testing.T) {
	full := bizum.NewBook(math.MaxInt64)
	cent := parse(t, "Maria;0.01;Cena;RECEPCIÓN")
	for _, attack := range attacks {
		for pad := range 45 { // past the cut, which may fall inside a character
			text := strings.Repeat("x", pad) + attack + "x"
			field := strings.ReplaceAll(text, ";", ":")
			reasons := map[string]error{}
			_, reasons["amount"] = bizum.ParsePayment([]byte("Maria;" + field + ";Cena;ENVIO"))
			_, reasons["tipo"] = bizum.ParsePayment([]byte("Maria;20;Cena;" + field))
			_, reasons["name"] = bizum.ParsePayment([]byte(field + ";x;Cena;ENVIO"))
			_, reasons["concept"] = bizum.ParsePayment([]byte("Maria;20;" + text + ";x"))
			_, reasons["flag"] = bizum.ParseAmount(text)
			_, reasons["account"] = full.Apply([]byte(text), cent)
			_, reasons["list of names"] = bizum.ParseNames([]byte(text + ";x"))
			_, reasons["list of concepts"] = bizum.ParseConcepts([]byte(text + strings.Repeat("x", 2000)))
			for place, err := range reasons {
				if err == nil {
					t.Fatalf("%s %q: no error", place, text)
				}
				if bad := obeyed(err.Error()); bad != "" {
					t.Errorf("%s %q: the reason %q holds %s", place, text, err, bad)
				}
			}
		}
	}
}

// TestReasonsAreShort: 64 KiB of nonsense do not become 64 KiB of reason.
func TestReasonsAreShort(t *testing.T) {
	for _, junk := range []string{"x", "\x1b", "\u202e", "é", "\U0001f355"} {
		text := strings.Repeat(junk, 60_000/len(junk))
		for _, value := range []string{"Maria;" + text + ";Cena;ENVIO", "Maria;20;Cena;" + text} {
			_, err := bizum.ParsePayment([]byte(value))
			if err == nil {
				t.Fatalf("%.20q…: no error", value)
			}
			if reason := err.Error(); len(reason) > 250 || !strings.Contains(reason, "…") {
				t.Errorf("%.20q…: the reason has %d bytes: %.300s", value, len(reason), reason)
			}
		}
	}
}

// TestReasonsTell: which field, and what it says, as it was written.
func TestReasonsTell(t *testing.T) {
	for value, want := range map[string]string{
		"Maria;doce;Cena;ENVIO":   `amount "doce": not a number of euros`,
		"Maria;1.234;Cena;ENVIO":  `amount "1.234": three decimals are ambiguous: write two, or none`,
		"Maria;0;Cena;ENVIO":      `amount "0": not above zero`,
		"Maria;1e12;Cena;ENVIO":   `amount "1e12": not a number of euros`,
		"Maria;20;Cena;pago":      `tipo "pago": neither ENVIO nor RECEPCIÓN`,
		"Maria;20;Cena;Devolució": `tipo "Devolució": neither ENVIO nor RECEPCIÓN`,
		"Maria;20;Cena;\x1b[2J":   `tipo "\x1b[2J": neither ENVIO nor RECEPCIÓN`,
		"Maria;20":                `fewer than four fields: want Nombre;Cantidad;Concepto;tipo`,
	} {
		if _, err := bizum.ParsePayment([]byte(value)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", value, err, want)
		}
	}
}

// TestBOMs: however many byte order marks there are, what we write of a message reads back as the same.
func TestBOMs(t *testing.T) {
	for n := range 4 {
		value := strings.Repeat("\ufeff", n) + "Maria;20;Cena;ENVIO"
		if p, err := bizum.ParsePayment([]byte(value)); err == nil {
			readsBack(t, value, p)
		}
	}
}

// readsBack: what we write is what we read, and writing that again changes no byte.
func readsBack(t *testing.T, value string, p bizum.Payment) {
	t.Helper()
	text := p.Append(nil)
	if len(text) > bizum.MessageBytesMax {
		return // two decimals and an accent more than it had
	}
	again, err := bizum.ParsePayment(text)
	if err != nil {
		t.Fatalf("%.100q is written as %.100q: %v", value, text, err)
	}
	if !bytes.Equal(again.Name, p.Name) || !bytes.Equal(again.Concept, p.Concept) ||
		again.Amount != p.Amount || again.Kind != p.Kind || again.Rounded {
		t.Fatalf("%.100q is %+v, and read back %+v", value, p, again)
	}
	if second := again.Append(nil); !bytes.Equal(second, text) {
		t.Fatalf("%.100q is written as %.100q, then as %.100q", value, text, second)
	}
}

func FuzzPayment(f *testing.F) {
	for _, seed := range []string{
		sentMessage, receivedMessage, "Maria;20.35;Cena;RECEPCIÓN\r\n", "\ufeffMaria;57,23918273;a;b;recepcio\u0301n",
		"\nM;1;;envío", "Maria;1.234;Cena;ENVIO", ";;;", "Maria;20;Cena", "Mar\xeda;20;Cena;ENVIO", "Maria;0.0050;;ENVIO",
		"\ufeff\ufeffMaria;20;Cena;ENVIO",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		before := string(value)
		p, err := bizum.ParsePayment(value)
		if string(value) != before {
			t.Fatalf("%q was changed to %q", before, value)
		}
		if err != nil {
			if bad := obeyed(err.Error()); bad != "" || len(err.Error()) > 250 {
				t.Fatalf("%q: the reason %q holds %s", value, err, bad)
			}
			return
		}
		if len(p.Name) == 0 || bytes.IndexByte(p.Name, ';') >= 0 || p.Amount <= 0 || p.Amount > bizum.AmountMax ||
			p.Kind != bizum.Sent && p.Kind != bizum.Received {
			t.Fatalf("%q is %+v", value, p)
		}
		readsBack(t, before, p)
	})
}

func TestPaymentAllocatesNothing(t *testing.T) {
	buffer := make([]byte, 0, 100)
	for _, value := range []string{sentMessage, receivedMessage, "Maria;57.23918273;Cena;recepcio\u0301n\r\n"} {
		message := []byte(value)
		var p bizum.Payment
		if n := testing.AllocsPerRun(100, func() { p, _ = bizum.ParsePayment(message) }); n != 0 {
			t.Errorf("%q: %v allocations to read", value, n)
		}
		if n := testing.AllocsPerRun(100, func() { buffer = p.Append(buffer[:0]) }); n != 0 {
			t.Errorf("%q: %v allocations to write", value, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, value := range []string{sentMessage, receivedMessage} {
		message := []byte(value)
		b.Run(strconv.Itoa(len(message))+"-"+parse(b, value).Kind.String(), func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bizum.ParsePayment(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
