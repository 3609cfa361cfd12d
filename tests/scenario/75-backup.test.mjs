// SPDX-License-Identifier: Apache-2.0
//
// Backups of a weir that is at work. A ledger has what was sent and when it was acknowledged; a backup, restored
// elsewhere and started, has every item that was acknowledged before it was asked for, once, no part of a request, and
// nothing that was never sent. The weir that was copied loses nothing either.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, thorough } from './lib/weir.mjs';

const tenants = ['acme', 'zeta'];
const perRequest = 5;
const hex = (n, digits) => n.toString(16).padStart(digits, '0');
const start = BigInt(Date.now()) * 1000000n;
// Small seals and a small log: many of both fall into each backup.
const eager = ['--seal-rows', '256', '--hot-log-bytes', '1m', '--segment-bytes', '65536', '--log-level', 'debug'];

// Item i of request n has a number of its own; all of one request have the request's name.
const bodies = {
	traces: (n) => ({ resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'load' } }] },
		scopeSpans: [{ spans: Array.from({ length: perRequest }, (_, i) => ({ traceId: hex(n + 1, 32), spanId: hex(n * perRequest + i + 1, 16),
			name: `r${n}`, startTimeUnixNano: String(start + BigInt(n) * 1000n), endTimeUnixNano: String(start + BigInt(n) * 1000n + 5n),
			attributes: [{ key: 'item', value: { intValue: `${i}` } }, { key: 'text', value: { stringValue: hex(n * 7919, 64) } }] })) }] }] }),
	logs: (n) => ({ resourceLogs: [{ scopeLogs: [{ logRecords: Array.from({ length: perRequest }, (_, i) => ({
		timeUnixNano: String(start + BigInt(n) * 1000n), body: { stringValue: `r${n}/${i}` } })) }] }] }),
	metrics: (n) => ({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: `r${n}`, gauge: { dataPoints: Array.from({ length: perRequest }, (_, i) => ({
		timeUnixNano: String(start + BigInt(n) * 1000n), asInt: `${i}` })) } }] }] }] }),
};
const lists = {
	traces: ['/api/v1/traces', 'spans', (s) => [s.operation, String(s.attributes.item)]],
	logs: ['/api/v1/logs', 'logs', (l) => l.body.split('/')],
	metrics: ['/api/v1/metrics', 'metrics', (p) => [p.metric_name ?? p.name, String(p.value)]],
};

// Sends at a steady rate until it is stopped; `sent` has each request with the time of its acknowledgement.
class Load {
	constructor(weir, headers = {}) {
		this.weir = weir;
		this.headers = headers;
		this.sent = [];
		this.next = 0;
		this.going = true;
		this.slowest = 0;
		this.senders = Array.from({ length: 4 }, () => this.#send());
	}

	async #send() {
		while (this.going) {
			const n = this.next++;
			const signal = Object.keys(bodies)[n % 3];
			const tenant = tenants[Math.floor(n / 3) % 2];
			const entry = { n, signal, tenant, acked: Infinity };
			this.sent.push(entry);
			try {
				const began = performance.now();
				const res = await fetch(`http://${this.weir.http}/v1/${signal}`, { method: 'POST', body: JSON.stringify(bodies[signal](n)),
					headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant, ...this.headers } });
				await res.text();
				if (res.status === 200) entry.acked = performance.now();
				this.slowest = Math.max(this.slowest, performance.now() - began);
			} catch {
				// The weir was killed: not acknowledged.
			}
			await sleep(2);
		}
	}

	async stop() {
		this.going = false;
		await Promise.all(this.senders);
	}
}

