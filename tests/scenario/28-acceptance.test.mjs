// SPDX-License-Identifier: Apache-2.0
//
// The acceptance of a debugging day: six small stories of 24 spans, sent as OTLP, and what a person, a program and an agent
// ask about them. Every answer is known by hand. The server is killed in the middle: what was acknowledged is there, once.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Weir, newDataDir, removeDataDir, run } from './lib/weir.mjs';

const ms = 1000000n;
const t0 = (BigInt(Date.now()) - 120000n) * ms; // two minutes ago
let made = 0;
const hex = (n, digits) => n.toString(16).padStart(digits, '0');

// attributes of plain values
const attrs = (o) => Object.entries(o).map(([key, v]) => ({
	key,
	value: typeof v === 'string' ? { stringValue: v }
		: Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v },
}));

const stories = [];
// A span: story (its trace), service, name; ms from the story's start, ms it took.
function span(trace, service, name, { parent, at = 0, took, kind = 1, error, attributes = {}, events = [] }) {
	made++;
	const start = t0 + BigInt(trace) * 1000n * ms + BigInt(at) * ms;
	const s = {
		service,
		traceId: hex(0xacce97 * 1000 + trace, 32),
		spanId: hex(made, 16),
		parentSpanId: parent ?? '',
		name,
		kind,
		startTimeUnixNano: String(start),
		endTimeUnixNano: String(start + BigInt(took) * ms),
		attributes: attrs(attributes),
		events: events.map(({ at: when, ...e }) => ({ ...e, timeUnixNano: String(start + BigInt(when) * ms) })),
		status: error === undefined ? {} : { code: 2, message: error },
	};
	stories.push(s);
	return s.spanId;
}

// 1: all is well, 3 services
let root = span(1, 'api-gateway', 'GET /users/{id}', { took: 45, kind: 2, attributes: { 'http.route': '/users/{id}', 'http.response.status_code': 200 } });
span(1, 'auth-service', 'verify token', { parent: root, at: 2, took: 8 });
span(1, 'user-service', 'SELECT users', { parent: root, at: 12, took: 25, kind: 3, attributes: { 'db.system': 'postgresql' } });
// 2: a slow database
root = span(2, 'order-service', 'GET /orders', { took: 820, kind: 2 });
span(2, 'order-service', 'SELECT orders', {
	parent: root, at: 20, took: 780, kind: 3,
	attributes: { 'db.system': 'postgresql', 'db.query.text': 'SELECT * FROM orders' },
	events: [{ at: 500, name: 'slow_query_warning', attributes: attrs({ threshold_ms: 500 }) }],
});
// 3: a payment that fails
root = span(3, 'order-service', 'POST /checkout', { took: 130, kind: 2 });
const charge = span(3, 'payment-service', 'charge card', { parent: root, at: 10, took: 110, error: 'card declined' });
span(3, 'payment-service', 'POST gateway', {
	parent: charge, at: 15, took: 95, kind: 3, error: 'HTTP 402',
	events: [{ at: 90, name: 'exception', attributes: attrs({ 'exception.type': 'CardDeclined', 'exception.message': 'insufficient funds' }) }],
});
// 4: fan-out
root = span(4, 'api-gateway', 'GET /home', { took: 90, kind: 2 });
span(4, 'cart-service', 'load cart', { parent: root, at: 5, took: 30 });
span(4, 'user-service', 'load profile', { parent: root, at: 5, took: 40 });
span(4, 'notification-service', 'count unread', { parent: root, at: 6, took: 70 });
// 5 to 14: a burst
for (let i = 0; i < 10; i++) span(5 + i, 'cart-service', 'POST /cart/items', { took: 5 + i, kind: 2 });
// 15: a conversation with a model
const prompt = 'Explain how an OTLP exporter retries.';
const completion = 'It retries with exponential backoff when the answer is retryable.';
root = span(15, 'llm-proxy', 'POST /v1/chat', { took: 2100, kind: 2 });
span(15, 'llm-proxy', 'chat claude', {
	parent: root, at: 10, took: 2050, kind: 3,
	attributes: {
		'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic', 'gen_ai.request.model': 'claude',
		'gen_ai.usage.input_tokens': 1240, 'gen_ai.usage.output_tokens': 380, 'gen_ai.usage.cost': 0.0213,
		'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: prompt }] }]),
		'gen_ai.output.messages': JSON.stringify([{ role: 'assistant', parts: [{ type: 'text', content: completion }] }]),
	},
});

const traceOf = (n) => hex(0xacce97 * 1000 + n, 32);
const idOf = (name) => stories.find((s) => s.name === name).spanId;

function payload() {
	const services = [...new Set(stories.map((s) => s.service))];
	return JSON.stringify({
		resourceSpans: services.map((service) => ({
			resource: { attributes: attrs({ 'service.name': service, 'deployment.environment.name': 'acceptance' }) },
			scopeSpans: [{ scope: { name: 'acceptance' }, spans: stories.filter((s) => s.service === service).map(({ service: _, ...s }) => s) }],
		})),
	});
}

let weir;
let dir;
let env;
async function start() {
	weir = await Weir.start({ dataDir: dir });
	env = { WEIR_URL: `http://${weir.api}` };
}
async function cli(...args) {
	const r = await run(args, { env });
	assert.equal(r.code, 0, `weir ${args.join(' ')}: ${r.stderr}`);
	return JSON.parse(r.stdout);
}
before(async () => {
	dir = newDataDir();
	await start();
	const res = await fetch(`http://${weir.http}/v1/traces`, {
		method: 'POST', headers: { 'content-type': 'application/json' }, body: payload(),
	});
	assert.equal(res.status, 200, await res.text());
	await weir.kill();
	await start();
});
after(async () => {
	await weir?.stop();
	removeDataDir(dir);
});

