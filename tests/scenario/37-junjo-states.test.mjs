// SPDX-License-Identifier: Apache-2.0
//
// States of runs that nobody thought of: made up at random, damaged, or telling two stories at once. The verdict, every patch, and the
// state before and after each step are those of the recomputation in lib/junjo.mjs, or what is wrong is said.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hrNano } from './lib/expect.mjs';
import { makeRun, nodeAround, send } from './lib/junjo.mjs';
import { randomOf } from './lib/random.mjs';
import { Weir, patience, sleep, thorough } from './lib/weir.mjs';

const seed = Number(process.env.WEIR_TEST_SEED ?? 20261129);
const generations = ['A', 'B', 'C'];

let weir;
before(async () => (weir = await Weir.start()));
after(() => weir.stop());

async function ask(path) {
	const { status, body, text } = await weir.get(path);
	assert.equal(status, 200, `${path}: ${text.slice(0, 500)}`);
	return body;
}

async function loaded() {
	for (const deadline = Date.now() + patience; (await weir.metric('weir_lag_bytes')) !== 0; await sleep(10)) assert.ok(Date.now() < deadline, weir.log);
}

async function sent(...runs) {
	for (const run of runs) await send(weir, run.spans);
	await loaded();
}

const viewOf = (run, spanId = run.workflow.spanId) => ask(`/api/v1/workflows/${run.traceId}/${spanId}`);

// ---- runs at random

function generator(random) {
	const int = (n) => Math.floor(random() * n);
	const pick = (list) => list[int(list.length)];
	const keys = ['a', 'b', 'n', 'list', 'żółć', 'a/b', 'm~n', '', '0', 'quo"te', '__proto__', 'constructor', '$bytes', '-'];
	const object = (pairs) => {
		const o = {};
		for (const [k, v] of pairs) Object.defineProperty(o, k, { value: v, enumerable: true, configurable: true, writable: true });
		return o;
	};
	const value = (depth) => {
		switch (int(depth > 0 ? 9 : 6)) {
		case 0: return null;
		case 1: return random() < 0.5;
		case 2: return int(2000) - 1000;
		case 3: return pick([0.5, -1e-7, 1e21, 123456.789, 9007199254740991, 5e-324, -0.0625]);
		case 4: case 5: return pick(['', 'text', 'ż🎉漢', 'line\nbreak', '"\\', '\u0000', '\u2028', '{"not":"parsed"}']);
		case 6: case 7: return object(Array.from({ length: int(4) }, () => [pick(keys), value(depth - 1)]));
		default: return Array.from({ length: int(4) }, () => value(depth - 1));
		}
	};
	const state = () => object(Array.from({ length: int(5) }, () => [pick(keys), value(3)]));
	// Another value at a random depth, grown, shrunk or replaced.
	const mutate = (v, depth = 3) => {
		if (v === null || typeof v !== 'object' || depth === 0 || random() < 0.2) return value(2);
		if (Array.isArray(v)) {
			const i = int(v.length + 1);
			return random() < 0.3 ? v.filter((_, k) => k !== i) : i === v.length ? [...v, value(2)] : v.map((x, k) => (k === i ? mutate(x, depth - 1) : x));
		}
		const key = random() < 0.5 && Object.keys(v).length > 0 ? pick(Object.keys(v)) : pick(keys);
		const rest = Object.entries(v).filter(([k]) => k !== key);
		return random() < 0.2 ? object(rest) : object([...rest, [key, Object.hasOwn(v, key) ? mutate(v[key], depth - 1) : value(2)]]);
	};
	const root = (s) => {
		const next = mutate(s);
		return next !== null && typeof next === 'object' && !Array.isArray(next) ? next : { ...s, n: next };
	};
	// move, copy and test of members that are there.
	const operations = () => [{ op: 'add', path: '/from', value: value(2) }, { op: 'copy', from: '/from', path: '/copied' }, { op: 'test', path: '/copied', value: undefined },
		{ op: 'move', from: '/copied', path: '/moved' }, { op: 'add', path: '/list2', value: [value(1)] }, { op: 'add', path: '/list2/0', value: value(1) }, { op: 'add', path: '/list2/-', value: 'last' }, { op: 'remove', path: '/list2/1' }]
		.map((o, i, all) => (o.op === 'test' ? { ...o, value: all[0].value } : o));
	const set = () => ({ set: random() < 0.1 ? [] : random() < 0.15 ? operations() : root, action: pick(['set_a', 'set_b', 'żółć', '']) });
	const does = (depth) => Array.from({ length: int(4) }, () => {
		const r = random();
		if (r < 0.6 || depth === 0) return set();
		if (r < 0.8) return { llm: pick(['gen_ai', 'openinference', 'openllmetry']), service: random() < 0.3 ? 'elsewhere' : undefined, do: does(depth - 1) };
		return { span: 'GET', do: does(depth - 1) };
	});
	const node = () => ({ node: pick(['Load', 'Ask', 'żółć', 'Same name']), do: does(2) });
	const executable = (depth) => {
		const r = random();
		if (r < 0.55 || depth === 0) return node();
		if (r < 0.75) return { concurrent: 'Both', items: Array.from({ length: 1 + int(3) }, () => (random() < 0.2 ? executable(depth - 1) : node())) };
		return { subflow: 'Sub', state: state(), pre: Array.from({ length: int(2) }, set), children: Array.from({ length: int(3) }, () => executable(depth - 1)), post: Array.from({ length: int(3) }, set) };
	};
	return (generation) => {
		const spec = { generation, service: 'random', name: 'Random', state: state(), children: Array.from({ length: 1 + int(5) }, () => executable(3)), ...(random() < 0.5 && { outer: { name: 'outer' } }) };
		if (random() < 0.3) {
			// It fails somewhere.
			let at = spec;
			while (at.children ?? at.items) at = pick(at.children ?? at.items) ?? { do: [] };
			at.do?.push({ fail: 'at random', type: 'RandomError' });
		}
		return spec;
	};
}

