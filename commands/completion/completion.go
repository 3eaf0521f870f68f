// Package completion is what a word of a command line may become: the scripts that make a shell ask for it, and the
// words. It knows the flags of the commands, and asks others what a cluster has.
package completion

import (
	"context"
	"embed"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// scripts are a file for each shell. They ask "bizumctl complete WORD..." what the last word may become.
//
//go:embed bash fish powershell zsh
var scripts embed.FS

// within is how long a person who has pressed Tab waits for a cluster.
const within = time.Second

// Shells returns the shells that there is a script for.
func Shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// Script returns the script for a shell, and reports whether there is one.
func Script(shell string) (text string, ok bool) {
	script, err := scripts.ReadFile(shell)
	return string(script), err == nil
}

// Ask looks up what a flag may be set to after the words before it, where that is not a matter of its usage, and
// reports whether it does that for this flag.
type Ask func(ctx context.Context, flag string, before []string) (values []string, known bool)

// Words returns what the last of some words may become after those before it.
func Words(ctx context.Context, app *cli.App, words []string, ask Ask) (found []string) {
	if len(words) == 0 {
		return nil
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	if len(before) == 0 {
		for _, command := range app.VisibleCommands() {
			found = append(found, command.Name)
		}
		return beginning(append(found, "help", "version", "--help", "--version"), word, "")
	}
	command := app.Command(before[0])
	switch {
	case command == nil:
		return nil
	case command.Name == "completion":
		return beginning(Shells(), word, "")
	}
	if name, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(name, "-") {
		return beginning(valuesOf(ctx, ask, command, before, name), value, name+"=")
	}
	if values, wanted := wantedValues(ctx, ask, command, before); wanted {
		return beginning(values, word, "")
	}
	for _, flag := range command.Flags {
		if name := "--" + flag.Names()[0]; !slices.Contains(before, name) {
			found = append(found, name)
		}
	}
	return beginning(found, word, "")
}

func beginning(words []string, with, prefix string) (found []string) {
	for _, word := range words {
		if strings.HasPrefix(word, with) {
			found = append(found, prefix+word)
		}
	}
	return found
}

// wantedValues returns the values of the flag that the last word is, if it is one that takes a value.
func wantedValues(ctx context.Context, ask Ask, command *cli.Command, before []string) (values []string, wanted bool) {
	last := before[len(before)-1]
	flag := flagOf(command, last)
	if flag == nil || !flag.(cli.DocGenerationFlag).TakesValue() {
		return nil, false
	}
	return valuesOf(ctx, ask, command, before[:len(before)-1], last), true
}

// flagOf returns the flag of a command that a word names, nil if none.
func flagOf(command *cli.Command, word string) cli.Flag {
	name := strings.TrimLeft(word, "-")
	for _, flag := range command.Flags {
		if name != word && slices.Contains(flag.Names(), name) {
			return flag
		}
	}
	return nil
}

// FlagsOf returns the words of a line that are flags which a command has, and their values.
func FlagsOf(command *cli.Command, line []string) (words []string) {
	for i, word := range line {
		name, _, joined := strings.Cut(word, "=")
		flag := flagOf(command, name)
		if flag == nil || i == 0 {
			continue
		}
		words = append(words, word)
		if !joined && flag.(cli.DocGenerationFlag).TakesValue() && i+1 < len(line) {
			words = append(words, line[i+1])
		}
	}
	return words
}

// valuesOf returns what a flag may be set to; none where that is not a matter of choice.
func valuesOf(ctx context.Context, ask Ask, command *cli.Command, before []string, word string) []string {
	flag := flagOf(command, word)
	if flag == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if values, known := ask(ctx, flag.Names()[0], before); known {
		return values
	}
	return choices(flag.(cli.DocGenerationFlag).GetUsage())
}

var oneWord = regexp.MustCompile(`^[a-z0-9-]+$`)

// choices returns the words that the usage of a flag lists: "when: auto, always, never; more".
func choices(usage string) (words []string) {
	_, list, _ := strings.Cut(usage, ": ")
	list, _, _ = strings.Cut(list, ";")
	for word := range strings.SplitSeq(list, ", ") {
		if oneWord.MatchString(word) {
			words = append(words, word)
		}
	}
	return words
}
