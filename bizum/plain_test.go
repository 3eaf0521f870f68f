package bizum

import (
	"bytes"
	"testing"
)

// FuzzPlain: the short way of reading a message comes to what the long one does, whatever the message is.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{
		"Maria;20;Cena;RECEPCIÓN", "Pepe;100,5;;ENVIO", "é;9.99;a;b;ENVIO", "M;0;x;ENVIO", "M;0.00;x;ENVIO", ";1;x;ENVIO",
		"M;999999999.99;x;ENVIO", "M;1000000000;x;ENVIO", "M;1.234;x;ENVIO", "M;1.;x;ENVIO", "M;.5;x;ENVIO", "M;1;\xff;ENVIO",
		"\xff;1;x;RECEPCIÓN", "\ufeffM;1;x;ENVIO", "M;1;x;ENVIO\r\n", "M;1;ENVIO", "M;ENVIO", "a;1;RECEPCIÓN", "M;1.2345;x;ENVIO",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got, gotErr := ParsePayment(value)
		want, wantErr := parseAny(value)
		if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
			t.Fatalf("%q: %v, want %v", value, gotErr, wantErr)
		}
		if !bytes.Equal(got.Name, want.Name) || !bytes.Equal(got.Concept, want.Concept) || got.Amount != want.Amount ||
			got.Kind != want.Kind || got.Rounded != want.Rounded {
			t.Fatalf("%q: %+v, want %+v", value, got, want)
		}
		change, rounded, err := ParseChange(value)
		if (err == nil) != (wantErr == nil) || err == nil && (change != want.Change() || rounded != want.Rounded) {
			t.Fatalf("%q: change %v, rounded %v, %v; want %+v, %v", value, change, rounded, err, want, wantErr)
		}
	})
}
