package commands_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// leads says which of our rooms a room may import; a room is a folder, main.go's is ".".
var leads = map[string][]string{
	".": {"commands"},
	"commands": {"commands/arguments", "commands/completion", "commands/console", "commands/flags", "commands/help",
		"commands/hints", "commands/manual", "commands/misuse", "commands/page", "commands/plot",
		"commands/settings", "commands/view",
		"bizum", "bizum/event", "bizum/archive", "bizum/balance", "bizum/check", "bizum/compare", "bizum/consumer",
		"bizum/devbroker", "bizum/export", "bizum/format", "bizum/kafka", "bizum/ledger", "bizum/producer", "bizum/record"},
	"commands/arguments":  {},
	"commands/completion": {},
	"commands/console":    {"bizum", "bizum/event", "bizum/record", "bizum/format"},
	"commands/manual":     {"commands/flags", "commands/help", "commands/settings"},
	"commands/misuse":     {"commands/console"},
	"commands/plot":       {"bizum", "bizum/ledger", "bizum/record"},
	"commands/page":       {"bizum", "bizum/balance", "bizum/event", "bizum/format", "bizum/ledger", "bizum/record"},
	"commands/flags":      {"commands/arguments", "commands/console", "commands/misuse", "bizum/consumer"},
	"commands/settings": {"commands/arguments", "commands/console", "commands/flags", "commands/misuse",
		"bizum/kafka", "bizum/kafka/credentials", "bizum/kafka/properties", "bizum/record"},
	"commands/help": {"commands/arguments", "commands/console", "commands/flags", "commands/misuse", "commands/settings",
		"bizum/record"},
	"commands/hints": {"commands/arguments", "commands/console", "commands/misuse", "commands/settings",
		"bizum/archive", "bizum/balance", "bizum/event", "bizum/kafka", "bizum/ledger", "bizum/producer"},
	"commands/view": {"commands/console", "bizum", "bizum/balance", "bizum/check", "bizum/consumer", "bizum/event", "bizum/format",
		"bizum/ledger", "bizum/producer", "bizum/record"},

	"bizum":          {},
	"bizum/record":   {},
	"bizum/event":    {"bizum", "bizum/record"},
	"bizum/consumer": {"bizum/event", "bizum/kafka", "bizum/record"},
	"bizum/producer": {"bizum", "bizum/archive", "bizum/check", "bizum/event", "bizum/format", "bizum/kafka",
		"bizum/record"},
	"bizum/export": {"bizum", "bizum/event", "bizum/record", "bizum/consumer", "bizum/kafka", "bizum/archive",
		"bizum/format"},
	"bizum/balance":     {"bizum", "bizum/event", "bizum/record", "bizum/consumer", "bizum/kafka", "bizum/ledger"},
	"bizum/check":       {"bizum"},
	"bizum/compare":     {"bizum", "bizum/check", "bizum/consumer", "bizum/format", "bizum/record"},
	"bizum/format":      {"bizum"},
	"bizum/archive":     {"bizum", "bizum/format", "bizum/record"},
	"bizum/ledger":      {"bizum", "bizum/event", "bizum/record", "bizum/format"},
	"bizum/kafka":       {"bizum/record", "bizum/kafka/batch"},
	"bizum/kafka/batch": {"bizum/record"},

	"bizum/kafka/credentials": {},
	"bizum/kafka/properties":  {"bizum/kafka/credentials"},

	"bizum/devbroker": {"bizum/record"},
}

// belongs says in which room or file a package, the start of its path, or a name of it may appear. commands/... is
// every room of the command line (see spoken).
var belongs = map[string]string{
	"github.com/IBM/sarama": "bizum/kafka", "github.com/twmb/franz-go/pkg/kfake": "bizum/devbroker",
	"github.com/urfave/cli": "commands/...", "github.com/fatih/color": "commands/console",
	"golang.org/x/term": "commands/console", "github.com/mattn": "commands/console",
	"github.com/parquet-go": "bizum/format", "github.com/pierrec/lz4": "bizum/kafka/batch",
	"github.com/xdg-go": "bizum/kafka", "github.com/magiconair": "bizum/kafka/properties",
	"golang.org/x/image": "commands/plot", "net/http": "commands/page", "github.com/prometheus": "commands/page",
	"os/exec": "bizum/kafka/credentials", "os/signal": "main.go", "os.Exit": "main.go", "os.Args": "main.go",
	"os.Stdout": "main.go", "os.Stderr": "main.go",
	"fmt.Print": "main.go", "fmt.Println": "main.go", "fmt.Printf": "main.go",
}

