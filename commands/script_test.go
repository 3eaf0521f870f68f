package commands_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bizumctl/bizum/devbroker"
)

func TestMain(m *testing.M) { os.Exit(cleaned{m}.Run()) }

// realBrokers is a Kafka to test on instead of embedded brokers, and realControl the command that kills it and starts
// it again.
var (
	realBrokers = os.Getenv("BIZUMCTL_TEST_BROKERS")
	realControl = os.Getenv("BIZUMCTL_TEST_KAFKA")
)

// TestScripts runs testdata/script. Each has a topic of its own, which BIZUMCTL_TOPIC names, at BIZUMCTL_BROKERS.
func TestScripts(t *testing.T) {
	onPath(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			s := &stage{processes: make(map[string]*process)}
			env.Values[stageKey{}] = s
			env.Defer(s.end)
			env.Setenv("TZ", "Europe/Madrid")
			env.Setenv("AWAY", cmp.Or(os.Getenv("BIZUMCTL_TEST_AWAY"), "1")) // seconds
			env.Setenv("BIZUMCTL_TOPIC", fmt.Sprintf("test-%x", rand.Uint64()))
			if realBrokers != "" {
				env.Setenv("BIZUMCTL_BROKERS", programBrokers(realBrokers))
				for name, value := range loginEnvironment() {
					env.Setenv(name, value)
				}
				if testLogin {
					env.Setenv("KCAT_CONFIG", filepath.Join(env.WorkDir, ".kcat"))
					return os.WriteFile(env.Getenv("KCAT_CONFIG"), kcatLogin(), 0o600)
				}
				return nil
			}
			s.data = filepath.Join(env.WorkDir, ".broker")
			if err := s.start("localhost:0"); err != nil {
				return err
			}
			env.Setenv("BIZUMCTL_BROKERS", s.broker.Address())
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "kafka":
				return realBrokers != "", nil
			case "restartable": // the script stops and starts the broker
				return realBrokers == "" || realControl != "", nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": plain(start), "await": plain(await), "signal": plain(kill), "finish": plain(finish),
			"broker": plain(restart), "repeat": plain(repeat), "page": plain(getPage),
		},
	})
}

type stageKey struct{}

// stage is what a script's own commands share: its broker, and the processes in the background.
type stage struct {
	broker    *devbroker.Broker
	address   string
	data      string
	processes map[string]*process
}

type process struct {
	*exec.Cmd
	done chan struct{}
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

func (s *stage) start(address string) (err error) {
	if s.broker, err = devbroker.Start(address, s.data); err == nil {
		s.address = s.broker.Address()
	}
	return err
}

func (s *stage) end() {
	for _, p := range s.processes {
		_ = p.Process.Kill() // it may have ended
		<-p.done
	}
	if s.broker != nil {
		s.broker.Close()
	}
}

// plain is a command of ours, none of which knows what to do with an exclamation mark before it.
func plain(run func(ts *testscript.TestScript, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("! is for the commands of testscript itself")
		}
		run(ts, args)
	}
}

// start NAME COMMAND [ARG...] runs a command in the background, its output going to NAME.out and NAME.err. Its input
// is NAME.in, if there is one.
func start(ts *testscript.TestScript, args []string) {
	name := args[0]
	path := ts.Getenv("PATH")
	program := args[1]
	for _, dir := range filepath.SplitList(path) {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			program = filepath.Join(dir, program)
			break
		}
	}
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, variable := range []string{"PATH", "HOME", "TZ", "BIZUMCTL_TOPIC", "BIZUMCTL_BROKERS", "TMPDIR"} {
		cmd.Env = append(cmd.Env, variable+"="+ts.Getenv(variable))
	}
	cmd.Env = append(cmd.Env, loginVariables()...)
	for _, stream := range []struct {
		to  any
		end string
	}{{&cmd.Stdout, ".out"}, {&cmd.Stderr, ".err"}} {
		file, err := os.Create(ts.MkAbs(name + stream.end))
		ts.Check(err)
		defer file.Close()
		if stream.end == ".out" {
			cmd.Stdout = file
		} else {
			cmd.Stderr = file
		}
	}
	ts.Check(cmd.Start())
	p := &process{cmd, make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // finish looks at the code
	}()
	stageOf(ts).processes[name] = p
}

const awaitAtMost = 60 * time.Second

// await FILE PATTERN [COUNT] waits until a file has so many matches of a pattern.
func await(ts *testscript.TestScript, args []string) {
	want := 1
	if len(args) > 2 {
		var err error
		want, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	if want < 1 {
		ts.Fatalf("await %s: nothing is always there", args[0])
	}
	pattern := regexp.MustCompile("(?m)" + args[1])
	var text []byte
	for began := time.Now(); time.Since(began) < awaitAtMost; time.Sleep(10 * time.Millisecond) {
		text, _ = os.ReadFile(ts.MkAbs(args[0]))
		if len(pattern.FindAll(text, -1)) >= want {
			return
		}
	}
	ts.Fatalf("%s never had %d × %q; it has:\n%s", args[0], want, args[1], text)
}

// signal NAME INT|TERM|HUP|KILL|STOP|CONT
func kill(ts *testscript.TestScript, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": os.Kill,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	ts.Check(stageOf(ts).processes[args[0]].Process.Signal(signals[args[1]]))
}

// finish NAME CODE waits for a process and checks its exit code.
func finish(ts *testscript.TestScript, args []string) {
	p := stageOf(ts).processes[args[0]]
	select {
	case <-p.done:
	case <-time.After(awaitAtMost):
		ts.Fatalf("%s does not end", args[0])
	}
	if got := strconv.Itoa(p.ProcessState.ExitCode()); got != args[1] {
		text, _ := os.ReadFile(ts.MkAbs(args[0] + ".err"))
		ts.Fatalf("%s ended with %s, want %s:\n%s", args[0], got, args[1], text)
	}
}

// broker stop|start
func restart(ts *testscript.TestScript, args []string) {
	s := stageOf(ts)
	if realControl != "" {
		ts.Check(exec.Command(realControl, map[string]string{"stop": "kill", "start": "start"}[args[0]]).Run())
		return
	}
	switch args[0] {
	case "stop":
		s.broker.Close()
		s.broker = nil
	case "start":
		ts.Check(s.start(s.address))
	}
}

// repeat FILE COUNT LINE writes a file of many lines; # in the line is its number, and \x escapes as in Go.
func repeat(ts *testscript.TestScript, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	line, err := strconv.Unquote(`"` + strings.ReplaceAll(args[2], `"`, `\"`) + `"`)
	ts.Check(err)
	var text bytes.Buffer
	for i := range count {
		fmt.Fprintln(&text, strings.ReplaceAll(line, "#", strconv.Itoa(i)))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text.Bytes(), 0o600))
}
