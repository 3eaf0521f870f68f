// Package check compares what a pipeline delivered with what was sent. A receipt says what was sent: the run,
// the seed and settings that make its payments again, and what became of them. The package knows neither topics
// nor a screen; records are handed to it.
package check

import (
	"encoding/json"
	"fmt"
	"time"

	"bizumctl/bizum"
)

// The headers of a record that name it: the id of the run that sent it, and the payment's number in that run,
// from 0 on, in decimal. Numbers never restart within a run. A payment that is sent twice on purpose keeps its
// number.
const (
	HeaderRun = "run"
	HeaderN   = "n"
)

// Version is the version of the receipts that are written.
const Version = 1

// Receipt is what a producer knows of a run when it has ended, or of one that goes on, see ReadJournal.
type Receipt struct {
	Run     string    `json:"run"`  // its id, as in the headers; no other run has it
	Tool    string    `json:"tool"` // the program and its version
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Topic is where the payments were sent; empty for files.
	Topic     string `json:"topic,omitempty"`
	TopicID   string `json:"topic_id,omitempty"`
	ClusterID string `json:"cluster_id,omitempty"`

	Stream Stream `json:"stream"`

	// Sent is how many numbers were used: the payments are those from 0 to Sent-1. Acknowledged is how many of
	// them arrived for certain; those of Unknown may have arrived or not, those of Aborted were in transactions
	// that ended so.
	Sent         int64   `json:"sent"`
	Acknowledged int64   `json:"acknowledged"`
	Unknown      []Range `json:"unknown,omitempty"`
	Aborted      []Range `json:"aborted,omitempty"`
	Faults       []Fault `json:"faults,omitempty"`

	// Opening is the balance with which every account opens.
	Opening Euros `json:"opening"`
	// Hash is the sum of the hashes of all accounts.
	Hash Sum `json:"hash"`
	// Accounts are sorted by name. They add up the payments that were acknowledged, each once, without the malformed.
	Accounts []Account `json:"-"`
}

// Stream is what makes the payments of a run again: the same Stream, the same payments.
type Stream struct {
	Seed     uint64   `json:"seed"`
	Accounts int      `json:"accounts"`
	Skew     float64  `json:"skew,omitempty"` // exponent of Zipf's law; 0: all accounts are alike
	Names    []string `json:"names"`
	Concepts []string `json:"concepts"`
	Faults   string   `json:"faults,omitempty"` // as asked for
	Schedule Schedule `json:"schedule"`
	// Probe is the sum of the hashes of the first payments, ProbeCount of them at most, by which a program that makes
	// other payments from the same seed notices it.
	Probe Sum `json:"probe"`
}

// Schedule is when payments were due. Only those of a steady rate are known: payment n is due n/PerSecond after
// Began.
type Schedule struct {
	Mode      string        `json:"mode"` // paused, steady, unpaced
	PerSecond float64       `json:"per_second,omitempty"`
	DelayMin  time.Duration `json:"delay_min,omitempty"`
	DelayMax  time.Duration `json:"delay_max,omitempty"`
	Began     time.Time     `json:"began,omitzero"`
}

// Steady is the mode of a Schedule whose due times are known.
const Steady = "steady"

// Due returns when payment n was due, and false if that is not known.
func (s *Schedule) Due(n int64) (due time.Time, known bool) {
	if s.Mode != Steady || s.PerSecond <= 0 {
		return time.Time{}, false
	}
	return s.Began.Add(time.Duration(float64(n) / s.PerSecond * float64(time.Second))), true
}

// The kinds of faults.
const (
	Doubled   = "double"    // sent twice, with the same number
	Malformed = "malformed" // sent with a value that is no payment
	Reordered = "reorder"   // sent after a later payment of its account
	Late      = "late"      // sent By after it was due
)

// Fault is what was done wrong on purpose, and to which payments.
type Fault struct {
	Kind string        `json:"kind"`
	By   time.Duration `json:"by,omitempty"` // Late
	N    []Range       `json:"n"`
}

// Range is numbers from First to Last, both of them included. In JSON it is [first,last], or one number.
type Range struct{ First, Last int64 }

// Len returns how many numbers there are.
func (r Range) Len() int64 { return r.Last - r.First + 1 }

// MarshalJSON makes JSON of a range.
func (r Range) MarshalJSON() ([]byte, error) {
	if r.First == r.Last {
		return json.Marshal(r.First)
	}
	return json.Marshal([2]int64{r.First, r.Last})
}

// UnmarshalJSON reads what MarshalJSON makes.
func (r *Range) UnmarshalJSON(text []byte) error {
	var pair [2]int64
	if err := json.Unmarshal(text, &pair); err == nil {
		r.First, r.Last = pair[0], pair[1]
		return nil
	}
	err := json.Unmarshal(text, &r.First)
	r.Last = r.First
	return err
}

// AppendNumber adds a number to sorted ranges, after all that they have.
func AppendNumber(ranges []Range, n int64) []Range {
	if last := len(ranges) - 1; last >= 0 && ranges[last].Last == n-1 {
		ranges[last].Last = n
		return ranges
	}
	return append(ranges, Range{n, n})
}

// Account is what the payments of an account add up to.
type Account struct {
	Name     string
	Payments int64
	Sum      bizum.Amount // received less sent
	Closing  bizum.Amount // Opening and Sum
	Hash     Sum
}

// Euros is an amount that is a text of euros in JSON, so that no program reads it as a float.
type Euros bizum.Amount

// MarshalText makes a text of an amount.
func (e Euros) MarshalText() ([]byte, error) { return bizum.Amount(e).Append(nil), nil }

// UnmarshalText reads what MarshalText makes.
func (e *Euros) UnmarshalText(text []byte) error {
	a, ok := bizum.ParseBalance(text)
	if !ok {
		return fmt.Errorf("amount %.40q: not euros with two decimals", text)
	}
	*e = Euros(a)
	return nil
}

// Count returns how many numbers ranges have.
func Count(ranges []Range) (n int64) {
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

// sentMax bounds a run, because there is a bit in memory for each payment.
const sentMax = 100_000_000_000

// accountsMax bounds the accounts, because there are some bytes in memory for each.
const accountsMax = 1 << 28

// valid returns an error for a receipt whose parts contradict each other.
func (r *Receipt) valid() error {
	switch {
	case r.Run == "":
		return fmt.Errorf("no run id")
	case r.Sent > sentMax || r.Stream.Accounts > accountsMax:
		return fmt.Errorf("more than %d payments or %d accounts", int64(sentMax), accountsMax)
	case r.Sent < 0 || r.Stream.Accounts < 1 || len(r.Stream.Names) == 0 || len(r.Stream.Concepts) == 0:
		return fmt.Errorf("a stream without payments, accounts, names or concepts")
	}
	lists := [][]Range{r.Unknown, r.Aborted}
	for _, f := range r.Faults {
		lists = append(lists, f.N)
	}
	for _, ranges := range lists {
		next := int64(0)
		for _, n := range ranges {
			if n.First < next || n.Last < n.First || n.Last >= r.Sent {
				return fmt.Errorf("payments %d to %d of %d, after %d", n.First, n.Last, r.Sent, next)
			}
			next = n.Last + 1
		}
	}
	if got := r.Sent - Count(r.Unknown) - Count(r.Aborted); got != r.Acknowledged {
		return fmt.Errorf("%d of %d payments acknowledged, where %d are left", r.Acknowledged, r.Sent, got)
	}
	return nil
}
