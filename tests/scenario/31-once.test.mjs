// SPDX-License-Identifier: Apache-2.0
//
// Once is once, with the program as it is: the whole corpus sent three times, read again from the log after kill -9
// and brought back as dead letters leaves what sending it once does, item by item and count by count.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { letters, poison } from '../fault/log.mjs';
import { makeRequest, post, tenants as lettersTenants } from '../fault/telemetry.mjs';
import { Weir, newDataDir, removeDataDir, sleep } from './lib/weir.mjs';

const root = resolve(import.meta.dirname, '../..');
const tenants = ['default', 'other'];
const paths = ['traces', 'logs', 'metrics'];
const members = { traces: 'spans', logs: 'logs', metrics: 'metrics' };
// Seals of a few rows, so that some of it is in the file and some is not.
const args = ['--seal-rows', '64', '--segment-bytes', '64k'];

// Every request that is anywhere in the tree, to each of the three signals: some are refused, always alike.
function corpus() {
	const files = (dir, ending) => readdirSync(join(root, dir)).filter((f) => f.endsWith(ending)).sort()
		.map((f) => ({ body: readFileSync(join(root, dir, f)), type: ending === '.json' ? 'application/json' : 'application/x-protobuf' }));
	const bodies = [...files('tests/golden/otlp', '.pb'), ...files('tests/golden/otlp-json', '.json'),
		...files('tests/golden/otlp-json', '.pb'), ...files('fuzz/corpus/otlp', '')];
	const requests = bodies.flatMap(({ body, type }) => paths.map((path) => ({ path, body, type })));
	// Equal log lines in one request are two rows, however often it is sent.
	const line = { timeUnixNano: '1795187531000000042', body: { stringValue: 'the same line' } };
	const twice = { resourceLogs: [{ scopeLogs: [{ logRecords: [line, line] }] }] };
	// Spans that overlap from one request to the next: the first of an id wins.
	for (let i = 0; i < 20; i++) {
		const spans = Array.from({ length: 7 }, (_, k) => ({
			traceId: (i * 5 + k + 1).toString(16).padStart(32, '0'), spanId: '00000000000000aa', name: `request ${i}`,
			startTimeUnixNano: `179518753100000${1000 + i * 5 + k}`, endTimeUnixNano: `179518753100000${1000 + i * 5 + k}`,
		}));
		requests.push({ path: 'traces', type: 'application/json', body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }) });
	}
	requests.push({ path: 'logs', type: 'application/json', body: JSON.stringify(twice) });
	return requests;
}

async function send(weir, requests) {
	let accepted = 0;
	for (const tenant of tenants)
		for (const { path, body, type } of requests) {
			const res = await fetch(`http://${weir.http}/v1/${path}`, { method: 'POST', body, headers: { 'content-type': type, 'x-scope-orgid': tenant } });
			await res.arrayBuffer();
			accepted += res.status === 200;
			assert.ok(res.status === 200 || res.status === 400, `${path}: ${res.status}`);
		}
	return accepted;
}

async function settle(weir) {
	await weir.until('/readyz', (b) => b.ready);
	while ((await weir.metric('weir_lag_bytes')) !== 0) await sleep(10);
}

// What carries no time of its own has the time at which it came, which differs.
function timeless(item) {
	const { timestamp, event_time_unix_nano, ...rest } = item;
	return item.time_unix_nano === '0' && item.observed_time_unix_nano === '0' ? rest : item;
}

async function everything(weir) {
	const seen = {};
	for (const tenant of [...tenants, ...lettersTenants]) {
		const get = async (path) => (await weir.get(path, { headers: { 'x-scope-orgid': tenant } })).body;
		for (const path of paths) {
			const items = [];
			for (let cursor = ''; cursor !== undefined;) {
				const page = await get(`/api/v1/${path}?limit=500${cursor}`);
				items.push(...page[members[path]]);
				cursor = page.next_cursor === undefined ? undefined : `&cursor=${encodeURIComponent(page.next_cursor)}`;
			}
			seen[`${tenant} ${path}`] = items.map((i) => JSON.stringify(timeless(i))).sort();
		}
		seen[`${tenant} services`] = (await get('/api/v1/services?limit=1000')).services
			.map(({ name, span_count, trace_count, error_count, log_count, point_count }) => JSON.stringify({ name, span_count, trace_count, error_count, log_count, point_count })).sort();
	}
	return seen;
}

