// SPDX-License-Identifier: Apache-2.0
//
// weir check: a whole folder has no finding, running or not; each damage that is made to its files is found and named.
// Damages that SQL makes are in src/duck/duck_check_test.c.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, thorough, weirBin } from './lib/weir.mjs';

const day = 86400000000000n;
const now = BigInt(Date.now()) * 1000000n;
let id = 0;
const hex = (n) => (++id).toString(16).padStart(n, '0');
const attributes = (i) => [{ key: 'http.route', value: { stringValue: `/a/${i % 7}` } }, { key: 'n', value: { intValue: `${i}` } }];

// Items of each signal, on the days given; others each time, for the same request is one that is sent again.
function requests(days, count) {
	const first = now + BigInt(++id);
	const items = days.flatMap((d) => Array.from({ length: count }, (_, i) => ({ i, ns: first - BigInt(d) * day + BigInt(i) * 1000n })));
	const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
	return {
		traces: { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 's' }, spans: items.map(({ i, ns }) => ({ traceId: hex(32), spanId: hex(16),
			name: `op ${i % 5}`, startTimeUnixNano: `${ns}`, endTimeUnixNano: `${ns + 1000n}`, attributes: attributes(i) })) }] }] },
		logs: { resourceLogs: [{ resource, scopeLogs: [{ logRecords: items.map(({ i, ns }) => ({ timeUnixNano: `${ns}`, severityNumber: 9,
			body: { stringValue: `line ${i}` }, attributes: attributes(i) })) }] }] },
		metrics: { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints: items.map(({ i, ns }) => ({
			timeUnixNano: `${ns}`, asInt: `${i}`, attributes: attributes(i) })) } }] }] }] },
	};
}

async function send(weir, tenant, days, count, key) {
	for (const [signal, body] of Object.entries(requests(days, count))) {
		const res = await fetch(`http://${weir.http}/v1/${signal}`, { method: 'POST', body: JSON.stringify(body),
			headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant, ...(key ? { authorization: `Bearer ${key}` } : {}) } });
		assert.equal(res.status, 200, await res.text());
	}
}

const letter = (seq) => `${seq.toString(16).padStart(16, '0')}-00000000.letter`;

// CRC32C, for letters as weir writes them.
function crc32c(bytes, crc = 0) {
	crc = ~crc >>> 0;
	for (const b of bytes) {
		crc ^= b;
		for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
	}
	return ~crc >>> 0;
}

// A dead letter, as dlq/format.c says.
function makeLetter(seq, payload = Buffer.from('a request')) {
	const head = Buffer.alloc(432);
	head.write('weirdlq\0', 'latin1');
	head.writeUInt32LE(1, 8);
	head[16] = 1;
	head[17] = 4;
	head[18] = 6;
	head.writeUInt32LE(3, 20);
	head.writeBigUInt64LE(BigInt(payload.length), 24);
	head.writeUInt32LE(crc32c(payload), 32);
	head.writeBigUInt64LE(BigInt(seq), 40);
	head.writeUInt32LE(1, 52);
	head.write('acme', 104);
	head.write('traces', 168);
	head.write('why', 176);
	head.writeUInt32LE(crc32c(head), 12);
	return Buffer.concat([head, payload]);
}

