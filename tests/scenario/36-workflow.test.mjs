// SPDX-License-Identifier: Apache-2.0
//
// Runs of agents: listed, shown step by step with the state before and after each, verified, compared. What they should say is
// computed while the run is made up (lib/junjo.mjs).
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { makeRun, send } from './lib/junjo.mjs';
import { otlpMap } from './lib/plain.mjs';
import { Weir, patience, sleep } from './lib/weir.mjs';

let weir;
before(async () => (weir = await Weir.start()));
after(() => weir.stop());

async function ask(path) {
	const { status, body, text } = await weir.get(path);
	assert.equal(status, 200, `${path}: ${text.slice(0, 500)}`);
	return body;
}

async function arrived(traceId, count) {
	for (const deadline = Date.now() + patience; ; await sleep(20)) {
		const { status, body } = await weir.get(`/api/v1/traces/${traceId}?limit=10000`);
		if (status === 200 && body.spans.length === count) return;
		assert.ok(Date.now() < deadline, weir.log);
	}
}

async function sent(spec, options) {
	const run = makeRun(spec, options);
	await send(weir, run.spans);
	const root = run.spans.find((s) => s.attributes['junjo.span_type'] === 'workflow');
	run.traceId = root.spanContext().traceId;
	run.spanId = root.spanContext().spanId;
	await arrived(run.traceId, run.spans.length);
	return run;
}

const spec = (generation, service) => ({
	generation, service, name: 'Order', state: { items: [], n: 0, 'a/b~c': { 'żółć 🎉': 'quo"ted\\' }, big: 9007199254740991 },
	outer: { name: 'POST /order' },
	children: [
		{ node: 'Load', do: [{ set: [{ op: 'add', path: '/items/-', value: { id: 1 } }], action: 'add_item' }, { set: [], action: 'nothing' },
			{ llm: 'gen_ai', prompt: 'żółć', do: [{ set: (s) => ({ ...s, answer: 'yes' }), action: 'set_answer' }] }] },
		{ concurrent: 'Both', items: [{ node: 'X', do: [{ set: (s) => ({ ...s, n: s.n + 1 }) }, { llm: 'openinference' }] },
			{ node: 'Y', do: [{ set: [{ op: 'replace', path: '/a~1b~0c/żółć 🎉', value: 'new' }] }, { llm: 'openllmetry' }] }] },
		{ subflow: 'Ship', state: { parcel: null }, pre: [{ set: (s) => ({ ...s, from: 'Order' }) }],
			children: [{ node: 'Pack', do: [{ set: (s) => ({ ...s, parcel: ['box'] }) }] }], post: [{ set: (s) => ({ ...s, shipped: true }) }] },
	],
});

// Each store's patches, in order, as the run was made, against those of the view.
function checkStores(run, view) {
	assert.equal(view.stores.length, run.stores.length);
	for (const store of run.stores) {
		const told = view.stores.find((s) => s.store_id === store.id);
		assert.equal(told.owner_span_id, store.spanId);
		assert.deepEqual(told.state_start, store.start);
		assert.deepEqual(told.state_end, store.end);
		assert.deepEqual(told.state_replayed, store.end);
		assert.equal(told.verdict, 'verified', told.verdict_reason);
		assert.equal(told.patch_count, store.patches.length);
		const patches = [...view.patches, ...view.steps.flatMap((s) => s.patches)].filter((p) => p.store_id === store.id).sort((a, b) => a.place - b.place);
		assert.deepEqual(patches.map((p) => [p.place, p.span_id, p.ordinal, p.action, p.applied, p.no_change]),
			store.patches.map((p, i) => [i + 1, p.spanId, p.event, p.action ?? null, true, p.ops.length === 0]));
		for (const [i, p] of store.patches.entries()) assert.deepEqual(patches[i].patch, JSON.parse(p.text));
	}
}

