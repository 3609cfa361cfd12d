// SPDX-License-Identifier: Apache-2.0
//
// Junjo's promises (R1 to R24 of what its first server set out to keep), asked of weir: telemetry of the three generations of its
// SDK, made with the Node SDK, goes in by gRPC and HTTP and comes out of /otel/ as it was, once, whatever happens in between.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { makeRun, nodeAround, send } from './lib/junjo.mjs';
import { newestFirst, row } from './lib/otel.mjs';
import { Weir, newDataDir, patience, removeDataDir, sleep } from './lib/weir.mjs';

const generations = ['A', 'B', 'C'];
const enc = encodeURIComponent;
const hex = (n, digits) => BigInt(n).toString(16).padStart(digits, '0');

let weir;
before(async () => (weir = await Weir.start()));
after(() => weir.stop());

// ---- asking

async function list(path, { server = weir } = {}) {
	const { status, body, text, headers } = await server.get(path);
	assert.equal(status, 200, `${path}: ${text.slice(0, 500)}`);
	return Object.assign(body, { cursor: headers.get('x-weir-next-cursor') });
}

// Page after page, with cursors.
async function pages(path, limit, offset) {
	const all = [];
	for (let cursor = ''; cursor !== null;) {
		const page = await list(`${path}?limit=${limit}${cursor ? `&cursor=${enc(cursor)}` : offset ? `&offset=${offset}` : ''}`);
		assert.ok(page.length <= limit);
		all.push(...page);
		cursor = page.cursor;
	}
	return all;
}

const traceOf = (id, options) => list(`/otel/trace/${id}/nested_spans`, options);

async function arrived(traceId, count, server = weir) {
	for (const deadline = Date.now() + patience; ; await sleep(20)) {
		const spans = await traceOf(traceId, { server });
		if (spans.length === count) return spans;
		assert.ok(Date.now() < deadline, `${spans.length} of ${count} spans of ${traceId}\n${server.log}`);
	}
}

const loaded = async (server) => {
	await server.until('/readyz', (b) => b.ready);
	while ((await server.metric('weir_lag_bytes')) !== 0) await sleep(10);
};

