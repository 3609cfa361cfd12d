// SPDX-License-Identifier: Apache-2.0
//
// The command line against a real server: the demo's shop, questions about it, exit codes, wrong usage.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, weirBin } from './lib/weir.mjs';

let weir;
let env;
before(async () => {
	weir = await Weir.start();
	env = { WEIR_URL: `http://${weir.api}` };
	const demo = await run(['demo', '--grpc', weir.grpc, '--duration', '1s', '--history', '30m', '--seed', '7']);
	assert.equal(demo.code, 0, demo.stderr);
	await weir.until('/api/v1/services', (b) => b.count === 6);
	await weir.until('/api/v1/metrics?metric_type=summary', (b) => b.count >= 1);
});
after(() => weir.stop());

async function ask(...args) {
	const r = await run(args, { env });
	assert.equal(r.code, 0, `${args.join(' ')}: ${r.stderr}`);
	return JSON.parse(r.stdout);
}

describe('the demo', () => {
	it('has errors, slow calls, logs joined to spans, an agent, every kind of metric', async () => {
		const errors = await ask('traces', '--status', 'error', '--limit', '1000');
		assert.ok(errors.count > 5);
		const slow = await ask('traces', '--min-duration-ms', '500', '--operation', 'SELECT');
		assert.ok(slow.count >= 1);
		const logs = await ask('logs', '--min-severity', 'error', '--limit', '1000');
		assert.ok(logs.count > 3);
		const trace = await ask('trace', logs.logs[0].trace_id);
		assert.ok(trace.spans.some((s) => s.span_id === logs.logs[0].span_id));
		const agent = await ask('traces', '--attribute', 'gen_ai.operation.name=invoke_agent');
		assert.ok(agent.count >= 1);
		for (const type of ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'])
			assert.ok((await ask('metrics', '--metric-type', type)).count >= 1, type);
	});

	it('every trace is one tree: no parent is missing', async () => {
		const { spans } = await ask('traces', '--limit', '10000');
		const ids = new Set(spans.map((s) => s.span_id));
		assert.ok(spans.length > 100);
		for (const s of spans) assert.ok(s.parent_span_id === null || ids.has(s.parent_span_id));
	});

	it('ends with 0 on SIGINT, and says why when the server goes', async () => {
		for (const [how, code] of [['SIGINT', 0], ['SIGTERM', 0]]) {
			const child = spawn(weirBin, ['demo', '--grpc', weir.grpc, '--history', '0'], { stdio: 'ignore' });
			// Once a signal is something that it waits for.
			for (const deadline = Date.now() + patience; !(Number.parseInt(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/SigBlk:\s+([0-9a-f]+)/)[1].slice(-4), 16) & 2); await sleep(20))
				assert.ok(Date.now() < deadline);
			child.kill(how);
			assert.equal(await new Promise((done) => child.on('exit', done)), code);
		}
		const gone = await run(['demo', '--grpc', '127.0.0.1:1']);
		assert.equal(gone.code, 1);
		assert.match(gone.stderr, /127\.0\.0\.1:1.*refused/);
	});
});

describe('questions', () => {
	it('a pipe gets JSON, -o table a table, -o ndjson lines', async () => {
		const json = await run(['services'], { env });
		assert.equal(JSON.parse(json.stdout).count, 6);
		const table = await run(['services', '-o', 'table'], { env });
		assert.match(table.stdout, /^SERVICE +SPANS/);
		const lines = await run(['traces', '-o', 'ndjson', '-n', '5'], { env });
		assert.equal(lines.stdout.trim().split('\n').map((l) => JSON.parse(l)).length, 5);
	});

	it('--all walks every page', async () => {
		const all = await run(['traces', '--all', '-o', 'ndjson', '-n', '50'], { env });
		const spans = all.stdout.trim().split('\n').map((l) => JSON.parse(l).span_id);
		const { services } = await ask('services');
		assert.equal(spans.length, services.reduce((n, s) => n + s.span_count, 0));
		assert.equal(new Set(spans).size, spans.length);
	});

	it('a trace is drawn as a tree with bars', async () => {
		const { spans } = await ask('traces', '--operation', 'POST /checkout', '--service', 'web', '-n', '1');
		const { stdout } = await run(['trace', spans[0].trace_id, '-o', 'table'], { env: { ...env, LC_ALL: 'C.UTF-8' } });
		assert.match(stdout, /└─/);
		assert.match(stdout, /█/);
		assert.match(stdout, /checkout POST \/checkout/);
		const ascii = await run(['trace', spans[0].trace_id, '-o', 'table'], { env: { ...env, LC_ALL: 'C' } });
		// eslint-disable-next-line no-control-regex
		assert.match(ascii.stdout, /^[\x00-\x7f]*$/);
	});
});

