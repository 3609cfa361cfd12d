// SPDX-License-Identifier: Apache-2.0
//
// Live tail: what comes in, to whoever follows it, over /api/v1/live/... and `weir tail`. What a filter lets through is
// computed here from what was sent; of a reader that is slow, what it got and what it was told to have missed add up.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { randomOf } from './lib/random.mjs';
import { Weir, newDataDir, patience, removeDataDir, run, sleep, weirBin } from './lib/weir.mjs';

// ---- random numbers that are the same each time

const random = randomOf(Number(process.env.WEIR_TEST_SEED ?? 20261130));
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const hex = (bytes) => Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');

async function until(what, accept) {
	const deadline = Date.now() + patience;
	for (;;) {
		const value = await accept();
		if (value) return value;
		if (Date.now() > deadline) throw new Error(`never came: ${typeof what === 'function' ? what() : what}`);
		await sleep(10);
	}
}

// ---- sending

const text = (key, stringValue) => ({ key, value: { stringValue } });
const tenantHeaders = (tenant, key) => ({ ...(tenant ? { 'x-scope-orgid': tenant } : {}), ...(key ? { authorization: `Bearer ${key}` } : {}) });

async function post(weir, signal, body, { tenant, key } = {}) {
	const res = await fetch(`http://${weir.http}/v1/${signal}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...tenantHeaders(tenant, key) } });
	assert.equal(res.status, 200, await res.text());
}

const spansBody = (spans) => ({ resourceSpans: spans.map((s) => ({ resource: { attributes: [text('service.name', s.service), ...(s.zone ? [text('zone', s.zone)] : [])] },
	scopeSpans: [{ scope: { name: 'lib', attributes: s.scoped ? [text('layer', s.scoped)] : [] }, spans: [{ traceId: s.trace, spanId: s.id, parentSpanId: s.parent ?? '', name: s.name, kind: s.kind ?? 2,
		startTimeUnixNano: String(s.start), endTimeUnixNano: String(s.start + s.duration), status: { code: s.status ?? 0 },
		attributes: Object.entries(s.attributes ?? {}).map(([key, v]) => ({ key, value: typeof v === 'number' ? { intValue: String(v) } : { stringValue: v } })) }] }] })) });
const logsBody = (logs) => ({ resourceLogs: logs.map((l) => ({ resource: { attributes: [text('service.name', l.service)] }, scopeLogs: [{ logRecords: [{
	timeUnixNano: String(l.time), severityNumber: l.severity, body: { stringValue: l.body }, traceId: l.trace ?? '', spanId: l.span ?? '', eventName: l.event ?? '',
	attributes: Object.entries(l.attributes ?? {}).map(([key, stringValue]) => text(key, stringValue)) }] }] })) });

const now = () => BigInt(Date.now()) * 1000000n;
let made = 0;
const aSpan = (more = {}) => ({ trace: hex(16), id: (++made).toString(16).padStart(16, '0'), service: 'shop', name: `op ${made}`, start: now(), duration: 1000000n, ...more });
const aLog = (more = {}) => ({ service: 'shop', time: now(), severity: 9, body: `line ${++made}`, ...more });

// ---- following

class Follower {
	events = [];
	raw = '';
	// A stream of a weir's; `paused`: it reads nothing until resume().
	static async open(weir, path, { tenant, key, headers = {}, paused = false } = {}) {
		const f = new Follower();
		const [host, port] = weir.api.split(':');
		f.req = http.request({ host, port, path, agent: false, headers: { ...tenantHeaders(tenant, key), ...headers } });
		f.req.on('error', (e) => (f.error = e));
		f.req.end();
		[f.res] = await once(f.req, 'response');
		f.status = f.res.statusCode;
		f.ended = new Promise((done) => {
			f.res.on('end', () => done('end'));
			f.res.on('close', () => done(f.res.complete ? 'end' : 'cut'));
		});
		f.res.on('error', () => {});
		f.res.setEncoding('utf8');
		if (!paused) f.resume();
		return f;
	}

	resume() {
		this.res.on('data', (part) => this.#take(part));
	}

	#take(part) {
		this.raw += part;
		let at;
		while ((at = this.raw.indexOf('\n\n')) >= 0) {
			const block = this.raw.slice(0, at).split('\n');
			this.raw = this.raw.slice(at + 2);
			const field = (name) => block.filter((l) => l.startsWith(`${name}: `)).map((l) => l.slice(name.length + 2)).join('\n');
			if (block.some((l) => l.startsWith(':'))) this.events.push({ event: 'comment', text: block[0].slice(1).trim() });
			else this.events.push({ event: field('event'), data: JSON.parse(field('data')) });
		}
	}

	of(event) {
		return this.events.filter((e) => e.event === event);
	}

	items() {
		return this.events.filter((e) => e.event === 'span' || e.event === 'log').map((e) => e.data);
	}

	missed() {
		return this.of('missed').reduce((n, e) => n + e.data.count, 0);
	}

	async got(n) {
		await until(() => `${n} items: ${this.items().length} came`, () => this.items().length >= n);
		return this.items();
	}

	close() {
		this.req.destroy();
	}
}

const readers = (weir) => weir.metric('weir_live_readers');

// What is sent behind all else, and passes every filter's stream by its own: whoever follows `all` has seen everything before.
async function settle(weir, all, options) {
	const last = aSpan({ name: 'the last one' });
	await post(weir, 'traces', spansBody([last]), options);
	await until('the last one', () => all.items().some((s) => s.span_id === last.id));
	return last;
}

// ---- filters

const words = ['cart', 'pay', 'ship', 'Karte', 'größe'];
const someSpans = (n) => Array.from({ length: n }, () => aSpan({ service: pick(['checkout', 'cart', 'shipping']), name: pick(['GET /cart', 'POST /pay', 'SELECT', 'größe']), kind: 1 + below(5),
	status: below(3), parent: below(2) ? hex(8) : '', duration: BigInt(below(400)) * 1000000n, zone: pick(['a', 'b', undefined]), scoped: pick(['web', 'db', undefined]),
	attributes: { ...(below(2) ? { 'http.status': below(600) } : {}), ...(below(2) ? { user: pick(words) } : {}) } }));
const someLogs = (n) => Array.from({ length: n }, () => aLog({ service: pick(['checkout', 'cart']), severity: below(26), body: `${pick(words)} ${pick(['failed', 'done'])}`, event: pick(['', 'login', 'logout']),
	trace: pick(['', traceA, hex(16)]), attributes: below(2) ? { user: pick(words) } : {} }));
const traceA = hex(16);

const ms = 1000000n;
const spanFilters = [
	['', () => true],
	['service=cart', (s) => s.service === 'cart'],
	['operation=GET', (s) => s.name.includes('GET')],
	['name=SELECT', (s) => s.name === 'SELECT'],
	['status=error', (s) => s.status === 2],
	['kind=server', (s) => s.kind === 2],
	['min_duration_ms=100', (s) => s.duration >= 100n * ms],
	['max_duration_ms=100', (s) => s.duration <= 100n * ms],
	['roots=true', (s) => !s.parent],
	['attribute=http.status>=300', (s) => (s.attributes['http.status'] ?? -1) >= 300],
	['attribute=!user', (s) => s.attributes.user === undefined],
	['attribute=user~^(?i)K', (s) => /^k/i.test(s.attributes.user ?? '')],
	['attribute=user!~a', (s) => s.attributes.user === undefined || !/a/.test(s.attributes.user)],
	['attribute=resource:zone=a', (s) => s.zone === 'a'],
	['attribute=zone=b', (s) => s.zone === 'b'],
	['attribute=scope:layer=db', (s) => s.scoped === 'db'],
	['text=GRÖßE', (s) => s.name === 'größe' || s.attributes.user === 'größe'],
	['text=größe', (s) => s.name === 'größe' || s.attributes.user === 'größe'],
	['service=checkout&status=ok&min_duration_ms=50&attribute=user', (s) => s.service === 'checkout' && s.status === 1 && s.duration >= 50n * ms && s.attributes.user !== undefined],
];
const logFilters = [
	['', () => true],
	['service=cart', (l) => l.service === 'cart'],
	['severity=error', (l) => l.severity >= 17 && l.severity <= 20],
	['min_severity=warn', (l) => l.severity >= 13 && l.severity <= 24],
	['severity=unspecified', (l) => l.severity < 1 || l.severity > 24],
	['body_contains=failed', (l) => l.body.includes('failed')],
	['event_name=login', (l) => l.event === 'login'],
	[`trace_id=${traceA}`, (l) => l.trace === traceA],
	['attribute=user=pay', (l) => l.attributes.user === 'pay'],
	['text=done cart', (l) => l.body.includes('done') && (l.body.includes('cart') || l.attributes.user === 'cart')],
];

describe('filters', () => {
	it('let through what they say, as the lists do, once and of the own tenant only', async () => {
		const weir = await Weir.start();
		try {
			const follow = (kind, filters) => Promise.all(filters.map(async ([query, test]) => ({ query, test, kind, f: await Follower.open(weir, `/api/v1/live/${kind}?${encodeURI(query)}`, { tenant: 'acme' }) })));
			const followers = [...await follow('spans', spanFilters), ...await follow('logs', logFilters)];
			const all = { spans: followers[0].f, logs: followers.find((x) => x.kind === 'logs').f };
			for (const x of followers) {
				assert.equal(x.f.status, 200, x.query);
				assert.match(x.f.res.headers['content-type'], /^text\/event-stream$/);
				assert.equal(x.f.res.headers['transfer-encoding'], 'chunked');
			}
			const spans = someSpans(300);
			const logs = someLogs(300);
			for (let i = 0; i < 300; i += 50) {
				await post(weir, 'traces', spansBody(spans.slice(i, i + 50)), { tenant: 'acme' });
				await post(weir, 'logs', logsBody(logs.slice(i, i + 50)), { tenant: 'acme' });
				// Of another tenant, the same spans.
				await post(weir, 'traces', spansBody(spans.slice(i, i + 50)), { tenant: 'zeta' });
			}
			// Again: the same bytes, and the same spans in another request.
			await post(weir, 'traces', spansBody(spans.slice(0, 50)), { tenant: 'acme' });
			await post(weir, 'traces', spansBody(spans.slice(20, 90)), { tenant: 'acme' });
			await post(weir, 'logs', logsBody(logs.slice(0, 50)), { tenant: 'acme' });
			const last = await settle(weir, all.spans, { tenant: 'acme' });
			await post(weir, 'logs', logsBody([aLog({ body: 'the last log' })]), { tenant: 'acme' });
			await until('the last log', () => all.logs.items().some((l) => l.body === 'the last log'));

			for (const { query, test, kind, f } of followers) {
				const idOf = kind === 'spans' ? (s) => s.id : (l) => `${l.time} ${l.body} ${l.severity}`;
				const want = (kind === 'spans' ? spans : logs).filter(test).map(idOf);
				const mine = (x) => (kind === 'spans' ? x.span_id : `${x.event_time_unix_nano} ${x.body} ${x.severity_number}`);
				await until(() => `${kind}?${query}: ${want.length}, ${f.items().length} came`, () => f.items().length >= want.length);
				const got = f.items().filter((x) => x.span_id !== last.id && x.body !== 'the last log').map(mine);
				assert.deepEqual(got, want, `${kind}?${query}`); // in the order in which they came, too
				assert.equal(f.missed(), 0);
			}
			const listed = await weir.get(`/api/v1/traces?limit=1000`, { headers: { 'x-scope-orgid': 'acme' } });
			for (const item of all.spans.items().slice(0, 20)) assert.deepEqual(listed.body.spans.find((s) => s.span_id === item.span_id), item);
			const listedLogs = await weir.get(`/api/v1/logs?limit=1000`, { headers: { 'x-scope-orgid': 'acme' } });
			for (const item of all.logs.items().slice(0, 20)) assert.ok(listedLogs.body.logs.some((l) => isDeepStrictEqual(l, item)));
			for (const x of followers) x.f.close();
			await until('nobody follows', async () => (await readers(weir)) === 0);
		} finally {
			await weir.stop();
		}
	});

	it('are refused when they are malformed, and so is what has no sense here', async () => {
		const weir = await Weir.start();
		try {
			for (const query of ['nonsense=1', 'last=5m', 'from=0', 'limit=3', 'cursor=x', 'status=purple', 'attribute=a~(', 'trace_id=12']) {
				const { status, body } = await weir.get(`/api/v1/live/spans?${query}`);
				assert.equal(status, 400, query);
				assert.match(body.error.message, new RegExp(`parameter ${query.split('=')[0]}`));
			}
			assert.equal((await weir.get('/api/v1/live/metrics')).status, 404);
			assert.equal((await weir.get('/api/v1/live/spans', { method: 'POST' })).status, 405);
			const head = await weir.get('/api/v1/live/logs', { method: 'HEAD' });
			assert.equal(head.status, 200);
			assert.equal(head.headers.get('content-type'), 'text/event-stream');
			await until('nobody follows', async () => (await readers(weir)) === 0);
		} finally {
			await weir.stop();
		}
	});
});

describe('a reader', () => {
	it('that is slow is told how many it missed, and they add up; nobody waits for it', async () => {
		const weir = await Weir.start({ args: ['--max-live-bytes', '65536'] });
		try {
			const slow = await Follower.open(weir, '/api/v1/live/spans?service=shop', { paused: true });
			const odd = await Follower.open(weir, '/api/v1/live/spans?service=shop&attribute=parity=odd', { paused: true });
			const elsewhere = await Follower.open(weir, '/api/v1/live/spans?service=elsewhere');
			const filling = 'x'.repeat(20000);
			const total = 3000;
			for (let i = 0; i < total; i += 100)
				await post(weir, 'traces', spansBody(Array.from({ length: 100 }, (_, k) => aSpan({ attributes: { filling, parity: (i + k) % 2 ? 'odd' : 'even' } }))));
			const witness = aSpan({ service: 'elsewhere' });
			await post(weir, 'traces', spansBody([witness]));
			await elsewhere.got(1);
			assert.ok(await weir.metric('weir_live_items_total{result="missed"}') > 0);
			for (const [f, want] of [[slow, total], [odd, total / 2]]) {
				f.resume();
				await until(() => `${want}: ${f.items().length} and ${f.missed()} missed`, () => f.items().length + f.missed() >= want);
				assert.equal(f.items().length + f.missed(), want);
				assert.ok(f.missed() > 0, 'this machine buffers more than the test sends');
				for (const e of f.of('missed')) assert.deepEqual(e.data, { count: e.data.count, exact: true });
				assert.equal(new Set(f.items().map((s) => s.span_id)).size, f.items().length);
			}
			assert.equal(elsewhere.missed(), 0);
			// It goes on as any other.
			const before = slow.items().length;
			await post(weir, 'traces', spansBody([aSpan({ name: 'afterwards' })]));
			assert.equal((await slow.got(before + 1)).at(-1).operation, 'afterwards');
			const [shown, missed] = [await weir.metric('weir_live_items_total{result="shown"}'), await weir.metric('weir_live_items_total{result="missed"}')];
			assert.equal(shown + missed, total + total / 2 + 2);
			for (const f of [slow, odd, elsewhere]) f.close();
		} finally {
			await weir.stop();
		}
	});

	it('whose client takes nothing for --idle-timeout-ms is cut, one that has nothing to read is not', async () => {
		const weir = await Weir.start({ args: ['--idle-timeout-ms', '1000', '--live-heartbeat-ms', '300'] });
		try {
			const quiet = await Follower.open(weir, '/api/v1/live/spans?service=nobody');
			const stuck = net.connect({ host: '127.0.0.1', port: Number(weir.api.split(':')[1]) });
			stuck.on('error', () => {});
			stuck.write('GET /api/v1/live/spans HTTP/1.1\r\nHost: h\r\n\r\n');
			await once(stuck, 'readable'); // and no more
			await until('two follow', async () => (await readers(weir)) === 2);
			const filling = 'x'.repeat(50000);
			const deadline = Date.now() + patience;
			while ((await readers(weir)) === 2) {
				assert.ok(Date.now() < deadline, 'it is not cut');
				await post(weir, 'traces', spansBody(Array.from({ length: 50 }, () => aSpan({ attributes: { filling } }))));
			}
			assert.equal(await readers(weir), 1);
			await until('signs of life', () => quiet.of('comment').length >= 6);
			assert.equal(quiet.of('comment')[0].text, 'from now on');
			stuck.destroy();
			quiet.close();
		} finally {
			await weir.stop();
		}
	});

	it('that goes away, or closes its side, is forgotten though nothing comes in', async () => {
		const weir = await Weir.start();
		try {
			const all = await Promise.all(Array.from({ length: 30 }, () => Follower.open(weir, '/api/v1/live/spans')));
			await until('thirty', async () => (await readers(weir)) === 30);
			for (const f of all.slice(0, 20)) f.close();
			await until('ten', async () => (await readers(weir)) === 10);
			const half = net.connect({ host: '127.0.0.1', port: Number(weir.api.split(':')[1]), allowHalfOpen: true });
			half.on('error', () => {}).resume();
			half.write('GET /api/v1/live/spans HTTP/1.1\r\nHost: h\r\n\r\n');
			await until('eleven', async () => (await readers(weir)) === 11);
			half.end();
			await until('ten again', async () => (await readers(weir)) === 10);
			half.destroy();
			await post(weir, 'traces', spansBody([aSpan()]));
			for (const f of all.slice(20)) assert.equal((await f.got(1)).length, 1);
			for (const f of all) f.close();
		} finally {
			await weir.stop();
		}
	});

	it('beyond --max-live-readers is told to come back; a hundred get all there is', async () => {
		const weir = await Weir.start({ args: ['--max-live-readers', '100'] });
		try {
			const all = await Promise.all(Array.from({ length: 100 }, (_, i) => Follower.open(weir, `/api/v1/live/spans?service=s${i % 4}`)));
			assert.ok(all.every((f) => f.status === 200));
			const { status, headers, body } = await weir.get('/api/v1/live/logs');
			assert.equal(status, 429);
			assert.ok(Number(headers.get('retry-after')) > 0);
			assert.equal(body.error.code, 'busy');
			assert.equal(await weir.metric('weir_live_refused_total'), 1);
			const spans = Array.from({ length: 400 }, (_, i) => aSpan({ service: `s${i % 4}` }));
			for (let i = 0; i < 400; i += 40) await post(weir, 'traces', spansBody(spans.slice(i, i + 40)));
			for (const [i, f] of all.entries()) assert.deepEqual((await f.got(100)).map((s) => s.span_id), spans.filter((s) => s.service === `s${i % 4}`).map((s) => s.id));
			all[0].close();
			await until('room again', async () => {
				const f = await Follower.open(weir, '/api/v1/live/logs');
				f.close();
				return f.status === 200;
			});
			for (const f of all) f.close();
		} finally {
			await weir.stop();
		}
	});

	it('that comes back with Last-Event-ID is told that there are no ids', async () => {
		const weir = await Weir.start();
		try {
			const f = await Follower.open(weir, '/api/v1/live/spans', { headers: { 'last-event-id': '7' } });
			await until('a comment', () => f.of('comment').length > 0);
			assert.match(f.of('comment')[0].text, /Last-Event-ID is not honoured/);
			f.close();
		} finally {
			await weir.stop();
		}
	});
});

describe('the end', () => {
	it('of the server is the end of a stream, said and clean, whether its client reads or not', async () => {
		const weir = await Weir.start();
		const f = await Follower.open(weir, '/api/v1/live/spans');
		const logs = await Follower.open(weir, '/api/v1/live/logs');
		const stuck = await Follower.open(weir, '/api/v1/live/spans', { paused: true });
		await post(weir, 'traces', spansBody([aSpan({ name: 'just before' })]));
		await weir.stop();
		for (const x of [f, logs]) {
			assert.equal(await x.ended, 'end');
			assert.deepEqual(x.events.at(-1), { event: 'end', data: { code: 'unavailable', message: 'the server is stopping' } });
		}
		assert.equal(f.items()[0].operation, 'just before');
		stuck.close();
	});

	it('of a key is the end of what it opened, and of nothing else', async () => {
		const dataDir = newDataDir();
		const make = async (tenant, ...rights) => JSON.parse((await run(['keys', 'create', '--data-dir', dataDir, '--tenant', tenant, ...rights.flatMap((r) => ['--right', r]), '-o', 'json'])).stdout);
		const root = await make('*', 'read', 'ingest', 'admin');
		const [mine, other, ingest] = [await make('acme', 'read'), await make('acme', 'read'), await make('acme', 'ingest')];
		const weir = await Weir.start({ dataDir });
		try {
			assert.equal((await Follower.open(weir, '/api/v1/live/spans')).status, 401);
			assert.equal((await Follower.open(weir, '/api/v1/live/spans', { key: ingest.key })).status, 403);
			assert.equal((await Follower.open(weir, '/api/v1/live/spans', { key: mine.key, tenant: 'zeta' })).status, 403);
			const [f, g] = [await Follower.open(weir, '/api/v1/live/spans', { key: mine.key }), await Follower.open(weir, '/api/v1/live/spans', { key: other.key })];
			const admin = { headers: { authorization: `Bearer ${root.key}` } };
			const zeta = await Follower.open(weir, '/api/v1/live/spans', { key: root.key, tenant: 'zeta' });
			await post(weir, 'traces', spansBody([aSpan()]), { key: ingest.key });
			await f.got(1);
			await g.got(1);
			const { status } = await weir.get(`/api/v1/keys/${mine.id}`, { method: 'DELETE', ...admin });
			assert.equal(status, 200);
			assert.equal(await f.ended, 'end');
			assert.equal(f.events.at(-1).event, 'end');
			assert.equal(f.events.at(-1).data.code, 'unauthenticated');
			await post(weir, 'traces', spansBody([aSpan({ name: 'later' })]), { key: ingest.key });
			assert.equal((await g.got(2))[1].operation, 'later');
			assert.equal(f.items().length, 1);
			assert.equal(zeta.items().length, 0);
			g.close();
			zeta.close();
		} finally {
			await weir.stop();
			removeDataDir(dataDir);
		}
	});
});

// ---- weir tail

class Tail {
	out = '';
	err = '';
	constructor(args, env = {}) {
		this.child = spawn(weirBin, ['tail', ...args], { env: { ...process.env, ...env } });
		this.child.stdout.setEncoding('utf8').on('data', (t) => (this.out += t));
		this.child.stderr.setEncoding('utf8').on('data', (t) => (this.err += t));
		this.exited = new Promise((done) => this.child.on('close', (code, signal) => done({ code, signal })));
	}

	lines() {
		return this.out.split('\n').filter((l) => l !== '');
	}

	async interrupt() {
		this.child.kill('SIGINT');
		return this.exited;
	}
}

const freePort = () => new Promise((done) => {
	const s = net.createServer().listen(0, '127.0.0.1', () => {
		const { port } = s.address();
		s.close(() => done(port));
	});
});

describe('weir tail', () => {
	it('writes a line for each, until it is interrupted or has enough', async () => {
		const weir = await Weir.start();
		const url = ['--url', `http://${weir.api}`];
		try {
			const tails = { spans: new Tail(url), errors: new Tail(['spans', ...url, '--status', 'error', '-n', '2']), table: new Tail([...url, '-o', 'table']), logs: new Tail(['logs', ...url, '--min-severity', 'warn']),
				lines: new Tail(['logs', ...url, '-o', 'table', '--count', '1', '--color', 'always']) };
			await until('five', async () => (await readers(weir)) === 5);
			const spans = [aSpan({ status: 2, name: 'a\u001b[31m\u202eb' }), aSpan({ status: 1 }), aSpan({ status: 2 }), aSpan({ status: 2 })];
			await post(weir, 'traces', spansBody(spans));
			await post(weir, 'logs', logsBody([aLog({ severity: 17, body: 'it failed\nbadly\u001b]0;x\u0007' }), aLog({ severity: 5 })]));
			assert.deepEqual(await tails.errors.exited, { code: 0, signal: null });
			assert.deepEqual(tails.errors.lines().map((l) => JSON.parse(l).span_id), [spans[0].id, spans[2].id]);
			await until('four lines', () => tails.spans.lines().length === 4);
			assert.deepEqual(tails.spans.lines().map((l) => JSON.parse(l).span_id), spans.map((s) => s.id));
			await until('four rows', () => tails.table.lines().length === 4);
			assert.match(tails.table.lines()[0], /shop +1ms +(✗|x) a\\x1b\[31m(\\u202e|\?)b +[0-9a-f]{32}$/);
			for (const s of spans) assert.ok(tails.table.out.includes(s.trace));
			assert.deepEqual(await tails.lines.exited, { code: 0, signal: null });
			assert.equal(tails.lines.lines().length, 1);
			assert.ok(tails.lines.out.includes('\u001b[31m'), 'colour of its own');
			assert.ok(!tails.lines.out.includes('\u001b]') && !tails.lines.out.includes('\u0007'), JSON.stringify(tails.lines.out));
			await until('a log', () => tails.logs.lines().length === 1);
			assert.equal(JSON.parse(tails.logs.lines()[0]).severity, 'error');
			for (const t of [tails.spans, tails.table, tails.logs]) {
				assert.deepEqual(await t.interrupt(), { code: 0, signal: null });
				assert.equal(t.err, '');
			}
			await until('nobody follows', async () => (await readers(weir)) === 0);
		} finally {
			await weir.stop();
		}
	});

	it('says what is wrong with it, and who is not there', async () => {
		const weir = await Weir.start();
		try {
			const url = ['--url', `http://${weir.api}`];
			for (const [args, code, pattern] of [[['--nonsense'], 2, /no option --nonsense/], [['metrics'], 2, /"metrics"/], [['--attribute', 'a~('], 2, /--attribute/], [['-n', '0'], 2, /--count/], [['logs', '--roots'], 2, /--roots/]]) {
				const r = await run(['tail', ...args, ...url]);
				assert.equal(r.code, code, r.stderr);
				assert.match(r.stderr, pattern);
			}
			const help = await run(['tail', 'logs', '--help']);
			assert.equal(help.code, 0);
			assert.match(help.stdout, /--min-severity/);
			assert.ok(help.stdout.split('\n').every((l) => l.length <= 90));
			const gone = await run(['tail', '--url', `http://127.0.0.1:${await freePort()}`]);
			assert.equal(gone.code, 1);
			assert.match(gone.stderr, /cannot reach/);
		} finally {
			await weir.stop();
		}
	});

	it('comes back when the server does, after a kill too, and shows what is new only', async () => {
		const dataDir = newDataDir();
		const port = await freePort();
		const start = () => Weir.start({ dataDir, api: `127.0.0.1:${port}` });
		let weir = await start();
		try {
			const tail = new Tail(['--url', `http://127.0.0.1:${port}`]);
			const names = () => tail.lines().map((l) => JSON.parse(l).operation);
			const send = async (name) => {
				await until('it follows', async () => (await readers(weir)) === 1);
				await post(weir, 'traces', spansBody([aSpan({ name })]));
				await until(name, () => names().includes(name));
			};
			await send('first');
			await weir.kill();
			await until('a word', () => /trying to connect again/.test(tail.err));
			weir = await start();
			await send('after the kill');
			assert.match(tail.err, /connected again; what came in meanwhile is not shown/);
			await weir.stop();
			await until('another word', () => /the server is stopping; trying to connect again/.test(tail.err));
			weir = await start();
			await send('after the stop');
			assert.deepEqual(names(), ['first', 'after the kill', 'after the stop']);
			assert.equal(tail.err.match(/trying to connect again/g).length, 2, tail.err);
			assert.deepEqual(await tail.interrupt(), { code: 0, signal: null });
			await weir.stop();
		} finally {
			if (weir.alive()) await weir.kill();
			removeDataDir(dataDir);
		}
	});

	it('says how many it missed where they are missing, and ends with the key', async () => {
		const dataDir = newDataDir();
		const make = async (...rights) => JSON.parse((await run(['keys', 'create', '--data-dir', dataDir, '--tenant', 'acme', ...rights.flatMap((r) => ['--right', r]), '-o', 'json'])).stdout);
		const [all, read] = [await make('read', 'ingest', 'admin'), await make('read')];
		const weir = await Weir.start({ dataDir, args: ['--max-live-bytes', '65536'] });
		try {
			const tail = new Tail(['--url', `http://${weir.api}`], { WEIR_TOKEN: read.key });
			const witness = await Follower.open(weir, '/api/v1/live/spans?service=elsewhere', { key: all.key });
			await until('it follows', () => tail.child.stdout.readableFlowing !== undefined);
			const first = aSpan({ name: 'first' });
			await until('first', async () => {
				await post(weir, 'traces', spansBody([{ ...first, id: hex(8) }]), { key: all.key });
				return tail.lines().length > 0;
			});
			tail.child.stdout.pause();
			const before = tail.lines().length;
			const filling = 'x'.repeat(20000);
			for (let i = 0; i < 2000; i += 100) await post(weir, 'traces', spansBody(Array.from({ length: 100 }, () => aSpan({ name: 'many', attributes: { filling } }))), { key: all.key });
			await post(weir, 'traces', spansBody([aSpan({ service: 'elsewhere' })]), { key: all.key });
			await witness.got(1);
			tail.child.stdout.resume();
			const missed = () => [...tail.err.matchAll(/weir: (\d+) missed: more came in than is read here/g)].reduce((n, m) => n + Number(m[1]), 0);
			const many = () => tail.lines().slice(before).filter((l) => l.includes('"many"') || l.includes('"elsewhere"')).length;
			await until(() => `2001: ${many()} shown, ${missed()} missed`, () => many() + missed() >= 2001);
			assert.equal(many() + missed(), 2001);
			assert.ok(missed() > 0);
			const { status } = await weir.get(`/api/v1/keys/${read.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${all.key}` } });
			assert.equal(status, 200);
			assert.deepEqual(await tail.exited, { code: 1, signal: null });
			assert.match(tail.err, /key/);
			witness.close();
		} finally {
			await weir.stop();
			removeDataDir(dataDir);
		}
	});
});