// What a weir has of each request: tenant/signal/rN -> the items, as often as they come.
async function contents(weir, headers = {}) {
	const found = new Map();
	for (const tenant of tenants)
		for (const [signal, [path, member, item]] of Object.entries(lists)) {
			let cursor;
			do {
				const { status, body, text } = await weir.get(`${path}?last=30d&limit=2000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
					{ headers: { 'x-scope-orgid': tenant, ...headers } });
				assert.equal(status, 200, text);
				for (const it of body[member]) {
					const [request, i] = item(it);
					const key = `${tenant}/${signal}/${request}`;
					found.set(key, [...(found.get(key) ?? []), i]);
				}
				cursor = body.next_cursor;
			} while (cursor);
		}
	return found;
}

async function loaded(weir) {
	const deadline = Date.now() + patience;
	while (!/all that was in the log at the start is loaded/.test(weir.log)) {
		assert.ok(Date.now() < deadline && weir.alive(), `it does not load its log\n${weir.log.slice(-3000)}`);
		await sleep(20);
	}
}

// `asked`: when the backup was asked for; Infinity: everything must be there.
function compare(found, load, asked, what) {
	const all = Array.from({ length: perRequest }, (_, i) => `${i}`).join();
	const sent = new Map(load.sent.map((e) => [`${e.tenant}/${e.signal}/r${e.n}`, e]));
	let must = 0;
	for (const [key, e] of sent) {
		if (e.acked === Infinity || e.acked >= asked) continue;
		must++;
		assert.ok(found.has(key), `${what}: ${key} was acknowledged before it was asked for, and is not there`);
	}
	for (const [key, items] of found) {
		assert.ok(sent.has(key), `${what}: ${key} was never sent`);
		assert.equal(items.sort().join(), all, `${what}: ${key} is not there whole, or twice`);
	}
	return must;
}

async function start75(dataDir, args = []) {
	return Weir.start({ dataDir, args: [...eager, ...args] });
}

test('backups under load have all that was acknowledged before, whole and once', async (t) => {
	const folders = [newDataDir(), newDataDir()];
	const [dataDir, backupDir] = folders;
	const key = JSON.parse((await run(['keys', 'create', '--data-dir', dataDir, '--tenant', '*', '--right', 'admin', '--right', 'read',
		'--right', 'ingest'])).stdout).key;
	const auth = { authorization: `Bearer ${key}` };
	// A dead letter: of a tenant that is not looked at.
	mkdirSync(join(dataDir, 'quarantine'), { recursive: true });
	writeFileSync(join(dataDir, 'quarantine', 'strange.letter'), 'no letter at all');
	const weir = await start75(dataDir, ['--backup-dir', backupDir]);
	t.after(() => weir.kill());
	const load = new Load(weir, auth);
	t.after(() => load.stop());
	const taken = [];
	const seals = async () => Number((await weir.get('/metrics', { headers: auth })).text.match(/^weir_seals_total (\d+)/m)[1]);
	const acks = () => load.sent.filter((e) => e.acked < Infinity).length;
	// Until so many more seals were made and requests acknowledged, however slow this machine is.
	const more = async (sealed, acked) => {
		const [s, a, deadline] = [await seals(), acks(), Date.now() + patience];
		while ((await seals()) < s + sealed || acks() < a + acked) {
			assert.ok(Date.now() < deadline, `${(await seals()) - s} seals and ${acks() - a} requests only`);
			await sleep(50);
		}
	};
	await more(2, 30);
	for (let i = 0; i < (thorough ? 8 : 5); i++) {
		const asked = performance.now();
		const { status, body, text } = await weir.get(`/api/v1/backups?name=b${i}`, { method: 'POST', headers: auth });
		assert.equal(status, 200, text);
		taken.push({ asked, answered: performance.now(), ...body });
		await more(2, 30);
	}
	await load.stop();
	assert.ok(load.sent.filter((e) => e.acked > taken[0].asked && e.acked < taken.at(-1).answered).length > 100,
		'nothing was acknowledged meanwhile');
	const { body: list } = await weir.get('/api/v1/backups', { headers: auth });
	assert.deepEqual(list.backups.map((b) => b.name), taken.map((b) => b.name));
	// The weir that was copied has lost nothing.
	const deadline = Date.now() + patience;
	const acked = acks(), sealed = await seals();
	let live;
	do live = await contents(weir, auth); while (live.size < acked && Date.now() < deadline);
	compare(live, load, Infinity, 'the live weir');
	const letters = (await weir.get('/api/v1/dlq?tenant=*', { headers: auth })).body.letters.map((l) => l.error);
	assert.equal(letters.length, 1);
	assert.ok(sealed > 10, `${sealed} seals only`);
	await weir.stop();

	for (const b of taken) {
		const to = join(newDataDir(), 'restored');
		folders.push(to);
		const done = await run(['restore', join(backupDir, b.name), '--data-dir', to]);
		assert.equal(done.code, 0, done.stderr);
		assert.match(done.stdout, /weir serve --data-dir/);
		assert.equal(statSync(to).mode & 0o777, 0o700);
		const copy = await start75(to);
		t.after(() => copy.kill());
		await loaded(copy);
		const must = compare(await contents(copy, auth), load, b.asked, b.name);
		t.diagnostic(`${b.name}: ${b.bytes} bytes in ${b.seconds} s, up to record ${b.position}, ${must} requests must be there`);
		assert.ok(must > 0);
		// Keys and letters are there.
		assert.equal((await copy.get('/api/v1/traces')).status, 401);
		assert.deepEqual((await copy.get('/api/v1/dlq?tenant=*', { headers: auth })).body.letters.map((l) => l.error), letters);
		// And it goes on: what is sent again changes nothing, what is new is taken.
		const again = load.sent.find((e) => e.acked < b.asked && e.signal === 'logs');
		const res = await fetch(`http://${copy.http}/v1/logs`, { method: 'POST', body: JSON.stringify(bodies.logs(again.n)),
			headers: { 'content-type': 'application/json', 'x-scope-orgid': again.tenant, ...auth } });
		assert.equal(res.status, 200, await res.text());
		await sleep(200);
		compare(await contents(copy, auth), load, b.asked, `${b.name}, sent again`);
		await copy.stop();
	}
	t.diagnostic(`${load.sent.length} requests, the slowest ${load.slowest.toFixed(0)} ms; ${sealed} seals`);
	for (const f of folders) removeDataDir(f);
});

