// SPDX-License-Identifier: Apache-2.0
//
// Junjo's ReadSpans and ValidateApiKey, asked as a Junjo server asks them: with a client of grpc-js, which keeps the last key
// it got. What was sent is kept here as the objects of protobufjs and compared with what protobufjs makes of the answers.
import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { Reader, decode, encode, normal } from './lib/otlp.mjs';
import { randomOf } from './lib/random.mjs';
import { Weir, newDataDir, removeDataDir, run, sdk, sleep, thorough } from './lib/weir.mjs';

const { status } = sdk('@grpc/grpc-js');
const none = Buffer.alloc(0);
const day = 86400000000000n;
const now = BigInt(Date.now()) * 1000000n;

// ---- spans as they are sent

let serial = 0;
const bytes = (random, n) => Buffer.from(Array.from({ length: n }, () => 1 + Math.floor(random() * 255)));
const pick = (random, list) => list[Math.floor(random() * list.length)];

function anyValue(random, depth = 0) {
	switch (Math.floor(random() * (depth < 4 ? 9 : 6))) {
	case 0: return { string_value: pick(random, ['', 'x', 'é\u{1f6d2}\n"\\', 'a'.repeat(300)]) };
	case 1: return { bool_value: random() < 0.5 };
	case 2: return { int_value: pick(random, ['0', '-1', '9223372036854775807', '-9223372036854775808']) };
	case 3: return { double_value: pick(random, [0, 1.5, -2e300, 3, NaN, Infinity]) };
	case 4: return { bytes_value: bytes(random, Math.floor(random() * 5)) };
	case 5: return {};
	case 6: return { array_value: { values: Array.from({ length: Math.floor(random() * 4) }, () => anyValue(random, depth + 1)) } };
	default: return { kvlist_value: { values: attributes(random, depth + 1) } };
	}
}

const attributes = (random, depth = 0) => Array.from({ length: Math.floor(random() * 5) }, (_, i) => ({ key: `k${i}.${pick(random, ['a', '$b', '"'])}`, value: anyValue(random, depth) }));

function makeSpan(random, daysBack) {
	const start = now - BigInt(daysBack) * day + BigInt(Math.floor(random() * 1e9));
	return {
		trace_id: bytes(random, 16), span_id: Buffer.from((++serial).toString(16).padStart(16, '0'), 'hex'),
		parent_span_id: random() < 0.5 ? none : bytes(random, 8), trace_state: pick(random, ['', 'a=1,b=2']), flags: pick(random, [0, 1, 0x301]),
		name: pick(random, ['', 'node', 'workflow']), kind: Math.floor(random() * 6),
		start_time_unix_nano: String(start), end_time_unix_nano: String(start + BigInt(Math.floor(random() * 1e10))),
		attributes: attributes(random), dropped_attributes_count: pick(random, [0, 3]),
		events: Array.from({ length: Math.floor(random() * 3) }, (_, i) => ({ time_unix_nano: String(start + BigInt(i)), name: 'set_state',
			attributes: attributes(random), dropped_attributes_count: i })),
		dropped_events_count: pick(random, [0, 1]),
		links: Array.from({ length: Math.floor(random() * 3) }, () => ({ trace_id: bytes(random, 16), span_id: bytes(random, 8),
			trace_state: pick(random, ['', 'l=1']), attributes: attributes(random), dropped_attributes_count: pick(random, [0, 2]), flags: 0x100 })),
		dropped_links_count: pick(random, [0, 7]),
		status: pick(random, [undefined, { code: 1 }, { code: 2, message: 'it failed' }]),
	};
}

