package format_test

import (
	"testing"

	"bizumctl/bizum/format"
)

// Sums of accounts have a balance, others have payments; what csv and json have to quote is quoted.
func TestSums(t *testing.T) {
	sum := format.Sum{Of: `a,"b"`, Balance: -5, Payments: 3, Sent: 1_000_00, Received: 20, Net: -999_80}
	for _, c := range []struct{ format, column, header, line string }{
		{"csv", "cuenta", "cuenta,saldo", `"a,""b""",-0.05`},
		{"json", "cuenta", "", `{"cuenta":"a,\"b\"","saldo":-0.05}`},
		{"csv", "nombre", "nombre,bizums,enviado,recibido,neto", `"a,""b""",3,1000.00,0.20,-999.80`},
		{"json", "concepto", "", `{"concepto":"a,\"b\"","bizums":3,"enviado":1000.00,"recibido":0.20,"neto":-999.80}`},
	} {
		f, err := format.SumsByName(c.format, c.column, false)
		if err != nil || f.Header != c.header {
			t.Errorf("%s of %s: %q, %v", c.format, c.column, f.Header, err)
			continue
		}
		if got := string(f.Append(nil, &sum)); got != c.line {
			t.Errorf("%s of %s: %s, want %s", c.format, c.column, got, c.line)
		}
	}
	f, err := format.SumsByName("csv", "cuenta", true)
	if got := string(f.Append(nil, &format.Sum{Of: "=1\xff"})); err != nil || got != "'=1\ufffd,0.00" {
		t.Errorf("safe: %q, %v", got, err)
	}
	if _, err := format.SumsByName("text", "cuenta", false); err == nil {
		t.Error("there is no text of sums")
	}
}
