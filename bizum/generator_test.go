package bizum_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"bizumctl/bizum"
)

// list reads one of the lists that the program carries.
func list(t testing.TB, file string, parse func([]byte) ([][]byte, error)) [][]byte {
	t.Helper()
	text, err := os.ReadFile("../" + file)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return lines
}

func generator(t testing.TB, seed uint64, accounts int) *bizum.Generator {
	names, concepts := list(t, "names.txt", bizum.ParseNames), list(t, "concepts.txt", bizum.ParseConcepts)
	return bizum.NewGenerator(seed, names, concepts, accounts)
}

// made are the next n messages, each as key=value.
func made(g *bizum.Generator, n int) (keys, values []string) {
	for range n {
		key, p := g.Next()
		keys, values = append(keys, string(key)), append(values, string(p.Append(nil)))
	}
	return keys, values
}

func TestSeed(t *testing.T) {
	const n = 1000
	names := [][]byte{[]byte("Ana"), []byte("Íñigo"), []byte("Maria")}
	concepts := [][]byte{[]byte("Cena"), []byte("Viaje"), []byte("Regalo")}
	// golden: a release that makes other bizums of the same seed breaks the comparisons of its users
	want := "Ana;33.47;Cena;RECEPCIÓN\nMaria;80.44;Regalo;ENVIO\nÍñigo;48.16;Regalo;RECEPCIÓN\nAna;67.94;Regalo;ENVIO"
	if _, got := made(bizum.NewGenerator(7, names, concepts, 1), 4); strings.Join(got, "\n") != want {
		t.Errorf("seed 7 makes\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}

	keys, values := made(generator(t, 7, 1), n)
	againKeys, again := made(generator(t, 7, 1), n)
	if !slices.Equal(keys, againKeys) || !slices.Equal(values, again) {
		t.Error("seed 7 makes other bizums the second time")
	}
	for i, key := range keys {
		if key != bizum.DefaultAccount {
			t.Fatalf("bizum %d is of %q, want %q", i, key, bizum.DefaultAccount)
		}
	}
	for _, seed := range []uint64{0, 6, 8, 7 << 32, 1<<32 + 7, math.MaxUint64} {
		if _, other := made(generator(t, seed, 1), n); slices.Equal(values, other) {
			t.Errorf("seed %d makes the bizums of seed 7", seed)
		}
	}

	pace, g := bizum.Pauses(7, 1, 1e9), generator(t, 7, 20_000)
	for i, value := range values {
		pace.Next(0)
		if _, p := g.Next(); string(p.Append(nil)) != value {
			t.Fatalf("with 20,000 accounts bizum %d is %s, with one it is %s", i, p.Append(nil), value)
		}
	}
}

func TestAccounts(t *testing.T) {
	const accounts, n = 20, 20_000
	counts := map[string]int{}
	keys, _ := made(generator(t, 3, accounts), n)
	for _, key := range keys {
		counts[key]++
	}
	for i := range accounts {
		key := fmt.Sprintf("cuenta-%d", i+1)
		if share := counts[key]; share < n/accounts*8/10 || share > n/accounts*12/10 {
			t.Errorf("%s has %d bizums of %d, want about %d", key, share, n, n/accounts)
		}
		delete(counts, key)
	}
	if len(counts) > 0 {
		t.Errorf("accounts nobody asked for: %v", counts)
	}
	again, _ := made(generator(t, 3, accounts), n)
	if !slices.Equal(keys, again) {
		t.Error("seed 3 gives the bizums to other accounts the second time")
	}
}

// TestMade: what is made is uniform, to the cent, and reads back.
func TestMade(t *testing.T) {
	const seed, n = 1, 1_000_000
	const least, most = 5_00, 100_00
	g := generator(t, seed, 1)
	cents := make([]int, most+1)
	kinds, names, concepts := map[bizum.Kind]int{}, map[string]int{}, map[string]int{}
	receivedCents := int64(0)
	var line []byte
	for range n {
		_, p := g.Next()
		if p.Amount < least || p.Amount > most {
			t.Fatalf("seed %d: %v is not in [5.00, 100.00]", seed, p.Amount)
		}
		cents[p.Amount]++
		kinds[p.Kind]++
		names[string(p.Name)]++
		concepts[string(p.Concept)]++
		if p.Kind == bizum.Received {
			receivedCents += int64(p.Amount)
		}
		line = p.Append(line[:0])
		again, err := bizum.ParsePayment(line)
		if err != nil || again.Amount != p.Amount || again.Kind != p.Kind || again.Rounded ||
			!bytes.Equal(again.Name, p.Name) || !bytes.Equal(again.Concept, p.Concept) {
			t.Fatalf("seed %d: %s reads back as %+v, %v", seed, line, again, err)
		}
	}

	if cents[least] == 0 || cents[most] == 0 {
		t.Errorf("seed %d: 5.00 came %d times, 100.00 %d times", seed, cents[least], cents[most])
	}
	uniform(t, "amounts", seed, cents[least:])
	uniform(t, "names", seed, counts(names))
	uniform(t, "concepts", seed, counts(concepts))
	uniform(t, "tipos", seed, []int{kinds[bizum.Sent], kinds[bizum.Received]})
	if mean := receivedCents / int64(kinds[bizum.Received]); mean < 5225 || mean > 5275 {
		t.Errorf("seed %d: the mean of what is received is %d cents, want about 5250", seed, mean)
	}
	if len(names) != len(list(t, "names.txt", bizum.ParseNames)) {
		t.Errorf("seed %d: only %d names came", seed, len(names))
	}
	if len(concepts) != len(list(t, "concepts.txt", bizum.ParseConcepts)) {
		t.Errorf("seed %d: only %d concepts came", seed, len(concepts))
	}
}

func counts(of map[string]int) (list []int) {
	for _, n := range of {
		list = append(list, n)
	}
	return list
}

// uniform wants chi-square within five standard deviations of its mean: neither uneven nor too even for chance.
func uniform(t *testing.T, what string, seed uint64, counts []int) {
	t.Helper()
	total := 0
	for _, n := range counts {
		total += n
	}
	expected, sum := float64(total)/float64(len(counts)), 0.0
	for _, n := range counts {
		sum += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	freedom := float64(len(counts) - 1)
	if math.Abs(sum-freedom) > 5*math.Sqrt(2*freedom) {
		t.Errorf("seed %d: %s are not uniform: chi-square %.0f with %.0f degrees of freedom", seed, what, sum, freedom)
	}
}

func TestLists(t *testing.T) {
	for file, parse := range map[string]func([]byte) ([][]byte, error){
		"names.txt": bizum.ParseNames, "concepts.txt": bizum.ParseConcepts,
	} {
		text, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(text, []byte("\n")) || bytes.Contains(text, []byte("\r")) {
			t.Errorf("%s: a line does not end in a newline alone", file)
		}
		lines := list(t, file, parse)
		if len(lines) < 95 || len(lines) > 105 || len(lines) != bytes.Count(text, []byte("\n")) {
			t.Errorf("%s: %d entries in %d lines, want about 100", file, len(lines), bytes.Count(text, []byte("\n")))
		}
		seen, accents := map[string]bool{}, false
		for _, line := range lines {
			entry := string(line)
			if key := strings.ToLower(entry); seen[key] {
				t.Errorf("%s: %q is there twice", file, entry)
			} else {
				seen[key] = true
			}
			if strings.Contains(entry, ";") || obeyed(entry) != "" || strings.ContainsFunc(entry, combines) {
				t.Errorf("%s: %+q", file, entry)
			}
			accents = accents || strings.ContainsAny(entry, "áéíóúñÁÉÍÓÚÑ")
		}
		if !accents {
			t.Errorf("%s: no accent and no ñ", file)
		}
	}
}

func combines(r rune) bool { return unicode.Is(unicode.Mn, r) }

func TestParseLists(t *testing.T) {
	for _, c := range []struct {
		text, names, concepts string // joined with |
		reason                string
	}{
		{"Ana\nEva\n", "Ana|Eva", "Ana|Eva", ""},
		{"Ana\nEva", "Ana|Eva", "Ana|Eva", ""},
		{"\ufeff Ana\t\r\n\r\n\n  \nMaría José\r\n", "Ana|María José", "Ana|María José", ""},
		{"Ana\nAna\n", "Ana|Ana", "Ana|Ana", ""},
		{"a;b\n", "", "a;b", "contains a semicolon"},
		{"Ana\n;", "", "Ana|;", "contains a semicolon"},
		{strings.Repeat("x", 1000), strings.Repeat("x", 1000), strings.Repeat("x", 1000), ""},
		{strings.Repeat("x", 1001), "", "", "longer than 1000 bytes"},
		{"", "", "", "no lines"},
		{"\ufeff\n \n", "", "", "no lines"},
		{"Mar\xeda\n", "", "", notUTF8},
	} {
		names, err := bizum.ParseNames([]byte(c.text))
		if got := string(bytes.Join(names, []byte("|"))); got != c.names || !reasonIs(err, c.reason) {
			t.Errorf("names %.60q: %.60q, %v; want %.60q, %q", c.text, got, err, c.names, c.reason)
		}
		concepts, err := bizum.ParseConcepts([]byte(c.text))
		reason := c.reason
		if c.concepts != "" {
			reason = ""
		}
		if got := string(bytes.Join(concepts, []byte("|"))); got != c.concepts || !reasonIs(err, reason) {
			t.Errorf("concepts %.60q: %.60q, %v; want %.60q, %q", c.text, got, err, c.concepts, reason)
		}
	}
}

// TestListsMakeMessages: whatever list is accepted, its bizums read back as they were made.
func TestListsMakeMessages(t *testing.T) {
	for _, text := range []string{
		"Ana", "Jose\u0301", "a\rb", "\x00", "Ana\n\ufeffEva", "\ufeff\ufeffAna", "\u00a0x", "🍕",
	} {
		names, err := bizum.ParseNames([]byte(text))
		if err != nil {
			continue // refused is as good
		}
		concepts, err := bizum.ParseConcepts([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		g := bizum.NewGenerator(1, names, concepts, 1)
		for range 10 {
			_, p := g.Next()
			readsBack(t, string(p.Append(nil)), p)
		}
	}
}

func TestGeneratorAllocatesNothing(t *testing.T) {
	g := generator(t, 1, 20_000)
	message := make([]byte, 0, 200)
	g.Next()
	if n := testing.AllocsPerRun(1000, func() {
		_, p := g.Next()
		message = p.Append(message[:0])
	}); n != 0 {
		t.Errorf("%v allocations a bizum", n)
	}
}

func BenchmarkGenerate(b *testing.B) {
	g := generator(b, 1, 20_000)
	var message []byte
	b.ReportAllocs()
	for b.Loop() {
		_, p := g.Next()
		message = p.Append(message[:0])
	}
}

// A skew gives few accounts most of the payments, by Zipf's law, and changes nothing but whose they are.
func TestSkew(t *testing.T) {
	const n, accounts, skew = 100_000, 1000, 1.1
	names, concepts := list(t, "names.txt", bizum.ParseNames), list(t, "concepts.txt", bizum.ParseConcepts)
	skewed := func() *bizum.Generator { return bizum.NewSkewedGenerator(7, names, concepts, accounts, skew) }
	_, even := made(generator(t, 7, accounts), n)
	keys, values := made(skewed(), n)
	if !slices.Equal(values, even) {
		t.Error("the payments are others")
	}
	again := skewed()
	half, _ := made(again, n/2)
	state := again.State()
	rest, _ := made(again, n/2)
	if !slices.Equal(keys, slices.Concat(half, rest)) {
		t.Error("the same seed gives them to other accounts")
	}
	again = skewed()
	again.Restore(state)
	if from, _ := made(again, n/2); !slices.Equal(from, rest) {
		t.Error("a state does not go on where it was")
	}
	count := make(map[string]float64)
	for _, key := range keys {
		count[key]++
	}
	sum := 0.0
	for k := 1.0; k <= accounts; k++ {
		sum += math.Pow(k, -skew)
	}
	for _, k := range []int{1, 2, 10} {
		got, want := count[fmt.Sprintf("cuenta-%d", k)]/n, math.Pow(float64(k), -skew)/sum
		if got < 0.9*want || got > 1.1*want {
			t.Errorf("account %d has a share of %.4f, want %.4f", k, got, want)
		}
	}
}
