// SPDX-License-Identifier: Apache-2.0
//
// weir pull against a service that speaks ReadSpans, written here: exactly once, whoever is killed when.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import http2 from 'node:http2';
import { after, test } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sdk, sleep, thorough, weirBin } from './lib/weir.mjs';

const grpc = sdk('@grpc/grpc-js');
const { Reader, Writer } = sdk('protobufjs/minimal');

// ---- a source

const idOf = (k) => {
	const id = Buffer.alloc(8);
	id.writeUInt32BE(k, 4);
	return id;
};
// Span k; its trace is its own.
function spanOf(k) {
	const w = new Writer();
	w.uint32(10).bytes(Buffer.concat([Buffer.alloc(8, 7), idOf(k)])).uint32(18).bytes(idOf(k)).uint32(42).string(`op ${k}`);
	return Buffer.from(w.uint32(57).fixed64(String(BigInt(Date.now()) * 1000000n)).uint32(65).fixed64(String(BigInt(Date.now()) * 1000000n + 1n)).finish());
}
function resourceOf(service) {
	const w = new Writer();
	w.uint32(10).fork().uint32(10).string('service.name').uint32(18).fork().uint32(10).string(service).ldelim().ldelim();
	return Buffer.from(w.finish());
}
const keyOf = (k) => Buffer.concat([Buffer.alloc(12, 1), Buffer.from([0, k >> 16, (k >> 8) & 255, k & 255])]);

// Spans 1 .. count; `corrupt`: k of those whose bytes are damaged; `holes`: that the source itself cannot read; `large`: k of one of a megabyte.
class Source {
	constructor({ count, corrupt = [], holes = [], large, key, version = 3 }) {
		Object.assign(this, { count, corrupt: new Set(corrupt), holes: new Set(holes), large, key, version, calls: [] });
	}

	async start(port = 0) {
		const identity = { path: '/ingestion.InternalIngestionService/ReadSpans', requestStream: false, responseStream: true,
			requestSerialize: (x) => x, requestDeserialize: (x) => x, responseSerialize: (x) => x, responseDeserialize: (x) => x };
		this.server = new grpc.Server();
		this.server.addService({ ReadSpans: identity }, { ReadSpans: (call) => this.#answer(call) });
		this.port = await new Promise((done, failed) => this.server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (e, p) => (e ? failed(e) : done(p))));
		this.address = `127.0.0.1:${this.port}`;
		return this;
	}

	stop() {
		this.server.forceShutdown();
	}

	#answer(call) {
		if (this.key !== undefined && call.metadata.get('x-junjo-api-key')[0] !== this.key)
			return call.emit('error', { code: grpc.status.UNAUTHENTICATED, details: 'bad key' });
		const r = Reader.create(call.request);
		let after = 0, size = 0;
		while (r.pos < r.len) {
			const tag = r.uint32();
			if (tag === 10) {
				const key = Buffer.from(r.bytes());
				after = key.length ? key.readUIntBE(13, 3) : 0;
			} else if (tag === 16) size = r.uint32();
			else r.skipType(tag & 7);
		}
		this.calls.push({ after, size, at: Date.now() });
		let k = after;
		for (let sent = 0; sent < size && k < this.count;) {
			if (this.holes.has(++k)) {
				sent++;
				continue;
			}
			const w = new Writer().uint32(10).bytes(keyOf(k)).uint32(18).bytes(this.corrupt.has(k) ? Buffer.from([10, 200, 1, 2, 3]) : spanOf(k))
				.uint32(26).bytes(resourceOf(k === this.large ? 'x'.repeat(1 << 20) : `service-${k % 10}`));
			call.write(Buffer.from(w.finish()));
			sent++;
		}
		if (this.version === 3) {
			const w = new Writer();
			if (k > 0) w.uint32(10).bytes(keyOf(k));
			call.write(Buffer.from(w.uint32(32).uint64(this.count - k).finish()));
		}
		call.end();
	}

	// What is to be seen.
	get good() {
		return Array.from({ length: this.count }, (_, i) => i + 1).filter((k) => !this.corrupt.has(k) && !this.holes.has(k));
	}
}

async function source(t, options) {
	const s = await new Source(options).start();
	t.after(() => s.stop());
	return s;
}
async function start(t, options) {
	const weir = await Weir.start(options);
	t.after(() => weir.kill());
	return weir;
}

