package commands_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestTab: a person presses Tab in each shell, to complete a command, an option and a topic of the cluster, and the line
// that comes of it runs.
func TestTab(t *testing.T) {
	s := newScreen(t)
	const payment = "Maria;20.35;Cena;ENVIO"
	s.send("", payment)
	for _, c := range []struct{ shell, arguments, setup string }{
		{"bash", "--norc --noprofile -i", "source <(bizumctl completion bash)"},
		{"zsh", "-f -i", "autoload -U compinit; compinit -u -D; source <(bizumctl completion zsh)"},
		{"zsh", "-f -i", "bizumctl completion zsh >_bizumctl; fpath=($PWD $fpath); autoload -U compinit; compinit -u -D"},
		{"fish", "--no-config -i", "bizumctl completion fish | source"},
	} {
		t.Run(c.shell, func(t *testing.T) {
			path, err := exec.LookPath(c.shell)
			if err != nil {
				t.Skip("not installed")
			}
			cmd := exec.Command(path, strings.Fields(c.arguments)...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+cmd.Dir, "XDG_CONFIG_HOME="+cmd.Dir, "XDG_DATA_HOME="+cmd.Dir,
				"BIZUMCTL_BROKERS="+s.brokers)
			terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
			if err != nil {
				t.Fatal(err)
			}
			defer terminal.Close()
			timeout := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			defer timeout.Stop()
			var shown strings.Builder
			await := func(want string) {
				t.Helper()
				buffer := make([]byte, 4096)
				for !strings.Contains(shown.String(), want) {
					n, err := terminal.Read(buffer)
					if err != nil {
						t.Fatalf("never shows %q: %v\n%q", want, err, shown.String())
					}
					shown.Write(buffer[:n])
				}
			}
			send := func(text string) {
				if _, err := terminal.WriteString(text); err != nil {
					t.Fatal(err)
				}
			}
			// The words are broken, so that the shell's echo of them is not taken for what they print.
			send("echo be''gun\n")
			await("begun")
			send(c.setup + "; echo set''up\n")
			await("setup")
			send("bizumctl consu\t--exi\t--raw --topic " + s.topic[:len(s.topic)-3] + "\t\n")
			await(payment)
			// Files are offered where one is wanted, and only there.
			send("mkdir only-fol''der; echo ma''de\n")
			await("made")
			shown.Reset()
			const clear = "\x15"
			send("bizumctl consume --topic only\t" + clear + "echo cle''ared\n")
			await("cleared")
			if strings.Contains(shown.String(), "only-folder") {
				t.Errorf("a folder for a topic: %q", shown.String())
			}
			send("bizumctl consume --dir only\t")
			await("--dir only-folder")
			send(clear)
			send("exit\n")
			_ = cmd.Wait()
		})
	}
}