describe('exit codes and messages', () => {
	const cases = [
		[['trace', 'f'.repeat(32)], 3, /no trace/],
		[['trace', 'abc'], 2, /32/],
		[['trace'], 2, /trace/],
		[['tracez'], 2, /traces/],
		[['traces', '--servce', 'x'], 2, /--service/],
		[['traces', '--limit', 'many'], 2, /limit/],
		[['traces', '--url', 'http://127.0.0.1:1'], 1, /127\.0\.0\.1:1/],
		[['serve', '--nope'], 2, /--nope/],
		[['serve', '--grpc', '0.0.0.0:4317'], 2, /--insecure/],
		[['serve', '--grpc', 'nonsense'], 2, /--grpc/],
		[['serve', '--config', '/no/such/file'], 2, /\/no\/such\/file/],
		[['serve', '--log-level', 'loud'], 2, /loud/],
		[['demo', '--rate', '0'], 2, /--rate/],
	];
	for (const [args, code, message] of cases)
		it(`weir ${args.join(' ')}`, async () => {
			const r = await run(args, { env });
			assert.equal(r.code, code, r.stderr);
			assert.match(r.stderr, message);
			assert.equal(r.stdout, '');
		});

	it('help goes to standard output with exit code 0', async () => {
		for (const args of [['--help'], ['help'], ['help', 'traces'], ['traces', '--help'], ['serve', '--help'], ['demo', '--help'], ['bench', '--help'], ['help', 'serve']]) {
			const r = await run(args);
			assert.equal(r.code, 0, `${args}: ${r.stderr}`);
			assert.match(r.stdout, /weir/);
		}
		assert.match((await run(['--version'])).stdout, /^weir \d+\.\d+\.\d+\n$/);
	});
});

describe('weir serve', () => {
	it('says who holds the data folder, the port, and what is wrong with a folder', async () => {
		const second = await run(['serve', '--data-dir', weir.dataDir, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--api', '127.0.0.1:0']);
		assert.equal(second.code, 1);
		assert.match(second.stderr, new RegExp(`process ${weir.child.pid}`));
		const dir = newDataDir();
		const port = await run(['serve', '--data-dir', dir, '--grpc', weir.grpc, '--http', '127.0.0.1:0', '--api', '127.0.0.1:0']);
		assert.equal(port.code, 1);
		assert.match(port.stderr, new RegExp(`${weir.grpc}.*in use`));
		const file = await run(['serve', '--data-dir', '/dev/null/x']);
		assert.equal(file.code, 1);
		assert.match(file.stderr, /\/dev\/null\/x/);
		removeDataDir(dir);
	});

	it('logs in JSON when asked, one object a line', async () => {
		const w = await Weir.start({ args: ['--log-level', 'debug'], env: { WEIR_LOG_FORMAT: 'text' } });
		await w.stop();
		const dir = newDataDir();
		const child = spawn(weirBin, ['serve', '--data-dir', dir, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--api', '127.0.0.1:0', '--log-format', 'json']);
		let log = '';
		child.stderr.on('data', (d) => (log += d));
		const deadline = Date.now() + patience;
		while (!log.includes('the API on') && Date.now() < deadline) await sleep(10);
		child.kill('SIGTERM');
		assert.equal(await new Promise((done) => child.on('exit', done)), 0);
		for (const line of log.trim().split('\n')) assert.ok(JSON.parse(line).message.length > 0);
		removeDataDir(dir);
	});

	it('/readyz names its checks, /metrics is Prometheus text', async () => {
		const ready = (await weir.get('/readyz')).body;
		assert.equal(ready.ready, true);
		assert.deepEqual(ready.checks.map((c) => c.name).sort(), ['disk', 'dlq', 'keys', 'loader', 'store', 'wal']);
		assert.equal((await weir.get('/healthz')).text.trim(), 'ok');
		const { text, headers } = await weir.get('/metrics');
		assert.match(headers.get('content-type'), /^text\/plain/);
		for (const line of text.trim().split('\n'))
			assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+)$/);
	});
});
