package page

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"bizumctl/bizum"
	"bizumctl/bizum/event"
	"bizumctl/bizum/record"
)

// stage is a balance that is served, at a time that a test sets.
type stage struct {
	*testing.T
	balance *Balance
	server  *Server
	metrics *Metrics

	mu  sync.Mutex
	at  time.Time
	own *bizum.Book // what makes the rows
}

func newStage(t *testing.T, c BalanceConfig) *stage {
	t.Helper()
	s := &stage{T: t, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), own: bizum.NewBook(c.Initial)}
	c.Topic, c.Version, c.Now = "bizums", "test", s.now
	s.balance, s.metrics = NewBalance(c), NewMetrics("test")
	s.balance.Figures(s.metrics)
	var err error
	s.server, err = Listen(Config{Address: "localhost:0", Metrics: s.metrics, Healthy: s.balance.Healthy,
		Balance: s.balance})
	s.must(err)
	t.Cleanup(s.server.Close)
	return s
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *stage) wait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(d)
}

// row books a payment and returns its row.
func (s *stage) row(account, name string, change bizum.Amount, concept string, offset int64) Row {
	s.Helper()
	p := bizum.Payment{Name: []byte(name), Concept: []byte(concept), Kind: bizum.Received, Amount: change}
	if change < 0 {
		p.Kind, p.Amount = bizum.Sent, -change
	}
	e, err := s.own.Apply([]byte(account), p)
	s.must(err)
	return Row{e, 0, offset, s.now().UnixMilli()}
}

// get asks the server, with header fields as name, value.
func (s *stage) get(path string, fields ...string) (status int, header http.Header, body string) {
	s.Helper()
	return s.do(http.MethodGet, path, fields...)
}

func (s *stage) do(method, path string, fields ...string) (status int, header http.Header, body string) {
	s.Helper()
	request, err := http.NewRequest(method, "http://"+s.server.Address()+path, nil)
	s.must(err)
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			request.Host = fields[i+1]
		}
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request) // no redirects
	s.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	s.must(err)
	return response.StatusCode, response.Header, string(text)
}

func (s *stage) account(name string) (v struct {
	Cuenta  string
	Saldo   json.Number
	Entries []struct {
		Nombre, Concepto, Tipo, Cuenta string
		Cantidad, Saldo                json.Number
		Offset                         int64
	}
	Positions []place
	Since     string
	Lines     []steps
}) {
	s.Helper()
	status, _, body := s.get("/api/accounts?lines=1&name=" + url.QueryEscape(name))
	if status != http.StatusOK {
		s.Fatalf("account %q: %d %s", name, status, body)
	}
	s.must(json.Unmarshal([]byte(body), &v))
	return v
}

// events are those of a stream, one by one.
type events struct {
	*stage
	body   io.ReadCloser
	lines  *bufio.Scanner
	id     string
	cancel context.CancelFunc
}

func (s *stage) open(lastID string) *events {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	s.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.server.Address()+"/events", nil)
	s.must(err)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	s.must(err)
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream; charset=utf-8" {
		s.Fatalf("events: %d, %s", response.StatusCode, kind)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	return &events{s, response.Body, lines, "", cancel}
}

// next returns the name and the data of the next event.
func (e *events) next() (name string, d digest) {
	e.Helper()
	for e.lines.Scan() {
		field, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			name = value
		case "data":
			e.must(json.Unmarshal([]byte(value), &d))
			return name, d
		}
	}
	e.Fatalf("the stream has ended: %v", e.lines.Err())
	return "", d
}

func (e *euros) UnmarshalJSON(text []byte) error { return (*bizum.Amount)(e).Set(string(text)) }

