package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Kind is what may be wrong with what a pipeline delivered.
type Kind string

// The kinds, in the order in which they are reported.
const (
	Missing      Kind = "missing"   // never came
	MissingTail  Kind = "tail"      // never came, nor did any that was sent after it
	Twice        Kind = "doubled"   // came again
	Foreign      Kind = "foreign"   // was never sent
	Changed      Kind = "changed"   // came with other fields
	OutOfOrder   Kind = "reordered" // came after a later one of its account
	Aborted      Kind = "aborted"   // came, but its transaction was aborted
	PassedOn     Kind = "malformed" // came, but was sent malformed, and had to be set aside
	TooLate      Kind = "late"      // came too long after it was due
	WrongBalance Kind = "balance"   // came with a wrong running balance
	WrongClosing Kind = "closing"   // of an account whose closing balance is wrong
	WrongSum     Kind = "sum"       // of an account whose sum is wrong
)

// Kinds are all of them.
var Kinds = [...]Kind{Missing, MissingTail, Twice, Foreign, Changed, OutOfOrder, Aborted, PassedOn, TooLate,
	WrongBalance, WrongClosing, WrongSum}

// words are what the kinds are called in reports.
var words = map[Kind]string{Missing: "missing", MissingTail: "missing at the tail", Twice: "doubled",
	Foreign: "foreign", Changed: "changed", OutOfOrder: "reordered", Aborted: "aborted but seen",
	PassedOn: "malformed but passed on", TooLate: "late", WrongBalance: "wrong running balance",
	WrongClosing: "wrong closing balance", WrongSum: "wrong sum"}

// String returns what the kind is called in reports.
func (k Kind) String() string { return words[k] }

// ExamplesMax is how many examples a finding has at most.
const ExamplesMax = 3

// Finding is what is wrong in one way.
type Finding struct {
	Kind      Kind     `json:"kind"`
	Count     int64    `json:"count"`
	OnPurpose int64    `json:"on_purpose,omitempty"` // of them, by those who sent the payments
	Allowed   bool     `json:"allowed,omitempty"`    // see Report.Judge
	Examples  []string `json:"examples"`
}

// FaultCount is what became of the faults of a kind.
type FaultCount struct {
	Kind  string `json:"kind"`
	PutIn int64  `json:"put_in"`
	Came  int64  `json:"came"`
	Twice int64  `json:"came_twice,omitempty"`
}

// Latency is how long after they were due payments came.
type Latency struct {
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p99_9_ns"`
	Max   time.Duration `json:"max_ns"`
}

// Report is what a comparison has found.
type Report struct {
	Findings  []Finding `json:"findings"`
	Undecided []string  `json:"undecided"` // what cannot be judged, and why

	Sent          int64            `json:"sent"`     // payments, of all receipts
	Distinct      int64            `json:"distinct"` // of them, came
	Records       int64            `json:"records"`  // that were compared, with those of other runs
	OtherRecords  int64            `json:"other_records"`
	OtherRuns     int              `json:"other_runs"`
	UnknownAbsent int64            `json:"unknown_absent"` // payments of unknown outcome that did not come
	BeforeStart   int64            `json:"before_start"`   // payments that may have come before the log begins
	Unstable      int64            `json:"unstable"`       // payments that may be behind an open transaction
	Twins         int64            `json:"twins"`          // by value: findings of payments that another one is like
	Fields        map[string]int64 `json:"changed_fields"`
	WrongBalances int64            `json:"wrong_balances"` // records, also those that are wrong like the one before
	Faults        []FaultCount     `json:"faults"`
	Latency       *Latency         `json:"latency,omitempty"`
	ByValue       bool             `json:"by_value"`
	Passes        int              `json:"passes"`

	Unnamed   int64 `json:"-"` // records without headers
	NoAccount int64 `json:"-"` // records whose account is not known
	NoLatency int64 `json:"-"` // payments that have no due time, or no time
	Earlier   int64 `json:"-"` // payments that came before anybody looked
	NoBalance int64 `json:"-"` // payments whose running balance could not be judged

	byKind map[Kind]*Finding
	delays *hdrhistogram.Histogram
}

