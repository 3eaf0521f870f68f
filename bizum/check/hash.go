package check

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// Sum is the sum, modulo 2^128, of the hashes of records: whatever their order, it is the same. A record that comes
// twice changes it, as does one that is missing, and two changes do not cancel each other but by a chance of 2^-128,
// because each term is cut from a SHA-256.
type Sum struct{ High, Low uint64 }

// Add adds another sum.
func (s *Sum) Add(t Sum) {
	var carry uint64
	s.Low, carry = bits.Add64(s.Low, t.Low, 0)
	s.High, _ = bits.Add64(s.High, t.High, carry)
}

// hasher makes the hashes of the records of a run.
type hasher struct {
	run  string
	text []byte
}

// of returns the hash of a record: of the run, the account and the value, each after its length.
func (h *hasher) of(account, value []byte) Sum {
	h.text = binary.AppendUvarint(h.text[:0], uint64(len(h.run)))
	h.text = append(h.text, h.run...)
	h.text = binary.AppendUvarint(h.text, uint64(len(account)))
	h.text = append(append(h.text, account...), value...)
	digest := sha256.Sum256(h.text)
	return Sum{binary.BigEndian.Uint64(digest[:8]), binary.BigEndian.Uint64(digest[8:16])}
}

// MarshalText makes 32 hexadecimal digits of a sum.
func (s Sum) MarshalText() ([]byte, error) {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s.High)
	binary.BigEndian.PutUint64(b[8:], s.Low)
	return hex.AppendEncode(nil, b[:]), nil
}

// UnmarshalText reads what MarshalText makes.
func (s *Sum) UnmarshalText(text []byte) error {
	var b [16]byte
	if len(text) != 2*len(b) {
		return fmt.Errorf("hash %.40q: want %d hexadecimal digits", text, 2*len(b))
	}
	if _, err := hex.Decode(b[:], text); err != nil {
		return fmt.Errorf("hash %q: %w", text, err)
	}
	*s = Sum{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	return nil
}
