// SPDX-License-Identifier: Apache-2.0
//
// The views of SQL that are about Junjo's workflows and calls of language models: rows are those of a plain computation from
// what was sent, in all three generations of Junjo's SDK and all three dialects, whatever a query's conditions are.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Weir } from './lib/weir.mjs';

let weir;

async function sql(query, tenant = 'acme') {
	const res = await fetch(`http://${weir.api}/api/v1/sql`, {
		method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: JSON.stringify({ query }),
	});
	const text = await res.text();
	assert.equal(res.status, 200, `${query}: ${text.slice(0, 500)}`);
	return JSON.parse(text).rows;
}

// ---- what is sent

let state = 20261130;
const random = (n) => {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor(state / 2 ** 32 * n);
};
const pick = (list) => list[random(list.length)];
const hex = (n) => Array.from({ length: n / 8 }, () => random(2 ** 32).toString(16).padStart(8, '0')).join('');

const base = (BigInt(Date.now()) - 7200000n) * 1000000n; // two hours ago
const second = 1000000000n;

function toValue(v) {
	if (typeof v === 'boolean') return { boolValue: v };
	if (typeof v === 'string') return { stringValue: v };
	if (Array.isArray(v)) return { arrayValue: { values: v.map(toValue) } };
	if (typeof v === 'bigint') return { intValue: String(v) };
	return Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v };
}
const toAttributes = (a) => Object.entries(a).filter(([, v]) => v !== undefined).map(([key, v]) => ({ key, value: toValue(v) }));

let clock = 0n;
function span({ trace, parent, id = hex(16), name = 'x', service = 'flows', attributes = {}, events = [], start = base + (clock += 10000000n), end = start + 5000000n, status = 0 }) {
	return { trace, id, parent, name, service, attributes, events, start, end, status };
}
const toTraces = (spans) => ({ resourceSpans: [...new Set(spans.map((s) => s.service))].map((service) => ({
	resource: { attributes: toAttributes({ 'service.name': service }) },
	scopeSpans: [{ scope: { name: 'junjo' }, spans: spans.filter((s) => s.service === service).map((s) => ({
		traceId: s.trace, spanId: s.id, ...(s.parent && { parentSpanId: s.parent }), name: s.name, kind: 1,
		startTimeUnixNano: String(s.start), endTimeUnixNano: String(s.end), status: { code: s.status }, attributes: toAttributes(s.attributes),
		events: s.events.map((e) => ({ name: e.name, timeUnixNano: String(e.time), attributes: toAttributes(e.attributes) })) })) }] })) });

async function send(spans, tenant = 'acme') {
	const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant }, body: JSON.stringify(toTraces(spans)) });
	assert.equal(res.status, 200, await res.text());
}

// Spans and events as the three generations of the SDK have them.
const sdk = {
	A: {
		span: (type, id, parent, extra = {}) => ({ 'junjo.span_type': type, 'junjo.id': id, ...(parent && { 'junjo.parent_id': parent }), ...extra }),
		graph: 'junjo.workflow.graph_structure', noop: '{}', sequenced: false,
	},
	B: {
		span: (type, id, parent, extra = {}) => ({ 'junjo.span_type': type, 'junjo.telemetry.contract_version': 1, 'junjo.executable_runtime_id': id,
			'junjo.executable_definition_id': `def-${id}`, ...(parent && { 'junjo.parent_executable_runtime_id': parent }), ...extra }),
		graph: 'junjo.workflow.execution_graph_snapshot', noop: '{}', sequenced: false,
	},
	C: {
		span: (type, id, parent, extra = {}) => ({ 'junjo.span_type': type, 'junjo.telemetry.contract_version': 2, 'junjo.executable_runtime_id': id,
			'junjo.executable_definition_id': `def-${id}`, ...(parent && { 'junjo.parent_executable_runtime_id': parent }), ...extra }),
		graph: 'junjo.workflow.execution_graph_snapshot', noop: '[]', sequenced: true,
	},
};

const sequences = new Map();
function setState(generation, store, patch, { time = base + (clock += 1000000n), ...extra } = {}) {
	const sequence = (sequences.get(store) ?? 0) + 1;
	sequences.set(store, sequence);
	return { name: 'set_state', time, attributes: { id: `event-${hex(8)}`, 'junjo.store.name': `Store ${store.length}`, 'junjo.store.id': store, 'junjo.store.action': pick(['set', 'append']),
		'junjo.state_json_patch': patch, ...(sdk[generation].sequenced && { 'junjo.store.transition.sequence': sequence, 'junjo.store.revision.before': sequence - 1, 'junjo.store.revision.after': sequence }), ...extra } };
}
const change = (path) => JSON.stringify([{ op: 'replace', path, value: random(100) }]);

