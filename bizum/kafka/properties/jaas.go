package properties

import (
	"errors"
	"fmt"
	"strings"
)

// login reads how to authenticate. Its errors quote no value.
func (f *file) login() (l Login, err error) {
	v := f.values
	l = Login{Mechanism: strings.ToUpper(v[mechanism]), User: v[user], Password: v[password]}
	if l.Mechanism == "" {
		return l, fmt.Errorf("%s is not set: want PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER", mechanism)
	}
	if v[jaas] == "" {
		return l, nil
	}
	module, options, err := parseJAAS(v[jaas])
	if err != nil {
		return l, fmt.Errorf("%s: %w", jaas, err)
	}
	switch name := module[strings.LastIndexByte(module, '.')+1:]; name {
	case "PlainLoginModule", "ScramLoginModule":
		l.User, l.Password = options["username"], options["password"]
		if l.User == "" {
			return l, fmt.Errorf("%s: %s has no username", jaas, name)
		}
	case "OAuthBearerLoginModule": // its options are for Java's own token requests
	default:
		return l, fmt.Errorf("%s: %s is not supported: want PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule",
			jaas, name)
	}
	return l, nil
}

// parseJAAS reads the one login module of a JAAS configuration: its class, a control flag, options, a semicolon.
func parseJAAS(text string) (module string, options map[string]string, err error) {
	text = strings.TrimSpace(text)
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' { // quoted as in a shell
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	text, ended := strings.CutSuffix(text, ";")
	if !ended {
		return "", nil, errors.New("it does not end in a semicolon")
	}
	var words []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var word string
		if word, text, err = nextWord(text); err != nil {
			return "", nil, err
		}
		words = append(words, word)
	}
	if len(words) < 2 {
		return "", nil, errors.New("want the class of a login module, required, and options")
	}
	options = make(map[string]string)
	for _, option := range words[2:] {
		name, value, ok := strings.Cut(option, "=")
		if !ok {
			return "", nil, errors.New("an option has no value; is a quotation mark missing?")
		}
		options[name] = value
	}
	return words[0], options, nil
}

// nextWord cuts the first word off a text, without its quotation marks. In quotes, a backslash escapes.
func nextWord(text string) (word, rest string, err error) {
	var b strings.Builder
	quote := rune(0)
	escaped := false
	for i, r := range text {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case quote != 0 && r == '\\':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote == 0 && strings.ContainsRune(" \t\r\n", r):
			return b.String(), text[i:], nil
		default:
			b.WriteRune(r)
		}
	}
	if quote != 0 {
		return "", "", errors.New("a quotation mark is not closed")
	}
	return b.String(), "", nil
}