// A request, and its spans with what they stand in, by id.
function makeRequest(random, count, days = [0]) {
	const spans = Array.from({ length: count }, () => makeSpan(random, pick(random, days)));
	const resource = { attributes: [{ key: 'service.name', value: { string_value: pick(random, ['cart', 'shop']) } }, { key: 'extra', value: anyValue(random) }],
		dropped_attributes_count: pick(random, [0, 1]) };
	const scope = { name: pick(random, ['', 'lib']), version: '1.2', attributes: attributes(random) };
	const body = encode('ExportTraceServiceRequest', { resource_spans: [{ resource, schema_url: 'https://r/1', scope_spans: [{ scope, spans, schema_url: 'https://s/1' }] }] });
	return { body, spans: spans.map((span) => ({ span: normal('Span', span), resource: normal('Resource', resource), scope: normal('InstrumentationScope', scope) })) };
}

async function post(weir, request, headers = {}) {
	const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', body: request.body, headers: { 'content-type': 'application/x-protobuf', ...headers } });
	const answer = Buffer.from(await res.arrayBuffer());
	assert.equal(res.status, 200);
	assert.equal(answer.length, 0, 'a span was refused');
}

async function settle(weir) {
	await weir.until('/readyz', (b) => b.ready);
	while ((await weir.metric('weir_lag_bytes')) !== 0) await sleep(10);
}

// ---- what came of it

const ascending = (messages) => {
	for (let i = 0; i < messages.length; i++) {
		assert.equal(messages[i].key.length, 16);
		assert.ok(i === 0 || Buffer.compare(messages[i - 1].key, messages[i].key) < 0, 'keys ascend strictly');
	}
};

// Each that was sent came once, and as it was.
function sameSpans(messages, sent) {
	ascending(messages);
	const wanted = new Map(sent.map((s) => [s.span.span_id, s]));
	assert.equal(messages.length, wanted.size);
	for (const m of messages) {
		const span = decode('Span', m.span);
		const want = wanted.get(span.span_id);
		assert.ok(want, `span ${span.span_id} was not sent, or came twice`);
		wanted.delete(span.span_id);
		assert.deepEqual({ span, resource: decode('Resource', m.resource), scope: decode('InstrumentationScope', m.scope) }, want);
		assert.deepEqual([m.resourceUrl, m.scopeUrl], ['https://r/1', 'https://s/1']);
	}
}

const refused = (promise, code) => assert.rejects(promise, (error) => {
	assert.equal(error.code, code, error.message);
	return true;
});

describe('spans that are there', () => {
	const sent = [];
	let weir, reader, all;
	before(async () => {
		const random = randomOf(1);
		weir = await Weir.start({ args: ['--seal-rows', '64'] });
		for (let i = 0; i < (thorough ? 30 : 15); i++) {
			const request = makeRequest(random, 1 + Math.floor(random() * 30), [0, 0, 1, 2, 40]);
			sent.push(...request.spans);
			await post(weir, request);
		}
		await settle(weir);
		reader = new Reader(weir.grpc);
		all = await reader.drain(none, 1000);
	});
	after(async () => {
		reader.close();
		await weir.stop();
	});

	it('R6: each comes once and with all that was sent: links, events, nested attributes, nanoseconds, resource, scope', () => {
		sameSpans(all, sent);
	});

	it('R6: keys are strictly behind the start, ascend, and are as many as asked for, whatever the size of a batch', async () => {
		for (const batch of [1, 7, 100, 1000, 0, 4294967295]) {
			const keys = [];
			for (let key = none, page; !page || page.last.remaining > 0; key = page.last.key) {
				page = await reader.page(key, batch);
				keys.push(...page.spans.map((m) => m.key.toString('hex')));
				const most = batch === 0 ? 100 : Math.min(batch, 10000);
				assert.equal(page.spans.length, Math.min(most, all.length - keys.length + page.spans.length));
				assert.equal(page.last.key.toString('hex'), keys.at(-1));
				assert.equal(page.last.remaining, all.length - keys.length);
				assert.equal(page.last.span.length, 0);
			}
			assert.deepEqual(keys, all.map((m) => m.key.toString('hex')));
		}
	});

	it('R6: from every key there is, the next ones follow', async () => {
		for (let i = 0; i < all.length; i++) {
			const { spans, last } = await reader.page(all[i].key, 3);
			assert.deepEqual(spans.map((m) => m.key), all.slice(i + 1, i + 4).map((m) => m.key));
			assert.deepEqual(last.key, spans.length > 0 ? spans.at(-1).key : all[i].key);
		}
	});

	it('R6: a start key that is none is refused, and so is one of another server, which would never be passed', async () => {
		for (const length of [1, 8, 15, 17, 1000]) await refused(reader.read(Buffer.alloc(length)), status.INVALID_ARGUMENT);
		const ulid = Buffer.concat([Buffer.from(Date.now().toString(16).padStart(12, '0'), 'hex'), Buffer.alloc(10, 7)]);
		for (const key of [Buffer.alloc(16, 255), ulid]) await refused(reader.read(key), status.INVALID_ARGUMENT);
		assert.deepEqual((await reader.page(Buffer.alloc(16), 1)).spans[0].key, all[0].key);
	});

	it('while nobody needs a key any is valid', async () => {
		assert.equal(await reader.validate('startup-readiness-check'), true);
	});
});

