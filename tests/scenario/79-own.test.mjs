// SPDX-License-Identifier: Apache-2.0
//
// Spans of weir's own work, sent into itself and into another one; and it does not feed itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Weir, run, sleep } from './lib/weir.mjs';

const own = { headers: { 'x-scope-orgid': 'weir' } };
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

async function ask(weir) {
	assert.equal((await weir.get('/api/v1/services')).status, 200);
	assert.equal((await weir.get('/api/v1/traces?limit=0')).status, 400);
	assert.equal((await weir.get('/api/v1/logs', { headers: { traceparent } })).status, 200);
}

async function check(weir) {
	const { spans } = await weir.until('/api/v1/traces?service=weir&operation=/api/v1/logs', (b) => b.spans.some((s) => s.trace_id === traceparent.slice(3, 35)), own);
	const span = spans.find((s) => s.trace_id === traceparent.slice(3, 35));
	assert.equal(span.operation, 'GET /api/v1/logs');
	assert.equal(span.parent_span_id, traceparent.slice(36, 52));
	assert.equal(span.kind, 'server');
	assert.equal(span.attributes['http.route'], '/api/v1/logs');
	assert.equal(span.attributes['http.response.status_code'], 200);
	assert.equal(span.attributes['weir.tenant'], 'default');
	const all = (await weir.get('/api/v1/traces?service=weir&limit=1000', own)).body.spans;
	assert.ok(all.some((s) => s.attributes['http.response.status_code'] === 400 && s.status !== 'error'));
	// Nobody else's.
	assert.deepEqual((await weir.get('/api/v1/services')).body.services, []);
}

test('into itself, as the telemetry of a tenant of its own, and no more of it when nobody asks', async (t) => {
	const weir = await Weir.start({ args: ['--trace-to', 'self'] });
	t.after(() => weir.stop());
	await ask(weir);
	await check(weir);
	// /metrics makes no span: so it can be seen that sending makes none either.
	await sleep(1500);
	const sent = await weir.metric('weir_own_spans_total{outcome="sent"}');
	assert.ok(sent >= 5);
	await sleep(3500);
	assert.equal(await weir.metric('weir_own_spans_total{outcome="sent"}'), sent);
	assert.equal(await weir.metric('weir_own_spans_total{outcome="lost"}'), 0);
});

test('into another one; what does not arrive is counted and said once', async (t) => {
	const other = await Weir.start();
	t.after(() => other.kill());
	const weir = await Weir.start({ args: ['--trace-to', `http://${other.http}`, '--trace-tenant', 'weir'] });
	t.after(() => weir.stop());
	await ask(weir);
	await check(other);
	await other.stop();
	await ask(weir);
	await sleep(1500);
	await ask(weir);
	const deadline = Date.now() + 20000;
	while (!(await weir.metric('weir_own_spans_total{outcome="lost"}') >= 6)) {
		assert.ok(Date.now() < deadline);
		await sleep(50);
	}
	assert.equal(weir.log.match(/weir's own spans cannot be sent, and are lost/g).length, 1);
});

test('a place that is none is a usage error or says why weir does not start', async () => {
	const args = ['serve', '--data-dir', '/nonexistent-parent/x', '--trace-tenant', 'a b'];
	const { code, stderr } = await run(args);
	assert.equal(code, 2);
	assert.match(stderr, /--trace-tenant: "a b" is no name of a tenant/);
});
