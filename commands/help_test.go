package commands

import (
	"bytes"
	"context"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"bizumctl/commands/flags"
	"bizumctl/commands/settings"
)

// speak runs a command line in an environment, and returns its exit code and what it wrote.
func speak(t *testing.T, environment map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, notices bytes.Buffer
	code = Run(ctx, Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &notices, Now: time.Now,
		Names: []byte("Ana\n"), Concepts: []byte("Cine\n"),
		LookupEnv: func(name string) (string, bool) {
			value, set := environment[name]
			return value, set
		}}, append([]string{"bizumctl"}, args...))
	if ctx.Err() != nil {
		t.Fatalf("%q does not end: %s", args, &notices)
	}
	return code, out.String(), notices.String()
}

// Each help fits a terminal, names its defaults as such, and shows by example what a TIME and a SIZE are.
func TestHelp(t *testing.T) {
	app := newApp(Env{Now: time.Now})
	for _, command := range app.Commands {
		code, help, stderr := speak(t, nil, command.Name, "--help")
		if code != 0 || stderr != "" || help == "" {
			t.Errorf("%s: %d, %q", command.Name, code, stderr)
		}
		if judges := strings.Contains(help, "Exit code: 0 promise kept, 1 broken,"); judges != (command.Name == "check") {
			t.Errorf("%s: its exit code means something else:\n%s", command.Name, help)
		}
		for line := range strings.Lines(help) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 80 {
				t.Errorf("%s: %d columns: %s", command.Name, width, line)
			}
		}
		if strings.Contains(help, " TIME ") != strings.Contains(help, "TIME is such as 500ms, 10s, 1m30s or 2h.") {
			t.Errorf("%s: TIME without an example, or the example without it:\n%s", command.Name, help)
		}
	}
	_, help, _ := speak(t, nil, "consume", "--help")
	for _, want := range []string{"after TIME (default 1m)", "SIZE is such as", "-o, --output FORMAT ", "@today"} {
		if !strings.Contains(help, want) {
			t.Errorf("no %q in\n%s", want, help)
		}
	}
	for _, args := range [][]string{{"help", "consume"}, {"consume", "word", "--help"}, {"help", "--help", "consume"},
		{"consume", "-eh"}} {
		if code, same, _ := speak(t, nil, args...); code != 0 || same != help {
			t.Errorf("%q: %d, %s", args, code, same)
		}
	}
}