// A folder with all there is: days' tables and catch-alls of three signals and two tenants, a log of several segments with
// records that the store does not have, dead letters, keys.
async function makeFolder() {
	const dataDir = newDataDir();
	const { stdout } = await run(['keys', 'create', '--data-dir', dataDir, '--tenant', '*', '--right', 'admin', '--right', 'read',
		'--right', 'ingest', '-o', 'json']);
	const { key } = JSON.parse(stdout);
	await run(['keys', 'create', '--data-dir', dataDir, '--tenant', 'acme', '--right', 'read', '-o', 'json']);
	const args = ['--seal-rows', '200', '--segment-bytes', '65536', '--hot-log-bytes', '1048576'];
	const weir = await Weir.start({ dataDir, args });
	try {
		for (let round = 0; round < 14; round++) {
			await send(weir, 'acme', [0, 1, 2], 60, key);
			await send(weir, 'zeta', [0, 1], 50, key);
		}
		const headers = { authorization: `Bearer ${key}` };
		await weir.until('/api/v1/services?last=1000d', (body) => body.services?.length > 0, { headers: { ...headers, 'x-scope-orgid': 'zeta' } });
		// Until all signals are sealed: of each of the three days less than a seal is left.
		const hot = async (signal) => Number((await weir.get('/metrics', { headers })).text.match(`weir_hot_rows{signal="${signal}"} (\\d+)`)[1]);
		const deadline = Date.now() + patience;
		for (const signal of ['traces', 'logs', 'metrics'])
			while (await hot(signal) >= 3 * 200) {
				assert.ok(Date.now() < deadline, `${await hot(signal)} rows of ${signal} are not sealed`);
				await sleep(50);
			}
		// What is not sealed keeps its log: less than a seal of each day, and several segments.
		for (let round = 0; round < 4; round++) await send(weir, 'acme', [5, 6, 7, 8], 45, key);
	} finally {
		await weir.terminate();
	}
	mkdirSync(join(dataDir, 'dlq'), { recursive: true });
	mkdirSync(join(dataDir, 'quarantine'), { recursive: true });
	writeFileSync(join(dataDir, 'dlq', letter(3)), makeLetter(3));
	writeFileSync(join(dataDir, 'quarantine', letter(4)), makeLetter(4));
	return { dataDir, key, args };
}

async function check(dataDir, ...more) {
	const { code, stdout, stderr } = await run(['check', '--data-dir', dataDir, '-o', 'json', ...more]);
	assert.ok(code === 0 || code === 4, `exit ${code}: ${stderr}`);
	const report = JSON.parse(stdout);
	assert.equal(code, report.healthy ? 0 : 4);
	return report;
}

const kinds = (report) => [...new Set(report.findings.map((f) => f.kind))].sort();
const segments = (dir) => readdirSync(join(dir, 'wal')).filter((n) => n.endsWith('.wal')).sort();
const segment = (dir, i) => join(dir, 'wal', segments(dir).at(i));

function edit(path, change) {
	const bytes = readFileSync(path);
	writeFileSync(path, change(bytes) ?? bytes);
}

const flip = (at) => (bytes) => { bytes[at < 0 ? bytes.length + at : at] ^= 0x10; };

// Where the records of a segment begin.
function recordsOf(path) {
	const bytes = readFileSync(path);
	const at = [];
	for (let off = 24; off + 32 <= bytes.length && bytes.readBigUInt64LE(off + 8) > 0n;) {
		at.push(off);
		off += 32 + ((bytes.readUInt32LE(off) + 7) & ~7);
	}
	return { at, end: at.length ? at.at(-1) + 32 + ((bytes.readUInt32LE(at.at(-1)) + 7) & ~7) : 24 };
}

// The entries of DuckDB's log that are whole: behind a head of some bytes each is u64 size, u64 checksum, and so many bytes.
// A kill may leave the last one torn, and a bit of what is torn is no damage: nobody reads it.
function entriesOf(bytes) {
	const entriesFrom = (at) => {
		const all = [];
		for (let size; at + 16 <= bytes.length; at += 16 + size) {
			size = Number(bytes.readBigUInt64LE(at));
			if (size === 0 || at + 16 + size > bytes.length) break;
			all.push({ at: at + 16, size });
		}
		return all;
	};
	const length = (all) => all.reduce((n, e) => n + e.size, 0);
	return Array.from({ length: 200 }, (_, head) => entriesFrom(head)).reduce((a, b) => length(b) > length(a) ? b : a);
}