// By hand, what the SDK cannot make.
async function post(resourceSpans, server = weir) {
	const res = await fetch(`http://${server.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ resourceSpans }) });
	assert.equal(res.status, 200, await res.text());
}
const resourceOf = (service) => ({ attributes: service === undefined ? [] : [{ key: 'service.name', value: { stringValue: service } }] });
let made = 0;
const plainSpan = (more = {}) => ({ traceId: hex(0xabc000 + ++made, 32), spanId: hex(made, 16), name: `span ${made}`, startTimeUnixNano: String(1795187531000000000n + BigInt(made)), endTimeUnixNano: '1795187532000000042', ...more });
const postSpans = (service, spans, server) => post([{ resource: resourceOf(service), scopeSpans: [{ spans }] }], server);

// ---- what is sent

// Everything that a run can have: nodes, concurrent ones, subflows with stores of their own, calls of models in three dialects.
const everything = (generation, service) => ({
	generation, service, name: 'Order', state: { items: [], n: 0, 'a/b~c': { 'żółć 🎉': 'quo"ted\\' }, nothing: null, big: 9007199254740991, half: 0.5 },
	outer: { name: 'POST /order', attributes: { 'http.route': '/order' } },
	children: [
		{ node: 'Load', do: [{ set: [{ op: 'add', path: '/items/-', value: { id: 1 } }], action: 'add_item' }, { set: [], action: 'set_nothing' },
			{ llm: 'gen_ai', prompt: 'żółć 漢字 🎉', do: [{ set: (s) => ({ ...s, answer: 'yes' }), action: 'set_answer' }] }] },
		{ concurrent: 'Both', when: 'has items', items: [
			{ node: 'X', do: [{ set: (s) => ({ ...s, n: s.n + 1 }) }, { llm: 'openinference', service: service && `${service} models` }, { set: (s) => ({ ...s, n: s.n + 1 }) }] },
			{ node: 'Y', do: [{ set: [{ op: 'replace', path: '/a~1b~0c/żółć 🎉', value: 'new' }] }, { llm: 'openllmetry', do: [{ span: 'GET', do: [{ set: (s) => ({ ...s, n: s.n + 10 }) }] }] }] }] },
		{ subflow: 'Ship', state: { parcel: null }, pre: [{ set: (s) => ({ ...s, from: 'Order' }) }],
			children: [{ node: 'Pack', do: [{ set: (s) => ({ ...s, parcel: ['box'] }) }] },
				{ subflow: 'Carry', state: {}, children: [{ node: 'Drive', do: [{ set: [{ op: 'add', path: '/km', value: 12 }] }] }], post: [{ set: (s) => ({ ...s, km: 12 }) }] }],
			post: [{ set: (s) => ({ ...s, shipped: true }), action: 'set_shipped' }] },
		{ node: 'Done', do: [{ set: [{ op: 'move', from: '/items/0', path: '/first' }, { op: 'copy', from: '/first', path: '/again' }, { op: 'test', path: '/n', value: 12 }] }] },
	],
});

const failing = (generation, service) => ({
	generation, service, name: 'Fails', state: { n: 0 },
	children: [{ subflow: 'Inner', state: { m: 0 }, children: [{ node: 'Ok', do: [{ set: (s) => ({ m: s.m + 1 }) }] },
		{ concurrent: 'Two', items: [{ node: 'Good', do: [{ set: (s) => ({ m: s.m + 1 }) }, { set: (s) => ({ m: s.m + 1 }) }] }, { node: 'Bad', do: [{ llm: 'gen_ai', do: [{ fail: 'out of "tokens": ✗', type: 'RateLimitError' }] }] }] }] },
	{ node: 'Never', do: [] }],
});

async function sendRun(spec, options) {
	const run = makeRun(spec);
	await send(weir, run.spans, options);
	return run;
}

// ---- the library agrees with itself

describe('the runs that are made up', () => {
	for (const generation of generations)
		it(`generation ${generation}: the state that a span ends with is the one that its patches lead to`, () => {
			const run = makeRun(everything(generation, 's'));
			assert.deepEqual(run.stores.map((s) => [s.type, s.patches.length]), [['workflow', 9], ['subflow', 3], ['subflow', 1]]);
			for (const s of run.stores) {
				const span = run.spans.find((x) => x.spanContext().spanId === s.spanId);
				assert.deepEqual(JSON.parse(span.attributes['junjo.workflow.state.end']), s.patches.at(-1).after);
				assert.deepEqual(JSON.parse(span.attributes['junjo.workflow.state.start']), s.patches[0].before);
			}
			assert.deepEqual(run.workflow.end, { items: [], n: 12, 'a/b~c': { 'żółć 🎉': 'new' }, nothing: null, big: 9007199254740991, half: 0.5, answer: 'yes', shipped: true, first: { id: 1 }, again: { id: 1 } });
			assert.deepEqual(run.workflow.patches.map((p) => p.executable.name), ['Load', 'Load', 'Load', 'X', 'Y', 'Y', 'X', 'Ship', 'Done']);
			assert.equal(run.workflow.patches[1].text, generation === 'C' ? '[]' : '{}');
			const failed = makeRun(failing(generation, 's'));
			assert.deepEqual(failed.spans.filter((s) => s.status.code === 2).map((s) => s.name), ['chat gen_ai', 'Bad', 'Two', 'Inner', 'Fails']);
			assert.deepEqual([failed.workflow.end, failed.stores[1].end], [{ n: 0 }, { m: 3 }]);
		});
});

// ---- the promises

describe('startup', () => {
	it('R1: a second start on the same folder succeeds, with the same columns and the same answers, from the first request on', async () => {
		const dataDir = newDataDir();
		const run = makeRun(everything('A', 'twice'));
		const seen = [];
		for (let i = 0; i < 3; i++) {
			const server = await Weir.start({ dataDir });
			// The first request there is: it is answered, or told to come back, never refused as unknown.
			const first = await server.get('/otel/span_service_names');
			assert.ok([200, 503].includes(first.status), first.text);
			await server.until('/readyz', (b) => b.ready);
			if (i === 0) await send(server, run.spans);
			await loaded(server);
			seen.push({ schema: (await server.get('/api/v1/sql/schema')).body, names: [...await list('/otel/span_service_names', { server })], spans: [...await traceOf(run.traceId, { server })] });
			assert.equal((await server.terminate()).code, 0, server.log);
		}
		assert.deepEqual(seen[0].spans, newestFirst(run.spans.map(row)));
		assert.deepEqual(seen[1], seen[0]);
		assert.deepEqual(seen[2], seen[0]);
		removeDataDir(dataDir);
	});
});

describe('spans field by field', () => {
	const ways = { A: { protocol: 'grpc' }, B: { protocol: 'http/protobuf', compression: 'gzip' }, C: { protocol: 'http/json' } };
	for (const generation of generations) {
		for (const [what, spec] of [['a run', everything], ['a run that fails', failing]])
			it(`R8 R9 R11 R21: ${what} of generation ${generation} comes back as the SDK held it`, async () => {
				const run = await sendRun(spec(generation, `fields ${generation}`), ways[generation]);
				const want = newestFirst(run.spans.map(row));
				assert.deepEqual([...await arrived(run.traceId, want.length)], want);
				for (const one of want) assert.deepEqual((await weir.get(`/otel/trace/${run.traceId}/span/${one.span_id}`)).body, one);
			});

		it(`R21: states, graph and store are there of workflows and subflows of generation ${generation}, and empty of all others`, async () => {
			const run = await sendRun(everything(generation, `owners ${generation}`));
			const spans = await arrived(run.traceId, run.spans.length);
			for (const s of run.stores) {
				const got = spans.find((x) => x.span_id === s.spanId);
				assert.deepEqual([got.junjo_span_type, got.junjo_wf_state_start, got.junjo_wf_state_end, got.junjo_wf_store_id], [s.type, s.start, s.end, s.id]);
				assert.equal(got.junjo_id, s.executableId);
			}
			assert.deepEqual(spans.find((s) => s.span_id === run.workflow.spanId).junjo_wf_graph_structure, run.graph);
			const others = spans.filter((s) => !run.stores.some((o) => o.spanId === s.span_id));
			assert.equal(others.length, run.spans.length - 3);
			for (const s of others) assert.deepEqual([s.junjo_wf_state_start, s.junjo_wf_state_end, s.junjo_wf_graph_structure, s.junjo_wf_store_id, s.invalid_json], [{}, {}, {}, '', []]);
		});

		it(`R10: each set_state event of generation ${generation} is there once, in order, on the span that made it`, async () => {
			const run = await sendRun(everything(generation, `events ${generation}`));
			await arrived(run.traceId, run.spans.length);
			await send(weir, run.spans); // again: it adds nothing
			await loaded(weir);
			const spans = await arrived(run.traceId, run.spans.length);
			const got = spans.flatMap((s) => s.events_json.map((e, i) => [s.span_id, i, e]).filter(([, , e]) => e.name === 'set_state'))
				.map(([span, i, e]) => [e.attributes['junjo.store.id'], span, i, e.timeUnixNano, e.attributes.id, e.attributes['junjo.store.action'], e.attributes['junjo.state_json_patch']]);
			const want = run.stores.flatMap((s) => s.patches).map((p) => [p.storeId, p.spanId, p.event, String(p.timeNs), p.id, p.action, p.text]);
			assert.deepEqual(got.sort(), want.sort());
		});
	}

	it('R8: the nine keys are in no attributes_json of Junjo\'s spans, seven have their columns, the two oldest have theirs', async () => {
		const run = await sendRun({ ...everything('A', 'nine'), attributes: { 'junjo.workflow_id': 'old workflow', 'node.id': 'old node', 'other.id': 'kept' } });
		const spans = await arrived(run.traceId, run.spans.length);
		const keys = ['junjo.workflow_id', 'node.id', 'junjo.id', 'junjo.parent_id', 'junjo.span_type', 'junjo.workflow.state.start', 'junjo.workflow.state.end', 'junjo.workflow.graph_structure', 'junjo.workflow.store.id'];
		for (const s of spans) for (const k of keys) assert.ok(!(k in s.attributes_json), `${s.name} has ${k}`);
		const w = spans.find((s) => s.span_id === run.workflow.spanId);
		assert.deepEqual([w.legacy_workflow_id, w.legacy_node_id, w.attributes_json['other.id']], ['old workflow', 'old node', 'kept']);
		assert.equal(w.attributes_json['junjo.workflow.node.count'], 6);
		const ship = spans.find((s) => s.name === 'Ship');
		assert.equal(ship.attributes_json['junjo.workflow.parent_store.id'], run.workflow.id);
		// A span that is none of Junjo's keeps a node.id of its own.
		const other = plainSpan({ attributes: [{ key: 'node.id', value: { stringValue: 'rack 7' } }] });
		await postSpans('nine', [other]);
		const [got] = await arrived(other.traceId, 1);
		assert.deepEqual([got.attributes_json, got.legacy_node_id], [{ 'node.id': 'rack 7' }, null]);
	});

	it('R12: kinds 0 to 5 have their names as OTLP numbers them, another is UNSPECIFIED', async () => {
		const traceId = hex(0xabc12, 32);
		await postSpans('kinds', [0, 1, 2, 3, 4, 5, 6, 77, -1].map((kind) => plainSpan({ traceId, name: String(kind), kind })));
		const spans = await arrived(traceId, 9);
		assert.deepEqual(Object.fromEntries(spans.map((s) => [s.name, s.kind])),
			{ 0: 'UNSPECIFIED', 1: 'INTERNAL', 2: 'SERVER', 3: 'CLIENT', 4: 'PRODUCER', 5: 'CONSUMER', 6: 'UNSPECIFIED', 77: 'UNSPECIFIED', '-1': 'UNSPECIFIED' });
	});

	it('R11: nanoseconds are exact, of spans and of events, at both ends of what there is', async () => {
		const traceId = hex(0xabc11, 32);
		const times = ['1', '999999999', '1000000001', '1795187531123456789', '4102444799999999999', '9223372036854775807'];
		await postSpans('nanoseconds', times.map((t) => plainSpan({ traceId, name: t, startTimeUnixNano: t, endTimeUnixNano: t, events: [{ name: 'e', timeUnixNano: t }] })));
		for (const s of await arrived(traceId, times.length)) assert.deepEqual([s.start_time_unix_nano, s.end_time_unix_nano, s.events_json[0].timeUnixNano], [s.name, s.name, s.name]);
	});

	it('R7: every type of value comes back, nested to any depth, bytes as lower case hex, integers of 64 bits exactly', async () => {
		const values = {
			string: [{ stringValue: 'żółć "q" \\ \n 🎉' }, 'żółć "q" \\ \n 🎉'], empty: [{ stringValue: '' }, ''], yes: [{ boolValue: true }, true], no: [{ boolValue: false }, false],
			int: [{ intValue: '-42' }, -42], 'int.safe': [{ intValue: '9007199254740991' }, 9007199254740991], 'int.max': [{ intValue: '9223372036854775807' }, '9223372036854775807'],
			'int.min': [{ intValue: '-9223372036854775808' }, '-9223372036854775808'], 'int.unsafe': [{ intValue: '9007199254740993' }, '9007199254740993'],
			double: [{ doubleValue: 1.5 }, 1.5], 'double.tiny': [{ doubleValue: 5e-324 }, 5e-324], 'double.whole': [{ doubleValue: 3 }, 3],
			nan: [{ doubleValue: 'NaN' }, null], inf: [{ doubleValue: 'Infinity' }, null], 'minus.inf': [{ doubleValue: '-Infinity' }, null],
			bytes: [{ bytesValue: Buffer.from('Hello').toString('base64') }, '48656c6c6f'], 'bytes.high': [{ bytesValue: '/wCrzQ==' }, 'ff00abcd'], 'bytes.none': [{ bytesValue: '' }, ''],
			list: [{ arrayValue: { values: [{ intValue: 1 }, { stringValue: 'a' }, { arrayValue: { values: [{ bytesValue: '/w==' }, { kvlistValue: { values: [{ key: 'k', value: { doubleValue: 'NaN' } }] } }] } }] } }, [1, 'a', ['ff', { k: null }]]],
			'list.none': [{ arrayValue: {} }, []], 'map.none': [{ kvlistValue: {} }, {}],
			map: [{ kvlistValue: { values: [{ key: '$bytes', value: { stringValue: 'no bytes' } }, { key: 'a.b', value: { kvlistValue: { values: [{ key: 'c', value: { arrayValue: { values: [{ intValue: '9223372036854775807' }] } } }] } } }] } },
				{ $bytes: 'no bytes', 'a.b': { c: ['9223372036854775807'] } }],
			'$dollar "key"': [{ intValue: 1 }, 1],
		};
		let deep = { stringValue: 'bottom' }, deepWant = 'bottom';
		for (let i = 0; i < 60; i++) {
			deep = i % 2 ? { arrayValue: { values: [deep] } } : { kvlistValue: { values: [{ key: 'd', value: deep }] } };
			deepWant = i % 2 ? [deepWant] : { d: deepWant };
		}
		values.deep = [deep, deepWant];
		const attributes = Object.entries(values).map(([key, [value]]) => ({ key, value }));
		const want = Object.fromEntries(Object.entries(values).map(([key, [, value]]) => [key, value]));
		const span = plainSpan({ attributes, events: [{ name: 'e', timeUnixNano: '7', attributes, droppedAttributesCount: 3 }], links: [{ traceId: hex(5, 32), spanId: hex(6, 16), traceState: 'a=b', attributes, droppedAttributesCount: 4, flags: 257 }], flags: 4294967295, traceState: 'v=1' });
		await postSpans('values', [span]);
		const [got] = await arrived(span.traceId, 1);
		assert.deepEqual(got.attributes_json, want);
		assert.deepEqual(got.events_json, [{ name: 'e', timeUnixNano: '7', droppedAttributesCount: 3, attributes: want }]);
		assert.deepEqual(got.links_json, [{ traceId: hex(5, 32), spanId: hex(6, 16), traceState: 'a=b', attributes: want, droppedAttributesCount: 4, flags: 257 }]);
		assert.deepEqual([got.trace_flags, got.trace_state], [4294967295, 'v=1']);
	});
});

describe('JSON that is none', () => {
	for (const generation of generations)
		it(`states and patches of generation ${generation} that were cut off are kept as text, said, and harm nothing else`, async () => {
			const spec = { ...everything(generation, `cut ${generation}`), damage: { start: 'cut', end: 'cut', patches: { 1: 'cut', 4: 'cut' } } };
			const run = await sendRun(spec);
			const beside = await sendRun(everything(generation, `cut ${generation}`));
			assert.deepEqual([...await arrived(run.traceId, run.spans.length)], newestFirst(run.spans.map(row)));
			assert.deepEqual([...await arrived(beside.traceId, beside.spans.length)], newestFirst(beside.spans.map(row)));
			const w = (await weir.get(`/otel/trace/${run.traceId}/span/${run.workflow.spanId}`)).body;
			assert.deepEqual(w.invalid_json, ['junjo_wf_state_start', 'junjo_wf_state_end']);
			assert.equal(typeof w.junjo_wf_state_start, 'string');
		});

	const texts = ['', ' ', '{', '{"a":NaN}', '{"a":1}x', "{'a':1}", '{"a":1,}', 'Infinity', '\u0000', '"half', '[1,2', 'nul', '{"a":"\u0001"}', '"\\ud800"', '[' .repeat(600), '01', '{"a" 1}'];
	it('whatever else is no JSON is text as well, and all the JSON there is remains what it was', async () => {
		const good = ['null', 'true', '0', '"text"', '[]', '{}', '[1.0,1e400,123456789012345678901234567890,-0]', '{"a":{"b":[{"c":"\\u0000\\ud83c\\udf89"}]}}', ' { "a" : 1 } ', `${'['.repeat(128)}1${']'.repeat(128)}`];
		const traceId = hex(0xabc30, 32);
		const attributes = (text) => Object.entries({ 'junjo.span_type': 'workflow', 'junjo.workflow.state.start': text, 'junjo.workflow.state.end': '{"fine":true}', 'junjo.workflow.graph_structure': text })
			.map(([key, v]) => ({ key, value: { stringValue: v } }));
		const all = [...texts, ...good];
		await postSpans('texts', all.map((text, i) => plainSpan({ traceId, name: String(i), attributes: attributes(text) })));
		const spans = await arrived(traceId, all.length);
		for (const [i, text] of all.entries()) {
			const s = spans.find((x) => x.name === String(i));
			const bad = i < texts.length;
			assert.deepEqual(s.junjo_wf_state_start, bad ? text : JSON.parse(text), JSON.stringify(text));
			assert.deepEqual(s.invalid_json, bad ? ['junjo_wf_state_start', 'junjo_wf_graph_structure'] : [], JSON.stringify(text));
			assert.deepEqual(s.junjo_wf_state_end, { fine: true });
		}
		// Numbers keep their text.
		assert.ok((await weir.get(`/otel/trace/${traceId}/nested_spans`)).text.includes('[1.0,1e400,123456789012345678901234567890,-0]'));
	});

	it('attributes of another type than they should have are no columns', async () => {
		const span = plainSpan({ attributes: [['junjo.span_type', { intValue: 1 }], ['junjo.id', { boolValue: true }], ['junjo.workflow.state.start', { kvlistValue: {} }]].map(([key, value]) => ({ key, value })) });
		await postSpans('types', [span]);
		const [got] = await arrived(span.traceId, 1);
		assert.deepEqual([got.junjo_span_type, got.junjo_id, got.junjo_wf_state_start, got.invalid_json], ['', '', {}, []]);
	});
});

describe('large and deep', () => {
	it('a state of 128 levels, a prompt of 1 MiB, a state of 1 MB', async () => {
		let deep = 'bottom';
		for (let i = 0; i < 127; i++) deep = i % 2 ? [deep] : { d: deep };
		const prompt = 'ż🎉 '.repeat(149796) + 'abcd';
		assert.equal(Buffer.byteLength(prompt), 1048576);
		const run = await sendRun({ generation: 'C', service: 'large', name: 'Large', state: { deep, rows: Array.from({ length: 20000 }, (_, i) => ({ id: i, name: 'row name' })) },
			children: [{ node: 'Ask', do: [{ llm: 'openinference', prompt, do: [{ set: [{ op: 'replace', path: '/rows/19999/id', value: 'last' }] }] }] }] });
		assert.deepEqual([...await arrived(run.traceId, 3)], newestFirst(run.spans.map(row)));
	});

	it('10,000 patches on one span, all there and in order', async () => {
		const run = await sendRun({ generation: 'C', service: 'many', name: 'Many', state: { list: [] }, children: [{ node: 'Count', do: Array.from({ length: 10000 }, (_, i) => ({ set: [{ op: i % 2 ? 'replace' : 'add', path: '/last', value: i }], action: `step ${i}` })) }] });
		const spans = await arrived(run.traceId, 2);
		assert.deepEqual([...spans], newestFirst(run.spans.map(row)));
		assert.equal(spans.find((s) => s.name === 'Count').events_json.length, 10000);
	});
});

describe('lists', () => {
	const service = 'lists';
	const at = BigInt(Date.now() - 3600000) * 1000000n;
	let runs, workflows;
	before(async () => {
		// 23 runs, every other one inside a span of somebody else, two by two at the same nanosecond.
		runs = Array.from({ length: 23 }, (_, i) => makeRun({ generation: generations[i % 3], service, name: `Run ${i}`, state: {}, ...(i % 2 && { outer: { name: 'POST' } }),
			children: [{ node: 'One', do: i % 4 === 0 ? [{ llm: 'gen_ai' }] : [] }, { subflow: 'Sub', state: {}, children: [{ node: 'Two' }] }] }, { at: at + BigInt(i >> 1) * 60000000000n }));
		for (const run of runs) await send(weir, run.spans);
		await loaded(weir);
		workflows = runs.map((r) => r.workflow.spanId);
	});
	const roots = () => newestFirst(runs.flatMap((r) => r.spans.map(row).filter((s) => s.parent_span_id === null)));
	const same = (got, want, what) => assert.deepEqual([...got].sort((a, b) => (a.span_id < b.span_id ? -1 : 1)), [...want].sort((a, b) => (a.span_id < b.span_id ? -1 : 1)), what);
	const ordered = (spans) => spans.every((s, i) => i === 0 || BigInt(spans[i - 1].start_time_unix_nano) >= BigInt(s.start_time_unix_nano));

	it('R18: services are listed once each, sorted, and only those that sent spans', async () => {
		const names = await list('/otel/span_service_names');
		assert.ok(names.includes(service));
		assert.deepEqual([...names], [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
		const log = { resourceLogs: [{ resource: resourceOf('only logs'), scopeLogs: [{ logRecords: [{ timeUnixNano: String(at), body: { stringValue: 'x' } }] }] }] };
		assert.equal((await fetch(`http://${weir.http}/v1/logs`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(log) })).status, 200);
		await weir.until('/api/v1/services', (b) => b.services.some((s) => s.name === 'only logs'));
		assert.ok(!(await list('/otel/span_service_names')).includes('only logs'));
	});

	it('R18: roots are the spans without a parent, newest first, of one service', async () => {
		const got = await list(`/otel/service/${service}/root_spans`);
		same(got, roots());
		assert.ok(ordered(got));
		assert.equal(got.cursor, null);
	});

	it('R18: filtered roots are those of traces in which a model is called', async () => {
		const wanted = new Set(runs.filter((_, i) => i % 4 === 0).map((r) => r.traceId));
		const got = await list(`/otel/service/${service}/root_spans_filtered`);
		same(got, roots().filter((s) => wanted.has(s.trace_id)));
		assert.ok(ordered(got));
	});

	it('R18: workflows are there, also those inside of other spans; subflows and nodes are not', async () => {
		const got = await list(`/otel/spans/type/workflow/${service}`);
		same(got, runs.flatMap((r) => r.spans.map(row)).filter((s) => workflows.includes(s.span_id)));
		assert.ok(ordered(got));
	});

	it('R18: a trace has all of its spans, newest first, and no other', async () => {
		for (const run of runs.slice(0, 3)) assert.deepEqual([...await traceOf(run.traceId)], newestFirst(run.spans.map(row)));
	});

	const paths = { roots: `/otel/service/${service}/root_spans`, 'filtered roots': `/otel/service/${service}/root_spans_filtered`, workflows: `/otel/spans/type/workflow/${service}`, 'a trace': undefined };
	for (const what of Object.keys(paths))
		it(`R18: pages of ${what}, by cursor and by offset, have everything once, in the order of the whole`, async () => {
			const path = paths[what] ?? `/otel/trace/${runs[1].traceId}/nested_spans`;
			const whole = [...await list(path)];
			assert.ok(whole.length >= 5);
			for (const limit of [1, 2, 5, 7, 1000]) {
				assert.deepEqual(await pages(path, limit), whole, `cursors, ${limit}`);
				const byOffset = [];
				for (let offset = 0, page; (page = await list(`${path}?limit=${limit}&offset=${offset}`)).length > 0; offset += limit) byOffset.push(...page);
				assert.deepEqual(byOffset, whole, `offsets, ${limit}`);
			}
			assert.deepEqual([...await list(`${path}?offset=10000`)], []);
			// From an offset on by cursor.
			const [first] = whole.splice(0, 1);
			assert.deepEqual([first, ...await pages(path, 2, 1)], [first, ...whole]);
		});

	it('R18: a cursor goes on where it stood, whatever came in between', async () => {
		const path = `/otel/service/stable/root_spans`;
		const spans = Array.from({ length: 9 }, () => plainSpan());
		await postSpans('stable', spans);
		await weir.until(path, (b) => b.length === 9);
		const first = await list(`${path}?limit=4`);
		await postSpans('stable', [plainSpan({ startTimeUnixNano: '1795187539000000000', name: 'newer' })]);
		await weir.until(path, (b) => b.length === 10);
		const rest = await list(`${path}?limit=100&cursor=${enc(first.cursor)}`);
		assert.deepEqual([...first, ...rest].map((s) => s.name), spans.map((s) => s.name).reverse());
	});

	it('R18: what cannot be asked is refused with a sentence', async () => {
		const path = `/otel/service/${service}/root_spans`;
		const { cursor } = await list(`${path}?limit=2`);
		for (const [q, pattern] of [['limit=0', /limit/], ['limit=10001', /limit/], ['limit=x', /limit/], ['offset=-1', /offset/], ['offset=10001', /offset/], [`limit=2&offset=1&cursor=${enc(cursor)}`, /offset/], ['cursor=nonsense', /cursor/], ['nothing=1', /nothing/]]) {
			const { status, body } = await weir.get(`${path}?${q}`);
			assert.equal(status, 400, q);
			assert.match(body.error.message, pattern, q);
		}
		// A cursor of another question is none of this one.
		assert.equal((await weir.get(`/otel/spans/type/workflow/${service}?cursor=${enc(cursor)}`)).status, 400);
		for (const path of [`/otel/trace/xyz/nested_spans`, `/otel/trace/${'0'.repeat(32)}x/nested_spans`, `/otel/trace/${hex(1, 32)}/span/12`]) assert.equal((await weir.get(path)).status, 400, path);
	});

	it('R18: unknown services and traces have no spans, an unknown span is not found', async () => {
		for (const path of ['/otel/service/nobody/root_spans', '/otel/service/nobody/root_spans_filtered', '/otel/spans/type/workflow/nobody', `/otel/trace/${hex(0xdead, 32)}/nested_spans`]) assert.deepEqual([...await list(path)], []);
		for (const path of [`/otel/trace/${hex(0xdead, 32)}/span/${hex(0xdead, 16)}`, `/otel/trace/${runs[0].traceId}/span/${hex(0xdead, 16)}`, `/otel/trace/${hex(0xdead, 32)}/span/${workflows[0]}`]) {
			const { status, body } = await weir.get(path);
			assert.deepEqual([status, body.error.code], [404, 'not_found'], path);
		}
		assert.equal((await weir.get(`/otel/trace/${runs[0].traceId.toUpperCase()}/span/${workflows[0].toUpperCase()}`)).status, 200);
	});

	const names = ['a/b/c', '/', 'root_spans', 'x/root_spans', 'x/root_spans_filtered', '"quoted" \'service\'', 'żółć 漢字 🎉', 'per%cent%2Fs', 'a b+c&d=e?f#g', "Robert'); DROP TABLE spans;--", '..', 'back\\slash', 'new\nline', '{service}'];
	it('R18: a service is asked by whatever name it has', async () => {
		const sent = names.map((name) => makeRun({ generation: 'C', service: name, name: 'W', outer: { name: 'outer' }, children: [{ node: 'N', do: [{ llm: 'gen_ai' }] }] }));
		for (const run of sent) await send(weir, run.spans);
		await loaded(weir);
		const listed = await list('/otel/span_service_names');
		for (const [i, name] of names.entries()) {
			const spans = sent[i].spans.map(row);
			assert.ok(listed.includes(name), name);
			// fetch() takes ".." out of a path, escaped or not.
			if (name === '..') continue;
			const root = spans.filter((s) => s.parent_span_id === null);
			assert.deepEqual([...await list(`/otel/service/${enc(name)}/root_spans`)], root, name);
			assert.deepEqual([...await list(`/otel/service/${enc(name)}/root_spans_filtered`)], root, name);
			assert.deepEqual([...await list(`/otel/spans/type/workflow/${enc(name)}`)], spans.filter((s) => s.junjo_span_type === 'workflow'), name);
		}
	});

	it('R18: slashes of a service need not be escaped', async () => {
		const [{ trace_id: want }] = await list(`/otel/service/${enc('a/b/c')}/root_spans`);
		const text = await new Promise((done, failed) => http.get(`http://${weir.api}/otel/service/a/b/c/root_spans`, (res) => {
			let t = '';
			res.setEncoding('utf8').on('data', (d) => (t += d)).on('end', () => done(t));
		}).on('error', failed));
		assert.deepEqual(JSON.parse(text).map((s) => s.trace_id), [want]);
	});

	for (const [what, attributes] of [['GenAI\'s', { 'gen_ai.operation.name': 'chat' }], ['GenAI\'s, by provider', { 'gen_ai.provider.name': 'xai' }], ['OpenInference\'s', { 'openinference.span.kind': 'LLM' }],
		['OpenLLMetry\'s', { 'llm.request.type': 'chat' }], ['OpenLLMetry\'s, by system', { 'gen_ai.system': 'OpenAI' }]])
		for (const other of [false, true])
			it(`has_llm: a model is called in the words of ${what}${other ? ', by another service of the trace' : ''}`, async () => {
				const mine = `llm ${what} ${other}`;
				const span = (i, a) => ({ span: `call ${i}`, attributes: a, ...(other && { service: `${mine} other` }) });
				const make = (a) => makeRun({ generation: 'C', service: mine, name: 'W', children: [{ node: 'N', do: [span(1, a)] }] });
				const [yes, no, nearly] = [make(attributes), make({ 'http.route': '/gen_ai.system' }), make({ 'openinference.span.kind': 'CHAIN' })];
				for (const r of [yes, no, nearly]) await send(weir, r.spans);
				await loaded(weir);
				assert.equal((await list(`/otel/service/${enc(mine)}/root_spans`)).length, 3);
				assert.deepEqual([...await list(`/otel/service/${enc(mine)}/root_spans_filtered`)].map((s) => s.trace_id), [yes.traceId]);
				assert.deepEqual([...await list(`/otel/service/${enc(`${mine} other`)}/root_spans_filtered`)], []);
			});
});

