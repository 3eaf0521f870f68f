package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"bizumctl/bizum/check"
	"bizumctl/commands/console"
)

// show shows a report, and returns an error unless the pipeline has kept its promise.
func (o *checkOptions) show(screen *console.Console, report *check.Report, config *check.Config) error {
	if o.isOther(report, config) {
		return misuse("topic %q has records of %s, and none of run %s, whose receipt was given", o.cluster.topic,
			console.Plural(report.OtherRuns, "other run", "other runs"), config.Receipts[0].Run)
	}
	kept := report.Judge(config, o.allowed)
	var err error
	if o.output == "json" {
		err = o.object(screen, report, kept)
	} else {
		err = o.lines(screen, report, config)
	}
	if err == nil {
		err = screen.Flush()
	}
	if err != nil || kept {
		return err
	}
	return errors.New(verdict(report))
}

// isOther reports whether the receipt is of another run than all records.
func (o *checkOptions) isOther(report *check.Report, config *check.Config) bool {
	return config.By == check.ByNumber && len(o.paths) == 0 && report.OtherRecords > 0 && report.Distinct == 0 &&
		report.OtherRecords+report.Unnamed == report.Records
}

func (o *checkOptions) object(screen *console.Console, report *check.Report, kept bool) error {
	text, err := json.Marshal(struct {
		Kept bool `json:"kept"`
		*check.Report
	}{kept, report})
	if err != nil {
		return err
	}
	return screen.Line(text)
}

// lines shows a line for each finding, with its examples below it.
func (o *checkOptions) lines(screen *console.Console, report *check.Report, config *check.Config) error {
	var lines []string
	for _, f := range report.Findings {
		lines = append(lines, findingLine(&f, report))
		for _, example := range f.Examples {
			lines = append(lines, "  "+example)
		}
	}
	for _, f := range report.Faults {
		text := fmt.Sprintf("on purpose: %s %s, of which %s came", console.Count(f.PutIn), f.Kind,
			console.Count(f.Came))
		if f.Kind == check.Doubled {
			text += fmt.Sprintf(", %s of them twice", console.Count(f.Twice))
		}
		lines = append(lines, text)
	}
	for _, text := range report.Undecided {
		lines = append(lines, "cannot be judged: "+text)
	}
	if l := report.Latency; l != nil {
		clock := "the record's timestamp"
		if o.follow {
			clock = "when it came here"
		}
		lines = append(lines, fmt.Sprintf("latency, from when the sender's clock had a payment due to %s: "+
			"p50 %s, p99 %s, p99.9 %s, max %s", clock, console.Duration(l.P50), console.Duration(l.P99),
			console.Duration(l.P999), console.Duration(l.Max)))
	}
	what := "payment"
	if config.By == check.ByClosing || config.By == check.BySum {
		what = "account"
	}
	lines = append(lines, fmt.Sprintf("%s of %s came, in %s", console.Count(report.Distinct),
		console.Plural(report.Sent, what, what+"s"), console.Plural(report.Records, "record", "records")))
	for _, line := range lines {
		if err := screen.Line([]byte(line)); err != nil {
			return err
		}
	}
	if err := screen.Flush(); err != nil {
		return err
	}
	notes(screen, report, config)
	return nil
}

func findingLine(f *check.Finding, report *check.Report) string {
	text := fmt.Sprintf("%v: %s", f.Kind, console.Count(f.Count))
	switch {
	case f.OnPurpose == f.Count:
		text += ", sent so on purpose"
	case f.OnPurpose > 0:
		text += fmt.Sprintf(", %s of them sent so on purpose", console.Count(f.OnPurpose))
	}
	if f.Kind == check.WrongBalance {
		text += fmt.Sprintf(", and %s as wrong as the one before", console.Count(report.WrongBalances-f.Count))
	}
	if f.Allowed {
		text += " (allowed)"
	}
	return text
}

// notes say how it was compared, and what was left out.
func notes(screen *console.Console, report *check.Report, config *check.Config) {
	if config.By == check.ByValue {
		screen.Noticef("compared by value, in %s: the order is not judged, and of payments that are alike "+
			"not which one", console.Plural(report.Passes, "pass", "passes"))
	}
	if report.OtherRecords > 0 {
		screen.Noticef("left out %s of %s", console.Plural(report.OtherRecords, "record", "records"),
			console.Plural(report.OtherRuns, "other run", "other runs"))
	}
	if report.UnknownAbsent > 0 {
		screen.Noticef("%s of unknown outcome did not come", console.Plural(report.UnknownAbsent, "payment", "payments"))
	}
	aborted := int64(0)
	for _, r := range config.Receipts {
		for _, some := range r.Aborted {
			aborted += some.Len()
		}
	}
	if aborted > 0 {
		screen.Noticef("%s in transactions that were aborted", console.Plural(aborted, "payment was", "payments were"))
	}
	if report.Twins > 0 {
		screen.Noticef("%s more than once, so that one cannot be told from the other",
			console.Plural(report.Twins, "value that is reported was sent", "values that are reported were sent"))
	}
	if report.Earlier > 0 {
		screen.Noticef("%s before this began: the latency of those is not known",
			console.Plural(report.Earlier, "payment came", "payments came"))
	}
	if report.NoAccount > 0 {
		screen.Noticef("%s no account, which was not compared",
			console.Plural(report.NoAccount, "record has", "records have"))
	}
}

// verdict says in a line what is wrong.
func verdict(report *check.Report) string {
	var parts []string
	for _, f := range report.Findings {
		if !f.Allowed {
			parts = append(parts, fmt.Sprintf("%s %v", console.Count(f.Count), f.Kind))
		}
	}
	if len(parts) == 0 {
		return "it cannot be decided whether the pipeline kept its promise"
	}
	return "the pipeline broke its promise: " + strings.Join(parts, ", ")
}
