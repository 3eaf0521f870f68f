package record_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"bizumctl/bizum/record"
)

func encoded(pairs ...[]byte) record.Headers {
	h := binary.AppendVarint(nil, int64(len(pairs)/2))
	for _, field := range pairs {
		length := int64(len(field))
		if field == nil {
			length = -1
		}
		h = append(binary.AppendVarint(h, length), field...)
	}
	return h
}

func TestHeaders(t *testing.T) {
	h := encoded([]byte("reason"), []byte("empty"), []byte("offset"), []byte{}, []byte("none"), nil,
		[]byte("reason"), []byte("second"), []byte("long"), bytes.Repeat([]byte("x"), 300))
	for name, want := range map[string][]byte{"reason": []byte("empty"), "offset": {}, "none": nil, "other": nil,
		"long": bytes.Repeat([]byte("x"), 300)} {
		if got := h.Get(name); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for n := range h { // whatever is cut is not there
		if got := h[:n].Get("long"); got != nil {
			t.Errorf("of %d bytes: %q", n, got)
		}
	}
}

func TestPosition(t *testing.T) {
	if got := (record.Position{Topic: "bizums", Partition: 2, Offset: 1041}).String(); got != "bizums/2@1041" {
		t.Error(got)
	}
}
