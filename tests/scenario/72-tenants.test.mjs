// SPDX-License-Identifier: Apache-2.0
//
// One tenant that sends far more than it may, and another one beside it, with the SDK's exporters and by hand.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Weir, patience, run, sdk, sleep } from './lib/weir.mjs';

const grpc = sdk('@grpc/grpc-js');
let weir;

before(async () => {
	weir = await Weir.start({ args: ['--tenant-items-per-s', '200', '--tenant-limits', 'free:items=0,bytes=0'] });
});
after(() => weir.stop());

let id = 0;
const traces = (n) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: Array.from({ length: n }, () => ({
	traceId: (++id).toString(16).padStart(32, '0'), spanId: id.toString(16).padStart(16, '0'), name: 'x',
	startTimeUnixNano: String(BigInt(Date.now()) * 1000000n), endTimeUnixNano: String(BigInt(Date.now()) * 1000000n) })) }] }] });

async function post(tenant, n) {
	const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST',
		headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: traces(n) });
	return { status: res.status, retry: res.headers.get('retry-after'), text: await res.text() };
}
const count = (tenant) => weir.get('/api/v1/services', { headers: { 'x-scope-orgid': tenant } }).then((r) => r.body.services.reduce((n, s) => n + s.span_count, 0));

test('who sends too much is told to come back, and others go on', async () => {
	let sent = 0;
	let refused = 0;
	const start = Date.now();
	while (Date.now() - start < 3000) {
		// Together more than a second's worth, so that one is refused however slow this machine is.
		for (const { status, retry, text } of await Promise.all([1, 2, 3, 4, 5].map(() => post('greedy', 50)))) {
			if (status === 200) sent += 50;
			else {
				assert.equal(status, 429);
				assert.match(text, /200 items a second \(--tenant-items-per-s\)/);
				assert.equal(Number(retry), Math.ceil(Number(/try again in (\d+) ms/.exec(text)[1]) / 1000));
				refused++;
			}
		}
		assert.equal((await post('modest', 1)).status, 200);
		assert.equal((await post('free', 400)).status, 200);
	}
	const seconds = (Date.now() - start) / 1000;
	assert.ok(refused > 0, 'nothing was refused');
	// A second's worth at once, then the rate, and the request that went over it.
	assert.ok(sent <= 200 * (seconds + 1) + 50, `${sent} in ${seconds} s`);
	const deadline = Date.now() + patience;
	while (await count('greedy') !== sent) {
		assert.ok(Date.now() < deadline, `${await count('greedy')} of ${sent}`);
		await sleep(20);
	}
	assert.equal(await weir.metric('weir_tenant_refused_total{tenant="greedy",limit="items"}'), refused);
	assert.equal(await weir.metric('weir_tenant_refused_total{tenant="modest",limit="items"}'), undefined);
});

// An empty request by gRPC: what became of it.
async function call(tenant) {
	const client = new grpc.Client(weir.grpc, grpc.credentials.createInsecure());
	const metadata = new grpc.Metadata();
	metadata.set('x-scope-orgid', tenant);
	const error = await new Promise((done) => client.makeUnaryRequest('/opentelemetry.proto.collector.trace.v1.TraceService/Export',
		(b) => b, (b) => b, Buffer.alloc(0), metadata, { deadline: Date.now() + patience }, (e) => done(e)));
	client.close();
	return { error, retryMs: error && retryDelayMs(error.metadata.get('grpc-status-details-bin')[0]) };
}

// google.rpc.Status.details[0].value: RetryInfo { retry_delay: Duration { 1: seconds, 2: nanos } }
function retryDelayMs(status) {
	const fields = (bytes) => {
		const out = {};
		for (let at = 0; at < bytes.length;) {
			const number = () => { let n = 0, s = 0; for (;;) { const b = bytes[at++]; n += (b & 127) * 2 ** s; s += 7; if (b < 128) return n; } };
			const tag = number();
			const value = number();
			out[tag >> 3] = tag & 2 ? bytes.subarray(at, at += value) : value;
		}
		return out;
	};
	const any = fields(fields(status)[3]);
	assert.equal(any[1].toString(), 'type.googleapis.com/google.rpc.RetryInfo');
	const delay = fields(fields(any[2])[1]);
	return (delay[1] ?? 0) * 1000 + (delay[2] ?? 0) / 1e6;
}

test('the wait that is said is the true one, in both protocols, and who has waited is let in', async () => {
	const sent = performance.now();
	assert.equal((await post('late', 1000)).status, 200); // 5 s' worth, of which the bucket holds 1
	const overHttp = await post('late', 1);
	const { error, retryMs } = await call('late');
	const asked = performance.now();
	assert.equal(overHttp.status, 429);
	assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
	assert.equal(retryMs, Number(/try again in (\d+) ms/.exec(error.details)[1]));
	// It owed 4 s when it was taken; since then some of that has gone by.
	assert.ok(retryMs <= 4001 && retryMs >= 4000 - (asked - sent), `${retryMs} ms, ${asked - sent} ms later`);
	assert.ok(Number(overHttp.retry) * 1000 >= retryMs && Number(overHttp.retry) <= 5, overHttp.retry);
	await sleep(retryMs + 1); // timers of Node's may be a fraction early
	assert.equal((await call('late')).error, null);
	assert.equal((await post('late', 1)).status, 200);
});

test('over gRPC too, and before the body is received', async () => {
	assert.equal((await post('owing', 40000)).status, 200); // 200 seconds' worth
	const { error } = await call('owing');
	assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
	assert.match(error.details, /200 items a second/);
	const status = await new Promise((done, failed) => {
		const req = http.request(`http://${weir.http}/v1/traces`, { method: 'POST',
			headers: { 'content-type': 'application/json', 'x-scope-orgid': 'owing', 'content-length': 8 << 20, expect: '100-continue' } },
		(res) => { done(res.statusCode); req.destroy(); });
		req.on('continue', () => failed(new Error('it was asked to go on')));
		req.on('error', failed);
		req.flushHeaders();
	});
	assert.equal(status, 429);
});

test('a list of limits that is malformed is a usage error', async () => {
	const { code, stderr } = await run(['serve', '--tenant-limits', 'acme:spans=5']);
	assert.equal(code, 2);
	assert.match(stderr, /--tenant-limits: "acme:spans=5" is not like acme:bytes=10m,items=5000/);
});
