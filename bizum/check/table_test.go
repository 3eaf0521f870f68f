package check

import (
	"context"
	"strings"
	"testing"

	"bizumctl/bizum"
)

// Two differences that meet in the table are found with another hash; if they always do, that is said.
func TestDifferencesMeet(t *testing.T) {
	names := [][]byte{[]byte("Ana"), []byte("Zoe")}
	r := &Receipt{Run: "r", Sent: 100, Stream: NewStream(Stream{Seed: 7, Accounts: 1}, names, names)}
	for _, size := range []int{1, 16} {
		v := newValued(Config{Receipts: []*Receipt{r}, By: ByValue})
		v.table = make([]int32, size)
		for again := true; again; {
			generator := r.Stream.Generator()
			for n := range 100 {
				key, p := generator.Next()
				o := Observed{Account: key, Value: p.Append(nil)}
				if n == 50 {
					o.Value = []byte("Nadie;1.00;x;" + bizum.Sent.String())
				}
				if err := v.Observe(&o); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			if again, err = v.EndPass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		report := v.Report()
		unsure := strings.Contains(strings.Join(report.Undecided, " "), "whether all differences were found")
		found := report.Count(Missing) == 1 && report.Count(Foreign) == 1
		if size == 1 && !unsure || size > 1 && !found {
			t.Errorf("table of %d: %d missing, %d foreign, undecided %q", size, report.Count(Missing),
				report.Count(Foreign), report.Undecided)
		}
		if report.Judge(&Config{}, nil) {
			t.Errorf("table of %d: kept", size)
		}
	}
}
