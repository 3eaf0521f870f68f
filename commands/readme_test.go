package commands_test

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"bizumctl/bizum/devbroker"
)

// A page is a README, with a broker and a folder of its own in which its commands are run.
type page struct {
	*testing.T
	dir    string // of the page, from here
	text   string
	blocks []block
	broker string
	folder string
}

// A block is what a page shows as code.
type block struct {
	language string
	text     string
	follows  bool // the block before it, with no word in between
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

func readPage(t *testing.T, path string) *page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{T: t, dir: filepath.Dir(path), text: string(text)}
	end := 0
	for _, at := range fence.FindAllStringSubmatchIndex(p.text, -1) {
		p.blocks = append(p.blocks, block{p.text[at[2]:at[3]], p.text[at[4]:at[5]],
			end > 0 && strings.TrimSpace(p.text[end:at[0]]) == ""})
		end = at[1]
	}
	return p
}

// The READMEs say nothing that is not so. Each command that a page shows exists, with its options; and a command with
// its output below it is run, in a terminal of 80 columns, and must show that.
func TestPages(t *testing.T) {
	onPath(t)
	pages := pagePaths(t)
	front := readPage(t, "../README.md")
	if lines := strings.Count(front.text, "\n"); lines > 160 {
		t.Errorf("README.md has %d lines, more than 160", lines)
	}
	names, options := ownCommands(t)
	for _, name := range names {
		if !strings.Contains(front.text, "`bizumctl "+name) {
			t.Errorf("README.md does not name the command %s", name)
		}
	}
	for _, path := range pages {
		name, err := filepath.Rel("..", path)
		if err != nil {
			t.Fatal(err)
		}
		if name != "README.md" && !strings.Contains(front.text, "("+name+")") {
			t.Errorf("README.md has no link to %s", name)
		}
		t.Run(name, func(t *testing.T) {
			p := readPage(t, path)
			p.checkLinks()
			p.checkCommands(options)
			p.checkScripts()
			p.checkVariables(options)
			p.checkBlocks()
			p.runBlocks()
		})
	}
	front.T = t
	front.checkRooms()
	readPage(t, "../.ci/README.md").checkFolder()
}

// checkFolder makes sure that the page names every script of its folder.
func (p *page) checkFolder() {
	p.Helper()
	paths, err := filepath.Glob(p.dir + "/[^.]*")
	if err != nil {
		p.Fatal(err)
	}
	for _, path := range paths {
		name := strings.TrimPrefix(path, "../")
		if end := filepath.Ext(name); end != ".md" && end != ".xml" && !strings.Contains(p.text, "`"+name) {
			p.Errorf("the page of %s does not name %s", p.dir, name)
		}
	}
}

