package page

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who asks under another name, from another site, or to change something, is refused.
func TestGuard(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	for _, c := range []struct {
		method, path string
		fields       []string
		want         int
	}{
		{"GET", "/", nil, 200},
		{"HEAD", "/", nil, 200},
		{"HEAD", "/events", nil, 200},
		{"GET", "/page.js", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"GET", "/", []string{"Sec-Fetch-Site", "cross-site"}, 200}, // a link
		{"GET", "/api/accounts", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"GET", "/events", []string{"Sec-Fetch-Site", "same-site"}, 403}, // another port of this machine
		{"GET", "/", []string{"Host", "evil.example"}, 403},
		{"GET", "/", []string{"Host", "evil.example:8080"}, 403},
		{"GET", "/", []string{"Host", "localhost.evil.example"}, 403},
		{"GET", "/metrics", []string{"Host", "evil.example"}, 403},
		{"GET", "/", []string{"Host", "LOCALHOST.:1"}, 200},
		{"GET", "/", []string{"Host", "127.0.0.1"}, 200},
		{"GET", "/", []string{"Host", "[::1]:8080"}, 200},
		{"POST", "/api/accounts", nil, 405},
		{"DELETE", "/api/accounts/cuenta", nil, 405},
		{"OPTIONS", "/api/accounts", []string{"Origin", "http://evil.example"}, 405},
		{"TRACE", "/", nil, 405},
		{"GET", "/nothing", nil, 404},
		{"GET", "/web/page.html", nil, 404},
		{"GET", "/api/accounts?limit=0", nil, 400},
		{"GET", "/api/accounts?limit=1001", nil, 400},
		{"GET", "/api/accounts?limit=x", nil, 400},
		{"GET", "/api/accounts/nobody", nil, 404},
	} {
		status, header, body := s.do(c.method, c.path, c.fields...)
		if status != c.want {
			t.Errorf("%s %s %.60q: %d %.100q, want %d", c.method, c.path, c.fields, status, body, c.want)
		}
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": ""} {
			if got := header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
			}
		}
	}
}

// Headers have a bound.
func TestLongHeader(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	request, err := http.NewRequest(http.MethodGet, "http://"+s.server.Address()+"/", nil)
	s.must(err)
	request.Header.Set("X-Long", strings.Repeat("x", 40<<10))
	response, err := http.DefaultTransport.RoundTrip(request) // the error is that of a connection that was closed
	if err == nil && response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d", response.StatusCode)
	}
}

// The page needs nothing that its policy forbids: no inline script, style or handler, nothing of another host.
func TestPageIsWithinPolicy(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	var all string
	for _, path := range []string{"/", "/page.css", "/page.js"} {
		status, header, body := s.get(path)
		if status != 200 || len(body) < 1000 {
			t.Fatalf("%s: %d, %d bytes", path, status, len(body))
		}
		if status, _, _ := s.get(path, "If-None-Match", header.Get("ETag")); status != http.StatusNotModified {
			t.Errorf("%s: %d", path, status)
		}
		all += body
		if path == "/" {
			for _, forbidden := range []string{"<style", "style=", " on", "<script>"} {
				if strings.Contains(strings.ReplaceAll(body, " on ", ""), forbidden) && forbidden != " on" {
					t.Errorf("the page has %q", forbidden)
				}
			}
		}
	}
	for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
		"https://", "@import", "DOMParser", "srcdoc", "createContextualFragment", "setAttribute('style", "setAttribute('on"} {
		if strings.Contains(all, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
}

// hostile are texts that would be markup, code or a command somewhere.
var hostile = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `' onfocus='alert(1)`,
	`javascript:alert(1)`, `</script><script>alert(1)</script>`, `<!--<script>`, `{{constructor.constructor('alert(1)')()}}`,
	`</title><svg><animate onbegin=alert(1) attributeName=x>`, `<a xlink:href="javascript:alert(1)">`, `]]><script>`,
	"a\nevent: reload\ndata: {}\n\n", "a\r\ndata: x", "id: x\n\n", "\u2028\u2029", "\x00", "\x1b[31m", "\u202egnp.exe",
	`../../healthz`, `..`, `.`, `/`, `//evil.example`, `a?b#c`, `%2e%2e`, `%00`, "\xff\xfe", "\xc3\x28", `__proto__`, `constructor`,
	`=cmd|' /C calc'!A0`, "a\tb", `\`, `"`, `'`, "`${alert(1)}`", strings.Repeat("x", 400), "👩‍👩‍👧 ñ", "e\u0301",
}

// Hostile names and concepts come out as JSON text, on one line, and an account of any name is found.
func TestHostile(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	stream := s.open("")
	stream.next()
	utf8 := func(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
	for i, text := range hostile {
		s.balance.Add([]Row{s.row(text, text, 1_00, text, int64(i))})
	}
	seen, raw := 0, ""
	for seen < len(hostile) {
		_, d := stream.next()
		for _, row := range d.Rows {
			var r struct{ Nombre, Concepto, Cuenta string }
			s.must(json.Unmarshal(row, &r))
			want := string([]rune(hostile[seen]))
			if r.Nombre != want || r.Concepto != want || r.Cuenta != want {
				t.Errorf("%q came out as %q", hostile[seen], r)
			}
			raw += string(row)
			seen++
		}
	}
	if strings.ContainsAny(raw, "<>\u2028\u2029") {
		t.Error("markup is not escaped in the JSON of the stream")
	}
	for _, name := range hostile {
		if v := s.account(name); utf8(v.Cuenta) != utf8(string([]rune(name))) || v.Saldo != "1.00" || len(v.Entries) != 1 {
			t.Errorf("account %q: %+v", name, v)
		}
		if name == "." || name == ".." {
			continue // a path cannot hold them
		}
		status, header, body := s.get("/api/accounts/" + url.PathEscape(name))
		if status != 200 || header.Get("Content-Type") != "application/json" || strings.ContainsAny(body, "<>") {
			t.Errorf("account %q: %d %s %.200s", name, status, header.Get("Content-Type"), body)
		}
	}
}

// Lists are by name, in pages, and each account is in one of them.
func TestAccounts(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	var rows []Row
	for i, name := range hostile {
		rows = append(rows, s.row(name, "x", 1_00, "x", int64(i)))
	}
	s.balance.Add(rows)
	type page struct {
		Accounts []struct {
			Cuenta, Ref string
			Saldo       json.Number
		}
		Total int
		Next  string
	}
	var refs []string
	next := "/api/accounts?limit=7"
	for next != "" {
		_, _, body := s.get(next)
		var p page
		s.must(json.Unmarshal([]byte(body), &p))
		for _, a := range p.Accounts {
			refs = append(refs, a.Ref)
		}
		if p.Total != len(hostile) {
			t.Fatalf("%d accounts", p.Total)
		}
		next = p.Next
	}
	var got []string
	for _, ref := range refs {
		name, err := url.QueryUnescape(ref)
		s.must(err)
		got = append(got, name)
	}
	if want := slices.Sorted(slices.Values(hostile)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	_, _, body := s.get("/api/accounts?search=" + url.QueryEscape("ONERROR"))
	if !strings.Contains(body, `"total":`) || strings.Count(body, `"cuenta"`) != 1 {
		t.Error(body)
	}
}

// A client that says nothing is cut off, and does not keep the server from closing.
func TestSilentClient(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	conn, err := net.Dial("tcp", s.server.Address())
	s.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n") // and no more
	s.must(err)
	began := time.Now()
	s.server.Close()
	if took := time.Since(began); took > 2*closeTimeout {
		t.Errorf("closed after %v", took)
	}
}