func newReport(config *Config) Report {
	return Report{Fields: make(map[string]int64), byKind: make(map[Kind]*Finding), Findings: []Finding{},
		Undecided: []string{}, Faults: []FaultCount{}, ByValue: config.By == ByValue,
		delays: hdrhistogram.New(1, (24 * time.Hour).Microseconds(), 3)}
}

// add counts a finding. Its text is made only for an example.
func (r *Report) add(kind Kind, purpose bool, text func() string) {
	f := r.byKind[kind]
	if f == nil {
		f = &Finding{Kind: kind}
		r.byKind[kind] = f
	}
	f.Count++
	if purpose {
		f.OnPurpose++
	}
	if len(f.Examples) < ExamplesMax {
		f.Examples = append(f.Examples, text())
	}
}

// Count returns how many findings of a kind there are.
func (r *Report) Count(kind Kind) int64 {
	if f := r.byKind[kind]; f != nil {
		return f.Count
	}
	return 0
}

func (r *Report) latency(took time.Duration) {
	limit := (24 * time.Hour).Microseconds()
	_ = r.delays.RecordValue(min(max(took.Microseconds(), 1), limit)) // it is within the bounds
}

// Purpose after the name of a kind allows only what was done on purpose by those who sent the payments.
const Purpose = ":purpose"

// ParseAllowed checks the names of kinds that are allowed.
func ParseAllowed(names []string) (map[string]bool, error) {
	allowed := make(map[string]bool)
	for _, name := range names {
		kind := strings.TrimSuffix(name, Purpose)
		if !slices.Contains(Kinds[:], Kind(kind)) {
			return nil, fmt.Errorf("%q is no verdict: want some of %v, each alone or with %s after it", name,
				kindNames(), Purpose)
		}
		allowed[name] = true
	}
	return allowed, nil
}

func kindNames() string {
	var names []string
	for _, k := range Kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// Judge fills in Findings and what else follows from the counts, and reports whether the pipeline has kept its
// promise, which allows some kinds.
func (r *Report) Judge(config *Config, allowed map[string]bool) (kept bool) {
	kept = true
	r.Findings = r.Findings[:0]
	for _, kind := range Kinds {
		f := r.byKind[kind]
		if f == nil {
			continue
		}
		f.Allowed = allowed[string(kind)] || f.Count == f.OnPurpose && allowed[string(kind)+Purpose]
		kept = kept && f.Allowed
		r.Findings = append(r.Findings, *f)
	}
	if n := r.delays.TotalCount(); n > 0 {
		at := func(p float64) time.Duration {
			return time.Duration(r.delays.ValueAtPercentile(p)) * time.Microsecond
		}
		r.Latency = &Latency{Count: n, P50: at(50), P99: at(99), P999: at(99.9), Max: at(100)}
	}
	if r.BeforeStart > 0 {
		r.undecided("%d payments may have come before the log begins", r.BeforeStart)
	}
	if config.Unstable > 0 {
		r.undecided("%d offsets are behind an open transaction, and %d payments may be there", config.Unstable,
			r.Unstable)
	}
	if config.MaxLatency > 0 && r.ByValue {
		r.undecided("the latency: without their numbers it is not known when payments were due")
	}
	if config.MaxLatency > 0 && r.NoLatency > 0 {
		r.undecided("the latency of %d payments: only a steady rate has due times, and records need a time",
			r.NoLatency)
	}
	if config.Balances && r.NoBalance > 0 && r.Count(OutOfOrder) == 0 {
		r.undecided("the running balance of %d payments: they have none, or came too far apart", r.NoBalance)
	}
	return kept && len(r.Undecided) == 0
}

func (r *Report) undecided(format string, args ...any) {
	r.Undecided = append(r.Undecided, fmt.Sprintf(format, args...))
}