// A run with all that can be in one.
function run(g, trace = hex(32)) {
	const { span: of, graph, noop } = sdk[g];
	const [main, sub] = [`store-${hex(8)}`, `store-${hex(8)}`];
	const list = [];
	const add = (parent, name, attributes, events = [], more = {}) => {
		const s = span({ trace, parent: parent?.id, name, attributes, events, ...more });
		list.push(s);
		return s;
	};
	const flow = add(null, 'Flow', of('workflow', `flow-${trace}`, null, { 'junjo.workflow.state.start': '{"n":0,"big":12345678901234567890}', 'junjo.workflow.state.end': '{"n":1', [graph]: '{"v":1,"nodes":[]}',
		'junjo.workflow.store.id': main, 'junjo.workflow.node.count': 5, 'junjo.workflow_id': 'old-flow', 'node.id': 'old-node' }), [setState(g, main, change('/start'))]);
	const node = add(flow, 'Node', of('node', `node-${trace}`, `flow-${trace}`), [setState(g, main, change('/a')), { name: 'exception', time: base + 1n, attributes: { 'exception.type': 'E' } }, setState(g, main, noop), setState(g, main, '[{"op":"repl')]);
	const llm = add(node, 'LLM', { 'openinference.span.kind': 'LLM' }, [setState(g, main, change('/llm'))], { service: 'model' });
	add(llm, 'HTTP', { 'http.method': 'POST' }, [setState(g, main, change('/http'))], { service: 'model' });
	const both = add(flow, 'Both', of('run_concurrent', `both-${trace}`, `flow-${trace}`), [setState(g, main, change('/both'))]);
	for (const i of [1, 2]) add(both, `Node ${i}`, of('node', `both${i}-${trace}`, `both-${trace}`), [setState(g, main, change(`/c/${i}`))]);
	const inner = add(both, 'Sub', of('subflow', `sub-${trace}`, `both-${trace}`, { 'junjo.workflow.state.start': '{}', 'junjo.workflow.state.end': '{}', 'junjo.workflow.store.id': sub, 'junjo.workflow.parent_store.id': main }),
		[setState(g, sub, change('/pre')), setState(g, main, change('/post'))]);
	const deep = add(inner, 'Deep', of('node', `deep-${trace}`, `sub-${trace}`), [setState(g, sub, change('/deep'))]);
	let at = deep;
	for (let i = 0; i < 5; i++) at = add(at, `inside ${i}`, {});
	add(at, 'innermost', {}, [setState(g, sub, change('/in'))]);
	return list;
}

// Any tree there can be, and what can be none.
function anything(traces) {
	const list = [];
	for (let t = 0; t < traces; t++) {
		const trace = hex(32), of = pick(Object.keys(sdk)), stores = Array.from({ length: 3 }, () => `store-${hex(8)}`), here = [];
		for (let i = 0; i < 12; i++) {
			const type = pick(['workflow', 'subflow', 'node', 'run_concurrent', 'agent', null, null, null]);
			const parent = here.length === 0 || random(8) === 0 ? (random(2) ? hex(16) : null) : pick(here).id;
			const owns = ['workflow', 'subflow'].includes(type) && stores.length > 0 && random(4) ? stores.pop() : undefined;
			const events = Array.from({ length: random(3) }, () => setState(of, pick([...here.flatMap((s) => s.attributes['junjo.workflow.store.id'] ?? []), 'store-nowhere']), change('/x')));
			here.push(span({ trace, parent, service: pick(['flows', 'model', 'web']), attributes: type ? sdk[of].span(type, `${type}-${hex(8)}`, null, { 'junjo.workflow.store.id': owns }) : { x: 1 }, events }));
		}
		list.push(...here);
	}
	// Two that are each other's parent, and one that is its own.
	const trace = hex(32), [a, b, c] = [hex(16), hex(16), hex(16)];
	list.push(span({ trace, id: a, parent: b, events: [setState('A', 'store-nowhere', change('/x'))] }), span({ trace, id: b, parent: a, events: [setState('A', 'store-nowhere', change('/y'))] }),
		span({ trace, id: c, parent: c, events: [setState('A', 'store-nowhere', change('/z'))] }));
	// One whose workflow and node began too long ago to be looked for, one that is just within reach, and one at the end of all times.
	for (const ago of [86400n * second + 1n, 86400n * second]) {
		const [trace, store] = [hex(32), `store-${hex(8)}`], now = base + (clock += 10000000n), start = now - ago;
		const flow = span({ trace, start, attributes: sdk.A.span('workflow', `flow-${hex(8)}`, null, { 'junjo.workflow.store.id': store }) });
		const node = span({ trace, parent: flow.id, start, attributes: sdk.A.span('node', `node-${hex(8)}`) });
		list.push(flow, node, span({ trace, parent: node.id, start: now, events: [setState('A', store, change('/x'))] }));
	}
	const last = 2n ** 64n - 2n;
	list.push(span({ trace: hex(32), parent: hex(16), start: last, end: last, events: [setState('A', 'store-nowhere', change('/x'), { time: last })] }));
	return list;
}