func pagePaths(t *testing.T) (paths []string) {
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.Name() == ".git" || entry.Name() == "testdata") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if err == nil && entry.Name() == "README.md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var (
	link    = regexp.MustCompile(`\]\(([^)]*)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// checkLinks follows the links to files, and to headings in them.
func (p *page) checkLinks() {
	p.Helper()
	for _, found := range link.FindAllStringSubmatch(p.text, -1) {
		if strings.HasPrefix(found[1], "https://") {
			continue
		}
		path, anchor, hasAnchor := strings.Cut(found[1], "#")
		text := []byte(p.text)
		if path != "" {
			var err error
			if text, err = os.ReadFile(filepath.Join(p.dir, path)); err != nil {
				p.Errorf("link %s: %v", found[1], err)
			}
		}
		if hasAnchor && !slices.ContainsFunc(heading.FindAllSubmatch(text, -1), func(h [][]byte) bool {
			return strings.ReplaceAll(strings.ToLower(string(h[1])), " ", "-") == anchor
		}) {
			p.Errorf("link %s: no such heading", found[1])
		}
	}
}

var (
	command = regexp.MustCompile("(?m)(?:^|`|\\| |\\./)bizumctl ([a-z][^|`\n…]*)")
	verb    = regexp.MustCompile(`(?m)^  ([a-z]+) {2,}`)
	option  = regexp.MustCompile("`(--[a-z][a-z-]*)")
	listed  = regexp.MustCompile(`--[a-z][a-z-]*`)
	place   = regexp.MustCompile("`(@[^`]*)`")
)

// ownCommands are the names of our commands, and the options of all of them.
func ownCommands(t *testing.T) (names, options []string) {
	help := func(args ...string) string {
		text, err := exec.Command("bizumctl", append(args, "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s --help: %v: %s", args, err, text)
		}
		return string(text)
	}
	for _, found := range verb.FindAllStringSubmatch(help(), -1) {
		names = append(names, found[1])
		options = append(options, listed.FindAllString(help(found[1]), -1)...)
	}
	return names, append(options, "--help")
}

// checkCommands makes sure that our own commands and options exist, wherever the page names them.
func (p *page) checkCommands(options []string) {
	p.Helper()
	parse := func(args ...string) {
		if out, err := exec.Command("bizumctl", append(args, "--help")...).CombinedOutput(); err != nil {
			p.Errorf("bizumctl %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	for _, found := range command.FindAllStringSubmatch(p.text, -1) {
		parse(strings.Fields(found[1])...)
	}
	for _, found := range option.FindAllStringSubmatch(p.text, -1) {
		if !slices.Contains(options, found[1]) {
			p.Errorf("no command has the option %s", found[1])
		}
	}
	for _, found := range place.FindAllStringSubmatch(p.text, -1) {
		parse("consume", "--from", found[1])
	}
}

var (
	script   = regexp.MustCompile(`(?m)(\.ci/[\w.-]+)(?: ([a-z]+))?`)
	variable = regexp.MustCompile(`BIZUMCTL_[A-Z_]+[A-Z]|BENCH_[A-Z]+`)
	program  = regexp.MustCompile(`\b\w+\.py\b`)
	profile  = regexp.MustCompile(`docker compose --profile (\w+)`)
)

// checkScripts makes sure that the scripts which the page names exist, and know the word behind their name.
func (p *page) checkScripts() {
	p.Helper()
	for _, found := range script.FindAllStringSubmatch(p.text, -1) {
		text, err := os.ReadFile("../" + found[1])
		if info, statErr := os.Stat("../" + found[1]); statErr == nil && info.IsDir() {
			err = nil
		}
		if err != nil {
			p.Error(err)
		}
		inCode := strings.Contains(p.text, "`"+found[0]) || strings.Contains(p.text, "\n"+found[0])
		if found[2] != "" && inCode && !regexp.MustCompile(`\b`+found[2]+`\b`).Match(text) {
			p.Errorf("%s has no %s", found[1], found[2])
		}
	}
}

// checkVariables makes sure that something reads the variables which the page names.
func (p *page) checkVariables(options []string) {
	p.Helper()
	sources := p.sources()
	for _, name := range variable.FindAllString(p.text, -1) {
		flag := "--" + strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "BIZUMCTL_")), "_", "-")
		if !regexp.MustCompile(`\b`+name+`\b`).MatchString(sources) && !slices.Contains(options, flag) {
			p.Errorf("nothing reads the variable %s", name)
		}
	}
}

// checkBlocks makes sure that there is something for each kind of block that keeps it right.
func (p *page) checkBlocks() {
	p.Helper()
	for _, b := range p.blocks {
		switch b.language {
		case "sh":
			for _, name := range program.FindAllString(b.text, -1) {
				if !strings.Contains(p.text, "ave it as `"+name+"`:\n\n```python\n") {
					p.Errorf("%s is not on the page", name)
				}
			}
			for _, found := range profile.FindAllStringSubmatch(b.text, -1) {
				if text, _ := os.ReadFile("../compose.yaml"); !strings.Contains(string(text), "profiles: ["+found[1]+"]") {
					p.Errorf("compose.yaml has no profile %s", found[1])
				}
			}
		case "python":
			p.checkPython(b.text)
		case "ini":
			p.checkUnit(b.text)
		case "":
			if !b.follows {
				p.Errorf("no command above this output:\n%s", b.text)
			}
		default:
			p.Errorf("nothing checks a block of %s", b.language)
		}
	}
}

