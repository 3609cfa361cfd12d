// SPDX-License-Identifier: Apache-2.0
//
// Numbered promises of other stores that one node has to keep as well, as far as no scenario before this one has them: what
// is asked of it by many at once, wherever its rows are, and when it cannot write.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Weir, patience, run, sleep } from './lib/weir.mjs';

const S = 1000000000n;
const now = BigInt(Date.now()) * 1000000n;
const hex = (n, digits) => n.toString(16).padStart(digits, '0');
let made = 0;

function span(trace, { service = 'api', start = now - 60n * S, ms = 10, error = false, name = 'op' } = {}) {
	return { service, traceId: hex(trace, 32), spanId: hex(++made, 16), name, kind: 2, startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(ms) * 1000000n),
		status: error ? { code: 2 } : {} };
}

// In the order they are in, a resource each time the service changes.
function payload(spans) {
	const resourceSpans = [];
	for (const { service, ...s } of spans) {
		if (resourceSpans.at(-1)?.of !== service)
			resourceSpans.push({ of: service, resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] }, scopeSpans: [{ spans: [] }] });
		resourceSpans.at(-1).scopeSpans[0].spans.push(s);
	}
	return JSON.stringify({ resourceSpans: resourceSpans.map(({ of: _, ...r }) => r) });
}

const post = (weir, tenant, spans) => fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: payload(spans) });
async function send(weir, tenant, spans) {
	const res = await post(weir, tenant, spans);
	assert.equal(res.status, 200, await res.text());
}
const of = (tenant) => ({ headers: { 'x-scope-orgid': tenant } });
const counted = (weir, tenant, n) => weir.until('/api/v1/services', (b) => b.services?.reduce((sum, s) => sum + s.span_count, 0) === n, of(tenant));

const inMemory = (weir) => weir.metric('weir_hot_rows{signal="traces"}');

describe('one node', () => {
	const rows = 64; // that go to the file at once; more than these tests leave in memory
	let weir;
	// Fill this day up, with spans of somebody else, and wait until the file has them all: so many are left.
	const seal = async (start, others, left) => {
		await send(weir, 'filler', Array.from({ length: rows - others }, () => span(made + 1, { start })));
		for (const deadline = Date.now() + patience; (await inMemory(weir)) !== left || (await weir.metric('weir_lag_bytes')) > 0; await sleep(20)) assert.ok(Date.now() < deadline, weir.log);
	};
	before(async () => (weir = await Weir.start({ args: ['--seal-rows', String(rows)] })));
	after(() => weir.stop());

	it('R20 R21: services are summed over the file and the memory, rates and averages by their spans', async () => {
		const start = now - 60n * S;
		// 10 spans of 4 traces, 20 ms, a tenth of them errors, in the file; 30 of 6, 40 ms, half of them, in memory
		await send(weir, 'sums', Array.from({ length: 10 }, (_, i) => span(1 + i % 4, { start, ms: 20, error: i < 1 })));
		await seal(start, 10, 0);
		await send(weir, 'sums', Array.from({ length: 30 }, (_, i) => span(5 + i % 6, { start, ms: 40, error: i < 15 })));
		// and 3 of another, one of them an error, that took 10 ms each
		await send(weir, 'sums', [1, 2, 3].map((i) => span(20 + i, { start, service: 'web', error: i === 2 })));
		const { services } = await counted(weir, 'sums', 43);
		assert.equal(await inMemory(weir), 33);
		const exact = services.map((s) => [s.name, s.span_count, s.trace_count]);
		assert.deepEqual(exact, [['api', 40, 10], ['web', 3, 3]]);
		for (const [i, average, rate] of [[0, 35, 0.4], [1, 10, 1 / 3]]) {
			assert.ok(Math.abs(services[i].avg_duration_ms - average) < 1e-9, `${services[i].avg_duration_ms}`);
			assert.ok(Math.abs(services[i].error_rate - rate) < 1e-9, `${services[i].error_rate}`);
		}
	});

	it('R5: spans of several traces in one request are each in their own, once', async () => {
		const ids = [101, 102, 101, 102].map((trace, i) => span(trace, { start: now - 50n * S + BigInt(i) }));
		await send(weir, 'mixed', ids);
		await counted(weir, 'mixed', 4);
		for (const trace of [101, 102]) {
			const { body } = await weir.get(`/api/v1/traces/${hex(trace, 32)}`, of('mixed'));
			assert.deepEqual(body.spans.map((s) => s.span_id), ids.filter((s) => s.traceId === hex(trace, 32)).map((s) => s.spanId));
		}
		assert.equal((await weir.get('/api/v1/traces', of('mixed'))).body.count, 4);
	});

	it('R16 R17: a trace is whole, once and oldest first, wherever its spans are and however often they came', async () => {
		const days = [2n, 1n].map((n) => now - n * 24n * 3600n * S);
		const spans = [...days.map((start) => span(200, { start })), span(200, { start: days[1] - S, service: 'web' }), span(200, { start: now - 40n * S })];
		const [first, second, between, last] = spans;
		const before = await inMemory(weir);
		await send(weir, 'spread', [first]);
		await seal(days[0], 1, before);
		await send(weir, 'spread', [last, second, between]); // in memory
		await send(weir, 'spread', [second, first, last]);
		await counted(weir, 'spread', 4);
		assert.equal(await inMemory(weir), before + 3);
		const { status, body } = await weir.get(`/api/v1/traces/${first.traceId}`, of('spread'));
		assert.equal(status, 200);
		assert.deepEqual(body.spans.map((s) => s.span_id), [first, between, second, last].map((s) => s.spanId));
		assert.deepEqual([body.span_count, body.services], [4, ['api', 'web']]);
	});

	it('R28: a question that finds nothing is answered, with nothing', async () => {
		for (const [path, member] of [['traces', 'spans'], ['logs', 'logs'], ['metrics', 'metrics'], ['search', 'traces'], ['services', 'services'], ['comments', 'comments']]) {
			const { status, body } = await weir.get(`/api/v1/${path}`, of('nobody'));
			assert.deepEqual([status, body[member], body.count], [200, [], 0], path);
		}
		const summary = await weir.get('/api/v1/summary', of('nobody'));
		assert.deepEqual([summary.status, summary.body.traces.span_count, summary.body.traces.error_rate, summary.body.top_services], [200, 0, 0, []]);
		const anomalies = await weir.get('/api/v1/anomalies', of('nobody'));
		assert.deepEqual([anomalies.status, anomalies.body.anomalies], [200, []]);
		assert.equal((await run(['traces', '--url', weir.api, '--tenant', 'nobody'])).code, 0);
	});
});