// ---- what must come of it

const isJson = (text) => {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
};
const idOf = (s) => s.attributes['junjo.executable_runtime_id'] ?? s.attributes['junjo.id'];
const typeOf = (s) => s.attributes['junjo.span_type'];

function patchesOf(spans) {
	const byId = new Map(spans.map((s) => [`${s.trace}/${s.id}`, s]));
	const inReach = (above, below) => above.start >= below.start - 86400n * second && above.start <= below.start + 60n * second;
	const nodeOf = (own) => {
		let s = own;
		for (const seen = new Set(); s && !seen.has(s) && inReach(s, own); s = byId.get(`${s.trace}/${s.parent}`)) {
			seen.add(s);
			if (['node', 'run_concurrent'].includes(typeOf(s))) return idOf(s);
		}
		return '';
	};
	return spans.flatMap((s) => s.events.map((e, ordinal) => ({ e, ordinal })).filter(({ e }) => e.name === 'set_state').map(({ e, ordinal }) => {
		const a = e.attributes, text = a['junjo.state_json_patch'];
		const owner = spans.find((o) => o.trace === s.trace && ['workflow', 'subflow'].includes(typeOf(o)) && o.attributes['junjo.workflow.store.id'] === a['junjo.store.id'] && inReach(o, s));
		return { patch_id: `${s.trace}-${s.id}-${ordinal}`, service_name: s.service, trace_id: s.trace, span_id: s.id, workflow_id: owner ? idOf(owner) : '', node_id: nodeOf(s),
			event_unix_nano: String(e.time), ordinal, sequence: a['junjo.store.transition.sequence'] ?? null, patch_store_id: a['junjo.store.id'], store_name: a['junjo.store.name'], action: a['junjo.store.action'],
			patch_json: isJson(text) ? JSON.parse(text) : null, patch_text: text, event_id: a.id };
	})).sort((x, y) => (x.patch_id < y.patch_id ? -1 : 1));
}
const patch_columns = 'patch_id, service_name, trace_id, span_id, workflow_id, node_id, event_unix_nano, ordinal, sequence, patch_store_id, store_name, action, patch_json, patch_text, event_id';

