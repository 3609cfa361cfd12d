// SPDX-License-Identifier: Apache-2.0
//
// Calls of language models: made up as plain objects, sent in three dialects (OpenTelemetry's, OpenInference's, OpenLLMetry's)
// among spans of tools, agents and others, and compared with sums and lists that this test makes of the objects by itself.
// Prices come from a file, which is another one after SIGHUP.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { otlpMap } from './lib/plain.mjs';
import { randomOf } from './lib/random.mjs';
import { Weir, newDataDir, patience, removeDataDir, run, sleep } from './lib/weir.mjs';

const random = randomOf(Number(process.env.WEIR_TEST_SEED ?? 20261130));
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const hex = (bytes) => Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');
const MS = 1000000n;
const now = BigInt(Date.now()) * MS;

function groupBy(items, key) {
	const by = new Map();
	for (const i of items) by.set(key(i), [...(by.get(key(i)) ?? []), i]);
	return by;
}

// ---- calls

const models = [['openai', 'test-large'], ['openai', 'test-small'], ['anthropic', 'other-1'], ['nobody', 'unheard-of']];

function makeCall(i) {
	const [provider, model] = pick(models);
	const tokens = below(10) > 0;
	const input = 10 + below(5000), output = below(800);
	return {
		dialect: i % 3,
		trace: hex(16), id: hex(8),
		service: pick(['shop', 'desk']),
		start: now - 1800n * 1000n * MS + BigInt(i) * 1000n * MS + BigInt(below(1000)),
		duration: BigInt(1 + below(4000)) * MS,
		error: below(5) === 0,
		provider, model,
		answered: below(2) ? `${model}-2026` : undefined,
		input: tokens ? input : undefined, output: tokens ? output : undefined,
		cached: tokens && below(3) === 0 ? below(input) : undefined,
		cost: below(4) === 0 ? below(1000) / 1000 : undefined,
		agent: pick(['planner', 'writer', undefined]),
		conversation: pick(['c1', 'c2', undefined]),
		temperature: pick([undefined, 0.5]),
		question: `what is <${i}>?`, answer: `it is "${i}"\nso`,
	};
}

const defined = (pairs) => pairs.filter(([, v]) => v !== undefined);
const int = (n) => (n === undefined ? undefined : { int: BigInt(n) });
const double = (n) => (n === undefined ? undefined : { double: n });

// The present names of OpenTelemetry.
const openTelemetry = (c) => [
	['gen_ai.operation.name', 'chat'], ['gen_ai.provider.name', c.provider], ['gen_ai.request.model', c.model], ['gen_ai.response.model', c.answered],
	['gen_ai.usage.input_tokens', int(c.input)], ['gen_ai.usage.output_tokens', int(c.output)], ['gen_ai.usage.cache_read.input_tokens', int(c.cached)],
	['gen_ai.usage.cost', double(c.cost)], ['gen_ai.agent.name', c.agent], ['gen_ai.conversation.id', c.conversation],
	['gen_ai.request.temperature', double(c.temperature)],
	['gen_ai.response.finish_reasons', ['stop']],
	['gen_ai.input.messages', JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: c.question }] }])],
	['gen_ai.output.messages', [{ map: [['role', 'assistant'], ['parts', [{ map: [['type', 'text'], ['content', c.answer]] }]]] }]],
];

const openInference = (c) => [
	['openinference.span.kind', 'LLM'], ['llm.system', c.provider], ['llm.model_name', c.model], ['llm.response.model_name', c.answered],
	['llm.token_count.prompt', int(c.input)], ['llm.token_count.completion', int(c.output)], ['llm.token_count.prompt_details.cache_read', int(c.cached)],
	['llm.cost.total', double(c.cost)], ['agent.name', c.agent], ['session.id', c.conversation],
	['llm.invocation_parameters', c.temperature === undefined ? undefined : JSON.stringify({ temperature: c.temperature })],
	['llm.finish_reason', 'stop'],
	['llm.input_messages.0.message.role', 'user'], ['llm.input_messages.0.message.content', c.question],
	['llm.output_messages.0.message.role', 'assistant'], ['llm.output_messages.0.message.content', c.answer],
];

