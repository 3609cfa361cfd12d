// SPDX-License-Identifier: Apache-2.0
//
// Search, as a user of it sees it: traces, spans, log records and points by every kind of condition, by words, with counts
// over time and page by page. Every answer is compared with one that lib/plain.mjs makes of what was sent; with all of it
// in memory, after a crash, with most of it in the database's file, and after another start.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { randomOf } from './lib/random.mjs';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, thorough } from './lib/weir.mjs';
import { bodyOf, conditionText, hasWord, histogram, kindOf, meets, otlpMap, otlpValue, statusOf, summary, textsOfLog, textsOfSpan, traces } from './lib/plain.mjs';

const seed = Number(process.env.WEIR_TEST_SEED ?? Date.now() % 1000000);
const random = randomOf(seed);
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const oneIn = (n) => below(n) === 0;
const hex = (n) => Array.from({ length: n }, () => '0123456789abcdef'[below(16)]).join('');
const id = (n) => { const h = hex(n); return /^0+$/.test(h) ? id(n) : h; };

const int = (n) => ({ int: BigInt(n) });
const double = (n) => ({ double: n });

// ---- what is sent

const now = BigInt(Date.now()) * 1000000n;
const hour = 3600n * 1000000000n;
const span = 50n * hour; // three UTC days at least
const begin = now - span;

const services = ['web', 'checkout', 'Zürich', null, 'db'];
const names = ['GET /cart', 'get /CART/42', 'SELECT', 'POST /checkout', 'Straße ΣΊΣΥΦΟΣ', 'chat gpt', "x'\"\\%_", 'ДОМ'];
const attributeKeys = ['http.route', 'http.status_code', 'user.id', 'ok', 'list', 'deep', 'blob', 'a=b', 'item:x', '$q', 'ключ'];
const attributeValues = {
	'http.route': ['/cart', '/cart/{id}', '/Checkout', '', 'a\nb', 'über'],
	'http.status_code': [int(200), int(404), int(500), '500', double(500), double(502.5)],
	'user.id': Array.from({ length: 40 }, (_, i) => `u-${i}`),
	ok: [true, false, 'true', null],
	list: [[int(1), 'Cart', double(2)], [], ['x', [true]]],
	deep: [{ map: [['message', 'Card expired'], ['code', int(7)]] }, { map: [] }],
	blob: [{ bytes: 'AQID' }, 'AQID', { bytes: '' }],
	'a=b': ['c', 'd=e'],
	'item:x': ['y'],
	$q: ['dollar', int(5)],
	ключ: ['значение', double(Infinity), double(NaN), double(-0.25), int(9007199254740993n)],
};
const words = ['cart', 'CART', 'card EXPIRED', 'expired', 'zürich', 'STRASSE', 'straße', 'σίσυφος', 'дом', 'x\'"\\', '%', 'message', 'AQID', 'payment', 'denied', 'u-7', 'a\nb',
	'nowhere', 'null', 'dollar', 'kubernetes', 'OTLP'];
