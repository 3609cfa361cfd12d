// SPDX-License-Identifier: Apache-2.0
//
// Analyses: summary, anomalies, correlate and watch, of telemetry that this test made up and from which it computes the
// answers by itself, by the definitions in docs/api.md. Rows are asked for while they are in memory, in the file, both,
// after a kill and after everything was sent again.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { randomOf } from './lib/random.mjs';
import { Weir, newDataDir, patience, removeDataDir, run, sleep } from './lib/weir.mjs';

// ---- random numbers that are the same each time

const random = randomOf(Number(process.env.WEIR_TEST_SEED ?? 20261129));
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const hex = (bytes) => Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');

const S = 1000000000n;
const now = BigInt(Date.now()) * 1000000n;

// ---- sending, and what is known of all that was sent, by tenant

const sent = { spans: [], logs: [], points: [] };
const requests = [];

const text = (key, stringValue) => ({ key, value: { stringValue } });

function groupBy(items, key) {
	const by = new Map();
	for (const i of items) {
		const k = key(i);
		if (by.has(k)) by.get(k).push(i);
		else by.set(k, [i]);
	}
	return by;
}

function grouped(items, make) {
	const by = groupBy(items, (i) => i.service);
	return [...by].map(([service, list]) => make({ attributes: service === 'unknown' ? [] : [text('service.name', service)] }, list));
}

const spanOf = (s) => ({ traceId: s.trace, spanId: s.id, parentSpanId: s.parent ?? '', name: s.name, kind: 2, startTimeUnixNano: String(s.start),
	endTimeUnixNano: s.duration < 0n ? String(s.start + s.duration) : String(s.start + s.duration), status: { code: s.error ? 2 : 0 }, links: s.links ?? [], attributes: s.attributes ?? [] });

function requestsOf({ spans = [], logs = [], points = [] }) {
	const list = [];
	if (spans.length) list.push(['traces', { resourceSpans: grouped(spans, (resource, l) => ({ resource, scopeSpans: [{ spans: l.map(spanOf) }] })) }]);
	if (logs.length)
		list.push(['logs', { resourceLogs: grouped(logs, (resource, l) => ({ resource, scopeLogs: [{ logRecords: l.map((r) => ({
			timeUnixNano: String(r.time), severityNumber: r.severity, body: { stringValue: r.body ?? '' }, traceId: r.trace ?? '', spanId: r.span ?? '' })) }] })) }]);
	if (points.length)
		list.push(['metrics', { resourceMetrics: grouped(points, (resource, l) => ({ resource, scopeMetrics: [{ metrics: l.map((p) => ({
			name: p.name, gauge: { dataPoints: [{ timeUnixNano: String(p.time), asInt: '1' }] } })) }] })) }]);
	return list.map(([signal, body]) => [signal, JSON.stringify(body)]);
}

async function post(weir, tenant, [signal, body]) {
	const res = await fetch(`http://${weir.http}/v1/${signal}`, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant } });
	assert.equal(res.status, 200, await res.text());
}

async function send(weir, tenant, items) {
	for (const request of requestsOf(items)) {
		requests.push([tenant, request]);
		await post(weir, tenant, request);
	}
	for (const [kind, list] of Object.entries(items)) sent[kind].push(...list.map((i) => ({ tenant, ...i })));
}

const of = (tenant) => ({ headers: { 'x-scope-orgid': tenant } });
const query = (values) => new URLSearchParams(Object.entries(values).filter(([, v]) => v !== undefined).map(([k, v]) => [k, String(v)]));

async function ask(weir, path, values, tenant) {
	const { status, body, text: raw } = await weir.get(`${path}?${query(values)}`, of(tenant));
	assert.equal(status, 200, raw);
	return body;
}

// Until all that was sent of a tenant is counted.
async function loaded(weir, tenant) {
	const want = ['spans', 'logs', 'points'].map((k) => sent[k].filter((i) => i.tenant === tenant).length);
	await weir.until(`/api/v1/services`, (b) => {
		const sum = (key) => b.services?.reduce((n, s) => n + Number(s[key]), 0);
		return ['span_count', 'log_count', 'point_count'].every((key, i) => sum(key) === want[i]);
	}, of(tenant));
}

// ---- the answers, from what was sent

const order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const tallyOf = (spans) => {
	const durations = spans.filter((s) => s.duration >= 0n).map((s) => s.duration).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
	const at = (q) => (durations.length ? Number(durations[Math.max(Math.ceil(q * durations.length), 1) - 1]) / 1e6 : null);
	return { spans: spans.length, errors: spans.filter((s) => s.error).length, ended: durations.length, durations, at };
};
const rate = (part, whole) => (whole ? part / whole : 0);

