package page

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"bizumctl/bizum"
)

// What slow readers cost a balance: the time for each payment is the same with none, 10 and 1,000 of them. Each reads a
// few bytes now and then.
func BenchmarkSlowReaders(b *testing.B) {
	for _, readers := range []int{0, 10, 1000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			balance := NewBalance(BalanceConfig{Initial: 2000_00, Now: time.Now})
			server, err := Listen(Config{Address: "localhost:0", Metrics: NewMetrics("test"), Balance: balance})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			for range readers {
				conn, err := net.Dial("tcp", server.Address())
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
					b.Fatal(err)
				}
				go readSlowly(conn)
			}
			for balance.stream.count() < readers {
				runtime.Gosched()
			}
			book := bizum.NewBook(2000_00)
			collect := balance.Rows()
			p := bizum.Payment{Name: []byte("Ana"), Amount: 1, Concept: []byte("Cine"), Kind: bizum.Received}
			b.ResetTimer()
			for i := range b.N {
				e, err := book.Apply([]byte("cuenta"), p)
				if err != nil {
					b.Fatal(err)
				}
				collect.Add(&e, 0, int64(i), int64(1_780_000_000_000+i/1000))
			}
			b.StopTimer()
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.HeapInuse)/(1<<20), "MB")
		})
	}
}

func readSlowly(conn net.Conn) {
	read := bufio.NewReaderSize(conn, 64)
	for some := make([]byte, 64); ; time.Sleep(100 * time.Millisecond) {
		if _, err := read.Read(some); err != nil {
			return
		}
	}
}
