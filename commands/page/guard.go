package page

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"unicode"
)

// guard stands before all that is served. It refuses
//
//   - what would change something: only GET and HEAD are answered;
//   - a Host that is not ours: a page of somebody else whose name was made to resolve to our address (DNS rebinding)
//     would be of our origin, and could read all. An IP address cannot be rebound;
//   - requests that a page of another site makes, by what browsers say of them (Fetch Metadata).
type guard struct {
	hosts  map[string]bool // names, in lower case; beside them, any IP address
	routes http.Handler
}

// policy lets a page load what we have embedded, and nothing else: no inline script or style, no other host, no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "this is read-only: GET and HEAD")
	case !g.ours(r.Host):
		refuse(w, http.StatusForbidden,
			"this host name is not one that is served here; open the address that bizumctl printed")
	case r.URL.Path != "/" && !ownSite(r.Header.Get("Sec-Fetch-Site")):
		refuse(w, http.StatusForbidden, "not for pages of other sites")
	default:
		g.routes.ServeHTTP(w, r)
	}
}

// ours reports whether a request names us. IP addresses are ours, since the connection has reached us.
func (g guard) ours(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if net.ParseIP(name) != nil {
		return true
	}
	return g.hosts[strings.ToLower(strings.TrimSuffix(name, "."))]
}

// ownSite reports whether a browser's request is from our own page, or typed by a person; others than browsers say
// nothing.
func ownSite(site string) bool { return site == "" || site == "same-origin" || site == "none" }

// allowedHosts returns the names under which a server may be asked for: the one that it was given, and of an open one
// also that of the machine.
func allowedHosts(host string, open bool) map[string]bool {
	names := map[string]bool{"localhost": true, strings.ToLower(host): host != ""}
	if machine, err := os.Hostname(); open && err == nil {
		names[strings.ToLower(machine)] = true
	}
	return names
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, why+"\n")
}

// oneLine returns a text that comes from a topic or an error as one line of visible characters.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '�'
	}, text)
}

// discardLog is for what net/http says of clients that misbehave: it is no concern of the run's.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