// The state of a store at a time: all that was changed before it.
function stateAt(store, ns) {
	const done = store.patches.filter((p) => p.timeNs < ns);
	return done.length > 0 ? done.at(-1).after : store.start;
}

// The steps that a view of this owner must have, from the spans alone.
function stepsOf(run, owner) {
	const byId = new Map(run.spans.map((s) => [s.spanContext().spanId, s]));
	const parentOf = (s) => byId.get(s.parentSpanContext?.spanId);
	const isBelow = (s) => {
		for (let at = parentOf(s); at; at = parentOf(at)) if (at.spanContext().spanId === owner.spanId) return true;
		return false;
	};
	const isStep = (s) => s.attributes['junjo.span_type'] !== undefined;
	const above = (s) => {
		let at = parentOf(s);
		while (!isStep(at)) at = parentOf(at);
		return at.spanContext().spanId;
	};
	const storeAround = (s) => {
		for (let at = parentOf(s); at; at = parentOf(at)) {
			const store = run.stores.find((o) => o.spanId === at.spanContext().spanId);
			if (store) return store;
		}
		return undefined;
	};
	return run.spans.filter((s) => isStep(s) && isBelow(s)).sort((a, b) => (hrNano(a.startTime) < hrNano(b.startTime) ? -1 : 1)).map((s) => {
		const store = storeAround(s);
		const spanId = s.spanContext().spanId;
		return { spanId, name: s.name, type: s.attributes['junjo.span_type'], parent: above(s), store: store.id, before: stateAt(store, hrNano(s.startTime)), after: stateAt(store, hrNano(s.endTime)),
			patches: run.stores.flatMap((o) => o.patches).filter((p) => p.executable.spanId === spanId).map((p) => p.id).sort(), status: s.status.code === 2 ? 'error' : 'unset' };
	});
}