const openLlmetry = (c) => [
	['llm.request.type', 'chat'], ['gen_ai.system', c.provider.toUpperCase()], ['gen_ai.request.model', c.model], ['gen_ai.response.model', c.answered],
	['gen_ai.usage.prompt_tokens', int(c.input)], ['gen_ai.usage.completion_tokens', int(c.output)], ['gen_ai.usage.cache_read_input_tokens', int(c.cached)],
	['gen_ai.usage.cost', double(c.cost)], ['gen_ai.agent.name', c.agent], ['traceloop.association.properties.session_id', c.conversation],
	['gen_ai.request.temperature', double(c.temperature)],
	['gen_ai.completion.0.finish_reason', 'stop'],
	['gen_ai.prompt.0.role', 'user'], ['gen_ai.prompt.0.content', c.question],
	['gen_ai.completion.0.role', 'assistant'], ['gen_ai.completion.0.content', c.answer],
];

const dialects = [openTelemetry, openInference, openLlmetry];
const operations = ['chat', 'LLM', 'chat'];

const calls = Array.from({ length: 120 }, (_, i) => makeCall(i));

// No calls of models, though they look like them.
const others = [
	[['gen_ai.operation.name', 'execute_tool'], ['gen_ai.tool.name', 'search'], ['gen_ai.provider.name', 'openai']],
	[['gen_ai.operation.name', 'invoke_agent'], ['gen_ai.agent.name', 'planner'], ['gen_ai.usage.input_tokens', int(9)]],
	[['openinference.span.kind', 'CHAIN'], ['input.value', 'x']],
	[['openinference.span.kind', 'TOOL'], ['tool.name', 'search']],
	[['traceloop.span.kind', 'workflow'], ['traceloop.entity.name', 'w']],
	[['http.request.method', 'GET']],
].map((attributes, i) => ({ trace: hex(16), id: hex(8), service: 'shop', start: now - 60n * 1000n * MS + BigInt(i), duration: MS, attributes }));

const spanOf = (c) => ({
	traceId: c.trace, spanId: c.id, name: 'call', kind: 3, startTimeUnixNano: String(c.start), endTimeUnixNano: String(c.start + c.duration),
	status: { code: c.error ? 2 : 0 }, attributes: otlpMap(defined(c.attributes ?? dialects[c.dialect](c))),
});

// ---- what it comes to

const table = [{ provider: 'open*', models: ['TEST-large*'], input: 2, cached: 0.5, output: 8 }, { models: ['test-small'], input: 0.25, output: 1 }];
const otherTable = [{ models: ['*'], input: 1, output: 1 }];
// The name that answered is looked up before the one that was asked for; only the first table tells them apart.
const priceOf = {
	first(c) {
		if (c.model === 'test-large') return { input: 2, cached: 0.5, output: 8 };
		return c.model === 'test-small' ? { input: 0.25, cached: 0.25, output: 1 } : undefined;
	},
	second: () => ({ input: 1, cached: 1, output: 1 }),
};

function costOf(c, prices) {
	if (c.cost !== undefined) return c.cost;
	const p = priceOf[prices](c);
	if (c.input === undefined || !p) return undefined;
	return ((c.input - (c.cached ?? 0)) * p.input + (c.cached ?? 0) * p.cached + c.output * p.output) / 1e6;
}

