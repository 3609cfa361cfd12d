// SPDX-License-Identifier: Apache-2.0
//
// Junjo's own SDK for Python, one of each of its three generations, runs a workflow and exports it to weir as its users do; what
// /otel/ says of it is what the program saw itself. The SDK is installed below build/ the first time, by pip; where it cannot be
// had, the tests say so and are skipped.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { apply, equal } from './lib/json-patch.mjs';
import { Weir, newDataDir, patience, removeDataDir, sleep } from './lib/weir.mjs';

const root = resolve(import.meta.dirname, '../..');
const requirements = join(import.meta.dirname, 'junjo/requirements.txt');
const program = join(import.meta.dirname, 'junjo/run.py');
const versions = { A: '0.62.1', B: '0.64.0', C: '0.68.0' };

function run(command, args, { env = {}, timeout = 60000 } = {}) {
	return new Promise((done) => {
		const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
		// spawn()'s own timer goes on, and keeps this process, when there is no such program.
		const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
		let text = '';
		child.stdout.on('data', (t) => (text += t));
		child.stderr.on('data', (t) => (text += t));
		child.on('error', (e) => (clearTimeout(timer), done({ code: -1, text: e.message })));
		child.on('close', (code, signal) => (clearTimeout(timer), done({ code, signal, text })));
	});
}

// What they need in one environment, and the three of them beside it. A word why not, or undefined.
const home = join(root, 'build/junjo-python');
const python = join(home, 'venv/bin/python');
async function install() {
	const hash = createHash('sha256').update(readFileSync(requirements)).update(JSON.stringify(versions)).digest('hex');
	const stamp = join(home, 'installed');
	if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return undefined;
	const deadline = Date.now() + 300000;
	const step = async (what, command, args) => {
		const { code, signal, text } = await run(command, args, { timeout: Math.max(1, deadline - Date.now()) });
		return code === 0 ? undefined : `${what}: ${signal ? 'took too long' : text.trim().split('\n').at(-1)}`;
	};
	const pip = ['-m', 'pip', '--disable-pip-version-check', '-q', 'install', '--only-binary', ':all:', '--retries', '1', '--timeout', '15'];
	rmSync(home, { recursive: true, force: true });
	mkdirSync(home, { recursive: true });
	let failed = await step('python3, 3.11 or newer', 'python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 11) and "it is older")'])
		?? await step('python3 -m venv', 'python3', ['-m', 'venv', join(home, 'venv')]) ?? await step('pip install -r tests/scenario/junjo/requirements.txt', python, [...pip, '-r', requirements]);
	for (const v of Object.values(versions)) failed ??= await step(`pip install junjo==${v}`, python, [...pip, '--no-deps', '--target', join(home, v), `junjo==${v}`]);
	if (!failed) writeFileSync(stamp, hash);
	return failed;
}

const absent = await install();
const skip = absent && `Junjo's SDK for Python cannot be had here: ${absent}`;

// The changes of a store, in the order in which they were made: by number where there are numbers, else by time.
function changesOf(spans, storeId) {
	return spans.flatMap((s) => s.events_json.filter((e) => e.name === 'set_state' && e.attributes['junjo.store.id'] === storeId).map((e) => ({ ...e, span: s })))
		.sort((a, b) => (a.attributes['junjo.store.transition.sequence'] ?? 0) - (b.attributes['junjo.store.transition.sequence'] ?? 0)
			|| (BigInt(a.timeUnixNano) < BigInt(b.timeUnixNano) ? -1 : 1));
}

const operations = (text) => (text === '{}' ? [] : JSON.parse(text));