const pullArgs = (weir, s, ...more) => ['pull', s.address, '--source', 'junjo', '--url', `http://${weir.api}`, ...more];
const pull = (weir, s, ...more) => run(pullArgs(weir, s, '--once', ...more));
const position = async (weir) => (await weir.until('/api/v1/pulls/junjo', (_, last) => last.status === 200)).position;

// Each once, with its own service; and the position is that of the last.
async function same(weir, s) {
	assert.equal(await position(weir), keyOf(s.count).toString('hex'));
	const want = s.good.map((k) => `op ${k} of service-${k % 10}`).sort();
	const deadline = Date.now() + patience;
	for (let got; ; await sleep(50)) {
		got = (await weir.all('/api/v1/traces?limit=5000', 'spans')).map((x) => `${x.operation} of ${x.service}`).sort();
		if (got.length < want.length && Date.now() < deadline) continue;
		assert.equal(got.length, want.length);
		assert.deepEqual(got, want);
		return;
	}
}
async function letters(weir) {
	return (await weir.get('/api/v1/dlq?limit=1000')).body.letters;
}

test('R23: a pull goes on behind the last key, in another process and after a restart of weir', async (t) => {
	const s = await source(t, { count: 250 });
	const dataDir = newDataDir();
	t.after(() => removeDataDir(dataDir));
	let weir = await start(t, { dataDir });
	const first = await pull(weir, s, '--batch', '100');
	assert.equal(first.code, 0, first.stderr);
	assert.match(first.stderr, /junjo: 250 spans in .*, 0 of them in quarantine, 3 batches/);
	await same(weir, s);
	await weir.stop();
	weir = await start(t, { dataDir });
	s.calls.length = 0;
	s.count = 300;
	assert.equal((await pull(weir, s)).code, 0);
	assert.equal(s.calls[0].after, 250);
	await same(weir, s);
	const { body } = await weir.get('/api/v1/pulls');
	assert.deepEqual(body.pulls.map((p) => [p.source, p.position, p.spans]), [['junjo', keyOf(300).toString('hex'), 300]]);
	await weir.stop();
});

test('R13: batches of 100 are drained one after another, without a pause between them', async (t) => {
	for (const version of [1, 3]) { // the seed's stream has no last message
		const s = await source(t, { count: 1234, version });
		const weir = await start(t);
		// Had it waited once between two batches it would still do so.
		const { code, stderr } = await pull(weir, s, '--batch', '100', '--interval', '1h');
		assert.equal(code, 0, stderr);
		assert.deepEqual(s.calls.map((c) => c.after), Array.from({ length: 13 }, (_, i) => i * 100));
		assert.ok(s.calls.every((c) => c.size === 100));
		await same(weir, s);
		await weir.stop();
	}
});

test('R15: a corrupt span is put into quarantine, and the rest of its batch is stored', async (t) => {
	const s = await source(t, { count: 120, corrupt: [1, 50, 51, 120], holes: [7, 119] });
	const weir = await start(t);
	const { code, stderr } = await pull(weir, s, '--batch', '40');
	assert.equal(code, 0, stderr);
	assert.match(stderr, /2 of 38 spans cannot be taken and are in quarantine|1 of 39 spans/);
	await same(weir, s);
	const found = await letters(weir);
	assert.deepEqual(found.map((l) => [l.state, l.tenant, l.signal, l.item_count]), Array(4).fill(['quarantined', 'default', 'traces', 1]));
	for (const l of found) {
		assert.match(l.error, /^pulled from junjo: /);
		const { body } = await weir.get(`/api/v1/dlq/${l.id}`);
		assert.ok(Buffer.from(body.request_base64, 'base64').includes(Buffer.from([10, 200, 1, 2, 3])), 'the bytes are kept');
	}
	await weir.stop();
});

test('R15: batches of which all is corrupt move the position', async (t) => {
	const s = await source(t, { count: 90, corrupt: Array.from({ length: 60 }, (_, i) => i + 1), holes: Array.from({ length: 20 }, (_, i) => i + 61) });
	const weir = await start(t);
	const { code, stderr } = await pull(weir, s, '--batch', '10');
	assert.equal(code, 0, stderr);
	await same(weir, s);
	assert.equal((await letters(weir)).length, 60);
	await weir.stop();
});