// What there is of DuckDB when weir was killed.
let killed;
function asKilled(dir) {
	for (const name of ['weir.duckdb', 'weir.duckdb.wal']) cpSync(join(killed, name), join(dir, name));
	rmSync(join(dir, 'wal'), { recursive: true });
	cpSync(join(killed, 'wal'), join(dir, 'wal'), { recursive: true });
	rmSync(join(dir, 'wal', 'next.tmp'), { force: true }); // has a test of its own
}

// DuckDB's log of then, with a flipped bit in the largest entry.
function duckLog(dir) {
	asKilled(dir);
	edit(join(dir, 'weir.duckdb.wal'), (bytes) => {
		const { at, size } = entriesOf(bytes).reduce((a, b) => b.size > a.size ? b : a);
		flip(at + (size >> 1))(bytes);
	});
}

// Between two checkpoints DuckDB's log is all that has the last seals.
async function killOne(dataDir, key, args) {
	const dir = newDataDir();
	const wal = join(dir, 'weir.duckdb.wal');
	cpSync(dataDir, dir, { recursive: true });
	const weir = await Weir.start({ dataDir: dir, args });
	for (let i = 0; i < 200 && !(existsSync(wal) && statSync(wal).size > 2000); i++)
		await send(weir, 'acme', [0], 100, key);
	await weir.kill();
	assert.ok(existsSync(wal) && statSync(wal).size > 2000, 'DuckDB has checkpointed each time');
	return dir;
}

const damages = [
	['a flipped bit in a record of the log', ['log-record-damaged'], (d) => edit(segment(d, 0), flip(recordsOf(segment(d, 0)).at[0] + 40))],
	['a flipped bit in the head of a record', ['log-record-damaged'], (d) => edit(segment(d, 1), flip(recordsOf(segment(d, 1)).at[0] + 9))],
	['a flipped bit in the head of a segment', ['log-head-damaged'], (d) => edit(segment(d, 1), flip(17))],
	['an empty segment', ['log-head-damaged'], (d) => truncateSync(segment(d, 1), 0)],
	['a missing segment', ['log-segment-missing'], (d) => rmSync(segment(d, 1))],
	['the first segments missing', ['log-records-lost'], (d) => { rmSync(segment(d, 0)); while (segments(d).length > 1) rmSync(segment(d, 0)); }],
	['a segment of another name', ['log-head-damaged', 'log-segment-missing'], (d) => renameSync(segment(d, 1), segment(d, 1).replace(/.\.wal$/, (s) => `${s[0] === 'f' ? 'e' : 'f'}.wal`))],
	['the last segments missing', ['position-beyond-log', 'log-ends-early'], (d) => { while (segments(d).length > 1) rmSync(segment(d, -1)); }],
	['the log removed', ['log-missing'], (d) => rmSync(join(d, 'wal'), { recursive: true })],
	['a torn end of the log', ['log-tail-torn'], (d) => edit(segment(d, -1), (b) => { const { end } = recordsOf(segment(d, -1)); b.fill(0x5a, end, end + 100); })],
	['a segment that was prepared', ['log-leftover'], (d) => writeFileSync(join(d, 'wal', 'next.tmp'), Buffer.alloc(4096))],
	['a strange file in the log', ['log-foreign-file'], (d) => writeFileSync(join(d, 'wal', 'notes.txt'), 'x')],
	['a torn letter', ['letter-torn'], (d) => truncateSync(join(d, 'dlq', letter(3)), 435)],
	['an empty letter', ['letter-torn'], (d) => truncateSync(join(d, 'dlq', letter(3)), 0)],
	['a flipped bit in a letter', ['letter-damaged'], (d) => edit(join(d, 'quarantine', letter(4)), flip(-2))],
	['a flipped bit in the head of a letter', ['letter-damaged'], (d) => edit(join(d, 'dlq', letter(3)), flip(60))],
	['a letter of another name', ['letter-misnamed'], (d) => renameSync(join(d, 'dlq', letter(3)), join(d, 'dlq', letter(9)))],
	['a strange file among the letters', ['letter-foreign-file'], (d) => writeFileSync(join(d, 'dlq', 'README'), 'x')],
	['a letter that was being written', ['letter-leftover'], (d) => writeFileSync(join(d, 'dlq', `${letter(7)}.tmp`), 'x')],
	['a letter in both folders', ['letter-twice'], (d) => cpSync(join(d, 'dlq', letter(3)), join(d, 'quarantine', letter(3)))],
	['keys cut off', ['keys-torn'], (d) => truncateSync(join(d, 'keys'), statSync(join(d, 'keys')).size - 20)],
	['a key deleted', ['keys-count-wrong'], (d) => edit(join(d, 'keys'), (b) => `${b.toString().split('\n').slice(0, 2).join('\n')}\n`)],
	['a key twice', ['keys-twice'], (d) => edit(join(d, 'keys'), (b) => { const l = b.toString().split('\n'); return [l[0], l[1], l[1], ''].join('\n'); })],
	['a flipped bit in the keys', ['keys-line-damaged'], (d) => edit(join(d, 'keys'), (b) => b.toString().replace('"sha256":"', '"sha256":"!'))],
	['keys without a head', ['keys-head-damaged'], (d) => edit(join(d, 'keys'), (b) => b.toString().split('\n').slice(1).join('\n'))],
	['keys removed', ['keys-missing'], (d) => rmSync(join(d, 'keys'))],
	['the store removed', ['store-missing', 'log-records-lost'], (d) => rmSync(join(d, 'weir.duckdb'))],
	['the store cut off', ['store-unreadable', 'store-block-damaged'], (d) => truncateSync(join(d, 'weir.duckdb'), statSync(join(d, 'weir.duckdb')).size >> 1)],
	['both heads of the store damaged', ['store-unreadable'], (d) => edit(join(d, 'weir.duckdb'), (b) => { b[4096 + 20] ^= 1; b[8192 + 20] ^= 1; })],
	['another file as the store', ['store-unreadable'], (d) => writeFileSync(join(d, 'weir.duckdb'), 'nothing of DuckDB')],
	['DuckDB\'s log damaged', ['store-log-damaged'], (d) => duckLog(d)],
	['a strange file', ['folder-foreign-file'], (d) => writeFileSync(join(d, 'holiday.jpg'), 'x')],
];

