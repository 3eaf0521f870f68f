package arguments

import (
	"strings"

	"github.com/xrash/smetrics"
)

// Near returns the name that somebody may have meant who typed another one, "" if none is near: a slip in every third
// letter, or a beginning.
func Near(typed string, names []string) string {
	const beginning = 3 // letters; fewer begin too much
	typed = strings.ToLower(typed)
	near, least := "", (len(typed)+1)/3+1
	for _, name := range names {
		if slips := smetrics.WagnerFischer(typed, name, 1, 1, 1); slips < least {
			near, least = name, slips
		}
	}
	if near != "" || len(typed) < beginning {
		return near
	}
	for _, name := range names {
		if strings.HasPrefix(name, typed) {
			return name
		}
	}
	return ""
}