test('R6, R14, R23: a poller that is cut off and a weir that is killed: every span once, while sends go on', async (t) => {
	const random = randomOf(Number(process.env.WEIR_SEED ?? 2));
	const dataDir = newDataDir();
	const args = ['--seal-rows', '64', '--segment-bytes', '64k'];
	const sent = [], got = [];
	let weir = await Weir.start({ dataDir, args });
	let sending = true, key = none, cuts = 0, sealed = 0;
	t.after(async () => {
		await weir.kill();
		removeDataDir(dataDir);
	});

	// A request that was not answered is sent again until it is.
	const sender = (async () => {
		for (let i = 0; i < 150; i++) {
			const request = makeRequest(random, 1 + Math.floor(random() * 20), [0, 0, 0, 1, 3, 50]);
			for (let done = false; !done;) {
				try {
					await post(weir, request);
					done = true;
				} catch (error) {
					if (error instanceof assert.AssertionError && error.expected === 0) throw error;
					await sleep(20);
				}
			}
			sent.push(...request.spans);
			await sleep(10);
		}
	})();

	// It keeps the key of the last message that it had whole, and drops one call in three in the middle.
	const poller = (async () => {
		for (let idle = false; sending || !idle;) {
			const reader = new Reader(weir.grpc);
			const left = Math.random() < 0.3 ? 1 + Math.floor(Math.random() * 20) : Infinity;
			let messages = [];
			try {
				let n = 0;
				messages = await reader.read(key, pick(Math.random, [1, 7, 50, 1000]), { onMessage: () => ++n === left });
				idle = messages.length === 1 && !sending;
			} catch (error) {
				messages = error.messages ?? [];
				cuts++;
				await sleep(10);
			}
			reader.close();
			for (const m of messages) {
				if (m.span.length > 0) got.push(m);
				key = m.key.length > 0 ? m.key : key;
			}
		}
	})();

	const killer = (async () => {
		for (let n = 0; n < 6; n++) {
			await sleep(200 + Math.random() * 400);
			sealed += await weir.metric('weir_seal_rows_total');
			await weir.kill();
			weir = await Weir.start({ dataDir, args });
		}
	})();
	await Promise.all([sender, killer]);
	sending = false;
	await poller;
	assert.ok(cuts > 3, `${cuts}`);
	const reader = new Reader(weir.grpc);
	assert.deepEqual((await reader.drain(none, 777)).map((m) => m.key), got.map((m) => m.key), 'keys are for ever, and none was passed over');
	reader.close();
	sameSpans(got, sent);
	sealed += await weir.metric('weir_seal_rows_total');
	assert.ok(sealed > 0);
	await weir.stop();
});

