package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bizumctl/bizum"
)

// differences are suspects, each as often as it differs.
type differences struct{ missing, foreign []*suspect }

// differences counts what came too often, which is a finding, and lists the rest in the order of the values.
func (v *valued) differences() (d differences) {
	var list []*suspect
	for _, s := range v.suspects {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *suspect) int { return cmp.Compare(a.value, b.value) })
	for _, s := range list {
		likely := s.sent + s.unknown
		if s.came != s.sent && likely > 1 {
			v.report.Twins++
		}
		for range s.sent - s.came {
			d.missing = append(d.missing, s)
		}
		v.came += max(min(s.came-s.sent, s.unknown), 0)
		for i := range s.came - likely {
			if likely == 0 {
				d.foreign = append(d.foreign, s)
				continue
			}
			v.report.add(Twice, i < s.onPurpose, func() string {
				return fmt.Sprintf("%v: %s was sent %s and came %s", s.last, printable(s.value), times(likely), times(s.came))
			})
		}
	}
	return d
}

// pair finds payments that came with one field changed: one that is missing and a foreign one that have all
// other fields in common. It takes them from the lists.
func (v *valued) pair(d *differences) {
	waiting := make(map[string][]*suspect) // foreign ones, by all fields but one
	for _, s := range d.foreign {
		for _, part := range v.parts(s.value) {
			if part != "" {
				waiting[part] = append(waiting[part], s)
			}
		}
	}
	if len(waiting) == 0 {
		return
	}
	used := make(map[*suspect]int64)
	taken := func(s *suspect) bool { return used[s] >= s.came }
	d.missing = slices.DeleteFunc(d.missing, func(s *suspect) bool {
		for field, part := range v.parts(s.value) {
			list := waiting[part]
			for len(list) > 0 && taken(list[0]) {
				list = list[1:]
			}
			if waiting[part] = list; len(list) == 0 {
				continue
			}
			other := list[0]
			used[other]++
			v.report.Fields[fieldNames[field]]++
			v.report.add(Changed, false, func() string {
				return fmt.Sprintf("%v: %s has another %s, want %s", other.last, printable(other.value),
					fieldNames[field], printable(s.value))
			})
			return true
		}
		return false
	})
	d.foreign = slices.DeleteFunc(d.foreign, func(s *suspect) bool {
		if used[s] > 0 {
			used[s]--
			return true
		}
		return false
	})
}

var fieldNames = [...]string{"cuenta", "nombre", "cantidad", "concepto", "tipo"}

// parts returns a value without each of its fields, with the field's number before it.
func (v *valued) parts(value string) (parts []string) {
	p, err := bizum.ParsePayment(message(value, v.accounts))
	if err != nil {
		return nil
	}
	fields := []string{"", string(p.Name), p.Amount.String(), string(p.Concept), p.Kind.String()}
	if v.accounts {
		fields[0], _, _ = strings.Cut(value, ";")
	}
	for i, text := range fields {
		fields[i] = "\x00"
		parts = append(parts, strings.Join(fields, "\xff"))
		fields[i] = text
	}
	if !v.accounts {
		parts[0] = "" // there is nothing to change
	}
	return parts
}