let folder;
let work;
const fresh = () => {
	const copy = join(work, 'copy');
	rmSync(copy, { recursive: true, force: true });
	cpSync(folder.dataDir, copy, { recursive: true });
	return copy;
};

before(async () => {
	folder = await makeFolder();
	work = newDataDir();
	killed = await killOne(folder.dataDir, folder.key, folder.args);
});

after(() => [folder?.dataDir, work, killed].filter(Boolean).forEach(removeDataDir));

test('a whole folder has no finding, and its rows are counted', async () => {
	const healthy = await check(folder.dataDir);
	assert.deepEqual(healthy.findings, []);
	assert.equal(healthy.keys, 2);
	assert.deepEqual(healthy.letters, { waiting: 1, quarantined: 1, done: 0 });
	assert.ok(healthy.store.tables >= 4, JSON.stringify(healthy.store));
	for (const signal of ['spans', 'logs', 'points']) {
		for (const tenant of ['acme', 'zeta'])
			assert.ok(healthy.days.some((d) => d.tenant === tenant && d[signal] > 0), JSON.stringify(healthy.days));
		assert.equal(healthy.days.reduce((n, d) => n + d[signal], 0), healthy.store[signal]);
	}
	assert.ok(segments(folder.dataDir).length >= 4, segments(folder.dataDir).join());
	assert.deepEqual((await check(folder.dataDir, '--quick')).findings, []);
	// And of one that was killed: it has only what the next start does by itself.
	const after = await check(killed);
	assert.ok(after.healthy, JSON.stringify(after.findings));
	const { code, stdout } = await run(['check', '--data-dir', folder.dataDir, '-o', 'table']);
	assert.equal(code, 0);
	assert.match(stdout, /healthy: no damage was found/);
});