async function check(run) {
	for (const owner of run.stores) {
		const view = await viewOf(run, owner.spanId);
		const what = `${run.generation} ${run.traceId} ${owner.type}: ${view.verdict_reason}`;
		const steps = stepsOf(run, owner);
		assert.equal(view.verdict, 'verified', what);
		assert.equal(view.states_left_out, 0);
		const place = new Map(view.steps.map((s) => [s.step, s.span_id]));
		assert.deepEqual(view.steps.map((s) => ({ spanId: s.span_id, name: s.node.name, type: s.node.type, parent: place.get(s.parent_step) ?? owner.spanId, store: s.store_id, before: s.state_before, after: s.state_after, patches: s.patches.map((p) => p.event_id).sort(), status: s.status })), steps, what);
		assert.deepEqual(view.patches.map((p) => p.event_id).sort(), run.stores.flatMap((o) => o.patches).filter((p) => p.executable.spanId === owner.spanId).map((p) => p.id).sort(), what);
		// Each step is a run of one node of the graph, of those that could not be told apart by the first generation of the first.
		assert.equal(view.graph_error, null, what);
		assert.deepEqual(view.graph.nodes.flatMap((n) => n.span_ids).sort(), steps.map((s) => s.spanId).sort(), what);
		const byId = new Map(steps.map((s) => [s.spanId, s]));
		for (const n of view.graph.nodes) {
			assert.ok(n.runs === n.span_ids.length && (run.generation === 'A' || n.runs <= 1), what);
			for (const id of n.span_ids) assert.deepEqual([byId.get(id).name, byId.get(id).type], [n.label, n.kind], what);
		}
		const [own] = view.stores;
		assert.deepEqual([own.store_id, own.state_start, own.state_end, own.state_replayed, own.patch_count], [owner.id, owner.start, owner.end, owner.end, run.stores[0] === owner ? owner.patches.length : own.patch_count], what);
	}
}

