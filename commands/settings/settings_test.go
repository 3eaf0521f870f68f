package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"bizumctl/commands/misuse"
	"bizumctl/commands/settings"
)

// set returns what is set by a command line, some variables and a profile "prod", and the error of Load.
func set(t *testing.T, profile, variables string, args ...string) (values map[string]settings.Value, err error) {
	t.Helper()
	env := settings.Environment{ConfigDir: t.TempDir(), LookupEnv: func(name string) (string, bool) {
		for variable := range strings.FieldsSeq(variables) {
			if value, ok := strings.CutPrefix(variable, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}}
	folder := settings.ProfileFolder(env.ConfigDir)
	if err := errors.Join(os.Mkdir(folder, 0o777), os.WriteFile(
		filepath.Join(folder, "prod"+settings.ProfileExtension), []byte(profile), 0o666)); err != nil {
		t.Fatal(err)
	}
	cluster := settings.DefaultCluster()
	shared := cluster.Flags()
	app := &cli.App{Name: "test", ExitErrHandler: func(*cli.Context, error) {}, Commands: []*cli.Command{{Name: "show",
		Flags: shared, Action: func(c *cli.Context) error {
			if _, err := settings.Load(env, c); err != nil {
				return err
			}
			values = make(map[string]settings.Value)
			for _, v := range cluster.Values(env, c, shared) {
				values[v.Name] = v
			}
			return nil
		}}}}
	err = app.Run(append([]string{"test", "show"}, args...))
	return values, err
}

// A flag beats the environment, that beats a profile, and each value says where it is from.
func TestOrigins(t *testing.T) {
	const profile = "bootstrap.servers=kafka:9093\nbizumctl.topic=pagos\nsecurity.protocol=SSL\n"
	values, err := set(t, profile, "BIZUMCTL_TOPIC=otros BIZUMCTL_PASSWORD=x", "--profile", "prod", "--sasl", "plain")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]settings.Value{
		"brokers":  {Name: "brokers", Text: "kafka:9093", Origin: "profile prod"},
		"topic":    {Name: "topic", Text: "otros", Origin: "BIZUMCTL_TOPIC"},
		"tls":      {Name: "tls", Text: "true", Origin: "profile prod"},
		"sasl":     {Name: "sasl", Text: "plain", Origin: "command line"},
		"tls-ca":   {Name: "tls-ca", Origin: "default"},
		"password": {Name: "password", Text: "***", Origin: "BIZUMCTL_PASSWORD"},
	} {
		if values[name] != want {
			t.Errorf("%+v, want %+v", values[name], want)
		}
	}
}

// What cannot be set, or not so, is a misuse that names the place.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ profile, variables, args, want string }{
		{"bizumctl.tpic=x", "", "--profile prod", "profile prod: bizumctl.tpic: no command has a flag of that name"},
		{"bizumctl.help=x", "", "--profile prod", "profile prod: bizumctl.help: a file cannot set that"},
		{"", "", "--profile other", "no profile other: there is no "},
		{"", "", "--profile ../prod", `--profile "../prod": want a name, not a path`},
		{"", "", "--profile prod --config f", "--config and --profile exclude each other"},
		{"", "BIZUMCTL_TLS=maybe", "", `BIZUMCTL_TLS="maybe": want true or false`},
		{"", "BIZUMCTL_TOPIC=", "", "BIZUMCTL_TOPIC is empty"},
	} {
		_, err := set(t, c.profile, c.variables, strings.Fields(c.args)...)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !errors.As(err, new(misuse.Error)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