// What is added up, and kept, of some payments.
func TestBalance(t *testing.T) {
	s := newStage(t, BalanceConfig{Initial: 100_00})
	s.balance.Add([]Row{s.row("a", "Ana", 20_35, "Cena", 0), s.row("a", "Luis", -5_00, "", 1), s.row("b", "Ana", -50, "Cena", 2)})
	s.balance.Moved(0, 3)
	s.balance.Ends(map[int32]int64{0: 5}, nil)
	s.balance.Report(event.Rejected{Position: record.Position{Topic: "bizums", Offset: 3}, Reason: errors.New("no amount"),
		Value: []byte("nothing")})
	d := s.balance.snapshot(s.now())
	if *d.Balance != 214_85 || d.Accounts != 2 || d.Payments != 3 || d.Rejected != 1 || d.Lag != 2 || d.Only != nil ||
		*d.Totals.Sent != 5_50 || *d.Totals.Received != 20_35 || d.Totals.Sends != 2 {
		t.Errorf("%+v", d)
	}
	text, _ := json.Marshal(d)
	for _, want := range []string{
		`"names":[{"name":"Ana","sent":0.50,"received":20.35,"sends":1,"receipts":1},{"name":"Luis","sent":5.00,`,
		`"concepts":[{"name":"Cena","sent":0.50,"received":20.35,`,
		`"movers":[{"cuenta":"a","ref":"a","saldo":115.35,"change":15.35},{"cuenta":"b","ref":"b","saldo":99.50,"change":-0.50}]`,
		`"rejects":[{"at":1772366400000,"place":"bizums/0@3","reason":"no amount","start":"nothing"}]`,
		`"partitions":[{"partition":0,"position":3,"lag":2}]`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	a := s.account("a")
	if a.Saldo != "115.35" || len(a.Entries) != 2 || a.Entries[0].Nombre != "Luis" || a.Entries[0].Tipo != bizum.Sent.String() ||
		a.Entries[1].Saldo != "120.35" || a.Since != "" || fmt.Sprint(a.Positions) != "[{0 3 2}]" {
		t.Errorf("%+v", a)
	}
}

// Everything that is kept has a bound, however many accounts, people, concepts and rows there are.
func TestBounds(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	rows := s.balance.Rows()
	long := strings.Repeat("ñ", 30_000)
	const accounts = 20_000
	for i := range accounts {
		r := s.row(fmt.Sprint("account-", i), fmt.Sprint("name-", i, long[:i%2*1000]), 1_00, long, int64(i))
		rows.Add(&r.Entry, 0, r.Offset, r.Timestamp)
		s.wait(time.Millisecond * 40)
	}
	rows.Flush()
	b := s.balance
	if len(b.known.by) > movingMax || b.known.first > followedMax || len(b.names.by) > totalsMax || len(b.concepts.by) != 1 ||
		len(b.rows.rows) > rowsKept || len(b.pace.seconds) > 20 {
		t.Errorf("kept %d accounts, %d followed, %d names, %d concepts, %d rows", len(b.known.by), b.known.first,
			len(b.names.by), len(b.concepts.by), len(b.rows.rows))
	}
	for _, r := range b.rows.rows {
		if len(r.Concept) > textMax+3 || !strings.HasSuffix(string(r.Concept), "ñ…") {
			t.Fatalf("a concept of %d bytes", len(r.Concept))
		}
	}
	for i := range b.line.levels {
		if n := len(b.line.levels[i].steps); n > 2*b.line.levels[i].max {
			t.Errorf("level %d has %d steps", i, n)
		}
	}
	if d := b.snapshot(s.now()); d.Accounts != accounts || *d.Balance != accounts*1_00 || len(d.Rows) > 2*digestRows {
		t.Errorf("%d accounts with %v, %d rows", d.Accounts, *d.Balance, len(d.Rows))
	}
	for i := range 3 * followedMax { // one after the other is looked at
		s.account(fmt.Sprint("account-", 10_000+i))
	}
	if b.known.looked > followedMax {
		t.Errorf("%d accounts are followed because they were looked at", b.known.looked)
	}
	if v := s.account("account-19999"); len(v.Entries) != 1 || v.Since == "" || v.Saldo != "1.00" {
		t.Errorf("an account that is looked at late: %+v", v)
	}
}

// Rows that come too fast are counted, not kept; the last ones are there.
func TestSkipped(t *testing.T) {
	s := newStage(t, BalanceConfig{})
	var rows []Row
	for i := range 1000 {
		rows = append(rows, s.row("a", "Ana", 1, "x", int64(i)))
	}
	s.balance.Add(rows)
	list := s.balance.snapshot(s.now()).Rows
	if len(list) != rowsCopied+1 || string(list[0]) != `{"skipped":936}` || !strings.Contains(string(list[1]), `"offset":936`) ||
		!strings.Contains(string(list[rowsCopied]), `"saldo":10.00`) {
		t.Errorf("%d rows, first %s", len(list), list[0])
	}
	if v := s.account("a"); v.Saldo != "10.00" || v.Entries[0].Offset != 999 {
		t.Errorf("%+v", v)
	}
}

// A line loses no extreme, and its times never go back.
func TestLine(t *testing.T) {
	l := newLine()
	l.open(0, 100)
	for i := range int64(100_000) {
		balance := bizum.Amount(100)
		switch i {
		case 40_001:
			balance = -7_000
		case 70_003:
			balance = 9_000
		}
		l.set(i*500, balance)
	}
	all := &l.levels[2]
	var low, high bizum.Amount
	for i, s := range all.steps {
		low, high = min(low, s.low), max(high, s.high)
		if i > 0 && s.at/all.width <= all.steps[i-1].at/all.width {
			t.Fatalf("step %d is at %d, the one before at %d", i, s.at, all.steps[i-1].at)
		}
	}
	if low != -7_000 || high != 9_000 || len(all.steps) > allSteps || len(all.steps) < allSteps/2 {
		t.Errorf("from %v to %v in %d steps", low, high, len(all.steps))
	}
	now := int64(99_999 * 500)
	minute := l.levels[0].recent(now)
	if first := minute[0].at; first > now-60_000 || minute[1].at <= now-60_000 {
		t.Errorf("the last minute begins at %d, %d, of %d", first, minute[1].at, now)
	}
}

// In a group a partition's balances come from its ledger, and go with it.
func TestGroup(t *testing.T) {
	s := newStage(t, BalanceConfig{Initial: 100_00, Group: "g"})
	ledger := func(balances ...bizum.Amount) func(func([]byte, bizum.Amount) bool) {
		return func(yield func([]byte, bizum.Amount) bool) {
			for i, balance := range balances {
				if !yield(fmt.Append(nil, "account-", i, "-of-", len(balances)), balance) {
					return
				}
			}
		}
	}
	s.balance.Joined([]int32{0, 1})
	s.balance.Taken(0, 10, ledger(1_00, 2_00))
	s.balance.Taken(1, 20, ledger(5_00))
	s.balance.Ends(map[int32]int64{0: 10, 1: 21, 2: 400}, nil)
	d := s.balance.snapshot(s.now())
	if *d.Balance != 8_00 || d.Accounts != 3 || d.PartitionsAll != 2 || d.Lag != 1 || d.Changed {
		t.Errorf("%+v", d)
	}
	if v := s.account("account-0-of-1"); v.Saldo != "5.00" || fmt.Sprint(v.Positions) != "[{1 20 1}]" {
		t.Errorf("%+v", v)
	}
	s.balance.Taken(1, 21, ledger(6_00)) // again: what was there before is not added to it
	if !s.balance.snapshot(s.now()).Changed {
		t.Error("others have booked on an account, and what was booked here is still said to lead to its balance")
	}
	if v := s.account("account-0-of-1"); len(v.Lines[2].Steps) != 1 || string(v.Lines[2].Steps[0]) !=
		"[1772366400000,5.00,6.00,6.00]" {
		t.Errorf("the line of an account that others have booked on: %s", v.Lines[2].Steps)
	}
	s.balance.Joined([]int32{1})
	if d := s.balance.snapshot(s.now()); *d.Balance != 6_00 || d.Accounts != 1 || d.Only.Name != "account-0-of-1" {
		t.Errorf("%+v", d)
	}
	if status, _, body := s.get("/api/accounts?name=account-0-of-2"); status != http.StatusNotFound {
		t.Errorf("an account of another member: %d %s", status, body)
	}
}

// What was sent and received here leads to the balance only while no partition was given away.
func TestGivenAway(t *testing.T) {
	s := newStage(t, BalanceConfig{Group: "g"})
	nothing := func(func([]byte, bizum.Amount) bool) {}
	changed := func() bool { return s.balance.snapshot(s.now()).Changed }
	s.balance.Joined([]int32{0, 1})
	s.balance.Taken(0, 5, nothing)
	s.balance.Joined([]int32{0, 1, 2})
	s.balance.Taken(1, 5, nothing)
	s.balance.Taken(0, 5, nothing) // where it was
	if changed() {
		t.Error("nothing was given away")
	}
	s.balance.Joined([]int32{1, 2})
	if !changed() {
		t.Error("partition 0 was given away")
	}
}

// What a run is doing, and whether that is healthy.
func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name, want string
		do         func(s *stage)
	}{
		{"at the start", "", func(s *stage) {}},
		{"no topic", `waiting for topic "x\x1b[31m" to be made`, func(s *stage) {
			s.balance.Report(event.WaitingForTopic{Topic: "x\x1b[31m"})
		}},
		{"topic there", "", func(s *stage) {
			s.balance.Report(event.WaitingForTopic{Topic: "x"})
			s.balance.Report(event.WaitingForRecords{})
		}},
		{"ledger", `reading the ledger of group "g"`, func(s *stage) { s.balance.Report(event.WaitingForLedger{Group: "g"}) }},
		{"spare member", "", func(s *stage) { s.balance.Report(event.WaitingForPartition{}) }},
		{"behind", "partition 1 is 1,234 messages behind", func(s *stage) {
			s.balance.Ends(map[int32]int64{0: 0, 1: 1234}, nil)
			s.wait(11 * time.Second)
			s.balance.Ends(map[int32]int64{0: 0, 1: 1234}, nil)
		}},
		{"busy, not behind", "", func(s *stage) {
			for i := range int64(30) {
				s.balance.Ends(map[int32]int64{0: 1000 * (i + 1)}, nil)
				s.balance.Moved(0, 1000*i)
				s.wait(time.Second)
			}
		}},
		{"broker away", "the broker is away: connection refused", func(s *stage) {
			s.balance.Ends(nil, nil)
			s.wait(4 * time.Second)
			s.balance.Ends(nil, errors.New("connection refused"))
		}},
		{"topic gone", `topic "x" does not exist`, func(s *stage) {
			s.balance.Report(event.WaitingForRecords{})
			s.balance.Ends(nil, errors.New("connection refused"))
			s.wait(4 * time.Second)
			s.balance.Gone(errors.New(`topic "x" does not exist`))
		}},
		{"topic made again", "", func(s *stage) {
			s.balance.Report(event.WaitingForRecords{})
			s.balance.Gone(errors.New(`topic "x" does not exist`))
			s.balance.Ends(nil, nil)
		}},
		{"topic not made yet", `waiting for topic "x" to be made`, func(s *stage) {
			s.balance.Report(event.WaitingForTopic{Topic: "x"})
			s.balance.Ends(nil, errors.New("connection refused"))
			s.wait(4 * time.Second)
			s.balance.Gone(errors.New(`topic "x" does not exist`))
		}},
		{"broker back", "", func(s *stage) {
			s.balance.Ends(nil, errors.New("connection refused"))
			s.balance.Ends(nil, nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, BalanceConfig{})
			c.do(s)
			status, _, body := s.get("/healthz")
			want, text := http.StatusServiceUnavailable, c.want
			if c.want == "" {
				want, text = http.StatusOK, "ok"
			}
			if body = strings.TrimSpace(body); status != want || body != text {
				t.Errorf("%d %q, want %d %q", status, body, want, text)
			}
		})
	}
}