const names = (spans) => spans.map((s) => s.operation).sort();

describe('the 24 spans, after kill -9', () => {
	it('all are there, once each, and sending them again adds none', async () => {
		for (let i = 0; i < 2; i++) {
			const spans = await weir.until('/api/v1/traces?limit=1000', (b) => b.count >= 24);
			assert.equal(spans.count, 24);
			assert.deepEqual(spans.spans.map((s) => s.span_id).sort(), stories.map((s) => s.spanId).sort());
			const res = await fetch(`http://${weir.http}/v1/traces`, {
				method: 'POST', headers: { 'content-type': 'application/json' }, body: payload(),
			});
			assert.equal(res.status, 200);
		}
	});

	it('R20 R22: services lists the eight, the most spans first', async () => {
		const { services } = await cli('services');
		const want = {};
		for (const s of stories) {
			want[s.service] ??= { spans: 0, errors: 0, traces: new Set() };
			want[s.service].spans++;
			want[s.service].traces.add(s.traceId);
			if (s.status.code === 2) want[s.service].errors++;
		}
		assert.equal(services.length, 8);
		for (const s of services) {
			assert.equal(s.span_count, want[s.name].spans, s.name);
			assert.equal(s.trace_count, want[s.name].traces.size, s.name);
			assert.equal(s.error_rate, want[s.name].errors / want[s.name].spans, s.name);
		}
		const counts = services.map((s) => s.span_count);
		assert.deepEqual(counts, counts.toSorted((a, b) => b - a));
	});

	it('errors are two, slow ones four', async () => {
		const errors = await cli('traces', '--status', 'error');
		assert.deepEqual(names(errors.spans), ['POST gateway', 'charge card']);
		const slow = await cli('traces', '--min-duration-ms', '500');
		assert.deepEqual(names(slow.spans), ['GET /orders', 'POST /v1/chat', 'SELECT orders', 'chat claude']);
		assert.deepEqual(names((await cli('traces', '--min-duration-ms', '500', '-s', 'llm-proxy')).spans), ['POST /v1/chat', 'chat claude']);
	});

	it('traces are found as traces, with what there is in each', async () => {
		const { traces } = await cli('search', '--errors');
		assert.equal(traces.length, 1);
		const [t] = traces;
		assert.equal(t.trace_id, traceOf(3));
		assert.equal(t.span_count, 3);
		assert.equal(t.error_count, 2);
		assert.equal(t.duration_ms, 130);
		assert.equal((await cli('search')).traces.length, 15);
	});

	it('words are found where they were said, others are not', async () => {
		assert.deepEqual(names((await cli('traces', '--text', 'OTLP exporter')).spans), ['chat claude']);
		assert.equal((await cli('traces', '--text', 'kubernetes')).count, 0);
		assert.deepEqual(names((await cli('traces', '--text', 'slow_query_warning')).spans), ['SELECT orders']);
		assert.equal((await cli('search', '--text', 'insufficient funds')).traces[0].trace_id, traceOf(3));
	});

	it('R17 R18: a trace comes as it was sent, oldest first; an unknown one is none', async () => {
		const { spans } = await cli('trace', traceOf(15));
		assert.deepEqual(spans.map((s) => s.operation), ['POST /v1/chat', 'chat claude']);
		const { attributes } = spans[1];
		assert.equal(attributes['gen_ai.usage.input_tokens'], 1240);
		assert.equal(attributes['gen_ai.usage.output_tokens'], 380);
		assert.equal(attributes['gen_ai.usage.cost'], 0.0213);
		assert.equal(JSON.parse(attributes['gen_ai.input.messages'])[0].parts[0].content, prompt);
		assert.equal((await run(['trace', 'f'.repeat(32)], { env })).code, 3);
	});

	it('R11: the newest come first, and a limit keeps the newest', async () => {
		const six = (await cli('traces', '-s', 'cart-service', '-n', '6')).spans;
		assert.deepEqual(six.map((s) => s.trace_id), [14, 13, 12, 11, 10, 9].map(traceOf));
	});

	it('R23: a summary adds up', async () => {
		const s = await cli('summary', '--last', '1h');
		assert.equal(s.traces.span_count, 24);
		assert.equal(s.traces.trace_count, 15);
		assert.equal(s.traces.error_count, 2);
		assert.ok(Math.abs(s.traces.error_rate - 2 / 24) < 1e-9);
		assert.equal(s.traces.max_ms, 2100);
		assert.ok(s.top_services.length <= 10);
		assert.deepEqual(s.top_error_operations.map((o) => o.operation).sort(), ['POST gateway', 'charge card']);
	});

	it('SQL counts the same', async () => {
		const r = await cli('sql', "SELECT service, count(*) AS n FROM spans WHERE status = 'error' GROUP BY service ORDER BY n DESC");
		assert.deepEqual(r.rows, [{ service: 'payment-service', n: 2 }]);
	});

	it('R32: a comment stays with its trace', async () => {
		await cli('comment', 'add', traceOf(3), 'the gateway said 402', '--author', 'ada', '--span', idOf('POST gateway'));
		await weir.kill();
		await start();
		const { comments } = await cli('comment', 'list', traceOf(3));
		assert.equal(comments.length, 1);
		assert.equal(comments[0].body, 'the gateway said 402');
		assert.equal(comments[0].author, 'ada');
	});
});