const sum = (list) => list.reduce((a, b) => a + (b ?? 0), 0);
const near = (have, want, what) => assert.ok(Math.abs(have - want) <= 1e-9 + Math.abs(want) * 1e-9, `${what}: ${have}, not ${want}`);
const rank = (sorted, q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
const quantile = (have, list, q, what) => {
	const want = rank(list.map(Number).sort((a, b) => a - b), q) / 1e6;
	assert.ok(Math.abs(have - want) <= want * 0.012, `${what}: ${have}, not about ${want}`);
};

function checkSums(have, list, prices, what) {
	const costs = list.map((c) => costOf(c, prices));
	const priced = costs.filter((c) => c !== undefined);
	assert.equal(have.calls, list.length, what);
	assert.equal(have.errors, list.filter((c) => c.error).length, what);
	assert.equal(have.input_tokens, sum(list.map((c) => c.input)), what);
	assert.equal(have.output_tokens, sum(list.map((c) => c.output)), what);
	assert.equal(have.total_tokens, sum(list.map((c) => c.input)) + sum(list.map((c) => c.output)), what);
	assert.equal(have.cached_tokens, sum(list.map((c) => c.cached)), what);
	assert.equal(have.calls_without_tokens, list.filter((c) => c.input === undefined).length, what);
	assert.equal(have.calls_without_price, list.length - priced.length, what);
	if (priced.length) near(have.cost_usd, sum(priced), `${what}: cost`);
	else assert.equal(have.cost_usd, null, what);
	if (list.length === 0) return;
	near(have.avg_ms, sum(list.map((c) => Number(c.duration))) / list.length / 1e6, `${what}: avg`);
	quantile(have.p50_ms, list.map((c) => c.duration), 0.5, what);
	quantile(have.p95_ms, list.map((c) => c.duration), 0.95, what);
	const starts = list.map((c) => c.start).sort((a, b) => (a < b ? -1 : 1));
	assert.equal(have.first_time_unix_nano, String(starts[0]), what);
	assert.equal(have.last_time_unix_nano, String(starts.at(-1)), what);
}

const keyOf = {
	model: (c) => c.answered ?? c.model,
	provider: (c) => c.provider,
	agent: (c) => c.agent ?? null,
	service: (c) => c.service,
	conversation: (c) => c.conversation ?? null,
	operation: (c) => operations[c.dialect],
};

function checkSummary(answer, by, list, prices) {
	const groups = groupBy(list, keyOf[by]);
	assert.equal(answer.by, by);
	assert.equal(answer.partial, false);
	assert.deepEqual(new Set(answer.groups.map((g) => g.name)), new Set(groups.keys()), by);
	for (const g of answer.groups) checkSums(g, groups.get(g.name), prices, `${by} ${g.name}`);
	checkSums(answer.totals, list, prices, `${by} in all`);
	const order = answer.groups.map((g) => [g.cost_usd ?? 0, g.calls]);
	assert.ok(order.every(([cost, n], i) => i === 0 || order[i - 1][0] > cost || (order[i - 1][0] === cost && order[i - 1][1] >= n)), 'the dearest first');
}

// ---- tests

describe('calls of language models', () => {
	const dataDir = newDataDir();
	const prices = join(dataDir, 'prices.json');
	let weir;
	const get = async (path) => {
		const { status, body, text } = await weir.get(path);
		assert.equal(status, 200, text);
		return body;
	};

	before(async () => {
		writeFileSync(prices, JSON.stringify({ prices: table }));
		weir = await Weir.start({ dataDir: join(dataDir, 'data'), args: ['--prices', prices] });
		for (const [service, list] of groupBy([...calls, ...others], (c) => c.service)) {
			const body = JSON.stringify({ resourceSpans: [{ resource: { attributes: otlpMap([['service.name', service]]) }, scopeSpans: [{ spans: list.map(spanOf) }] }] });
			const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
			assert.equal(res.status, 200, await res.text());
		}
		await weir.until('/api/v1/traces?limit=1000', (body) => body.count === calls.length + others.length);
	});
	after(async () => {
		await weir?.stop();
		removeDataDir(dataDir);
	});

	for (const by of Object.keys(keyOf))
		it(`are summed up by ${by}, whatever their dialect`, async () => checkSummary(await get(`/api/v1/llm?by=${by}`), by, calls, 'first'));

	it('are summed up by model when nothing is said, of the last hour', async () => {
		const answer = await get('/api/v1/llm');
		checkSummary(answer, 'model', calls, 'first');
		assert.equal(BigInt(answer.to_unix_nano) - BigInt(answer.from_unix_nano), 3600000n * MS);
	});

	for (const [name, value] of [['model', 'test-small'], ['provider', 'OpenAI'], ['agent', 'writer'], ['conversation', 'c2'], ['service', 'desk']])
		it(`are only those of a ${name}, when that is asked for`, async () => {
			const is = {
				model: (c) => c.model === value || c.answered === value,
				provider: (c) => c.provider === value.toLowerCase(),
				agent: (c) => c.agent === value, conversation: (c) => c.conversation === value, service: (c) => c.service === value,
			}[name];
			const want = calls.filter(is);
			assert.ok(want.length > 3);
			checkSummary(await get(`/api/v1/llm?by=provider&${name}=${value}`), 'provider', want, 'first');
			const list = await get(`/api/v1/llm/calls?${name}=${value}&limit=1000`);
			assert.deepEqual(list.calls.map((c) => c.span_id), want.map((c) => c.id).reverse());
		});

	it('are summed up of a window', async () => {
		const [from, to] = [calls[30].start, calls[60].start];
		checkSummary(await get(`/api/v1/llm?from=${from}&to=${to}`), 'model', calls.slice(30, 60), 'first');
		const none = await get('/api/v1/llm?from=2020-01-01&to=2020-01-02');
		assert.deepEqual([none.groups, none.totals.calls, none.totals.cost_usd, none.totals.first_time], [[], 0, null, null]);
	});

	it('are listed newest first, page by page, as one form', async () => {
		const seen = [];
		for (let cursor = ''; cursor !== undefined;) {
			const page = await get(`/api/v1/llm/calls?limit=7${cursor && `&cursor=${cursor}`}`);
			assert.equal(page.partial, false);
			seen.push(...page.calls);
			cursor = page.next_cursor;
		}
		const want = calls.toReversed();
		assert.deepEqual(seen.map((c) => c.span_id), want.map((c) => c.id));
		for (const [i, have] of seen.entries()) {
			const c = want[i];
			const cost = costOf(c, 'first');
			assert.deepEqual({ ...have, cost_usd: undefined }, {
				trace_id: c.trace, span_id: c.id, service: c.service, span_name: 'call', start_time: have.start_time, start_time_unix_nano: String(c.start),
				duration_ms: Number(c.duration) / 1e6, status: c.error ? 'error' : 'unset', kind: 'chat', provider: c.provider, operation: operations[c.dialect],
				model: c.answered ?? c.model, request_model: c.model, response_model: c.answered ?? null, input_tokens: c.input ?? null,
				output_tokens: c.output ?? null, total_tokens: c.input === undefined ? null : c.input + c.output, cached_tokens: c.cached ?? null,
				cache_write_tokens: null, reasoning_tokens: null, cost_usd: undefined, cost_sent: c.cost !== undefined, first_token_ms: null,
				finish_reason: 'stop', temperature: c.temperature ?? null, agent: c.agent ?? null, conversation: c.conversation ?? null, error_type: null,
			});
			if (cost === undefined) assert.equal(have.cost_usd, null);
			else near(have.cost_usd, cost, 'cost');
		}
	});

	it('show what was said, when that is asked for', async () => {
		const { calls: list } = await get('/api/v1/llm/calls?limit=6&messages=true');
		for (const [i, have] of list.entries()) {
			const c = calls.at(-1 - i);
			assert.deepEqual(have.input_messages, [{ role: 'user', content: c.question, tool_calls: null }]);
			assert.deepEqual(have.output_messages, [{ role: 'assistant', content: c.answer, tool_calls: null }]);
			assert.equal(have.messages_left_out, 0);
		}
	});

	it('stand in tables of commands', async () => {
		const { stdout, code } = await run(['llm', '--by', 'provider', '--url', `http://${weir.api}`, '-o', 'table']);
		assert.equal(code, 0);
		assert.match(stdout, /NAME +CALLS +ERRORS +INPUT +OUTPUT +COST/);
		assert.match(stdout, /openai +\d+/);
		const list = await run(['calls', '--model', 'test-small', '--url', `http://${weir.api}`, '-o', 'ndjson']);
		assert.equal(list.code, 0);
		assert.equal(list.stdout.trim().split('\n').length, calls.filter((c) => c.model === 'test-small').length);
	});

	it('cost what the file says now, after SIGHUP, and a file that is none changes nothing', async () => {
		const costs = async () => (await get('/api/v1/llm')).totals;
		writeFileSync(prices, JSON.stringify({ prices: otherTable }));
		weir.child.kill('SIGHUP');
		const deadline = Date.now() + patience;
		while ((await costs()).calls_without_price !== calls.filter((c) => costOf(c, 'second') === undefined).length) {
			assert.ok(Date.now() < deadline, 'the prices are as before');
			await sleep(50);
		}
		checkSummary(await get('/api/v1/llm'), 'model', calls, 'second');
		writeFileSync(prices, '{"prices":[{"models":["*"]}]}');
		weir.child.kill('SIGHUP');
		while (!/prices are as before: .*prices\.json: line 1, column 28: this row has no price/.test(weir.log)) {
			assert.ok(Date.now() < deadline, weir.log);
			await sleep(50);
		}
		checkSummary(await get('/api/v1/llm'), 'model', calls, 'second');
	});

	it('that name no agent are those of the agent above them', async () => {
		// [id, parent, attributes, whose call it is (undefined: it is none)], of one trace each; later ones began later.
		const chat = [['gen_ai.operation.name', 'chat'], ['gen_ai.request.model', 'm'], ['gen_ai.usage.input_tokens', int(5)]];
		const model = [['openinference.span.kind', 'LLM'], ['llm.model_name', 'm'], ['llm.token_count.prompt', int(7)]];
		const traces = [
			[['a', , [['gen_ai.operation.name', 'invoke_agent'], ['gen_ai.agent.name', 'researcher']]], ['b', 'a', chat, 'researcher'],
				['c', 'a', [['gen_ai.operation.name', 'execute_tool'], ['gen_ai.tool.name', 'ask']]], ['d', 'c', chat, 'researcher'],
				['e', 'a', [...chat, ['gen_ai.agent.name', 'critic']], 'critic']],
			[['a', , [['openinference.span.kind', 'CHAIN']]], ['b', 'a', model, null], ['c', 'a', [['openinference.span.kind', 'AGENT']], , 'Assistant'],
				['d', 'c', [['openinference.span.kind', 'CHAIN']]], ['e', 'd', model, 'Assistant'],
				['f', 'd', [['openinference.span.kind', 'AGENT'], ['agent.name', 'helper']]], ['1', 'f', model, 'helper']],
			[['a', , [['junjo.span_type', 'agent'], ['junjo.agent.name', 'clerk'], ['junjo.executable_runtime_id', 'x']]], ['b', 'a', [['junjo.agent.operation_type', 'model_request']]], ['c', 'b', chat, 'clerk']],
			[['a', , [['traceloop.span.kind', 'agent'], ['traceloop.entity.name', 'scout']]], ['b', 'a', chat, 'scout']],
			[['a', , [['gen_ai.operation.name', 'invoke_agent']]], ['b', 'a', chat, null]], // it has no name
			[['b', 'a', chat, null]], // nobody came
		].map((spans) => ({ id: hex(16), spans }));
		const at = now - 5n * 86400n * 1000n * MS; // apart from the others
		const spanId = (c) => c.repeat(16);
		const all = traces.flatMap((tr, n) => tr.spans.map(([id, parent, attributes, agent, name], i) => ({ trace: tr.id, id: spanId(id), agent, span: {
			traceId: tr.id, spanId: spanId(id), ...(parent && { parentSpanId: spanId(parent) }), name: name ?? 'span', kind: 1, startTimeUnixNano: String(at + BigInt(n) * 1000n * MS + BigInt(i) * MS), endTimeUnixNano: String(at + BigInt(n + 1) * 1000n * MS), attributes: otlpMap(attributes) } })));
		const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ resourceSpans: [{ resource: {}, scopeSpans: [{ spans: all.map((s) => s.span) }] }] }) });
		assert.equal(res.status, 200, await res.text());
		const window = `from=${at}&to=${at + 3600n * 1000n * MS}`;
		await weir.until(`/api/v1/traces?limit=1000&${window}`, (body) => body.count === all.length);
		const called = all.filter((s) => s.agent !== undefined);
		const by = groupBy(called, (s) => s.agent);
		const answer = await get(`/api/v1/llm?by=agent&${window}`);
		assert.deepEqual(new Map(answer.groups.map((g) => [g.name, g.calls])), new Map([...by].map(([name, list]) => [name, list.length])));
		assert.deepEqual([answer.totals.calls, answer.partial], [called.length, false]);
		for (const [name, list] of by) {
			if (name === null) continue;
			assert.equal((await get(`/api/v1/llm?agent=${name}&${window}`)).totals.calls, list.length, name);
			const { calls: found } = await get(`/api/v1/llm/calls?agent=${name}&${window}`);
			assert.deepEqual(found.map((c) => [c.trace_id, c.span_id, c.agent]), list.map((s) => [s.trace, s.id, name]).reverse());
		}
		for (const tr of traces) {
			const { calls: found } = await get(`/api/v1/llm/calls?trace_id=${tr.id}`);
			assert.deepEqual(found.map((c) => [c.span_id, c.agent]), called.filter((s) => s.trace === tr.id).map((s) => [s.id, s.agent]).reverse());
		}
		// A list of calls says what they say.
		const plain = await get(`/api/v1/llm/calls?${window}`);
		assert.deepEqual(plain.calls.map((c) => c.agent).filter((x) => x), ['critic']);
		// So does SQL, which can go up by itself.
		const { stdout, code, stderr } = await run(['sql', '--url', `http://${weir.api}`, '-o', 'json', `
			WITH RECURSIVE up AS (
			  SELECT c.trace_id, c.span_id AS call, c.agent, s.parent_span_id AS above FROM llm_calls c JOIN spans s USING (trace_id, span_id)
			  UNION ALL
			  SELECT u.trace_id, u.call, coalesce(s.attributes->>'gen_ai.agent.name', s.attributes->>'agent.name'), s.parent_span_id
			  FROM up u JOIN spans s ON s.trace_id = u.trace_id AND s.span_id = u.above WHERE u.agent IS NULL)
			SELECT agent, count(*)::INT AS calls FROM up WHERE agent IS NOT NULL GROUP BY agent HAVING agent IN ('researcher', 'critic', 'helper') ORDER BY agent`]);
		assert.equal(code, 0, stderr);
		assert.deepEqual(JSON.parse(stdout).rows ?? JSON.parse(stdout), [{ agent: 'critic', calls: 1 }, { agent: 'helper', calls: 1 }, { agent: 'researcher', calls: 2 }]);
	});

	it('are the same after a restart, which a file that is none prevents', async () => {
		await weir.stop();
		await assert.rejects(Weir.start({ dataDir: join(dataDir, 'data'), args: ['--prices', prices] }), /cannot start: prices \(--prices\): .*line 1, column 28/);
		writeFileSync(prices, '');
		await assert.rejects(Weir.start({ dataDir: join(dataDir, 'data'), args: ['--prices', prices] }), /prices \(--prices\): .*prices\.json: the file is empty/);
		writeFileSync(prices, JSON.stringify({ prices: otherTable }));
		weir = await Weir.start({ dataDir: join(dataDir, 'data'), args: ['--prices', prices] });
		checkSummary(await get('/api/v1/llm?by=agent'), 'agent', calls, 'second');
	});
});