// Every flag of every command that takes a value wants one, typed or from its variable.
func TestEmptyValue(t *testing.T) {
	seen := 0
	for _, command := range newApp(Env{Now: time.Now}).Commands {
		for _, flag := range flags.Of(command.Flags) {
			if flag.Switch {
				continue
			}
			seen++
			for _, name := range flag.Names {
				dashed := "--" + name
				if len(name) == 1 {
					dashed = "-" + name
				}
				for _, args := range [][]string{{command.Name, dashed, ""}, {command.Name, dashed + "="}} {
					code, out, notices := speak(t, nil, args...)
					if code != misused || out != "" || !strings.Contains(notices, "error: "+dashed+" is empty: ") {
						t.Errorf("%q: %d, %q, %q", args, code, out, notices)
					}
				}
			}
			variable := settings.VariableOf(flag.Names[0])
			environment := map[string]string{variable: ""}
			if other := settings.RulesOf(command.Name).Needs[flag.Names[0]]; other != "" {
				environment[settings.VariableOf(other)] = "x"
			}
			code, out, notices := speak(t, environment, command.Name)
			if code != misused || out != "" || !strings.Contains(notices, "error: "+variable+" is empty: ") {
				t.Errorf("%s=: %s: %d, %q, %q", variable, command.Name, code, out, notices)
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d flags", seen)
	}
}

// A variable is for those it suits. Where it applies and is wrong, it is named.
func TestEnvironment(t *testing.T) {
	const away = "error: no broker answers at localhost:1: "
	for _, c := range []struct {
		environment string
		args        string
		code        int
		want        string
	}{
		{"ROLL_RECORDS=3", "consume", failed, away}, {"ROLL_RECORDS=", "consume", failed, away},
		{"ROLL_RECORDS=x", "consume", failed, away}, {"CSV_SAFE=true", "consume", failed, away},
		{"ROLL_RECORDS=x", "consume --dir d", misused, `error: BIZUMCTL_ROLL_RECORDS="x": want a whole number`},
		{"ROLL_RECORDS=0", "consume --dir d", misused,
			"hint: --roll-records was set by BIZUMCTL_ROLL_RECORDS in the environment"},
		{"ROLL_RECORDS=0 DIR=d", "consume", misused, "hint: --roll-records was set by BIZUMCTL_ROLL_RECORDS"},
		{"COUNT=5 UNTIL=end", "consume --dir d", failed, away}, {"COUNT=5 DIR=d", "consume", failed, away},
		{"COUNT=-5", "consume", misused, "hint: --count was set by BIZUMCTL_COUNT in the environment"},
		{"COUNT=x", "consume -n 1", failed, away},
		{"COMMIT_INTERVAL=1s ACCEPT_GAP=true", "balance", failed, away},
		{"GROUP=g", "consume -p 0", failed, away}, {"PARTITION=0", "consume -g g", failed, away},
		{"GROUP=g PARTITION=0", "consume", misused, "--group was set by BIZUMCTL_GROUP in the environment; --partition was set by"},
		{"RATE=5", "produce --max-delay 1s", failed, away}, {"MAX_DELAY=1s", "produce --rate 5", failed, away},
		{"MAX_DELAY=500ms", "produce --min-delay 1s", misused, "hint: --max-delay was set by BIZUMCTL_MAX_DELAY"},
		{"ACCOUNTS=5 NAMES=f", "produce --input f.txt", failed, "error: open f.txt: "},
		{"DRY_RUN=true COMPRESSION=lz4", "produce --dir d -n 1 --min-delay 0s --max-delay 0s", done, "1 bizum in 1 file"},
		{"OUTPUT=csv", "consume --json", failed, away}, {"OUTPUT=csv", "balance --json", failed, away},
		{"JSON=true RAW=true", "consume", misused, "--raw was set by BIZUMCTL_RAW in the environment; --json was set by BIZUMCTL_JSON"},
		{"CSV_SAFE=true OUTPUT=json", "consume", failed, away}, {"BY=nombre INITIAL=1 GROUP=g", "balances", failed, away},
		{"FROM=end GROUP=g", "balance", failed, away}, {"FROM=end COUNT=3", "balance --last 5", failed, away},
		{"SASL=plain USER=ana", "consume", misused, "in the environment; set BIZUMCTL_PASSWORD, or give --password-file"},
		{"HELP=true", "consume", failed, away}, {"NOTHING=x", "consume", failed, away},
	} {
		t.Chdir(t.TempDir())
		environment := map[string]string{"BIZUMCTL_BROKERS": "localhost:1"}
		for variable := range strings.FieldsSeq(c.environment) {
			name, value, _ := strings.Cut(variable, "=")
			environment["BIZUMCTL_"+name] = value
		}
		code, _, notices := speak(t, environment, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(notices, c.want) {
			t.Errorf("%s: %s: %d, %q; want %d, %q", c.environment, c.args, code, notices, c.code, c.want)
		}
	}
}

// What is near is suggested, else there is a list; and a hint can be followed as it stands.
func TestHints(t *testing.T) {
	for args, want := range map[string]string{
		"xyz":                      "hint: the commands are: produce, consume, balance, balances, audit, check, ping, broker, demo, config, completion, man\n",
		"consme":                   "hint: did you mean \"consume\"?\n",
		"help nothing":             "hint: the commands are: produce, ",
		"balance -p 0":             "hint: --partition is a flag of: bizumctl consume\n",
		"balance --partition":      "hint: --partition is a flag of: bizumctl consume\n",
		"produce -e":               "hint: --exit is a flag of: bizumctl consume, bizumctl balance\n",
		"produce --rat 5":          "hint: did you mean --rate?\n",
		"consume --watch":          "hint: its flags are listed by: bizumctl consume --help\n",
		"consume --follow":         "hint: --follow is a flag of: bizumctl check\n",
		"-t x consume":             "hint: flags come after the command: bizumctl COMMAND -t\n",
		"--vrsion":                 "hint: see: bizumctl --help\n",
		"consume pagos":            "hint: a topic is named by: --topic pagos\n",
		"consume -b localhost:1":   "hint: start one with: bizumctl broker --listen localhost:1\n",
		"consume -b x.invalid":     "hint: is it up, and the address right? --brokers (-b) HOST:PORT,...\n",
		"produce --input - --rat5": "bizumctl produce has no flag --rat5\nbizumctl: hint: did you mean --rate?\n",
		"consume --count 1x":       "error: --count \"1x\": want a whole number\n",
		"consume --partition 1x":   "error: --partition \"1x\": want a whole number\n",
		"produce --seed -1":        "error: --seed \"-1\": want a whole number, from 0 to 18446744073709551615\n",
		"consume --idle-timeout 5": "error: --idle-timeout \"5\": want a time such as 500ms, 10s, 1m30s or 2h\n",
		"consume -e=x":             "error: --exit \"x\": want true or false, or no value at all\n",
		"consume --topic --exit":   "error: --topic wants a value, but --exit follows\n",
		"consume -t":               "error: -t wants a value\n",
	} {
		code, out, notices := speak(t, nil, strings.Fields(args)...)
		if code == done || out != "" || !strings.Contains(notices, want) {
			t.Errorf("%s: %d, %q, %q; want %q", args, code, out, notices, want)
		}
	}
}

// A build knows the commit that it is of.
func TestVersion(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"},
		{Key: "vcs.time", Value: "2026-11-25T00:56:35Z"}, {Key: "vcs.modified", Value: "true"}}
	for _, c := range []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{}, "dev"}, {debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "dev"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: vcs}, "v1.2.3"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs}, "dev-0123456789ab"},
	} {
		if got := buildVersion(&c.info); got != c.want {
			t.Errorf("%+v: %q, want %q", c.info, got, c.want)
		}
	}
	text := versionText("v1.2.3", &debug.BuildInfo{Settings: vcs,
		Deps: []*debug.Module{{Path: "github.com/IBM/sarama", Version: "v1.61.1"}}})
	for _, want := range []string{"bizumctl version v1.2.3\n", "\ncommit 0123456789abcdef of 2026-11-25T00:56:35Z, and changes",
		"\ngo1.", ", sarama v1.61.1\n"} {
		if !strings.Contains("\n"+text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	for _, args := range []string{"version", "--version", "-v"} {
		if code, out, notices := speak(t, nil, args); code != done || !strings.HasPrefix(out, "bizumctl version ") {
			t.Errorf("%s: %d, %q, %q", args, code, out, notices)
		}
	}
}
