package page

import (
	"fmt"
	"testing"
	"time"

	"bizumctl/bizum"
)

// What a page costs a payment, with one account and with many.
func BenchmarkAdd(b *testing.B) {
	for _, accounts := range []int{1, 100, 1_000_000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			balance := NewBalance(BalanceConfig{Initial: 2000_00, Now: time.Now})
			book := bizum.NewBook(2000_00)
			rows := make([]Row, 1<<16)
			for i := range rows {
				p := bizum.Payment{Name: fmt.Append(nil, "Name ", i%100), Amount: bizum.Amount(500 + i*7919%9500),
					Concept: fmt.Append(nil, "Concepto ", i*31%100), Kind: bizum.Kind(1 + i%2)}
				e, err := book.Apply(fmt.Append(nil, "cuenta-", i*7919%accounts), p)
				if err != nil {
					b.Fatal(err)
				}
				rows[i] = Row{e, 0, int64(i), int64(1_700_000_000_000 + i)}
			}
			collect := balance.Rows()
			b.ResetTimer()
			for i := range b.N {
				r := &rows[i%len(rows)]
				collect.Add(&r.Entry, 0, r.Offset, r.Timestamp)
			}
		})
	}
}
