package commands_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// browser is a Chromium without a window, which is told what to do over a pipe, in the DevTools protocol.
type browser struct {
	*testing.T
	to      io.Writer
	session string

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	faults  []string // what the page has complained of
}

// answer is what comes over the pipe: the result of a command, or an event.
type answer struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

// newBrowser starts a browser with an empty page. Without a browser the test is skipped, which CI does not accept.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		t.Skip("no browser is installed: the live page is not looked at (Debian: apt-get install chromium)")
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
		"--user-data-dir="+t.TempDir(), "about:blank")
	commands, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{commands, answers}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	answers.Close()
	b := &browser{T: t, to: to, waiting: make(map[int]chan answer)}
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil, nil)
		_ = cmd.Wait() // it was told to end
		to.Close()
		from.Close()
	})
	go b.listen(from)
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// listen hands answers to those who wait for them, and notes what the page complains of.
func (b *browser) listen(from io.Reader) {
	for read := bufio.NewReader(from); ; {
		text, err := read.ReadBytes(0)
		if err != nil {
			return
		}
		var a answer
		if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &a); err != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case a.ID > 0:
			if waiting := b.waiting[a.ID]; waiting != nil {
				waiting <- a
			}
		case a.Method == "Runtime.exceptionThrown", a.Method == "Log.entryAdded",
			a.Method == "Runtime.consoleAPICalled", a.Method == "Page.javascriptDialogOpening":
			b.faults = append(b.faults, a.Method+" "+string(a.Params))
		}
		b.mu.Unlock()
	}
}

func (b *browser) call(method string, params map[string]any, result any) {
	b.Helper()
	got := make(chan answer, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = got
	b.mu.Unlock()
	command := map[string]any{"id": id, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.Fatal(err)
	}
	select {
	case a := <-got:
		if a.Error != nil {
			b.Fatalf("%s: %s", method, a.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(a.Result, result); err != nil {
				b.Fatalf("%s: %v in %s", method, err, a.Result)
			}
		}
	case <-time.After(awaitAtMost):
		b.Fatalf("%s: the browser does not answer", method)
	}
}

// value returns what an expression is in the page, as text.
func (b *browser) value(expression string) string {
	b.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": "String(" + expression + ")", "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	return fmt.Sprint(r.Result.Value)
}

// await waits until an expression is true in the page.
func (b *browser) await(expression string) {
	b.Helper()
	for began := time.Now(); time.Since(began) < awaitAtMost/2; time.Sleep(20 * time.Millisecond) {
		if b.value(expression) == "true" {
			return
		}
	}
	b.Fatalf("never was true: %s\nthe page has: %s\nits faults: %q", expression, b.value("document.body.innerText"), b.complaints())
}

// text returns what a person reads in an element.
func (b *browser) text(id string) string {
	return b.value(fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// complaints returns what the page has complained of since it was last asked.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := b.faults
	b.faults = nil
	return faults
}

// size makes the window so wide, and dark or light.
func (b *browser) size(width int, scheme string) {
	b.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1,
		"mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// screenshot keeps a picture of the page for people to look at, where BIZUMCTL_TEST_SCREENSHOTS names a folder.
func (b *browser) screenshot(name string) {
	b.Helper()
	dir := os.Getenv("BIZUMCTL_TEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	picture, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.Error(err)
	}
}

// serving is a balance with a page, in a process of its own.
type serving struct {
	*exec.Cmd
	notices *notices // what it writes to standard error
}

// serve starts a balance with a page, and returns where it is.
func serve(t *testing.T, brokers, topic, address string, args ...string) (*serving, string) {
	t.Helper()
	s := &serving{notices: awaiting("a live page of the balance: ")}
	s.Cmd = exec.Command("bizumctl", append([]string{"balance", "-b", brokers, "-t", topic, "--page", address}, args...)...)
	s.Stderr = s.notices
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() }) // it may have ended
	select {
	case <-s.notices.seen:
	case <-time.After(awaitAtMost / 2):
		t.Fatalf("no page: %s", s.notices)
	}
	return s, pageAddress.FindString(s.notices.String())
}

// end ends a balance as Ctrl-C does.
func (s *serving) end(t *testing.T) {
	t.Helper()
	if err := s.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Fatalf("%v: %s", err, s.notices)
	}
}