describe('many at once', () => {
	it('R4: 8 that send and 8 that ask get along: answers are of whole requests, each span once', async () => {
		const weir = await Weir.start({ args: ['--seal-rows', '500'] });
		try {
			const each = 20, requests = 40, senders = 8;
			let sending = senders;
			const sender = async (n) => {
				for (let i = 0; i < requests; i++)
					await send(weir, 'many', Array.from({ length: each }, () => span(1000 + n * requests + i, { service: `s${n}`, start: now - BigInt(made) })));
				sending--;
			};
			const questions = [
				async (seen) => {
					const { services } = (await weir.get('/api/v1/services', of('many'))).body;
					for (const s of services) {
						assert.ok(s.span_count % each === 0 && s.span_count === s.trace_count * each && s.span_count >= (seen[s.name] ?? 0), JSON.stringify([s, seen]));
						seen[s.name] = s.span_count;
					}
				},
				async () => {
					const { status, body, text } = await weir.get('/api/v1/search?limit=50', of('many'));
					assert.equal(status, 200, text);
					for (const t of body.traces) assert.equal(t.span_count, each);
				},
				async (seen) => {
					const { traces: t } = (await weir.get('/api/v1/summary?last=1h', of('many'))).body;
					assert.ok(t.span_count === t.trace_count * each && t.span_count >= (seen.all ?? 0), JSON.stringify(t));
					seen.all = t.span_count;
				},
				async () => {
					const { status, body, text } = await weir.get('/api/v1/traces?limit=1000&service=s0', of('many'));
					assert.equal(status, 200, text);
					assert.equal(new Set(body.spans.map((s) => s.span_id)).size, body.spans.length);
					assert.equal(body.spans.length % each, 0);
				},
			];
			let asked = 0;
			const asker = async (n) => {
				const seen = {};
				do {
					await questions[n % questions.length](seen);
					asked++;
				} while (sending > 0);
			};
			await Promise.all([...Array.from({ length: senders }, (_, n) => sender(n)), ...Array.from({ length: 8 }, (_, n) => asker(n))]);
			const { services } = await counted(weir, 'many', senders * requests * each);
			assert.deepEqual(services.map((s) => [s.name, s.span_count]), Array.from({ length: senders }, (_, n) => [`s${n}`, requests * each]));
			assert.ok(asked >= 8);
		} finally {
			await weir.stop();
		}
	});
});

describe('a disk that takes no more', () => {
	let weir;
	// More room than any disk has must stay free.
	before(async () => (weir = await Weir.start({ args: ['--min-free-bytes', '1024g'] })));
	after(() => weir.stop());

	it('R10: what cannot be written is refused, with when to come back, and is not there', async () => {
		const res = await post(weir, 'full', [span(300)]);
		assert.equal(res.status, 429);
		assert.ok(Number(res.headers.get('retry-after')) >= 1);
		assert.match((await res.json()).message, /free|room|space/);
		assert.equal((await weir.get('/api/v1/traces', of('full'))).body.count, 0);
	});

	it('R29: a comment that cannot be written is an error', async () => {
		const res = await fetch(`http://${weir.api}/api/v1/traces/${hex(300, 32)}/comments`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ body: 'x' }) });
		assert.equal(res.status, 429);
		const r = await run(['comment', 'add', hex(300, 32), 'x', '--url', weir.api]);
		assert.equal(r.code, 1);
		assert.match(r.stderr, /free|room|space/);
		assert.equal((await weir.get('/api/v1/comments')).body.count, 0);
	});

	it('R30: it is alive and says that it is not ready, and which part of it', async () => {
		assert.equal((await weir.get('/healthz')).status, 200);
		const { status, body } = await weir.get('/readyz');
		assert.equal(status, 503);
		assert.equal(body.ready, false);
		assert.deepEqual(body.checks.filter((c) => !c.ok).map((c) => c.name), ['disk']);
	});
});
