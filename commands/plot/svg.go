package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
)

// svg returns a scene as SVG. Texts are escaped, and nothing in it comes from anywhere else: no script, no style, no link.
func (s *scene) svg() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" `+
		`font-family="Go, Arial, Helvetica, sans-serif">`+"\n<title>%s</title>\n", width, height, escaped(s.title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	for _, p := range s.paths {
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="%s" d="`, p.color, coordinate(p.width))
		for i, at := range p.at {
			switch {
			case i == 0:
				fmt.Fprintf(&b, "M%s %s", coordinate(at.x), coordinate(at.y))
			case at.y == p.at[i-1].y:
				fmt.Fprintf(&b, "H%s", coordinate(at.x))
			default:
				fmt.Fprintf(&b, "V%s", coordinate(at.y))
			}
		}
		b.WriteString("\"/>\n")
	}
	for _, t := range s.texts {
		weight := ""
		if t.bold {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(&b, `<text x="%s" y="%s" text-anchor="%s" font-size="%s"%s fill="%s">%s</text>`+"\n",
			coordinate(t.at.x), coordinate(t.at.y), t.anchor, coordinate(t.size), weight, t.color, escaped(t.text))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func coordinate(x float64) string { return strconv.FormatFloat(x, 'f', -1, 32) }

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a Buffer takes all
	return b.String()
}
