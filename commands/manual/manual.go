// Package manual makes the manual pages of commands, from their definitions, and writes them as man(1) reads them: in
// roff, with the macros of man(7).
package manual

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Page is a manual page of section 1.
type Page struct {
	Name     string // what man is asked for
	Summary  string
	Date     string // of the program, as 2026-11-28; "": not known
	Version  string // the program's name and version
	Synopsis string
	Sections []Section
}

// Section is a part of a page: paragraphs, then items.
type Section struct {
	Title string // in capitals
	Text  []string
	Items []Item
}

// Item is something that is explained.
type Item struct {
	Term  string // as it is typed
	Value string // stands for what follows the term; "": nothing does
	Text  string // "": the term says it all
}

// Roff returns the page for man, in ASCII whatever it says.
func (p *Page) Roff() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".\\\" Made from the definitions of the commands.\n.TH %s 1 %s %s\n.nh\n.ad l\n",
		argument(strings.ToUpper(p.Name)), `"`+p.Date+`"`, argument(p.Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(p.Name), escape(p.Summary))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", argument(p.Synopsis))
	for _, s := range p.Sections {
		fmt.Fprintf(&b, ".SH %s\n", argument(s.Title))
		for i, paragraph := range s.Text {
			if i > 0 {
				b.WriteString(".PP\n")
			}
			b.WriteString(line(paragraph))
		}
		for i, item := range s.Items {
			if item.Text == "" && i > 0 {
				b.WriteString(".PP\n")
			}
			item.write(&b)
		}
	}
	return b.String()
}

func (i *Item) write(b *strings.Builder) {
	if i.Text == "" {
		fmt.Fprintf(b, ".B %s\n", argument(i.Term))
		return
	}
	b.WriteString(".TP\n")
	if i.Value == "" {
		fmt.Fprintf(b, ".B %s\n", argument(i.Term))
	} else {
		fmt.Fprintf(b, ".BI %s %s\n", argument(i.Term+" "), argument(i.Value))
	}
	b.WriteString(line(i.Text))
}

// line is a paragraph. What begins as a request of roff does is none.
func line(text string) string {
	text = escape(strings.Join(strings.Fields(text), " "))
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, `\(aq`) {
		text = `\&` + text
	}
	return text + "\n"
}

// argument is a text as one argument of a macro.
func argument(text string) string { return `"` + escape(text) + `"` }

// escape writes a text so that roff shows it as it is: a dash that can be searched for and copied, quotes that are not
// turned into others, and any letter, whatever the terminal.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '"':
			b.WriteString(`\(dq`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString(`\(ga`)
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
