package bizum_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"bizumctl/bizum"
)

const (
	notANumber = "not a number of euros"
	ambiguous  = "three decimals are ambiguous"
	notAbove0  = "not above zero"
	tooLarge   = "above 999999999999.99"
	tooPrecise = "more than two decimals"
)

// amounts are the forms of an amount in a message. Those with more than two decimals are refused in a flag.
var amounts = []struct {
	text   string
	want   bizum.Amount
	reason string
}{
	{"20", 2000, ""},
	{"1", 100, ""},
	{"0020", 2000, ""},
	{"20.3", 2030, ""},
	{"20,3", 2030, ""},
	{"20.35", 2035, ""},
	{"20,35", 2035, ""},
	{"0.50", 50, ""},
	{"0,5", 50, ""},
	{"0.01", 1, ""},
	{"007.05", 705, ""},
	{strings.Repeat("0", 5000) + "7.05", 705, ""},
	{"900719925474.93", 90071992547493, ""},

	{"1.234", 0, ambiguous},
	{"1,234", 0, ambiguous},
	{"1,000", 0, ambiguous},
	{"0.004", 0, ambiguous}, // what it may mean is asked before how much it is
	{"0.000", 0, ambiguous},
	{"20.350", 0, ambiguous},

	{"57.23918273", 5724, ""},
	{"57,23918273", 5724, ""},
	{"20.3500", 2035, ""},
	{"20.3549", 2035, ""},
	{"20.3550", 2036, ""}, // a tie goes to the even cent: up
	{"20.3450", 2034, ""}, // and down
	{"20.355000000", 2036, ""},
	{"20.345000000", 2034, ""},
	{"20.345000001", 2035, ""},
	{"20.3449999999", 2034, ""},
	{"20.3451", 2035, ""},
	{"20.3460", 2035, ""},
	{"20.3440", 2034, ""},
	{"20.9950", 2100, ""}, // carries into the euros
	{"19.9999", 2000, ""},
	{"0.0050", 0, notAbove0}, // a tie of 0 and 1: the even one is nothing
	{"0.0150", 2, ""},
	{"0.00500001", 1, ""},
	{"0.0049999", 0, notAbove0},
	{"0.0040", 0, notAbove0},
	{"0.1" + strings.Repeat("0", 5000) + "1", 10, ""},
	{"0.105" + strings.Repeat("0", 5000) + "1", 11, ""},
	{"0.105" + strings.Repeat("0", 5000), 10, ""},

	{"999999999999.99", bizum.AmountMax, ""},
	{"999999999999", bizum.AmountMax - 99, ""},
	{"000999999999999,99", bizum.AmountMax, ""},
	{"999999999999.9949", bizum.AmountMax, ""},
	{"999999999999.9950", 0, tooLarge}, // by rounding
	{"1000000000000", 0, tooLarge},
	{"1000000000000.00", 0, tooLarge},
	{"92233720368547758.08", 0, tooLarge},
	{"184467440737095516.17", 0, tooLarge}, // 2^64+1 cents
	{strings.Repeat("9", 5000), 0, tooLarge},

	{"0", 0, notAbove0},
	{"0.00", 0, notAbove0},
	{"0,0", 0, notAbove0},

	{"", 0, notANumber},
	{".", 0, notANumber},
	{",", 0, notANumber},
	{"20.", 0, notANumber},
	{"20,", 0, notANumber},
	{".5", 0, notANumber},
	{",5", 0, notANumber},
	{"1,000.01", 0, notANumber},
	{"1.000,01", 0, notANumber},
	{"1.2.3", 0, notANumber},
	{"1..2", 0, notANumber},
	{"1,000,000", 0, notANumber},
	{"1 000", 0, notANumber},
	{"1'000", 0, notANumber},
	{"1_000", 0, notANumber},
	{"1\u00a0000", 0, notANumber},
	{" 20", 0, notANumber},
	{"20 ", 0, notANumber},
	{"20\t", 0, notANumber},
	{"20\n", 0, notANumber},
	{"20\x00", 0, notANumber},
	{"20 €", 0, notANumber},
	{"€20", 0, notANumber},
	{"1e3", 0, notANumber},
	{"1E3", 0, notANumber},
	{"1.0e3", 0, notANumber},
	{"0x10", 0, notANumber},
	{"NaN", 0, notANumber},
	{"nan", 0, notANumber},
	{"Inf", 0, notANumber},
	{"Infinity", 0, notANumber},
	{"∞", 0, notANumber},
	{"doce", 0, notANumber},
	{"２０", 0, notANumber}, // full width
	{"٢٠", 0, notANumber}, // Arabic-Indic
	{"20٫35", 0, notANumber},
	{"20．35", 0, notANumber},
	{"1½", 0, notANumber},
	{"²", 0, notANumber},
	{"1.00a", 0, notANumber},
	{"1.a000", 0, notANumber},
	{"/", 0, notANumber}, // the bytes beside the digits
	{":", 0, notANumber},
}

