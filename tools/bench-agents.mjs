// SPDX-License-Identifier: Apache-2.0
//
// usage: node tools/bench-agents.mjs [WEIR]
//
// How fast questions about agents are: a server of its own gets BENCH_AGENT_SPANS (1,000,000) spans of which a tenth of the traces are runs of
// a workflow that call models, and is asked the six questions of Junjo's server, for lists of runs and for one run, BENCH_QUERIES (200) times
// each; every answer is compared with what was sent. Then one run of ten thousand patches. A page in Markdown, with goals, goes to standard
// output. tools/bench.sh runs it as the case "agents".
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const weir = process.argv[2] ?? 'build/weir';
const spansWanted = Number(process.env.BENCH_AGENT_SPANS ?? 1000000);
const queries = Number(process.env.BENCH_QUERIES ?? 200);
const tracesOf = 10; // spans of each
const services = 10;
const perRequest = 50; // traces

mkdirSync('build/bench-agents', { recursive: true });
const data = mkdtempSync('build/bench-agents/data.');
const serve = spawn(weir, ['serve', '--data-dir', data, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--api', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
let log = '';
serve.stderr.setEncoding('utf8').on('data', (text) => (log += text));
const clean = () => {
	serve.kill('SIGKILL');
	rmSync(data, { recursive: true, force: true });
};
process.on('exit', clean);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const where = async (what) => {
	for (let i = 0; i < 3000; i++) {
		const found = log.match(new RegExp(`${what} on (\\S+)`));
		if (found) return found[1];
		if (serve.exitCode !== null) break;
		await sleep(10);
	}
	throw new Error(`weir does not listen: ${log}`);
};
const http = await where('OTLP/HTTP');
const api = await where('the API');
const get = async (path) => {
	const res = await fetch(`http://${api}${path}`);
	return { status: res.status, body: await res.json() };
};
// Milliseconds of processor time.
const cpuMs = () => {
	const [, user, system] = readFileSync(`/proc/${serve.pid}/stat`, 'utf8').match(/\) (?:\S+ ){11}(\d+) (\d+)/);
	return (Number(user) + Number(system)) * 10;
};

// ---- what is sent: trace i, of service i % 10; every tenth is a run

const epoch = BigInt(Date.now() - 3600000) * 1000000n;
const hex = (n, digits) => n.toString(16).padStart(digits, '0');
const traceId = (i) => hex(0xa9e00000 + i, 8) + hex((i * 2654435761) % 4294967296, 8) + hex(i, 16);
const spanId = (i, k) => hex(i * tracesOf + k + 1, 16);
const startOf = (i) => epoch + BigInt(i) * 30000n;
const isRun = (i) => Math.floor(i / services) % 10 === 0;
const text = (key, value) => ({ key, value: { stringValue: value } });
const whole = (key, value) => ({ key, value: { intValue: String(value) } });
const llmOf = [
	(i) => [text('gen_ai.operation.name', 'chat'), text('gen_ai.provider.name', 'openai'), text('gen_ai.request.model', 'gpt-4o'), whole('gen_ai.usage.input_tokens', 100 + (i % 900)), whole('gen_ai.usage.output_tokens', 10)],
	(i) => [text('openinference.span.kind', 'LLM'), text('llm.model_name', 'claude'), text('llm.provider', 'anthropic'), whole('llm.token_count.prompt', 100 + (i % 900)), whole('llm.token_count.completion', 10)],
	(i) => [text('llm.request.type', 'chat'), text('gen_ai.system', 'openai'), text('gen_ai.request.model', 'gpt-4o-mini'), whole('gen_ai.usage.prompt_tokens', 100 + (i % 900)), whole('gen_ai.usage.completion_tokens', 10)],
];
const graph = JSON.stringify({ v: 1, nodes: [0, 1, 2].map((n) => ({ id: `node${n}`, type: 'Node', label: `Node ${n}` })), edges: [{ id: 'e', source: 'node0', target: 'node1', condition: null, type: 'explicit', subflowId: null }] });
const span = (i, k, parent, name, attributes, events) => ({ traceId: traceId(i), spanId: spanId(i, k), ...(parent === undefined ? {} : { parentSpanId: spanId(i, parent) }), name, kind: 1,
	startTimeUnixNano: String(startOf(i) + BigInt(k) * 1000n), endTimeUnixNano: String(startOf(i) + BigInt(k) * 1000n + 500n), attributes, ...(events ? { events } : {}) });
const common = (i, k) => [text('http.request.method', 'GET'), text('url.path', `/things/${(i * 7 + k) % 1000}`), whole('http.response.status_code', 200), text('peer.address', `10.0.${i % 256}.${k}`), text('thread.name', `worker-${k}`)];

function traceOf(i) {
	if (!isRun(i))
		return Array.from({ length: tracesOf }, (_, k) => span(i, k, k === 0 ? undefined : 0, `operation ${k}`, common(i, k)));
	const store = `store-${i}`;
	const patch = (n, of) => ({ name: 'set_state', timeUnixNano: String(startOf(i) + BigInt(of) * 1000n + 100n), attributes: [text('id', `e${i}-${n}`), text('junjo.store.name', 'State'), text('junjo.store.id', store), text('junjo.store.action', 'set'),
		text('junjo.state_json_patch', JSON.stringify([{ op: 'replace', path: '/n', value: n }]))] });
	return [
		span(i, 0, undefined, 'POST /run', common(i, 0)),
		span(i, 1, 0, 'Workflow', [text('junjo.span_type', 'workflow'), text('junjo.id', 'workflow'), text('junjo.workflow.store.id', store), text('junjo.workflow.state.start', '{"n":0}'),
			text('junjo.workflow.state.end', '{"n":3}'), text('junjo.workflow.graph_structure', graph), whole('junjo.workflow.node.count', 3)]),
		...[0, 1, 2].map((n) => span(i, 2 + n, 1, `Node ${n}`, [text('junjo.span_type', 'node'), text('junjo.id', `node${n}`), text('junjo.parent_id', 'workflow')], [patch(n + 1, 2 + n)])),
		span(i, 5, 2, 'model', llmOf[i % 3](i)),
		...[6, 7, 8, 9].map((k) => span(i, k, 3, `query ${k}`, common(i, k))),
	];
}

const resource = (s) => ({ attributes: [text('service.name', `service ${s}`)] });
async function post(resourceSpans) {
	const res = await fetch(`http://${http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ resourceSpans }) });
	if (res.status === 429) {
		await sleep(200);
		return post(resourceSpans);
	}
	const answer = await res.json();
	if (res.status !== 200 || answer.partialSuccess?.rejectedSpans) throw new Error(JSON.stringify(answer));
}

const traces = Math.ceil(spansWanted / tracesOf);
console.error(`bench: agents: ${traces * tracesOf} spans are sent`);
// Four requests at a time, each answered when its spans are on the disk.
async function sendAll(count, each, requestOf) {
	let next = 0;
	const start = performance.now();
	await Promise.all([0, 1, 2, 3].map(async () => {
		while (next < count) {
			const first = next;
			next += each;
			await post(requestOf(Array.from({ length: Math.min(each, count - first) }, (_, n) => first + n)));
		}
	}));
	return (performance.now() - start) / 1000;
}
const cpuBefore = cpuMs();
const bulkSeconds = await sendAll(traces, perRequest, (list) =>
	Array.from({ length: services }, (_, s) => ({ resource: resource(s), scopeSpans: [{ spans: list.filter((i) => i % services === s).flatMap(traceOf) }] })));
const metric = async (name) => Number((await (await fetch(`http://${api}/metrics`)).text()).match(new RegExp(`^${name} (\\S+)`, 'm'))?.[1]);
while ((await metric('weir_lag_bytes')) > 0) await sleep(100);
let idle = cpuMs();
for (let still = 0; still < 3; still++) {
	await sleep(1000);
	if (cpuMs() - idle > 100) still = 0;
	idle = cpuMs();
}
const ingestUs = ((cpuMs() - cpuBefore) * 1000) / (traces * tracesOf);

// ---- what is asked

const newest = (s, wanted) => {
	const list = [];
	for (let i = traces - 1 - ((traces - 1 - s) % services); i >= 0 && list.length < 500; i -= services) if (wanted(i)) list.push(i);
	return list;
};
const expected = Array.from({ length: services }, (_, s) => ({ roots: newest(s, () => true), runs: newest(s, isRun) }));
const same = (rows, list, k) => Array.isArray(rows) && rows.length === list.length && rows.every((r, n) => r.trace_id === traceId(list[n]) && r.span_id === spanId(list[n], k));
const random = (n) => Math.floor(Math.random() * n);
const runOf = () => {
	const s = random(services);
	return expected[s].runs[random(expected[s].runs.length)];
};
const enc = encodeURIComponent;
const questions = [
	['names of services', 20, () => ({ path: '/otel/span_service_names', right: (b) => b.length === services })],
	['500 newest roots of a service', 50, () => { const s = random(services); return { path: `/otel/service/${enc(`service ${s}`)}/root_spans`, right: (b) => same(b, expected[s].roots, 0) }; }],
	['500 newest roots that call a model', 50, () => { const s = random(services); return { path: `/otel/service/${enc(`service ${s}`)}/root_spans_filtered`, right: (b) => same(b, expected[s].runs, 0) }; }],
	['500 newest workflows', 50, () => { const s = random(services); return { path: `/otel/spans/type/workflow/${enc(`service ${s}`)}`, right: (b) => same(b, expected[s].runs, 1) }; }],
	['a trace', 20, () => { const i = random(traces); return { path: `/otel/trace/${traceId(i)}/nested_spans`, right: (b) => b.length === tracesOf && b.every((r) => r.trace_id === traceId(i)) }; }],
	['a span', 10, () => { const i = random(traces), k = random(tracesOf); return { path: `/otel/trace/${traceId(i)}/span/${spanId(i, k)}`, right: (b) => b.span_id === spanId(i, k) }; }],
	['a run, step by step', null, () => { const i = runOf(); return { path: `/api/v1/workflows/${traceId(i)}/${spanId(i, 1)}`, right: (b) => b.verdict === 'verified' && b.steps.length === 3 && b.llm.calls === 1 }; }],
	['50 newest runs, with sums', null, () => { const s = random(services); return { path: `/api/v1/workflows?service=${enc(`service ${s}`)}`, right: (b) => same(b.workflows, expected[s].runs.slice(0, 50), 1) }; }],
	['100 newest calls of models', null, () => { const s = random(services); return { path: `/api/v1/llm/calls?service=${enc(`service ${s}`)}&limit=100`, right: (b) => same(b.calls, expected[s].runs.slice(0, 100), 5) }; }],
];

const rows = [];
let wrong = 0;
async function measure(name, goal, make, count) {
	const times = [];
	const before = cpuMs();
	for (let n = 0; n < count; n++) {
		const { path, right } = make();
		const start = performance.now();
		const { status, body } = await get(path);
		times.push(performance.now() - start);
		if (status === 200 && right(body)) continue;
		wrong++;
		console.error(`bench: wrong answer to ${path}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
	}
	times.sort((a, b) => a - b);
	const at = (q) => times[Math.min(times.length - 1, Math.ceil(q * times.length) - 1)];
	rows.push(`| ${name} | ${goal ?? ''} | ${at(0.5).toFixed(1)} | ${at(0.99).toFixed(1)} | ${((cpuMs() - before) / count).toFixed(1)} |`);
}
for (const [name, goal, make] of questions) {
	await get(make().path);
	await measure(name, goal, make, queries);
}

// ---- one run of ten thousand patches

const many = 10000;
const big = traces + 1;
const value = (n) => (n * 7919) % 1000;
await post([{ resource: resource(0), scopeSpans: [{ spans: [
	span(big, 0, undefined, 'Big', [text('junjo.span_type', 'workflow'), text('junjo.id', 'big'), text('junjo.workflow.store.id', 'big'), text('junjo.workflow.state.start', JSON.stringify({ n: 0, keep: 'x'.repeat(8192) })),
		text('junjo.workflow.state.end', JSON.stringify({ n: value(many), keep: 'x'.repeat(8192) }))]),
	span(big, 1, 0, 'Many', [text('junjo.span_type', 'node'), text('junjo.id', 'many')], Array.from({ length: many }, (_, n) => ({ name: 'set_state', timeUnixNano: String(startOf(big) + 1000n + BigInt(n % 400)),
		attributes: [text('junjo.store.id', 'big'), text('junjo.state_json_patch', JSON.stringify([{ op: 'replace', path: '/n', value: value(n + 1) }]))] }))),
] }] }]);
while ((await get(`/otel/trace/${traceId(big)}/nested_spans`)).body.length !== 2) await sleep(20);
const path = `/api/v1/workflows/${traceId(big)}`;
await measure('a run of 10,000 patches', 200, () => ({ path, right: (b) => b.patch_count === many && b.steps[0].patches.length === many && b.stores[0].patch_count === many }), Math.min(queries, 50));

// ---- a span a request

const alone = 5000;
const aloneSeconds = await sendAll(alone, 1, ([n]) => [{ resource: { attributes: [text('service.name', 'alone')] }, scopeSpans: [{ spans: [span(traces + 10 + n, 0, undefined, 'alone', common(n, 0))] }] }]);
const bulkRate = (traces * tracesOf) / bulkSeconds;
const aloneRate = alone / aloneSeconds;

console.log(`## Questions about agents (R20, R22)

${traces * tracesOf} spans, a tenth of the traces runs of a workflow; ${ingestUs.toFixed(1)} us of processor time a span all in (OTLP/JSON); ${queries} questions of each kind, one after the other.

| question | goal, ms | p50 | p99 | server's CPU, ms |
|---|--:|--:|--:|--:|
${rows.join('\n')}

${Math.round(bulkRate)} spans/s durable by ${perRequest * tracesOf} a request, ${Math.round(aloneRate)} one by one, four requests at a time: ${(bulkRate / aloneRate).toFixed(1)} times as many (goal: 10).

${wrong === 0 ? 'All answers were right.' : `**${wrong} answers were wrong.**`}`);
process.exit(wrong === 0 ? 0 : 1);
