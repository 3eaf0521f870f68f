package batch

import (
	"encoding/binary"
	"fmt"
	"testing"
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
