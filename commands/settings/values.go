package settings

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/console"
)

// Value is a flag as it is set, or the password.
type Value struct {
	Name   string
	Text   string // "": none
	Origin string // where it is from
}

// Values returns what is set in a command's flags: those that all commands share, which s is set by, and of the others
// those that are not as they are by default.
func (s *Cluster) Values(env Environment, c *cli.Context, shared []cli.Flag) (values []Value) {
	file := &s.access.file
	for _, flag := range c.Command.Flags {
		name := flag.Names()[0]
		origin := file.origins[name]
		if origin == "" && !slices.Contains(shared, flag) || name == "help" || name == "profiles" {
			continue
		}
		values = append(values, Value{name, textOf(c.Generic(name)), cmp.Or(origin, byDefault)})
	}
	t := file.settings.TLS
	for _, pem := range [...]struct{ flag, text string }{{"tls-ca", t.CA.Text}, {"tls-cert", t.Certificate.Text},
		{"tls-key", t.Key.Text}} {
		if pem.text != "" && file.origins[pem.flag] == "" {
			values = append(values, Value{pem.flag, "*** (in the file)", file.name})
		}
	}
	return append(values, s.access.passwordValue(env))
}

const byDefault = "default"

// passwordValue returns where the password is from, and nothing of it.
func (a *access) passwordValue(env Environment) Value {
	_, origin, err := a.password(env, func() (string, error) { return "", console.ErrNoTerminal })
	value := Value{Name: "password", Text: "***", Origin: origin}
	switch {
	case err != nil && a.sasl == "":
		value.Text, value.Origin = "", byDefault
	case errors.Is(err, console.ErrNoTerminal):
		value.Text, value.Origin = "", "will be asked for"
	case err != nil:
		value.Text, value.Origin = "", err.Error()
	}
	return value
}

// textOf returns the value of a flag as text.
func textOf(value any) string {
	switch v := value.(type) {
	case *cli.IntSlice:
		return fmt.Sprint(v.Value())
	case flag.Getter:
		return fmt.Sprint(v.Get())
	}
	return fmt.Sprint(value)
}

// UnusedKeys returns notices about keys of the file that mean nothing to us: those that may be slips, or, for who wants
// to know more, all.
func (s *Cluster) UnusedKeys() []string { return s.access.file.unusedKeys(s.Speech.Verbose) }
