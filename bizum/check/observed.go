package check

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"bizumctl/bizum"
)

// Place is where a record was found: in a topic, or in a file, whose rows are counted from 1.
type Place struct {
	Source string // the topic, or the file
	Part   int32  // the partition; of a file, its number among the files
	At     int64  // the offset, or the row
	InFile bool
}

// String returns the place as messages name it: out/0@1041 or part-00000.csv:17.
func (p Place) String() string {
	if p.InFile {
		return p.Source + ":" + strconv.FormatInt(p.At, 10)
	}
	return fmt.Sprintf("%s/%d@%d", p.Source, p.Part, p.At)
}

// printable returns a text from outside as part of a line: no byte of it ends the line, or steers a terminal.
func printable(text string) string {
	const bytesMax = 200
	quoted := strconv.Quote(text[:min(len(text), bytesMax)])
	return quoted[1 : len(quoted)-1]
}

// Observed is a record that a pipeline delivered. It is valid during the call that it is handed over by.
type Observed struct {
	Place
	Run, N     []byte // what names it; nil: nothing does
	Account    []byte // nil: it is not known
	Value      []byte // the message, Nombre;Cantidad;Concepto;tipo
	Balance    bizum.Amount
	HasBalance bool
	Time       int64 // in milliseconds since 1970, by the clock that the caller names; NoTime: there is none
}

// Times of a record that has none. With Earlier it is nobody's fault: it came before anybody looked.
const (
	NoTime  = -1
	Earlier = -2
)

// Comparison takes the records that a pipeline delivered, and reports what is wrong with them. It is for one
// goroutine.
type Comparison interface {
	// Observe takes a record.
	Observe(o *Observed) error
	// EndPass is called when all records were observed. It reports whether they are to be observed once more.
	EndPass(ctx context.Context) (again bool, err error)
	// Report returns what was found, after the last pass.
	Report() *Report
}

// Config says what is compared, and how.
type Config struct {
	Receipts []*Receipt
	// AsSent means that the pipeline passes on what was done wrong on purpose: a payment that was sent twice
	// has to come twice, one that is malformed has to come, and one sent out of order may come so. Otherwise it
	// has to mend that.
	AsSent bool
	// MaxLatency is how long after it was due a payment may come; 0: that is not judged.
	MaxLatency time.Duration
	// Balances means that records have running balances, which are judged. It takes one receipt.
	Balances bool
	// Beheaded means that the first records of the log are gone, so that what came before cannot be judged.
	Beheaded bool
	// Unstable is how many offsets at the end of the log are behind an open transaction and cannot be read yet, so
	// that what did not come may be there.
	Unstable int64
	// By is what names a payment.
	By Naming
	// Latest returns what is known by now of runs that go on. It is called for a record with a number that its run, as
	// far as is known, has not sent; nil: no run goes on.
	Latest func() ([]*Receipt, error)
}

// Naming is what names a payment, or that there are none.
type Naming int

// The namings.
const (
	ByNumber  Naming = iota // its run and number
	ByValue                 // what it says
	ByClosing               // records are closing balances of accounts
	BySum                   // records are sums of accounts
)

// New makes a comparison. Its errors are ErrOtherPayments, and a contradiction in config.
func New(config Config) (Comparison, error) {
	for _, r := range config.Receipts {
		if r.Stream.probe() != r.Stream.Probe {
			return nil, fmt.Errorf("run %q, of %s: %w", r.Run, r.Tool, ErrOtherPayments)
		}
	}
	switch config.By {
	case ByValue:
		return newValued(config), nil
	case ByClosing, BySum:
		return newTotals(config)
	}
	return NewNumbered(config)
}
