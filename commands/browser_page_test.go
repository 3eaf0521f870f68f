package commands_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"bizumctl/bizum/devbroker"
)

// hostileTexts would run, load or hide something, if any of them were taken for more than text: of HTML, of attributes,
// of addresses, of JSON in a script, of SVG, of styles, of templates, and of JavaScript's own names.
var hostileTexts = []string{
	`<script>window.ran=1</script>`, `</script><script>window.ran=1</script>`, `<img src=x onerror=window.ran=1>`,
	`<svg onload=window.ran=1>`, `<svg><script>window.ran=1</script></svg>`, `<iframe src="javascript:parent.ran=1">`,
	`" onmouseover="window.ran=1" x="`, `' autofocus onfocus='window.ran=1`, `javascript:window.ran=1`,
	`<a href="javascript:window.ran=1">x</a>`, `<style>*{display:none}</style>`, `</title><script>window.ran=1</script>`,
	`<!--`, `]]>`, `${window.ran=1}`, `{{constructor.constructor("window.ran=1")()}}`, `\u003cscript>`, `__proto__`,
	`constructor`, `&lt;b&gt;`, `<math><mtext></p><img src=x onerror=window.ran=1>`, "\u202eecneuc", "\x1b[31mrojo",
	`<base href="//127.0.0.1:1/">`, `<meta http-equiv=refresh content="0;url=about:blank">`, "\u2028window.ran=1",
	`%3Cscript%3E`, `data:text/html,<script>parent.ran=1</script>`, `<set attributeName=onload to=window.ran=1>`,
}

// TestBrowser looks at the page as a person does: payments arrive, the line moves, an account is chosen, and whatever
// names say is text; when the broker or the program is away the page says so, and goes on when it is back.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	onPath(t)
	data := t.TempDir()
	broker, err := devbroker.Start("localhost:0", data)
	if err != nil {
		t.Fatal(err)
	}
	brokers, topic := broker.Address(), "bizums"
	t.Cleanup(func() { broker.Close() })
	s := &screen{T: t, brokers: brokers, topic: topic}
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic(topic)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.run(80, "produce", "--input", os.DevNull) // makes the topic
	s.send("", "Ana;100.00;Cena;RECEPCIÓN")
	program, address := serve(t, brokers, topic, "localhost:0")

	b.size(1280, "light")
	b.call("Page.navigate", map[string]any{"url": address + "/"}, nil)
	b.await(`document.readyState === "complete" && document.getElementById("balance").textContent === "2,100.00 €"`)
	line := b.value(`document.getElementById("chart").innerHTML`)
	s.send("", "Luis;50.00;Pan;ENVIO")
	b.await(`document.getElementById("balance").textContent === "2,050.00 €"`)
	b.await(`document.getElementById("chart").innerHTML !== ` + quoted(line))
	b.await(`document.querySelector("#rows tr td.who").textContent.includes("Luis")`)

	for _, text := range hostileTexts {
		s.send("", strings.ReplaceAll(text, ";", "")+";1.00;"+text+";RECEPCIÓN")
	}
	s.send("", "not <script>window.ran=1</script> a bizum")
	b.await(fmt.Sprintf(`document.getElementById("payments").textContent === "%d"`, 2+len(hostileTexts)))
	b.await(`document.getElementById("rejected").textContent === "1" && !document.getElementById("rejects-card").hidden`)
	b.await(`document.getElementById("rows").textContent.includes("<img src=x onerror=window.ran=1>")`)
	intact(b)
	if got := b.complaints(); len(got) > 0 {
		t.Errorf("the page complains: %q", got)
	}
	b.screenshots("one")
	chooseAccount(b, s)
	intact(b)
	b.screenshots("accounts")
	chooseNobody(b, s)
	if got := b.complaints(); len(got) > 2 { // the browser itself notes that there is none
		t.Errorf("the page complains: %q", got)
	}
	if got := b.complaints(); len(got) > 0 {
		t.Errorf("the page complains: %q", got)
	}

	broker.Close()
	b.await(`document.getElementById("status").dataset.state === "away"`)
	b.screenshots("away")
	if broker, err = devbroker.Start(brokers, data); err != nil {
		t.Fatal(err)
	}
	s.send("", "Eva;7.00;Cine;RECEPCIÓN")
	b.await(`document.getElementById("status").dataset.state === "live" &&
		document.querySelector("#rows tr td.who").textContent.includes("Eva")`)
	if got := b.complaints(); len(got) > 0 {
		t.Errorf("the page complains: %q", got)
	}

	showSteps(b)
	hide(b)
	before := b.text("balance")
	program.end(t)
	b.await(`["ended", "cut"].includes(document.getElementById("status").dataset.state)`)
	b.screenshots("ended")
	program, _ = serve(t, brokers, topic, strings.TrimPrefix(address, "http://"))
	b.await(`document.getElementById("status").dataset.state === "live" &&
		document.getElementById("balance").textContent === ` + quoted(before))
	intact(b)
	for _, fault := range b.complaints() { // that nobody was there is one that the browser itself notes
		if !strings.Contains(fault, "net::ERR_") {
			t.Errorf("the page complains: %s", fault)
		}
	}
	program.end(t)
}

