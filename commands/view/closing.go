package view

import (
	"fmt"

	"bizumctl/bizum"
	"bizumctl/bizum/balance"
	"bizumctl/bizum/format"
	"bizumctl/commands/console"
)

// Closing sums up a run, with the closing balance of an account, or of each if account is "" and they are few.
func Closing(screen *console.Console, account string, r *balance.Replayed) {
	const few = 20
	text := console.Plural(r.Booked, "bizum", "bizums") + Exceptions(r.Rounded, r.Rejected)
	var accounts []bizum.Account
	switch balance, known := r.Book.Balance([]byte(account)); {
	case account == "" && r.Book.Len() <= few:
		accounts = r.Book.Accounts()
	case known:
		accounts = []bizum.Account{{Name: account, Balance: balance}}
	}
	if len(accounts) == 1 {
		screen.Noticef("%s, closing balance %s", text, console.Euros(accounts[0].Balance))
		return
	}
	if account != "" {
		text += fmt.Sprintf(", none of account %q", account)
	}
	text += ", " + console.Plural(r.Book.Len(), "account", "accounts")
	if len(accounts) == 0 && account == "" {
		if total, fits := r.Book.Total(); fits && r.Book.Len() > 0 {
			text += fmt.Sprintf(" with %s in all", console.Euros(total))
		}
	}
	screen.Noticef("%s", text)
	for _, a := range accounts {
		screen.Noticef("%s: closing balance %s", a.Name, console.Euros(a.Balance))
	}
}

// Sums is how sums are listed.
type Sums struct {
	Output string // table, csv or json
	By     string // the column that they are of: cuenta, nombre or concepto
	Safe   bool   // csv in which spreadsheets find no formula
}

// Accounts lists balances, and shows what they add up to, after what was counted.
func (s Sums) Accounts(screen *console.Console, accounts []bizum.Account, counted string) error {
	total, fits := bizum.Amount(0), true
	for i := 0; i < len(accounts) && fits; i++ {
		total, fits = total.Add(accounts[i].Balance)
	}
	err := screen.Sums(s.Output, s.By, s.Safe, func(yield func(*format.Sum) bool) {
		for _, a := range accounts {
			if !yield(&format.Sum{Of: a.Name, Balance: a.Balance}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	text := counted + console.Plural(len(accounts), "account", "accounts")
	if fits {
		text += " with " + console.Euros(total)
	}
	screen.Noticef("%s", text)
	return nil
}

// Totals lists what payments add up to, and shows how many they are.
func (s Sums) Totals(screen *console.Console, totals []balance.Total, counts balance.Counts) error {
	err := screen.Sums(s.Output, s.By, s.Safe, func(yield func(*format.Sum) bool) {
		for _, t := range totals {
			if !yield(&format.Sum{Of: t.Name, Payments: t.Payments, Sent: t.Sent, Received: t.Received, Net: t.Net()}) {
				return
			}
		}
	})
	if err == nil {
		screen.Noticef("%s%s", console.Plural(counts.Booked, "bizum", "bizums"), Exceptions(counts.Rounded, counts.Rejected))
	}
	return err
}