describe('once', () => {
	it('R3: the same span sent twice is there once, the first one, without an error', async () => {
		const first = plainSpan({ name: 'first', attributes: [{ key: 'n', value: { intValue: 1 } }] });
		await postSpans('first wins', [first]);
		await arrived(first.traceId, 1);
		await postSpans('first wins', [{ ...first, name: 'second' }]);
		await postSpans('another service', [{ ...first, name: 'third' }, plainSpan({ traceId: first.traceId, name: 'new' }), { ...first, name: 'fourth' }]);
		const spans = await arrived(first.traceId, 2);
		assert.deepEqual(spans.map((s) => [s.name, s.service_name]).sort(), [['first', 'first wins'], ['new', 'another service']]);
		assert.deepEqual([...await list('/otel/service/another%20service/root_spans')].map((s) => s.name), ['new']);
	});

	it('R3: a span\'s id is its own only within its trace', async () => {
		const a = plainSpan({ name: 'a' });
		const b = { ...a, traceId: plainSpan().traceId, name: 'b' };
		await postSpans('two traces', [a, b]);
		for (const s of [a, b]) assert.deepEqual((await arrived(s.traceId, 1)).map((x) => x.name), [s.name]);
	});

	it('R4: of a batch of n with k that were there, k are counted as repeats and n - k as rows', async () => {
		const server = await Weir.start();
		try {
			const spans = Array.from({ length: 10 }, () => plainSpan());
			await postSpans('counted', spans, server);
			await loaded(server);
			await postSpans('counted', [...spans.slice(0, 4).map((s) => ({ ...s, name: 'again' })), ...Array.from({ length: 6 }, () => plainSpan())], server);
			await server.until('/otel/service/counted/root_spans', (b) => b.length === 16);
			await loaded(server);
			assert.equal(await server.metric('weir_duplicates_total{tenant="default",kind="span"}'), 4);
			assert.equal((await list('/otel/service/counted/root_spans', { server })).length, 16);
		} finally {
			await server.stop();
		}
	});

	it('R17: a batch of 10 services, mixed up, has every span with its own', async () => {
		const spans = Array.from({ length: 100 }, (_, i) => ({ service: `mixed ${(i * 7) % 10}`, span: plainSpan({ traceId: hex(0xabc17, 32), name: String((i * 7) % 10) }) }));
		await post(spans.map(({ service, span }) => ({ resource: resourceOf(service), scopeSpans: [{ spans: [span] }] })));
		for (const s of await arrived(hex(0xabc17, 32), 100)) assert.equal(s.service_name, `mixed ${s.name}`);
		for (let i = 0; i < 10; i++) assert.equal((await list(`/otel/service/mixed%20${i}/root_spans`)).length, 10);
		// And by gRPC, the SDK's way: two services in one trace, one request.
		const run = await sendRun(everything('C', 'mixed grpc'));
		for (const s of await arrived(run.traceId, run.spans.length)) assert.equal(s.service_name, s.name === 'chat openinference' ? 'mixed grpc models' : 'mixed grpc');
	});

	it('R17: a resource without a service has one name, and takes none of its neighbours', async () => {
		const traceId = hex(0xabc18, 32);
		await post([undefined, 'named', undefined].map((service, i) => ({ resource: resourceOf(service), scopeSpans: [{ spans: [plainSpan({ traceId, name: String(i) })] }] })));
		const names = Object.fromEntries((await arrived(traceId, 3)).map((s) => [s.name, s.service_name]));
		assert.equal(names[1], 'named');
		assert.equal(names[0], names[2]);
		assert.ok(names[0] !== 'named' && names[0] !== '');
		assert.ok((await list('/otel/span_service_names')).includes(names[0]));
	});
});

