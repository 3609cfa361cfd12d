// SPDX-License-Identifier: Apache-2.0
//
// Telemetry as Junjo's Python SDK sends it, in its three generations (A: to 0.62, B: 0.63 and 0.64, C: from 0.65), made of a plain
// object with the Node SDK of OpenTelemetry, and what is to be read from it: every change of every store with the state before and
// after, computed here while the run is made up, and not by weir.
//
//     const run = makeRun({
//         generation: 'C', service: 'shop', name: 'Order', state: { items: [] },
//         outer: { name: 'POST /order' },                             // a span of somebody else around all of it
//         children: [
//             { node: 'Load', do: [{ set: [{ op: 'add', path: '/items/-', value: 1 }], action: 'add_item' }] },
//             { concurrent: 'Both', items: [{ node: 'X', do: [...] }, { node: 'Y', do: [...] }] },
//             { subflow: 'Ship', state: {}, pre: [changes of its store], children: [...], post: [changes of the parent's] },
//         ],
//     });
//
// What a node does: { set: operations or (state) => state, action }, { llm: 'gen_ai' | 'openinference' | 'openllmetry', do, prompt,
// service }, { span: name, attributes, do }, { fail: message, type }. `damage` of a workflow or subflow: { patches: { 3: 'cut' },
// start: 'cut', end: 'cut' | 'wrong' }, with the numbers of changes of its store, from 1, and of these 'cut' (as by
// OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT), 'missing' (never sent), 'unfit' (an operation that has no place), 'redacted', 'excluded',
// 'reference' (the modes of generation C).
//
// run.spans are the SDK's own ReadableSpans; run.stores says of each store { id, spanId, type, start, end, patches }, patches in the order
// in which they were made: { number, spanId, event (its place among the span's events), executable: { id, spanId, type, name }, action,
// text (as sent), ops, before, after, noop, damage }.
import { createHash, randomBytes } from 'node:crypto';
import { apply, diff } from './json-patch.mjs';
import { sdk } from './weir.mjs';

const api = sdk('@opentelemetry/api');
const { resourceFromAttributes } = sdk('@opentelemetry/resources');
const trace = sdk('@opentelemetry/sdk-trace-node');

const INTERNAL = 0, SERVER = 1, CLIENT = 2;

// As nanoid makes them for Mermaid.
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
export const newId = () => [...randomBytes(21)].map((b) => letters[b % letters.length]).join('');
const structural = (kind, what) => `${kind}_sha256:${createHash('sha256').update(JSON.stringify(what)).digest('hex')}`;

// Spans of services, all of one run; its clock is its own and goes on with each thing that happens.
class Recorder {
	constructor(at) {
		this.now = at;
		this.memory = new trace.InMemorySpanExporter();
		this.providers = new Map();
	}

	tick() {
		this.now += 1000007n;
		return [Number(this.now / 1000000000n), Number(this.now % 1000000000n)];
	}

	start(name, { service, kind = INTERNAL, context, attributes = {}, scope = 'junjo' }) {
		if (!this.providers.has(service))
			this.providers.set(service, new trace.NodeTracerProvider({
				resource: resourceFromAttributes({ 'service.name': service }),
				spanLimits: { attributeCountLimit: 1000, eventCountLimit: 60000, attributePerEventCountLimit: 100 },
				spanProcessors: [new trace.SimpleSpanProcessor(this.memory)],
			}));
		return this.providers.get(service).getTracer(scope).startSpan(name, { kind, attributes, startTime: this.tick() }, context);
	}
}

// ---- what there is before it runs: ids, and the graph

// A subflow's graph is made anew when it runs: what the graph around it calls its nodes (sentId) is not what they are then.
function define(generation, spec, place = '') {
	const d = { spec, name: spec.node ?? spec.concurrent ?? spec.subflow ?? spec.name, id: spec.id ?? newId() };
	d.type = spec.node !== undefined ? 'node' : spec.concurrent !== undefined ? 'run_concurrent' : spec.subflow !== undefined ? 'subflow' : 'workflow';
	d.owner = d.type === 'workflow' || d.type === 'subflow';
	d.runtimeId = d.owner && generation !== 'A' ? newId() : d.id;
	d.sentId = newId();
	d.children = (spec.children ?? spec.items ?? []).map((c, i) => define(generation, c, d.type === 'subflow' ? `${i}` : `${place}/${i}`));
	d.structuralId = structural(d.owner ? 'graph' : 'node', [d.type, d.name, d.owner ? '' : place, d.children.map((c) => c.structuralId)]);
	return d;
}

