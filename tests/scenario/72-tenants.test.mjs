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
		const { status, retry, text } = await post('greedy', 50);
		if (status === 200) sent += 50;
		else {
			assert.equal(status, 429);
			assert.ok(Number(retry) >= 1);
			assert.match(text, /200 items a second \(--tenant-items-per-s\)/);
			refused++;
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

test('over gRPC too, and before the body is received', async () => {
	assert.equal((await post('owing', 40000)).status, 200); // 200 seconds' worth
	const client = new grpc.Client(weir.grpc, grpc.credentials.createInsecure());
	const metadata = new grpc.Metadata();
	metadata.set('x-scope-orgid', 'owing');
	const error = await new Promise((done) => client.makeUnaryRequest('/opentelemetry.proto.collector.trace.v1.TraceService/Export',
		(b) => b, (b) => b, Buffer.alloc(0), metadata, { deadline: Date.now() + patience }, (e) => done(e)));
	client.close();
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