test('R6: what is kept no longer is not there, and the rest comes once', async (t) => {
	const random = randomOf(3);
	const dataDir = newDataDir();
	let weir = await Weir.start({ dataDir, args: ['--seal-rows', '64'] });
	t.after(async () => {
		await weir.kill();
		removeDataDir(dataDir);
	});
	const young = [], requests = [];
	for (let i = 0; i < 20; i++) {
		const fresh = makeRequest(random, 10, [0, 1]);
		young.push(...fresh.spans);
		requests.push(fresh, makeRequest(random, 10, [30, 31]));
	}
	for (const r of requests) await post(weir, r);
	await settle(weir);
	let reader = new Reader(weir.grpc);
	const some = (await reader.page(none, 55)).spans;
	assert.equal(some.length, 55);
	reader.close();
	await weir.stop();
	weir = await Weir.start({ dataDir, args: ['--seal-rows', '64', '--retain', 'traces=5d'] });
	await settle(weir);
	const wanted = new Set(young.map((s) => s.span.span_id));
	reader = new Reader(weir.grpc);
	for (let left; left !== wanted.size;) {
		left = (await reader.drain()).length;
		assert.ok(left >= wanted.size);
		await sleep(50);
	}
	sameSpans(await reader.drain(none, 13), young);
	const rest = await reader.drain(some.at(-1).key, 13);
	const before = new Set(some.map((m) => decode('Span', m.span).span_id));
	sameSpans(rest, young.filter((s) => !before.has(s.span.span_id)));
	reader.close();
	await weir.stop();
});

test('an answer has no more bytes than --max-read-bytes, but one span at least, and a large one gets through', async (t) => {
	const random = randomOf(4);
	const weir = await Weir.start({ args: ['--max-read-bytes', '4096'] });
	t.after(() => weir.kill());
	const sent = [];
	for (let i = 0; i < 5; i++) {
		const request = makeRequest(random, 40);
		sent.push(...request.spans);
		await post(weir, request);
	}
	const huge = makeRequest(random, 3);
	for (const s of huge.spans) s.span.name = 'x'.repeat(8000);
	for (const s of huge.spans) s.span.attributes = [{ key: 'big', value: { string_value: 'y'.repeat(700000) } }];
	const again = { body: encode('ExportTraceServiceRequest', { resource_spans: [{ schema_url: 'https://r/1', resource: fromHex(huge.spans[0].resource),
		scope_spans: [{ schema_url: 'https://s/1', scope: fromHex(huge.spans[0].scope), spans: huge.spans.map((s) => fromHex(s.span)) }] }] }) };
	await post(weir, again);
	sent.push(...huge.spans);
	await settle(weir);
	const reader = new Reader(weir.grpc);
	const got = [];
	let largest = 0;
	for (let key = none, page; !page || page.last.remaining > 0; key = page.last.key) {
		page = await reader.page(key, 1000);
		const size = page.spans.reduce((n, m) => n + m.span.length + m.resource.length + m.scope.length, 0);
		assert.ok(page.spans.length > 0);
		assert.ok(page.spans.length === 1 || size <= 4096, `${page.spans.length} spans, ${size} bytes`);
		largest = Math.max(largest, size);
		got.push(...page.spans);
	}
	assert.ok(largest > 700000);
	sameSpans(got, sent);
	reader.close();
	await weir.stop();
});

// What decode() made hex of, as bytes again.
function fromHex(o) {
	if (Array.isArray(o)) return o.map(fromHex);
	if (o === null || typeof o !== 'object') return o;
	const bytesFields = ['trace_id', 'span_id', 'parent_span_id', 'bytes_value'];
	return Object.fromEntries(Object.entries(o).map(([k, v]) => [k, bytesFields.includes(k) ? Buffer.from(v, 'hex') : fromHex(v)]));
}