// `idOf` a node in the graph of d: its own, or in a subflow of that graph the one that it has only there.
function graphParts(d, subflow = null, nodes = [], edges = [], ids = new Map()) {
	const collect = (c) => {
		nodes.push(c);
		ids.set(c, subflow ? c.sentId : c.id);
		if (c.type === 'run_concurrent') c.children.forEach(collect);
		if (c.type === 'subflow') graphParts(c, c, nodes, edges, ids);
	};
	d.children.forEach(collect);
	d.children.slice(1).forEach((head, i) => edges.push({ tail: d.children[i], head, subflow, i, when: head.spec.when ?? null }));
	return { nodes, edges, idOf: (n) => ids.get(n) };
}

export function graphV1(d) {
	const { nodes, edges, idOf } = graphParts(d);
	return {
		v: 1,
		nodes: nodes.map((n) => ({
			id: idOf(n), type: n.type === 'run_concurrent' ? 'RunConcurrent' : n.name, label: n.name,
			...(n.type === 'run_concurrent' && { isSubgraph: true, children: n.children.map(idOf) }),
			...(n.type === 'subflow' && { isSubflow: true, subflowSourceId: idOf(n.children[0]), subflowSinkId: idOf(n.children.at(-1)) }),
		})),
		edges: edges.map(({ tail, head, subflow, i, when }) => ({
			id: subflow ? `subflow_${idOf(subflow)}_edge_${idOf(tail)}_${idOf(head)}` : `edge_${idOf(tail)}_${idOf(head)}_${i}`,
			source: idOf(tail), target: idOf(head), condition: when, type: subflow ? 'subflow' : 'explicit', subflowId: subflow ? idOf(subflow) : null,
		})),
	};
}

export function graphV2(d) {
	const { nodes, edges, idOf } = graphParts(d);
	return {
		v: 2, graphStructuralId: d.structuralId,
		nodes: nodes.map((n) => ({
			nodeRuntimeId: idOf(n), nodeStructuralId: n.structuralId, nodeType: n.type === 'run_concurrent' ? 'RunConcurrent' : n.name, nodeLabel: n.name,
			...(n.type === 'run_concurrent' && { isConcurrentSubgraph: true, childNodeRuntimeIds: n.children.map(idOf) }),
			...(n.type === 'subflow' && {
				isSubflow: true, subflowGraphStructuralId: n.structuralId,
				subflowSourceNodeRuntimeId: idOf(n.children[0]), subflowSourceNodeStructuralId: n.children[0]?.structuralId,
				subflowSinkNodeRuntimeIds: n.children.slice(-1).map(idOf), subflowSinkNodeStructuralIds: n.children.slice(-1).map((c) => c.structuralId),
			}),
		})),
		edges: edges.map(({ tail, head, subflow, i, when }) => ({
			edgeStructuralId: structural('edge', [d.structuralId, i, tail.name, head.name]),
			tailNodeRuntimeId: idOf(tail), tailNodeStructuralId: tail.structuralId, headNodeRuntimeId: idOf(head), headNodeStructuralId: head.structuralId,
			edgeConditionLabel: when, edgeScope: subflow ? 'subflow' : 'explicit', parentSubflowRuntimeId: subflow ? idOf(subflow) : null,
		})),
	};
}

// ---- what is said of an executable

const contract = { B: 1, C: 2 };

