package commands_test

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var pageAddress = regexp.MustCompile(`http://[^/]+`)

// page NAME PATH PATTERN waits until a page, which the process in the background has said to be served, has a match of
// a pattern in what it has at a path. The last response is in NAME.page.
func getPage(ts *testscript.TestScript, args []string) {
	name, path, pattern := args[0], args[1], regexp.MustCompile("(?m)"+args[2])
	var address, text []byte
	for began := time.Now(); time.Since(began) < awaitAtMost; time.Sleep(20 * time.Millisecond) {
		if notices, _ := os.ReadFile(ts.MkAbs(name + ".err")); len(address) == 0 {
			if address = pageAddress.Find(notices); len(address) == 0 {
				continue
			}
		}
		response, err := http.Get(string(address) + path)
		if err != nil {
			continue
		}
		text, _ = io.ReadAll(response.Body)
		response.Body.Close()
		text = append([]byte(response.Status+"\n"), text...)
		ts.Check(os.WriteFile(ts.MkAbs(name+".page"), text, 0o600))
		if pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s%s of %s never had %q; it has:\n%s", address, path, name, pattern, text)
}
