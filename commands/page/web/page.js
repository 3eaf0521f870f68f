// The live page. What it is told comes as server-sent events: a snapshot, then what is new. Names, concepts and all that
// comes from messages become text nodes, never markup.
'use strict';

const rowsMax = 100;
const stillAfter = 15000; // without a payment

const $ = (id) => document.getElementById(id);
const page = { // what is known
  about: null, now: null, offset: 0, rows: [], waiting: [], lines: [level(), level(), level()],
  names: [], concepts: [], movers: [], rejects: [], connection: 'connecting',
};
const view = { range: 0, rangeChosen: false, paused: false, account: null, details: null, found: null, cursor: null, missing: null };

function level() { return { width: 1, steps: [] }; }

// ---- numbers and times ----

const number = new Intl.NumberFormat('en-US');
const cents = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 2 });
const minus = '−';

function euros(amount) {
  if (amount === null || amount === undefined) return 'more than fits';
  return (amount < 0 ? minus : '') + cents.format(Math.abs(amount)) + ' €';
}
function signed(amount) { return (amount < 0 ? '' : '+') + euros(amount); }
function axisEuros(amount, step) {
  const millions = step >= 100 && Math.abs(amount) >= 1e6, unit = millions ? 1e6 : 1;
  const decimals = step < unit ? Math.min(Math.ceil(Math.log10(unit / step)), millions ? 4 : 2) : 0;
  return (amount < 0 ? minus : '') + (Math.abs(amount) / unit).toLocaleString('en-US',
    { minimumFractionDigits: decimals, maximumFractionDigits: decimals }) + (millions ? ' M€' : ' €');
}
function plural(n, one, more) { return number.format(n) + ' ' + (n === 1 ? one : more); }
function rate(n) {
  if (n >= 100) return number.format(Math.round(n));
  return n === 0 ? '0' : n.toLocaleString('en-US', { maximumSignificantDigits: 2 });
}
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minutes = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayClock = new Intl.DateTimeFormat('en-GB',
  { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' });
function timeOf(text) { return text === null ? NaN : Date.parse(text); }
function shortTime(at) {
  if (Number.isNaN(at)) return '–';
  return new Date(at).toDateString() === new Date(serverNow()).toDateString() ? clock.format(at) : day.format(at) + ' ' + minutes.format(at);
}
function ago(ms) {
  const s = Math.round(ms / 1000);
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min ' + (s % 60) + ' s';
  return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
}
function serverNow() { return Date.now() + page.offset; }

// ---- building elements ----

function make(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = visible(text);
  return e;
}
// visible shows what would be nothing, or would turn the text around it: controls and bidirectional marks.
function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (c) => '\\u{' + c.codePointAt(0).toString(16) + '}');
}
function put(id, text) {
  const e = $(id), shown = visible(text);
  if (e.textContent !== shown) e.textContent = shown;
}

// ---- the stream ----

let source;
function connect() {
  source = new EventSource('/events');
  source.addEventListener('snapshot', (e) => take(e, true));
  source.addEventListener('digest', (e) => take(e, false));
  source.addEventListener('reload', () => reconnect(0));
  source.onerror = () => {
    if (!(page.now && page.now.state === 'ended')) page.connection = 'cut';
    if (source.readyState === EventSource.CLOSED) reconnect(2000);
    showStatus();
  };
}
let reconnecting;
function reconnect(after) {
  source.close();
  clearTimeout(reconnecting);
  reconnecting = setTimeout(connect, after);
}

function take(event, all) {
  const d = JSON.parse(event.data);
  page.connection = 'open';
  page.offset = d.now - Date.now();
  page.now = d;
  if (all) {
    page.about = d.about;
    page.rows = [];
    page.waiting = [];
    page.rejects = [];
    page.names = page.concepts = page.movers = [];
    page.lines = [level(), level(), level()];
    view.fresh = true;
  }
  (d.lines || []).forEach((l, i) => { if (l) merge(page.lines[i], l); });
  page.waiting = lastRows(page.waiting.concat(d.rows || []));
  page.names = d.names || page.names;
  page.concepts = d.concepts || page.concepts;
  page.movers = d.movers || page.movers;
  page.rejects = page.rejects.concat(d.rejects || []).slice(-50);
  chooseRange();
  schedule();
}

