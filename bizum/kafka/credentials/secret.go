package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// CheckPrivate returns an error, with the command that changes it, if others may read a file that has a secret. A pipe
// is private.
func CheckPrivate(path string, info os.FileInfo) error {
	const others = 0o007
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&others == 0 {
		return nil
	}
	return fmt.Errorf("%s has a secret, and everybody may read it: chmod 600 %s", path, path)
}

// ReadPassword returns the first line of a file.
func ReadPassword(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil {
		err = CheckPrivate(path, info)
	}
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s: its first line is empty; it should be the password", path)
	}
	return line, nil
}

// Token is a token for OAuth, with extensions (KIP-342).
type Token struct {
	Value      string
	Extensions map[string]string
}

// TokenOf runs a command of the shell and returns the token that it prints: as it is, or in a JSON object as token,
// access_token or accessToken, perhaps with extensions. The command does not see the named variables of our
// environment.
func TokenOf(ctx context.Context, command string, hidden ...string) (Token, error) {
	shell := []string{"sh", "-c"}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C"}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1], command)
	cmd.WaitDelay = time.Second // for what the shell has started, and that keeps its output open
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(hidden, name)
	})
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	printed, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return Token{}, errors.New("the command for it did not end in time")
	case err != nil && lastLine(complaint.Bytes()) != "":
		return Token{}, fmt.Errorf("the command for it: %w: %s", err, lastLine(complaint.Bytes()))
	case err != nil:
		return Token{}, fmt.Errorf("the command for it: %w", err)
	}
	return parseToken(printed)
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// parseToken reads what a command has printed. Its errors do not quote it.
func parseToken(printed []byte) (Token, error) {
	text := strings.TrimSpace(string(printed))
	token := Token{Value: text}
	if strings.HasPrefix(text, "{") {
		var object struct {
			Token        string            `json:"token"`
			AccessToken  string            `json:"access_token"`
			AccessToken2 string            `json:"accessToken"`
			Extensions   map[string]string `json:"extensions"`
		}
		if json.Unmarshal([]byte(text), &object) != nil {
			return Token{}, errors.New("the command for it printed an object that is not JSON, or whose parts are not texts")
		}
		token = Token{object.Token + object.AccessToken + object.AccessToken2, object.Extensions}
		if token.Value == "" {
			return Token{}, errors.New("the command for it printed an object without token, access_token or accessToken")
		}
	}
	switch {
	case token.Value == "":
		return Token{}, errors.New("the command for it printed nothing")
	case strings.ContainsFunc(token.Value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return Token{}, errors.New("the command for it printed more than a token")
	}
	return token, nil
}