describe('keys', () => {
	const keys = {};
	let dataDir, weir, acme, zeta;
	const make = async (tenant, ...rights) => {
		const { code, stdout, stderr } = await run(['keys', 'create', '--data-dir', dataDir, '--tenant', tenant, ...rights.flatMap((r) => ['--right', r])]);
		assert.equal(code, 0, stderr);
		return JSON.parse(stdout);
	};
	const as = async (headers, ask) => {
		const reader = new Reader(weir.grpc, headers);
		try {
			return await ask(reader);
		} finally {
			reader.close();
		}
	};
	const drain = (headers) => as(headers, (r) => r.drain());

	before(async () => {
		const random = randomOf(5);
		dataDir = newDataDir();
		weir = await Weir.start({ dataDir });
		acme = makeRequest(random, 30);
		zeta = makeRequest(random, 20);
		await post(weir, acme, { 'x-scope-orgid': 'acme' });
		await post(weir, zeta, { 'x-scope-orgid': 'zeta' });
		await settle(weir);
		const gone = await make('acme', 'ingest', 'read');
		await run(['keys', 'revoke', '--data-dir', dataDir, gone.id]);
		Object.assign(keys, { read: (await make('acme', 'read')).key, ingest: (await make('acme', 'ingest')).key, admin: (await make('acme', 'admin')).key,
			zeta: (await make('zeta', 'ingest', 'read', 'admin')).key, root: (await make('*', 'ingest', 'read', 'admin')).key, gone: gone.key,
			wrong: `weir_${'A'.repeat(43)}` });
		// The server notices within a moment.
		const code = (key) => as({ 'x-api-key': key }, (r) => r.page().then(() => 0, (e) => e.code));
		while ((await code(keys.wrong)) !== status.UNAUTHENTICATED || (await code(keys.root)) !== 0) await sleep(20);
	});
	after(async () => {
		await weir.stop();
		removeDataDir(dataDir);
	});

	it('a key reads the spans of its tenant and of no other, however it is given', async () => {
		for (const headers of [{ 'x-junjo-api-key': keys.read }, { 'x-api-key': keys.read }, { authorization: `Bearer ${keys.read}` }])
			sameSpans(await drain(headers), acme.spans);
		sameSpans(await drain({ 'x-junjo-api-key': keys.zeta }), zeta.spans);
		sameSpans(await drain({ 'x-junjo-api-key': keys.root, 'x-scope-orgid': 'zeta' }), zeta.spans);
		assert.deepEqual(await drain({ 'x-junjo-api-key': keys.root }), []);
		await refused(drain({ 'x-junjo-api-key': keys.read, 'x-scope-orgid': 'zeta' }), status.PERMISSION_DENIED);
	});

	it('without a key, or with one that is wrong or revoked, nothing is read; with one for something else neither', async () => {
		for (const headers of [{}, { 'x-junjo-api-key': keys.wrong }, { 'x-junjo-api-key': keys.gone }, { authorization: keys.read }]) {
			await refused(drain(headers), status.UNAUTHENTICATED);
			await refused(as(headers, (r) => r.validate(keys.ingest)), status.UNAUTHENTICATED);
		}
		for (const key of [keys.ingest, keys.admin]) await refused(drain({ 'x-junjo-api-key': key }), status.PERMISSION_DENIED);
		for (const key of [keys.ingest, keys.read]) await refused(as({ 'x-junjo-api-key': key }, (r) => r.validate(keys.ingest)), status.PERMISSION_DENIED);
	});

	it('an administrator learns which keys of its tenant may ingest', async () => {
		const valid = (asker, key) => as({ 'x-junjo-api-key': asker }, (r) => r.validate(key));
		for (const [name, key] of Object.entries(keys)) {
			assert.equal(await valid(keys.admin, key), name === 'ingest', name);
			assert.equal(await valid(keys.root, key), ['ingest', 'zeta', 'root'].includes(name), name);
		}
		assert.equal(await valid(keys.root, ''), false);
		const { text } = await weir.get('/metrics', { headers: { authorization: `Bearer ${keys.root}` } });
		assert.match(text, /^weir_key_validations_total\{result="valid"\} 4$/m);
		for (const key of Object.values(keys)) assert.ok(!weir.log.includes(key) && !text.includes(key));
	});
});