// lastRows returns as many rows, oldest first, as are ever shown. Nothing takes them while the tab is hidden or an account
// is chosen, so that what is too much is only counted.
function lastRows(rows) {
  if (rows.length <= rowsMax) return rows;
  const from = rows.length - rowsMax + 1;
  return [{ skipped: countRows(rows.slice(0, from)) }, ...rows.slice(from)];
}
function countRows(rows) { return rows.reduce((sum, r) => sum + (r.skipped || 1), 0); }

// merge replaces the steps of a line from the stretch of the first new one on.
function merge(to, l) {
  const steps = l.steps.map((s) => (s.length === 2 ? { at: s[0], low: s[1], high: s[1], last: s[1] }
    : { at: s[0], low: s[1], high: s[2], last: s[3] }));
  if (l.reset) to.steps = [];
  to.width = l.width;
  if (steps.length === 0) return;
  const from = Math.floor(steps[0].at / l.width) * l.width;
  while (to.steps.length && to.steps[to.steps.length - 1].at >= from) to.steps.pop();
  to.steps = to.steps.concat(steps).slice(-1000);
}

// chooseRange shows the stretch in which something is to be seen, until somebody chooses one.
function chooseRange() {
  if (view.rangeChosen) return;
  const all = page.lines[2].steps;
  if (all.length === 0) return;
  const age = serverNow() - all[all.length - 1].at, span = all[all.length - 1].at - all[0].at;
  view.rangeChosen = true;
  setRange(age > 3600e3 ? 2 : age > 60e3 ? (span > 3600e3 ? 2 : 1) : 0);
}
function setRange(range) {
  view.range = range;
  document.querySelectorAll('[data-range]').forEach((b) => b.setAttribute('aria-pressed', String(Number(b.dataset.range) === range)));
}

// ---- showing ----

let scheduled = false;
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; show(); });
}

function show() {
  const d = page.now;
  if (!d) return;
  showStatus();
  showSource();
  showBalance();
  showFigures();
  showStatement();
  showTotals('names', page.names);
  showTotals('concepts', page.concepts);
  showAccounts();
  showRejects();
  showPlaces();
  drawChart();
}

function showStatus() {
  const d = page.now;
  let state = 'connecting', text = 'connecting …';
  if (page.connection === 'cut') {
    state = 'cut';
    text = 'cut off: connecting again …';
  } else if (d) {
    state = d.state;
    text = d.text || 'live';
    const idle = serverNow() - (d.arrived || (page.about ? page.about.began : serverNow()));
    if (state === 'live' && idle > stillAfter) {
      state = 'still';
      text = d.arrived ? 'standing still: no payment for ' + ago(idle) : 'waiting for the first payment';
    }
  }
  $('status').dataset.state = state;
  put('status-text', text);
}

function showSource() {
  const a = page.about;
  if (!a) return;
  put('source', 'topic ' + a.topic + (a.group ? ', group ' + a.group : '') + (a.account ? ', only account ' + a.account : ''));
  put('footer', 'bizumctl ' + a.version + ', since ' + dayClock.format(a.began) + '. Read-only.');
}

function showBalance() {
  const d = page.now, own = view.account && view.details;
  const balance = view.account ? (own ? own.saldo : null) : d.balance;
  const title = view.account ? 'Balance of ' + view.account.cuenta
    : d.accounts === 1 && d.only ? 'Balance of ' + d.only.cuenta
      : d.accounts > 1 ? 'Balance of all ' + number.format(d.accounts) + ' accounts' : 'Balance';
  put('hero-title', title);
  $('back').hidden = !view.account;
  const waiting = view.account ? !own : d.accounts === 0;
  const shown = waiting ? '–' : euros(balance);
  put('balance', shown);
  $('balance').classList.toggle('debt', balance < 0);
  $('balance').style.setProperty('--characters', Math.max(shown.length, 8));
  document.title = waiting ? 'bizumctl' : shown + ' · bizumctl';
  showLatest();
  const fits = !view.account && d.accounts > 0 && d.balance !== null && d.totals.sent !== null && !d.changed;
  $('sum').hidden = !fits;
  if (!fits) return;
  put('opening-label', page.about && page.about.group ? 'balance before this run' : d.accounts > 1 ? 'opening balances' : 'opening balance');
  put('opening', euros(d.balance - d.totals.received + d.totals.sent));
  put('received-label', '+ received (' + number.format(d.totals.receipts) + ')');
  put('received', '+' + euros(d.totals.received));
  put('sent-label', minus + ' sent (' + number.format(d.totals.sends) + ')');
  put('sent', minus + euros(d.totals.sent));
  put('result', euros(d.balance));
}