// signed are the forms that only a flag has.
var signed = []struct {
	text   string
	want   bizum.Amount
	reason string
}{
	{"+20", 2000, ""},
	{"-20", -2000, ""},
	{"-20.35", -2035, ""},
	{"+0.5", 50, ""},
	{"-0,05", -5, ""},
	{"0", 0, ""},
	{"-0", 0, ""},
	{"0.00", 0, ""},
	{"-999999999999.99", -bizum.AmountMax, ""},
	{"+999999999999.99", bizum.AmountMax, ""},
	{"-1000000000000", 0, tooLarge},
	{"-1.234", 0, ambiguous},
	{"+", 0, notANumber},
	{"-", 0, notANumber},
	{"--5", 0, notANumber},
	{"++5", 0, notANumber},
	{"+-5", 0, notANumber},
	{"-+5", 0, notANumber},
	{"- 5", 0, notANumber},
	{"5-", 0, notANumber},
	{"−5", 0, notANumber}, // U+2212
	{"(5)", 0, notANumber},
}

// decimals counts what stands after the decimal mark.
func decimals(text string) int {
	i := strings.IndexAny(text, ".,")
	if i < 0 {
		return 0
	}
	return len(text) - i - 1
}

func reasonIs(err error, want string) bool {
	if err == nil || want == "" {
		return err == nil && want == ""
	}
	return strings.Contains(err.Error(), want)
}

func TestAmountInMessage(t *testing.T) {
	for _, c := range amounts {
		p, err := bizum.ParsePayment([]byte("Maria;" + c.text + ";Cena;ENVIO"))
		if p.Amount != c.want || !reasonIs(err, c.reason) {
			t.Errorf("%.60q: %v, %v; want %v, %q", c.text, p.Amount, err, c.want, c.reason)
		}
		if rounded := err == nil && decimals(c.text) > 3; p.Rounded != rounded {
			t.Errorf("%.60q: rounded %v, want %v", c.text, p.Rounded, rounded)
		}
	}
	for _, c := range signed {
		if c.text[0] == '0' {
			continue // has no sign
		}
		if p, err := bizum.ParsePayment([]byte("Maria;" + c.text + ";Cena;ENVIO")); !reasonIs(err, notANumber) {
			t.Errorf("%q in a message: %v, %v; a message has no sign", c.text, p.Amount, err)
		}
	}
}

func TestAmountInFlag(t *testing.T) {
	for _, c := range amounts {
		want, reason := c.want, strings.TrimPrefix(c.reason, notAbove0) // a flag may be zero
		if reason == "" && decimals(c.text) > 3 {
			want, reason = 0, tooPrecise
		}
		a, err := bizum.ParseAmount(c.text)
		if a != want || !reasonIs(err, reason) {
			t.Errorf("%.60q: %v, %v; want %v, %q", c.text, a, err, want, reason)
		}
	}
	for _, c := range signed {
		if a, err := bizum.ParseAmount(c.text); a != c.want || !reasonIs(err, c.reason) {
			t.Errorf("%q: %v, %v; want %v, %q", c.text, a, err, c.want, c.reason)
		}
		a := bizum.Amount(777)
		if err := a.Set(c.text); err != nil && a != 777 || err == nil && a != c.want {
			t.Errorf("set to %q: %v, %v", c.text, a, err)
		}
	}
}

func TestAmountString(t *testing.T) {
	for cents, want := range map[bizum.Amount]string{
		0: "0.00", 1: "0.01", 10: "0.10", 50: "0.50", 99: "0.99", 100: "1.00", 2035: "20.35", 100000: "1000.00",
		100001: "1000.01", -1: "-0.01", -99: "-0.99", -100: "-1.00", -300: "-3.00",
		1<<53 + 1: "90071992547409.93", -(1<<53 + 1): "-90071992547409.93",
		bizum.AmountMax: "999999999999.99", math.MaxInt64: "92233720368547758.07",
		math.MinInt64: "-92233720368547758.08", math.MinInt64 + 1: "-92233720368547758.07",
	} {
		if got := cents.String(); got != want {
			t.Errorf("%d cents: %s, want %s", int64(cents), got, want)
		}
		if got := string(cents.Append([]byte("x"))); got != "x"+want {
			t.Errorf("%d cents after x: %s", int64(cents), got)
		}
	}
}

