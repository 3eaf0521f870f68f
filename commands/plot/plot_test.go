package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bizumctl/bizum"
)

const noon = 1_780_000_000_000 // a day of 2026

func recorder(initial bizum.Amount) *Recorder {
	return NewRecorder(initial, "", func() time.Time { return time.UnixMilli(noon).AddDate(1, 0, 0) })
}

func title() Title { return Title{Topic: "bizums", Zone: time.UTC} }

// TestExtremesStay: of any payments, in any number and at any times, a curve has the lowest and the highest balance, the
// closing one, and no more buckets than it may.
func TestExtremesStay(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 0))
		r := recorder(2000_00)
		balance, low, high := bizum.Amount(2000_00), bizum.Amount(math.MaxInt64), bizum.Amount(math.MinInt64)
		at, payments := int64(noon), 1+rng.IntN(20_000)
		for range payments {
			switch rng.IntN(3) {
			case 0:
				at += rng.Int64N(1 << rng.IntN(20))
			case 1:
				at += rng.Int64N(3)
			}
			change := bizum.Amount(rng.IntN(19001) - 9500)
			balance += change
			low, high = min(low, balance), max(high, balance)
			odd := [...]int64{at, at, at, at, -1, 0, 5, math.MaxInt64, math.MinInt64, at - 1000}
			r.Part(0).Moved([]byte("ana"), odd[rng.IntN(len(odd))], change)
		}
		curves, of, _ := r.curves(curvesMax)
		if len(curves) != 1 || of != 1 {
			t.Fatalf("seed %d: %d curves of %d", seed, len(curves), of)
		}
		c := curves[0]
		gotLow, gotHigh, before := c.buckets[0].low, c.buckets[0].high, int64(0)
		for _, b := range c.buckets {
			gotLow, gotHigh = min(gotLow, b.low), max(gotHigh, b.high)
			if b.at < before {
				t.Fatalf("seed %d: time went back", seed)
			}
			before = b.at
		}
		if gotLow != low || gotHigh != high || c.last != balance || len(c.buckets) > bucketsMax {
			t.Errorf("seed %d, %d payments: from %v to %v, closing %v in %d buckets; want %v to %v, %v", seed, payments, gotLow,
				gotHigh, c.last, len(c.buckets), low, high, balance)
		}
	}
}