function showLatest() {
  const row = view.account ? (view.details ? view.details.entries : []).find((r) => !r.skipped) : newest();
  const e = $('latest');
  if (!row) {
    e.replaceChildren();
    return;
  }
  const came = incoming(row);
  const key = row.partition + '@' + row.offset;
  if (e.dataset.row === key) return;
  e.dataset.row = key;
  e.replaceChildren(make('strong', came ? 'in' : 'out', (came ? '+' : minus) + euros(row.cantidad)),
    document.createTextNode(visible((came ? ' from ' : ' to ') + row.nombre + (row.concepto ? ', ' + row.concepto : ''))));
}
function newest() {
  const isRow = (r) => !r.skipped;
  return page.waiting.findLast(isRow) || page.rows.find(isRow);
}
function incoming(row) { return row.tipo.startsWith('R'); }

function showFigures() {
  const d = page.now;
  put('payments', d.payments >= 1e7 ? compact.format(d.payments) : number.format(d.payments));
  put('payments-note', d.rounded ? number.format(d.rounded) + ' rounded to cents' : 'booked by this run');
  put('pace', rate(d.perSecond));
  put('lag', d.lag >= 1e7 ? compact.format(d.lag) : number.format(d.lag));
  put('rejected', number.format(d.rejected));
  $('rejected').parentElement.classList.toggle('alarm', d.rejected > 0);
}

function showStatement() {
  if (view.account) {
    const entries = view.details ? view.details.entries : [];
    const key = entries.length ? view.account.ref + entries[0].partition + '@' + entries[0].offset : view.account.ref;
    if (view.shownEntries !== key && !view.paused) {
      view.shownEntries = key;
      render(entries, 0);
    }
  } else if (!view.paused && (page.waiting.length || view.fresh)) {
    const fresh = page.waiting.reverse();
    page.rows = fresh.concat(page.rows).slice(0, rowsMax);
    page.waiting = [];
    const animated = view.fresh ? 0 : fresh.length;
    if (view.fresh || fresh.length >= rowsMax / 2) render(page.rows, Math.min(animated, 8));
    else prepend(fresh);
    view.fresh = false;
  }
  const more = view.account ? 0 : countRows(page.waiting);
  put('pause', !view.paused ? 'Pause' : more ? 'Go on (' + number.format(more) + ' new)' : 'Go on');
  $('statement').classList.toggle('one', Boolean(view.account) || page.now.accounts < 2);
  const none = $('rows').childElementCount === 0, missing = Boolean(view.account && view.missing);
  $('table').hidden = none;
  $('empty').hidden = !none || Boolean(view.account && !view.details);
  $('missing').hidden = !missing;
  const note = view.account && view.details && view.details.since
    ? 'The entries of this account are kept since ' + dayClock.format(Date.parse(view.details.since)) + ', when somebody first looked at it.' : '';
  $('statement-note').hidden = note === '';
  put('statement-note', note);
}
function render(rows, animated) {
  $('rows').replaceChildren(...rows.slice(0, rowsMax).map((r, i) => rowOf(r, i < animated)));
}
function prepend(fresh) {
  const body = $('rows');
  body.prepend(...fresh.map((r) => rowOf(r, true)));
  while (body.childElementCount > rowsMax) body.lastElementChild.remove();
}
function rowOf(row, isNew) {
  if (row.skipped) {
    const tr = make('tr'), td = make('td', 'gap', '… ' + plural(row.skipped, 'payment', 'payments') + ' too fast to show …');
    td.colSpan = 5;
    tr.append(td);
    return tr;
  }
  const came = incoming(row);
  const tr = make('tr', (isNew ? 'new ' : '') + (came ? 'came' : 'went'));
  const who = make('td', 'who');
  who.append(make('span', 'name', row.nombre));
  if (row.concepto) who.append(make('span', 'concept', row.concepto));
  tr.append(make('td', 'time', shortTime(timeOf(row.timestamp))), make('td', 'col-account', row.cuenta), who,
    make('td', 'number amount ' + (came ? 'in' : 'out'), (came ? '+' : minus) + euros(row.cantidad)),
    make('td', 'number after' + (row.saldo < 0 ? ' debt' : ''), euros(row.saldo)));
  return tr;
}

