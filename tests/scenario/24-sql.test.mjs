// SPDX-License-Identifier: Apache-2.0
//
// SQL of users: answers are those of a plain recomputation, whether rows are in memory or in the file; what is hostile is
// refused or harmless; tenants do not meet; what runs away is stopped, and nothing else notices.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Weir, patience, run, sleep } from './lib/weir.mjs';

let weir;

// ---- asking

async function sql(query, { tenant = 'acme', format, limit, server = weir, signal, headers = {} } = {}) {
	const res = await fetch(`http://${server.api}/api/v1/sql`, {
		method: 'POST', signal,
		headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant, ...headers },
		body: JSON.stringify({ query, ...(format && { format }), ...(limit && { limit }) }),
	});
	const bytes = Buffer.from(await res.arrayBuffer());
	const text = bytes.toString();
	const body = res.headers.get('content-type').startsWith('application/json') ? JSON.parse(text) : undefined;
	return { status: res.status, text, bytes, body, headers: res.headers, message: body?.error?.message };
}

async function rows(query, options) {
	const answer = await sql(query, options);
	assert.equal(answer.status, 200, `${query}: ${answer.text.slice(0, 500)}`);
	return answer.body.rows;
}

// The processes that run SQL for this server.
function workers(server = weir) {
	return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
		try {
			const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[1];
			return Number(parent) === server.child.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sql-worker');
		} catch {
			return false; // it has ended
		}
	}).map(Number);
}

async function until(accept, what) {
	const deadline = Date.now() + patience;
	while (!await accept()) {
		assert.ok(Date.now() < deadline, what);
		await sleep(20);
	}
}

// ---- what is sent, and what is known of it without weir

// A generator of numbers that is the same every time.
let state = 20261129;
const random = (n) => {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor(state / 2 ** 32 * n);
};
const pick = (list) => list[random(list.length)];
const hex = (n) => Array.from({ length: n / 8 }, () => random(2 ** 32).toString(16).padStart(8, '0')).join('');

