package page

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"bizumctl/bizum"
)

// web has the page: a file each of HTML, CSS and JavaScript, written by us.
//
//go:embed web
var web embed.FS

func (b *Balance) routes(routes *http.ServeMux) {
	for path, file := range map[string][2]string{
		"/{$}":      {"page.html", "text/html; charset=utf-8"},
		"/page.css": {"page.css", "text/css; charset=utf-8"},
		"/page.js":  {"page.js", "text/javascript; charset=utf-8"},
	} {
		text, err := web.ReadFile("web/" + file[0])
		if err != nil {
			panic("page: internal error: " + err.Error())
		}
		routes.Handle(path, asset(text, file[1]))
	}
	routes.Handle("/events", b.stream)
	routes.HandleFunc("/api/accounts", b.serveAccounts)
	routes.HandleFunc("/api/accounts/{name...}", func(w http.ResponseWriter, r *http.Request) {
		b.serveAccount(w, r, r.PathValue("name"))
	})
}

// asset serves a file of the page. A browser asks again each time whether it has changed: another version may run here.
func asset(text []byte, kind string) http.Handler {
	sum := sha256.Sum256(text)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(text)
	})
}

// accountList is a page of the accounts, by name.
type accountList struct {
	Accounts []listed `json:"accounts"`
	Total    int      `json:"total"`          // of all accounts
	Next     string   `json:"next,omitempty"` // where the list goes on
}

type listed struct {
	named
	Balance euros `json:"saldo"`
}

const (
	listDefault = 100
	listMax     = 1000
	// listShare bounds what lists cost: between two of them is so many times what the last one took.
	listShare = 20
)

// serveAccounts lists accounts: ?after=NAME&limit=N, ?search=TEXT in the name, or ?name=NAME, for one whose name a path
// cannot hold, such as "..".
func (b *Balance) serveAccounts(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Has("name") {
		b.serveAccount(w, r, query.Get("name"))
		return
	}
	limit := listDefault
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > listMax {
			refuse(w, http.StatusBadRequest, "limit: want 1 to "+strconv.Itoa(listMax))
			return
		}
		limit = n
	}
	select {
	case b.listing <- struct{}{}:
		defer func() { <-b.listing }()
	case <-r.Context().Done():
		return
	}
	wait := time.Until(b.nextList)
	if wait > writeTimeout/2 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		refuse(w, http.StatusServiceUnavailable, "busy")
		return
	}
	select {
	case <-time.After(wait):
	case <-r.Context().Done():
		return
	}
	began := time.Now()
	list := b.list(query.Get("after"), foldASCII([]byte(query.Get("search"))), limit)
	b.nextList = time.Now().Add(listShare * time.Since(began))
	if list.Next != "" {
		next := url.Values{"after": {list.Next}, "limit": {strconv.Itoa(limit)}}
		if query.Has("search") {
			next.Set("search", query.Get("search"))
		}
		list.Next = "/api/accounts?" + next.Encode()
	}
	serveJSON(w, list)
}

// list returns the first accounts after a name, by name. Next is the last name, if there are more.
func (b *Balance) list(after string, search []byte, limit int) *accountList {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := &accountList{Accounts: []listed{}, Total: b.opened}
	first := make([]bizum.Account, 0, limit+1)
	for _, book := range b.books {
		for name, balance := range book.All {
			if string(name) <= after && after != "" || len(first) > limit && string(name) >= first[limit].Name ||
				!containsFold(name, search) {
				continue
			}
			at, _ := slices.BinarySearchFunc(first, string(name), func(a bizum.Account, name string) int {
				return cmp.Compare(a.Name, name)
			})
			if len(first) > limit {
				first = first[:limit]
			}
			first = slices.Insert(first, at, bizum.Account{Name: string(name), Balance: balance})
		}
	}
	if len(first) > limit {
		first = first[:limit]
		list.Next = first[limit-1].Name
	}
	for _, a := range first {
		list.Accounts = append(list.Accounts, listed{nameOf(a.Name), euros(a.Balance)})
	}
	return list
}

// foldASCII makes ASCII letters small.
func foldASCII(text []byte) []byte {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i] = c | 0x20
		}
	}
	return text
}

// containsFold reports whether a text contains another one, whose ASCII letters are small, in any case.
func containsFold(text, small []byte) bool {
	for start := 0; start+len(small) <= len(text); start++ {
		i := 0
		for i < len(small) {
			c := text[start+i]
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			if c != small[i] {
				break
			}
			i++
		}
		if i == len(small) {
			return true
		}
	}
	return false
}

// accountView is all there is of an account.
type accountView struct {
	named
	Balance   euros             `json:"saldo"`
	Positions []place           `json:"positions"`       // up to which the balance is right
	Since     string            `json:"since,omitempty"` // when its entries began to be kept, if not with the first
	Entries   []json.RawMessage `json:"entries"`         // the last ones, newest first
	Lines     []*steps          `json:"lines,omitempty"` // with ?lines=1
}

func (b *Balance) serveAccount(w http.ResponseWriter, r *http.Request, name string) {
	view := b.view(name, r.URL.Query().Has("lines"))
	if view == nil {
		w.Header().Set("Cache-Control", "no-store")
		refuse(w, http.StatusNotFound, "no such account here")
		return
	}
	serveJSON(w, view)
}

// view returns an account, and follows it from now on; nil if there is none of that name.
func (b *Balance) view(name string, lines bool) *accountView {
	now := b.config.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	number, balance, found := b.find(name)
	if !found {
		return nil
	}
	v := &accountView{named: nameOf(name), Balance: euros(balance), Positions: b.positions(number)}
	known := b.follow(name, number, balance, now)
	f := known.followed
	if f.since != 0 {
		v.Since = time.UnixMilli(f.since).UTC().Format(time.RFC3339)
	}
	v.Entries = b.encodeRows(f.rows.last(accountRows), 0)
	slices.Reverse(v.Entries)
	if v.Entries == nil {
		v.Entries = []json.RawMessage{}
	}
	if lines {
		v.Lines = f.line.all(now.UnixMilli())
	}
	return v
}

// find looks an account up in the books.
func (b *Balance) find(name string) (number int32, balance bizum.Amount, found bool) {
	for number, book := range b.books {
		if balance, found := book.Balance([]byte(name)); found {
			return number, balance, true
		}
	}
	return 0, 0, false
}

// follow keeps more of an account than its balance from now on, and what there is of it among the last rows.
func (b *Balance) follow(name string, number int32, balance bizum.Amount, now time.Time) *account {
	known := b.known.by[name]
	fresh := known == nil || known.followed == nil
	known = b.known.look(name, balance, max(b.latest, now.UnixMilli()))
	if !fresh {
		return known
	}
	known.partition = number
	for _, r := range b.rows.last(rowsKept) {
		if string(r.Account) == name {
			known.followed.rows.add(&r.Row, 0)
		}
	}
	return known
}

// positions returns how far the partition of a book was booked; alone all of them.
func (b *Balance) positions(number int32) []place {
	list := []place{}
	for n, p := range b.partitions.by {
		if p.known && (n == number || number == alone) {
			list = append(list, place{n, p.position, p.lag()})
		}
	}
	slices.SortFunc(list, func(x, y place) int { return cmp.Compare(x.Partition, y.Partition) })
	return list
}

func serveJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	text, err := json.Marshal(v)
	if err != nil {
		panic("page: internal error: " + err.Error())
	}
	_, _ = w.Write(append(text, '\n'))
}