function showTotals(id, list) {
  const t = page.now.totals, of = view.account ? ', all accounts' : '';
  put('flow-title', 'Received and sent' + of);
  put(id + '-title', (id === 'names' ? 'By person' : 'By concept') + of);
  if (id === 'names') {
    const both = (t.received || 0) + (t.sent || 0), share = both ? (t.received || 0) / both * 100 : 50;
    $('flow').firstElementChild.style.width = share + '%';
    $('flow').lastElementChild.style.width = 'calc(' + (100 - share) + '% - 2px)';
    $('flow').setAttribute('aria-label', 'received ' + euros(t.received) + ', sent ' + euros(t.sent));
    put('flow-in', '+' + euros(t.received) + ' in ' + number.format(t.receipts));
    put('flow-out', minus + euros(t.sent) + ' in ' + number.format(t.sends));
  }
  if (view[id + 'Shown'] === list) return;
  view[id + 'Shown'] = list;
  const most = Math.max(1, ...list.map((x) => (x.received || 0) + (x.sent || 0)));
  const ul = $(id);
  list.slice(0, 8).forEach((x, i) => {
    let li = ul.children[i];
    if (!li) {
      li = make('li');
      const label = make('div', 'label'), bar = make('div', 'bar'), sums = make('span', 'number');
      sums.append(make('span', 'in'), document.createTextNode(' '), make('span', 'out'));
      label.append(make('span'), sums);
      bar.append(make('span', 'bar-in'), make('span', 'bar-out'));
      bar.setAttribute('aria-hidden', 'true');
      li.append(label, bar);
      ul.append(li);
    }
    const [label, bar] = li.children;
    label.firstElementChild.textContent = visible(x.name || '(none)');
    label.lastElementChild.children[0].textContent = x.receipts ? '+' + euros(x.received) : '';
    label.lastElementChild.children[1].textContent = x.sends ? minus + euros(x.sent) : '';
    bar.children[0].style.width = (x.received || 0) / most * 100 + '%';
    bar.children[1].style.width = (x.sent || 0) / most * 100 + '%';
  });
  while (ul.childElementCount > Math.min(list.length, 8)) ul.lastElementChild.remove();
}

function showAccounts() {
  $('accounts').hidden = page.now.accounts < 2;
  if (page.now.accounts < 2) return;
  put('accounts-title', plural(page.now.accounts, 'account', 'accounts'));
  const searching = view.found !== null;
  const list = searching ? view.found.accounts : page.movers;
  put('accounts-note', !searching ? list.length ? 'Those whose balance has changed most of late' : 'No balance has changed yet'
    : list.length === 0 ? 'No account here has that in its name' : view.found.next ? 'The first of those that match' : 'Those that match');
  if (view.listShown === list) return;
  view.listShown = list;
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.ref : undefined;
  $('account-list').replaceChildren(...list.map((a) => {
    const li = make('li'), button = make('button', '', a.cuenta);
    button.type = 'button';
    button.dataset.ref = a.ref;
    if (view.account && view.account.ref === a.ref) button.setAttribute('aria-current', 'true');
    li.append(button);
    if (!searching) li.append(make('span', 'number ' + (a.change < 0 ? 'out' : 'in'), signed(a.change)));
    li.append(make('span', 'number', euros(a.saldo)));
    return li;
  }));
  if (focused) [...$('account-list').querySelectorAll('button')].find((b) => b.dataset.ref === focused)?.focus();
}