describe('kill -9', () => {
	it('R14: every acknowledged span is there exactly once, with its events, after each of 5 restarts', async () => {
		const dataDir = newDataDir();
		let server = await Weir.start({ dataDir });
		const sent = [];
		for (let round = 0; round < 5; round++) {
			let stopped = false;
			const before = sent.length;
			const sending = (async () => {
				while (!stopped) {
					const run = makeRun(everything(generations[sent.length % 3], `crash ${round}`));
					try {
						await send(server, run.spans, { timeoutMillis: 1000 });
						sent.push(run);
						await sleep(5);
					} catch {
						stopped = true; // it is gone
					}
				}
			})();
			while (sent.length < before + 3) await sleep(5);
			await sleep(Math.random() * 150);
			await server.kill();
			stopped = true;
			await sending;
			server = await Weir.start({ dataDir });
			await loaded(server);
			for (const run of sent) assert.deepEqual([...await traceOf(run.traceId, { server })], newestFirst(run.spans.map(row)), `round ${round}`);
		}
		// What is sent again after all this adds nothing.
		for (const run of sent) await send(server, run.spans);
		await loaded(server);
		for (const run of sent) assert.equal((await traceOf(run.traceId, { server })).length, run.spans.length);
		assert.equal((await server.terminate()).code, 0, server.log);
		removeDataDir(dataDir);
	});
});