test('R23: a source that restarts is waited for, which is said once', async (t) => {
	const s = await source(t, { count: 100 });
	const weir = await start(t);
	const child = spawn(weirBin, pullArgs(weir, s, '--interval', '50ms'), { stdio: ['ignore', 'ignore', 'pipe'] });
	t.after(() => child.kill('SIGKILL'));
	let said = '';
	child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
	await weir.until('/api/v1/pulls/junjo', (p) => p.position === keyOf(100).toString('hex'));
	const port = s.port;
	s.stop();
	const deadline = Date.now() + patience;
	while (!/the source cannot be asked now/.test(said)) {
		assert.ok(Date.now() < deadline, said);
		await sleep(20);
	}
	await sleep(1500);
	s.count = 200;
	await s.start(port);
	await weir.until('/api/v1/pulls/junjo', (p) => p.position === keyOf(200).toString('hex'));
	await same(weir, s);
	assert.equal(said.match(/cannot be asked now/g).length, 1, said);
	const ended = new Promise((done) => child.on('exit', (code) => done(code)));
	child.kill('SIGINT');
	assert.equal(await ended, 0, said);
	assert.match(said, /it goes on[^]*junjo: 200 spans/);
	await weir.stop();
});

test('R14: weir and the puller are killed at many moments, and each span is there once', { timeout: 5 * patience }, async (t) => {
	const count = 6000;
	const s = await source(t, { count, corrupt: [100, 2000, 5999] });
	const dataDir = newDataDir();
	t.after(() => removeDataDir(dataDir));
	const port = 20000 + Math.floor(Math.random() * 10000);
	const options = { dataDir, api: `127.0.0.1:${port}`, args: ['--seal-rows', '128', '--hot-log-bytes', '1m', '--segment-bytes', '64k'] };
	let weir = await start(t, options);
	const puller = () => {
		const child = spawn(weirBin, pullArgs(weir, s, '--batch', '23', '--interval', '10ms', '--quiet'), { stdio: ['ignore', 'ignore', 'pipe'] });
		t.after(() => child.kill('SIGKILL'));
		child.said = '';
		child.stderr.setEncoding('utf8').on('data', (text) => (child.said += text));
		child.ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
		return child;
	};
	let child = puller();
	let at = 0, kills = 0;
	// On a machine that is slow it gets little further from one to the next.
	while (at < count && kills < (thorough ? 200 : 40)) {
		await sleep(Math.random() * 120);
		if (kills % 2 === 0) {
			await weir.kill();
			weir = await start(t, options);
		} else {
			child.kill('SIGKILL');
			await child.ended;
			child = puller();
		}
		kills++;
		const { body } = await weir.get('/api/v1/pulls/junjo').catch(() => ({}));
		if (body?.position) {
			const now = Buffer.from(body.position, 'hex').readUIntBE(13, 3);
			assert.ok(now >= at, `the position went back from ${at} to ${now}`);
			at = now;
		}
	}
	await weir.until('/api/v1/pulls/junjo', (p) => p.position === keyOf(count).toString('hex'));
	for (const n = s.calls.length; s.calls.length < n + 5;) await sleep(10); // it is well on its way
	child.kill('SIGTERM');
	assert.deepEqual(await child.ended, { code: 0, signal: null }, child.said);
	t.diagnostic(`${kills} kills`);
	assert.ok(kills >= 4, `${kills} kills`);
	await same(weir, s);
	assert.deepEqual((await letters(weir)).map((l) => l.item_count), [1, 1, 1]);
	await weir.kill();
	weir = await start(t, options);
	await same(weir, s);
	await weir.stop();
	const { code, stdout } = await run(['check', '--data-dir', dataDir, '-o', 'json']);
	assert.equal(code, 0, stdout);
});

test('R14: two who pull one source bring each span once', async (t) => {
	const s = await source(t, { count: 3000 });
	const weir = await start(t);
	const both = await Promise.all([pull(weir, s, '--batch', '50'), pull(weir, s, '--batch', '70')]);
	for (const { code, stderr } of both) assert.equal(code, 0, stderr);
	await same(weir, s);
	const { body } = await weir.get('/api/v1/pulls/junjo');
	assert.equal(body.spans, 3000);
	await weir.stop();
});