const patterns = [['^/cart', /^\/cart/u], ['(?i)CHECKOUT$', /checkout$/iu], ['^\\d{3}$', /^\d{3}$/u], ['', /(?:)/u], ['^$', /^$/u], ['u-[1-3]\\d?$', /u-[1-3]\d?$/u], ['b|true', /b|true/u],
	['(?s)a.b', /a.b/su], ['a.b', /a.b/u], ['[^a-z/]', /[^a-z/]/u], ['^(?:500|AQID)(?:\\.0)?$', /^(?:500|AQID)(?:\.0)?$/u], ['\\bcart\\b', /\bcart\b/u], ['ü', /ü/u], ['^\\[', /^\[/u]];

const resources = services.flatMap((service) => [0, 1].map((i) => [
	...(service === null ? [] : [['service.name', service]]), ['host.name', `host-${i}`], ...(i ? [['user.id', 'u-7'], ['deployment', { map: [['zone', 'Cart-1']] }]] : [])]));
const scopes = [[], [['lib', 'L'], ['http.route', '/cart']]];

const randomAttributes = (n) => Object.entries(attributeValues).filter(() => oneIn(3)).map(([k, values]) => [k, pick(values)]).concat([['n', int(n)]]);

const all = { spans: [], logs: [], points: [] };
let serial = 0;
// No two items are of the same time: then the order of all is known.
const someTime = (about) => about + BigInt(below(3600)) * 1000000000n + BigInt(++serial);

function newTrace(tenant) {
	const traceId = id(32), about = begin + BigInt(below(47)) * hour, spans = [];
	for (let n = 1 + (oneIn(10) ? below(40) : below(5)); n > 0; n--) {
		const resource = pick(resources), start = someTime(about);
		const orphan = oneIn(9);
		spans.push({
			tenant, traceId, spanId: id(16), parentId: orphan ? id(16) : spans.length > 0 && !oneIn(8) ? pick(spans).spanId : null, resource, scope: pick(scopes),
			service: resource.find(([k]) => k === 'service.name')?.[1] ?? 'unknown', name: pick(names), kind: below(6), status: oneIn(6) ? 2 : below(2),
			message: oneIn(12) ? pick(['Payment denied', 'card expired', 'ZÜRICH']) : '', start, end: oneIn(40) ? 0n : start + BigInt(below(4000)) * 1000000n - (oneIn(30) ? 9000000n : 0n),
			attributes: randomAttributes(++serial),
			events: Array.from({ length: oneIn(4) ? 1 + below(2) : 0 }, () => ({ name: pick(['exception', 'Cart emptied', 'gen_ai.choice']), attributes: [['exception.message', pick(['Card EXPIRED', 'payment denied', 'x'])]] })),
		});
	}
	if (oneIn(15)) spans[0].attributes.push(['gen_ai.input.messages', [{ map: [['role', 'user'], ['parts', [{ map: [['content', 'How do I send OTLP to weir?']] }]]] }]]);
	return spans;
}

function newLog(tenant) {
	const resource = pick(resources);
	return { tenant, resource, scope: pick(scopes), service: resource.find(([k]) => k === 'service.name')?.[1] ?? 'unknown', time: someTime(begin + BigInt(below(49)) * hour), severity: below(25),
		body: pick([undefined, 'Payment DENIED for cart 7', 'Zürich', 'straße', '', { map: [['message', 'Card expired'], ['n', [int(5), true]]] }, ['cart', int(7)], int(500), "x'\"\\%_"]),
		eventName: oneIn(6) ? pick(['cart.emptied', 'login']) : '', attributes: randomAttributes(++serial) };
}

function newPoint(tenant) {
	const resource = pick(resources);
	return { tenant, resource, scope: pick(scopes), service: resource.find(([k]) => k === 'service.name')?.[1] ?? 'unknown', name: pick(['requests', 'queue']), time: someTime(begin + BigInt(below(49)) * hour),
		value: below(1000), attributes: randomAttributes(++serial) };
}

// A request has items of one resource and scope each.
async function post(weir, signal, tenant, body) {
	const res = await fetch(`http://${weir.http}/v1/${signal}`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: JSON.stringify(body) });
	const answer = await res.json();
	assert.equal(res.status, 200, JSON.stringify(answer));
	assert.deepEqual(answer.partialSuccess ?? {}, {});
}

const shell = (item) => ({ resource: { attributes: otlpMap(item.resource) }, scope: { name: 'test', attributes: otlpMap(item.scope) } });

async function sendSpans(weir, tenant, spans) {
	await post(weir, 'traces', tenant, { resourceSpans: spans.map((s) => ({ resource: shell(s).resource, scopeSpans: [{ scope: shell(s).scope, spans: [{
		traceId: s.traceId, spanId: s.spanId, parentSpanId: s.parentId ?? '', name: s.name, kind: s.kind, startTimeUnixNano: String(s.start), endTimeUnixNano: String(s.end), status: { code: s.status, message: s.message },
		attributes: otlpMap(s.attributes), events: s.events.map((e) => ({ name: e.name, timeUnixNano: String(s.start), attributes: otlpMap(e.attributes) })) }] }] })) });
	all.spans.push(...spans);
}