const base = (BigInt(Date.now()) - 3600000n) * 1000000n; // an hour ago
const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const statuses = ['unset', 'ok', 'error'];
const severities = ['unspecified', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const names = ['GET /cart', 'POST /pay', "it's \"quoted\" \\ 100%", 'naïve ☃ \u{1f600}', 'SELECT;--', ''];

function makeSpans(tenant, count) {
	let trace;
	return Array.from({ length: count }, (_, i) => {
		if (i % 4 === 0) trace = { id: hex(32), root: hex(16) };
		const start = base + BigInt(i) * 1500000000n + BigInt(random(1e9));
		return {
			trace: trace.id, id: i % 4 === 0 ? trace.root : hex(16), parent: i % 4 === 0 ? null : trace.root, service: `${tenant}-${random(3)}`, name: pick(names), kind: random(6),
			start, duration: BigInt(random(2 ** 31)) * BigInt(1 + random(3)), status: random(3),
			attributes: {
				'http.route': pick(['/cart', '/pay', "/o'brien"]), 'big': String(9007199254740993n + BigInt(i)), 'n': random(500), 'ratio': random(1000) / 8, 'ok': random(2) === 1,
				...(random(4) === 0 && { rare: `${tenant} secret ${i}` }),
			},
		};
	});
}

const toValue = (k, v) => (k === 'big' ? { intValue: v } : typeof v === 'boolean' ? { boolValue: v } : typeof v === 'string' ? { stringValue: v } : k === 'n' ? { intValue: String(v) } : { doubleValue: v });
const toAttributes = (a) => Object.entries(a).map(([key, v]) => ({ key, value: toValue(key, v) }));
const resourceOf = (service) => ({ attributes: [{ key: 'service.name', value: { stringValue: service } }, { key: 'host.name', value: { stringValue: `host of ${service}` } }] });

function groups(items) {
	const by = new Map();
	for (const item of items) by.set(item.service, [...(by.get(item.service) ?? []), item]);
	return [...by];
}

const toTraces = (spans) => ({ resourceSpans: groups(spans).map(([service, list]) => ({ resource: resourceOf(service), scopeSpans: [{ scope: { name: 'lib', version: '1.2' }, spans: list.map((s) => ({
	traceId: s.trace, spanId: s.id, ...(s.parent && { parentSpanId: s.parent }), name: s.name, kind: s.kind, startTimeUnixNano: String(s.start), endTimeUnixNano: String(s.start + s.duration),
	status: { code: s.status }, attributes: toAttributes(s.attributes), events: s.status === 2 ? [{ name: 'exception', timeUnixNano: String(s.start), attributes: toAttributes({ n: 1 }) }] : [] })) }] })) });

const makeLogs = (tenant, spans) => spans.filter((_, i) => i % 3 === 0).map((s, i) => ({ service: s.service, time: s.start + 5n, trace: s.trace, span: s.id, severity: random(25), body: `${pick(['paid', 'failed', 'lost'])} ${tenant} ${i}` }));
const toLogs = (logs) => ({ resourceLogs: groups(logs).map(([service, list]) => ({ resource: resourceOf(service), scopeLogs: [{ logRecords: list.map((l) => ({
	timeUnixNano: String(l.time), traceId: l.trace, spanId: l.span, severityNumber: l.severity, body: { stringValue: l.body } })) }] })) });

const makePoints = (tenant) => Array.from({ length: 300 }, (_, i) => ({ service: `${tenant}-${i % 3}`, name: pick(['requests', 'depth']), time: base + BigInt(i) * 1000000000n, int: random(2) === 1, value: random(1e6) }));
const toMetrics = (points) => ({ resourceMetrics: groups(points).map(([service, list]) => ({ resource: resourceOf(service), scopeMetrics: [{ metrics: list.map((p) => ({
	name: p.name, unit: '1', gauge: { dataPoints: [{ timeUnixNano: String(p.time), ...(p.int ? { asInt: String(p.value) } : { asDouble: p.value / 4 }) }] } })) }] })) });
const valueOf = (p) => (p.int ? p.value : p.value / 4);

async function send(path, tenant, body, server = weir) {
	const res = await fetch(`http://${server.http}/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: JSON.stringify(body) });
	assert.equal(res.status, 200, await res.text());
}

const sent = {};

before(async () => {
	weir = await Weir.start({ args: ['--seal-rows', '64', '--segment-bytes', '64k', '--sql-memory', '128m', '--sql-timeout-ms', '20000', '--max-result-bytes', '8m'] });
	for (const tenant of ['acme', 'zeta']) {
		const spans = makeSpans(tenant, tenant === 'acme' ? 1200 : 500);
		sent[tenant] = { spans, logs: makeLogs(tenant, spans), points: makePoints(tenant) };
		for (let i = 0; i < spans.length; i += 100) await send('traces', tenant, toTraces(spans.slice(i, i + 100)));
		await send('logs', tenant, toLogs(sent[tenant].logs));
		await send('metrics', tenant, toMetrics(sent[tenant].points));
	}
	for (const tenant of ['acme', 'zeta'])
		await until(async () => (await rows('SELECT (SELECT count(*) FROM spans) s, (SELECT count(*) FROM logs) l, (SELECT count(*) FROM metrics) m', { tenant }))
			.every((r) => r.s === sent[tenant].spans.length && r.l === sent[tenant].logs.length && r.m === sent[tenant].points.length), `all of ${tenant}`);
	// Most is in the file, and some in memory still.
	await until(async () => await weir.metric('weir_seal_rows_total') > 1500, 'seals');
	await send('traces', 'acme', toTraces([sent.acme.spans[0]])); // again, and so not a row more
	const extra = makeSpans('acme', 20);
	sent.acme.spans.push(...extra);
	await send('traces', 'acme', toTraces(extra));
	await until(async () => (await rows('SELECT count(*) n FROM spans'))[0].n === sent.acme.spans.length, 'the last spans');
	assert.ok(await weir.metric('weir_hot_rows{signal="traces"}') > 0, 'some are in memory');
});
after(() => weir.stop());

const by = (items, key, make) => {
	const out = new Map();
	for (const item of items) out.set(key(item), [...(out.get(key(item)) ?? []), item]);
	return [...out].map(([k, list]) => ({ k, ...make(list) })).sort((a, b) => (String(a.k) < String(b.k) ? -1 : 1));
};
const sorted = (list) => list.sort((a, b) => (String(a.k) < String(b.k) ? -1 : 1));
const near = (a, b, what) => assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`);
const time = (ns) => `${new Date(Number(ns / 1000000000n) * 1000).toISOString().slice(0, 19)}.${String(ns % 1000000000n).padStart(9, '0')}Z`;

describe('answers', () => {
	it('are those of a recomputation: groups, sums, quantiles', async () => {
		for (const tenant of ['acme', 'zeta']) {
			const { spans } = sent[tenant];
			const got = sorted(await rows(`SELECT service AS k, count(*) AS n, sum(duration_ns)::BIGINT AS sum, min(duration_ns) AS min, max(duration_ms) AS max, avg(duration_ms) AS avg,
				count(*) FILTER (status = 'error') AS errors, quantile_disc(duration_ns, 0.95) AS p95 FROM spans GROUP BY service`, { tenant }));
			const want = by(spans, (s) => s.service, (list) => {
				const durations = list.map((s) => s.duration).sort((a, b) => (a < b ? -1 : 1));
				const sum = durations.reduce((a, b) => a + b, 0n);
				return { n: list.length, sum, min: durations[0], max: Number(durations.at(-1)) / 1e6, avg: Number(sum) / 1e6 / list.length, errors: list.filter((s) => s.status === 2).length,
					p95: durations[Math.max(0, Math.ceil(list.length * 0.95) - 1)] };
			});
			assert.equal(got.length, want.length);
			for (const [i, w] of want.entries()) {
				const g = got[i];
				assert.deepEqual([g.k, g.n, BigInt(g.sum), BigInt(g.min), g.errors, BigInt(g.p95)], [w.k, w.n, w.sum, w.min, w.errors, w.p95]);
				near(g.max, w.max, 'max');
				near(g.avg, w.avg, 'avg');
			}
		}
	});

	it('have every column as it came', async () => {
		const want = new Map(sent.acme.spans.map((s) => [s.id, s]));
		const got = await rows('SELECT * FROM spans');
		assert.equal(got.length, want.size);
		for (const g of got) {
			const s = want.get(g.span_id);
			assert.ok(s, g.span_id);
			want.delete(g.span_id);
			const { big, ...attributes } = g.attributes;
			assert.deepEqual([g.trace_id, g.parent_span_id, g.service, g.name, g.operation, g.kind, g.status, g.start_time, g.end_time, BigInt(g.start_unix_nano), BigInt(g.end_unix_nano), BigInt(g.duration_ns), String(big), attributes],
				[s.trace, s.parent, s.service, s.name, s.name, kinds[s.kind], statuses[s.status], time(s.start), time(s.start + s.duration), s.start, s.start + s.duration, s.duration,
					s.attributes.big, Object.fromEntries(Object.entries(s.attributes).filter(([k]) => k !== 'big'))]);
			assert.deepEqual([g.resource['host.name'], g.scope_name, g.scope_version], [`host of ${s.service}`, 'lib', '1.2']);
			assert.equal(g.events.length, s.status === 2 ? 1 : 0);
		}
	});

	it('find spans by attributes, times, ids, names', async () => {
		const { spans } = sent.acme;
		const from = spans[300].start, to = spans[700].start;
		const cases = [
			["attributes->>'http.route' = '/o''brien'", (s) => s.attributes['http.route'] === "/o'brien"],
			["(attributes->>'n')::INT >= 250 AND (attributes->>'ok')::BOOL", (s) => s.attributes.n >= 250 && s.attributes.ok],
			["(attributes->>'big')::BIGINT = 9007199254741000", (s) => s.attributes.big === '9007199254741000'],
			["attributes->>'rare' IS NOT NULL", (s) => s.attributes.rare !== undefined],
			["json_extract_string(attributes, '$.ratio')::DOUBLE < 10.5", (s) => s.attributes.ratio < 10.5],
			[`start_unix_nano >= ${from} AND start_unix_nano < ${to}`, (s) => s.start >= from && s.start < to],
			[`start_time BETWEEN '${time(from).slice(0, 26)}' AND '${time(to).slice(0, 26)}'`, (s) => s.start >= from / 1000n * 1000n && s.start <= to / 1000n * 1000n],
			["start_time > now() - INTERVAL 50 MINUTE AND status = 'error'", undefined],
			["start_time > ago('40 minutes')", undefined],
			[`trace_id = '${spans[16].trace}'`, (s) => s.trace === spans[16].trace],
			[`span_id IN ('${spans[1].id}', '${spans[900].id}')`, (s) => s === spans[1] || s === spans[900]],
			["parent_span_id IS NULL AND kind = 'server'", (s) => s.parent === null && s.kind === 2],
			["service = 'acme-1' AND name LIKE '%☃%'", (s) => s.service === 'acme-1' && s.name.includes('☃')],
			["service = 'zeta-1'", () => false],
			["name = 'it''s \"quoted\" \\ 100%'", (s) => s.name === names[2]],
			["name = ''", (s) => s.name === ''],
			['NOT (service = \'acme-0\' OR duration_ms > 1500)', (s) => s.service !== 'acme-0' && Number(s.duration) / 1e6 <= 1500],
		];
		for (const [condition, is] of cases) {
			const before = BigInt(Date.now());
			const got = (await rows(`SELECT span_id FROM spans WHERE ${condition}`)).map((r) => r.span_id).sort();
			if (is) {
				assert.deepEqual(got, spans.filter(is).map((s) => s.id).sort(), condition);
				continue;
			}
			// now() moves: what is certain.
			const minutes = condition.includes('50') ? 50n : 40n;
			const wanted = (slack) => spans.filter((s) => s.start > (before - minutes * 60000n + slack) * 1000000n && (minutes === 40n || s.status === 2)).map((s) => s.id);
			for (const id of wanted(60000n)) assert.ok(got.includes(id), condition);
			for (const id of got) assert.ok(wanted(-60000n).includes(id), condition);
		}
	});

	it('are right through joins, subqueries, WITH, windows and unions', async () => {
		const { spans, logs } = sent.acme;
		const spanIds = new Map(spans.map((s) => [s.id, s]));
		const joined = (await rows("SELECT s.service AS k, count(*) AS n FROM logs l JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id WHERE s.status = 'error' GROUP BY ALL ORDER BY 1"));
		assert.deepEqual(joined, by(logs.filter((l) => spanIds.get(l.span).status === 2), (l) => spanIds.get(l.span).service, (l) => ({ n: l.length })));
		const slowest = await rows(`WITH x AS (SELECT *, row_number() OVER (PARTITION BY service ORDER BY duration_ns DESC, span_id) AS r FROM spans)
			SELECT service AS k, span_id AS id FROM x WHERE r = 1 ORDER BY 1`);
		assert.deepEqual(slowest, by(spans, (s) => s.service, (l) => ({ id: l.sort((a, b) => (a.duration === b.duration ? (a.id < b.id ? -1 : 1) : a.duration > b.duration ? -1 : 1))[0].id })));
		const [both] = await rows(`SELECT count(*) AS n FROM (SELECT span_id FROM spans WHERE service = 'acme-0' UNION ALL SELECT span_id FROM logs WHERE service <> 'acme-0')`);
		assert.equal(both.n, spans.filter((s) => s.service === 'acme-0').length + logs.filter((l) => l.service !== 'acme-0').length);
		const [times] = await rows(`SELECT (SELECT count(*) FROM spans WHERE start_unix_nano < ${spans[200].start}) AS a, (SELECT count(*) FROM spans WHERE start_unix_nano >= ${spans[200].start}) AS b`);
		assert.deepEqual([times.a, times.b], [spans.filter((s) => s.start < spans[200].start).length, spans.filter((s) => s.start >= spans[200].start).length]);
		const [self] = await rows('SELECT count(*) AS n FROM spans a JOIN spans b ON b.parent_span_id = a.span_id AND a.trace_id = b.trace_id');
		assert.equal(self.n, spans.filter((s) => s.parent).length);
	});

	it('of traces, services, logs, metrics, resources, scopes', async () => {
		const { spans, logs, points } = sent.acme;
		const traces = await rows("SELECT trace_id AS k, span_count AS n, error_count AS errors, root_name AS root, services, start_unix_nano AS start, end_unix_nano AS 'end' FROM traces");
		const want = by(spans, (s) => s.trace, (l) => ({ n: l.length, errors: l.filter((s) => s.status === 2).length, root: l.find((s) => !s.parent)?.name ?? null, services: [...new Set(l.map((s) => s.service))].sort(),
			start: String(l.reduce((a, s) => (s.start < a ? s.start : a), l[0].start)), end: String(l.reduce((a, s) => (s.start + s.duration > a ? s.start + s.duration : a), 0n)) }));
		assert.deepEqual(sorted(traces), want);
		const services = await rows('SELECT service AS k, span_count AS n, trace_count AS t, error_count AS e, log_count AS l, point_count AS p FROM services');
		assert.deepEqual(sorted(services), by(spans, (s) => s.service, (l) => ({ n: l.length, t: new Set(l.map((s) => s.trace)).size, e: l.filter((s) => s.status === 2).length,
			l: logs.filter((x) => x.service === l[0].service).length, p: points.filter((x) => x.service === l[0].service).length })));
		const severe = await rows('SELECT severity AS k, count(*) AS n FROM logs GROUP BY severity');
		assert.deepEqual(sorted(severe), by(logs, (l) => severities[Math.ceil(l.severity / 4)], (l) => ({ n: l.length })));
		assert.deepEqual((await rows("SELECT body FROM logs WHERE body LIKE 'failed%' ORDER BY body")).map((r) => r.body), logs.map((l) => l.body).filter((b) => b.startsWith('failed')).sort());
		for (const { k, n, v } of await rows('SELECT name AS k, count(*) AS n, sum(value) AS v FROM metrics GROUP BY name')) {
			const list = points.filter((p) => p.name === k);
			assert.equal(n, list.length);
			near(v, list.reduce((a, p) => a + valueOf(p), 0), k);
		}
		assert.deepEqual((await rows("SELECT service AS k, attributes->>'host.name' AS h FROM resources ORDER BY 1")), ['acme-0', 'acme-1', 'acme-2'].map((k) => ({ k, h: `host of ${k}` })));
		assert.ok((await rows("SELECT name, version FROM scopes")).some((s) => s.name === 'lib' && s.version === '1.2'));
	});

	it('of comments, joined with what they are about', async () => {
		const { spans } = sent.acme;
		const made = [];
		for (const [tenant, span, body] of [['acme', spans[0], 'the cause'], ['acme', spans[4], "it's the cart; --"], ['zeta', sent.zeta.spans[0], 'zeta- secret']]) {
			const res = await fetch(`http://${weir.api}/api/v1/traces/${span.trace}/comments`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: JSON.stringify({ body, author: 'ada', span_id: span.id }) });
			assert.equal(res.status, 201, await res.clone().text());
			made.push((await res.json()).comment);
		}
		await until(async () => (await rows('SELECT count(*) AS n FROM comments'))[0].n === 2, 'comments');
		assert.deepEqual(await rows('SELECT c.*, s.service FROM comments c JOIN spans s USING (trace_id, span_id) ORDER BY c.created_at'),
			made.slice(0, 2).map((c, i) => ({ id: c.id, trace_id: c.trace_id, span_id: c.span_id, author: 'ada', body: c.body, created_at: c.created_at, created_unix_nano: c.created_unix_nano, service: spans[i * 4].service })));
		assert.deepEqual(await rows(`SELECT body FROM comments WHERE trace_id = '${spans[4].trace}' AND created_at > ago('1 day')`), [{ body: "it's the cart; --" }]);
	});

	it('have all types in JSON, no digit of which is lost', async () => {
		const { body } = await sql(`SELECT 9223372036854775807 AS big, 9007199254740991 AS safe, 18446744073709551615::UBIGINT AS u, 170141183460469231731687303715884105727::HUGEINT AS huge,
			1.50::DECIMAL(9,2) AS d, 0.1::DOUBLE AS f, 'NaN'::DOUBLE AS nan, true AS b, NULL AS n, [1, NULL, 3] AS list, {'a': 1, 'b': 'x'} AS st, MAP {'k': 2} AS m, 'a"\n<\x1b' AS s,
			TIMESTAMP '2026-11-29 01:02:03.5' AS ts, DATE '2026-11-29' AS day, INTERVAL 90 MINUTE AS i, 1 AS x, 2 AS x, '{"k": [9007199254740993, 1.0]}'::JSON AS j, '\\x00\\xff'::BLOB AS bytes`);
		assert.deepEqual(body.rows, [{ big: '9223372036854775807', safe: 9007199254740991, u: '18446744073709551615', huge: '170141183460469231731687303715884105727', d: 1.5, f: 0.1, nan: 'NaN', b: true, n: null,
			list: [1, null, 3], st: { a: 1, b: 'x' }, m: { k: 2 }, s: 'a"\n<\x1b', ts: '2026-11-29T01:02:03.500000000Z', day: '2026-11-29', i: '01:30:00', x: 1, x_2: 2, j: { k: ['9007199254740993', 1.0] }, bytes: 'AP8=' }]);
		assert.deepEqual(body.columns.slice(0, 5).map((c) => c.type), ['BIGINT', 'BIGINT', 'UBIGINT', 'HUGEINT', 'DECIMAL(9,2)']);
		assert.deepEqual([body.count, body.truncated], [1, false]);
	});

	it('are cut at a limit, and say so', async () => {
		const cut = (await sql('SELECT span_id FROM spans', { limit: 7 })).body;
		assert.deepEqual([cut.rows.length, cut.count, cut.truncated], [7, 7, true]);
		assert.equal((await sql('SELECT span_id FROM spans LIMIT 7', { limit: 7 })).body.truncated, false);
		const csv = await sql('FROM range(20)', { format: 'csv', limit: 5 });
		assert.equal(csv.headers.get('x-weir-truncated'), 'true');
		assert.equal((await sql('FROM range(20)', { format: 'csv' })).headers.get('x-weir-truncated'), 'false');
		const all = (await sql('FROM range(30000)')).body;
		assert.deepEqual([all.rows.length, all.truncated], [10000, true]); // --max-results
		const wide = (await sql("SELECT repeat('x', 2000) AS x FROM range(10000)")).body;
		assert.equal(wide.truncated, true);
		assert.ok(wide.rows.length > 0 && wide.rows.length < 10000);
	});

	it('come as NDJSON, CSV and Parquet too', async () => {
		const query = "SELECT * FROM (VALUES (1, 'a,b', NULL), (2, 'q\"', 'x'), (3, '', '')) t(a, b, c)";
		assert.equal((await sql(query, { format: 'ndjson' })).text, '{"a":1,"b":"a,b","c":null}\n{"a":2,"b":"q\\"","c":"x"}\n{"a":3,"b":"","c":""}\n');
		assert.equal((await sql(query, { format: 'csv' })).text, 'a,b,c\r\n1,"a,b",\r\n2,"q""",x\r\n3,"",""\r\n');
		assert.equal((await sql(query, { headers: { accept: 'text/csv' } })).text, (await sql(query, { format: 'csv' })).text);
		const parquet = await sql('SELECT trace_id, duration_ns, attributes FROM spans', { format: 'parquet' });
		assert.equal(parquet.headers.get('content-type'), 'application/vnd.apache.parquet');
		assert.equal(parquet.bytes.subarray(0, 4).toString() + parquet.bytes.subarray(-4).toString(), 'PAR1PAR1');
		const link = await weir.get(`/api/v1/sql?q=${encodeURIComponent('SELECT 1 AS a')}&format=csv`);
		assert.equal(link.text, 'a\r\n1\r\n');
	});

	it('say what is wrong, and where', async () => {
		for (const [query, message] of [
			['SELEC 1', /syntax error at or near "SELEC" \(line 1, column 1\)/],
			['SELECT\n  nonsense FROM spans', /"nonsense".*\(line 2, column 3\)/],
			['SELECT * FROM span', /no table span.*spans, logs, metrics/],
			['SELECT 1 +', /syntax error/],
			["SELECT 'x'::INTEGER", /Could not convert string 'x' to INT32/],
			['SELECT sum(name) FROM spans', /sum\(VARCHAR\)/],
			['', /parameter query/], ['   ', /./], ['-- nothing', /./], [';', /./],
		]) {
			const answer = await sql(query);
			assert.equal(answer.status, 400, `${query}: ${answer.text}`);
			assert.match(answer.message, message, query);
		}
	});

	it('describe the views, and so does the schema', async () => {
		const { body } = await weir.get('/api/v1/sql/schema');
		assert.deepEqual(body.views.map((v) => v.name), ['spans', 'logs', 'metrics', 'resources', 'scopes', 'services', 'traces', 'comments', 'junjo_spans', 'state_patches', 'llm_calls']);
		for (const view of body.views) {
			const described = await rows(`DESCRIBE ${view.name}`);
			assert.deepEqual(described.map((c) => [c.column_name, c.column_type]), view.columns.map((c) => [c.name, c.type]), view.name);
			const { columns } = (await sql(`SELECT * FROM ${view.name} LIMIT 1`)).body;
			assert.deepEqual(columns, view.columns.map(({ name, type }) => ({ name, type })), view.name);
			const documented = readFileSync(new URL('../../docs/sql.md', import.meta.url), 'utf8').split('### ').find((part) => part.startsWith(`${view.name}: ${view.description}`));
			for (const c of view.columns) assert.ok(documented.includes(`\n| \`${c.name}\` | ${c.type} | `), `docs/sql.md: ${view.name}.${c.name}`);
		}
	});
});

// ---- tenants

describe('tenants', () => {
	it('see their own rows and nothing of another, whatever is asked', async () => {
		for (const [tenant, other] of [['acme', 'zeta'], ['zeta', 'acme']]) {
			for (const view of ['spans', 'logs', 'metrics', 'resources', 'services', 'scopes', 'traces', 'comments', 'junjo_spans', 'state_patches', 'llm_calls']) {
				const { text } = await sql(`SELECT * FROM ${view} LIMIT 5000`, { tenant });
				assert.ok(!text.includes(`${other}-`), `${tenant} ${view}`);
				assert.ok(!text.includes(`${other} secret`), `${tenant} ${view}`);
			}
			assert.deepEqual(await rows(`SELECT * FROM spans WHERE service LIKE '${other}%' OR trace_id = '${sent[other].spans[0].trace}'`, { tenant }), []);
		}
		assert.deepEqual(await rows('SELECT * FROM spans', { tenant: 'nobody' }), []);
	});

	it('do so while both ask at once', async () => {
		const answers = await Promise.all(Array.from({ length: 24 }, async (_, i) => {
			const tenant = i % 2 ? 'acme' : 'zeta';
			const [row] = await rows('SELECT count(*) AS n, count(*) FILTER (service NOT LIKE \'' + tenant + '-%\') AS alien FROM spans', { tenant });
			return [row.n, row.alien, tenant];
		}));
		for (const [n, alien, tenant] of answers) assert.deepEqual([n, alien], [sent[tenant].spans.length, 0]);
	});
});

// ---- what is hostile

const refused = (query, message = /./) => ({ query, check: (a) => (assert.equal(a.status, 400, `${query}: ${a.status} ${a.text.slice(0, 300)}`), assert.match(a.message, message, query)) });
const stopped = (query, statuses = [400, 413, 504]) => ({ query, brief: true, check: (a) => assert.ok(statuses.includes(a.status), `${query}: ${a.status} ${a.text.slice(0, 300)}`) });
const harmless = (query, check = () => {}) => ({ query, check: (a) => (assert.equal(a.status, 200, `${query}: ${a.text.slice(0, 300)}`), check(a)) });

function hostile(dir) {
	const file = join(dir, 'secret.csv');
	return [
		// files
		...['read_csv', 'read_csv_auto', 'read_text', 'read_blob', 'read_json', 'read_json_auto', 'read_ndjson', 'read_json_objects', 'read_parquet', 'parquet_scan', 'parquet_metadata', 'parquet_schema', 'glob', 'sniff_csv', 'read_duckdb', 'sqlite_scan', 'iceberg_scan', 'delta_scan']
			.map((f) => refused(`SELECT * FROM ${f}('${file}')`)),
		refused(`SELECT * FROM '${file}'`, /no table/), refused(`FROM "${file}"`, /no table/), refused("FROM '/etc/passwd'"), refused("FROM 'spans.parquet'"), refused("FROM 'https://example.com/x.csv'"), refused("FROM 's3://bucket/x'"),
		refused("SELECT * FROM read_csv('https://example.com/x')"), refused(`SELECT (SELECT content FROM read_text('${file}'))`), refused(`WITH x AS (FROM read_text('${file}')) FROM x`), refused(`SELECT * FROM spans WHERE name IN (SELECT content FROM read_text('${file}'))`),
		refused("SELECT getenv('HOME')"), refused(`WITH "${file}" AS (SELECT 1) SELECT * FROM '${file}2'`),
		// changes
		...['CREATE TABLE x (a INT)', 'CREATE TEMP TABLE x AS SELECT 1', 'CREATE VIEW spans AS SELECT 1', 'CREATE OR REPLACE VIEW spans AS SELECT 1', 'CREATE MACRO f() AS 1', 'CREATE SCHEMA s', 'CREATE SEQUENCE s', "CREATE TYPE t AS ENUM ('a')", 'CREATE SECRET s (TYPE s3)',
			'DROP TABLE spans', 'DROP VIEW spans', 'DELETE FROM spans', 'UPDATE spans SET name = 1', 'INSERT INTO spans VALUES (1)', 'TRUNCATE spans', 'ALTER TABLE spans ADD COLUMN x INT', 'MERGE INTO spans USING logs ON true WHEN MATCHED THEN DELETE', 'VACUUM', 'ANALYZE', 'CHECKPOINT', 'FORCE CHECKPOINT',
			'BEGIN', 'COMMIT', 'ROLLBACK', 'PREPARE p AS SELECT 1', 'EXECUTE p', 'DEALLOCATE p', 'CALL pragma_version()', 'COMMENT ON VIEW spans IS NULL', 'WITH x AS (DELETE FROM spans RETURNING *) SELECT * FROM x'].map((q) => refused(q)),
		// outside
		...[`ATTACH '${join(dir, 'x.db')}' AS x`, "ATTACH ':memory:' AS x", 'DETACH memory', 'USE memory', `COPY spans TO '${join(dir, 'out.csv')}'`, `COPY (SELECT 1) TO '${join(dir, 'out.csv')}'`, "COPY spans FROM '/etc/passwd'", "COPY (SELECT 1) TO '/proc/self/fd/1'", "COPY (SELECT 1) TO '/proc/self/fd/3'", `EXPORT DATABASE '${dir}'`, `IMPORT DATABASE '${dir}'`,
			'INSTALL httpfs', 'LOAD httpfs', "LOAD '/tmp/x.so'", "INSTALL x FROM 'http://example.com'", 'UPDATE EXTENSIONS'].map((q) => refused(q)),
		// settings
		...['SET memory_limit = \'100GB\'', 'SET threads = 64', 'SET GLOBAL enable_external_access = true', 'SET VARIABLE x = 1', 'RESET ALL', 'RESET lock_configuration', 'PRAGMA version', 'PRAGMA enable_profiling', "PRAGMA database_list", 'PRAGMA table_info(spans)', 'PRAGMA enable_logging',
			"SELECT current_setting('temp_directory')", 'SELECT getvariable(\'x\')', "SELECT nextval('s')", 'SELECT currval(\'s\')', 'SELECT version()', 'SELECT current_database()', 'SELECT current_schemas(true)', "SELECT current_query()", 'SELECT txid_current()', "SELECT set_config('a', 'b')", "SELECT write_log('x')", 'SELECT sleep(10)', 'SELECT sleep_ms(10)'].map((q) => refused(q)),
		// the catalog
		...['duckdb_settings()', 'duckdb_tables()', 'duckdb_functions()', 'duckdb_secrets()', 'duckdb_databases()', 'duckdb_temporary_files()', 'duckdb_memory()', 'duckdb_logs()', 'pragma_database_size()', 'pragma_table_info(\'spans\')', 'pragma_user_agent()', 'duckdb_extensions()', 'information_schema.tables', 'pg_catalog.pg_class', 'pg_class', 'sqlite_master', 'duckdb_tables', 'duckdb_columns', 'main.spans', 'memory.main.spans', 'system.main.duckdb_tables', 'temp.spans',
			"query('SELECT 1')", "query_table('spans')", "query_table(['spans', 'logs'])", "json_execute_serialized_sql('x')", 'checkpoint()', 'force_checkpoint()', 'seq_scan(1)', 'repeat_row(1, num_rows=3)', "test_all_types()", 'which_secret(\'s3://x\', \'s3\')', 'sql_auto_complete(\'s\')', 'summary(spans)', 'icu_calendar_names()', 'pg_timezone_names()',
			// its own
			'weir_spans()', 'weir_probe_spans_0()', 'weir_result()', 'WEIR_SPANS()', '"weir_spans"()', 'main.weir_spans()', 'weir_services()'].map((x) => refused(`SELECT * FROM ${x}`)),
		refused("SELECT json_serialize_sql('SELECT 1')"), refused("SELECT json_deserialize_sql('{}')"), refused("SELECT json_serialize_plan('SELECT 1')"), refused('SHOW TABLES'), refused('SHOW ALL TABLES'), refused('SHOW DATABASES'), refused('EXPLAIN SELECT 1'), refused('EXPLAIN ANALYZE DELETE FROM spans'), refused('DESCRIBE duckdb_settings'), refused("SUMMARIZE 'x.csv'"),
		refused("WITH duckdb_tables AS (SELECT 1) SELECT * FROM duckdb_tables"), refused("WITH pg_class AS (SELECT 1) SELECT 1"), refused('SELECT * FROM spans, LATERAL (SELECT * FROM duckdb_settings())'), refused('SELECT 1 WHERE EXISTS (FROM duckdb_settings())'), refused('SELECT list(x) FROM (SELECT * FROM duckdb_settings()) t(x)'),
		refused('SELECT a FROM (PIVOT spans ON kind USING count(*))', /./), refused('PIVOT spans ON kind USING count(*)'),
		// more than one
		...['SELECT 1; SELECT 2', 'SELECT 1; DROP VIEW spans', 'SELECT 1;;SELECT 2', "SELECT 1; COPY (SELECT 1) TO '/tmp/x'", '; DELETE FROM spans'].map((q) => refused(q)),
		// values that are not there, and what is no SQL
		refused('SELECT ?'), refused('SELECT $1'), refused('SELECT $name'), refused('SELECT \0'), refused('\ufeff\u202eSELECT'), refused("SELECT 'unterminated"), refused('SELECT /* '), refused('('.repeat(30000)), harmless('SELECT ' + '('.repeat(3000) + '1' + ')'.repeat(3000)), refused(`SELECT ${'-'.repeat(20000)}\n1 +`), refused('SELECT ' + 'NOT '.repeat(8000) + 'true'),
		refused(`SELECT ${Array.from({ length: 300 }, (_, i) => `x${i}`).join(', ')}`), { query: `SELECT '${'x'.repeat(70000)}'`, check: (a) => (assert.equal(a.status, 413), assert.match(a.message, /70009 bytes, more than the 65536/)) },
		// another's rows
		refused('SELECT * FROM zeta.spans'), refused('SELECT * FROM "zeta"."main"."spans"'), harmless("SELECT * FROM spans WHERE tenant_id IS NULL OR 1 = 1".replace('tenant_id IS NULL OR ', ''), (a) => assert.ok(!a.text.includes('zeta-'))), refused("SELECT tenant FROM spans", /tenant/), refused('SELECT rowid, weir_none FROM spans'),
		// too much
		stopped("SELECT length(repeat('a', 2000000000))"), stopped("SELECT repeat('abc', 1000000000)"), stopped("SELECT length(lpad('', 2000000000, 'x'))"), stopped("SELECT length(rpad('', 2000000000, 'x'))"), stopped('SELECT list(range) FROM range(1000000000)'), stopped('SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b'), stopped("SELECT len(list_resize([1], 2000000000))"), stopped("SELECT string_agg(repeat('x', 1000), '') FROM range(10000000)"),
		stopped('WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r'), stopped("WITH RECURSIVE r AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r"), stopped("SELECT regexp_replace(repeat('a', 5000000), '(a+)+$', repeat('b', 1000), 'g')", [200, 400, 413, 504]), stopped("SELECT factorial(100000)", [200, 400, 413, 504]),
		stopped("SELECT count(*) FROM spans a, spans b, spans c, spans d"), stopped("SELECT format('{:>2000000000}', 'x')"), stopped("SELECT printf('%2000000000d', 1)"), stopped("SELECT bar(1, 0, 2, 2000000000)"), stopped("SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))", [200, 413, 504]), stopped('SELECT * FROM generate_series(1, 100000000000) ORDER BY 1 DESC'), stopped("SELECT count(DISTINCT hash(a.range, b.range)) FROM range(100000) a, range(100000) b"),
		// strange, and right
		harmless("SELECT 'DROP TABLE spans; --' AS x", (a) => assert.deepEqual(a.body.rows, [{ x: 'DROP TABLE spans; --' }])), harmless("SELECT 1 -- ; DROP VIEW spans"), harmless('SELECT 1;'), harmless('VALUES (1), (2)'), harmless('SELECT current_user, session_user, current_schema, current_catalog', (a) => assert.deepEqual(Object.values(a.body.rows[0]), ['duckdb', 'duckdb', 'main', 'memory'])), harmless("FROM spans SELECT count(*)"), harmless('TABLE spans'), harmless('SUMMARIZE spans'), harmless('DESCRIBE SELECT 1'), harmless('SELECT error(NULL)'), harmless('WITH spans AS (SELECT 1 AS a) SELECT * FROM spans', (a) => assert.deepEqual(a.body.rows, [{ a: 1 }])),
		harmless('WITH x AS MATERIALIZED (SELECT count(*) AS n FROM spans) SELECT n FROM x', (a) => assert.equal(a.body.rows[0].n, sent.acme.spans.length)), harmless('SELECT "spans".service FROM spans LIMIT 1'), refused("SELECT error('x')", /x/), harmless('SELECT * FROM spans TABLESAMPLE 1 ROWS'), harmless("SELECT ARRAY[1,2], [x * 2 FOR x IN [1,2]] AS y"), harmless("SELECT * EXCLUDE (attributes) FROM spans LIMIT 1"), harmless("SELECT COLUMNS('.*_id') FROM spans LIMIT 1"), harmless("SELECT '$1', $$ ; $$ AS x"),
	];
}

describe('what is hostile', () => {
	it('R33: is refused with an error that says so, stopped or harmless', { timeout: 10 * 60000 }, async () => {
		const dir = mkdtempSync(join(tmpdir(), 'weir-sql-'));
		const hasty = await Weir.start({ args: ['--sql-memory', '128m', '--sql-timeout-ms', '700'] });
		await send('traces', 'acme', toTraces(sent.acme.spans), hasty);
		writeFileSync(join(dir, 'secret.csv'), 'a\nsecret of the file system\n');
		try {
			for (const { query, check, brief } of hostile(dir)) {
				const answer = await sql(query, brief ? { server: hasty } : {});
				check(answer);
				assert.ok(!answer.text.includes('secret of the file system'), query);
				assert.ok(answer.status < 500 || answer.status === 504, `${query}: ${answer.text}`);
			}
			assert.deepEqual(readdirSync(dir), ['secret.csv']);
			assert.ok(weir.alive());
			assert.equal((await weir.get('/readyz')).status, 200);
			// Nothing of that is left, and answers are as before.
			assert.equal((await rows('SELECT count(*) AS n FROM spans'))[0].n, sent.acme.spans.length);
			assert.equal((await rows('SELECT count(*) AS n FROM spans', { tenant: 'zeta' }))[0].n, sent.zeta.spans.length);
			assert.equal((await weir.get('/api/v1/traces?limit=5', { headers: { 'x-scope-orgid': 'acme' } })).body.spans.length, 5);
		} finally {
			rmSync(dir, { recursive: true, force: true });
			await hasty.stop();
		}
	});

	it('runs in a process that has no files, no network, no keys', async () => {
		await sql('SELECT 1');
		const [pid] = workers();
		const status = readFileSync(`/proc/${pid}/status`, 'utf8');
		assert.match(status, /NoNewPrivs:\s+1/);
		assert.match(status, /Seccomp:\s+2/);
		assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size\s+0\s+0/);
		const open = readdirSync(`/proc/${pid}/fd`).length;
		assert.ok(open <= 6, `${open} descriptors`);
		assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /WEIR|HOME|PATH=\//);
		assert.doesNotMatch(readFileSync(`/proc/${pid}/maps`, 'utf8'), /weir\.duckdb/);
	});
});