function showRejects() {
  $('rejects-card').hidden = page.rejects.length === 0;
  const last = page.rejects[page.rejects.length - 1];
  const key = last ? last.place + last.at : '';
  if (view.rejectsShown === key) return;
  view.rejectsShown = key;
  $('rejects').replaceChildren(...page.rejects.slice(-8).reverse().map((r) => {
    const li = make('li');
    li.append(make('b', '', r.reason), make('code', '', r.place), document.createTextNode(' '), make('code', '', r.start));
    return li;
  }));
}

function showPlaces() {
  const d = page.now;
  const key = JSON.stringify(d.partitions);
  if (view.placesShown === key) return;
  view.placesShown = key;
  $('places').replaceChildren(...d.partitions.slice(0, 16).map((p) => {
    const li = make('li');
    li.append(make('span', '', 'partition ' + p.partition),
      make('span', '', 'offset ' + number.format(p.position) + (p.lag ? ', ' + number.format(p.lag) + ' behind' : '')));
    return li;
  }));
  const hidden = d.partitionsAll - Math.min(d.partitions.length, 16);
  const others = page.about && page.about.group
    ? 'This page shows what is committed in these partitions. The others, and their accounts, are on the pages of the group’s other members.' : '';
  put('places-note', (hidden > 0 ? 'and ' + plural(hidden, 'partition', 'partitions') + ' more. ' : '') + others);
}

// ---- one account ----

// here returns what changes when an account comes that was not here.
function here() {
  const d = page.now;
  return d ? d.accounts + ' in ' + d.partitions.map((p) => p.partition) + ' of ' + d.partitionsAll : 'unknown';
}
async function loadAccount() {
  const wanted = view.account;
  if (!wanted || view.loading || view.missing === here()) return;
  view.loading = true;
  const asked = here();
  try {
    const response = await fetch('/api/accounts?lines=1&name=' + wanted.ref);
    if (view.account === wanted) {
      view.missing = response.status === 404 ? asked : null;
      view.details = response.ok ? await response.json() : null;
      if (view.details) view.account.cuenta = view.details.cuenta;
    }
  } catch {
    // the stream says that we are cut off
  } finally {
    view.loading = false;
  }
  schedule();
}
function choose(account) {
  const ref = account ? account.ref : '';
  if ((view.account ? view.account.ref : '') === ref) return;
  view.account = account;
  view.details = null;
  view.missing = null;
  view.shownEntries = undefined;
  view.listShown = undefined;
  view.cursor = null;
  $('rows').replaceChildren();
  delete $('latest').dataset.row;
  if (!account) view.fresh = true;
  loadAccount();
  schedule();
}
function fromHash() {
  const ref = location.hash.startsWith('#account=') ? location.hash.slice('#account='.length) : '';
  if (!/^[\w.~%+-]*$/.test(ref)) return;
  let name = ref;
  try {
    name = decodeURIComponent(ref.replaceAll('+', ' '));
  } catch {
    // bytes that are no UTF-8: the answer has a name to show
  }
  choose(ref ? { cuenta: name, ref } : null);
}

let searchTimer;
function search() {
  clearTimeout(searchTimer);
  const text = $('search').value;
  if (text === '') {
    view.found = null;
    schedule();
    return;
  }
  searchTimer = setTimeout(async () => {
    try {
      const response = await fetch('/api/accounts?limit=12&search=' + encodeURIComponent(text));
      if (response.ok && $('search').value === text) view.found = await response.json();
    } catch {
      return;
    }
    schedule();
  }, 200);
}

// ---- the line ----