// And as rows of SQL: each change once, with the workflow that owns its store and the node that it was made in.
async function checkRows(runs) {
	const query = `SELECT trace_id, patch_store_id, workflow_id, node_id, span_id, ordinal, action, event_id, event_unix_nano::VARCHAR AS at, patch_text, sequence, patch_id, patch_json
		FROM state_patches WHERE trace_id IN (${runs.map((r) => `'${r.traceId}'`).join(', ')}) ORDER BY event_unix_nano`;
	const res = await fetch(`http://${weir.api}/api/v1/sql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) });
	const { rows, truncated, error } = await res.json();
	assert.equal(res.status, 200, error?.message);
	assert.equal(truncated, false);
	assert.equal(new Set(rows.map((r) => r.patch_id)).size, rows.length);
	for (const run of runs) {
		const got = rows.filter((r) => r.trace_id === run.traceId).map(({ trace_id: _, patch_id: __, patch_json, ...r }) => [patch_json, r]);
		const want = run.stores.flatMap((s) => s.patches.map((p) => ({
			patch_store_id: s.id, workflow_id: s.executableId, node_id: nodeAround(run, p.spanId), span_id: p.spanId, ordinal: p.event, action: p.action, event_id: p.id,
			at: String(p.timeNs), patch_text: p.text, sequence: run.generation === 'C' ? p.number : null,
		}))).sort((a, b) => (BigInt(a.at) < BigInt(b.at) ? -1 : 1));
		assert.deepEqual(got.map(([, r]) => r), want, run.traceId);
		for (const [json, r] of got) assert.deepEqual(json, JSON.parse(r.patch_text));
	}
}

describe('runs at random', () => {
	for (const generation of generations)
		it(`R10: 40 runs of generation ${generation} are verified, with the state before and after each step (seed ${seed})`, async () => {
			const random = generator(randomOf(seed + generation.charCodeAt(0)));
			const runs = Array.from({ length: 40 }, () => makeRun(random(generation)));
			assert.ok(runs.some((r) => r.failure) && runs.some((r) => r.stores.length > 2));
			await sent(...runs);
			for (const run of runs) await check(run);
			await checkRows(runs);
			await sent(...runs); // again: it adds nothing
			await checkRows(runs);
		});
});

// ---- damage is where it is, and nowhere else

const steps = (n, more) => Array.from({ length: n }, (_, i) => ({ node: `N${i + 1}`, do: [{ set: (s) => ({ ...s, n: (s.n ?? 0) + 1 }) }], ...more }));

describe('damage', () => {
	for (const generation of generations)
		it(`a patch of a subflow's store that was cut off harms neither the workflow's states nor another run (${generation})`, async () => {
			const spec = (damage) => ({ generation, service: 'damage', name: 'W', state: { n: 0 }, children: [...steps(2), { subflow: 'Sub', state: { m: 0 }, children: steps(3), post: [{ set: (s) => ({ ...s, done: true }) }], damage }, ...steps(2)] });
			const [bad, good] = [makeRun(spec({ patches: { 2: 'cut' } })), makeRun(spec())];
			await sent(bad, good);
			await check(good);
			const view = await viewOf(bad);
			assert.equal(view.verdict, 'not_reconstructable');
			assert.equal(view.verdict_store_id, bad.stores[1].id);
			assert.deepEqual(view.stores.map((s) => s.verdict), ['verified', 'not_reconstructable']);
			for (const s of view.steps.filter((x) => x.store_id === bad.workflow.id)) {
				const want = stepsOf(bad, bad.workflow).find((x) => x.spanId === s.span_id);
				assert.deepEqual([s.state_before, s.state_after], [want.before, want.after], s.node.name);
			}
		});

	it('every prefix of a patch is text or is applied, and every other step stays', async () => {
		const text = JSON.stringify([{ op: 'add', path: '/żó', value: { a: [1, 'ł🎉'] } }]);
		const bytes = [...text];
		const runs = bytes.map((_, i) => {
			const run = makeRun({ generation: 'A', service: 'prefixes', name: 'W', state: { n: 0 }, children: [...steps(1), { node: 'Cut', do: [{ set: JSON.parse(text) }] }, ...steps(1)] });
			run.spans.find((s) => s.name === 'Cut').events[0].attributes['junjo.state_json_patch'] = bytes.slice(0, i).join('');
			return run;
		});
		await sent(...runs);
		for (const [i, run] of runs.entries()) {
			const view = await viewOf(run);
			assert.equal(view.verdict, 'not_reconstructable', `${i}: ${view.verdict_reason}`);
			const [patch] = view.steps[1].patches;
			assert.deepEqual([patch.valid, patch.applied, patch.patch], [false, false, bytes.slice(0, i).join('')], `${i}`);
			assert.deepEqual(view.steps[2].patches[0].applied, true);
		}
	});

	it('C: order is that of the sequence, whatever the clock said', async () => {
		const run = makeRun({ generation: 'C', service: 'clock', name: 'W', state: { log: [] }, children: Array.from({ length: 5 }, (_, i) => ({ node: `N${i}`, do: [{ set: [{ op: 'add', path: '/log/-', value: i }] }, { set: [{ op: 'add', path: '/log/-', value: i + 0.5 }] }] })) });
		// A clock that was set back in the middle of it.
		for (const s of run.spans) for (const e of s.events) if (e.attributes['junjo.store.transition.sequence'] > 5) e.time = [e.time[0] - 3600, e.time[1]];
		await sent(run);
		const view = await viewOf(run);
		assert.equal(view.verdict, 'verified', view.verdict_reason);
		assert.deepEqual(view.stores[0].state_replayed, run.workflow.end);
	});

	it('C: a number that is there twice is said', async () => {
		const run = makeRun({ generation: 'C', service: 'twice', name: 'W', state: { n: 0 }, children: steps(4) });
		run.spans.find((s) => s.name === 'N3').events[0].attributes['junjo.store.transition.sequence'] = 2;
		await sent(run);
		const view = await viewOf(run);
		assert.equal(view.verdict, 'not_reconstructable');
		assert.match(view.verdict_reason, /twice|2/);
	});

	it('a span of the run that never came leaves the rest readable', async () => {
		for (const generation of generations) {
			const run = makeRun({ generation, service: 'lost', name: 'W', state: { n: 0 }, children: [...steps(2), { concurrent: 'Both', items: steps(2) }, ...steps(1)] });
			await send(weir, run.spans.filter((s) => s.name !== 'Both'));
			await loaded();
			const view = await viewOf(run);
			// The group's nodes have no parent here; their patches are the store's all the same, or it is said that some are missing.
			assert.equal(view.junjo_generation, 'ABC'.indexOf(generation) + 1);
			assert.ok(['verified', 'mismatch', 'not_reconstructable'].includes(view.verdict));
			if (view.verdict !== 'verified') assert.ok(view.verdict_reason.length > 10);
			assert.deepEqual(view.steps.slice(0, 2).map((s) => s.state_after), [{ n: 1 }, { n: 2 }]);
		}
	});
});

describe('what is hostile', () => {
	const attribute = ([key, v]) => ({ key, value: typeof v === 'string' ? { stringValue: v } : Number.isInteger(v) ? { intValue: String(v) } : { boolValue: v } });
	let made = 0;
	const span = (traceId, spanId, parentSpanId, attributes, patches = []) => ({
		traceId, spanId, ...(parentSpanId && { parentSpanId }), name: `span ${spanId}`, startTimeUnixNano: String(1795187531000000000n + BigInt(++made)), endTimeUnixNano: '1795187591000000000', attributes: Object.entries(attributes).map(attribute),
		events: patches.map(([store, patch]) => ({ name: 'set_state', timeUnixNano: String(1795187532000000000n + BigInt(++made)), attributes: Object.entries({ 'junjo.store.id': store, 'junjo.state_json_patch': patch }).map(attribute) })),
	});
	const id = (n, digits) => n.toString(16).padStart(digits, '0');
	const flow = (store, start = '{}', end = '{}') => ({ 'junjo.span_type': 'workflow', 'junjo.id': 'w', 'junjo.workflow.store.id': store, 'junjo.workflow.state.start': start, 'junjo.workflow.state.end': end });
	const node = { 'junjo.span_type': 'node', 'junjo.id': 'n' };
	async function view(spans) {
		const traceId = id(0xfeed0000 + ++made, 32);
		const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ resourceSpans: [{ resource: {}, scopeSpans: [{ spans: spans(traceId) }] }] }) });
		assert.equal(res.status, 200, await res.text());
		await loaded();
		return ask(`/api/v1/workflows/${traceId}/${id(1, 16)}`);
	}

	it('spans that are each other\'s parents, and their own', async () => {
		const v = await view((t) => [span(t, id(1, 16), id(2, 16), flow('s')), span(t, id(2, 16), id(1, 16), flow('s2')), span(t, id(3, 16), id(3, 16), node), span(t, id(4, 16), id(2, 16), node, [['s', '[]']])]);
		assert.equal(v.span_id, id(1, 16));
		assert.ok(v.steps.every((s) => s.span_id !== id(3, 16)));
	});

	it('two spans that own one store, a store that nobody owns, and one without a name', async () => {
		const v = await view((t) => [span(t, id(1, 16), null, flow('s', '{}', '{"a":1}')), span(t, id(2, 16), id(1, 16), flow('s', '{}', '{}')), span(t, id(3, 16), id(1, 16), node, [['s', '[{"op":"add","path":"/a","value":1}]'], ['nobody', '[{"op":"remove","path":""}]'], ['', 'x']])]);
		const patches = v.steps.find((s) => s.span_id === id(3, 16)).patches;
		assert.deepEqual(patches.map((p) => [p.store_id, p.place !== null]), [['s', true], ['nobody', false], ['', false]]);
	});

	it('a chain of 2,000 spans, each in the one before', async () => {
		const v = await view((t) => [span(t, id(1, 16), null, flow('s', '{"n":0}', '{"n":2000}')), ...Array.from({ length: 2000 }, (_, i) => span(t, id(i + 2, 16), id(i + 1, 16), node, [['s', `[{"op":"replace","path":"/n","value":${i + 1}}]`]]))]);
		assert.equal(v.verdict, 'verified', v.verdict_reason);
		assert.equal(v.step_count, 2000);
	});

	it('patches that would grow without end, deep ones, and pointers to nowhere are a verdict', async () => {
		// Of a text that is not short the memory is full before there are a million values to take apart again.
		const text = 'x'.repeat(thorough ? 1 : 65536);
		const doubling = Array.from({ length: 60 }, () => ['s', '[{"op":"copy","from":"","path":"/x"},{"op":"copy","from":"/x","path":"/y"}]']);
		for (const patches of [doubling, [['s', '['.repeat(5000)]], [['s', `[{"op":"add","path":"/a","value":${'['.repeat(500)}${']'.repeat(500)}}]`]], [['s', '[{"op":"add","path":"a","value":1}]']], [['s', '[{"op":"add","path":"/~2","value":1}]']],
			[['s', '[{"op":"add","path":"/__proto__/x","value":1}]']], [['s', '{"op":"add"}']], [['s', '[[]]']], [['s', '[null]']], [['s', '1']], [['s', '[{"op":"nonsense","path":""}]']]]) {
			const v = await view((t) => [span(t, id(1, 16), null, flow('s', `{"a":"${text}"}`, `{"a":"${text}"}`)), span(t, id(2, 16), id(1, 16), node, patches)]);
			assert.ok(['mismatch', 'not_reconstructable'].includes(v.verdict), `${patches[0][1].slice(0, 60)}: ${v.verdict}`);
			assert.ok(v.verdict_reason.length > 10);
		}
		assert.ok(weir.alive());
	});
});