// sources are our own files that read the environment.
func (p *page) sources() string {
	var all strings.Builder
	for _, pattern := range []string{"*.go", "*/*.go", "../bizum/*/*.go", "../.ci/*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			p.Fatal(err)
		}
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil && !strings.HasSuffix(path, ".md") { // some are folders
				all.Write(text)
			}
		}
	}
	return all.String()
}

// checkUnit makes sure that our own command line in a unit of systemd is right.
func (p *page) checkUnit(text string) {
	p.Helper()
	_, line, _ := strings.Cut(text, "\nExecStart=/usr/local/bin/bizumctl ")
	line, _, _ = strings.Cut(line, "\n")
	out, err := exec.Command("bizumctl", append(strings.Fields(line), "--help")...).CombinedOutput()
	if line == "" || err != nil {
		p.Errorf("%q: %v: %s", line, err, out)
	}
}

// checkPython parses a program, where there is Python.
func (p *page) checkPython(text string) {
	p.Helper()
	parse := exec.Command("python3", "-c", "import ast, sys; ast.parse(sys.stdin.read())")
	parse.Stdin = strings.NewReader(text)
	if out, err := parse.CombinedOutput(); errors.Is(err, exec.ErrNotFound) {
		p.Log(err)
	} else if err != nil {
		p.Errorf("%v: %s", err, out)
	}
}

// checkRooms makes sure that the page names every room of the program.
func (p *page) checkRooms() {
	p.Helper()
	for _, folder := range []string{"../*", "../*/*", "../*/*/*"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			p.Fatal(err)
		}
		for i, file := range files {
			files[i] = strings.TrimPrefix(filepath.Dir(file), "../")
		}
		for _, room := range slices.Compact(files) {
			if !strings.HasPrefix(room, ".") && !strings.Contains(p.text, "`"+room+"`") {
				p.Errorf("README.md does not name the room %s", room)
			}
		}
	}
}

// waited is what is said on a slow machine only: no page shows it.
var waited = regexp.MustCompile(`(?m)^bizumctl: waiting for .*\r?\n(  .*\r?\n)*`)

// runBlocks runs the commands that have their output below them, in order.
func (p *page) runBlocks() {
	p.Helper()
	broker, err := devbroker.Start("localhost:0", "")
	if err != nil {
		p.Fatal(err)
	}
	defer broker.Close()
	p.broker, p.folder = broker.Address(), p.TempDir()
	for i, b := range p.blocks {
		if b.language != "" || !b.follows || p.blocks[i-1].language != "sh" {
			continue
		}
		commands := p.blocks[i-1].text
		if missing := p.missing(commands); missing != "" {
			if os.Getenv("BIZUMCTL_TEST_READERS") != "" {
				p.Errorf("%s is not installed", missing)
			}
			p.Logf("not run, for lack of %s:\n%s", missing, commands)
			continue
		}
		if got, want := alike(waited.ReplaceAllString(p.run(commands, b.text), "")), alike(b.text); got != want {
			p.Errorf("%s\nshows\n\n%s\nand not, as on the page,\n\n%s", commands, got, want)
		}
	}
}

var module = regexp.MustCompile(`\bimport (\w+)`)

// missing is what is not installed of what the commands need.
func (p *page) missing(commands string) string {
	for line := range strings.Lines(commands) {
		for part := range strings.SplitSeq(line, " | ") {
			if tool := strings.Fields(part)[0]; tool != "go" {
				if _, err := exec.LookPath(strings.TrimPrefix(tool, "./")); err != nil {
					return tool
				}
			}
		}
		for _, found := range module.FindAllStringSubmatch(line, -1) {
			if err := exec.Command("python3", "-c", found[0]).Run(); err != nil {
				return found[1]
			}
		}
	}
	return ""
}