for (const generation of ['A', 'B', 'C'])
	describe(`generation ${generation}`, () => {
		let run;
		let view;
		before(async () => {
			run = await sent(spec(generation, `orders ${generation}`));
			view = await ask(`/api/v1/workflows/${run.traceId}/${run.spanId}`);
		});

		it('is verified, store by store and patch by patch', () => {
			assert.equal(view.verdict, 'verified', view.verdict_reason);
			assert.equal(view.junjo_generation, 'ABC'.indexOf(generation) + 1);
			checkStores(run, view);
		});

		it('has each step in order, with the state of its store before and after it', () => {
			assert.deepEqual(view.steps.map((s) => [s.step, s.node.name, s.node.type, s.parent_step]), [[1, 'Load', 'node', null], [2, 'Both', 'run_concurrent', null],
				[3, 'X', 'node', 2], [4, 'Y', 'node', 2], [5, 'Ship', 'subflow', null], [6, 'Pack', 'node', 5]]);
			const own = run.stores.find((s) => s.spanId === run.spanId);
			assert.deepEqual(view.steps[0].state_before, own.start);
			assert.deepEqual(view.steps[0].state_after, own.patches[2].after);
			assert.deepEqual(view.steps[1].state_before, own.patches[2].after);
			assert.deepEqual(view.steps[1].state_after, own.patches[4].after);
			assert.deepEqual(view.steps[4].state_after, own.end);
			const ship = run.stores.find((s) => s.type === 'subflow');
			assert.deepEqual(view.steps[5].state_before, ship.patches[0].after);
			assert.deepEqual(view.steps[5].state_after, ship.end);
		});

		it('has the calls of models with the steps that made them', () => {
			assert.deepEqual(view.steps.map((s) => s.llm_calls.length), [1, 0, 1, 1, 0, 0]);
			assert.equal(view.llm.calls, 3);
		});

		it('has the graph, and what of it ran', () => {
			assert.equal(view.graph_error, null);
			assert.ok(view.graph.nodes.length >= 3);
			const ran = view.graph.nodes.filter((n) => n.runs > 0);
			assert.ok(ran.length >= 3, JSON.stringify(view.graph.nodes));
			for (const n of ran) assert.ok(view.steps.some((s) => s.span_id === n.span_ids[0] && s.node.name === n.label));
			assert.deepEqual(view.graph.nodes.map((n) => [n.label, n.runs, n.status]), ['Load', 'Both', 'X', 'Y', 'Ship', 'Pack'].map((name) => [name, 1, 'completed']));
		});

		it('is the run of its trace without a span, and the subflow is one of its own', async () => {
			assert.equal((await ask(`/api/v1/workflows/${run.traceId}`)).span_id, run.spanId);
			const ship = view.steps.find((s) => s.node.type === 'subflow');
			const inner = await ask(`/api/v1/workflows/${run.traceId}/${ship.span_id}`);
			assert.deepEqual(inner.steps.map((s) => s.node.name), ['Pack']);
			assert.equal(inner.verdict, 'verified', inner.verdict_reason);
		});

		it('is in the list, with what it did in numbers', async () => {
			const { workflows } = await ask(`/api/v1/workflows?service=${encodeURIComponent(`orders ${generation}`)}`);
			assert.equal(workflows.length, 1);
			const [w] = workflows;
			assert.deepEqual([w.span_id, w.step_count, w.patch_count, w.llm.calls, w.outcome], [run.spanId, 6, view.patch_count, 3, 'completed']);
		});

		it('R10: sent again it is the same, to the byte', async () => {
			const text = JSON.stringify(view);
			await send(weir, run.spans);
			await sleep(300);
			assert.equal(JSON.stringify(await ask(`/api/v1/workflows/${run.traceId}/${run.spanId}`)), text);
		});

		it('compares with itself as the same, and with another as what differs', async () => {
			const same = await ask(`/api/v1/workflows/compare?a=${run.traceId}&b=${run.traceId}`);
			assert.ok(same.end_state_same);
			assert.deepEqual(same.end_state_difference, []);
			assert.ok(same.steps.every((s) => s.difference === 'same'));
			const other = spec(generation, `orders ${generation} 2`);
			other.children[0].do[0].set[0].value.id = 2;
			other.children.splice(1, 1, { node: 'New', do: [] });
			const b = await sent(other);
			const c = await ask(`/api/v1/workflows/compare?a=${run.traceId}&b=${b.traceId}`);
			assert.ok(!c.end_state_same);
			assert.deepEqual(c.steps.map((s) => [s.name, s.difference]), [['Load', 'changed'], ['New', 'only_b'], ['Both', 'only_a'], ['X', 'only_a'], ['Y', 'only_a'], ['Ship', 'changed'], ['Pack', 'same']]);
		});
	});

