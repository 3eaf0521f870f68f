package check_test

import (
	"context"
	"runtime"
	"strconv"
	"testing"

	"bizumctl/bizum/check"
)

// observedAll are the records of a perfect pipeline, made as fast as can be.
func observedAll(b *testing.B, r *check.Receipt, observe func(*check.Observed)) {
	generator := r.Stream.Generator()
	var n, value []byte
	run := []byte(r.Run)
	o := check.Observed{Place: check.Place{Source: "out"}, Run: run, Time: check.NoTime}
	for i := range r.Sent {
		key, payment := generator.Next()
		n, value = strconv.AppendInt(n[:0], i, 10), payment.Append(value[:0])
		o.At, o.N, o.Account, o.Value = i, n, key, value
		observe(&o)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, by := range []check.Naming{check.ByNumber, check.ByValue} {
		for _, accounts := range []int{1, 100_000} {
			name := map[check.Naming]string{check.ByNumber: "number", check.ByValue: "value"}[by]
			b.Run(name+"/"+strconv.Itoa(accounts), func(b *testing.B) {
				r := receipt(b, "run", 7, accounts, 0, nil)
				r.Sent = int64(b.N)
				c, err := check.New(check.Config{Receipts: []*check.Receipt{r}, By: by})
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				observedAll(b, r, func(o *check.Observed) {
					if err := c.Observe(o); err != nil {
						b.Fatal(err)
					}
				})
				if again, err := c.EndPass(context.Background()); again || err != nil {
					b.Fatal(again, err)
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.Sys>>20), "MiB")
			})
		}
	}
	b.Run("making the records", func(b *testing.B) {
		r := receipt(b, "run", 7, 1, 0, nil)
		r.Sent = int64(b.N)
		b.ResetTimer()
		observedAll(b, r, func(*check.Observed) {})
	})
}
