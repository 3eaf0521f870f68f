package ledger

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"bizumctl/bizum"
	"bizumctl/bizum/record"
)

// Metadata of a position that is ours stands for one offset, or none.
func FuzzMetadata(f *testing.F) {
	for _, booked := range []int64{none, 0, 41, math.MaxInt64} {
		f.Add(metadata(booked))
	}
	for _, text := range []string{"", "1", "1 ", "1  7", "2 7", "1 -7", "1 +7", "1 9223372036854775808", "1 7 "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		booked, ours := parseMetadata(text)
		if Ours(text) != ours {
			t.Fatalf("%q: ours %v and %v", text, ours, Ours(text))
		}
		if !ours {
			return
		}
		if booked < none {
			t.Fatalf("%q: %d", text, booked)
		}
		if again, ours := parseMetadata(metadata(booked)); !ours || again != booked {
			t.Fatalf("%q: %d, and of that %d, %v", text, booked, again, ours)
		}
	})
}

// A heading that can be read is written so that it reads the same.
func FuzzHeading(f *testing.F) {
	f.Add([]byte{}, Heading{"AAAAAAAAAAAAAAAAAAAAAA", 3, 2000_00}.Value())
	f.Add([]byte{}, Heading{"", math.MaxInt32, -5}.Value())
	f.Add([]byte("cuenta"), []byte("1;id;1;2000.00"))
	for _, value := range []string{"", "1;id;1", "2;id;1;2000.00", "1;id;x;2000.00", "1;id;1;x", "1;id;" + strings.Repeat("+", 999) + ";0.00", "1;id;99999999999;0.00",
		"1;id;1;2000.00;1"} {
		f.Add([]byte{}, []byte(value))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		h, err := ParseHeading(key, value)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("%d bytes of error", len(err.Error()))
			}
			return
		}
		again, err := ParseHeading(nil, h.Value())
		if len(key) > 0 || err != nil || again != h || again.differs(h) != nil {
			t.Fatalf("%q, %q: %+v, and of that %+v, %v", key, value, h, again, err)
		}
	})
}

// An entry that can be read is written so that it reads the same, and no other bytes stand for its balance and offset.
func FuzzEntry(f *testing.F) {
	for _, value := range []string{"Ana;14.49;Cena;ENVIO;1985.51;0", "Ana;1.00;a;b;RECEPCIÓN;-0.01;999999999999999999",
		"Ana;1.00;Cena;ENVIO;1.00;01", "Ana;1.00;Cena;ENVIO;1.00;", "Ana;1.00;Cena;ENVIO;1;7", ";7", "7", "",
		"Ana;1.00;Cena;ENVIO;1.00;1000000000000000000", "Ana;1.00;Cena;pago;1.00;7"} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := parsePosted(value)
		if err != nil || len(value) > bizum.MessageBytesMax {
			return
		}
		written := appendPosted(nil, &e.Payment, e.balance, e.offset)
		again, err := parsePosted(written)
		if err != nil || again.balance != e.balance || again.offset != e.offset || again.Amount != e.Amount ||
			again.Kind != e.Kind || !bytes.Equal(again.Name, e.Name) || !bytes.Equal(again.Concept, e.Concept) {
			t.Fatalf("%q: %+v, written %q: %+v, %v", value, e, written, again, err)
		}
		if end := ";" + e.balance.String() + ";" + strconv.FormatInt(e.offset, 10); !bytes.HasSuffix(value, []byte(end)) ||
			!bytes.HasSuffix(written, []byte(end)) {
			t.Fatalf("%q and %q: balance %v, offset %d", value, written, e.balance, e.offset)
		}
	})
}

// The headers of a rejected message are whatever the topic has.
func FuzzRejectedOffset(f *testing.F) {
	f.Add([]byte(encodeHeaders(rejectedHeaders(41, errNoEntry))))
	f.Add([]byte(encodeHeaders([]record.Header{{Key: offsetHeader, Value: []byte("-1")}})))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, headers []byte) {
		r := &record.Record{Headers: headers}
		if offset, err := rejectedOffset(r); err == nil && offset < 0 {
			t.Fatalf("%q: %d", headers, offset)
		}
	})
}