// outside is what the room bizum does without: no I/O and no clock.
var outside = []string{"os", "net", "io/fs", "syscall", "time.Now", "time.Since", "time.Until", "time.Sleep",
	"time.After", "time.AfterFunc", "time.Tick", "time.NewTimer", "time.NewTicker"}

var wireWords = []string{"ENVIO", "ENVÍO", "RECEPCION", "RECEPCIÓN"} // belong in bizum/payment.go

// flagName finds the name of a flag in a text; those belong in commands.
var flagName = regexp.MustCompile(`(^|[^-\w])--[a-z]{2}`)

// breaches parses every Go file but the tests and returns what stands in the wrong room.
func breaches(tree fs.FS) (found []string, files int, err error) {
	err = fs.WalkDir(tree, ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "testdata" || len(file) > 1 && entry.Name()[0] == '.') {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		files++
		text, err := fs.ReadFile(tree, file)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, breach := range breachesOf(file, syntax) {
			found = append(found, file+": "+breach)
		}
		return nil
	})
	return found, files, err
}

func breachesOf(file string, syntax *ast.File) (found []string) {
	room, imported := path.Dir(file), map[string]string{}
	if _, known := leads[room]; !known {
		found = append(found, "a room that the design does not have")
	}
	check := func(word string) { // a package, or a name of one
		for what, where := range belongs {
			if within(word, what) && where != room && where != file && !(where == "commands/..." && spoken(room)) {
				found = append(found, word+" belongs in "+where)
			}
		}
		for _, what := range outside {
			if within(word, what) && room == "bizum" {
				found = append(found, word+" belongs in no file of bizum")
			}
		}
	}
	for _, spec := range syntax.Imports {
		pkg, _ := strconv.Unquote(spec.Path.Value)
		imported[path.Base(pkg)] = pkg
		if spec.Name != nil {
			imported[spec.Name.Name] = pkg
		}
		if spec.Name != nil && spec.Name.Name == "." {
			found = append(found, "a dot before "+pkg+" hides what is used")
		}
		ours, isOurs := strings.CutPrefix(pkg, "bizumctl/")
		if isOurs && !slices.Contains(leads[room], ours) {
			found = append(found, fmt.Sprintf("%s may import %q of ours, not %s", room, leads[room], ours))
		}
		if first, _, _ := strings.Cut(pkg, "/"); room == "bizum" && strings.Contains(first, ".") {
			found = append(found, pkg+": bizum takes only the standard library")
		}
		check(pkg)
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				found = append(found, "func init")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && imported[x.Name] != "" {
				check(imported[x.Name] + "." + n.Sel.Name)
			}
		case *ast.BasicLit:
			text, _ := strconv.Unquote(n.Value)
			isWire := func(word string) bool { return strings.Contains(strings.ToUpper(text), word) }
			if n.Kind == token.STRING && file != "bizum/payment.go" && slices.ContainsFunc(wireWords, isWire) {
				found = append(found, n.Value+" belongs in bizum/payment.go")
			}
			if n.Kind == token.STRING && flagName.MatchString(text) && !spoken(room) {
				found = append(found, n.Value+" names a flag, which belongs in commands")
			}
		}
		return true
	})
	return found
}

// spoken reports whether a room is of the command line, and so may know flags.
func spoken(room string) bool {
	return room == "commands" || slices.Contains([]string{"completion", "flags", "help", "hints", "manual", "settings"},
		strings.TrimPrefix(room, "commands/"))
}