test('R16: what can never succeed ends with a sentence', async (t) => {
	const s = await source(t, { count: 10, key: 'secret' });
	const weir = await start(t);
	const wrong = await pull(weir, s, '--source-key', 'other');
	assert.equal(wrong.code, 1);
	assert.match(wrong.stderr, /weir pull: the source: it does not take the key \(--source-key\): bad key/);
	assert.equal((await pull(weir, s, '--source-key', 'secret')).code, 0);
	await same(weir, s);
	const other = new grpc.Server();
	const port = await new Promise((done) => other.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_, p) => done(p)));
	t.after(() => other.forceShutdown());
	const unknown = await pull(weir, { address: `127.0.0.1:${port}` });
	assert.equal(unknown.code, 1);
	assert.match(unknown.stderr, /it has no \/ingestion\.InternalIngestionService\/ReadSpans/);
	for (const [args, sentence] of [[['pull'], /which service/], [['pull', 'a', 'b'], /which service/], [['pull', 'localhost'], /no port; write host:port/], [['pull', 'a:1', '--batch', '0'], /--batch/],
		[['pull', 'a:1', '--batch', '10001'], /--batch/], [['pull', 'a:1', '--interval', 'soon'], /--interval/], [['pull', 'a:1', '--source', 'a b'], /--source/]]) {
		const bad = await run(args);
		assert.equal(bad.code, 2, args.join(' '));
		assert.match(bad.stderr, sentence);
	}
	await weir.stop();
});

// A service whose every call fails with `code`, but those from the `good`-th on.
async function failing(t, code, good = Infinity) {
	const server = new grpc.Server();
	const s = { calls: 0 };
	const identity = { path: '/ingestion.InternalIngestionService/ReadSpans', requestStream: false, responseStream: true,
		requestSerialize: (x) => x, requestDeserialize: (x) => x, responseSerialize: (x) => x, responseDeserialize: (x) => x };
	server.addService({ ReadSpans: identity }, { ReadSpans: (call) => (++s.calls < good ? call.emit('error', { code, details: 'not today' }) : call.end()) });
	s.address = `127.0.0.1:${await new Promise((done) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_, p) => done(p)))}`;
	t.after(() => server.forceShutdown());
	return s;
}
async function listening(t, server) {
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	t.after(() => server.close());
	return `127.0.0.1:${server.address().port}`;
}

test('R16: what cannot pass ends a pull at its first try, with --once or without', async (t) => {
	const weir = await start(t);
	for (const [code, sentence] of [[grpc.status.UNIMPLEMENTED, /the source: it has no \/ingestion\.InternalIngestionService\/ReadSpans: not today/],
		[grpc.status.UNAUTHENTICATED, /the source: it does not take the key \(--source-key\): not today/], [grpc.status.PERMISSION_DENIED, /the source: it does not take the key \(--source-key\): not today/]]) {
		const s = await failing(t, code);
		for (const more of [['--once'], []]) {
			s.calls = 0;
			const { code: exit, stderr } = await run(pullArgs(weir, s, ...more));
			assert.equal(exit, 1, stderr);
			assert.match(stderr, sentence);
			assert.doesNotMatch(stderr, /tried|cannot be asked/);
			assert.equal(s.calls, 1);
		}
	}
	// No gRPC at all, but HTTP/2; and a weir that is none.
	const plain = http2.createServer((_, res) => res.writeHead(404).end());
	const missing = await run(pullArgs(weir, { address: await listening(t, plain) }));
	assert.equal(missing.code, 1, missing.stderr);
	assert.match(missing.stderr, /it has no \/ingestion\.InternalIngestionService\/ReadSpans: no grpc-status; HTTP status 404/);
	let asked = 0;
	for (const status of [404, 501]) {
		const other = http.createServer((_, res) => (asked++, res.writeHead(status).end('nothing here')));
		const { code, stderr } = await run(['pull', '127.0.0.1:1', '--url', `http://${await listening(t, other)}`]);
		assert.equal(code, 1, stderr);
		assert.match(stderr, new RegExp(`weir pull: weir answers ${status}: nothing here`));
	}
	assert.equal(asked, 2);
	await weir.stop();
});

