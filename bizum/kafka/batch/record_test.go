package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"bizumctl/bizum/record"
)

func plainBatch(n int) Batch {
	var b []byte
	for i := range n {
		var r []byte
		r = append(r, 0)
		r = binary.AppendVarint(r, int64(i/100))
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, 6)
		r = append(r, "cuenta"...)
		v := fmt.Sprintf("Carmen;%d.%02d;Comida;RECEPCIÓN", 5+i%90, i%100)
		r = binary.AppendVarint(r, int64(len(v)))
		r = append(r, v...)
		r = append(r, 0)
		b = binary.AppendVarint(b, int64(len(r)))
		b = append(b, r...)
	}
	return Batch{Last: int64(n - 1), Count: n, records: b}
}

func BenchmarkCheck(b *testing.B) {
	batch := plainBatch(10_000)
	for b.Loop() {
		if err := batch.Check(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*10_000), "ns/record")
}

func BenchmarkRecords(b *testing.B) {
	batch, sum := plainBatch(10_000), 0
	for b.Loop() {
		for r := range batch.Records {
			sum += len(r.Value)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*10_000), "ns/record")
}

// decode has a way of its own for most records: it must find in all of them, and refuse, what decodeAny does.
func TestDecodeAlike(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	number := func() int64 { return random.Int64() >> random.IntN(64) * int64(1-2*random.IntN(2)) }
	field := func(b []byte) []byte {
		if random.IntN(4) == 0 {
			return binary.AppendVarint(b, -1)
		}
		content := bytes.Repeat([]byte{'x'}, random.IntN(1<<random.IntN(10)))
		return append(binary.AppendVarint(b, int64(len(content))), content...)
	}
	for range 200_000 {
		body := binary.AppendVarint(binary.AppendVarint([]byte{0}, number()), number()>>random.IntN(34))
		body = append(field(field(body)), 0)
		b := append(binary.AppendVarint([]byte("before"), int64(len(body))), body...)
		b = append(b, "after"...)
		at := len("before")
		for range random.IntN(3) {
			b[at+random.IntN(min(len(b)-at, 12))] = byte(random.Uint32())
		}
		b = b[:len(b)-random.IntN(2)*random.IntN(len(b)-at)]
		var got, want record.Record
		end, wantEnd := decode(&got, b, at), decodeAny(&want, b, at)
		if end != wantEnd || end >= 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %x: %+v to %d, want %+v to %d", seed, b[at:], got, end, want, wantEnd)
		}
	}
}