// ---- what runs away

const runaway = 'SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b';

describe('what runs away', () => {
	it('is stopped when its time is up, while ingest and questions go on', async () => {
		const server = await Weir.start({ args: ['--sql-timeout-ms', '3000'] });
		await send('traces', 'acme', toTraces(sent.acme.spans), server);
		const waiting = Promise.all([sql(runaway, { server }), sql(runaway, { tenant: 'zeta', server })]);
		let acked = 0, asked = 0, over = false;
		waiting.then(() => (over = true));
		const start = Date.now();
		while (!over) {
			await send('traces', 'busy', toTraces(makeSpans('busy', 20)), server);
			acked += 20;
			const { status } = await server.get('/api/v1/traces?limit=1', { headers: { 'x-scope-orgid': 'acme' } });
			assert.equal(status, 200);
			asked++;
		}
		const took = Date.now() - start;
		for (const a of await waiting) {
			assert.equal(a.status, 504, a.text);
			assert.match(a.message, /took longer than it may/);
		}
		assert.ok(took >= 2900, `${took} ms`);
		assert.ok(acked > 0 && asked > 0);
		await until(async () => (await rows('SELECT count(*) AS n FROM spans', { tenant: 'busy', server }))[0].n === acked, 'all that was acknowledged meanwhile');
		await server.stop();
	});

	it('is stopped when it takes too much memory, and says so', async () => {
		const answer = await sql("SELECT list(repeat('x', 1000) || range) FROM range(10000000)");
		assert.equal(answer.status, 413, answer.text);
		assert.match(answer.message, /memory/);
		assert.equal((await rows('SELECT 1 AS a'))[0].a, 1);
	});

	it('is stopped when nobody waits for it any more, and leaves nothing', async () => {
		const patient = await Weir.start({ args: ['--sql-timeout-ms', '600000', '--sql-queries', '1'] });
		try {
			const leave = new AbortController();
			const gone = sql(runaway, { server: patient, signal: leave.signal }).catch((e) => e);
			await until(() => workers(patient).length === 1, 'a worker');
			const [pid] = workers(patient);
			await sleep(300);
			leave.abort();
			assert.equal((await gone).name, 'AbortError');
			await until(() => !workers(patient).includes(pid), 'its end');
			// And its place is free.
			assert.equal((await rows('SELECT 1 AS a', { server: patient }))[0].a, 1);
			assert.ok(!existsSync(join(patient.dataDir, 'tmp-sql')) || readdirSync(join(patient.dataDir, 'tmp-sql')).length <= 1);
		} finally {
			await patient.stop();
		}
	});

	it('dies with the server', async () => {
		const other = await Weir.start({ args: ['--sql-timeout-ms', '600000'] });
		const lost = sql(runaway, { server: other }).catch((e) => e);
		await until(() => workers(other).length === 1, 'a worker');
		const [pid] = workers(other);
		await other.kill();
		await lost;
		await until(() => !existsSync(`/proc/${pid}`), 'its end');
		rmSync(other.dataDir, { recursive: true, force: true });
	});

	it('does not keep a stop waiting', async () => {
		// Longer than work in progress may take of a stop, and far less than it would run.
		const other = await Weir.start({ args: ['--sql-timeout-ms', '600000', '--drain-ms', '1000'] });
		const lost = sql(runaway, { server: other }).catch((e) => e);
		await until(() => workers(other).length === 1, 'a worker');
		await other.stop();
		const answer = await lost;
		assert.ok(answer instanceof Error || answer.status === 503, answer.text);
	});

	it('leaves others their turn: more than may run wait, and all are answered', async () => {
		const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => sql(`SELECT ${i} AS i, count(*) AS n FROM spans`)));
		for (const [i, a] of answers.entries()) assert.deepEqual(a.body?.rows, [{ i, n: sent.acme.spans.length }], a.text);
	});
});

