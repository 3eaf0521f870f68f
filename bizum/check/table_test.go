package check

import (
	"context"
	"fmt"
	"testing"

	"bizumctl/bizum"
)

// valuedRun compares by value what change makes of the messages of a run.
func valuedRun(t *testing.T, r *Receipt, table int, change func(n int64, message []byte) []byte) *Report {
	t.Helper()
	v := newValued(Config{Receipts: []*Receipt{r}, By: ByValue})
	if table > 0 {
		v.table = make([]uint32, table)
	}
	for again := true; again; {
		generator := r.Stream.Generator()
		for n := range r.Sent {
			key, p := generator.Next()
			message := change(n, p.Append(nil))
			if message == nil {
				continue
			}
			if err := v.Observe(&Observed{Account: key, Value: message}); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if again, err = v.EndPass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return v.Report()
}

// Two differences that meet in the table do not hide each other.
func TestDifferencesMeet(t *testing.T) {
	names := [][]byte{[]byte("Ana"), []byte("Zoe")}
	r := &Receipt{Run: "r", Sent: 100, Stream: NewStream(Stream{Seed: 7, Accounts: 1}, names, names)}
	for _, size := range []int{1, 16} {
		report := valuedRun(t, r, size, func(n int64, message []byte) []byte {
			if n == 50 {
				return []byte("Nadie;1.00;x;" + bizum.Sent.String())
			}
			return message
		})
		if report.Count(Missing) != 1 || report.Count(Foreign) != 1 || len(report.Undecided) > 0 {
			t.Errorf("table of %d: %d missing, %d foreign, undecided %q", size, report.Count(Missing),
				report.Count(Foreign), report.Undecided)
		}
		if report.Judge(&Config{}, nil) {
			t.Errorf("table of %d: kept", size)
		}
	}
}

// Each of many differences is counted, in two passes: as many as there are places in the table, and more.
func TestAllDiffer(t *testing.T) {
	names := [][]byte{[]byte("Ana"), []byte("Zoe")}
	const sent = 20_000
	r := &Receipt{Run: "r", Sent: sent, Stream: NewStream(Stream{Seed: 7, Accounts: 1}, names, names)}
	for _, size := range []int{0, 1 << 10} {
		report := valuedRun(t, r, size, func(n int64, _ []byte) []byte { return fmt.Append(nil, "no payment ", n) })
		if report.Count(Missing) != sent || report.Count(Foreign) != sent || len(report.Undecided) > 0 ||
			report.Passes != 2 || report.Distinct != 0 {
			t.Errorf("table of %d: %d missing, %d foreign, %d passes, %d came, undecided %q", size,
				report.Count(Missing), report.Count(Foreign), report.Passes, report.Distinct, report.Undecided)
		}
	}
}

// A payment of unknown outcome that did not come does not count as one that came, though nothing else differs.
func TestUnknownByValue(t *testing.T) {
	names := [][]byte{[]byte("Ana"), []byte("Zoe")}
	r := &Receipt{Run: "r", Sent: 1000, Stream: NewStream(Stream{Seed: 7, Accounts: 1}, names, names),
		Unknown: []Range{{900, 999}}}
	for _, came := range []int64{1000, 950, 900} {
		report := valuedRun(t, r, 0, func(n int64, message []byte) []byte {
			if n >= came {
				return nil
			}
			return message
		})
		if report.UnknownAbsent != 1000-came || report.Distinct != came || report.Records != came ||
			!report.Judge(&Config{}, nil) {
			t.Errorf("of %d that came: %d came, %d unknown did not, %+v", came, report.Distinct,
				report.UnknownAbsent, report.Findings)
		}
	}
}

// Payments without numbers have no due times, so that their latency cannot be judged.
func TestLatencyByValue(t *testing.T) {
	names := [][]byte{[]byte("Ana"), []byte("Zoe")}
	r := &Receipt{Run: "r", Sent: 10, Stream: NewStream(Stream{Seed: 7, Accounts: 1}, names, names)}
	report := valuedRun(t, r, 0, func(_ int64, message []byte) []byte { return message })
	if report.Judge(&Config{MaxLatency: 1}, nil) || len(report.Undecided) != 1 {
		t.Errorf("judged: undecided %q", report.Undecided)
	}
}
