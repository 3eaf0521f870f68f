package view

import (
	"fmt"

	"bizumctl/bizum/producer"
	"bizumctl/commands/console"
)

// Sent is what was delivered, and what not.
type Sent struct {
	producer.Figures
	Pending  int64         // messages that are not acknowledged
	Rejected int64         // lines of the input
	ByRate   bool          // a rate was asked for
	Asked    float64       // that rate, a second; 0: as fast as may be
	Mode     producer.Mode // of the run
}

// Summary shows what was sent.
func (s *Sent) Summary(screen *console.Console) {
	sent, lost := console.Plural(s.Acknowledged, "bizum", "bizums")+" sent", Exceptions(0, s.Rejected)
	if s.Pending > 0 {
		lost += fmt.Sprintf(", %s more not acknowledged", console.Count(s.Pending))
	}
	if !s.ByRate || s.Acknowledged == 0 {
		screen.Noticef("%s%s", sent, lost)
		return
	}
	requested, achieved := "", ""
	if s.Asked > 0 {
		requested = console.AskedRate(s.Asked) + " requested, "
	}
	if rate := s.PerSecond(s.Mode); rate > 0 { // one bizum has none
		achieved = console.Rate(rate) + " achieved, "
	}
	screen.Noticef("%s in %s: %s%s%s/s%s", sent, console.Duration(s.Took), requested, achieved,
		console.Size(float64(s.Bytes)/s.Took.Seconds()), lost)
	screen.Noticef("acknowledged after p50 %s, p99 %s, max %s", console.Duration(s.P50), console.Duration(s.P99),
		console.Duration(s.Max))
}