// A quantile is of the bucket, at most 1.1 % off; of equal durations it is exact.
function near(got, want, what) {
	if (want === null) return assert.equal(got, null, what);
	assert.ok(Math.abs(got - want) <= want * 0.011 + 1e-9, `${what}: ${got}, and it is ${want}`);
}

const inWindow = (items, tenant, from, to, service, time) =>
	items.filter((i) => i.tenant === tenant && i[time] >= from && (to === undefined || i[time] < to) && (!service || i.service === service));

function checkSummary(got, { tenant, from, to, service, limit = 10 }) {
	const spans = inWindow(sent.spans, tenant, from, to, service, 'start');
	const logs = inWindow(sent.logs, tenant, from, to, service, 'time');
	const points = inWindow(sent.points, tenant, from, to, service, 'time');
	const all = tallyOf(spans);
	const t = got.traces;
	assert.deepEqual({ spans: t.span_count, traces: t.trace_count, errors: t.error_count }, { spans: all.spans, traces: new Set(spans.map((s) => s.trace)).size, errors: all.errors });
	assert.equal(t.trace_count_exact, true);
	assert.ok(Math.abs(t.error_rate - rate(all.errors, all.spans)) < 1e-12);
	const sum = all.durations.reduce((a, b) => a + b, 0n);
	if (all.ended) {
		assert.ok(Math.abs(t.avg_ms - Number(sum) / all.ended / 1e6) <= t.avg_ms * 1e-9, `${t.avg_ms}`);
		assert.equal(t.max_ms, Number(all.durations.at(-1)) / 1e6);
	} else {
		assert.deepEqual([t.avg_ms, t.max_ms], [null, null]);
	}
	near(t.p50_ms, all.at(0.5), 'p50');
	near(t.p95_ms, all.at(0.95), 'p95');
	near(t.p99_ms, all.at(0.99), 'p99');
	const severity = (low, high) => logs.filter((l) => l.severity >= low && l.severity <= high).length;
	assert.deepEqual(got.logs, { total: logs.length, error: severity(17, 24), warn: severity(13, 16), info: severity(9, 12), debug: severity(1, 8), unspecified: severity(0, 0) });
	assert.deepEqual(got.metrics, { point_count: points.length, unique_names: new Set(points.map((p) => p.name)).size, unique_names_exact: true });
	assert.equal(got.service_count, new Set([...spans, ...logs, ...points].map((i) => i.service)).size);
	assert.equal(got.service_filter, service ?? null);
	assert.equal(got.truncated, false);
	// S9
	const lists = (key) => [...groupBy(spans, key)].map(([k, l]) => ({ k, ...tallyOf(l), service: l[0].service, operation: l[0].name }));
	const services = lists((s) => s.service).sort((a, b) => b.spans - a.spans || order(a.service, b.service)).slice(0, limit);
	const entry = (e) => ({ span_count: e.spans, error_count: e.errors, error_rate: rate(e.errors, e.spans) });
	const plain = ({ p50_ms, p95_ms, ...rest }) => rest;
	assert.deepEqual(got.top_services.map(plain), services.map((e) => ({ service: e.service, ...entry(e) })));
	services.forEach((e, i) => near(got.top_services[i].p95_ms, e.at(0.95), e.service));
	const operations = lists((s) => JSON.stringify([s.service, s.name]));
	const failing = operations.filter((e) => e.errors).sort((a, b) => b.errors - a.errors || order(a.service, b.service) || order(a.operation, b.operation)).slice(0, limit);
	assert.deepEqual(got.top_error_operations.map(plain), failing.map((e) => ({ service: e.service, operation: e.operation, ...entry(e) })));
	// Those that are nearly as slow as the last one may stand for one another.
	const slow = operations.filter((e) => e.ended >= 5);
	assert.equal(got.slowest_operations.length, Math.min(limit, slow.length));
	got.slowest_operations.forEach((e, i, list) => {
		const own = slow.find((x) => x.service === e.service && x.operation === e.operation);
		near(e.p95_ms, own.at(0.95), e.operation);
		assert.ok(i === 0 || list[i - 1].p95_ms >= e.p95_ms);
	});
	const last = got.slowest_operations.at(-1)?.p95_ms;
	for (const e of slow.filter((x) => x.at(0.95) > last * 1.03)) assert.ok(got.slowest_operations.some((x) => x.service === e.service && x.operation === e.operation), e.operation);
}

