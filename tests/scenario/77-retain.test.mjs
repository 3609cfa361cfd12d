// SPDX-License-Identifier: Apache-2.0
//
// How long telemetry is kept: rules for everybody and for one tenant, followed by a running weir, and said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sleep } from './lib/weir.mjs';

const day = 86400000000000n;
const now = BigInt(Date.now()) * 1000000n;
const nanos = (days) => String(now - BigInt(days) * day);
let id = 0;
const hex = (n) => (++id).toString(16).padStart(n, '0');

// One item of each signal for each of these ages.
const requests = (ages) => ({
	traces: { resourceSpans: [{ scopeSpans: [{ spans: ages.map((d) => ({ traceId: hex(32), spanId: hex(16), name: `${d}`,
		startTimeUnixNano: nanos(d), endTimeUnixNano: nanos(d) })) }] }] },
	logs: { resourceLogs: [{ scopeLogs: [{ logRecords: ages.map((d) => ({ timeUnixNano: nanos(d), body: { stringValue: `${d}` } })) }] }] },
	metrics: { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints: ages.map((d) => ({
		timeUnixNano: nanos(d), asInt: `${d}` })) } }] }] }] },
});

async function send(weir, tenant, ages) {
	for (const [signal, body] of Object.entries(requests(ages))) {
		const res = await fetch(`http://${weir.http}/v1/${signal}`, { method: 'POST', body: JSON.stringify(body),
			headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant } });
		assert.equal(res.status, 200, await res.text());
	}
}

async function ages(weir, tenant) {
	const ask = async (path) => (await weir.get(`${path}?last=1000d&limit=1000`, { headers: { 'x-scope-orgid': tenant } })).body;
	const sorted = (list) => list.map(Number).sort((a, b) => a - b);
	return {
		traces: sorted((await ask('/api/v1/traces')).spans.map((s) => s.operation)),
		logs: sorted((await ask('/api/v1/logs')).logs.map((l) => l.body)),
		metrics: sorted((await ask('/api/v1/metrics')).metrics.map((p) => p.value)),
	};
}

test('old telemetry goes, of each signal and tenant by its own rule, and nothing else', async (t) => {
	const dataDir = newDataDir();
	let weir = await Weir.start({ dataDir });
	t.after(() => weir.kill());
	const all = [0, 1, 5, 20, 40, 300];
	await send(weir, 'acme', all);
	await send(weir, 'zeta', all);
	const whole = { traces: all, logs: all, metrics: all };
	const deadline = Date.now() + patience;
	while (JSON.stringify(await ages(weir, 'zeta')) !== JSON.stringify(whole)) {
		assert.ok(Date.now() < deadline, JSON.stringify(await ages(weir, 'zeta')));
		await sleep(20);
	}
	await weir.stop();

	weir = await Weir.start({ dataDir, args: ['--retain', 'traces=3d, logs=30d', '--tenant-retain', 'zeta: traces=0, logs=10d'] });
	const wanted = { acme: { traces: [0, 1], logs: [0, 1, 5, 20], metrics: all }, zeta: { traces: all, logs: [0, 1, 5], metrics: all } };
	for (const tenant of ['acme', 'zeta'])
		for (let last; JSON.stringify(last = await ages(weir, tenant)) !== JSON.stringify(wanted[tenant]);) {
			assert.ok(Date.now() < deadline + patience, `${tenant}: ${JSON.stringify(last)}\n${weir.log}`);
			await sleep(50);
		}
	assert.equal(await weir.metric('weir_removed_rows_total{signal="traces"}'), 4);
	assert.equal(await weir.metric('weir_removed_rows_total{signal="logs"}'), 2 + 3);
	assert.equal(await weir.metric('weir_removed_rows_total{signal="metrics"}'), 0);
	assert.match(weir.log, /rows of spans_other removed .*they are too old/);
	await weir.stop();
	weir = await Weir.start({ dataDir });
	// What is in the log is loaded behind the listeners.
	for (const tenant of ['acme', 'zeta'])
		for (let last; JSON.stringify(last = await ages(weir, tenant)) !== JSON.stringify(wanted[tenant]);) {
			assert.ok(Date.now() < deadline + 2 * patience, `${tenant}: ${JSON.stringify(last)}`);
			await sleep(50);
		}
	await weir.stop();
	removeDataDir(dataDir);
});

test('whole days are dropped while spans come in, and nothing else is lost', async (t) => {
	const dataDir = newDataDir();
	const args = ['--seal-rows', '64', '--hot-log-bytes', '1m'];
	let weir = await Weir.start({ dataDir, args });
	t.after(() => weir.kill());
	const spans = (d, n) => ({ resourceSpans: [{ scopeSpans: [{ spans: Array.from({ length: n }, () => ({ traceId: hex(32), spanId: hex(16), name: `${d}`,
		startTimeUnixNano: String(now - BigInt(d) * day), endTimeUnixNano: String(now) })) }] }] });
	const post = async (body) => {
		const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
		assert.equal(res.status, 200, await res.text());
		return body.resourceSpans[0].scopeSpans[0].spans.map((s) => s.spanId);
	};
	const kept = new Set();
	for (let d = 0; d < 12; d++) for (const id of await post(spans(d, 128))) if (d <= 3) kept.add(id);
	const sealed = () => weir.metric('weir_seal_rows_total');
	for (const deadline = Date.now() + patience; await sealed() < 12 * 128; await sleep(50)) assert.ok(Date.now() < deadline, `${await sealed()}`);
	await weir.stop();
	weir = await Weir.start({ dataDir, args: [...args, '--retain', 'traces=3d'] });
	// Rows that were too few for a group of their day are in the catch-all.
	const removed = () => weir.metric('weir_removed_rows_total{signal="traces"}');
	for (const deadline = Date.now() + patience; await removed() < 8 * 128;) {
		for (const id of await post(spans(0, 20))) kept.add(id);
		assert.ok(Date.now() < deadline, weir.log);
	}
	assert.equal(await removed(), 8 * 128);
	// How many days had tables of their own is a matter of how fast their rows came.
	assert.ok(await weir.metric('weir_removed_days_total{signal="traces"}') >= 1, weir.log);
	assert.match(weir.log, /retain: spans_\d{8} dropped with \d+ rows in \S+: they are too old/);
	const seen = new Set();
	for (const deadline = Date.now() + patience; seen.size < kept.size;) {
		seen.clear();
		for (const s of await weir.all('/api/v1/traces?last=1000d&limit=10000', 'spans')) {
			assert.ok(!seen.has(s.span_id), 'once');
			seen.add(s.span_id);
		}
		assert.ok(Date.now() < deadline, `${seen.size} of ${kept.size}`);
	}
	assert.deepEqual([...seen].sort(), [...kept].sort());
	await weir.stop();
	removeDataDir(dataDir);
});

test('a rule that is malformed is a usage error that says what is right', async () => {
	for (const [args, text] of [[['--retain', 'traces=3'], /--retain: .*traces=3.* is not like traces=30d/],
		[['--retain', 'spans=3d'], /spans=3d/], [['--tenant-retain', 'acme'], /--tenant-retain: "acme" is not like acme:traces=7d/],
		[['--tenant-retain', 'a b: traces=3d'], /"a b" is no name of a tenant/]]) {
		const { code, stderr } = await run(['serve', ...args]);
		assert.equal(code, 2, stderr);
		assert.match(stderr, text);
	}
});