// ---- while rows come in

it('sees every row once while it moves from memory to the file', async () => {
	let stop = false, count = 0;
	const ingest = (async () => {
		while (!stop) {
			await send('traces', 'moving', toTraces(makeSpans('moving', 50)));
			count += 50;
		}
	})();
	let before = 0;
	const start = Date.now();
	while (Date.now() - start < 4000) {
		const [row] = await rows('SELECT count(*) AS n, count(DISTINCT span_id) AS ids, count(DISTINCT trace_id) AS traces FROM spans', { tenant: 'moving' });
		assert.equal(row.n, row.ids);
		assert.equal(row.n % 50, 0, 'whole requests');
		assert.ok(row.n >= before, `${row.n} after ${before}`);
		before = row.n;
	}
	stop = true;
	await ingest;
	await until(async () => (await rows('SELECT count(*) AS n FROM spans', { tenant: 'moving' }))[0].n === count, 'all of them');
});

// ---- keys, and the command

it('needs the right to read', async () => {
	const keyed = await Weir.start();
	const make = async (...args) => JSON.parse((await run(['keys', 'create', '--data-dir', keyed.dataDir, '-o', 'json', ...args])).stdout).key;
	try {
		const admin = await make('--tenant', '*', '--right', 'admin', '--right', 'read', '--right', 'ingest');
		const writer = await make('--tenant', 'acme', '--right', 'ingest');
		const reader = await make('--tenant', 'acme', '--right', 'read');
		// Until the first one is in force, a weir on loopback asks for none.
		await until(async () => (await sql('SELECT 1', { server: keyed })).status === 401, 'a key is asked for');
		for (const key of [admin, writer, reader])
			await until(async () => (await sql('SELECT 1', { server: keyed, headers: { authorization: `Bearer ${key}` } })).status !== 401, 'keys in force');
		assert.equal((await sql('SELECT 1', { server: keyed, headers: { authorization: `Bearer ${writer}` } })).status, 403);
		assert.equal((await sql('SELECT 1', { server: keyed, headers: { authorization: `Bearer ${reader}` } })).status, 200);
		assert.equal((await sql('SELECT 1', { server: keyed, tenant: 'zeta', headers: { authorization: `Bearer ${reader}` } })).status, 403);
		assert.equal((await sql('SELECT 1', { server: keyed, tenant: 'zeta', headers: { authorization: `Bearer ${admin}` } })).status, 200);
		const other = await sql('SELECT 1', { server: keyed, headers: { authorization: `Bearer ${reader}`, origin: 'https://evil.example' } });
		assert.equal(other.status, 403);
	} finally {
		await keyed.stop();
	}
});