func TestAmountAdd(t *testing.T) {
	const most, least = bizum.Amount(math.MaxInt64), bizum.Amount(math.MinInt64)
	for _, c := range []struct {
		a, b, sum bizum.Amount
		ok        bool
	}{
		{0, 0, 0, true},
		{50, -50, 0, true},
		{5, 0, 5, true},
		{-5, 0, -5, true},
		{1 << 53, 1, 1<<53 + 1, true},
		{most, 0, most, true},
		{most - 1, 1, most, true},
		{most, 1, 0, false},
		{1, most, 0, false},
		{most, most, 0, false},
		{most, least, -1, true},
		{least, 0, least, true},
		{least + 1, -1, least, true},
		{least, -1, 0, false},
		{-1, least, 0, false},
		{least, least, 0, false},
		{0, least, least, true},
	} {
		if sum, ok := c.a.Add(c.b); ok != c.ok || ok && sum != c.sum {
			t.Errorf("%v + %v = %v, %v; want %v, %v", c.a, c.b, sum, ok, c.sum, c.ok)
		}
	}
}

// TestBeyondFloat: what a float64 loses.
func TestBeyondFloat(t *testing.T) {
	var sum bizum.Amount
	for range 10 {
		sum, _ = sum.Add(10)
	}
	if got := sum.String(); got != "1.00" {
		t.Errorf("ten times 0.10 is %s", got)
	}
	if sum, ok := bizum.Amount(1 << 53).Add(1); !ok || sum.String() != "90071992547409.93" {
		t.Errorf("2^53+1 cents is %v", sum)
	}
}

func TestAdditionsAgainstBig(t *testing.T) {
	const seed = 23
	rng := rand.New(rand.NewPCG(seed, 0))
	var sum bizum.Amount
	exact, b := new(big.Int), new(big.Int)
	overflows := 0
	for i := range 1_000_000 {
		added := bizum.Amount(rng.Uint64()) >> rng.IntN(63)
		next, ok := sum.Add(added)
		exact.Add(exact, b.SetInt64(int64(added)))
		if ok != exact.IsInt64() {
			t.Fatalf("seed %d, addition %d: %v + %v fits: %v, says %v", seed, i, sum, added, exact.IsInt64(), ok)
		}
		if !ok {
			exact.Sub(exact, b)
			overflows++
			continue
		}
		if sum = next; int64(sum) != exact.Int64() {
			t.Fatalf("seed %d, addition %d: %v, want %v cents", seed, i, sum, exact)
		}
	}
	if overflows < 1000 {
		t.Fatalf("seed %d: only %d sums did not fit", seed, overflows)
	}
}

var plainAmount = regexp.MustCompile(`^[0-9]+(?:[.,]([0-9]+))?$`)

// exactAmount reads an amount by the rules of the design with big.Rat.
func exactAmount(text string) (cents *big.Int, decimals int, ok bool) {
	m := plainAmount.FindStringSubmatch(text)
	if m == nil || len(m[1]) == 3 {
		return nil, 0, false
	}
	r, _ := new(big.Rat).SetString(strings.Replace(text, ",", ".", 1))
	r.Mul(r, big.NewRat(100, 1))
	cents, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	half := rest.Lsh(rest, 1).Cmp(r.Denom())
	if half > 0 || half == 0 && cents.Bit(0) == 1 {
		cents.Add(cents, big.NewInt(1))
	}
	return cents, len(m[1]), cents.Cmp(big.NewInt(int64(bizum.AmountMax))) <= 0
}

func FuzzAmount(f *testing.F) {
	for _, c := range amounts {
		f.Add(c.text)
	}
	for _, c := range signed {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 || strings.Contains(text, ";") {
			return // longer ones are in the table: big.Rat is slow with them
		}
		cents, decimals, good := exactAmount(text)
		p, err := bizum.ParsePayment([]byte("Maria;" + text + ";Cena;ENVIO"))
		if want := good && cents.Sign() > 0; (err == nil) != want {
			t.Fatalf("message: %q: %v, %v; want good: %v", text, p.Amount, err, want)
		}
		if err == nil && (!cents.IsInt64() || int64(p.Amount) != cents.Int64() || p.Rounded != (decimals > 3)) {
			t.Fatalf("message: %q: %v, rounded %v; want %v cents", text, p.Amount, p.Rounded, cents)
		}

		unsigned, sign := text, int64(1)
		if text != "" && strings.Contains("+-", text[:1]) {
			unsigned = text[1:]
			if text[0] == '-' {
				sign = -1
			}
		}
		cents, decimals, good = exactAmount(unsigned)
		a, err := bizum.ParseAmount(text)
		if want := good && decimals <= 2; (err == nil) != want {
			t.Fatalf("flag: %q: %v, %v; want good: %v", text, a, err, want)
		}
		if err != nil {
			return
		}
		if int64(a) != sign*cents.Int64() {
			t.Fatalf("flag: %q: %v; want %d times %v cents", text, a, sign, cents)
		}
		if again, err := bizum.ParseAmount(a.String()); again != a || err != nil {
			t.Fatalf("flag: %q is shown as %v and read as %v, %v", text, a, again, err)
		}
	})
}