test('a weir that is killed in the middle of a backup leaves none that looks like one', async (t) => {
	const folders = [newDataDir(), newDataDir()];
	const [dataDir, backupDir] = folders;
	let weir = await start75(dataDir, ['--backup-dir', backupDir]);
	t.after(() => weir.kill());
	const load = new Load(weir);
	t.after(() => load.stop());
	await sleep(700);
	let seen = 0;
	for (let i = 0; i < 12 || (seen === 0 && i < 60); i++) {
		const asked = weir.get(`/api/v1/backups?name=k${i}`, { method: 'POST' }).catch(() => ({}));
		const deadline = Date.now() + patience;
		while (!existsSync(join(backupDir, `k${i}.partial`)) && !existsSync(join(backupDir, `k${i}`)) && Date.now() < deadline) await sleep(0);
		await sleep(i % 4);
		await weir.kill();
		const { status } = await asked;
		const whole = existsSync(join(backupDir, `k${i}`));
		seen += existsSync(join(backupDir, `k${i}.partial`));
		if (status === 200) assert.ok(whole);
		for (const name of readdirSync(backupDir)) {
			if (name.startsWith('.') || name.endsWith('.partial')) continue;
			const { code, stderr } = await run(['restore', join(backupDir, name), '--check']);
			assert.equal(code, 0, stderr);
		}
		weir = await start75(dataDir, ['--backup-dir', backupDir]);
		load.weir = weir;
	}
	assert.ok(seen > 0, 'none was killed in the middle');
	await load.stop();
	// What is left goes with the next, and nothing was lost.
	assert.equal((await weir.get('/api/v1/backups?name=last', { method: 'POST' })).status, 200);
	assert.deepEqual(readdirSync(backupDir).filter((n) => n.endsWith('.partial')), []);
	await loaded(weir);
	const acked = load.sent.filter((e) => e.acked < Infinity).length;
	const deadline = Date.now() + patience;
	let live;
	do live = await contents(weir); while (live.size < acked && Date.now() < deadline);
	compare(live, load, Infinity, 'the weir that was killed');
	await weir.stop();
	for (const f of folders) removeDataDir(f);
});

test('the command line makes, lists, checks and deletes, and says what is wrong', async (t) => {
	const dataDir = newDataDir();
	const weir = await Weir.start({ dataDir });
	t.after(() => weir.kill());
	const env = { WEIR_URL: `http://${weir.api}` };
	const made = await run(['backup', 'create', 'first'], { env });
	assert.equal(made.code, 0, made.stderr);
	const { path } = JSON.parse(made.stdout);
	assert.equal(path, join(dataDir, 'backups', 'first'));
	const timed = JSON.parse((await run(['backup', 'create'], { env })).stdout);
	assert.match(timed.name, /^\d{8}T\d{6}Z$/);
	assert.match((await run(['backup', 'list', '-o', 'table'], { env })).stdout, /^NAME +AGE +SIZE[^]*first/);
	for (const [args, code, text] of [
		[['backup', 'create', 'first'], 1, /there is a backup first already/],
		[['backup', 'create', '../x'], 2, /not the name of a backup/],
		[['backup', 'create', '--name', '.x'], 2, /no name of a backup/],
		[['backup', 'delete', 'none'], 3, /there is no backup none/],
		[['backup', 'delete'], 2, /backup delete needs a name/],
		[['backup', 'remove'], 2, /backup has no "remove"/],
		[['restore', path], 2, /--data-dir DIR is missing/],
		[['restore', '--data-dir', 'x'], 2, /the folder of a backup is missing/],
		[['restore', path, '--data-dir', dataDir], 1, /is not empty/],
		[['restore', dataDir, '--check'], 1, /is no backup/],
		[['restore', join(dataDir, 'nothing'), '--check'], 1, /is no backup/],
	]) {
		const r = await run(args, { env });
		assert.equal(r.code, code, `${args}: ${r.stderr}`);
		assert.match(r.stderr, text);
	}
	assert.match((await run(['restore', path, '--check'])).stdout, /is whole: \d+ files/);
	// A byte that is another one.
	const file = join(path, 'weir.duckdb');
	const bytes = readFileSync(file);
	bytes[bytes.length >> 1] ^= 1;
	writeFileSync(file, bytes);
	const damaged = await run(['restore', path, '--data-dir', join(dataDir, 'new')]);
	assert.equal(damaged.code, 1);
	assert.match(damaged.stderr, /weir\.duckdb is damaged/);
	assert.ok(!existsSync(join(dataDir, 'new')));
	const gone = await run(['backup', 'delete', 'first', '--yes', '-o', 'table'], { env });
	assert.match(gone.stdout, /first: deleted/);
	assert.deepEqual(JSON.parse((await run(['backup', 'list'], { env })).stdout).backups.map((b) => b.name), [timed.name]);
	// Weir does not start on a folder that a restore has not filled.
	const half = newDataDir();
	writeFileSync(join(half, 'restoring'), '');
	const refused = await run(['serve', '--data-dir', half, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--api', '127.0.0.1:0']);
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /a restore into .* has not ended/);
	await weir.stop();
	removeDataDir(half);
	removeDataDir(dataDir);
});
