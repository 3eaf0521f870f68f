package check

import (
	"fmt"

	"bizumctl/bizum"
)

// balances are the running balances of the accounts of a run, each after the payment that was seen last. The
// payments in between are made again; those that have not been seen yet wait in a queue, for partitions come at
// different speeds.
type balances struct {
	run       *run
	generator *bizum.Generator
	made      int64 // payments, of the generator
	accounts  []running
	waiting   int  // payments in queues
	overflow  bool // there were too many, and nothing more is judged
}

// waitingMax bounds the memory of the queues.
const waitingMax = 4 << 20

// running is the balance of an account.
type running struct {
	balance bizum.Amount
	last    int64        // payment that is in it; -1: none
	wrongBy bizum.Amount // of the payment before
	queue   []change     // not seen yet, of which the first done are
	done    int
}

type change struct {
	n  int64
	by bizum.Amount
}

func newBalances(r *run) *balances {
	b := &balances{run: r, generator: r.Stream.Generator(), accounts: make([]running, r.Stream.Accounts+1)}
	for i := range b.accounts {
		b.accounts[i] = running{balance: bizum.Amount(r.Opening), last: -1}
	}
	return b
}

// after returns the balance of an account after payment n, and false if that cannot be told.
func (b *balances) after(account int32, n int64) (balance bizum.Amount, ok bool) {
	for ; b.made <= n && !b.overflow; b.made++ {
		key, p := b.generator.Next()
		if b.run.isSpecial(b.made) && (in(b.run.aborted, b.made) || in(b.run.faults[malformed], b.made)) {
			continue
		}
		a := &b.accounts[accountNumber(key)]
		a.queue = append(a.queue, change{b.made, p.Change()})
		if b.waiting++; b.waiting > waitingMax {
			b.overflow = true
		}
	}
	a := &b.accounts[account]
	if b.overflow || n < a.last {
		return 0, false
	}
	for ; a.done < len(a.queue) && a.queue[a.done].n <= n; a.done++ {
		c := a.queue[a.done]
		b.waiting--
		if c.n < n && b.run.isSpecial(c.n) && in(b.run.unknown, c.n) {
			continue // it would have come before this one
		}
		a.balance += c.by
		a.last = c.n
	}
	if left := len(a.queue) - a.done; left <= a.done { // so each is moved once at most
		copy(a.queue, a.queue[a.done:])
		a.queue, a.done = a.queue[:left], 0
	}
	return a.balance, true
}

// again takes a payment that counts once more.
func (b *balances) again(account int32, o *Observed) {
	p, err := bizum.ParsePayment(o.Value)
	if err == nil {
		b.accounts[account].balance += p.Change()
	}
}

// balance judges the running balance of a record. One that is wrong by as much as the one before it is no other
// fault.
func (c *Numbered) balance(r *run, n int64, o *Observed, account int32, behind bool) {
	want, ok := c.balances.after(account, n)
	if !ok || behind || !o.HasBalance {
		c.report.NoBalance++
		return
	}
	a := &c.balances.accounts[account]
	wrongBy := o.Balance - want
	if wrongBy != 0 {
		c.report.WrongBalances++
	}
	if wrongBy == a.wrongBy {
		return
	}
	a.wrongBy = wrongBy
	if wrongBy != 0 {
		c.report.add(WrongBalance, false, func() string {
			_, key, _ := r.expectation.at(n)
			return fmt.Sprintf("%s of %s has the balance %v, want %v", c.what(r, n, o), key, o.Balance, want)
		})
	}
}
