package plot

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"

	"bizumctl/bizum"
)

// Sizes of a picture, in points of an SVG. Coordinates are floats; amounts are not: a balance becomes one only when its
// place in the picture is known.
const (
	width, height         = 1000, 560
	left, right           = 130, 190 // margins: amounts, closing balances
	top, bottom           = 76, 70
	textSize              = 13.0
	titleSize             = 20.0
	labelGap              = 17.0 // between two closing balances
	plotWidth, plotHeight = width - left - right, height - top - bottom
)

// curvesMax is how many curves a person can tell apart.
const curvesMax = 8

// Colours that people who see few of them can tell apart, and that show on white: Paul Tol's, a bit darker.
var palette = [curvesMax]string{"#0058a3", "#c0392b", "#1b7837", "#7b3294", "#b35806", "#01665e", "#8c510a", "#444444"}

const ink, faint, grid = "#1a1a1a", "#5c5c5c", "#dddddd"

// scene is a picture that can be written as SVG or drawn as PNG.
type scene struct {
	title string // also for who does not see it
	paths []path
	texts []text
}

// path is a line of horizontal and vertical strokes only.
type path struct {
	color string
	width float64
	at    []point
}

type point struct{ x, y float64 }

type text struct {
	at     point // of its baseline
	anchor anchor
	size   float64
	bold   bool
	color  string
	text   string
}

// anchor is which part of a text is at its point: its start, middle or end, in the words of SVG.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// Title is what a picture is of.
type Title struct {
	Topic, Group string
	Zone         *time.Location // of its times
}

// draw makes the picture of what was recorded, and a text of what is in it.
func (r *Recorder) draw(t Title) (*scene, string) {
	curves, accounts, timed := r.curves(curvesMax)
	s := &scene{}
	frame := frameOf(curves, timed)
	s.caption(t, frame, r.about(curves, accounts, timed))
	frame.amounts(s)
	if timed {
		frame.times(s, t.Zone)
	} else {
		frame.numbers(s)
	}
	if len(curves) == 0 {
		s.texts = append(s.texts, text{point{left + plotWidth/2, top + plotHeight/2}, middle, titleSize, false, faint,
			"no bizums"})
	}
	for i := range curves {
		s.paths = append(s.paths, path{palette[i], 2, frame.line(&curves[i])})
	}
	s.closing(curves, frame)
	return s, drawnOf(len(curves), accounts, r.left.Load())
}

// drawnOf returns which accounts are drawn.
func drawnOf(drawn, of int, left bool) string {
	switch {
	case left:
		return fmt.Sprintf("the %d accounts that moved most of the first %s", drawn, humanize.Comma(int64(of)))
	case drawn < of:
		return fmt.Sprintf("the %d accounts that moved most of %s", drawn, humanize.Comma(int64(of)))
	case drawn == 1:
		return "1 account"
	}
	return fmt.Sprintf("%d accounts", drawn)
}

// about returns what a picture says beside its curves.
func (r *Recorder) about(curves []curve, accounts int, timed bool) string {
	payments, untimed := r.payments()
	bizums := " bizums"
	if payments == 1 {
		bizums = " bizum"
	}
	parts := []string{drawnOf(len(curves), accounts, r.left.Load()), humanize.Comma(payments) + bizums}
	if timed && untimed > 0 {
		parts = append(parts, humanize.Comma(untimed)+" without a usable time, drawn at that of the one before")
	}
	return strings.Join(parts, ", ")
}

// caption writes what the picture is of.
func (s *scene) caption(t Title, f frame, about string) {
	s.title = "Balance of topic " + shown(t.Topic, 40)
	if t.Group != "" {
		s.title += ", group " + shown(t.Group, 30)
	}
	reach := ""
	if f.timed && !f.empty {
		reach = between(time.UnixMilli(f.from).In(t.Zone), time.UnixMilli(f.to).In(t.Zone)) + " · "
	}
	s.texts = append(s.texts,
		text{point{left, 34}, start, titleSize, true, ink, s.title},
		text{point{left, 56}, start, textSize, false, faint, reach + about})
}

// between returns a range of time; its day once, if it is one.
func between(from, to time.Time) string {
	const layout = time.DateTime
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format(layout) + " to " + to.Format(time.TimeOnly)
	}
	return from.Format(layout) + " to " + to.Format(layout)
}

// closing writes the closing balances at the ends of the curves, in their order, but none over another.
func (s *scene) closing(curves []curve, f frame) {
	order := make([]int, len(curves))
	for i := range curves {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return -compare(curves[a].last, curves[b].last) })
	rows := 1
	if len(curves) <= curvesMax/2 {
		rows = 2 // a line for the name
	}
	places := spread(order, func(i int) float64 { return f.y(curves[i].last) }, float64(rows)*labelGap)
	for n, i := range order {
		c, at := &curves[i], point{left + plotWidth + 10, places[n] + textSize/3}
		closing := string(c.last.AppendEuros(nil))
		if rows == 1 {
			const columns = 24 // of a label; the amount is never cut
			name := shown(c.account, max(columns-len(closing), 4))
			s.texts = append(s.texts, text{at, start, textSize - 1.5, true, palette[i], closing + " " + name})
			continue
		}
		s.texts = append(s.texts, text{at, start, textSize + 1, true, palette[i], closing},
			text{point{at.x, at.y + labelGap - 2}, start, textSize - 1, false, palette[i], shown(c.account, 24)})
	}
}

// spread returns places near those that are wanted, from top to bottom, with room between them.
func spread(order []int, wanted func(int) float64, gap float64) []float64 {
	places := make([]float64, len(order))
	for n, i := range order {
		places[n] = wanted(i)
		if n > 0 {
			places[n] = max(places[n], places[n-1]+gap)
		}
	}
	lowest := float64(top + plotHeight)
	for n := len(places) - 1; n >= 0; n-- {
		places[n] = min(places[n], lowest)
		lowest = places[n] - gap
	}
	return places
}

func compare(a, b bizum.Amount) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// shown returns a name that came from a message as a picture may have it: graphic characters only, and not longer than
// so many.
func shown(name string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range name {
		if n == most-1 && len([]rune(name)) > most {
			b.WriteRune('…')
			break
		}
		if !unicode.IsGraphic(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// line returns the way of a curve. In a column of the picture it goes as far down and up as the balance did.
func (f frame) line(c *curve) (at []point) {
	y := f.y(c.opening)
	if len(c.buckets) > 0 {
		at = append(at, point{round(f.x(c.buckets[0].at)), y})
	}
	for i := 0; i < len(c.buckets); {
		b, x := c.buckets[i], round(f.x(c.buckets[i].at))
		for i++; i < len(c.buckets) && round(f.x(c.buckets[i].at)) == x; i++ {
			b.join(c.buckets[i])
		}
		low, high, last := f.y(b.low), f.y(b.high), f.y(b.end)
		at = append(at, point{x, y})
		if low != last && low != y {
			at = append(at, point{x, low})
		}
		if high != last && high != y {
			at = append(at, point{x, high})
		}
		at = append(at, point{x, last})
		y = last
	}
	return append(at, point{left + plotWidth, y})
}

// round returns a coordinate of a half point, a pixel of a PNG.
func round(x float64) float64 { return math.Round(x*2) / 2 }