// within reports whether a word is this package, one below it, or this name.
func within(word, what string) bool { return word == what || strings.HasPrefix(word, what+"/") }

func TestRooms(t *testing.T) {
	found, files, err := breaches(os.DirFS(".."))
	if err != nil || files < 10 {
		t.Fatalf("%d files, %v", files, err)
	}
	for _, breach := range found {
		t.Error(breach)
	}
}

// TestRoomsSees: each rule finds its breach, and only that.
func TestRoomsSees(t *testing.T) {
	for _, c := range []struct{ file, code, want string }{
		{"commands/a.go", `import "github.com/IBM/sarama"`, "github.com/IBM/sarama belongs in bizum/kafka"},
		{"bizum/ledger/a.go", `import "github.com/IBM/sarama/mocks"`, "github.com/IBM/sarama/mocks belongs in bizum/kafka"},
		{"bizum/kafka/a.go", `import "github.com/IBM/sarama"`, ""},
		{"bizum/kafka/a.go", `import k "github.com/twmb/franz-go/pkg/kfake"`,
			"github.com/twmb/franz-go/pkg/kfake belongs in bizum/devbroker"},
		{"bizum/kafka/a.go", `import "github.com/urfave/cli/v2"`, "github.com/urfave/cli/v2 belongs in commands/..."},
		{"main.go", `import "github.com/urfave/cli/v2"`, "github.com/urfave/cli/v2 belongs in commands/..."},
		{"commands/a.go", `import "github.com/fatih/color"`, "github.com/fatih/color belongs in commands/console"},
		{"commands/console/a.go", `import "github.com/fatih/color"`, ""},
		{"bizum/archive/a.go", `import "github.com/parquet-go/parquet-go"`,
			"github.com/parquet-go/parquet-go belongs in bizum/format"},
		{"commands/a.go", `import "os/signal"`, "os/signal belongs in main.go"},
		{"main.go", `import ("os"; "os/signal"); func main() { signal.Ignore(); os.Exit(len(os.Args)) }`, ""},
		{"commands/a.go", `import "os"; func f() { os.Exit(1) }`, "os.Exit belongs in main.go"},
		{"commands/a.go", `import "os"; var a = os.Args`, "os.Args belongs in main.go"},
		{"commands/a.go", `import system "os"; var a = system.Stdout`, "os.Stdout belongs in main.go"},
		{"bizum/kafka/a.go", `import "os"; var a = os.Stderr`, "os.Stderr belongs in main.go"},
		{"commands/a.go", `import "os"; var a = os.ReadFile`, ""},
		{"commands/a.go", `import . "os"`, "a dot before os hides what is used"},
		{"main.go", `import "bizumctl/bizum"`, `. may import ["commands"] of ours, not bizum`},
		{"bizum/a.go", `import "bizumctl/bizum/format"`, "bizum may import [] of ours, not bizum/format"},
		{"bizum/kafka/a.go", `import "bizumctl/bizum"`, `bizum/kafka may import ["bizum/record" "bizum/kafka/batch"] of ours, not bizum`},
		{"bizum/devbroker/a.go", `import "bizumctl/bizum"`, `bizum/devbroker may import ["bizum/record"] of ours, not bizum`},
		{"bizum/format/a.go", `import "bizumctl/commands"`, `bizum/format may import ["bizum"] of ours, not commands`},
		{"bizum/ledger/a.go", `import "bizumctl/bizum/kafka"`,
			`bizum/ledger may import ["bizum" "bizum/event" "bizum/record" "bizum/format"] of ours, not bizum/kafka`},
		{"bizum/consumer/a.go", `import "bizumctl/bizum"`,
			`bizum/consumer may import ["bizum/event" "bizum/kafka" "bizum/record"] of ours, not bizum`},
		{"bizum/event/a.go", `import "bizumctl/bizum/kafka"`,
			`bizum/event may import ["bizum" "bizum/record"] of ours, not bizum/kafka`},
		{"commands/console/a.go", `import "bizumctl/bizum/kafka"`,
			`commands/console may import ["bizum" "bizum/event" "bizum/record" "bizum/format"] of ours, not bizum/kafka`},
		{"bizum/kafka/a.go", `import "bizumctl/bizum/consumer"`,
			`bizum/kafka may import ["bizum/record" "bizum/kafka/batch"] of ours, not bizum/consumer`},
		{"commands/a.go", `import ("bizumctl/bizum"; "bizumctl/bizum/kafka")`, ""},
		{"commands/a.go", `import "golang.org/x/term"`, "golang.org/x/term belongs in commands/console"},
		{"bizum/consumer/a.go", `import "fmt"; func f() { fmt.Println() }`, "fmt.Println belongs in main.go"},
		{"commands/a.go", `var a = "take another --group"`, ""},
		{"commands/console/a.go", `var a = "--color"`, `"--color" names a flag, which belongs in commands`},
		{"bizum/balance/a.go", `var a = "take another --group"`,
			`"take another --group" names a flag, which belongs in commands`},
		{"bizum/balance/a.go", `var a = "-- stdout --"`, ""},
		{"bizum/utils/a.go", ``, "a room that the design does not have"},
		{"bizum/a.go", `import "golang.org/x/text"`, "golang.org/x/text: bizum takes only the standard library"},
		{"bizum/a.go", `import "os"`, "os belongs in no file of bizum"},
		{"bizum/a.go", `import "net/http"`,
			"net/http belongs in commands/page; bizum/a.go: net/http belongs in no file of bizum"},
		{"bizum/a.go", `import "net"`, "net belongs in no file of bizum"},
		{"commands/a.go", `import "net/http"`, "net/http belongs in commands/page"},
		{"commands/page/a.go", `import ("net/http"; "github.com/prometheus/client_golang/prometheus")`, ""},
		{"commands/page/a.go", `import "bizumctl/bizum/kafka"`,
			`commands/page may import ["bizum" "bizum/balance" "bizum/event" "bizum/format" "bizum/ledger" "bizum/record"] of ours, not bizum/kafka`},
		{"commands/a.go", `import "golang.org/x/image/font"`, "golang.org/x/image/font belongs in commands/plot"},
		{"commands/plot/a.go", `import "bizumctl/bizum/kafka"`,
			`commands/plot may import ["bizum" "bizum/ledger" "bizum/record"] of ours, not bizum/kafka`},
		{"commands/a.go", `import "github.com/prometheus/client_golang/prometheus"`,
			"github.com/prometheus/client_golang/prometheus belongs in commands/page"},
		{"bizum/a.go", `import "time"; var a = time.Now`, "time.Now belongs in no file of bizum"},
		{"bizum/a.go", `import "time"; var a = time.Second`, ""},
		{"commands/a.go", `func init() {}`, "func init"},
		{"commands/a.go", `type a int; func (a) init() {}`, ""},
		{"commands/a.go", `var a = "an ENVIO"`, `"an ENVIO" belongs in bizum/payment.go`},
		{"commands/a.go", "var a = `recepción`", "`recepción` belongs in bizum/payment.go"},
		{"commands/a.go", `var a = "RECEPCI\u00d3N"`, `"RECEPCI\u00d3N" belongs in bizum/payment.go`},
		{"bizum/amount.go", `var a = "Envío"`, `"Envío" belongs in bizum/payment.go`},
		{"commands/a.go", `// ENVIO is a comment`, ""},
		{"bizum/payment.go", `var a = "ENVIO"`, ""},
		{"commands/a_test.go", `import "github.com/IBM/sarama"`, ""},
		{"commands/testdata/a.go", `import "github.com/IBM/sarama"`, ""},
		{".ci/a.go", `import "github.com/IBM/sarama"`, ""},
	} {
		tree := fstest.MapFS{c.file: {Data: []byte("package a; " + c.code)}}
		found, _, err := breaches(tree)
		want := ""
		if c.want != "" {
			want = c.file + ": " + c.want
		}
		if got := strings.Join(found, "; "); got != want || err != nil {
			t.Errorf("%s: %s: %q, %v; want %q", c.file, c.code, got, err, want)
		}
	}
}