async function sendLogs(weir, tenant, logs) {
	await post(weir, 'logs', tenant, { resourceLogs: logs.map((l) => ({ resource: shell(l).resource, scopeLogs: [{ scope: shell(l).scope, logRecords: [{
		timeUnixNano: String(l.time), severityNumber: l.severity, eventName: l.eventName, ...(l.body === undefined ? {} : { body: otlpValue(l.body) }), attributes: otlpMap(l.attributes) }] }] })) });
	all.logs.push(...logs);
}

async function sendPoints(weir, tenant, points) {
	await post(weir, 'metrics', tenant, { resourceMetrics: points.map((p) => ({ resource: shell(p).resource, scopeMetrics: [{ scope: shell(p).scope, metrics: [{ name: p.name, gauge: { dataPoints: [{
		timeUnixNano: String(p.time), asInt: String(p.value), attributes: otlpMap(p.attributes) }] } }] }] })) });
	all.points.push(...points);
}

const tenants = ['acme', 'other'];

// Spans of a trace come in several requests, in any order, and late.
async function sendSome(weir, count) {
	for (const tenant of tenants) {
		const n = tenant === 'acme' ? count : Math.ceil(count / 8);
		const spans = Array.from({ length: n }, () => newTrace(tenant)).flat();
		for (let i = spans.length - 1; i > 0; i--) {
			const j = below(i + 1);
			[spans[i], spans[j]] = [spans[j], spans[i]];
		}
		for (let i = 0; i < spans.length; i += 120) await sendSpans(weir, tenant, spans.slice(i, i + 120));
		for (let i = 0; i < n; i += 60) await sendLogs(weir, tenant, Array.from({ length: 60 }, () => newLog(tenant)));
		for (let i = 0; i < n; i += 120) await sendPoints(weir, tenant, Array.from({ length: 60 }, () => newPoint(tenant)));
	}
	for (const tenant of tenants) await loaded(weir, tenant);
}

const sum = (list, f) => list.reduce((n, x) => n + f(x), 0);

async function loaded(weir, tenant) {
	const of = (list) => list.filter((x) => x.tenant === tenant).length;
	await weir.until('/api/v1/services', (b) => sum(b.services, (s) => s.span_count) === of(all.spans) && sum(b.services, (s) => s.log_count) === of(all.logs) &&
		sum(b.services, (s) => s.point_count) === of(all.points), { headers: { 'x-scope-orgid': tenant } });
}

// ---- what is asked: parameters, and the same as functions of an item

function randomCondition() {
	const key = oneIn(12) ? pick(['nothing', 'host.name', 'lib', 'deployment', 'service.name']) : pick(attributeKeys);
	const c = { of: oneIn(3) ? pick(['item:', 'resource:', 'scope:']) : '', key, op: pick(['=', '=', '!=', '~', '!~', 'has', 'absent', '>', '>=', '<', '<=']), quoted: /[=:]/.test(key) || oneIn(5) };
	if (['=', '!='].includes(c.op)) c.value = oneIn(8) ? 'host-1' : pick([...(attributeValues[key] ?? []), '500', 'u-7', 'AQID']);
	if (['=', '!='].includes(c.op) && typeof c.value !== 'string') c.value = pick(['500', '500.0', '502.5', 'true', 'null', '[1,"Cart",2.0]', '{"message":"Card expired","code":7}', 'NaN', 'Infinity', '-0.25', '9007199254740993', '[]', '{}']);
	if (['~', '!~'].includes(c.op)) [c.value, c.pattern] = pick(patterns);
	if (['>', '>=', '<', '<='].includes(c.op)) c.value = pick(['500', '500.0', '404.5', '-1', '5e2', '0', '9e15']);
	return c;
}