const severities = ['info', 'warning', 'critical'];

// By the definitions; durations within a window are equal here, so that quantiles are exact. Rates as fractions of integers.
function anomaliesOf({ tenant, from, to, baseline, service }) {
	const end = to ?? now;
	const current = groupBy(inWindow(sent.spans, tenant, from, to, undefined, 'start'), (s) => s.service);
	const before_ = groupBy(inWindow(sent.spans, tenant, baseline, from, undefined, 'start'), (s) => s.service);
	const found = [];
	for (const name of new Set([...current.keys(), ...before_.keys()])) {
		const c = tallyOf(current.get(name) ?? []), b = tallyOf(before_.get(name) ?? []);
		const add = (kind, level, was, is, size) => found.push({ service: name, kind, severity: severities[level], current: is, baseline: was, delta: is - was, size, current_spans: c.spans, baseline_spans: b.spans });
		if (c.spans >= 5 && b.spans >= 5) {
			const rise = 100 * (c.errors * b.spans - b.errors * c.spans), whole = c.spans * b.spans;
			if (rise >= 5 * whole) add('error_rate', rise >= 25 * whole ? 2 : rise >= 10 * whole ? 1 : 0, rate(b.errors, b.spans), rate(c.errors, c.spans), rise / whole / 5);
		}
		if (c.ended >= 5 && b.ended >= 5) {
			const is = c.at(0.95), was = b.at(0.95), ratio = is / was;
			if (ratio >= 1.5 && is > 50) add('latency_p95', ratio >= 3 ? 2 : ratio >= 2 ? 1 : 0, was, is, ratio / 1.5);
		}
		if (c.spans >= 5 && b.spans === 0 && before_.size) add('new_service', 0, 0, c.spans, c.spans / 5);
		if (b.spans >= 5 && c.spans === 0) {
			const expected = b.spans * Number(end - from) / Number(from - baseline);
			add('vanished_service', expected >= 25 ? 2 : expected >= 5 ? 1 : 0, b.spans, 0, expected / 5);
		}
	}
	const kinds = ['error_rate', 'latency_p95', 'new_service', 'vanished_service'];
	return found.filter((a) => !service || a.service === service).sort((a, b) => severities.indexOf(b.severity) - severities.indexOf(a.severity) || (Math.abs(b.size - a.size) > 1e-9 ? b.size - a.size : 0)
		|| order(a.service, b.service) || kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
}

const rounded = (x) => JSON.parse(JSON.stringify(x, (k, v) => (typeof v === 'number' ? Number(v.toPrecision(9)) : v)));
function checkAnomalies(got, window) {
	const plain = got.anomalies.map(({ description, ...a }) => (assert.ok(description.length > 10), a));
	assert.deepEqual(rounded(plain), rounded(anomaliesOf(window)));
	assert.equal(new Set(got.anomalies.map((a) => `${a.service} ${a.kind}`)).size, got.anomalies.length);
	assert.equal(got.service_filter, window.service ?? null);
	assert.deepEqual([got.from_unix_nano, got.baseline_from_unix_nano], [window.from, window.baseline].map(String));
}

// ---- what is sent

const t0 = now - 3n * 3600n * S; // of the random telemetry
const services = ['checkout', 'cart', 'payment', 'käse', 'a"b\\c', 'unknown', 'db'];
const operations = Array.from({ length: 25 }, (_, i) => `GET /${i}`);

function someTelemetry(count) {
	const items = { spans: [], logs: [], points: [] };
	for (let i = 0; i < count; i++) {
		const start = t0 + BigInt(Math.floor(random() * 3000 * 1e9)) + (random() < 0.01 ? -20n * 3600n * S : 0n);
		const service = services[Math.min(below(7), below(7))];
		const duration = random() < 0.01 ? -BigInt(below(1000000)) : random() < 0.02 ? 0n : BigInt(Math.floor(10 ** (random() * 6 + 3)));
		items.spans.push({ service, trace: `${(below(count / 4) + 1).toString(16).padStart(32, '7')}`, id: hex(8), name: pick(operations), start, duration, error: random() < 0.07 });
		if (i % 3 === 0) items.logs.push({ service: pick(services), time: start, severity: below(25) });
		if (i % 4 === 0) items.points.push({ service: pick(services), time: start, name: `m${below(40)}` });
	}
	return items;
}

// The services of the anomalies: each has its counts and one duration, in the baseline and in the window.
const baselineFrom = now - 2n * 3600n * S, windowFrom = baselineFrom + 1800n * S, windowTo = windowFrom + 300n * S;
const shifts = {
	// name: baseline [spans, errors, ms], window [spans, errors, ms]
	'exactly five points': [[20, 0, 10], [20, 1, 10]],
	'a little less': [[1000, 0, 10], [1000, 49, 10]],
	'exactly ten points': [[10, 0, 10], [10, 1, 10]],
	'exactly twenty-five': [[8, 0, 10], [8, 2, 10]],
	'better than it was': [[20, 10, 10], [20, 2, 10]],
	'too few before': [[4, 0, 10], [50, 50, 900]],
	'too few now': [[50, 0, 10], [4, 4, 900]],
	'one and a half': [[6, 0, 100], [6, 0, 150]],
	'a little faster': [[6, 0, 100], [6, 0, 149]],
	'twice': [[6, 0, 100], [6, 0, 200]],
	'three times': [[6, 0, 100], [6, 0, 300]],
	'not above fifty': [[6, 0, 10], [6, 0, 50]],
	'above fifty': [[6, 0, 10], [6, 0, 50.001]],
	'both': [[9, 0, 100], [9, 9, 1000]],
	'new': [[0, 0, 0], [7, 0, 10]],
	'new and small': [[0, 0, 0], [4, 0, 10]],
	'gone, small': [[5, 0, 10], [0, 0, 0]],
	'gone, smaller': [[4, 0, 10], [0, 0, 0]],
	'gone, five expected': [[30, 0, 10], [0, 0, 0]],
	'gone, many': [[150, 0, 10], [0, 0, 0]],
};
for (let i = 0; i < 60; i++)
	shifts[`random ${i}`] = [0, 1].map(() => {
		const n = pick([0, 4, 5, 6, 20, 100]);
		return [n, below(n + 1), pick([1, 20, 45, 60, 90, 100, 135, 180, 270, 300])];
	});

function shiftedTelemetry() {
	const spans = [];
	for (const [service, windows] of Object.entries(shifts))
		windows.forEach(([n, errors, ms], w) => {
			const [from, to] = w === 0 ? [baselineFrom, windowFrom] : [windowFrom, windowTo];
			for (let i = 0; i < n; i++)
				// The first and the last possible moment, and some between.
				spans.push({ service, trace: hex(16), id: hex(8), name: 'x', error: i < errors, duration: BigInt(Math.round(ms * 1e6)),
					start: i === 0 ? from : i === 1 ? to - 1n : from + BigInt(Math.floor(random() * Number(to - from))) });
		});
	return { spans: spans.sort(() => random() - 0.5) };
}

// ---- the 24 spans of the acceptance scenario

const llmTrace = hex(16);
function acceptance() {
	const spans = [];
	const at = now - 60n * S;
	const trace = (...list) => {
		const id = list[0].trace ?? hex(16), root = hex(8);
		list.forEach(([service, name, ms, error], i) => spans.push({ service, name, trace: id, id: i === 0 ? root : hex(8), parent: i === 0 ? '' : root, error: Boolean(error), duration: BigInt(ms * 1e6), start: at + BigInt(spans.length) * 1000000n }));
		return spans.at(-list.length);
	};
	trace(['api-gateway', 'GET /users', 45], ['auth-service', 'verify', 8], ['user-service', 'load', 20]);
	trace(['order-service', 'POST /orders', 850], ['order-service', 'SELECT orders', 780]);
	trace(['api-gateway', 'POST /pay', 300], ['payment-service', 'charge', 250, true], ['payment-service', 'POST stripe', 240, true]);
	trace(['api-gateway', 'GET /home', 120], ['user-service', 'profile', 40], ['cart-service', 'cart', 60], ['notification-service', 'unread', 30]);
	for (let i = 0; i < 10; i++) trace(['api-gateway', 'GET /health', 5 + i]);
	const root = trace(['llm-proxy', 'POST /chat', 2400], ['llm-proxy', 'chat model', 2300]);
	spans.filter((s) => s.trace === root.trace).forEach((s) => (s.trace = llmTrace));
	return { spans };
}

// ---- one trace, and what is around it

const traceStart = now - 1000n * S;
const main = hex(16), other = hex(16), later = hex(16), unrelated = hex(16), absent = hex(16), far = hex(16);
const mainRoot = hex(8);
const link = (traceId, attributes = []) => ({ traceId, spanId: hex(8), attributes });
const around = {
	spans: [
		{ service: 'shop', trace: main, id: mainRoot, name: 'POST /buy', start: traceStart, duration: 2n * S, error: false, links: [link(other), link(absent), link(absent)] },
		{ service: 'bank', trace: main, id: hex(8), parent: mainRoot, name: 'charge', start: traceStart + 1n * S, duration: 500000000n, error: true, links: [link(later)] },
		{ service: 'feed', trace: other, id: hex(8), name: 'import', start: traceStart - 5n * S, duration: 1000n, error: false },
		{ service: 'mail', trace: later, id: hex(8), name: 'send', start: traceStart + 600n * S, duration: 1000n, error: false, links: [link(main), link(unrelated)] },
		{ service: 'mail', trace: later, id: hex(8), name: 'retry', start: traceStart + 700n * S, duration: 1000n, error: false, links: [link(main)] },
		// It only looks as if.
		{ service: 'mail', trace: unrelated, id: hex(8), name: 'fake', start: traceStart + 10n * S, duration: 1000n, error: false,
			links: [link(other, [text('trace_id', main), { key: 'l', value: { kvlistValue: { values: [text('trace_id', main)] } } }])] },
		{ service: 'mail', trace: far, id: hex(8), name: 'too early', start: traceStart - 3601n * S, duration: 1000n, error: false, links: [link(main)] },
	],
	logs: [
		{ service: 'shop', time: traceStart, severity: 9, trace: main, span: mainRoot, body: 'buying' },
		{ service: 'bank', time: traceStart + 1n, severity: 17, trace: main, body: 'no money' },
		// Hours later, and still of it.
		{ service: 'audit', time: traceStart + 900n * S, severity: 9, trace: main, body: 'audited' },
		{ service: 'shop', time: traceStart, severity: 9, trace: other, body: 'not of it' },
		{ service: 'shop', time: traceStart + 1n, severity: 9, body: 'of no trace' },
	],
	points: [
		{ service: 'shop', name: 'first', time: traceStart - 60n * S },
		{ service: 'shop', name: 'too early', time: traceStart - 60n * S - 1n },
		{ service: 'bank', name: 'last', time: traceStart + 62n * S },
		{ service: 'bank', name: 'too late', time: traceStart + 62n * S + 1n },
		{ service: 'mail', name: 'of another service', time: traceStart },
	],
};

function checkCorrelation(got) {
	assert.equal(got.trace_id, main);
	assert.deepEqual(got.services, ['bank', 'shop']);
	assert.deepEqual(got.spans.map((s) => s.operation), ['POST /buy', 'charge']);
	assert.deepEqual([got.span_count, got.error_count, got.duration_ms], [2, 1, 2000]);
	assert.deepEqual([got.start_time_unix_nano, got.end_time_unix_nano], [String(traceStart), String(traceStart + 2n * S)]);
	assert.deepEqual(got.logs.map((l) => l.body), ['audited', 'no money', 'buying']);
	assert.deepEqual(got.metrics.map((m) => m.name), ['last', 'first']);
	assert.deepEqual(got.linked_traces.map((l) => [l.trace_id, l.links_to, l.links_from, l.first_span?.operation ?? null]),
		[[other, 1, 0, 'import'], [absent, 2, 0, null], [later, 1, 2, 'send']].sort(([a], [b]) => order(a, b)));
	assert.equal(got.truncated, false);
	assert.deepEqual(got.truncated_parts, []);
}

// ---- all of it, in every state of the store

let weir, dataDir;
const args = ['--seal-rows', '2048'];

before(async () => {
	dataDir = newDataDir();
	weir = await Weir.start({ dataDir });
});

after(async () => {
	await weir.kill();
	removeDataDir(dataDir);
});

const windows = [];
for (let i = 0; i < 12; i++) {
	const a = t0 + BigInt(Math.floor(random() * 3000e9)), b = t0 + BigInt(Math.floor(random() * 3000e9));
	windows.push({ tenant: 'noise', from: a < b ? a : b, to: a < b ? b + 1n : a + 1n, service: i % 3 === 2 ? pick(services.filter((s) => s)) : undefined });
}
windows.push({ tenant: 'noise', from: 0n }, { tenant: 'noise', from: t0 - 30n * 3600n * S, to: t0 }, { tenant: 'noise', from: t0 + 600n * S, to: t0 + 1200n * S, limit: 3 },
	{ tenant: 'noise', from: t0 + 60n * S, to: t0 + 60n * S + 1n }, { tenant: 'noise', from: 0n, service: 'nobody' }, { tenant: 'nobody', from: 0n });

async function summaries() {
	for (const w of windows) {
		const { tenant, ...values } = w;
		checkSummary(await ask(weir, '/api/v1/summary', values, tenant), w);
	}
}

async function anomalies() {
	for (const service of [undefined, 'both', 'new', 'gone, many', 'nobody']) {
		const w = { tenant: 'shifts', from: windowFrom, to: windowTo, baseline: baselineFrom, service };
		checkAnomalies(await ask(weir, '/api/v1/anomalies', { from: w.from, to: w.to, baseline: '30m', service }, 'shifts'), w);
	}
	// On noise, too, where many thresholds are near: errors only, for durations are not equal.
	const errorsOnly = (list) => list.filter((a) => a.kind !== 'latency_p95').map(({ description, ...a }) => a);
	for (let i = 0; i < 6; i++) {
		const from = t0 + BigInt(i) * 400n * S, to = from + 60n * S, baseline = from - 120n * S;
		const got = await ask(weir, '/api/v1/anomalies', { from, to, baseline: '2m' }, 'noise');
		const want = anomaliesOf({ tenant: 'noise', from, to, baseline }).filter((a) => a.kind !== 'latency_p95');
		assert.deepEqual(rounded(errorsOnly(got.anomalies)), rounded(want));
	}
}

async function again() {
	for (const [tenant, request] of requests) await post(weir, tenant, request);
}

// What is asked once the store is in a state.
function state(name, reach) {
	describe(`answers are those of what was sent, ${name}`, () => {
		before(reach);
		it('R9 R23 R24: summaries: counts, rates, unique names, quantiles within their bound, lists', summaries);
		it('R25: anomalies: each service and kind once, with the windows that were asked for', anomalies);
		it('R8 R17: a trace with its log records and not those of another, its spans once', async () =>
			checkCorrelation(await ask(weir, '/api/v1/correlate', { trace: main }, 'around')));
	});
}

state('while it is in memory', async () => {
	const noise = someTelemetry(6000);
	for (let i = 0; i < 6; i++) {
		const part = (list) => list.filter((_, k) => k % 6 === i);
		await send(weir, 'noise', { spans: part(noise.spans), logs: part(noise.logs), points: part(noise.points) });
	}
	await send(weir, 'shifts', shiftedTelemetry());
	await send(weir, 'around', around);
	for (const tenant of ['noise', 'shifts', 'around']) await loaded(weir, tenant);
});

state('after it was sent again', async () => {
	await again();
});

state('after a kill, in the file', async () => {
	await weir.kill();
	weir = await Weir.start({ dataDir, args });
	for (const tenant of ['noise', 'shifts', 'around']) await loaded(weir, tenant);
	const deadline = Date.now() + patience;
	while (!((await weir.metric('weir_seals_total')) >= 3)) {
		assert.ok(Date.now() < deadline, (await weir.get('/metrics')).text);
		await sleep(50);
	}
});

state('after a restart, and when it is sent once more', async () => {
	await weir.terminate();
	weir = await Weir.start({ dataDir, args });
	for (const tenant of ['noise', 'shifts', 'around']) await loaded(weir, tenant);
	await again();
});

state('while more comes, some of it late', async () => {
	const more = someTelemetry(4000);
	const sending = send(weir, 'noise', more);
	for (let i = 0; i < 5; i++) await ask(weir, '/api/v1/summary', { last: '5h' }, 'noise');
	await sending;
	await loaded(weir, 'noise');
});

state('and the file says so, too', async () => {
	await weir.terminate();
	const { code, stdout, stderr } = await run(['check', '--data-dir', dataDir, '-o', 'json']);
	assert.equal(code, 0, stdout + stderr);
	weir = await Weir.start({ dataDir, args });
	for (const tenant of ['noise', 'shifts', 'around']) await loaded(weir, tenant);
});

describe('windows', () => {
	it('R23: are an hour when nothing is said, reach up to now, and are said in the answer', async () => {
		const got = await ask(weir, '/api/v1/summary', {}, 'around');
		assert.equal(got.window_seconds, 3600);
		assert.equal(BigInt(got.to_unix_nano) - BigInt(got.from_unix_nano), 3600n * S);
		const anomalies = await ask(weir, '/api/v1/anomalies', { last: '5m' }, 'around');
		assert.deepEqual([anomalies.current_seconds, anomalies.baseline_seconds], [300, 1800]);
		const other_ = await ask(weir, '/api/v1/anomalies', { last: '5m', baseline: '1h30m' }, 'around');
		assert.deepEqual([other_.current_seconds, other_.baseline_seconds], [300, 5400]);
	});

	it('do not go together with last, and are in order', async () => {
		for (const [values, name] of [[{ last: '5m', from: '2026-11-20' }, 'last'], [{ from: '2026-11-20', to: '2026-11-19' }, 'to'], [{ last: '5 minutes' }, 'last'], [{ baseline: '-1m' }, 'baseline'], [{ limit: 0 }, 'limit']]) {
			const path = name === 'baseline' ? '/api/v1/anomalies' : '/api/v1/summary';
			const { status, body } = await weir.get(`${path}?${query(values)}`);
			assert.equal(status, 400);
			assert.match(body.error.message, new RegExp(`parameter ${name}:`));
		}
	});

	it('of the baseline end where the window begins', async () => {
		// What began a nanosecond earlier is in the baseline, and only there.
		const spans = [-1n, 0n].flatMap((d) => Array.from({ length: 5 }, () => ({ service: 'edge', trace: hex(16), id: hex(8), name: 'x', start: windowFrom + d, duration: 0n, error: d === 0n })));
		await send(weir, 'edge', { spans });
		await loaded(weir, 'edge');
		const got = await ask(weir, '/api/v1/anomalies', { from: windowFrom, to: windowFrom + 1n, baseline: '1ns' }, 'edge');
		assert.deepEqual(got.anomalies.map((a) => [a.kind, a.severity, a.baseline, a.current, a.current_spans, a.baseline_spans]), [['error_rate', 'critical', 0, 1, 5, 5]]);
	});
});

describe('correlate', () => {
	it('R19: knows no trace that is not there, and says so', async () => {
		const { status, body } = await weir.get(`/api/v1/correlate?trace=${absent}`, of('around'));
		assert.equal(status, 404);
		assert.equal(body.error.code, 'not_found');
		assert.equal((await weir.get(`/api/v1/correlate?trace=${main}`, of('noise'))).status, 404);
	});

	it('takes another padding and another window for links', async () => {
		const wide = await ask(weir, '/api/v1/correlate', { trace: main, padding: '61s', link_window: '2h' }, 'around');
		assert.deepEqual(wide.metrics.map((m) => m.name), ['too late', 'last', 'first', 'too early']);
		assert.ok(wide.linked_traces.some((l) => l.trace_id === far && l.links_from === 1));
		const narrow = await ask(weir, '/api/v1/correlate', { trace: main, padding: '1ns', link_window: '650s' }, 'around');
		assert.deepEqual(narrow.metrics, []);
		assert.deepEqual(narrow.linked_traces.find((l) => l.trace_id === later).links_from, 1);
	});

	it('says which parts are cut', async () => {
		const got = await ask(weir, '/api/v1/correlate', { trace: main, limit: 1 }, 'around');
		assert.deepEqual([got.truncated, got.truncated_parts, got.spans.length], [true, ['logs', 'metrics', 'linked_traces'], 2]);
		assert.deepEqual(got.logs.map((l) => l.body), ['audited']);
	});
});

describe('the acceptance scenario', () => {
	it('is counted, 24 spans', async () => {
		await send(weir, 'demo', acceptance());
		await loaded(weir, 'demo');
		const { services: list } = await ask(weir, '/api/v1/services', {}, 'demo');
		assert.deepEqual(list.map((s) => s.name).sort(), ['api-gateway', 'auth-service', 'cart-service', 'llm-proxy', 'notification-service', 'order-service', 'payment-service', 'user-service']);
		assert.equal(list[0].name, 'api-gateway');
		const summary = await ask(weir, '/api/v1/summary', { last: '15m' }, 'demo');
		checkSummary(summary, { tenant: 'demo', from: now - 900n * S });
		assert.deepEqual([summary.traces.span_count, summary.traces.trace_count, summary.traces.error_count], [24, 15, 2]);
		assert.equal((await ask(weir, '/api/v1/traces', { status: 'error' }, 'demo')).count, 2);
		assert.equal((await ask(weir, '/api/v1/traces', { min_duration_ms: '500ms' }, 'demo')).count, 4);
		const llm = await ask(weir, '/api/v1/correlate', { trace: llmTrace }, 'demo');
		assert.deepEqual([llm.span_count, llm.services, llm.linked_traces], [2, ['llm-proxy'], []]);
	});
});

// ---- the command line

const cli = (tenant, ...words) => run([...words, '--url', `http://${weir.api}`, '--tenant', tenant]);

describe('commands', () => {
	it('give the same JSON as the API', async () => {
		for (const [words, path] of [
			[['summary', '--from', String(t0), '--to', String(now), '-n', '3'], `/api/v1/summary?from=${t0}&to=${now}&limit=3`],
			[['anomalies', '--from', String(windowFrom), '--to', String(windowTo), '--baseline', '30m'], `/api/v1/anomalies?from=${windowFrom}&to=${windowTo}&baseline=30m`],
			[['correlate', main], `/api/v1/correlate?trace=${main}`], [['correlate', '--trace', main], `/api/v1/correlate?trace=${main}`]]) {
			const tenant = { summary: 'noise', anomalies: 'shifts', correlate: 'around' }[words[0]];
			const { code, stdout, stderr } = await cli(tenant, ...words);
			assert.equal(code, 0, stderr);
			assert.deepEqual(JSON.parse(stdout), (await weir.get(path, of(tenant))).body);
		}
	});

	it('draw tables that have what counts', async () => {
		const summary = await cli('demo', 'summary', '-o', 'table');
		assert.match(summary.stdout, /spans +24 in 15 traces, 2 \(8\.3%\) errors/);
		assert.match(summary.stdout, /payment-service +charge/);
		const anomalies = await cli('shifts', 'anomalies', '--from', String(windowFrom), '--to', String(windowTo), '--baseline', '30m', '-s', 'both', '-o', 'table');
		assert.match(anomalies.stdout, /critical +.*error_rate +0% +100%/);
		const correlate = await cli('around', 'correlate', main, '-o', 'table');
		for (const word of ['POST /buy', 'charge', 'no money', 'first', 'last', other, 'import', `to and from ${later}`]) assert.ok(correlate.stdout.includes(word), `${word}\n${correlate.stdout}`);
		const none = await cli('around', 'correlate', absent);
		assert.equal(none.code, 3, none.stderr);
	});

	it('watch: a line for each look, with what changed', async () => {
		const { code, stdout, stderr } = await cli('demo', 'watch', '--last', '1h', '--interval', '20ms', '--count', '3', '--anomalies');
		assert.equal(code, 0, stderr);
		const ticks = stdout.trim().split('\n').map((l) => JSON.parse(l));
		assert.equal(ticks.length, 3);
		for (const t of ticks) {
			assert.deepEqual([t.window_seconds, t.traces.span_count, t.traces.error_count, t.traces.delta_span_count, t.logs.total], [3600, 24, 2, 0, 0]);
			assert.ok(Math.abs(t.traces.error_rate - 2 / 24) < 1e-12);
			assert.deepEqual([t.anomalies.info, t.met], [0, []]);
		}
	});

	it('watch --exit-on: ends when it is so, and says what', async () => {
		const watching = cli('later', 'watch', '--interval', '50ms', '--exit-on', 'error_rate>=50%', '--exit-on', 'logs.delta_error > 5', '--for', '60s');
		await sleep(300);
		const start = BigInt(Date.now()) * 1000000n;
		await send(weir, 'later', { spans: [1, 2].map((i) => ({ service: 'x', trace: hex(16), id: hex(8), name: 'x', start, duration: 1000n, error: i === 1 })) });
		const { code, stdout, stderr } = await watching;
		assert.equal(code, 0, stderr);
		assert.match(stderr, /met: error_rate>=50% \(traces\.error_rate is 50%\)/);
		const ticks = stdout.trim().split('\n').map((l) => JSON.parse(l));
		assert.ok(ticks.length >= 2);
		assert.deepEqual(ticks.at(-1).met, ['error_rate>=50%']);
		assert.deepEqual([ticks.at(-1).traces.delta_span_count, ticks.at(-2).traces.p95_ms], [2, null]);
	});

	it('watch --for: 3 when nothing was met, 2 for what cannot be, 1 without a server', async () => {
		const over = await cli('demo', 'watch', '--interval', '20ms', '--for', '100ms', '--exit-on', 'p95_ms>1h', '--exit-on', 'anomalies.critical');
		assert.equal(over.code, 3, over.stderr);
		for (const bad of ['latency>5', 'error_rate>five', 'p95_ms~5', 'span_count>', 'logs.p95_ms>1']) assert.equal((await cli('demo', 'watch', '--exit-on', bad)).code, 2, bad);
		assert.equal((await run(['watch', '--url', 'http://127.0.0.1:1', '--count', '1'])).code, 1);
	});
});