test('R16: with --once what may pass is tried five times, or as --tries says, and ends with a sentence', async (t) => {
	const weir = await start(t);
	const never = await failing(t, grpc.status.UNAVAILABLE);
	const five = await pull(weir, never);
	assert.equal(five.code, 1, five.stderr);
	assert.equal(never.calls, 5);
	assert.match(five.stderr, /weir pull: the source cannot be asked now, it is tried 5 times in all: it answers 14: not today\n/);
	assert.match(five.stderr, /weir pull: the source cannot be asked, tried 5 times \(--tries\): it answers 14: not today\n/);
	const late = await failing(t, grpc.status.UNAVAILABLE, 5); // the fifth is in time
	const { code, stderr } = await pull(weir, late);
	assert.equal(code, 0, stderr);
	assert.match(stderr, /it goes on/);
	for (const [address, sentence] of [['127.0.0.1:1', /cannot connect to 127\.0\.0\.1:1: Connection refused/], ['no-such-host.invalid:50052', /no-such-host\.invalid/],
		[weir.api, /the server does not speak HTTP\/2: is it the port for gRPC\?/]]) {
		const bad = await pull(weir, { address }, '--tries', '2');
		assert.equal(bad.code, 1, bad.stderr);
		assert.match(bad.stderr, sentence);
		assert.match(bad.stderr, /the source cannot be asked, tried 2 times \(--tries\): /);
	}
	const away = await run(['pull', never.address, '--url', 'http://127.0.0.1:1', '--once', '--tries', '1']);
	assert.equal(away.code, 1);
	assert.match(away.stderr, /^weir pull: weir cannot be asked, tried 1 time \(--tries\): cannot reach http:\/\/127\.0\.0\.1:1: Connection refused\n/);
	assert.equal((await run(['pull', 'a:1', '--once', '--tries', '0'])).code, 2);
	const alone = await run(['pull', 'a:1', '--tries', '3']);
	assert.equal(alone.code, 2);
	assert.match(alone.stderr, /--tries is for --once/);
	await weir.stop();
});

test('R16: without --once an end that is away is asked again and again, which is said; a weir that is busy is no such end', async (t) => {
	const s = await source(t, { count: 3 });
	let asked = 0;
	const busy = http.createServer((req, res) => (req.method === 'GET' && ++asked < 7 ? res.writeHead(429).end('later')
		: res.writeHead(200).end(JSON.stringify({ accepted: 3, rejected: 0, reason: null, position: req.method === 'GET' ? '' : keyOf(3).toString('hex') }))));
	const once = await run(['pull', s.address, '--url', `http://${await listening(t, busy)}`, '--once']);
	assert.equal(once.code, 0, once.stderr);
	assert.equal(asked, 7);
	assert.match(once.stderr, /weir is busy, it is tried again for 10 minutes: weir answers 429: later/);
	const weir = await start(t);
	const never = await failing(t, grpc.status.UNAVAILABLE);
	const child = spawn(weirBin, pullArgs(weir, never), { stdio: ['ignore', 'ignore', 'pipe'] });
	t.after(() => child.kill('SIGKILL'));
	let said = '';
	child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
	for (const deadline = Date.now() + patience; never.calls < 6; await sleep(20)) assert.ok(Date.now() < deadline, said);
	assert.match(said, /^weir pull: the source cannot be asked now, it is tried again until it can: it answers 14: not today\n/);
	const ended = new Promise((done) => child.on('exit', (code) => done(code)));
	child.kill('SIGINT');
	assert.equal(await ended, 0);
	await weir.stop();
});

test('R15: a span that is larger than weir takes at once is a dead letter, and what is behind it comes', async (t) => {
	const s = await source(t, { count: 30, large: 7 });
	const dataDir = newDataDir();
	t.after(() => removeDataDir(dataDir));
	let weir = await start(t, { dataDir, args: ['--max-wire-bytes', '100000'] });
	const { code, stderr } = await pull(weir, s);
	assert.equal(code, 0, stderr);
	assert.match(stderr, /1 of 1 spans cannot be taken and are in quarantine: it has 10\d{5} bytes, more than --max-wire-bytes\n/);
	assert.match(stderr, /junjo: 30 spans in .*, 1 of them in quarantine/);
	s.corrupt.add(7); // no span, as yet
	await same(weir, s);
	const [letter, ...others] = await letters(weir);
	assert.deepEqual(others, []);
	assert.equal(letter.state, 'quarantined');
	assert.match(letter.error, /^pulled from junjo: it has 10\d{5} bytes, more than --max-wire-bytes$/);
	assert.match((await pull(weir, s)).stderr, /junjo: 0 spans/);
	// Every byte of it is there: it is loaded when somebody says so.
	await weir.stop();
	weir = await start(t, { dataDir });
	assert.equal((await fetch(`http://${weir.api}/api/v1/dlq/${letter.id}/retry`, { method: 'POST' })).status, 200);
	await weir.until('/api/v1/traces?limit=100', (b) => b.spans?.length === 30);
	assert.equal((await letters(weir)).length, 0);
	const { body } = await weir.get('/api/v1/traces?limit=100');
	assert.equal(body.spans.find((x) => x.operation === 'op 7').service.length, 1 << 20);
	await weir.stop();
});