function randomQuestion(kind) {
	const params = [], tests = [], wanted = [];
	const add = (name, value, test) => {
		params.push([name, value]);
		if (test) tests.push(test);
	};
	if (oneIn(3)) { const s = pick(['web', 'checkout', 'Zürich', 'unknown', 'db', 'none']); add('service', s, (x) => x.service === s); }
	for (let n = oneIn(2) ? 0 : 1 + below(2); n > 0; n--) { const c = randomCondition(); add('attribute', conditionText(c), (x) => meets(c, x)); }
	if (kind === 'traces' || kind === 'search') {
		if (oneIn(6)) { const w = pick(['cart', 'CART', 'E', '%', 'Σ']); add('operation', w, (s) => s.name.includes(w)); }
		if (oneIn(6)) { const w = pick(names); add('name', w, (s) => s.name === w); }
		if (oneIn(6)) { const w = pick(['ok', 'error', 'unset']); add('status', w, (s) => statusOf(s) === w); }
		if (oneIn(6)) { const w = pick(['server', 'client', 'unspecified']); add('kind', w, (s) => kindOf(s) === w); }
		if (oneIn(6)) { const ms = below(3000); add('min_duration_ms', String(ms), (s) => s.end - s.start >= BigInt(ms) * 1000000n); }
		if (oneIn(6)) { const ms = below(3000); add('max_duration_ms', `${ms}ms`, (s) => s.end - s.start <= BigInt(ms) * 1000000n); }
		if (oneIn(8)) add('roots', 'true', (s) => s.parentId === null);
		if (oneIn(15)) { const t = pick(all.spans).traceId; add('trace_id', t, (s) => s.traceId === t); }
	}
	if (kind === 'search') {
		const length = (t) => t.reduce((a, s) => (s.end > a ? s.end : s.start > a ? s.start : a), 0n) - t.reduce((a, s) => (s.start < a ? s.start : a), t[0].start);
		if (oneIn(6)) { const ms = below(3600000); params.push(['min_trace_duration_ms', String(ms)]); wanted.push((t) => length(t) >= BigInt(ms) * 1000000n); }
		if (oneIn(6)) { const s = below(3600); params.push(['max_trace_duration_ms', `${s + 1}s`]); wanted.push((t) => length(t) <= BigInt(s + 1) * 1000000000n); }
		if (oneIn(6)) { const n = 1 + below(6); params.push(['min_spans', String(n)]); wanted.push((t) => t.length >= n); }
		if (oneIn(6)) { const e = oneIn(2); params.push(['errors', String(e)]); wanted.push((t) => t.some((s) => s.status === 2) === e); }
	}
	if (kind === 'logs') {
		if (oneIn(6)) { const n = below(6); add('min_severity', ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][n], (l) => l.severity > 4 * n && l.severity <= 24); }
		if (oneIn(6)) { const w = pick(['cart', 'Zü', 'expired', '[']); add('body_contains', w, (l) => bodyOf(l).includes(w)); }
		if (oneIn(8)) add('event_name', 'login', (l) => l.eventName === 'login');
	}
	if (kind === 'metrics' && oneIn(3)) add('name', 'queue', (p) => p.name === 'queue');
	if (kind !== 'metrics' && oneIn(2)) {
		const list = Array.from({ length: 1 + below(2) }, () => pick(words));
		add('text', list.map((w) => (/[\s"\\]/.test(w) ? `"${w.replace(/["\\]/g, '\\$&')}"` : w)).join(' '), (x) => list.every((w) => hasWord(kind === 'logs' ? textsOfLog(x) : textsOfSpan(x), w)));
	}
	const timeOf = (x) => x.start ?? x.time;
	const window = {};
	if (oneIn(3)) { window.from = begin + BigInt(below(50)) * hour; add('from', String(window.from), (x) => timeOf(x) >= window.from); }
	if (oneIn(3)) { window.to = (window.from ?? begin) + BigInt(1 + below(50)) * hour; add('to', String(window.to), (x) => timeOf(x) < window.to); }
	return { kind, params, test: (x) => tests.every((t) => t(x)), wanted: (t) => wanted.every((w) => w(t)), window, timeOf, limit: pick([1, 2, 7, 50, 1000]), buckets: oneIn(3) ? pick([1, 3, 24, 1000]) : 0 };
}

const newestFirst = (q) => (a, b) => (q.timeOf(b) > q.timeOf(a) ? 1 : -1);

// What must come: the identities of items, or the summaries of traces, and the times that a histogram counts.
function expected(q, tenant) {
	if (q.kind === 'search') {
		const found = traces(all.spans.filter((s) => s.tenant === tenant), q.test, q.wanted);
		return { items: found.map((t) => summary(t.all, t.matched)), times: found.map((t) => t.newest) };
	}
	const list = { traces: all.spans, logs: all.logs, metrics: all.points }[q.kind];
	const found = list.filter((x) => x.tenant === tenant && q.test(x)).sort(newestFirst(q));
	return { items: found.map((x) => String(x.attributes.find(([k]) => k === 'n')[1].int)), times: found.map(q.timeOf) };
}

const members = { search: 'traces', traces: 'spans', logs: 'logs', metrics: 'metrics' };
const identity = (q, item) => (q.kind === 'search' ? item : String(item.attributes.n));
const urlOf = (q, more = []) => `/api/v1/${q.kind}?${[...q.params, ...more].map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&')}`;

// Page after page, for that is the same list; not more than are interesting.
async function ask(weir, q, tenant, pagesMax = 8) {
	const got = [];
	let next, pages = 0;
	do {
		const url = urlOf(q, [['limit', String(q.limit)], ...(next ? [['cursor', next]] : [])]);
		const { status, body, text } = await weir.get(url, { headers: { 'x-scope-orgid': tenant } });
		assert.equal(status, 200, `${url}: ${text}`);
		assert.ok(body[members[q.kind]].length <= q.limit);
		assert.equal(body.count, body[members[q.kind]].length);
		got.push(...body[members[q.kind]].map((x) => identity(q, x)));
		next = body.next_cursor;
	} while (next && ++pages < pagesMax);
	return { got, whole: !next };
}

let hits = 0;
async function compare(weir, q, tenant = 'acme') {
	const want = expected(q, tenant), { got, whole } = await ask(weir, q, tenant), where = `seed ${seed} ${tenant} ${decodeURIComponent(urlOf(q))} limit ${q.limit}`;
	assert.deepEqual(got, whole ? want.items : want.items.slice(0, got.length), where);
	hits += want.items.length > 0;
	if (!q.buckets) return;
	const { body } = await weir.get(urlOf(q, [['histogram', String(q.buckets)], ['limit', '1']]), { headers: { 'x-scope-orgid': tenant } });
	assert.deepEqual(body.histogram, histogram(want.times, q.buckets, q.window.from, q.window.to), where);
}

async function compareMany(weir, count) {
	hits = 0;
	for (let i = 0; i < count; i++) await compare(weir, randomQuestion(pick(['search', 'search', 'traces', 'logs', 'metrics'])), oneIn(8) ? 'other' : 'acme');
	assert.ok(hits > count / 5, `only ${hits} of ${count} questions found something`);
}

// ---- the tests, in the order of a data folder's life

let weir, dataDir;
const questions = Number(process.env.WEIR_TEST_QUESTIONS ?? (thorough ? 1000 : 120));
const eager = ['--seal-rows', '256', '--hot-log-bytes', '1m', '--segment-bytes', '65536'];

before(async () => {
	dataDir = newDataDir();
	weir = await Weir.start({ dataDir });
	await sendSome(weir, 400);
});
after(async () => {
	await weir.stop();
	removeDataDir(dataDir);
});

describe('the answers are those of a plain recomputation', () => {
	it('with all of it in memory', async () => {
		assert.equal(await weir.metric('weir_seal_rows_total'), 0);
		await compareMany(weir, questions);
	});

	it('after kill -9 and a start', async () => {
		await weir.kill();
		weir = await Weir.start({ dataDir });
		for (const tenant of tenants) await loaded(weir, tenant);
		await compareMany(weir, questions / 4);
	});

	it('R14: with most of it in the file, and more of the same traces and days in memory', async () => {
		await weir.stop();
		weir = await Weir.start({ dataDir, args: eager });
		await sendSome(weir, 400);
		const rows = all.spans.length + all.logs.length + all.points.length;
		for (const deadline = Date.now() + patience; await weir.metric('weir_seal_rows_total') < rows / 2; await sleep(50)) assert.ok(Date.now() < deadline, `${await weir.metric('weir_seal_rows_total')} of ${rows}`);
		await compareMany(weir, questions);
	});

	it('after another start', async () => {
		await weir.stop();
		weir = await Weir.start({ dataDir, args: eager });
		for (const tenant of tenants) await loaded(weir, tenant);
		await compareMany(weir, questions / 2);
	});
});

// From here on on what is in memory and in the file.

const plain = (kind, params, test = () => true, more = {}) => ({ kind, params, test, wanted: () => true, window: {}, timeOf: (x) => x.start ?? x.time, limit: 1000, buckets: 0, ...more });

describe('what tael has wrong or has not', () => {
	it('R11 R13: newest first, and the limit is of the newest', async () => {
		for (const kind of ['traces', 'logs', 'metrics', 'search']) {
			const q = plain(kind, [], undefined, { limit: 3 });
			assert.deepEqual((await ask(weir, q, 'acme', 1)).got, expected(q, 'acme').items.slice(0, 3));
		}
	});

	it('R12: without a limit it is 100, of points 500', async () => {
		await sendPoints(weir, 'points', Array.from({ length: 501 }, () => newPoint('points')));
		for (const kind of ['traces', 'logs', 'search']) assert.equal((await weir.get(`/api/v1/${kind}`, { headers: { 'x-scope-orgid': 'acme' } })).body.count, 100);
		await loaded(weir, 'points');
		assert.equal((await weir.get('/api/v1/metrics', { headers: { 'x-scope-orgid': 'points' } })).body.count, 500);
	});

	it('a condition that is malformed is an error that says so, not one that is left out', async () => {
		for (const [query, message] of [['last=15 minutes', /parameter last: not a length of time/], ['min_duration_ms=2mm', /parameter min_duration_ms/], ['attribute=k>many', /parameter attribute: .*compare with a number/],
			['attribute=k~(', /parameter attribute: .*regular expression/], ['text="open', /parameter text: a quote is not closed, at character 1/], ['min_spans=0', /parameter min_spans: must be 1 to/], ['errors=maybe', /parameter errors/]]) {
			const { status, body } = await weir.get(`/api/v1/search?${query.replace(/=(.*)/, (_, v) => `=${encodeURIComponent(v)}`)}`);
			assert.equal(status, 400, query);
			assert.match(body.error.message, message);
		}
	});

	it('lengths of time like 90s, 15m, 1h30m and 2d are all understood', async () => {
		for (const [text, ns] of [['90s', 90n * 1000000000n], ['15m', hour / 4n], ['1h30m', hour * 3n / 2n], ['2d', 48n * hour]]) {
			const { body } = await weir.get(`/api/v1/search?histogram=10&last=${text}`, { headers: { 'x-scope-orgid': 'acme' } });
			const from = BigInt(body.histogram.from_unix_nano), at = BigInt(Date.now() + 1) * 1000000n - ns;
			assert.ok(from <= at && from > at - BigInt(patience) * 1000000n, text);
			const times = traces(all.spans.filter((s) => s.tenant === 'acme'), (s) => s.start >= from, () => true).map((t) => t.newest);
			assert.equal(body.histogram.total, times.length);
			const buckets = body.histogram.buckets.map(() => 0);
			for (const t of times) buckets[Number((t - from) / BigInt(body.histogram.interval_ns))]++;
			assert.deepEqual(body.histogram.buckets, buckets);
		}
	});

	it('words are found in log bodies, events and the messages of models, in any case', async () => {
		for (const [kind, text, list, of] of [['logs', 'payment denied', all.logs, textsOfLog], ['traces', '"card expired"', all.spans, textsOfSpan], ['traces', 'otlp weir', all.spans, textsOfSpan]]) {
			const wanted = text.replaceAll('"', '') === text ? text.split(' ') : [text.replaceAll('"', '')];
			const q = plain(kind, [['text', text]], (x) => wanted.every((w) => hasWord(of(x), w)));
			assert.ok(list.filter((x) => x.tenant === 'acme' && q.test(x)).length > 3, text);
			await compare(weir, q);
		}
		assert.equal((await weir.get('/api/v1/search?text=kubernetes', { headers: { 'x-scope-orgid': 'acme' } })).body.count, 0);
	});

	it('a tenant searches its own', async () => {
		const mine = (await ask(weir, plain('search', []), 'other')).got.map((t) => t.trace_id);
		const want = new Set(all.spans.filter((s) => s.tenant === 'other').map((s) => s.traceId));
		assert.deepEqual(new Set(mine), want);
		assert.equal((await weir.get('/api/v1/search', { headers: { 'x-scope-orgid': 'nobody' } })).body.count, 0);
	});
});

describe('pages', () => {
	it('are the same list while newer traces come in', async () => {
		const tenant = 'paging', q = plain('search', [['text', 'cart']], (s) => hasWord(textsOfSpan(s), 'cart'), { limit: 5 });
		await sendSpans(weir, tenant, Array.from({ length: 60 }, () => newTrace(tenant)).flat());
		await loaded(weir, tenant);
		const want = expected(q, tenant).items.map((t) => t.trace_id), got = [];
		assert.ok(want.length > 20);
		for (let next; ;) {
			const { body } = await weir.get(urlOf(q, [['limit', '5'], ...(next ? [['cursor', next]] : [])]), { headers: { 'x-scope-orgid': tenant } });
			got.push(...body.traces.map((t) => t.trace_id));
			next = body.next_cursor;
			if (!next) break;
			const fresh = newTrace(tenant).map((s) => ({ ...s, name: 'GET /cart', start: s.start + 100n * hour, end: s.end + 100n * hour }));
			await sendSpans(weir, tenant, fresh);
			await loaded(weir, tenant);
		}
		assert.deepEqual(got, want);
	});

	it('a cursor of another search is refused', async () => {
		const { body } = await weir.get('/api/v1/search?text=cart&limit=1', { headers: { 'x-scope-orgid': 'acme' } });
		for (const [path, tenant] of [['/api/v1/search?text=card', 'acme'], ['/api/v1/traces?text=cart', 'acme'], ['/api/v1/search?text=cart', 'other']]) {
			const answer = await weir.get(`${path}&cursor=${body.next_cursor}`, { headers: { 'x-scope-orgid': tenant } });
			assert.equal(answer.status, 400);
			assert.match(answer.body.error.message, /parameter cursor: made for other parameters or another tenant/);
		}
	});
});

describe('weir search', () => {
	const cli = (...args) => run(['search', ...args], { env: { WEIR_URL: `http://${weir.api}`, WEIR_TENANT: 'acme', LC_ALL: 'C.UTF-8' } });

	it('answers what the API does', async () => {
		const { stdout, code } = await cli('--text', '"card expired"', '--errors', '--attribute', 'http.status_code>=500', '--attribute', '!deep', '-n', '1000');
		assert.equal(code, 0);
		const q = plain('search', [], (s) => hasWord(textsOfSpan(s), 'card expired') && meets({ key: 'http.status_code', op: '>=', value: '500' }, s) && meets({ key: 'deep', op: 'absent' }, s),
			{ wanted: (t) => t.some((s) => s.status === 2) });
		assert.deepEqual(JSON.parse(stdout).traces, expected(q, 'acme').items);
	});

	it('--all walks every page', async () => {
		const { stdout } = await cli('--all', '-n', '50', '--service', 'web');
		assert.deepEqual(stdout.trim().split('\n').map((l) => JSON.parse(l)), expected(plain('search', [], (s) => s.service === 'web'), 'acme').items);
	});

	it('draws a table, with bars above it when asked', async () => {
		const { stdout } = await cli('-o', 'table', '--histogram', '40', '-n', '5');
		assert.match(stdout, /^[ ▁-█]+\n.* in all, at most \d+\n\n *AGE .*OPERATION/u);
		assert.match(stdout, /the first 5, there are more/);
	});

	it('says what is wrong with a condition, and exits with 2', async () => {
		for (const [args, message] of [[['--attribute', 'a~('], /^weir: --attribute: .*regular expression/], [['--text', '"a'], /^weir: --text: a quote is not closed/], [['--min-spans', '0'], /^weir: --min-spans/], [['cart'], /takes options only: "cart"/]]) {
			const r = await cli(...args);
			assert.equal(r.code, 2, r.stderr);
			assert.match(r.stderr, message);
		}
	});
});
