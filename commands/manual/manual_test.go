package manual_test

import (
	"os/exec"
	"strings"
	"testing"

	"bizumctl/commands/manual"
)

// awkward is what roff would read as something else.
const awkward = `.B 'x' "y" \fBz\e --dash -1 ^ ~ ` + "`" + ` RECEPCIÓN 20 € ñ`

func awkwardPage() *manual.Page {
	return &manual.Page{Name: "bizumctl-try", Summary: "a try", Date: "2026-11-28", Version: "bizumctl 1.0",
		Synopsis: "bizumctl try [FLAG...]", Sections: []manual.Section{
			{Title: "DESCRIPTION", Text: []string{awkward, "'quoted' first", "A second one."}},
			{Title: "OPTIONS", Items: []manual.Item{{Term: "-t, --topic", Value: "NAME", Text: awkward},
				{Term: "--exit", Text: "stop"}, {Term: "bizumctl try --input 'a b'"}}},
		}}
}

// A page is plain ASCII, and each line that begins with a dot is a request that we mean.
func TestRoff(t *testing.T) {
	roff := awkwardPage().Roff()
	for line := range strings.Lines(roff) {
		name, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") &&
			!strings.Contains(` .\" .TH .SH .PP .TP .B .BI .nh .ad `, " "+name+" ") {
			t.Errorf("a request that is none of ours: %s", line)
		}
	}
	if i := strings.IndexFunc(roff, func(r rune) bool { return r > '~' }); i >= 0 {
		t.Errorf("no ASCII: %s", roff[i:])
	}
	for _, want := range []string{`.TH "BIZUMCTL\-TRY" 1 "2026-11-28" "bizumctl 1.0"`, `bizumctl\-try \- a try`,
		`.BI "\-t, \-\-topic " "NAME"`, `RECEPCI\[u00D3]N 20 \[u20AC]`, `\&\(aqquoted\(aq first`} {
		if !strings.Contains(roff, want+"\n") && !strings.Contains(roff, want) {
			t.Errorf("no %s in\n%s", want, roff)
		}
	}
}

// TestShown: man's own formatter shows what was written.
func TestShown(t *testing.T) {
	formatter, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed")
	}
	cmd := exec.Command(formatter, "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u")
	cmd.Stdin = strings.NewReader(awkwardPage().Roff())
	var faults strings.Builder
	cmd.Stderr = &faults
	shown, err := cmd.Output()
	if err != nil || faults.String() != "" {
		t.Errorf("%v\n%s", err, &faults)
	}
	words := strings.Join(strings.Fields(string(shown)), " ")
	if strings.Count(words, awkward) != 2 || !strings.Contains(words, "-t, --topic NAME") ||
		!strings.Contains(words, "bizumctl try --input 'a b'") {
		t.Errorf("%s", shown)
	}
}
