// Package settings is where the values of flags are from that nobody typed: the environment, a file that Kafka's tools
// read, a profile; and the flags that every command shares, above all how to get into a cluster.
package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"bizumctl/bizum/kafka/properties"
	"bizumctl/commands/arguments"
	"bizumctl/commands/misuse"
)

// settingsFile is the value of --config, and what the file says, or that of --profile. It is read once all flags are
// known.
type settingsFile struct {
	path     string
	name     string // for people: path, or profile
	settings properties.Settings
	origins  map[string]string // where the value of each flag is from, but for defaults
}

func (f *settingsFile) Set(path string) error {
	if path == "" {
		return errors.New("want a file")
	}
	f.path = path
	return nil
}

func (f *settingsFile) String() string { return f.path }

// Environment is what settings are looked up in.
type Environment struct {
	LookupEnv func(string) (string, bool)
	ConfigDir string // of the user; "": there is none
	Version   string // of this program
}

const commandLine = "command line"

// Load sets the flags that were not given, from the environment, then from the file of settings, and returns where
// the value of each is from that is no default.
func Load(env Environment, c *cli.Context) (origins map[string]string, err error) {
	origins = make(map[string]string)
	for _, flag := range c.Command.Flags {
		if name := flag.Names()[0]; c.IsSet(name) {
			origins[name] = commandLine
		}
	}
	lookup := func(flag string) (string, bool) { return env.LookupEnv(VariableOf(flag)) }
	environment := source{lookup, VariableOf, VariableOf}
	if err := fill(c, environment, origins); err != nil {
		return origins, err
	}
	file, ok := c.Generic("config").(*settingsFile)
	if !ok {
		return origins, nil
	}
	file.origins = origins
	if err := file.read(env.ConfigDir, c.String("profile")); err != nil || file.name == "" {
		return origins, err
	}
	if err := file.checkOwn(c.App.Commands); err != nil {
		return origins, err
	}
	settings := source{file.value, func(flag string) string { return file.name + ": " + flag },
		func(string) string { return file.name }}
	return origins, fill(c, settings, origins)
}

// VariableOf returns the environment's variable for a flag.
func VariableOf(flag string) string {
	return "BIZUMCTL_" + strings.ReplaceAll(strings.ToUpper(flag), "-", "_")
}

// read reads the file, or the profile's. A file that was given beats the environment's profile.
func (f *settingsFile) read(configDir, profile string) error {
	if f.origins["config"] == commandLine && f.origins["profile"] == commandLine {
		return misuse.Errorf("--config and --profile exclude each other")
	}
	path := f.path
	f.name = path
	if profile != "" && (f.path == "" || f.origins["profile"] == commandLine) {
		if profile != filepath.Base(profile) || strings.HasPrefix(profile, ".") {
			return misuse.Errorf("--profile %q: want a name, not a path; --config takes a path", profile)
		}
		path = filepath.Join(ProfileFolder(configDir), profile+ProfileExtension)
		f.name = "profile " + profile
	}
	if path == "" {
		return nil
	}
	settings, err := properties.Read(path)
	if errors.Is(err, fs.ErrNotExist) && f.name != path {
		return misuse.WithHint(misuse.Errorf("no %s: there is no %s", f.name, path), "see: bizumctl config --profiles")
	}
	if err != nil {
		return misuse.Errorf("%w", err)
	}
	f.settings = *settings
	return nil
}

const ProfileExtension = ".properties"

// ProfileFolder returns the folder of the profiles, below that of the user for settings.
func ProfileFolder(configDir string) string { return filepath.Join(configDir, "bizumctl") }

// Profiles returns the names of the profiles there are. The error is of reading their folder.
func Profiles(configDir string) (names []string, err error) {
	files, err := os.ReadDir(ProfileFolder(configDir))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, file := range files {
		if name, ok := strings.CutSuffix(file.Name(), ProfileExtension); ok && !file.IsDir() {
			names = append(names, name)
		}
	}
	return names, err
}

// value returns what the file says for a flag, and reports whether it says anything.
func (f *settingsFile) value(flag string) (value string, set bool) {
	if own, set := f.settings.Own[flag]; set {
		return own, true
	}
	value = f.kafkas(flag)
	return value, value != ""
}

// kafkas returns what Kafka's keys in the file say for a flag, empty if nothing.
func (f *settingsFile) kafkas(flag string) string {
	s := &f.settings
	switch flag {
	case "brokers":
		return s.Brokers
	case "tls":
		return trueOrNone(s.Secured)
	case "tls-ca":
		return s.TLS.CA.File
	case "tls-cert":
		return s.TLS.Certificate.File
	case "tls-key":
		return s.TLS.Key.File
	case "tls-insecure":
		return trueOrNone(s.TLS.Insecure)
	case "sasl":
		return strings.ToLower(s.Login.Mechanism)
	case "user":
		return s.Login.User
	}
	return ""
}

func trueOrNone(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// checkOwn returns a misuse if a key of ours in the file is no flag of any command.
func (f *settingsFile) checkOwn(commands []*cli.Command) error {
	var names []string
	for _, command := range commands {
		for _, flag := range command.Flags {
			names = append(names, flag.Names()[0])
		}
	}
	for key := range f.settings.Own {
		if slices.Contains([]string{"config", "profile", "help"}, key) {
			return misuse.Errorf("%s: %s%s: a file cannot set that", f.name, properties.OwnPrefix, key)
		}
		if !slices.Contains(names, key) {
			err := misuse.Errorf("%s: %s%s: no command has a flag of that name", f.name, properties.OwnPrefix, key)
			if near := arguments.Near(key, names); near != "" {
				return misuse.WithHint(err, "did you mean "+properties.OwnPrefix+near+"?")
			}
			return err
		}
	}
	return nil
}

// unusedKeys returns notices about keys of the file that mean nothing to us: those that may be slips, or all.
func (f *settingsFile) unusedKeys(all bool) (notices []string) {
	for _, key := range f.settings.Unused {
		if near := f.settings.Similar[key]; near != "" {
			notices = append(notices, f.name+": "+key+" is not used; did you mean "+near+"?")
		} else if all {
			notices = append(notices, f.name+": "+key+" is not used")
		}
	}
	return notices
}
