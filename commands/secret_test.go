package commands_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSecretStays: the password and the token are in nothing that others read: output and errors, with and without the
// client's log; the list of processes; what a crash prints; a core; the environment of the token command.
func TestSecretStays(t *testing.T) {
	onSecured(t, func(s *secured) {
		for _, c := range []struct{ mechanism, password, line string }{ // run looks for the password
			{"plain", anaPassword, "produce --count 1 --rate max --topic secret"}, {"plain", "wrong-example", "ping"}, {"scram-sha-256", anaPassword, "config"},
			{"scram-sha-512", anaPassword, "ping --topic secret"}, {"scram-sha-512", "wrong-example", "consume --exit --topic t"},
			{"plain", "wrong-example", "produce --count 1 --topic t"}, {"plain", "wrong-example", "balance --group g --topic t"},
		} {
			_, stderr, code := s.run(c.password, c.line+" --verbose --sasl "+c.mechanism+" --user ana", "SASLPLAIN")
			if (code == 0) != (c.password == anaPassword) {
				s.Errorf("%+v: exit code %d\n%s", c, code, stderr)
			}
		}
		file := filepath.Join(s.TempDir(), "password")
		if err := os.WriteFile(file, []byte(anaPassword+"\n"), 0o600); err != nil {
			s.Fatal(err)
		}
		s.crash(syscall.SIGQUIT, " --password-file "+file)
		s.crash(syscall.SIGABRT, "", passwordVariable+"="+anaPassword)
		if s.onKafka { // the embedded broker takes no tokens
			s.tokenStays()
		}
	})
}

// tokenStays: the command for a token does not get the password, and what it prints is not shown.
func (s *secured) tokenStays() {
	s.Helper()
	dump := filepath.Join(s.TempDir(), "environment")
	s.run(anaPassword, "ping", "SASLPLAIN", "--token-command", "env >"+dump)
	environment, err := os.ReadFile(dump)
	if err != nil || strings.Contains(string(environment), anaPassword) || !strings.Contains(string(environment), "PATH=") {
		s.Errorf("the token command has %s, %v", environment, err)
	}
	const token = "token-example" // run looks for it as for a password
	for _, printed := range []string{"{" + token, token, `{"token": "` + token + `"}`} {
		_, stderr, code := s.run(token, "ping --verbose", "SASLPLAIN", "--token-command", "echo '"+printed+"'")
		if code != 1 {
			s.Errorf("%s: exit code %d\n%s", printed, code, stderr)
		}
	}
}

// crash ends a program that has logged in by a signal for which Go shows what it was doing.
func (s *secured) crash(signal syscall.Signal, flags string, environment ...string) {
	s.Helper()
	line := "bizumctl consume --verbose --topic crash --sasl scram-sha-256 --user ana --brokers " + s.addresses["SASLPLAIN"] + flags
	if _, stderr, code := s.run(anaPassword, "produce --count 1 --rate max --topic crash --sasl plain --user ana",
		"SASLPLAIN"); code != 0 {
		s.Fatal(stderr)
	}
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited; exec "+line)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.certs}, environment...)
	cmd.Dir = s.TempDir()
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.Fatal(err)
	}
	timeout := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	shown := make([]byte, 1000)
	if n, err := out.Read(shown); n == 0 {
		s.Errorf("it shows nothing: %v", err)
	}
	// Anybody reads the command line, in the list of processes.
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
	if err == nil && (!strings.Contains(string(args), "consume") || strings.Contains(string(args), anaPassword)) {
		s.Errorf("the command line is %q", args)
	}
	_ = cmd.Process.Signal(signal) // if it has ended, it was not by the signal
	_ = cmd.Wait()
	left, err := os.ReadDir(cmd.Dir)
	if err != nil || len(left) > 0 || cmd.ProcessState.Sys().(syscall.WaitStatus).CoreDump() {
		s.Errorf("after %v there is a core: %v, %v, %v", signal, cmd.ProcessState, left, err)
	}
	if text := string(shown) + faults.String(); strings.Contains(text, anaPassword) || !strings.Contains(text, "goroutine ") {
		s.Errorf("after %v it shows\n%s", signal, text)
	}
}
