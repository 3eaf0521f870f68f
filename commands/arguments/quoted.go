package arguments

import (
	"regexp"
	"strings"
)

var plainWord = regexp.MustCompile(`^[\w./:,@%+=-]+$`)

// Quoted returns a word as a shell wants it.
func Quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
