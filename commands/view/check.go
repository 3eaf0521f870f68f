package view

import (
	"encoding/json"
	"fmt"
	"strings"

	"bizumctl/bizum/check"
	"bizumctl/commands/console"
)

// CheckJSON shows a report as one object, and whether the pipeline has kept its promise.
func CheckJSON(screen *console.Console, report *check.Report, kept bool) error {
	text, err := json.Marshal(struct {
		Kept bool `json:"kept"`
		*check.Report
	}{kept, report})
	if err != nil {
		return err
	}
	if err := screen.Line(text); err != nil {
		return err
	}
	return screen.Flush()
}

// Check shows a line for each finding, with its examples below it.
func Check(screen *console.Console, report *check.Report, config *check.Config) error {
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
	if report.Latency != nil {
		lines = append(lines, latencyLine(report.Latency, config.Latest != nil))
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

// latencyLine names the clocks between which a latency was measured.
func latencyLine(l *check.Latency, live bool) string {
	clock := "the record's timestamp"
	if live {
		clock = "when it came here"
	}
	return fmt.Sprintf("latency, from when the sender's clock had a payment due to %s: p50 %s, p99 %s, p99.9 %s, max %s",
		clock, console.Duration(l.P50), console.Duration(l.P99), console.Duration(l.P999), console.Duration(l.Max))
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

// Verdict says in a line what is wrong with a pipeline that has not kept its promise.
func Verdict(report *check.Report) string {
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
