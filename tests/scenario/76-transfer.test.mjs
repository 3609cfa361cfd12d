// SPDX-License-Identifier: Apache-2.0
//
// Telemetry out of a server into files of each kind, and out of files into a server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, weirBin } from './lib/weir.mjs';

const golden = new URL('../golden/', import.meta.url).pathname;
let weir;
let dir;
let env;

before(async () => {
	weir = await Weir.start({ args: ['--tenant-limits', 'slow:items=300'] });
	mkdirSync(join(golden, '../../build/scenario-data'), { recursive: true });
	dir = mkdtempSync(join(golden, '../../build/scenario-data/transfer-'));
	env = { XDG_STATE_HOME: dir, WEIR_URL: `http://${weir.api}`, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${weir.http}` };
});
after(async () => {
	rmSync(dir, { recursive: true, force: true });
	await weir.stop();
});

const file = (name, content) => {
	const path = join(dir, name);
	writeFileSync(path, content);
	return path;
};
const cli = (args, more = {}) => run(args, { env: { ...env, ...more } });
async function ok(args) {
	const { code, stdout, stderr } = await cli(args);
	assert.equal(code, 0, `weir ${args.join(' ')}: ${stderr}`);
	return { stdout, stderr };
}

// ---- requests as lists of items, each with its resource and scope; what may be said in two ways in one

const implicit = new Set(['flags', 'kind', 'code', 'droppedAttributesCount', 'droppedEventsCount', 'droppedLinksCount',
	'severityNumber', 'zeroThreshold', 'offset', 'scale', 'zeroCount', 'count', 'isMonotonic', 'startTimeUnixNano']);
function canon(value, key) {
	if (Array.isArray(value)) {
		const list = value.map((v) => canon(v));
		if (list.length === 0) return undefined;
		return ['attributes', 'metadata', 'filteredAttributes'].includes(key) || list.every((v) => v?.key !== undefined)
			? list.sort((a, b) => (a.key < b.key ? -1 : 1)) : list;
	}
	if (value !== null && typeof value === 'object') {
		const members = Object.entries(value).map(([k, v]) => [k, canon(v, k)]).filter(([, v]) => v !== undefined);
		return members.length === 0 && key !== 'body' && key !== 'value' ? undefined : Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
	}
	if (implicit.has(key) && (value === 0 || value === '0' || value === false)) return undefined;
	if (typeof value === 'string' && value === '' && key !== 'stringValue') return undefined;
	return typeof value === 'number' || (typeof value === 'string' && /^-?\d+$/.test(value) && key !== 'stringValue') ? String(value).toLowerCase()
		: key === 'traceId' || key === 'spanId' || key === 'parentSpanId' ? value.toLowerCase() : value;
}
function items(requests) {
	const out = [];
	for (const r of requests)
		for (const [list, scopes, inner] of [['resourceSpans', 'scopeSpans', 'spans'], ['resourceLogs', 'scopeLogs', 'logRecords'],
			['resourceMetrics', 'scopeMetrics', 'metrics']])
			for (const res of r[list] ?? [])
				for (const scope of res[scopes] ?? [])
					for (const item of scope[inner] ?? []) {
						const around = { resource: res.resource, resourceUrl: res.schemaUrl, scope: scope.scope, scopeUrl: scope.schemaUrl };
						const kind = inner === 'metrics' && Object.keys(item).find((k) => item[k]?.dataPoints);
						for (const point of kind ? item[kind].dataPoints : [undefined])
							out.push(JSON.stringify(canon({ ...around, item: kind ? { ...item, [kind]: { ...item[kind], dataPoints: [point] } } : item })));
					}
	return out.sort();
}
const lines = (text) => text.split('\n').filter((l) => l).map((l) => JSON.parse(l));
async function exported(tenant, filters = []) {
	const all = [];
	for (const signal of ['traces', 'logs', 'metrics'])
		all.push(...lines((await ok(['export', signal, '--tenant', tenant, '--quiet', ...filters])).stdout));
	return all;
}
// What was acknowledged is visible a moment later.
async function settled(tenant, want, filters) {
	const deadline = Date.now() + patience;
	for (let got; ; await sleep(30)) {
		got = items(await exported(tenant, filters));
		if (got.length >= want.length || Date.now() > deadline) {
			assert.deepEqual(got, want);
			return;
		}
	}
}

// Those of the protocol's own repository, as they are; and requests with every field there is, which say much in unusual ways.
const named = (start) => readdirSync(join(golden, 'otlp-json')).filter((n) => n.startsWith(start) && n.endsWith('.json')).map((n) => join(golden, 'otlp-json', n));

test('every example comes back item by item, through JSON lines, protobuf and Parquet', async () => {
	const examples = named('example-');
	assert.equal(examples.length, 4);
	const of = items(examples.map((p) => JSON.parse(readFileSync(p))));
	assert.ok(of.length > 5);
	await ok(['import', '--tenant', 'examples', ...examples]);
	await settled('examples', of);
	const all = await cli(['import', '--tenant', 'first', ...named('all-')]);
	assert.equal(all.code, 4, all.stderr);
	assert.match(all.stderr, /2 of them were refused.*trace id is missing/);
	const deadline = Date.now() + patience;
	let want;
	while ((want = items(await exported('first'))).length < 24) assert.ok(Date.now() < deadline, `${want.length}`);
	assert.equal(want.length, 24);
	for (const [tenant, wanted] of [['examples', of], ['first', want]])
		for (const [format, end] of [['jsonl', 'jsonl'], ['proto', 'otlp'], ['parquet', 'parquet']]) {
			const out = join(dir, `${tenant}-${format}`);
			await ok(['export', '--tenant', tenant, '--format', format, '-o', out]);
			const files = readdirSync(out).filter((n) => n.endsWith(end)).map((n) => join(out, n));
			assert.equal(files.length, format === 'jsonl' ? 4 : 3); // and comments
			assert.ok(!readdirSync(out).some((n) => n.endsWith('.partial')));
			await ok(['import', '--tenant', `${tenant}-by-${format}`, ...files]);
			await settled(`${tenant}-by-${format}`, wanted);
		}
	// Compressed, and the tenant that the Parquet names.
	const gz = file('traces.jsonl.gz', gzipSync(readFileSync(join(dir, 'first-jsonl/traces.jsonl'))));
	await ok(['import', '--tenant', 'gz', gz]);
	await settled('gz', items(lines(readFileSync(join(dir, 'first-jsonl/traces.jsonl'), 'utf8'))));
	// The tenant that the Parquet names has these spans already.
	await ok(['import', join(dir, 'first-parquet/traces-000001.parquet')]);
	await sleep(200);
	await settled('first', want);
});

test('importing again adds nothing, with or without a memory of it', async () => {
	const path = join(golden, 'otlp-json/example-trace.json');
	const want = items([JSON.parse(readFileSync(path))]);
	await ok(['import', '--tenant', 'again', path]);
	await settled('again', want);
	const { stderr } = await ok(['import', '--tenant', 'again', path]);
	assert.match(stderr, /was imported on .*: nothing is sent \(--again sends it all the same\)/);
	await ok(['import', '--tenant', 'again', '--again', path]);
	await sleep(200);
	await settled('again', want);
});

test('a database of an older schema: the first row of a key counts, for each tenant', async () => {
	const seed = file('seed.duckdb', gunzipSync(readFileSync(join(golden, 'transfer/seed.duckdb.gz'))));
	// Somebody else has a span of these ids, and acme has one of another trace.
	const other = (name, traceId) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId: 'b7ad6b7169203331', name,
		startTimeUnixNano: '1767323045000000000', endTimeUnixNano: '1767323045000000001' }] }] }] });
	await ok(['import', '--tenant', 'bystander', file('other.json', other('mine', '0af7651916cd43dd8448eb211c80319c'))]);
	await ok(['import', '--tenant', 'acme', file('own.json', other('before', '1af7651916cd43dd8448eb211c80319c'))]);
	for (const args of [[], ['--again']]) {
		const { code, stderr } = await cli(['import', seed, ...args]);
		assert.equal(code, 4, stderr);
		assert.match(stderr, /1 of its spans have the ids of one before them: the first counts/);
		assert.match(stderr, /1 of them were refused.*trace id is missing/);
		assert.match(stderr, /attributes, events or links of 1 rows were no JSON/);
		await sleep(200);
		const spans = async (tenant) => (await exported(tenant)).flatMap((r) => r.resourceSpans).flatMap((r) => r.scopeSpans).flatMap((s) => s.spans);
		const acme = await spans('acme');
		assert.deepEqual(acme.map((s) => s.name).sort(), ['before', 'child', 'first of two']);
		assert.deepEqual((await spans('zeta')).map((s) => s.name), ['of another tenant']);
		assert.deepEqual((await spans('bystander')).map((s) => s.name), ['mine']);
		const first = acme.find((s) => s.name === 'first of two');
		assert.equal(first.startTimeUnixNano, '1767323045123456000');
		assert.equal(first.kind, 3);
		assert.deepEqual(first.attributes.find((a) => a.key === 'junjo.workflow.state.end').value, { stringValue: '{"a":2}' });
		assert.deepEqual(first.attributes.find((a) => a.key === 'n').value, { intValue: '12' });
		assert.equal(first.events[0].timeUnixNano, '1767323045123456789');
	}
});

test('an import that was killed goes on where it was, and everything is there once', async () => {
	const spans = Array.from({ length: 900 }, (_, i) => JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [
		{ timeUnixNano: String(1767323045000000000n + BigInt(i)), body: { stringValue: `line ${i}` } }] }] }] }));
	const path = file('many.jsonl', spans.join('\n'));
	const child = spawn(weirBin, ['import', path, '--tenant', 'slow'], { env: { ...process.env, ...env }, stdio: 'ignore' });
	const gone = new Promise((done) => child.on('exit', done));
	const deadline = Date.now() + patience;
	const count = async () => (await exported('slow')).flatMap((r) => r.resourceLogs).flatMap((r) => r.scopeLogs).flatMap((s) => s.logRecords);
	while ((await count()).length < 600) assert.ok(Date.now() < deadline);
	child.kill('SIGKILL');
	await gone;
	const before = (await count()).length;
	assert.ok(before < 900, `${before}`);
	const { stderr } = await ok(['import', path, '--tenant', 'slow']);
	assert.match(stderr, /goes on where it was interrupted/);
	while ((await count()).length < 900) assert.ok(Date.now() < deadline);
	const texts = (await count()).map((l) => l.body.stringValue);
	assert.equal(new Set(texts).size, 900);
	assert.equal(texts.length, 900);
});

test('what is exported is what was asked for: time, filters, more than one page', async () => {
	const logs = Array.from({ length: 9000 }, (_, i) => ({ timeUnixNano: String(1767323045000000000n + BigInt(i) * 1000000n),
		severityNumber: i % 2 ? 9 : 17, body: { stringValue: `${i}` } }));
	await ok(['import', '--tenant', 'pages', file('pages.json', JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: logs }] }] }))]);
	const want = (keep) => items([{ resourceLogs: [{ scopeLogs: [{ logRecords: logs.filter(keep) }] }] }]);
	await settled('pages', want(() => true));
	const error = lines((await ok(['export', 'logs', '--tenant', 'pages', '--severity', 'error'])).stdout);
	assert.deepEqual(items(error), want((l) => l.severityNumber === 17));
	const { stdout } = await ok(['export', 'logs', '--tenant', 'pages', '--from', '2026-01-02T03:04:06Z', '--to', '2026-01-02T03:04:07Z']);
	assert.deepEqual(items(lines(stdout)), want((l) => l.timeUnixNano >= '1767323046000000000' && l.timeUnixNano < '1767323047000000000'));
});

test('what is wrong with a file is said, and is not the others\' fault', async () => {
	const span = (id) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: id.padStart(32, '1'), spanId: '00f067aa0ba902b7', name: id }] }] }] });
	const mixed = file('mixed.jsonl', [span('1'), '{"resourceSpans":7}', '{"x":1}', span('2')].join('\n'));
	let r = await cli(['import', '--tenant', 'wrong', mixed]);
	assert.equal(r.code, 4);
	assert.match(r.stderr, /refused, in 2 requests the whole; the first because: the request before byte \d+/);
	await settled('wrong', items([JSON.parse(span('1')), JSON.parse(span('2'))]));
	for (const [name, content, text] of [['garbage', 'hello', /is neither JSON, nor protobuf/], ['cut.jsonl', span('3').slice(0, -5), /does not end/],
		['cut-traces.otlp', Buffer.from([0, 0, 1, 0, 10, 3]), /is cut off/], ['nameless.pb', Buffer.from([10, 0]), /use --signal/],
		['damaged.parquet', Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(100, 7)]), /cannot read .*damaged.parquet/],
		['damaged.duckdb', Buffer.concat([Buffer.alloc(8), Buffer.from('DUCK'), Buffer.alloc(9000)]), /cannot read .*damaged.duckdb/],
		['view.duckdb', gunzipSync(readFileSync(join(golden, 'transfer/view.duckdb.gz'))), /has no table spans/]]) {
		r = await cli(['import', '--tenant', 'wrong', file(name, content), file(`good-${name}.json`, span(name.length.toString()))]);
		assert.equal(r.code, 1, r.stderr);
		assert.match(r.stderr, text);
		assert.match(r.stderr, /good-.*: 1 items/);
	}
	r = await cli(['import', dir]);
	assert.equal(r.code, 1);
	assert.match(r.stderr, /is a folder/);
	for (const [args, text] of [[['import'], /which files\?/], [['import', '--foo', 'x'], /no option --foo/], [['export', 'trces'], /not "trces"/],
		[['export', 'traces', '--sevice', 'x'], /no option --sevice; did you mean --service/], [['export', 'all', '--severity', 'error'], /no option --severity for traces/],
		[['export', '--format', 'xml'], /"xml" is not jsonl, proto or parquet/], [['export', 'traces', '--last', 'soon'], /--last/]]) {
		r = await cli(args);
		assert.equal(r.code, 2, args.join(' '));
		assert.match(r.stderr, text);
	}
	r = await cli(['export', 'traces', '-o', file('there.jsonl', 'x')]);
	assert.equal(r.code, 1);
	assert.match(r.stderr, /there already: --force/);
	assert.equal(readFileSync(join(dir, 'there.jsonl'), 'utf8'), 'x');
	r = await cli(['export', 'traces'], { WEIR_URL: 'http://127.0.0.1:9' });
	assert.equal(r.code, 1);
	assert.match(r.stderr, /cannot reach/);
});

test('rows that are large come back too', async () => {
	const big = 'x'.repeat(900000);
	const spans = Array.from({ length: 40 }, (_, i) => ({ traceId: 'b16'.padEnd(32, '1'), spanId: (i + 1).toString(16).padStart(16, '0'), name: `${i}`,
		startTimeUnixNano: String(1767323045000000000n + BigInt(i)), endTimeUnixNano: '1767323046000000000', attributes: [{ key: 'big', value: { stringValue: big } }] }));
	for (let i = 0; i < 40; i += 10)
		await ok(['import', '--tenant', 'large', file(`large-${i}.json`, JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: spans.slice(i, i + 10) }] }] }))]);
	const want = items([{ resourceSpans: [{ scopeSpans: [{ spans }] }] }]);
	await settled('large', want);
	for (const format of ['proto', 'parquet']) {
		const out = join(dir, `large-${format}`);
		await ok(['export', 'traces', '--tenant', 'large', '--format', format, '-o', format === 'proto' ? `${out}-traces.otlp` : out]);
		await ok(['import', '--tenant', `large-${format}`, format === 'proto' ? `${out}-traces.otlp` : join(out, 'traces-000001.parquet')]);
		await settled(`large-${format}`, want);
	}
});

test('keys hold for both', async (t) => {
	const dataDir = newDataDir();
	const key = async (right) => JSON.parse((await run(['keys', 'create', '--data-dir', dataDir, '--tenant', 'acme', '--right', right, '-o', 'json'])).stdout);
	const reading = (await key('read')).key;
	const writing = (await key('ingest')).key;
	const other = await Weir.start({ dataDir });
	t.after(async () => {
		await other.stop();
		removeDataDir(dataDir);
	});
	const at = { WEIR_URL: `http://${other.api}`, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${other.http}` };
	const path = join(golden, 'otlp-json/example-trace.json');
	for (const token of ['', reading]) {
		const { code, stderr } = await cli(['import', path], { ...at, WEIR_TOKEN: token });
		assert.equal(code, 1, stderr);
		assert.match(stderr, /server answered 40[13]/);
	}
	let r = await cli(['import', path], { ...at, WEIR_TOKEN: writing });
	assert.equal(r.code, 0, r.stderr);
	r = await cli(['export', 'traces'], { ...at, WEIR_TOKEN: writing });
	assert.equal(r.code, 1);
	for (const deadline = Date.now() + patience; ; await sleep(30)) {
		r = await cli(['export', 'traces'], { ...at, WEIR_TOKEN: reading });
		assert.equal(r.code, 0, r.stderr);
		if (r.stdout) break;
		assert.ok(Date.now() < deadline);
	}
	assert.deepEqual(items(lines(r.stdout)), items([JSON.parse(readFileSync(path))]));
});