// intact makes sure that nothing which came from a message is anything but text.
func intact(b *browser) {
	b.Helper()
	if got := b.value(`window.ran`); got != "undefined" {
		b.Errorf("what came from a message ran: %s", got)
	}
	markup := `main :is(script, img, iframe, style, base, meta, math, set, a[href^="javascript:"], [onload], [onerror])`
	if got := b.value(`document.querySelectorAll(` + quoted(markup) + `).length`); got != "0" {
		b.Errorf("what came from a message became %s elements", got)
	}
}

// chooseAccount looks at one account of several, and goes back.
func chooseAccount(b *browser, s *screen) {
	b.Helper()
	for _, key := range []string{"ana", `"><script>window.ran=1</script>`, "../../../x?y=1#z", "ñandú", "\x1b[31m"} {
		s.send(key, "Rosa;9.50;Té;RECEPCIÓN")
	}
	b.await(`document.querySelectorAll("#account-list button").length >= 5`)
	for _, name := range []string{"ana", `"><script>window.ran=1</script>`, "../../../x?y=1#z", "ñandú"} {
		b.value(`[...document.querySelectorAll("#account-list button")].find((e) => e.textContent === ` + quoted(name) +
			`).click()`)
		b.await(`document.getElementById("hero-title").textContent === "Balance of " + ` + quoted(name) +
			` && document.getElementById("balance").textContent === "2,009.50 €"`)
		b.value(`document.getElementById("back").click()`)
		b.await(`document.getElementById("hero-title").textContent === "Balance of all 6 accounts"`)
	}
}

// chooseNobody looks at an account that is not here, which is asked for again only when it may have come.
func chooseNobody(b *browser, s *screen) {
	b.Helper()
	b.value(`(() => {
		const ask = window.fetch;
		window.asked = 0;
		window.fetch = (...args) => { window.asked++; return ask(...args); };
		location.hash = "account=nobody";
	})()`)
	shown := `document.getElementById("empty").hidden && !document.getElementById("missing").hidden`
	b.await(shown)
	until := b.value(`performance.now() + 2500`)
	b.await(`performance.now() > ` + until)
	if asked := b.value(`window.asked`); asked != "1" {
		b.Errorf("asked %s times for an account that is not here", asked)
	}
	s.send("nobody", "Rosa;9.50;Té;RECEPCIÓN")
	b.await(`document.getElementById("missing").hidden &&
		document.getElementById("balance").textContent === "2,009.50 €"`)
	b.value(`document.getElementById("back").click()`)
	b.await(`document.getElementById("hero-title").textContent === "Balance of all 7 accounts"`)
}

// showSteps looks at a line whose first step has all that there is to see.
func showSteps(b *browser) {
	b.Helper()
	height := b.value(`(() => {
		const was = [page.lines[2], view.range, page.now], now = serverNow();
		page.now = { ...page.now, base: 0 };
		view.range = 2;
		page.lines[2] = { width: 1, steps: [{ at: now - 8000, low: -500, high: 2000, last: 1900 },
			{ at: now - 4000, low: 1950, high: 1950, last: 1950 }] };
		drawChart();
		const part = document.querySelector("#chart .line").getBBox().height / document.getElementById("chart").clientHeight;
		[page.lines[2], view.range, page.now] = was;
		return part > .5;
	})()`)
	if height != "true" {
		b.Error("the line leaves out the extremes of its first step")
	}
}

// hide has a page that is not shown, and so draws nothing, told of more than anybody could read.
func hide(b *browser) {
	b.Helper()
	const rows = `(() => {
		const row = page.rows.find((r) => !r.skipped);
		const told = { ...page.now, rows: Array(100).fill(row), lines: [], rejects: [] };
		for (let i = 0; i < 50; i++) take({ data: JSON.stringify(told) }, false);
		return page.waiting.length + " rows, of " + countRows(page.waiting);
	})()`
	if got := b.value(rows); got != "100 rows, of 5000" {
		b.Errorf("kept are %s", got)
	}
}

// screenshots looks at the page as it is on a beamer and on a telephone, dark and light: they differ, and nothing is
// wider than the window.
func (b *browser) screenshots(name string) {
	b.Helper()
	colors := make(map[string]bool)
	for _, width := range []int{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			b.size(width, scheme)
			b.await(fmt.Sprintf(`window.innerWidth === %d`, width))
			colors[b.value(`getComputedStyle(document.documentElement).backgroundColor`)] = true
			if over := b.value(`document.documentElement.scrollWidth - document.documentElement.clientWidth`); over != "0" {
				b.Errorf("%s: %s points wider than a window of %d", name, over, width)
			}
			b.screenshot(fmt.Sprintf("%s-%d-%s", name, width, scheme))
		}
	}
	if len(colors) != 2 {
		b.Errorf("%s: dark and light are %v", name, colors)
	}
	b.size(1280, "light")
}

// quoted returns a text as JavaScript has it.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a string can always be one
	return string(b)
}