describe('the SDK for Python', { skip }, () => {
	let weir;
	before(async () => (weir = await Weir.start()));
	after(() => weir?.stop());

	async function execute(generation, service, env = {}) {
		const dir = newDataDir();
		const out = join(dir, 'runs.json');
		const { code, text } = await run(python, [program, out], { env: { PYTHONPATH: join(home, versions[generation]), PYTHONDONTWRITEBYTECODE: '1', JUNJO_SERVICE: service, JUNJO_ENDPOINT: weir.grpc, ...env }, timeout: patience * 2 });
		assert.equal(code, 0, text);
		const runs = JSON.parse(readFileSync(out, 'utf8'));
		removeDataDir(dir);
		for (const r of runs) {
			const path = `/otel/trace/${r.trace_id}/nested_spans`;
			r.spans = await weir.until(path, (b) => b.some?.((s) => s.parent_span_id === null));
			for (const deadline = Date.now() + patience; (await weir.metric('weir_lag_bytes')) !== 0; await sleep(10)) assert.ok(Date.now() < deadline, weir.log);
			r.spans = (await weir.get(path)).body;
		}
		return runs;
	}

	const typesOf = (spans) => spans.reduce((n, s) => ({ ...n, [s.junjo_span_type]: (n[s.junjo_span_type] ?? 0) + 1 }), {});

	for (const generation of Object.keys(versions)) {
		describe(`junjo ${versions[generation]}, generation ${generation}`, () => {
			const service = `junjo/${generation} "żółć"`;
			let order, fails;
			before(async () => ([order, fails] = await execute(generation, service)));

			it('its spans are there, of their types, below the program\'s own', () => {
				assert.deepEqual(typesOf(order.spans), { '': 2, workflow: 1, subflow: 1, run_concurrent: 1, node: 7 });
				assert.deepEqual(typesOf(fails.spans), { '': 1, workflow: 1, node: 2 });
				for (const s of [...order.spans, ...fails.spans]) {
					assert.equal(s.service_name, service);
					assert.deepEqual(s.invalid_json, []);
					assert.equal(s.parent_span_id === null, s.kind === 'SERVER');
					if (s.parent_span_id !== null) assert.ok([...order.spans, ...fails.spans].some((p) => p.span_id === s.parent_span_id && p.trace_id === s.trace_id));
				}
			});

			it('lists have them: workflows, roots, and roots of traces in which a model is called', async () => {
				const ask = async (path) => (await weir.get(path)).body.map((s) => s.trace_id);
				const name = encodeURIComponent(service);
				assert.deepEqual(await ask(`/otel/spans/type/workflow/${name}`), [fails.trace_id, order.trace_id]);
				assert.deepEqual(await ask(`/otel/service/${name}/root_spans`), [fails.trace_id, order.trace_id]);
				assert.deepEqual(await ask(`/otel/service/${name}/root_spans_filtered`), [order.trace_id]);
				assert.ok((await weir.get('/otel/span_service_names')).body.includes(service));
			});

			it('the patches lead from the state at the start through every state that the program saw to the one at the end', () => {
				for (const r of [order, fails]) {
					const owners = r.spans.filter((s) => ['workflow', 'subflow'].includes(s.junjo_span_type));
					assert.deepEqual(new Set(r.changes.map((c) => c.store)), new Set(owners.map((s) => s.junjo_wf_store_id)));
					for (const owner of owners) {
						const told = r.changes.filter((c) => c.store === owner.junjo_wf_store_id);
						const got = changesOf(r.spans, owner.junjo_wf_store_id);
						assert.deepEqual(got.map((e) => [e.attributes['junjo.store.action'], e.span.span_id]), told.map((c) => [c.action, c.span_id]));
						let state = owner.junjo_wf_state_start;
						got.forEach((e, i) => {
							state = apply(state, operations(e.attributes['junjo.state_json_patch']));
							assert.ok(equal(state, told[i].state), `${r.name}, change ${i + 1}: ${JSON.stringify(state)} is not ${JSON.stringify(told[i].state)}`);
						});
						assert.deepEqual(state, owner.junjo_wf_state_end);
					}
				}
				assert.deepEqual([order.changes.length, fails.changes.length], [15, 4]);
			});

			it('step by step, each run is verified, and the state after a step is what the program saw last', async () => {
				for (const r of [order, fails]) {
					const w = r.spans.find((s) => s.junjo_span_type === 'workflow');
					const { status, body: view } = await weir.get(`/api/v1/workflows/${r.trace_id}/${w.span_id}`);
					assert.equal(status, 200);
					assert.deepEqual([view.verdict, view.junjo_generation, view.outcome], ['verified', 'ABC'.indexOf(generation) + 1, r.failure ? 'failed' : 'completed'], view.verdict_reason);
					assert.deepEqual(view.steps.map((s) => s.node.name), r.failure ? ['Load', 'Fail'] : ['Load', 'AskModel', 'Watchers', 'See', 'See', 'Ship', 'Weigh', 'Label', 'Done']);
					for (const s of view.steps.filter((x) => x.node.type === 'node' && x.node.name !== 'See'))
						assert.deepEqual(s.state_after, r.changes.filter((c) => c.store === s.store_id && (c.span_id === s.span_id || r.spans.find((x) => x.span_id === c.span_id).parent_span_id === s.span_id)).at(-1).state, s.node.name);
					assert.equal(view.patch_count, r.changes.length);
					// Which nodes ran: a failing run's last one did not. (Of two that are called the same, both or one.)
					const ran = view.graph.nodes.filter((n) => n.runs > 0).map((n) => n.label);
					assert.deepEqual([...new Set(ran)].sort(), [...new Set(view.steps.map((s) => s.node.name))].sort());
					assert.deepEqual(view.graph.nodes.filter((n) => n.runs === 0).map((n) => n.label), r.failure ? ['Done'] : []);
				}
			});

			it('ids and the graph name the spans', () => {
				const w = order.spans.find((s) => s.junjo_span_type === 'workflow');
				if (generation === 'A') assert.equal(w.junjo_id, order.workflow_id);
				else assert.equal(w.attributes_json['junjo.executable_definition_id'], order.workflow_id);
				const graph = w.junjo_wf_graph_structure;
				assert.equal(graph.v, generation === 'A' ? 1 : 2);
				const ids = graph.nodes.map((n) => n.id ?? n.nodeRuntimeId);
				const inGraph = (s) => ids.includes(s.junjo_id);
				const sub = order.spans.find((s) => s.junjo_span_type === 'subflow');
				for (const s of order.spans.filter((s) => ['node', 'run_concurrent'].includes(s.junjo_span_type)))
					// A subflow's nodes are made anew when it runs.
					assert.ok(inGraph(s) || s.parent_span_id === sub.span_id, `${s.name} ${s.junjo_id}`);
				for (const s of order.spans.filter((s) => s.junjo_parent_id !== '')) assert.equal(order.spans.find((p) => p.span_id === s.parent_span_id).junjo_id, s.junjo_parent_id, s.name);
			});

			it('what failed says so on each span around it', () => {
				assert.ok(fails.failure);
				for (const name of ['Fail', 'Fails']) {
					const s = fails.spans.find((x) => x.name === name);
					assert.equal(s.status_code, 'STATUS_CODE_ERROR');
					assert.match(s.status_message, /out of stock: ✗/);
					const e = s.events_json.find((x) => x.name === 'exception');
					assert.equal(e.attributes['exception.message'], 'out of stock: ✗');
					assert.match(e.attributes['exception.stacktrace'], /run\.py/);
				}
				assert.equal(fails.spans.find((s) => s.name === 'Load').status_code, 'STATUS_CODE_UNSET');
				assert.equal(fails.spans.find((s) => s.junjo_span_type === 'workflow').junjo_wf_state_end.note, 'about to fail');
			});

			it('a limit on the length of values cuts JSON off: it is text, said, and the rest is whole', async () => {
				const runs = await execute(generation, `${service} cut`, { OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '60' });
				const w = runs[0].spans.find((s) => s.junjo_span_type === 'workflow');
				assert.deepEqual(w.invalid_json, ['junjo_wf_state_end', 'junjo_wf_graph_structure']);
				assert.equal([...w.junjo_wf_state_end].length, 60);
				assert.deepEqual(w.junjo_wf_state_start, { items: [], total: 0, note: null, seen: {} });
				assert.deepEqual(typesOf(runs[0].spans), typesOf(order.spans));
			});
		});
	}
});
