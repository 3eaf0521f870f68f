package commands

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"
)

// build returns what the build knows of itself.
func build() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return new(debug.BuildInfo)
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// builtOn returns the day of the commit that a program was built from, so that the same sources make the same pages.
func builtOn(info *debug.BuildInfo) string {
	day, _, _ := strings.Cut(setting(info, "vcs.time"), "T")
	return day
}

// buildVersion is the version that was released or, of a build from the sources, the commit's.
func buildVersion(info *debug.BuildInfo) string {
	if version := info.Main.Version; version != "" && version != "(devel)" {
		return version
	}
	if commit := setting(info, "vcs.revision"); commit != "" {
		return "dev-" + commit[:min(len(commit), 12)]
	}
	return "dev"
}

// versionText is all that helps to know which program this is.
func versionText(version string, info *debug.BuildInfo) string {
	text := "bizumctl version " + version + "\n"
	if commit := setting(info, "vcs.revision"); commit != "" {
		text += "commit " + commit
		if at := setting(info, "vcs.time"); at != "" {
			text += " of " + at
		}
		if setting(info, "vcs.modified") == "true" {
			text += ", and changes that are not committed"
		}
		text += "\n"
	}
	text += fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, module := range info.Deps {
		if module.Path == "github.com/IBM/sarama" {
			text += ", sarama " + module.Version
		}
	}
	return text + "\n"
}

func printVersion(env Env) error {
	_, err := fmt.Fprint(env.Stdout, versionText(env.Version, build()))
	return err
}

func newVersion(env Env) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version", Hidden: true,
		Description: "Prints the version, the commit, and the versions of Go and of the Kafka client.",
		Action:      func(*cli.Context) error { return printVersion(env) },
	}
}