describe('weir sql', () => {
	const weirSql = (args, options) => run(['sql', '--url', weir.api, '--tenant', 'acme', ...args], options);

	it('asks once, in every format', async () => {
		const query = 'SELECT service, count(*) AS n FROM spans GROUP BY service ORDER BY service';
		const want = by(sent.acme.spans, (s) => s.service, (l) => ({ n: l.length }));
		const json = await weirSql([query]);
		assert.equal(json.code, 0, json.stderr);
		assert.deepEqual(JSON.parse(json.stdout).rows, want.map(({ k, n }) => ({ service: k, n })));
		assert.equal((await weirSql([query, '-o', 'csv'])).stdout, `service,n\r\n${want.map(({ k, n }) => `${k},${n}\r\n`).join('')}`);
		assert.equal((await weirSql([query, '-o', 'ndjson'])).stdout, want.map(({ k, n }) => `{"service":"${k}","n":${n}}\n`).join(''));
		assert.match((await weirSql([query, '-o', 'table'])).stdout, /^service +n\nacme-0 +\d+\nacme-1 +\d+\nacme-2 +\d+\n3 rows\n$/);
		assert.match((await weirSql([query, '-o', 'parquet'])).stdout, /^PAR1/);
		const cut = await weirSql([query, '-n', '1', '-o', 'ndjson']);
		assert.match(cut.stderr, /there are more/);
		assert.equal(cut.stdout.split('\n').length, 2);
	});

	it('runs the statements of a file and of standard input', async () => {
		const dir = mkdtempSync(join(tmpdir(), 'weir-sql-'));
		const text = "SELECT 1 AS a; -- one; or two\nSELECT ';' AS b;\n\n/* ; */ SELECT $$;$$ AS c";
		writeFileSync(join(dir, 'x.sql'), text);
		const want = '{"a":1}\n{"b":";"}\n{"c":";"}\n';
		assert.equal((await weirSql(['-f', join(dir, 'x.sql'), '-o', 'ndjson'])).stdout, want);
		assert.equal((await weirSql(['-o', 'ndjson'], { input: text })).stdout, want);
		assert.equal((await weirSql(['-f', '-', '-o', 'ndjson'], { input: text })).stdout, want);
		const long = `SELECT '${'x'.repeat(50000)}' AS x`; // more than a header may have
		assert.equal(JSON.parse((await weirSql([], { input: long })).stdout).rows[0].x.length, 50000);
		assert.equal((await weirSql(['-f', join(dir, 'none.sql')])).code, 1);
		assert.equal((await weirSql([], { input: ' -- nothing\n' })).code, 2);
		rmSync(dir, { recursive: true });
	});

	it('says what is wrong', async () => {
		const wrong = await weirSql(['SELECT nonsense FROM spans']);
		assert.equal(wrong.code, 2);
		assert.match(wrong.stderr, /nonsense.*line 1, column 8/);
		assert.equal((await weirSql(['SELECT 1', '-f', 'x'])).code, 2);
		assert.match((await weirSql(['SELECT 1', '-o', 'xml'])).stderr, /table, json, ndjson, csv or parquet/);
		assert.match((await weirSql(['--schema', '-o', 'table'])).stdout, /^spans +one row a span$/m);
		assert.match((await weirSql(['--schema', 'logs', '-o', 'table'])).stdout, /^body +VARCHAR/m);
	});
});
