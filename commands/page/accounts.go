package page

import (
	"cmp"
	"slices"

	"bizumctl/bizum"
)

// What is kept of accounts. The balance of each is in a book, 32 bytes of it; the others are for the first accounts and
// for those that somebody looks at, so that a million of them cost no more than a hundred.
const (
	movingMax   = 4096 // accounts whose changes of the last minute are known
	followedMax = 64   // of those: accounts that have a line and rows, beside as many that were looked at
	accountRows = 100
	movesEvery  = 30_000 // milliseconds; changes are of this stretch and the one before
)

// account is one that has moved lately, or is looked at.
type account struct {
	name      string
	partition int32 // of its last payment
	balance   bizum.Amount
	epoch     int64           // of the last change
	moved     [2]bizum.Amount // in that stretch, and in the one before

	followed *followed // nil: neither line nor rows
	looked   int64     // when somebody has looked at it last; 0: never
}

// followed is what is kept of an account that is looked at.
type followed struct {
	line    *line
	rows    ring
	skipped int64 // rows since the last that was kept
	since   int64 // when it began; 0: with the account
}

func newFollowed(since int64) *followed {
	return &followed{line: newLine(), rows: ring{max: accountRows}, since: since}
}

// accounts are those that have moved lately.
type accounts struct {
	by     map[string]*account
	first  int // that are followed because they were first
	looked int // that are followed because somebody has looked
	epoch  int64
}

// find returns an account, nil if there are too many to know it.
func (a *accounts) find(name []byte) *account {
	if known := a.by[string(name)]; known != nil {
		return known
	}
	if len(a.by) >= movingMax || len(name) > textMax {
		return nil
	}
	return a.open(string(name))
}

func (a *accounts) open(name string) *account {
	known := &account{name: name, epoch: a.epoch}
	if a.first < followedMax {
		a.first++
		known.followed = newFollowed(0)
	}
	a.by[name] = known
	return known
}

// begin begins another stretch of time, and makes room if there is none.
func (a *accounts) begin(epoch int64) {
	if epoch == a.epoch {
		return
	}
	a.epoch = epoch
	if len(a.by) < movingMax {
		return
	}
	for name, known := range a.by {
		if known.followed == nil && known.epoch < epoch-1 {
			delete(a.by, name)
		}
	}
}

// change notes what a payment did to an account.
func (k *account) change(epoch int64, change bizum.Amount) {
	k.turn(epoch)
	k.moved[0] += change // a minute's changes that wrap are no larger a lie than their order
}

// turn moves the changes of a stretch that is over.
func (k *account) turn(epoch int64) {
	switch epoch - k.epoch {
	case 0:
		return
	case 1:
		k.moved = [2]bizum.Amount{0, k.moved[0]}
	default:
		k.moved = [2]bizum.Amount{}
	}
	k.epoch = epoch
}

// movers returns the accounts whose balances have changed most.
func (a *accounts) movers(n int) []*account {
	list := make([]*account, 0, len(a.by))
	for _, known := range a.by {
		if known.turn(a.epoch); known.moved != [2]bizum.Amount{} {
			list = append(list, known)
		}
	}
	size := func(k *account) bizum.Amount { return max(k.net(), -k.net()) }
	slices.SortFunc(list, func(x, y *account) int {
		return cmp.Or(cmp.Compare(size(y), size(x)), cmp.Compare(x.name, y.name))
	})
	return list[:min(n, len(list))]
}

func (k *account) net() bizum.Amount { return k.moved[0] + k.moved[1] }

// look follows an account from now on, in the place of the one that was looked at longest ago.
func (a *accounts) look(name string, balance bizum.Amount, at int64) *account {
	known := a.by[name]
	if known == nil {
		known = &account{name: name, balance: balance, epoch: a.epoch - 2} // it has not moved
		a.by[name] = known
	}
	if known.followed == nil {
		if a.looked >= followedMax {
			a.leave()
		}
		a.looked++
		known.followed = newFollowed(at)
		known.followed.line.open(at, balance)
	}
	known.looked = at
	return known
}

// leave no longer follows the account that was looked at longest ago.
func (a *accounts) leave() {
	var oldest *account
	for _, known := range a.by {
		if f := known.followed; f != nil && f.since != 0 && (oldest == nil || known.looked < oldest.looked) {
			oldest = known
		}
	}
	if oldest != nil {
		oldest.followed = nil
		a.looked--
		if oldest.epoch < a.epoch-1 {
			delete(a.by, oldest.name)
		}
	}
}

// drop leaves out the accounts of a partition that is no longer ours.
func (a *accounts) drop(partition int32) {
	for name, known := range a.by {
		if known.partition != partition {
			continue
		}
		if f := known.followed; f != nil && f.since == 0 {
			a.first--
		} else if f != nil {
			a.looked--
		}
		delete(a.by, name)
	}
}