const calls = [
	// OpenTelemetry, the present names
	[{ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'OpenAI', 'gen_ai.request.model': 'gpt-x', 'gen_ai.response.model': 'gpt-x-2026', 'gen_ai.usage.input_tokens': 12, 'gen_ai.usage.output_tokens': 30,
		'gen_ai.response.finish_reasons': ['stop', 'length'], 'gen_ai.request.temperature': 0.25, 'gen_ai.agent.name': 'helper', 'gen_ai.conversation.id': 'c1' },
	{ provider: 'openai', model: 'gpt-x-2026', request_model: 'gpt-x', operation: 'chat', input_tokens: 12, output_tokens: 30, total_tokens: 42, finish_reason: 'stop', temperature: 0.25, agent: 'helper', conversation: 'c1' }],
	// the names up to 1.36
	[{ 'gen_ai.system': 'anthropic', 'gen_ai.request.model': 'cl', 'gen_ai.usage.prompt_tokens': 5, 'gen_ai.usage.completion_tokens': 6, 'gen_ai.usage.cost': 0.5 },
		{ provider: 'anthropic', model: 'cl', request_model: 'cl', input_tokens: 5, output_tokens: 6, total_tokens: 11, cost_usd: 0.5 }],
	// OpenInference
	[{ 'openinference.span.kind': 'LLM', 'llm.provider': 'azure', 'llm.system': 'openai', 'llm.model_name': 'gpt-y', 'llm.token_count.prompt': 7, 'llm.token_count.completion': 8, 'llm.token_count.total': 20,
		'llm.cost.total': 0.125, 'llm.invocation_parameters': '{"temperature":0.7,"max_tokens":5}', 'session.id': 's1', 'llm.finish_reason': 'stop' },
	{ provider: 'azure', model: 'gpt-y', request_model: 'gpt-y', operation: 'LLM', input_tokens: 7, output_tokens: 8, total_tokens: 20, cost_usd: 0.125, temperature: 0.7, conversation: 's1', finish_reason: 'stop' }],
	[{ 'openinference.span.kind': 'EMBEDDING', 'embedding.model_name': 'emb', 'llm.invocation_parameters': 'no { json' }, { model: 'emb', request_model: 'emb', operation: 'EMBEDDING' }],
	// OpenLLMetry
	[{ 'llm.request.type': 'chat', 'gen_ai.system': 'Groq', 'gen_ai.request.model': 'llama', 'gen_ai.usage.prompt_tokens': 3, 'gen_ai.usage.completion_tokens': 4, 'llm.usage.total_tokens': 7,
		'llm.response.finish_reason': 'tool_calls', 'traceloop.association.properties.session_id': 's2' },
	{ provider: 'groq', model: 'llama', request_model: 'llama', operation: 'chat', input_tokens: 3, output_tokens: 4, total_tokens: 7, finish_reason: 'tool_calls', conversation: 's2' }],
	// numbers that are none
	[{ 'gen_ai.operation.name': 'chat', 'gen_ai.usage.input_tokens': '12', 'gen_ai.usage.output_tokens': -3, 'gen_ai.usage.cost': -1, 'gen_ai.response.finish_reasons': '["a","b"]' },
		{ operation: 'chat', finish_reason: 'a' }],
	[{ 'gen_ai.operation.name': 'chat', 'gen_ai.usage.input_tokens': 2.5, 'llm.cost.prompt': 0.25, 'llm.cost.completion': 0.5 }, { operation: 'chat', cost_usd: 0.75 }],
	// tools and agents call no model
	[{ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 't' }, null],
	[{ 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'a', 'gen_ai.usage.input_tokens': 99, 'gen_ai.request.model': 'm' }, null],
	[{ 'gen_ai.provider.name': 'openai', 'gen_ai.agent.name': 'a' }, null],
	[{ 'openinference.span.kind': 'TOOL', 'gen_ai.operation.name': 'chat' }, null],
	[{ 'openinference.span.kind': 'CHAIN' }, null],
	[{ 'llm.provider': 'openai' }, null],
	[{ 'gen_ai.operation.name': 'guess' }, null],
	[{ 'gen_ai.operation.name': 'guess', 'gen_ai.request.model': 'm' }, { operation: 'guess', model: 'm', request_model: 'm' }],
];
const call_columns = ['provider', 'model', 'request_model', 'operation', 'input_tokens', 'output_tokens', 'total_tokens', 'cost_usd', 'finish_reason', 'temperature', 'agent', 'conversation'];

let spans, runs, callSpans;

before(async () => {
	weir = await Weir.start({ args: ['--seal-rows', '64', '--segment-bytes', '64k'] });
	runs = { A: run('A'), B: run('B'), C: run('C') };
	spans = [...Object.values(runs).flat(), ...anything(60)];
	callSpans = calls.map(([attributes]) => span({ trace: hex(32), service: 'calls', name: 'call', attributes }));
	// In other orders than that of time, and children before their parents.
	const shuffled = [...spans, ...callSpans].map((s) => [random(2 ** 31), s]).sort((a, b) => a[0] - b[0]).map(([, s]) => s);
	for (let i = 0; i < shuffled.length; i += 100) await send(shuffled.slice(i, i + 100));
	// The same traces of somebody else, with other owners.
	await send(runs.A.map((s) => ({ ...s, attributes: { ...s.attributes, 'junjo.id': 'of zeta' } })), 'zeta');
	const deadline = Date.now() + 20000;
	while ((await sql('SELECT count(*) AS n FROM spans'))[0].n < shuffled.length && Date.now() < deadline);
});
after(() => weir?.stop());