test('each damage to its files is found and named, and no other', async (t) => {
	const shown = new Set();
	for (const [what, allowed, damage] of damages) {
		await t.test(what, async () => {
			const copy = fresh();
			damage(copy);
			const report = await check(copy);
			const found = kinds(report);
			const all = JSON.stringify(report.findings, null, 1);
			assert.ok(found.length > 0 && found.every((k) => allowed.includes(k)), all);
			if (what === 'the store removed') assert.ok(found.includes('store-missing'), all);
			for (const f of report.findings) assert.ok(f.text.length > 10 && f.place.length > 0, all);
			// The table is made of the same findings: once for each part of the folder.
			const part = found[0].split('-')[0];
			if (shown.has(part) && !thorough) return;
			shown.add(part);
			const { stdout } = await run(['check', '--data-dir', copy, '-o', 'table']);
			for (const k of found) assert.ok(stdout.includes(k), stdout);
		});
	}
});

test('a flipped bit in a block of the store names the table and column, or that the file cannot be opened', async () => {
	const block = 256 * 1024;
	const size = statSync(join(folder.dataDir, 'weir.duckdb')).size;
	let named = 0;
	for (let at = 12288; at + block <= size; at += block) {
		const copy = fresh();
		edit(join(copy, 'weir.duckdb'), flip(at + 3000));
		const report = await check(copy);
		for (const f of report.findings) {
			assert.match(f.kind, /^store-(block-damaged|unreadable)$/, JSON.stringify(f));
			assert.match(f.text, /checksum/);
			named += /^(spans|logs|points)_|seal/.test(f.place) && /^column /.test(f.text);
		}
	}
	assert.ok(named > 0);
});

test('what can be mended of the files is mended after a copy, and nothing else is touched', async (t) => {
	const copy = fresh();
	duckLog(copy);
	truncateSync(join(copy, 'dlq', letter(3)), 435);
	writeFileSync(join(copy, 'dlq', `${letter(7)}.tmp`), 'x');
	edit(segment(copy, -1), (b) => { const { end } = recordsOf(segment(copy, -1)); b.fill(0x5a, end, end + 100); });
	const before = readFileSync(join(copy, 'weir.duckdb'));
	const found = kinds(await check(copy));
	assert.deepEqual(found, ['letter-leftover', 'letter-torn', 'log-tail-torn', 'store-log-damaged']);
	// Nobody said yes.
	const unsaid = await run(['check', '--data-dir', copy, '--repair']);
	assert.equal(unsaid.code, 1);
	assert.match(unsaid.stderr, /nothing was mended/);
	assert.deepEqual(kinds(await check(copy)), found);

	const report = await check(copy, '--repair', '--yes');
	assert.deepEqual(report.findings, [], JSON.stringify(report.mended));
	assert.ok(report.mended.length >= 5, JSON.stringify(report.mended));
	assert.ok(readFileSync(join(copy, 'weir.duckdb.1.before-repair')).equals(before));
	assert.deepEqual(readdirSync(join(copy, 'damaged')).sort(), [`${letter(3)}.1`, `${letter(7)}.tmp.1`]);
	assert.deepEqual((await check(copy)).findings, []);
	const weir = await Weir.start({ dataDir: copy, args: folder.args });
	t.after(() => weir.kill());
	await weir.until('/api/v1/services?last=1000d', (body) => body.services?.length > 0,
		{ headers: { authorization: `Bearer ${folder.key}`, 'x-scope-orgid': 'acme' } });
	await weir.terminate();
	assert.equal(weir.exit.code, 0);
	assert.deepEqual((await check(copy)).findings, []);
});

