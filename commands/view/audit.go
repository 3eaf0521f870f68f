package view

import (
	"fmt"

	"bizumctl/bizum/ledger"
	"bizumctl/commands/console"
)

// Audit shows what an audit has found: the first difference of each kind, and the sums.
func Audit(screen *console.Console, sum *ledger.Proof) error {
	for i, kind := range [...]string{"missing", "double", "wrong"} {
		if sum.First[i] == "" {
			continue
		}
		if err := screen.Line(fmt.Appendf(nil, "%s: %s", kind, sum.First[i])); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s, %s, %s missing, %s double, %s wrong", console.Plural(sum.Payments, "payment", "payments"),
		console.Plural(sum.Accounts, "account", "accounts"), console.Count(sum.Missing), console.Count(sum.Double),
		console.Count(sum.Wrong))
	for _, c := range [...]struct {
		n    int64
		what string
	}{{sum.Rejected, "rejected"}, {sum.Compacted, "compacted"}, {sum.Unbooked, "not booked yet"}} {
		if c.n > 0 {
			text += ", " + console.Count(c.n) + " " + c.what
		}
	}
	if err := screen.Line([]byte(text)); err != nil {
		return err
	}
	return screen.Flush()
}