// ---- what is wrong is said

const simple = (generation, more = {}) => ({ generation, service: 'damaged', name: 'Damaged', state: { n: 0, log: [] }, ...more,
	children: Array.from({ length: 4 }, (_, i) => ({ node: `N${i + 1}`, do: [{ set: (s) => ({ ...s, n: s.n + 1, log: [...s.log, `${i}`] }) }] })) });
const viewOf = async (made) => ask(`/api/v1/workflows/${made.traceId}/${made.spanId}`);

describe('a verdict', () => {
	for (const generation of ['A', 'B', 'C']) {
		it(`${generation}: names the step whose patch was cut off, and the rest is there`, async () => {
			const view = await viewOf(await sent(simple(generation, { damage: { patches: { 2: 'cut' } } })));
			assert.deepEqual([view.verdict, view.verdict_step], ['not_reconstructable', 2], view.verdict_reason);
			const [patch] = view.steps[1].patches;
			assert.ok(!patch.valid && !patch.applied && typeof patch.patch === 'string' && patch.error, JSON.stringify(patch));
			assert.deepEqual(view.steps[0].state_after, { n: 1, log: ['0'] });
			assert.equal(view.steps.length, 4);
		});

		it(`${generation}: says that the end is another one than was reported, and where`, async () => {
			const view = await viewOf(await sent(simple(generation, { damage: { end: 'wrong' } })));
			assert.deepEqual([view.verdict, view.verdict_step], ['mismatch', null], view.verdict_reason);
			assert.ok(view.verdict_pointer !== null && view.verdict_reason.length > 10);
		});

		it(`${generation}: names the step whose patch has no place in the state`, async () => {
			const view = await viewOf(await sent(simple(generation, { damage: { patches: { 3: 'unfit' } } })));
			assert.deepEqual([view.verdict, view.verdict_step], ['mismatch', 3], view.verdict_reason);
			assert.match(view.steps[2].patches[0].error, /operation \d+ /);
		});

		it(`${generation}: says that a start or an end was cut off`, async () => {
			for (const where of ['start', 'end']) {
				const view = await viewOf(await sent(simple(generation, { damage: { [where]: 'cut' } })));
				assert.equal(view.verdict, 'not_reconstructable', where);
				assert.match(view.verdict_reason, new RegExp(where === 'start' ? 'start|began' : 'end'));
			}
		});
	}

	it('A: of a patch that never came is that the state does not fit', async () => {
		const view = await viewOf(await sent(simple('A', { damage: { patches: { 4: 'missing' } } })));
		assert.equal(view.verdict, 'mismatch');
	});

	it('C: knows that a patch never came, and which payloads were withheld', async () => {
		const view = await viewOf(await sent(simple('C', { damage: { patches: { 2: 'missing' } } })));
		assert.equal(view.verdict, 'not_reconstructable', view.verdict_reason);
		for (const mode of ['redacted', 'excluded', 'reference']) {
			const withheld = await viewOf(await sent(simple('C', { damage: { patches: { 3: mode } } })));
			assert.deepEqual([withheld.verdict, withheld.verdict_step, withheld.steps[2].patches[0].mode], ['not_reconstructable', 3, mode]);
		}
	});
});

// ---- runs of other frameworks, and what is no run (yet)