// TestPartitionsAddUp: an account whose payments are in several partitions has one curve, in the order of time.
func TestPartitionsAddUp(t *testing.T) {
	r := recorder(100)
	r.Part(0).Moved(nil, noon+1, 10) // 110
	r.Part(0).Moved(nil, noon+3, -200)
	r.Part(1).Moved(nil, noon+2, 5) // 115
	r.Part(1).Moved(nil, noon+4, 1)
	curves, _, timed := r.curves(curvesMax)
	if len(curves) != 1 || !timed || curves[0].account != "cuenta" {
		t.Fatalf("%+v, %v", curves, timed)
	}
	var got []bizum.Amount
	for _, b := range curves[0].buckets {
		got = append(got, b.end)
	}
	if want := []bizum.Amount{110, 115, -85, -84}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestMostMoved: the accounts that moved most are drawn, and the picture says of how many.
func TestMostMoved(t *testing.T) {
	r := recorder(0)
	for i := range 3000 {
		r.Part(int32(i%3)).Moved(fmt.Appendf(nil, "account-%04d", i), noon, bizum.Amount(i+1))
	}
	s, drawn := r.draw(title())
	if want := "the 8 accounts that moved most of the first 1,000"; drawn != want {
		t.Errorf("%q, want %q", drawn, want)
	}
	for _, name := range []string{"account-0999", "account-0992"} {
		if !strings.Contains(string(s.svg()), name) {
			t.Errorf("%s is missing", name)
		}
	}
	if strings.Contains(string(s.svg()), "account-0991") {
		t.Error("account-0991 moved less than eight others")
	}
}

// TestUntimed: without times the picture is one of numbers; with some, those without are at the time before.
func TestUntimed(t *testing.T) {
	r := recorder(0)
	for range 10 {
		r.Part(0).Moved(nil, -1, 100)
	}
	if _, _, timed := r.curves(1); timed {
		t.Fatal("times that nobody wrote")
	}
	s, _ := r.draw(title())
	if !strings.Contains(string(s.svg()), "none has a usable time") {
		t.Error("the picture does not say that there are no times")
	}
	r.Part(0).Moved(nil, noon, 1)
	r.Part(0).Moved(nil, 3, 1)
	curves, _, timed := r.curves(1)
	if got := curves[0].buckets; !timed || len(got) != 1 || got[0].at != noon || got[0].low != 100 || got[0].end != 1002 {
		t.Errorf("%+v, %v", got, timed)
	}
	s, _ = r.draw(title())
	if want := "11 without a usable time"; !strings.Contains(string(s.svg()), want) {
		t.Errorf("the picture does not say %q", want)
	}
}

// TestPictures: whatever the balances, times and names, both formats can be read, and nothing is markup.
func TestPictures(t *testing.T) {
	hostile := "</text><script>alert(1)</script>\"'&\x00\x1b[31m\u202e\xff" + strings.Repeat("ñ", 500)
	for name, fill := range map[string]func(*Recorder){
		"nothing": func(*Recorder) {},
		"one":     func(r *Recorder) { r.Part(0).Moved(nil, noon, 1) },
		"hostile": func(r *Recorder) { r.Part(0).Moved([]byte(hostile), noon, 1) },
		"huge": func(r *Recorder) {
			r.Part(0).Booked([]byte("a"), noon, math.MaxInt64, math.MaxInt64)
			r.Part(0).Booked([]byte("b"), noon+1, -math.MaxInt64, -math.MaxInt64)
		},
		"years": func(r *Recorder) {
			r.Part(0).Moved(nil, earliest, 1)
			r.Part(0).Moved(nil, noon, 1)
		},
		"cents": func(r *Recorder) {
			r.Part(0).Moved(nil, noon, 1)
			r.Part(0).Moved(nil, noon+7, -2)
		},
		"days": func(r *Recorder) {
			r.Part(0).Moved(nil, noon-50*24*3600*1000, 1000_00)
			r.Part(0).Moved(nil, noon, -2000_00)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := recorder(0)
			fill(r)
			s, _ := r.draw(Title{Topic: hostile, Zone: time.UTC})
			picture := s.svg()
			for read := xml.NewDecoder(bytes.NewReader(picture)); ; {
				token, err := read.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v in %s", err, picture)
				}
				if element, ok := token.(xml.StartElement); ok && element.Name.Local == "script" {
					t.Error("a name became an element")
				}
			}
			for _, no := range []string{"NaN", "Inf", "\x1b", "\u202e", "\x00"} {
				if bytes.Contains(picture, []byte(no)) {
					t.Errorf("%q in %s", no, picture)
				}
			}
			marks := strings.Count(string(picture), `stroke="`+grid) + strings.Count(string(picture), `stroke="`+faint)
			if marks > 2*timesMax+2 {
				t.Errorf("%d marks of axes", marks)
			}
			drawn, err := s.png()
			if err != nil {
				t.Fatal(err)
			}
			if image, err := png.Decode(bytes.NewReader(drawn)); err != nil || image.Bounds().Dx() != width*scale {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAxes: amounts and times are round.
func TestAxes(t *testing.T) {
	for want, atLeast := range map[bizum.Amount]uint64{1: 0, 2: 2, 5: 3, 10: 6, 100: 100, 200: 101, 5000_00: 2100_00} {
		if got := amountStep(atLeast); got != want {
			t.Errorf("%d: %d, want %d", atLeast, got, want)
		}
	}
	from := time.Date(2026, 3, 28, 22, 59, 30, 0, time.UTC)
	for _, c := range []struct {
		reach  time.Duration
		layout string
		first  time.Time
	}{
		{7 * time.Second, time.TimeOnly, from},
		{50 * time.Minute, "15:04", from.Add(30 * time.Second)},
		{20 * time.Hour, "15:04", time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)},
		{300 * time.Hour, time.DateOnly, time.Date(2026, 3, 30, 0, 0, 0, 0, time.UTC)},
		{6000 * time.Hour, time.DateOnly, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)},
	} {
		at, layout := timesBetween(from, from.Add(c.reach))
		if len(at) < 2 || len(at) > timesMax || layout != c.layout || !at[0].Equal(c.first) {
			t.Errorf("%v: %v as %q; want the first at %v as %q", c.reach, at, layout, c.first, c.layout)
		}
	}
}

// TestFile: a picture takes the place of another one whole, and leaves nothing else behind.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	r := recorder(0)
	r.Part(0).Moved(nil, noon, 100)
	for _, name := range []string{"saldo.svg", "saldo.PNG", "saldo.svg"} {
		if err := CheckFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(filepath.Join(dir, name), title()); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, nil, 0o666); err != nil { // less the umask
		t.Fatal(err)
	}
	want, err := os.Stat(other)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Stat(filepath.Join(dir, "saldo.svg")); err != nil || got.Mode() != want.Mode() {
		t.Errorf("%v, %v; another new file has %v", got.Mode(), err, want.Mode())
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
	if err := CheckFile(filepath.Join(dir, "saldo.pdf")); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if err := CheckFile(filepath.Join(dir, "no", "saldo.svg")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// BenchmarkMoved is what a picture costs a replay for each payment.
func BenchmarkMoved(b *testing.B) {
	p, key := recorder(0).Part(0), []byte("cuenta")
	for i := range b.N {
		p.Moved(key, noon+int64(i/1000), bizum.Amount(1-i%2*2))
	}
}