describe('state_patches', () => {
	it('has each change once, with its owners', async () => {
		assert.deepEqual(await sql(`SELECT ${patch_columns} FROM state_patches ORDER BY patch_id`), patchesOf(spans));
	});
	it('names the owners that a person would, in each generation', async () => {
		for (const list of Object.values(runs)) {
			const trace = list[0].trace;
			const rows = await sql(`SELECT s.name, p.workflow_id, p.node_id, p.patch_json->0->>'path' AS path FROM state_patches p JOIN spans s USING (trace_id, span_id)
				WHERE p.trace_id = '${trace}' ORDER BY event_unix_nano`);
			const flow = `flow-${trace}`, sub = `sub-${trace}`;
			assert.deepEqual(rows.map((r) => [r.name, r.workflow_id, r.node_id, r.path]), [
				['Flow', flow, '', '/start'], ['Node', flow, `node-${trace}`, '/a'], ['Node', flow, `node-${trace}`, null], ['Node', flow, `node-${trace}`, null],
				['LLM', flow, `node-${trace}`, '/llm'], ['HTTP', flow, `node-${trace}`, '/http'], ['Both', flow, `both-${trace}`, '/both'],
				['Node 1', flow, `both1-${trace}`, '/c/1'], ['Node 2', flow, `both2-${trace}`, '/c/2'],
				['Sub', sub, `both-${trace}`, '/pre'], ['Sub', flow, `both-${trace}`, '/post'], ['Deep', sub, `deep-${trace}`, '/deep'], ['innermost', sub, `deep-${trace}`, '/in'],
			]);
		}
	});
	it('says the same whatever the conditions are', async () => {
		const all = patchesOf(spans), byId = new Map(spans.map((s) => [s.id, s]));
		const middle = base + clock / 2n;
		const conditions = [
			[`trace_id = '${runs.B[0].trace}'`, (p) => p.trace_id === runs.B[0].trace],
			["service_name = 'model'", (p) => p.service_name === 'model'],
			["node_id = ''", (p) => p.node_id === ''],
			["node_id <> '' AND workflow_id = ''", (p) => p.node_id !== '' && p.workflow_id === ''],
			[`start_time >= make_timestamp_ns(${middle})`, (p) => byId.get(p.span_id).start >= middle],
			[`start_time < make_timestamp_ns(${middle}) AND service_name = 'web'`, (p) => byId.get(p.span_id).start < middle && p.service_name === 'web'],
			[`event_unix_nano > ${middle}`, (p) => BigInt(p.event_unix_nano) > middle],
			["store_name = 'Store 14' AND action = 'set'", (p) => p.store_name === 'Store 14' && p.action === 'set'],
			['sequence = 1 AND ordinal = 0', (p) => p.sequence === 1 && p.ordinal === 0],
			['patch_json IS NULL', (p) => p.patch_json === null],
			["patch_text = '{}'", (p) => p.patch_text === '{}'],
			[`patch_id = '${all[3].patch_id}'`, (p) => p.patch_id === all[3].patch_id],
		];
		for (const [condition, accept] of conditions) {
			const want = all.filter(accept);
			assert.ok(want.length > 0, condition);
			assert.deepEqual(await sql(`SELECT ${patch_columns} FROM state_patches WHERE ${condition} ORDER BY patch_id`), want, condition);
			assert.deepEqual(await sql(`SELECT count(*) FILTER (WHERE ${condition}) AS n FROM state_patches`), [{ n: want.length }], condition);
		}
		// Two conditions in one statement.
		assert.deepEqual(await sql(`SELECT (SELECT count(*) FROM state_patches WHERE trace_id = '${runs.A[0].trace}') AS a, (SELECT count(*) FROM state_patches WHERE service_name = 'web') AS b`),
			[{ a: all.filter((p) => p.trace_id === runs.A[0].trace).length, b: all.filter((p) => p.service_name === 'web').length }]);
	});
	it('belongs to its tenant', async () => {
		const rows = await sql('SELECT DISTINCT workflow_id FROM state_patches', 'zeta');
		assert.deepEqual(rows, [{ workflow_id: 'of zeta' }]);
		assert.deepEqual(await sql('SELECT * FROM state_patches', 'nobody'), []);
	});
	it('gets an owner when the owner comes', async () => {
		const [flow, node, llm] = run('A');
		const owners = async () => (await sql(`SELECT workflow_id, node_id FROM state_patches WHERE trace_id = '${flow.trace}' AND span_id = '${llm.id}'`, 'late'));
		const until = async (span) => {
			await send([span], 'late');
			while ((await sql(`SELECT 1 AS n FROM spans WHERE span_id = '${span.id}'`, 'late')).length === 0);
		};
		await until(llm);
		assert.deepEqual(await owners(), [{ workflow_id: '', node_id: '' }]);
		await until(node);
		assert.deepEqual(await owners(), [{ workflow_id: '', node_id: `node-${flow.trace}` }]);
		await until(flow);
		assert.deepEqual(await owners(), [{ workflow_id: `flow-${flow.trace}`, node_id: `node-${flow.trace}` }]);
	});
});