test('R15: a span too large even for a dead letter is named, counted and stepped over', async (t) => {
	const s = await source(t, { count: 30, large: 7 });
	const weir = await start(t, { args: ['--max-wire-bytes', '100000', '--max-body-bytes', '200000'] });
	const { code, stderr } = await pull(weir, s, '--quiet');
	assert.equal(code, 0, stderr);
	assert.match(stderr, /^weir pull: the next span has 10\d{5} bytes and is left out, only the source has it: more than weir takes \(weir serve --max-body-bytes\)\n$/);
	s.corrupt.add(7);
	await same(weir, s);
	const [letter, ...others] = await letters(weir);
	assert.deepEqual(others, []);
	assert.match(letter.error, new RegExp(`it has 10\\d{5} bytes, more than --max-body-bytes: only the source has it, span ${idOf(7).toString('hex')} of trace 0707070707070707${idOf(7).toString('hex')}`));
	const metrics = await (await fetch(`http://${weir.api}/metrics`)).text();
	assert.match(metrics, /^weir_pull_records_left_out_total 1$/m);
	assert.match(weir.log, /1 records of junjo \(tenant default\) are too large even for a dead letter and were left out/);
	assert.match((await pull(weir, s)).stderr, /junjo: 0 spans/);
	await weir.stop();
});

test('R16: a key of weir is needed to bring spans, and its tenant gets them', async (t) => {
	const s = await source(t, { count: 20 });
	const weir = await start(t);
	const make = async (right) => JSON.parse((await run(['keys', 'create', '--data-dir', weir.dataDir, '--tenant', 'acme', '--right', right, '-o', 'json'])).stdout).key;
	const [ingest, read] = [await make('ingest'), await make('read')];
	await weir.until('/api/v1/pulls', (_, last) => last.status === 401); // it has seen that there are keys
	for (const token of ['nonsense', read]) {
		const { code, stderr } = await pull(weir, s, '--token', token);
		assert.equal(code, 1);
		assert.match(stderr, /weir answers 40[13]/);
	}
	assert.equal((await pull(weir, s, '--token', ingest)).code, 0);
	await weir.until('/api/v1/services', (b) => b.services?.reduce((n, x) => n + x.span_count, 0) === 20, { headers: { authorization: `Bearer ${read}` } });
	const { body } = await weir.get('/api/v1/pulls', { headers: { authorization: `Bearer ${ingest}` } });
	assert.equal(body.pulls[0].spans, 20);
	await weir.stop();
});