const svg = 'http://www.w3.org/2000/svg';
function shape(tag, attributes, text) {
  const e = document.createElementNS(svg, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  if (text !== undefined) e.textContent = text;
  return e;
}
const spans = [60e3, 3600e3, 0];

// stretch returns the steps to draw, and from when to when.
function stretch() {
  const lines = view.account ? (view.details ? view.details.lines.map((l) => { const t = level(); merge(t, { ...l, reset: true }); return t; }) : [level(), level(), level()]) : page.lines;
  let steps = lines[view.range].steps;
  const all = lines[2].steps;
  const now = page.now && page.now.state === 'ended' ? page.now.now : serverNow();
  if (view.range < 2 && steps.length === 0) steps = all.slice(-1);
  if (steps.length === 0) return null;
  let from = Math.max(now - spans[view.range], Math.min(all[0].at, now - 15e3)), to = now;
  if (view.range === 2) {
    from = all[0].at;
    const last = all[all.length - 1].at;
    to = now - last > Math.max(60e3, last - from) ? last : now;
    if (to - from < 1000) from = to - 1000;
  }
  const base = view.account ? 0 : page.now.base;
  let first = 0;
  while (first < steps.length - 1 && steps[first + 1].at <= from) first++;
  const shift = (v) => Math.round((v + base) * 100) / 100;
  steps = steps.slice(first).map((p) => ({ at: p.at, low: shift(p.low), high: shift(p.high), last: shift(p.last) }));
  return { steps, from, to };
}

function niceStep(span, count) {
  const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
}
const timeSteps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000]
  .map((s) => s * 1000);

function drawChart() {
  const chart = $('chart'), box = chart.getBoundingClientRect();
  const s = stretch();
  if (!s || box.width === 0) {
    chart.replaceChildren();
    put('chart-text', '');
    return;
  }
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const w = box.width, h = box.height, bottom = 1.6 * rem, top = .7 * rem, right = .6 * rem;
  let low = Infinity, high = -Infinity;
  s.steps.forEach((p, i) => {
    low = Math.min(low, i === 0 && p.at < s.from ? p.last : p.low);
    high = Math.max(high, i === 0 && p.at < s.from ? p.last : p.high);
  });
  const seenLow = low, seenHigh = high;
  const pad = Math.max((high - low) * .08, 1);
  if (low >= 0 && low - pad < 0) low = 0; else low -= pad;
  high += pad;
  const step = niceStep(high - low, h < 250 ? 4 : 5), ticks = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) ticks.push(Math.round(v * 100) / 100);
  const labels = ticks.map((v) => axisEuros(v, step));
  const left = Math.max(...labels.map((l) => l.length)) * .47 * rem + .4 * rem;
  const x = (at) => left + (Math.max(at, s.from) - s.from) / (s.to - s.from) * (w - left - right);
  const y = (v) => top + (high - v) / (high - low) * (h - top - bottom);
  const parts = [];
  ticks.forEach((v, i) => {
    parts.push(shape('line', { class: 'grid', x1: left, x2: w - right, y1: y(v), y2: y(v) }),
      shape('text', { x: left - 6, y: y(v) + 4, 'text-anchor': 'end' }, labels[i]));
  });
  if (low < 0 && high > 0) parts.push(shape('line', { class: 'zero', x1: left, x2: w - right, y1: y(0), y2: y(0) }));
  drawTimes(parts, s, x, w, h, left, right, rem);
  let path = '', edge = s.steps[0].last;
  s.steps.forEach((p, i) => {
    if (i === 0) {
      edge = p.at < s.from ? p.last : p.low === p.high ? p.last : p.low;
      path = 'M' + x(p.at).toFixed(1) + ' ' + y(edge).toFixed(1);
      if (p.at < s.from) return;
    }
    path += 'H' + x(p.at).toFixed(1);
    if (p.low !== p.high) path += 'V' + y(p.low).toFixed(1) + 'V' + y(p.high).toFixed(1);
    path += 'V' + y(p.last).toFixed(1);
  });
  const last = s.steps[s.steps.length - 1];
  path += 'H' + x(s.to).toFixed(1);
  parts.push(shape('path', { class: 'area', d: path + 'V' + (h - bottom) + 'H' + x(s.steps[0].at).toFixed(1) + 'Z' }),
    shape('path', { class: 'line', d: path }),
    shape('circle', { class: 'end', cx: x(s.to), cy: y(last.last), r: 5 }));
  drawCursor(parts, s, x, y, h, top, bottom);
  chart.setAttribute('viewBox', '0 0 ' + w + ' ' + h);
  chart.replaceChildren(...parts);
  put('chart-text', view.cursor !== null ? view.cursorText : 'From ' + euros(seenLow) + ' to ' + euros(seenHigh) + ', now ' + euros(last.last) + '.');
}