describe('readers while batches commit', () => {
	it('R24: reads succeed all the time, and never see a span without its patches or half a request', async () => {
		const runs = Array.from({ length: 60 }, (_, i) => makeRun({ generation: generations[i % 3], service: 'readers', name: 'W', state: { n: 0 },
			children: Array.from({ length: 5 }, (_, n) => ({ node: `N${n}`, do: Array.from({ length: 20 }, () => ({ set: (s) => ({ n: s.n + 1 }) })) })) }));
		let done = false, reads = 0, partly = 0, now = 0;
		const reader = async () => {
			while (!done) {
				const run = runs[Math.min(now, runs.length - 1)];
				const spans = await traceOf(run.traceId);
				reads++;
				if (spans.length === 0) continue;
				partly++;
				assert.equal(spans.length, run.spans.length, 'half of a request is there');
				for (const s of spans) assert.equal(s.events_json.length, s.junjo_span_type === 'node' ? 20 : 0);
				const roots = await list('/otel/service/readers/root_spans?limit=5');
				for (const s of roots) assert.deepEqual(s.junjo_wf_state_end, { n: 100 });
			}
		};
		const readers = Promise.all([reader(), reader(), reader()]);
		try {
			for (; now < runs.length; now++) {
				await send(weir, runs[now].spans);
				await sleep(5);
			}
			await arrived(runs.at(-1).traceId, runs.at(-1).spans.length);
			// The last one is there, so each further read has its spans.
			for (const deadline = Date.now() + patience; (reads <= runs.length || partly === 0) && Date.now() < deadline;) await sleep(5);
		} finally {
			done = true;
			await readers;
		}
		assert.ok(reads > runs.length && partly > 0, `${reads} reads, ${partly} with spans`);
	});
});