test("a log of DuckDB's of before the last checkpoint, without its end, is found and emptied", async () => {
	const copy = fresh();
	const log = join(copy, 'weir.duckdb.wal');
	asKilled(copy);
	const before = readFileSync(log);
	const weir = await Weir.start({ dataDir: copy, args: folder.args });
	await weir.terminate(); // which checkpoints
	writeFileSync(log, before.subarray(0, before.length - Math.floor(before.length / 4)));
	const { findings } = await check(copy);
	assert.deepEqual(findings.map((f) => f.kind), ['store-log-damaged']);
	assert.match(findings[0].text, /of before the last checkpoint/);
	const report = await check(copy, '--repair', '--yes');
	assert.deepEqual(report.findings, [], JSON.stringify(report.mended));
	assert.ok(report.mended.some((text) => /wal was emptied/.test(JSON.stringify(text))), JSON.stringify(report.mended));
});

test('a running weir is asked itself, and finds nothing while 20,000 spans a second come in', async (t) => {
	const weir = await Weir.start({ args: ['--seal-rows', '4000'] });
	t.after(() => weir.kill());
	const locked = await run(['check', '--data-dir', weir.dataDir]);
	assert.equal(locked.code, 1);
	assert.match(locked.stderr, /a weir runs on .* without --data-dir/);

	const bench = spawn(weirBin, ['bench', '--grpc', weir.grpc, '--rate', '20000', '--seconds', thorough ? '12' : '5'], { stdio: 'ignore' });
	t.after(() => bench.kill('SIGKILL'));
	let ended = false;
	const end = new Promise((done) => bench.on('exit', () => { ended = true; done(); }));
	let checks = 0;
	let spans = 0;
	while (!ended || checks < 3) {
		const { code, stdout, stderr } = await run(['check', '--url', weir.api, '-o', 'json', ...(checks % 3 === 2 ? ['--quick'] : [])]);
		assert.equal(code, 0, stdout + stderr);
		const report = JSON.parse(stdout);
		assert.deepEqual(report.findings, []);
		assert.ok(report.store.spans >= spans);
		spans = report.store.spans;
		checks++;
		await sleep(50);
	}
	await end;
	assert.ok(spans > 0);
	t.diagnostic(`${checks} checks, ${spans} spans in the store`);
	await weir.terminate();
	assert.deepEqual((await check(weir.dataDir)).findings, []);
	removeDataDir(weir.dataDir);
});

test('a server is asked with the right to administer all tenants', async (t) => {
	const weir = await Weir.start({ dataDir: fresh(), args: folder.args });
	t.after(() => weir.kill());
	const made = await run(['keys', 'create', '--url', weir.api, '--tenant', 'acme', '--right', 'admin', '-o', 'json'], { env: { WEIR_TOKEN: folder.key } });
	const ask = (token) => run(['check', '--url', weir.api, '-o', 'json'], { env: { WEIR_TOKEN: token } });
	assert.equal((await ask('')).code, 1);
	const one = await ask(JSON.parse(made.stdout).key);
	assert.equal(one.code, 1);
	assert.match(one.stderr, /all tenants/);
	const all = await ask(folder.key);
	assert.equal(all.code, 0, all.stdout + all.stderr);
	const read = await weir.get('/api/v1/check', { headers: { authorization: `Bearer ${folder.key}` } });
	assert.equal(read.status, 405);
	await weir.terminate();
});

test('what cannot be checked is said, and how it can', async () => {
	const missing = await run(['check', '--data-dir', join(work, 'none')]);
	assert.equal(missing.code, 1);
	assert.match(missing.stderr, /there is no data folder/);
	const file = join(work, 'file');
	writeFileSync(file, 'x');
	const none = await run(['check', '--data-dir', file]);
	assert.equal(none.code, 1);
	assert.match(none.stderr, /no data folder of weir/);
	for (const args of [['check', '--bogus'], ['check', '--data-dir'], ['check', '--repair'], ['check', 'x']]) {
		const { code, stderr } = await run(args);
		assert.equal(code, 2, stderr);
		assert.match(stderr, /weir check --help/);
	}
	const help = await run(['check', '--help']);
	assert.equal(help.code, 0);
	assert.match(help.stdout, /Usage: weir check/);
});