function drawTimes(parts, s, x, w, h, left, right, rem) {
  const most = Math.max(2, Math.floor((w - left - right) / (6.5 * rem)));
  const step = timeSteps.find((t) => (s.to - s.from) / t <= most) || (s.to - s.from) / 2;
  const zone = new Date(s.from).getTimezoneOffset() * 60000;
  const format = step < 60000 ? clock : step < 86400000 ? minutes : day;
  for (let t = Math.ceil((s.from - zone) / step) * step + zone; t <= s.to; t += step) {
    if (x(t) > left + 10 && x(t) < w - right - 24) {
      parts.push(shape('text', { x: x(t), y: h - 6, 'text-anchor': 'middle' }, format.format(t)),
        shape('line', { class: 'grid', x1: x(t), x2: x(t), y1: h - 1.6 * rem, y2: h - 1.3 * rem }));
    }
  }
}

// drawCursor shows the balance at a place that somebody points at, by pointer or with the arrow keys.
function drawCursor(parts, s, x, y, h, top, bottom) {
  view.scale = { from: s.from, to: s.to, left: x(s.from), right: x(s.to) };
  if (view.cursor === null) return;
  const at = s.from + view.cursor * (s.to - s.from);
  let p = null;
  for (const step of s.steps) if (step.at <= at) p = step;
  if (!p) {
    view.cursorText = clock.format(at) + ': no balance yet';
    return;
  }
  view.cursorText = (s.to - s.from > 86400e3 ? dayClock : clock).format(at) + ': ' + euros(p.last);
  parts.push(shape('line', { class: 'cursor', x1: x(at), x2: x(at), y1: top, y2: h - bottom }),
    shape('circle', { class: 'end', cx: x(at), cy: y(p.last), r: 4 }));
}

// ---- what a person does ----

document.querySelectorAll('[data-range]').forEach((b) => b.addEventListener('click', () => {
  view.rangeChosen = true;
  setRange(Number(b.dataset.range));
  schedule();
}));
$('pause').addEventListener('click', () => {
  view.paused = !view.paused;
  $('pause').setAttribute('aria-pressed', String(view.paused));
  schedule();
});
$('search').addEventListener('input', search);
$('account-list').addEventListener('click', (e) => {
  if (e.target.dataset.ref !== undefined) location.hash = 'account=' + e.target.dataset.ref;
});
$('back').addEventListener('click', () => {
  location.hash = '';
  $('search').focus();
});
window.addEventListener('hashchange', fromHash);
const chart = $('chart');
chart.addEventListener('pointermove', (e) => {
  if (!view.scale) return;
  const at = (e.clientX - chart.getBoundingClientRect().left - view.scale.left) / (view.scale.right - view.scale.left);
  view.cursor = Math.min(Math.max(at, 0), 1);
  schedule();
});
chart.addEventListener('pointerleave', () => { view.cursor = null; schedule(); });
chart.addEventListener('blur', () => { view.cursor = null; schedule(); });
chart.addEventListener('keydown', (e) => {
  const by = { ArrowLeft: -.02, ArrowRight: .02, Home: -1, End: 1 }[e.key];
  if (by === undefined) return;
  e.preventDefault();
  view.cursor = Math.min(Math.max((view.cursor === null ? 1 : view.cursor) + by, 0), 1);
  schedule();
  setTimeout(() => put('spoken', view.cursorText || ''), 100);
});
new ResizeObserver(schedule).observe(chart);

// Time goes on without an event; and what is spoken must not be more than somebody can listen to.
setInterval(() => { showStatus(); if (page.now && !document.hidden) drawChart(); }, matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 250);
setInterval(() => { if (!document.hidden) loadAccount(); }, 1000);
let spoken = '';
setInterval(() => {
  const d = page.now, text = d ? $('hero-title').textContent + ' ' + $('balance').textContent + ', ' + plural(d.payments, 'payment', 'payments') : '';
  if (text !== spoken) put('spoken', text);
  spoken = text;
}, 15000);
fromHash();
connect();