describe('junjo_spans', () => {
	const nine = ['junjo.workflow_id', 'node.id', 'junjo.id', 'junjo.parent_id', 'junjo.span_type', 'junjo.workflow.state.start', 'junjo.workflow.state.end', 'junjo.workflow.graph_structure', 'junjo.workflow.store.id'];
	it('has the attributes of a span in columns, and no longer in attributes_json', async () => {
		const known = spans.filter((s) => typeOf(s));
		const want = known.map((s) => {
			const a = s.attributes;
			const json = (key) => (a[key] !== undefined && isJson(a[key]) ? JSON.parse(a[key]) : null);
			const left = Object.fromEntries(Object.entries(a).filter(([k, v]) => v !== undefined && (!nine.includes(k) || (/state|graph/.test(k) && !isJson(v)))));
			return { span_id: s.id, parent_span_id: s.parent ?? null, service_name: s.service, junjo_id: idOf(s), junjo_parent_id: a['junjo.parent_executable_runtime_id'] ?? a['junjo.parent_id'] ?? null,
				junjo_span_type: typeOf(s), junjo_wf_state_end: json('junjo.workflow.state.end'),
				junjo_wf_graph_structure: json('junjo.workflow.execution_graph_snapshot') ?? json('junjo.workflow.graph_structure'), junjo_wf_store_id: a['junjo.workflow.store.id'] ?? null,
				legacy_workflow_id: a['junjo.workflow_id'] ?? null, legacy_node_id: a['node.id'] ?? null, attributes_json: left };
		}).sort((x, y) => (x.span_id < y.span_id ? -1 : 1));
		const columns = Object.keys(want[0]).join(', ');
		assert.deepEqual(await sql(`SELECT ${columns} FROM junjo_spans ORDER BY span_id`), want);
	});
	it('keeps a state that is no JSON as the text it is, and large numbers in one that is', async () => {
		const [row] = await sql(`SELECT junjo_wf_state_start, junjo_wf_state_end, attributes_json->>'junjo.workflow.state.end' AS text FROM junjo_spans WHERE junjo_id = 'flow-${runs.A[0].trace}'`);
		assert.deepEqual(row, { junjo_wf_state_start: { n: 0, big: '12345678901234567890' }, junjo_wf_state_end: null, text: '{"n":1' });
	});
	it('is found by trace, type and service', async () => {
		assert.deepEqual(await sql(`SELECT name FROM junjo_spans WHERE trace_id = '${runs.C[0].trace}' AND junjo_span_type = 'node' ORDER BY start_time`), [{ name: 'Node' }, { name: 'Node 1' }, { name: 'Node 2' }, { name: 'Deep' }]);
		assert.deepEqual(await sql("SELECT count(*) AS n FROM junjo_spans WHERE service_name = 'calls' OR name = 'LLM'"), [{ n: 0 }]);
	});
});

describe('llm_calls', () => {
	it('has the same columns whatever the dialect, and no tools and agents', async () => {
		const want = calls.flatMap(([, row], i) => (row ? [{ span_id: callSpans[i].id, ...Object.fromEntries(call_columns.map((c) => [c, row[c] ?? null])) }] : [])).sort((a, b) => (a.span_id < b.span_id ? -1 : 1));
		assert.deepEqual(await sql(`SELECT span_id, ${call_columns.join(', ')} FROM llm_calls WHERE service = 'calls' ORDER BY span_id`), want);
	});
	it('has the calls of workflows too, with their times', async () => {
		const llm = runs.A.find((s) => s.name === 'LLM');
		assert.deepEqual(await sql(`SELECT span_id, service, operation, duration_ms, status FROM llm_calls WHERE trace_id = '${llm.trace}'`), [{ span_id: llm.id, service: 'model', operation: 'LLM', duration_ms: 5, status: 'unset' }]);
		assert.deepEqual(await sql("SELECT service, count(*) AS n, sum(total_tokens) AS tokens FROM llm_calls GROUP BY service ORDER BY service"), [
			{ service: 'calls', n: calls.filter(([, row]) => row).length, tokens: calls.reduce((sum, [, row]) => sum + (row?.total_tokens ?? 0), 0) }, { service: 'model', n: 3, tokens: null }]);
	});
});
