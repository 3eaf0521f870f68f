package bizum

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Amount is a sum of money in euro cents. It is never a float: reading, adding and printing are exact.
type Amount int64

// AmountMax is the largest amount a message may carry: 999,999,999,999.99 €.
const AmountMax Amount = 99_999_999_999_999

var (
	errNotANumber = errors.New("not a number of euros")
	errAmbiguous  = errors.New("three decimals are ambiguous: write two, or none")
	errNotAbove0  = errors.New("not above zero")
	errTooLarge   = errors.New("above 999999999999.99")
	errTooPrecise = errors.New("more than two decimals")
)

// ParseAmount reads euros as a person writes them in a flag: an optional sign, digits, and after `.` or `,` one or
// two decimals.
func ParseAmount(s string) (Amount, error) {
	digits, sign := []byte(s), Amount(1)
	if rest, ok := bytes.CutPrefix(digits, []byte("-")); ok {
		digits, sign = rest, -1
	} else {
		digits = bytes.TrimPrefix(digits, []byte("+"))
	}
	a, rounded, err := parseEuros(digits)
	if err == nil && rounded {
		err = errTooPrecise
	}
	if err != nil {
		return 0, fmt.Errorf("amount %s: %w", quote(s), err)
	}
	return sign * a, nil
}

// parseEuros reads an unsigned amount. No, one or two decimals are exact. Exactly three are refused, because `1.234`
// may mean a thousand. Four or more (programs write 57.23918273) are rounded half-even to cents, and it says so.
func parseEuros(s []byte) (a Amount, rounded bool, err error) {
	whole, decimals := s, []byte(nil)
	for i, c := range s {
		if c == '.' || c == ',' {
			whole, decimals = s[:i], s[i+1:]
			if len(decimals) == 0 {
				return 0, false, errNotANumber
			}
			break
		}
	}
	if len(whole) == 0 || !allDigits(whole) || !allDigits(decimals) {
		return 0, false, errNotANumber
	}
	if len(decimals) == 3 {
		return 0, false, errAmbiguous
	}
	for _, d := range whole {
		if a = a*10 + Amount(d-'0'); a > AmountMax/100 {
			return 0, false, errTooLarge
		}
	}
	a *= 100
	if len(decimals) > 0 {
		a += 10 * Amount(decimals[0]-'0')
	}
	if len(decimals) > 1 {
		a += Amount(decimals[1] - '0')
	}
	if len(decimals) > 2 {
		rounded = true
		if roundsUp(a, decimals[2:]) {
			a++
		}
	}
	if a > AmountMax {
		return 0, false, errTooLarge
	}
	return a, rounded, nil
}

// roundsUp reports whether a, followed by these further decimals, is nearer to a+1: half-even, so a tie goes to the
// even cent.
func roundsUp(a Amount, rest []byte) bool {
	if rest[0] != '5' {
		return rest[0] > '5'
	}
	for _, d := range rest[1:] {
		if d != '0' {
			return true
		}
	}
	return a%2 == 1
}

func allDigits(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Add returns a+b, and false if the sum does not fit.
func (a Amount) Add(b Amount) (sum Amount, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// Append appends the amount in euros with exactly two decimals, as messages carry it: 20.35, -3.00.
func (a Amount) Append(b []byte) []byte {
	cents := uint64(a)
	if a < 0 {
		b, cents = append(b, '-'), -cents
	}
	b = append(strconv.AppendUint(b, cents/100, 10), '.')
	cents %= 100
	return append(b, byte('0'+cents/10), byte('0'+cents%10))
}

// AppendEuros appends the amount as a person reads it: 1,010,650.00 €.
func (a Amount) AppendEuros(b []byte) []byte {
	var plain [len("-92233720368547758.08")]byte
	digits := a.Append(plain[:0])
	if digits[0] == '-' {
		b, digits = append(b, '-'), digits[1:]
	}
	first := (len(digits) - len(".00")) % 3
	if first == 0 {
		first = 3
	}
	b, digits = append(b, digits[:first]...), digits[first:]
	for len(digits) > len(".00") {
		b, digits = append(append(b, ','), digits[:3]...), digits[3:]
	}
	return append(append(b, digits...), " €"...)
}

// ParseBalance reads what Append writes, and nothing else: `-`, euros without leading zeros, `.`, two decimals. Unlike
// the amount of a message, a balance may have any size that fits.
func ParseBalance(s []byte) (a Amount, ok bool) {
	digits, negative := bytes.CutPrefix(s, []byte("-"))
	point := len(digits) - len(".00")
	if point < 1 || digits[point] != '.' || point > 1 && digits[0] == '0' {
		return 0, false
	}
	var cents uint64
	for i, d := range digits {
		if i == point {
			continue
		}
		if d < '0' || d > '9' || cents > (1<<63)/10 {
			return 0, false
		}
		cents = cents*10 + uint64(d-'0')
	}
	if negative {
		return Amount(-cents), 0 < cents && cents <= 1<<63
	}
	return Amount(cents), cents < 1<<63
}

// String is the amount in euros with two decimals.
func (a Amount) String() string { return string(a.Append(nil)) }

// Set makes an Amount the value of a flag.
func (a *Amount) Set(s string) error {
	v, err := ParseAmount(s)
	if err == nil {
		*a = v
	}
	return err
}