describe('SQL', () => {
	const rows = async (query) => {
		const res = await fetch(`http://${weir.api}/api/v1/sql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) });
		const text = await res.text();
		assert.equal(res.status, 200, text);
		return JSON.parse(text).rows;
	};

	it('R2: the columns that Junjo\'s tables had are there, by their names', async () => {
		const columns = async (view) => (await rows(`DESCRIBE ${view}`)).map((r) => r.column_name);
		const spans = await columns('junjo_spans');
		for (const c of ['trace_id', 'span_id', 'parent_span_id', 'service_name', 'name', 'kind', 'start_time', 'end_time', 'status_code', 'status_message', 'attributes_json', 'events_json', 'links_json', 'trace_flags', 'trace_state',
			'junjo_id', 'junjo_parent_id', 'junjo_span_type', 'junjo_wf_state_start', 'junjo_wf_state_end', 'junjo_wf_graph_structure', 'junjo_wf_store_id']) assert.ok(spans.includes(c), c);
		const patches = await columns('state_patches');
		for (const c of ['patch_id', 'service_name', 'trace_id', 'span_id', 'workflow_id', 'node_id', 'event_time', 'patch_json', 'patch_store_id']) assert.ok(patches.includes(c), c);
	});

	for (const generation of generations)
		it(`R5 R10 R21: rows of a run of generation ${generation} are its spans and its patches, each with its span`, async () => {
			const run = await sendRun({ ...everything(generation, `rows ${generation}`), damage: { patches: { 2: 'cut' } } });
			await arrived(run.traceId, run.spans.length);
			const of = `WHERE trace_id = '${run.traceId}'`;
			const got = await rows(`SELECT patch_store_id, workflow_id, node_id, span_id, ordinal, action, patch_text, patch_json IS NULL AS bad FROM state_patches ${of} ORDER BY event_unix_nano`);
			const want = run.stores.flatMap((s) => s.patches.map((p) => ({ at: p.timeNs, row: { patch_store_id: s.id, workflow_id: s.executableId, node_id: nodeAround(run, p.spanId), span_id: p.spanId, ordinal: p.event, action: p.action, patch_text: p.text, bad: p.damage === 'cut' } })))
				.sort((a, b) => (a.at < b.at ? -1 : 1)).map((x) => x.row);
			assert.deepEqual(got, want);
			assert.deepEqual(await rows(`SELECT count(*) AS n FROM state_patches p ${of} AND NOT EXISTS (SELECT 1 FROM spans s WHERE s.trace_id = p.trace_id AND s.span_id = p.span_id)`), [{ n: 0 }]);
			const spans = await rows(`SELECT span_id, junjo_id, junjo_span_type, junjo_wf_store_id AS store, junjo_wf_state_start AS s, junjo_wf_state_end AS e FROM junjo_spans ${of} ORDER BY span_id`);
			const isJunjo = run.spans.map(row).filter((s) => s.junjo_span_type !== '').sort((a, b) => (a.span_id < b.span_id ? -1 : 1));
			assert.deepEqual(spans, isJunjo.map((s) => {
				const o = run.stores.find((x) => x.spanId === s.span_id);
				return { span_id: s.span_id, junjo_id: s.junjo_id, junjo_span_type: s.junjo_span_type, store: o?.id ?? null, s: o?.start ?? null, e: o?.end ?? null };
			}));
		});

	it('R19: ->> finds keys with dots, quotes and letters of any kind, and their values', async () => {
		const pairs = { 'openinference.span.kind': 'LLM', 'a"b': 'quo"ted', "it's": "o'clock", 'żółć.🎉': '漢字', 'a.b.c': '{"not":"parsed"}', $dollar: '$1', 'sp ace': '', 'back\\slash': '\\' };
		const span = plainSpan({ attributes: Object.entries(pairs).map(([key, v]) => ({ key, value: { stringValue: v } })) });
		await postSpans('sql', [span]);
		await arrived(span.traceId, 1);
		for (const [k, v] of Object.entries(pairs)) {
			// What begins with $ is a path of DuckDB's.
			const path = k.startsWith('$') ? `$."${k}"` : k.replaceAll("'", "''");
			const [got] = await rows(`SELECT attributes->>'${path}' AS v FROM spans WHERE trace_id = '${span.traceId}'`);
			assert.deepEqual(got, { v }, k);
		}
	});
});