const (
	interrupt = "^C"             // as a terminal shows it
	usual     = "localhost:9092" // the broker on a page
)

var build = regexp.MustCompile(`(?m)^go .*\n`)

// run runs commands in a terminal and returns what it shows. If the output that is wanted is that of a command which is
// interrupted, it is, after as many lines.
func (p *page) run(commands, want string) string {
	p.Helper()
	commands = strings.ReplaceAll(build.ReplaceAllString(commands, ""), "./bizumctl", "bizumctl")
	before, _, interrupted := strings.Cut(want, interrupt)
	if interrupted {
		commands = "exec " + commands // or the shell would die of the signal
	}
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(commands, usual, p.broker))
	cmd.Dir = p.folder
	cmd.Env = append(os.Environ(), "TERM=dumb", "BIZUMCTL_BROKERS="+p.broker,
		"BIZUMCTL_TOPIC=bizums")
	if interrupted { // it is the demo: on another port, and faster than anybody would wait for
		cmd.Env = append(cmd.Env, "BIZUMCTL_LISTEN=localhost:0", "BIZUMCTL_PAGE=localhost:0",
			"BIZUMCTL_MIN_DELAY=1ms", "BIZUMCTL_MAX_DELAY=20ms")
	}
	if !strings.Contains(commands, "bizumctl") { // others may ask a terminal for its colours, and wait for the reply
		text, err := cmd.CombinedOutput()
		if err != nil {
			p.Errorf("%s: %v", commands, err)
		}
		return strings.ReplaceAll(string(text), p.broker, usual)
	}
	return p.runInTerminal(cmd, before, interrupted)
}

// runInTerminal is run for a command that may be interrupted, when it has shown as many lines as before has.
func (p *page) runInTerminal(cmd *exec.Cmd, before string, interrupted bool) string {
	p.Helper()
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		p.Fatal(err)
	}
	defer terminal.Close()
	timeout := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timeout.Stop()
	var text strings.Builder
	out := bufio.NewReader(terminal)
	if interrupted {
		for range strings.Count(before, "\n") {
			line, _ := out.ReadString('\n')
			text.WriteString(line)
		}
		if _, err := terminal.Write([]byte{3}); err != nil {
			p.Error(err)
		}
	}
	rest, _ := io.ReadAll(out) // ends with EIO when the command does
	text.Write(rest)
	if err := cmd.Wait(); err != nil {
		p.Errorf("%s: %v", cmd, err)
	}
	shown := strings.ReplaceAll(text.String(), p.broker, usual)
	if interrupted { // it is the demo
		shown = moved.ReplaceAllString(anyPort.ReplaceAllString(shown, usual), "")
		shown = strings.ReplaceAll(shown, "http://"+usual, "http://localhost:8080")
	}
	return strings.ReplaceAll(shown, "\r\n", "\n")
}

var (
	anyPort = regexp.MustCompile(`localhost:\d+`)
	moved   = regexp.MustCompile(` --brokers ` + usual)
)

// What differs from run to run.
var changing = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "YYYY-MM-DD"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d`), "hh:mm:ss"},
	{regexp.MustCompile(`;[\w-]{22};`), ";TOPIC-ID;"},
	{regexp.MustCompile(`\d+\.\d kB`), "N kB"},
}

var (
	payments = regexp.MustCompile(`(?m)(^.*[-+][\d,]+\.\d\d € .*€\n)+`)
	sum      = regexp.MustCompile(`\d+ bizums, closing balance -?[\d,.]+ €`)
)

// alike is an output without what differs from run to run. Of one that is interrupted, all payments are alike.
func alike(text string) string {
	for _, c := range changing {
		text = c.pattern.ReplaceAllString(text, c.by)
	}
	if before, after, interrupted := strings.Cut(text, interrupt); interrupted {
		text = sum.ReplaceAllString(payments.ReplaceAllString(before+after, "PAYMENTS\n"), "SUM")
	}
	return text
}