function identity(generation, d, parent) {
	if (generation === 'A') return { 'junjo.span_type': d.type, 'junjo.id': d.id, ...(parent && { 'junjo.parent_id': parent.id }) };
	return {
		'junjo.telemetry.contract_version': contract[generation], 'junjo.span_type': d.type,
		'junjo.executable_definition_id': d.id, 'junjo.executable_runtime_id': d.runtimeId, 'junjo.executable_structural_id': d.structuralId,
		'junjo.enclosing_graph_structural_id': d.owner ? d.structuralId : (parent?.graphId ?? parent?.structuralId),
		...(parent && {
			'junjo.parent_executable_definition_id': parent.id, 'junjo.parent_executable_runtime_id': parent.runtimeId,
			'junjo.parent_executable_structural_id': parent.structuralId, ...(generation === 'C' && { 'junjo.parent_executable_type': parent.type }),
		}),
	};
}

// A text of JSON, and what generation C says beside it.
function slot(generation, key, text, mode = 'full') {
	if (generation !== 'C') return { [key]: text };
	return {
		...(mode === 'full' ? { [key]: text } : mode === 'redacted' ? { [key]: '"[redacted]"' } : {}),
		[`${key}.mode`]: mode, [`${key}.policy`]: mode === 'full' ? 'junjo.full.v1' : 'example.policy',
		...(mode === 'reference' && { [`${key}.reference`]: `vault://${createHash('sha256').update(text).digest('hex')}` }),
	};
}

// The text as a limit on the length of values leaves it: never JSON any more.
const cut = (text) => text.slice(0, Math.max(1, Math.floor(text.length * 2 / 3)));

// ---- running

class Store {
	constructor(d, state) {
		Object.assign(this, { id: newId(), name: `${d.name}Store`, state, start: state, revision: 0, patches: [], damage: d.spec.damage ?? {}, type: d.type });
	}
}

class Failure extends Error {}

// `now` is where in the run something happens: { span, context, executable, store, graph }.
function change(run, now, { set, action = 'set_state' }, store = now.store) {
	const { generation } = run;
	const before = store.state;
	const ops = typeof set === 'function' ? diff(before, set(before)) : set;
	const after = apply(before, ops);
	const noop = ops.length === 0;
	const number = store.patches.length + 1;
	const damage = store.damage.patches?.[number];
	const sent = damage === 'unfit' ? [...ops, { op: 'remove', path: '/there/is/no/such/place' }] : ops;
	const whole = noop && generation !== 'C' ? '{}' : JSON.stringify(sent);
	const text = damage === 'cut' ? cut(whole) : whole;
	const id = newId();
	const patch = {
		number, id, spanId: now.span.spanContext().spanId, event: now.span.events.length, executable: now.executable, action, text, ops, before, after, noop, damage,
		storeId: store.id, timeNs: undefined,
	};
	const revision = store.revision;
	if (!noop) store.revision++;
	store.state = after;
	store.patches.push(patch);
	const time = run.recorder.tick();
	patch.timeNs = run.recorder.now;
	if (damage === 'missing') return;
	now.span.addEvent('set_state', {
		id, 'junjo.store.name': store.name, 'junjo.store.id': store.id, 'junjo.store.action': action,
		...(generation === 'C' && { 'junjo.store.transition.sequence': number, 'junjo.store.revision.before': revision, 'junjo.store.revision.after': store.revision }),
		...slot(generation, 'junjo.state_json_patch', text, ['redacted', 'excluded', 'reference'].includes(damage) ? damage : 'full'),
	}, time);
}

function markFailed(run, span, failure, junjo) {
	const type = failure.type ?? 'ValueError';
	const event = { 'exception.type': type, 'exception.message': failure.message, 'exception.stacktrace': `Traceback (most recent call last):\n  File "run.py", line 7\n${type}: ${failure.message}\n`, 'exception.escaped': 'False' };
	// The first generation records it twice: itself, and by start_as_current_span().
	for (let i = 0; i < (junjo && run.generation === 'A' ? 2 : 1); i++) span.addEvent('exception', event, run.recorder.tick());
	if (junjo && run.generation !== 'A') span.setAttribute('error.type', type);
	span.setStatus({ code: api.SpanStatusCode.ERROR, message: run.generation === 'A' ? `${type}: ${failure.message}` : failure.message });
}