describe('runs of others', () => {
	const id = (n, length) => n.toString(16).padStart(length, 'f');
	let traces = 0xa0;
	// [name, attributes, parent (number of a span from 1)]; the trace's id.
	async function traceOf(service, spans) {
		const traceId = id(++traces, 32);
		const t = BigInt(Date.now()) * 1000000n;
		const body = { resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] }, scopeSpans: [{ scope: {}, spans: spans.map(([name, attributes, parent], i) => ({
			traceId, spanId: id(i + 1, 16), ...(parent && { parentSpanId: id(parent, 16) }), name, kind: 1, startTimeUnixNano: String(t + BigInt(i)), endTimeUnixNano: String(t + 1000n),
			attributes: Object.entries(attributes).map(([key, v]) => ({ key, value: { stringValue: v } })),
		})) }] }] };
		const r = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
		assert.equal(r.status, 200, await r.text());
		await arrived(traceId, spans.length);
		return traceId;
	}
	const chat = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm', 'gen_ai.provider.name': 'acme' };

	it('are in the list and shown, in every dialect, as what they say they are', async () => {
		for (const [i, [attributes, type]] of [[{ 'gen_ai.operation.name': 'invoke_agent' }, 'agent'], [{ 'gen_ai.operation.name': 'invoke_workflow' }, 'workflow'], [{ 'openinference.span.kind': 'AGENT' }, 'agent'],
			[{ 'traceloop.span.kind': 'workflow' }, 'workflow'], [{ 'traceloop.span.kind': 'agent' }, 'agent']].entries()) {
			const traceId = await traceOf(`others ${i}`, [['whole', attributes], ['chat', chat, 1]]);
			for (const query of ['', `&type=${type}`, '&type=any']) {
				const list = await ask(`/api/v1/workflows?service=${encodeURIComponent(`others ${i}`)}${query}`);
				assert.deepEqual(list.workflows.map((w) => [w.trace_id, w.type, w.llm.calls]), [[traceId, type, 1]], JSON.stringify(attributes));
				assert.equal(list.count, 1);
			}
			const view = await ask(`/api/v1/workflows/${traceId}`);
			assert.deepEqual([view.type, view.verdict, view.steps.map((s) => s.node.type)], [type, 'nothing_to_verify', ['chat']]);
		}
	});

	it('the run that a trace is best known by is its workflow, and making an agent is none', async () => {
		const traceId = await traceOf('best', [['create_agent a', { 'gen_ai.operation.name': 'create_agent' }], ['invoke_agent a', { 'gen_ai.operation.name': 'invoke_agent' }], ['w', { 'traceloop.span.kind': 'workflow' }]]);
		assert.equal((await ask(`/api/v1/workflows/${traceId}`)).name, 'w');
		const list = await ask('/api/v1/workflows?service=best&type=any');
		assert.deepEqual([list.workflows.map((w) => w.name).sort(), list.count], [['invoke_agent a', 'w'], 2]);
	});

	it('a span that is no run for all that an attribute says is neither listed nor counted', async () => {
		await traceOf('nodes', [['n', { 'junjo.span_type': 'node', 'junjo.id': 'n', 'gen_ai.operation.name': 'invoke_agent' }]]);
		assert.deepEqual(await ask('/api/v1/workflows?service=nodes'), { workflows: [], count: 0 });
	});

	it('a chain is one when it is the top of its trace and calls a model', async () => {
		const chain = { 'openinference.span.kind': 'CHAIN' }, model = { 'openinference.span.kind': 'LLM', 'llm.model_name': 'm' };
		const graph = await traceOf('chains', [['graph', chain], ['step', chain, 1], ['ChatModel', model, 2]]);
		const withAgent = await traceOf('chains', [['outer', chain], ['agent', { 'openinference.span.kind': 'AGENT' }, 1], ['ChatModel', model, 2]]);
		const without = await traceOf('chains', [['retrieval', chain], ['step', chain, 1]]);
		const below = await traceOf('chains', [['GET /', { 'http.request.method': 'GET' }], ['inner', chain, 1], ['ChatModel', model, 2]]);
		const twice = await traceOf('chains', [['both', { ...chain, 'gen_ai.operation.name': 'invoke_workflow' }], ['ChatModel', model, 1]]);
		const wanted = [['both', twice, 'workflow'], ['agent', withAgent, 'agent'], ['outer', withAgent, 'workflow'], ['graph', graph, 'workflow']];
		const runs = (list) => list.workflows.map((w) => [w.name, w.trace_id, w.type]);
		for (const [query, types] of [['', ['workflow', 'agent']], ['&type=any', ['workflow', 'agent']], ['&type=workflow', ['workflow']], ['&type=agent', ['agent']], ['&type=subflow', []]]) {
			const expected = wanted.filter(([, , type]) => types.includes(type));
			const whole = await ask(`/api/v1/workflows?service=chains${query}`);
			assert.deepEqual([runs(whole), whole.count, whole.next_cursor], [expected, expected.length, undefined], query);
			assert.ok(whole.workflows.every((w) => w.llm.calls === 1));
			for (const limit of [1, 2, 3]) { // in pages, of which those of chains that call nothing are shorter
				const pages = [];
				for (let cursor = '', n = 0; cursor !== undefined; n++) {
					const page = await ask(`/api/v1/workflows?service=chains${query}&limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
					assert.ok(page.count <= limit && n < 10);
					pages.push(...runs(page));
					cursor = page.next_cursor;
				}
				assert.deepEqual(pages, expected, `${query} ${limit}`);
			}
		}
		const view = await ask(`/api/v1/workflows/${graph}`);
		assert.deepEqual([view.name, view.type, view.llm.calls, view.steps.map((s) => [s.node.name, s.node.type])], ['graph', 'workflow', 1, [['step', 'other'], ['ChatModel', 'chat']]]);
		assert.equal((await ask(`/api/v1/workflows/${withAgent}`)).name, 'agent'); // that is what it is best known by
		assert.equal((await ask(`/api/v1/workflows/${withAgent}/${id(1, 16)}`)).name, 'outer');
		for (const path of [without, `${without}/${id(1, 16)}`, below, `${below}/${id(2, 16)}`, `${graph}/${id(2, 16)}`])
			assert.equal((await weir.get(`/api/v1/workflows/${path}`)).status, 404, path);
	});

	it('of a trace whose run has not ended it says that it may come', async () => {
		for (const [parent, sentence] of [[9, /no workflow and no agent among its 1 span; they have no root yet/], [undefined, /no workflow and no agent among its 1 span$/]]) {
			const traceId = await traceOf('early', [['chat', chat, parent]]);
			const { status, body } = await weir.get(`/api/v1/workflows/${traceId}`);
			assert.equal(status, 404);
			assert.match(body.error.message, sentence);
		}
	});

	it('compared, neither has a state that could be the same', async () => {
		const a = await traceOf('bots', [['a', { 'gen_ai.operation.name': 'invoke_agent' }]]);
		assert.equal((await ask(`/api/v1/workflows/compare?a=${a}&b=${a}`)).end_state_same, null);
	});
});

describe('large runs', () => {
	it('10,000 patches are applied and shown, and time is not a question of their number squared', async () => {
		const big = { generation: 'C', service: 'big', name: 'Big', state: { n: 0, keep: 'x'.repeat(4096) },
			children: [{ node: 'Many', do: Array.from({ length: 10000 }, () => ({ set: [{ op: 'replace', path: '/n', value: Math.floor(Math.random() * 1000) }] })) }] };
		const run = await sent(big);
		const start = performance.now();
		const view = await viewOf(run);
		console.log(`# ${Math.round(performance.now() - start)} ms`);
		assert.equal(view.verdict, 'verified', view.verdict_reason);
		assert.equal(view.steps[0].patches.length, 10000);
		assert.deepEqual(view.steps[0].state_after, run.stores[0].end);
	});

	it('a difference that is far longer than both states is left out, and said', async () => {
		const name = 'k'.repeat(60000);
		const of = (members) => ({ generation: 'A', service: 'wide', name: 'Wide', state: { [name]: Object.fromEntries(members.map((i) => [`m${i}`, i])) },
			children: [{ node: 'Nothing', do: [] }] });
		const [a, b] = [await sent(of([...Array(5000).keys()])), await sent(of([]))];
		const c = await ask(`/api/v1/workflows/compare?a=${a.traceId}&b=${b.traceId}`);
		assert.deepEqual([c.end_state_same, c.end_state_difference, c.differences_left_out], [false, null, 2]);
		assert.equal(c.steps[0].difference, 'changed');
	});

	it('a state of 128 levels, a prompt of a mebibyte, unicode', async () => {
		const deep = Array.from({ length: 126 }).reduce((at) => ({ d: at }), { leaf: '漢字🎉' });
		const path = '/deep' + '/d'.repeat(126) + '/leaf';
		const run = await sent({ generation: 'A', service: 'deep', name: 'Deep', state: { deep },
			children: [{ node: 'Down', do: [{ set: [{ op: 'replace', path, value: 'żółć' }] }, { llm: 'gen_ai', prompt: 'p'.repeat(1 << 20) }] }] });
		const view = await viewOf(run);
		assert.equal(view.verdict, 'verified', view.verdict_reason);
		assert.deepEqual(view.steps[0].state_after, run.stores[0].end);
	});
});

describe('runs of other frameworks', () => {
	const kinds = [
		[['traceloop.span.kind', 'workflow'], 'workflow'],
		[['gen_ai.operation.name', 'workflow'], null],
		[['traceloop.span.kind', 'agent'], 'agent'],
		[['gen_ai.operation.name', 'invoke_agent'], 'agent'],
		[['gen_ai.operation.name', 'create_agent'], null],
		[['gen_ai.operation.name', 'invoke_workflow'], 'workflow'],
		[['openinference.span.kind', 'AGENT'], 'agent'],
		[['traceloop.span.kind', 'task'], null],
		[['openinference.span.kind', 'LLM'], 'workflow'], // which Traceloop says too
	];
	const idOf = (i) => String(i + 1).padStart(32, 'f');
	const service = 'other frameworks';

	before(async () => {
		const now = BigInt(Date.now()) * 1000000n;
		const spans = kinds.map(([pair], i) => ({ traceId: idOf(i), spanId: '00000000000000aa', name: pair.join(), kind: 1,
			startTimeUnixNano: String(now + BigInt(i)), endTimeUnixNano: String(now + BigInt(i) + 1000n),
			attributes: otlpMap([pair, ...(i === kinds.length - 1 ? [['traceloop.span.kind', 'workflow']] : [])]) }));
		const resource = { attributes: otlpMap([['service.name', service]]) };
		const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }) });
		assert.equal(res.status, 200);
		for (let i = 0; i < kinds.length; i++) await arrived(idOf(i), 1);
	});

	it('are in the list exactly when they can be shown, and are counted', async () => {
		const { workflows, count } = await ask(`/api/v1/workflows?service=${encodeURIComponent(service)}`);
		const wanted = kinds.map(([, type], i) => [idOf(i), type]).filter(([, type]) => type).reverse();
		assert.deepEqual(workflows.map((w) => [w.trace_id, w.type]), wanted);
		assert.equal(count, wanted.length);
		for (const [i, [, type]] of kinds.entries()) {
			const { status, body } = await weir.get(`/api/v1/workflows/${idOf(i)}`);
			assert.deepEqual([status, body.type], type ? [200, type] : [404, undefined]);
		}
		for (const type of ['workflow', 'agent'])
			assert.deepEqual((await ask(`/api/v1/workflows?service=${encodeURIComponent(service)}&type=${type}`)).workflows.map((w) => w.trace_id),
				wanted.filter(([, t]) => t === type).map(([id]) => id));
	});
});