// Names and helps are as Prometheus wants them, and values those of the run.
func TestMetrics(t *testing.T) {
	s := newStage(t, BalanceConfig{Initial: 100_00, Group: "g"})
	s.balance.Joined([]int32{0})
	s.balance.Taken(0, 0, func(func([]byte, bizum.Amount) bool) {})
	s.balance.Add([]Row{s.row("a", "Ana", 20_35, "Cena", 0)})
	s.balance.Committed(0, 1, 7*time.Millisecond)
	problems, err := testutil.GatherAndLint(s.metrics.registry)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	_, _, body := s.get("/metrics")
	for _, want := range []string{"bizumctl_payments_total 1", "bizumctl_balances_euros 120.35", "bizumctl_takeovers_total 1",
		`bizumctl_partition_position{partition="0"} 1`, `bizumctl_commit_duration_seconds_bucket{le="0.005"} 0`,
		`bizumctl_commit_duration_seconds_bucket{le="0.01"} 1`, "bizumctl_end_to_end_latency_seconds_count 1",
		`bizumctl_build_info{version="test"} 1`} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

func TestServerWithoutPage(t *testing.T) {
	server, err := Listen(Config{Address: "127.0.0.1:0", Metrics: NewMetrics("x"), Healthy: func() error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/metrics": 200, "/events": 404, "/api/accounts": 404} {
		response, err := http.Get("http://" + server.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
	if _, err := Listen(Config{Address: server.Address()}); err == nil {
		t.Error("two servers at one address")
	}
	for _, address := range []string{"localhost", "8080", "localhost:http", "localhost:70000", ""} {
		if _, _, err := SplitAddress(address); !errors.As(err, new(*AddressError)) {
			t.Errorf("%q: %v", address, err)
		}
	}
	host, _, _ := net.SplitHostPort(server.Address())
	if server.Open() || host != "127.0.0.1" {
		t.Error(server.Address(), server.Open())
	}
}