// What runs is a generator that gives way after everything it does, so that what is concurrent takes turns.
function* within(run, now, name, options, body, junjo = true) {
	const span = run.recorder.start(name, { service: run.service, context: now.context, ...options });
	const inner = { ...now, span, context: api.trace.setSpan(now.context, span) };
	try {
		yield* body(inner);
	} catch (failure) {
		if (!(failure instanceof Failure)) throw failure;
		markFailed(run, span, failure, junjo);
		throw failure;
	} finally {
		options.atEnd?.(span);
		span.end(run.recorder.tick());
	}
}

const dialects = {
	gen_ai: (prompt) => ({ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic', 'gen_ai.request.model': 'some-model', 'gen_ai.usage.input_tokens': 1200, 'gen_ai.usage.output_tokens': 34,
		'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: prompt }] }]) }),
	openinference: (prompt) => ({ 'openinference.span.kind': 'LLM', 'llm.provider': 'google', 'llm.model_name': 'some-model', 'llm.token_count.prompt': 12, 'llm.token_count.completion': 7,
		'input.value': prompt, 'input.mime_type': 'text/plain', 'llm.output_messages.0.message.content': 'Hello.' }),
	openllmetry: (prompt) => ({ 'llm.request.type': 'chat', 'gen_ai.system': 'OpenAI', 'gen_ai.request.model': 'some-model', 'gen_ai.prompt.0.role': 'user', 'gen_ai.prompt.0.content': prompt,
		'gen_ai.usage.prompt_tokens': 5, 'gen_ai.usage.completion_tokens': 6 }),
};

function* act(run, now, actions) {
	for (const a of actions) {
		if (a.set !== undefined) change(run, now, a);
		else if (a.fail !== undefined) throw Object.assign(new Failure(a.fail), { type: a.type });
		else {
			const options = a.llm ? { kind: CLIENT, attributes: dialects[a.llm](a.prompt ?? 'Say hello.'), scope: a.llm } : { attributes: a.attributes ?? {}, kind: a.kind ?? INTERNAL, scope: 'other' };
			yield* within(run, now, a.span ?? `chat ${a.llm}`, { ...options, ...(a.service && { service: a.service }) }, (inner) => act(run, inner, a.do ?? []), false);
		}
		yield;
	}
}

function* inTurn(generators) {
	let failure;
	for (let left = generators; left.length > 0; )
		left = left.filter((g) => {
			try {
				return !g.next().done;
			} catch (e) {
				if (!(e instanceof Failure)) throw e;
				failure ??= e;
				return false;
			}
		});
	if (failure) throw failure;
	yield;
}

const place = (d, span) => ({ id: d.runtimeId, spanId: span.spanContext().spanId, type: d.type, name: d.name });

function* execute(run, now, d, parent) {
	if (d.owner) return yield* executeOwner(run, now, d, parent);
	yield* within(run, now, d.name, { attributes: identity(run.generation, d, parent) }, function* (inner) {
		inner.executable = place(d, inner.span);
		if (d.type === 'node') yield* act(run, inner, d.spec.do ?? []);
		else yield* inTurn(d.children.map((c) => execute(run, inner, c, { ...d, graphId: parent.graphId ?? parent.structuralId })));
	});
	return 1;
}

function* executeOwner(run, now, d, parent) {
	const { generation } = run;
	const { spec } = d;
	const store = new Store(d, spec.state ?? {});
	const record = { id: store.id, name: store.name, type: d.type, executableId: d.runtimeId, definition: d, start: store.start, patches: store.patches, damage: store.damage, parentStoreId: now.store?.id };
	run.stores.push(record);
	let count = 0;
	const startText = JSON.stringify(store.start);
	const attributes = {
		...slot(generation, 'junjo.workflow.state.start', store.damage.start === 'cut' ? cut(startText) : startText),
		[generation === 'A' ? 'junjo.workflow.graph_structure' : 'junjo.workflow.execution_graph_snapshot']: JSON.stringify((generation === 'A' ? graphV1 : graphV2)(d), null, generation === 'A' ? 2 : 0),
		'junjo.workflow.store.id': store.id, ...(now.store && { 'junjo.workflow.parent_store.id': now.store.id }),
		...(generation === 'C' && { 'junjo.store.revision.start': 0 }), ...identity(generation, d, parent), ...spec.attributes,
	};
	const atEnd = (span) => {
		const end = store.damage.end === 'wrong' ? { ...store.state, 'nobody wrote this': true } : store.state;
		const text = JSON.stringify(end);
		record.end = end;
		span.setAttributes({
			...slot(generation, 'junjo.workflow.state.end', store.damage.end === 'cut' ? cut(text) : text), 'junjo.workflow.node.count': count,
			...(generation === 'C' && { 'junjo.store.revision.end': store.revision, 'junjo.store.transition.count': store.patches.length, 'junjo.store.reconstructable': true }),
		});
	};
	yield* within(run, now, d.name, { attributes, atEnd }, function* (inner) {
		record.spanId = inner.span.spanContext().spanId;
		inner.executable = place(d, inner.span);
		const outside = now.store;
		inner.store = store;
		for (const a of spec.pre ?? []) change(run, inner, a);
		for (const c of d.children) {
			yield* execute(run, inner, c, d);
			count += c.type === 'node' ? 1 : c.type === 'run_concurrent' ? c.children.length : run.stores.find((s) => s.definition === c).count;
			yield;
		}
		record.count = count;
		for (const a of spec.post ?? []) change(run, inner, a, outside);
	});
}

// See above. `at`: when it begins, in ns; `workflowId` repeats what ran before.
export function makeRun(spec, { at = BigInt(Date.now() - 60000) * 1000000n + 123n, workflowId } = {}) {
	const run = { generation: spec.generation ?? 'A', service: spec.service ?? 'junjo', stores: [], recorder: new Recorder(at) };
	const d = define(run.generation, { ...spec, id: workflowId ?? spec.id });
	let now = { context: api.ROOT_CONTEXT };
	let outer;
	if (spec.outer) {
		outer = run.recorder.start(spec.outer.name, { service: spec.outer.service ?? run.service, kind: SERVER, context: now.context, attributes: spec.outer.attributes ?? {}, scope: 'web' });
		now = { ...now, context: api.trace.setSpan(now.context, outer) };
	}
	try {
		for (const _ of execute(run, now, d, undefined));
	} catch (failure) {
		if (!(failure instanceof Failure)) throw failure;
		run.failure = failure.message;
	}
	outer?.end(run.recorder.tick());
	run.spans = run.recorder.memory.getFinishedSpans();
	run.traceId = run.spans[0].spanContext().traceId;
	run.workflow = run.stores[0];
	run.workflowId = d.id;
	run.graph = (run.generation === 'A' ? graphV1 : graphV2)(d);
	return run;
}

// The id of the node or group that a span is in, or is; '' in none.
export function nodeAround(run, spanId) {
	for (let id = spanId, s; (s = run.spans.find((x) => x.spanContext().spanId === id)); id = s.parentSpanContext?.spanId)
		if (['node', 'run_concurrent'].includes(s.attributes['junjo.span_type'])) return s.attributes['junjo.executable_runtime_id'] ?? s.attributes['junjo.id'];
	return '';
}

// ---- sending

const protocols = {
	grpc: { pkg: 'grpc', url: (w) => `http://${w.grpc}` },
	'http/protobuf': { pkg: 'proto', url: (w) => `http://${w.http}/v1/traces` },
	'http/json': { pkg: 'http', url: (w) => `http://${w.http}/v1/traces` },
};

// All of them in one request, answered with success.
export async function send(weir, spans, { protocol = 'grpc', compression = 'none', headers = {}, timeoutMillis = 60000 } = {}) {
	const { pkg, url } = protocols[protocol];
	const { OTLPTraceExporter } = sdk(`@opentelemetry/exporter-trace-otlp-${pkg}`);
	let metadata;
	if (protocol === 'grpc') {
		metadata = new (sdk('@grpc/grpc-js').Metadata)();
		for (const [k, v] of Object.entries(headers)) metadata.set(k, v);
	}
	const exporter = new OTLPTraceExporter({ url: url(weir), compression, timeoutMillis, ...(metadata ? { metadata } : { headers }) });
	try {
		await new Promise((done, fail) => exporter.export(spans, ({ code, error }) => (code === 0 ? done() : fail(error ?? new Error('export failed')))));
	} finally {
		await exporter.shutdown();
	}
}