test('R14: batches over REST: a repeat, one out of turn, and one that is none change nothing', async (t) => {
	const weir = await start(t);
	const body = (after, at, ks) => {
		const w = new Writer().uint32(10).bytes(after).uint32(18).bytes(at);
		for (const k of ks) w.uint32(26).fork().uint32(10).bytes(keyOf(k)).uint32(18).bytes(spanOf(k)).uint32(26).bytes(resourceOf(`service-${k % 10}`)).ldelim();
		return Buffer.from(w.finish());
	};
	const post = async (b, headers = { 'content-type': 'application/x-protobuf' }) => {
		const res = await fetch(`http://${weir.api}/api/v1/pulls/junjo`, { method: 'POST', headers, body: b });
		return { status: res.status, body: await res.json() };
	};
	assert.deepEqual((await weir.get('/api/v1/pulls/junjo')).body, { source: 'junjo', position: '', spans: 0, pulled: null });
	const first = body(Buffer.alloc(0), keyOf(2), [1, 2]);
	assert.deepEqual(await post(first), { status: 200, body: { accepted: 2, rejected: 0, reason: null, position: keyOf(2).toString('hex') } });
	for (const b of [first, body(keyOf(1), keyOf(3), [3]), body(keyOf(3), keyOf(4), [4])]) {
		const { status, body: answer } = await post(b);
		assert.equal(status, 409);
		assert.match(answer.error.message, new RegExp(keyOf(2).toString('hex')));
	}
	assert.equal((await post(first, { 'content-type': 'application/json' })).status, 415);
	assert.equal((await post(first, { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' })).status, 415);
	assert.equal((await post(Buffer.from('nonsense'))).status, 400);
	// Many at once: one of them is taken.
	const all = await Promise.all(Array.from({ length: 16 }, () => post(body(keyOf(2), keyOf(3), [3]))));
	assert.equal(all.filter((a) => a.status === 200).length, 1, JSON.stringify(all));
	assert.ok(all.every((a) => [200, 409, 429].includes(a.status)));
	await same(weir, { count: 3, good: [1, 2, 3] });
	await weir.stop();
});

test('R23: what one weir has another pulls, equal item by item', async (t) => {
	const from = await start(t, { args: ['--seal-rows', '64'] }), to = await start(t);
	const trace = (i) => ({ traceId: `${'a'.repeat(28)}${String(i).padStart(4, '0')}`, spanId: `${'b'.repeat(12)}${String(i).padStart(4, '0')}`, name: `op ${i}`, kind: 1 + (i % 5),
		startTimeUnixNano: `17951875310000${String(i).padStart(5, '0')}`, endTimeUnixNano: `17951875310000${String(i + 7).padStart(5, '0')}`, traceState: i % 3 ? '' : 'a=b',
		attributes: [{ key: 'n', value: { intValue: String(i) } }, { key: 'deep', value: { arrayValue: { values: [{ kvlistValue: { values: [{ key: 'x', value: { doubleValue: 0.5 } }] } }] } } }],
		events: i % 2 ? [{ name: 'e', timeUnixNano: '1795187531000000001', attributes: [{ key: 'k', value: { stringValue: 'v' } }] }] : [], status: i % 4 ? {} : { code: 2, message: 'no' } });
	for (let i = 0; i < 10; i++) {
		const body = { resourceSpans: [{ schemaUrl: i % 2 ? 'https://a/1' : '', resource: { attributes: [{ key: 'service.name', value: { stringValue: `s${i % 3}` } }], droppedAttributesCount: i },
			scopeSpans: [0, 1].map((k) => ({ schemaUrl: k ? 'https://b/2' : '', scope: { name: `scope ${k}`, version: `${i}` }, spans: Array.from({ length: 30 }, (_, n) => trace(i * 60 + k * 30 + n)) })) }] };
		const res = await fetch(`http://${from.http}/v1/traces`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
		assert.equal(res.status, 200, await res.text());
	}
	const items = async (weir) => {
		const { code, stdout, stderr } = await run(['export', 'traces', '--quiet'], { env: { WEIR_URL: `http://${weir.api}` } });
		assert.equal(code, 0, stderr);
		return stdout.split('\n').filter((l) => l).flatMap((line) => JSON.parse(line).resourceSpans.flatMap((r) => r.scopeSpans.flatMap((sc) => sc.spans.map((span) =>
			JSON.stringify({ resource: r.resource, url: r.schemaUrl, scope: sc.scope, scopeUrl: sc.schemaUrl, span }))))).sort();
	};
	const deadline = Date.now() + patience;
	let want, got;
	while ((want = await items(from)).length < 600) assert.ok(Date.now() < deadline, `${want.length}`);
	const { code, stderr } = await run(['pull', from.grpc, '--source', 'weir', '--url', `http://${to.api}`, '--batch', '37', '--once']);
	assert.equal(code, 0, stderr);
	while ((got = await items(to)).length < 600) assert.ok(Date.now() < deadline, `${got.length}`);
	assert.deepEqual(got, want);
	const again = await run(['pull', from.grpc, '--source', 'weir', '--url', `http://${to.api}`, '--once']);
	assert.match(again.stderr, /weir: 0 spans/);
	await from.stop();
	await to.stop();
});