describe('the whole corpus three times is the corpus once', () => {
	const requests = corpus();
	const dataDir = newDataDir();
	let weir, once, accepted;
	before(async () => {
		const first = await Weir.start({ args });
		accepted = await send(first, requests);
		await settle(first);
		once = await everything(first);
		await first.stop();
		weir = await Weir.start({ dataDir, args });
	});
	after(async () => {
		await weir.kill();
		removeDataDir(dataDir);
	});

	it('there is something of every signal, the same for both tenants, equal lines twice', () => {
		for (const path of paths) {
			assert.ok(once[`default ${path}`].length > 20, `${path}: ${once[`default ${path}`].length}`);
			assert.equal(once[`other ${path}`].length, once[`default ${path}`].length);
		}
		assert.equal(once['default logs'].filter((l) => JSON.parse(l).body === 'the same line').length, 2);
		const overlapping = once['default traces'].map((s) => JSON.parse(s)).filter((s) => s.span_id === '00000000000000aa');
		assert.equal(overlapping.length, 19 * 5 + 7);
		for (const s of overlapping) {
			const k = Number.parseInt(s.trace_id, 16) - 1;
			assert.equal(s.operation, `request ${Math.max(0, Math.floor((k - 2) / 5))}`, 'the first one wins');
		}
	});

	it('sent twice, in the hot tail and in the file: nothing is added, and what was dropped is counted by tenant', async () => {
		assert.equal(await send(weir, requests), accepted);
		await settle(weir);
		assert.equal(await send(weir, requests), accepted);
		await settle(weir);
		assert.deepEqual(await everything(weir), once);
		const repeats = await Promise.all(tenants.map((t) => weir.metric(`weir_duplicates_total{tenant="${t}",kind="request"}`)));
		assert.ok(repeats[0] > 20);
		assert.equal(repeats[0], repeats[1]);
		assert.ok((await weir.metric('weir_duplicates_total{tenant="other",kind="span"}')) > 0);
	});

	it('kill -9 and read again from the log, and sent a third time: nothing is added', async () => {
		await weir.kill();
		weir = await Weir.start({ dataDir, args });
		await settle(weir);
		assert.deepEqual(await everything(weir), once);
		await send(weir, requests);
		await settle(weir);
		assert.deepEqual(await everything(weir), once);
	});

	it('through the dead letters, again and again: what is there already stays as it is', async () => {
		const ledger = Array.from({ length: 6 }, (_, i) => makeRequest('letters', i, Date.now()));
		for (const r of ledger) await post(weir.http, r);
		await settle(weir);
		await weir.kill();
		// In the log one of them becomes what nobody can decode; it has not left the log yet, so it is met again.
		const bad = poison(dataDir, ledger);
		weir = await Weir.start({ dataDir, args });
		await settle(weir);
		await weir.until('/api/v1/dlq', (b) => b.letters.length === 1);
		assert.equal(letters(dataDir, bad).length, 1);
		const visible = await everything(weir);
		for (let i = 0; i < 3; i++) {
			const retried = await weir.get('/api/v1/dlq/retry?state=waiting', { method: 'POST' });
			assert.ok([200, 429].includes(retried.status), `${retried.status} ${retried.text}`);
			await weir.until('/api/v1/dlq', (b) => b.letters.length === 1 && b.letters[0].state !== 'running');
			await settle(weir);
			assert.deepEqual(await everything(weir), visible);
		}
		// Whoever sends it again is told yes, for the letter has it.
		assert.equal((await post(weir.http, bad)).status, 200);
		await settle(weir);
		assert.deepEqual(await everything(weir), visible);
		for (const request of ledger.filter((r) => r !== bad)) await post(weir.http, request);
		await settle(weir);
		assert.deepEqual(await everything(weir), visible);
	});
});
