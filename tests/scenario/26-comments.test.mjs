// SPDX-License-Identifier: Apache-2.0
//
// Comments on traces and spans: what people and agents leave for each other. Kept as telemetry is: durable before the
// answer, once however often it is sent, of one tenant, in the log, the seals, backups and exports; and harmless.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sleep } from './lib/weir.mjs';

const hex = (n, digits) => n.toString(16).padStart(digits, '0');
const traceId = hex(0xabcd, 32);
const spanId = hex(0xa1, 16);

async function post(weir, trace, comment, headers = {}) {
	const res = await fetch(`http://${weir.api}/api/v1/traces/${trace}/comments`, { method: 'POST',
		headers: { 'content-type': 'application/json', ...headers }, body: typeof comment === 'string' ? comment : JSON.stringify(comment) });
	const text = await res.text();
	return { status: res.status, text, body: JSON.parse(text) };
}

async function add(weir, trace, comment, headers) {
	const { status, body, text } = await post(weir, trace, comment, headers);
	assert.equal(status, 201, text);
	return body.comment;
}

const list = async (weir, trace, query = '', headers = {}) => {
	const { status, body, text } = await weir.get(`/api/v1/traces/${trace}/comments${query}`, { headers });
	assert.equal(status, 200, text);
	assert.equal(body.count, body.comments.length);
	return body.comments;
};

const sendTrace = async (weir, tenant = 'default') => {
	const now = BigInt(Date.now()) * 1000000n;
	const span = (id, name, parent) => ({ traceId, spanId: id, parentSpanId: parent, name, kind: 2, startTimeUnixNano: String(now), endTimeUnixNano: String(now + 1000000n) });
	const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-scope-orgid': tenant },
		body: JSON.stringify({ resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
			scopeSpans: [{ spans: [span(spanId, 'checkout'), span(hex(0xa2, 16), 'pay', spanId)] }] }] }) });
	assert.equal(res.status, 200, await res.text());
	await weir.until(`/api/v1/traces/${traceId}`, (b) => b.spans?.length === 2, { headers: { 'x-scope-orgid': tenant } });
};

const loaded = async (weir) => {
	for (const deadline = Date.now() + patience; (await weir.metric('weir_lag_bytes')) !== 0 || !/all that was in the log at the start is loaded/.test(weir.log); await sleep(20))
		assert.ok(Date.now() < deadline, weir.log);
};

describe('comments over REST and on the command line', () => {
	let weir, env;
	const cli = async (...args) => {
		const r = await run(args, { env });
		assert.equal(r.code, 0, `weir ${args.join(' ')}: ${r.stderr}`);
		return r.stdout;
	};
	before(async () => {
		weir = await Weir.start();
		env = { WEIR_URL: `http://${weir.api}`, WEIR_AUTHOR: '', NO_COLOR: '1', XDG_STATE_HOME: weir.dataDir };
		await sendTrace(weir);
	});
	after(() => weir.stop());

	it('are answered as they are kept, and seen at once', async () => {
		const began = BigInt(Date.now() - 1) * 1000000n;
		const one = await add(weir, traceId.toUpperCase(), { body: 'retries hide the cause' });
		assert.match(one.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
		const { id, created_at: at, created_unix_nano: ns, ...rest } = one;
		assert.deepEqual(rest, { trace_id: traceId, span_id: null, author: 'anonymous', body: 'retries hide the cause' });
		assert.ok(BigInt(ns) >= began && BigInt(ns) <= BigInt(Date.now() + 1) * 1000000n, `${ns} ${at}`);
		assert.equal(Date.parse(at), Number(BigInt(ns) / 1000000n));
		const two = await add(weir, traceId, { body: 'the pool is empty', author: 'ada', span_id: spanId, created: '2026-11-20T16:00:00.000000042Z', id: 'c:2' });
		assert.deepEqual(two, { id: 'c:2', trace_id: traceId, span_id: spanId, author: 'ada', body: 'the pool is empty',
			created_at: '2026-11-20T16:00:00.000000042Z', created_unix_nano: '1795190400000000042' });
		assert.deepEqual(await list(weir, traceId), [two, one]); // oldest first
		assert.deepEqual((await weir.get('/api/v1/comments')).body, { comments: [one, two], count: 2 });
		assert.deepEqual(await list(weir, traceId, `?span_id=${spanId}`), [two]);
		assert.deepEqual(await list(weir, hex(0x77, 32)), []);
		assert.equal((await weir.get('/api/v1/services')).body.count, 1, 'a comment is of no service');
		assert.equal(await weir.metric('weir_items_acked_total{signal="comments"}'), 2);
		assert.ok(id);
	});

	it('come from the command line too, and stand in the tree of their trace', async () => {
		const trace = hex(0xbeef, 32);
		const added = JSON.parse(await cli('comment', 'add', trace, 'look at "this"\nand that', '--author', 'bot 7', '--id', 'cli-1')).comment;
		assert.equal(added.body, 'look at "this"\nand that');
		assert.equal(await cli('comment', 'add', trace, 'look at "this"\nand that', '--author', 'bot 7', '--id', 'cli-1', '-o', 'table'),
			`comment cli-1 by bot 7 on trace ${trace}\n`);
		env.WEIR_AUTHOR = 'eve';
		const eve = JSON.parse(await cli('comment', 'add', trace, 'second', '--span', spanId)).comment;
		assert.deepEqual([eve.author, eve.span_id], ['eve', spanId]);
		assert.deepEqual(JSON.parse(await cli('comment', 'list', trace)), { comments: [added, eve], count: 2 });
		assert.deepEqual((await cli('comment', 'list', '--author', 'eve', '-o', 'ndjson')).trim().split('\n').map((l) => JSON.parse(l)), [eve]);
		assert.match(await cli('comment', 'list', '--text', 'that', '-o', 'table'), /AUTHOR[^]*bot 7[^]*look at "this"/);
		const tree = await cli('trace', traceId, '-o', 'table');
		const lines = tree.split('\n');
		const at = (text) => lines.findIndex((l) => l.includes(text));
		assert.ok(at('checkout') >= 0 && at('# ada: the pool is empty') === at('checkout') + 1, tree);
		assert.ok(at('# anonymous: retries hide the cause') > at('pay'), tree);
		for (const [args, code, text] of [[['comment', 'add', trace], 2, /needs a body/], [['comment', 'add', 'zz', 'x'], 2, /32 hex digits/],
			[['comment', 'add', trace, 'another text', '--id', 'cli-1'], 1, /another comment with the id cli-1/], [['comment', 'add', trace, ''], 2, /body/],
			[['comment', 'remove', trace], 2, /comment has no "remove": add or list/]]) {
			const r = await run(args, { env });
			assert.equal(r.code, code, `${args}: ${r.stderr}`);
			assert.match(r.stderr, text);
		}
	});

	it('are there once however often they are sent, and the first under an id stays', async () => {
		const trace = hex(0x1d, 32);
		const said = { body: 'once', author: 'ada', id: 'retry-1' };
		const all = await Promise.all(Array.from({ length: 20 }, () => post(weir, trace, said)));
		assert.deepEqual([...new Set(all.map((r) => r.status))], [201]);
		assert.equal(new Set(all.map((r) => r.body.comment.created_unix_nano)).size, 1, 'each was told of the same one');
		const key = await post(weir, trace, { body: 'once', author: 'ada' }, { 'idempotency-key': '"retry-1"' });
		assert.deepEqual(key.body.comment, all[0].body.comment);
		for (const other of [{ ...said, body: 'twice' }, { ...said, author: 'eve' }, { ...said, span_id: spanId }]) {
			const { status, body } = await post(weir, trace, other);
			assert.equal(status, 409);
			assert.match(body.error.message, /another comment with the id retry-1/);
		}
		assert.equal((await post(weir, hex(0x1e, 32), said)).status, 409);
		assert.deepEqual(await list(weir, trace), [all[0].body.comment]);
	});

	it('are found by author, text, trace, span and time, page after page', async () => {
		const base = 1700000000000000000n;
		const want = [];
		for (let i = 0; i < 60; i++)
			want.push(await add(weir, hex(0x5000 + (i % 4), 32), { id: `f${i}`, body: `note ${i % 5} ${i % 2 ? 'Alpha' : "b'eta%_"}`, author: `a${i % 3}`,
				...(i % 6 ? {} : { span_id: hex(0x90 + i, 16) }), created: new Date(Number(base / 1000000n) + i * 1000).toISOString() }));
		const time = (c) => BigInt(c.created_unix_nano);
		const cases = [['author=a1', (c) => c.author === 'a1'], ['text=Alpha', (c) => c.body.includes('Alpha')], ['text=alpha', () => false],
			["text=b'eta%25_", (c) => c.body.includes("b'eta%_")], ['text=%25', (c) => c.body.includes('%')], [`trace_id=${hex(0x5002, 32)}`, (c) => c.trace_id === hex(0x5002, 32)],
			[`span_id=${hex(0x96, 16)}`, (c) => c.span_id === hex(0x96, 16)], ['author=a2&text=note 3', (c) => c.author === 'a2' && c.body.includes('note 3')],
			['from=1700000010&to=1700000020', (c) => time(c) >= base + 10n * 1000000000n && time(c) < base + 20n * 1000000000n]];
		const newest = [...want].reverse();
		for (const [query, keep] of cases) {
			const window = query.includes('from=') ? '' : '&from=1700000000&to=1700000060';
			for (const limit of [1000, 7])
				assert.deepEqual(await weir.all(`/api/v1/comments?${query}${window}&limit=${limit}`, 'comments'), newest.filter(keep), query);
		}
		const first = hex(0x5001, 32);
		assert.deepEqual(await weir.all(`/api/v1/traces/${first}/comments?limit=4`, 'comments'), want.filter((c) => c.trace_id === first));
	});

	it('have hostile texts that come back as they were and reach neither terminal nor page', async () => {
		const trace = hex(0xbad, 32);
		const texts = ['\u001b]0;pwned\u0007\u001b[2J\u001b[31mred', '\u009b31m\u0085next', 'a\r\nSet-Cookie: x\tb', '\u202egnp.exe\u2066\ufeff', '\u0000zero\u007f',
			'<script>alert(1)</script>&amp;', "'; DROP TABLE comments_other; --", '$(reboot) `id` %s%n', '{"a":[1]}', '\u{1f600}\u0301\u00e9', '   ', '=HYPERLINK("x")'];
		for (const [i, text] of texts.entries()) await add(weir, trace, { body: text, author: i % 2 ? text : 'mallory', created: String(1795190400 + i) });
		const { text, body } = await weir.get(`/api/v1/traces/${trace}/comments`);
		assert.deepEqual(body.comments.map((c) => c.body), texts);
		assert.deepEqual(body.comments.map((c) => c.author), texts.map((t, i) => (i % 2 ? t : 'mallory')));
		// eslint-disable-next-line no-control-regex
		assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f<>&]/);
		await add(weir, traceId, { body: texts.join(' '), author: texts[0], span_id: spanId });
		for (const args of [['comment', 'list', trace, '-o', 'table'], ['comment', 'list', '-o', 'table', '-n', '100'], ['trace', traceId, '-o', 'table', '--verbose'],
			['comment', 'add', trace, texts[0], '--author', texts[1], '-o', 'table']]) {
			const shown = await cli(...args);
			// eslint-disable-next-line no-control-regex
			assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/, args.join(' '));
		}
		const refused = await run(['comment', 'add', trace, 'x', '--id', '\u001b[31m'], { env });
		assert.equal(refused.code, 2);
		assert.doesNotMatch(refused.stderr, /\u001b/);
	});

	it('that are not good are refused with a sentence, and not kept', async () => {
		const trace = hex(0xf00, 32);
		for (const [comment, status, text] of [[{}, 400, /body: missing/], [{ body: '' }, 400, /body/], [{ body: null }, 400, /body: missing/], [{ body: 'x', id: 'a b' }, 400, /id .*A-Z a-z 0-9/],
			[{ body: 'x', id: 'i'.repeat(129) }, 413, /id .*129 bytes/], [{ body: 'x', author: 'a'.repeat(257) }, 413, /author .*257 bytes/],
			[{ body: 'x'.repeat(65537) }, 413, /65537 bytes, at most 65536/], [{ body: 'x', span_id: '12' }, 400, /span_id/], [{ body: 'x', created: 'soon' }, 400, /created/],
			[{ body: 'x', title: 'y' }, 400, /title: unknown/], [{ body: { a: 1 } }, 400, /body: in the body it is a string/], ['[]', 400, /not a JSON object/], ['{', 400, /not JSON/],
			['{"body":"\\ud800"}', 400, /not JSON/], [{ body: 'x', trace_id: trace }, 400, /trace_id: given 2 times/]]) {
			const r = await post(weir, trace, comment);
			assert.equal(r.status, status, `${JSON.stringify(comment).slice(0, 80)}: ${r.text}`);
			assert.match(r.body.error.message, text);
		}
		const bytes = await fetch(`http://${weir.api}/api/v1/traces/${trace}/comments`, { method: 'POST', body: Buffer.from([0x7b, 0x22, 0x62, 0x6f, 0x64, 0x79, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]) });
		assert.equal(bytes.status, 400, await bytes.text());
		assert.equal((await post(weir, 'xyz', { body: 'x' })).status, 400);
		assert.equal((await post(weir, hex(0, 32), { body: 'x' })).status, 400);
		const page = await post(weir, trace, { body: 'x' }, { origin: 'https://evil.example' });
		assert.equal(page.status, 403, 'a page of another site');
		assert.deepEqual(await list(weir, trace), []);
		assert.equal((await add(weir, trace, { body: 'x'.repeat(65536), author: 'a'.repeat(256), id: 'i'.repeat(128) })).body.length, 65536);
	});

	it('go to a file and come back, once', async () => {
		const dir = mkdtempSync(join(weir.dataDir, 'export-'));
		const all = await weir.all('/api/v1/comments?limit=1000', 'comments');
		assert.ok(all.length > 70);
		const path = join(dir, 'comments.jsonl');
		await cli('export', 'comments', '-o', path, '--quiet');
		assert.deepEqual(readFileSync(path, 'utf8').trim().split('\n').map((l) => JSON.parse(l)), all);
		const other = await Weir.start();
		try {
			const more = { XDG_STATE_HOME: other.dataDir, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${other.http}`, WEIR_URL: `http://${other.api}` };
			for (const args of [[path], ['--again', path]]) {
				const r = await run(['import', ...args], { env: more });
				assert.equal(r.code, 0, r.stderr);
				assert.deepEqual(await other.all('/api/v1/comments?limit=1000', 'comments'), all);
			}
			// A page as the API has it, and one of these lines changed: the first stays, and it is said.
			const page = join(dir, 'page.json');
			const of = all.find((c) => c.id === 'f7');
			writeFileSync(page, JSON.stringify({ comments: [{ ...of, body: 'changed' }, { ...of, id: 7 }, { ...of, id: 'new:1' }], count: 3 }));
			const r = await run(['import', page], { env: more });
			assert.equal(r.code, 4, r.stderr);
			assert.match(r.stderr, /2 of them were refu.*another comment with the id f7/);
			const now = await other.all('/api/v1/comments?limit=1000', 'comments');
			assert.equal(now.length, all.length + 1);
			assert.deepEqual(now.filter((c) => c.id !== 'new:1'), all);
			// Everything into a folder: comments beside the signals, unless a filter leaves them out.
			const into = join(dir, 'all');
			await cli('export', '--format', 'parquet', '-o', into);
			assert.ok(readdirSync(into).includes('comments.jsonl'));
			const filtered = await run(['export', 'all', '--service', 'shop', '-o', join(dir, 'shop')], { env });
			assert.equal(filtered.code, 0, filtered.stderr);
			assert.match(filtered.stderr, /comments have no --service: they are left out/);
			for (const [args, text] of [[['export', 'comments', '--format', 'parquet'], /jsonl only/], [['import', '--again', path], /--url/]]) {
				const wrong = await run(args, { env: { ...more, ...(args[0] === 'import' ? { WEIR_URL: '' } : {}) } });
				assert.notEqual(wrong.code, 0);
				assert.match(wrong.stderr, text);
			}
		} finally {
			await other.stop();
		}
	});
});

describe('comments and who may', () => {
	it('are of one tenant, by keys or without', async () => {
		const weir = await Weir.start();
		try {
			const as = (tenant) => ({ 'x-scope-orgid': tenant });
			const acme = await add(weir, traceId, { body: 'of acme', id: 'same' }, as('acme'));
			const zeta = await add(weir, traceId, { body: 'of zeta', id: 'same' }, as('zeta'));
			for (const [tenant, mine] of [['acme', [acme]], ['zeta', [zeta]], ['other', []], ['default', []]]) {
				assert.deepEqual(await list(weir, traceId, '', as(tenant)), mine);
				assert.deepEqual((await weir.get('/api/v1/comments?text=of', { headers: as(tenant) })).body.comments, mine);
			}
		} finally {
			await weir.stop();
		}
	});

	it('need the right to ingest to be added and the right to read to be seen; the author is the key', async () => {
		const dataDir = newDataDir();
		const make = async (...args) => JSON.parse((await run(['keys', 'create', '--data-dir', dataDir, '-o', 'json', ...args])).stdout).key;
		const keys = { read: await make('--tenant', 'acme', '--right', 'read'), ingest: await make('--tenant', 'acme', '--right', 'ingest', '--name', 'night-watch'),
			both: await make('--tenant', 'acme', '--right', 'ingest', '--right', 'read'), zeta: await make('--tenant', 'zeta', '--right', 'read', '--right', 'ingest') };
		const weir = await Weir.start({ dataDir });
		try {
			const by = (key) => ({ authorization: `Bearer ${keys[key]}` });
			assert.equal((await post(weir, traceId, { body: 'x' })).status, 401);
			assert.equal((await post(weir, traceId, { body: 'x' }, by('read'))).status, 403);
			const one = await add(weir, traceId, { body: 'seen at night' }, by('ingest'));
			assert.equal(one.author, 'night-watch');
			assert.equal((await weir.get('/api/v1/comments', { headers: by('ingest') })).status, 403);
			assert.equal((await weir.get(`/api/v1/traces/${traceId}/comments`, { headers: by('ingest') })).status, 403);
			for (const key of ['read', 'both']) assert.deepEqual(await list(weir, traceId, '', by(key)), [one]);
			assert.deepEqual(await list(weir, traceId, '', by('zeta')), []);
			assert.equal((await post(weir, traceId, { body: 'x' }, { ...by('both'), 'x-scope-orgid': 'zeta' })).status, 403);
			assert.equal((await add(weir, traceId, { body: 'other', id: one.id }, by('zeta'))).body, 'other');
			assert.deepEqual(await list(weir, traceId, '', by('read')), [one]);
		} finally {
			await weir.stop();
			removeDataDir(dataDir);
		}
	});
});

describe('comments are kept', () => {
	const dataDir = newDataDir();
	const args = ['--seal-rows', '64', '--hot-log-bytes', '1m', '--segment-bytes', '65536'];
	const acked = new Map(); // id -> the comment that was answered
	let weir, next = 0;
	after(async () => {
		await weir?.kill();
		removeDataDir(dataDir);
	});

	// Until it is gone; a request that failed is sent again later, as a client would.
	async function send(until, unsure) {
		while (!until.stop) {
			const n = next++;
			const comment = { id: `k${n}`, body: `comment ${n} ${'x'.repeat(n % 300)}`, author: `a${n % 7}`, ...(n % 4 ? { span_id: hex(n + 1, 16) } : {}) };
			const trace = hex(n % 11 + 1, 32);
			try {
				acked.set(comment.id, await add(weir, trace, comment));
			} catch (e) {
				if (e instanceof assert.AssertionError) throw e;
				unsure.push([trace, comment]);
				return;
			}
		}
	}

	async function all() {
		const found = await weir.all('/api/v1/comments?limit=1000', 'comments');
		const ids = new Map(found.map((c) => [c.id, c]));
		assert.equal(ids.size, found.length, 'one is there twice');
		for (const [id, comment] of acked) assert.deepEqual(ids.get(id), comment, `${id} was acknowledged`);
		return ids;
	}

	for (let round = 1; round <= 4; round++)
		it(`over kill -9 at any moment, round ${round}`, async () => {
			weir = await Weir.start({ dataDir, args });
			const until = { stop: false }, unsure = [];
			const senders = Array.from({ length: 8 }, () => send(until, unsure));
			for (const more = acked.size + 100 + round * 37; acked.size < more;) await sleep(5);
			await weir.kill();
			until.stop = true;
			await Promise.all(senders);
			weir = await Weir.start({ dataDir, args });
			await loaded(weir);
			const there = await all();
			assert.ok(there.size - acked.size <= unsure.length);
			// Whoever did not hear tries again: with the same id it is there once.
			for (const [trace, comment] of unsure) acked.set(comment.id, await add(weir, trace, comment));
			// So does who did hear, and nothing changes.
			for (const c of [...acked.values()].slice(-20)) assert.deepEqual(await add(weir, c.trace_id, { id: c.id, body: c.body, author: c.author, ...(c.span_id ? { span_id: c.span_id } : {}) }), c);
			assert.equal((await all()).size, acked.size);
			await weir.kill();
		});

	it('in seals, where an id of long ago is known too', async () => {
		weir = await Weir.start({ dataDir, args });
		await loaded(weir);
		const until = { stop: false };
		const senders = Array.from({ length: 4 }, () => send(until, []));
		for (const deadline = Date.now() + patience; (await weir.metric('weir_hot_rows{signal="comments"}')) + 64 > acked.size; await sleep(50)) assert.ok(Date.now() < deadline, 'nothing is sealed');
		until.stop = true;
		await Promise.all(senders);
		const old = await add(weir, traceId, { id: 'old', body: 'of long ago', created: '2020-02-29' });
		acked.set('old', old);
		assert.equal((await all()).size, acked.size);
		await weir.stop();
		weir = await Weir.start({ dataDir, args });
		await loaded(weir);
		assert.deepEqual(await add(weir, traceId, { id: 'old', body: 'of long ago' }), old);
		const first = acked.get('k0');
		assert.equal((await post(weir, first.trace_id, { id: 'k0', body: 'another' })).status, 409);
		assert.equal((await all()).size, acked.size);
		for (const trace of [1, 5]) assert.deepEqual((await list(weir, hex(trace, 32))).map((c) => c.id).sort(), [...acked.values()].filter((c) => c.trace_id === hex(trace, 32)).map((c) => c.id).sort());
		await weir.stop();
	});

	it('in a folder that a check finds whole, in a backup, and in what is restored from it', async () => {
		const check = await run(['check', '--data-dir', dataDir, '-o', 'json']);
		assert.equal(check.code, 0, check.stdout + check.stderr);
		const sealed = JSON.parse(check.stdout).store.comments; // the rest is in the log
		assert.ok(sealed >= 64 && sealed <= acked.size && sealed % 64 === 0, check.stdout);
		weir = await Weir.start({ dataDir, args });
		const late = await add(weir, traceId, { id: 'late', body: 'just before' });
		acked.set('late', late);
		const made = await run(['backup', 'create', 'b1'], { env: { WEIR_URL: `http://${weir.api}` } });
		assert.equal(made.code, 0, made.stderr);
		await weir.stop();
		const folder = newDataDir();
		const to = join(folder, 'data');
		const restored = await run(['restore', join(dataDir, 'backups/b1'), '--data-dir', to]);
		assert.equal(restored.code, 0, restored.stderr);
		weir = await Weir.start({ dataDir: to, args });
		await loaded(weir);
		assert.equal((await all()).size, acked.size);
		await weir.stop();
		removeDataDir(folder);
	});

	it('for as long as --retain says, whatever it says of traces', async () => {
		const dir = newDataDir();
		const day = (n) => new Date(Date.now() - n * 86400000).toISOString();
		weir = await Weir.start({ dataDir: dir });
		const made = [];
		for (const tenant of ['acme', 'zeta'])
			for (const n of [0, 1, 20, 40, 300]) made.push([tenant, n, await add(weir, traceId, { id: `d${n}`, body: `${n}`, created: day(n) }, { 'x-scope-orgid': tenant })]);
		await weir.stop();
		weir = await Weir.start({ dataDir: dir, args: ['--retain', 'traces=1d, comments=30d', '--tenant-retain', 'zeta: comments=0'] });
		const want = (tenant) => made.filter(([t, n]) => t === tenant && (t === 'zeta' || n < 30)).map(([, , c]) => c).reverse();
		for (const deadline = Date.now() + patience; (await weir.metric('weir_removed_rows_total{signal="comments"}')) < 2; await sleep(50)) assert.ok(Date.now() < deadline, weir.log);
		for (const tenant of ['acme', 'zeta']) assert.deepEqual((await list(weir, traceId, '', { 'x-scope-orgid': tenant })), want(tenant));
		await weir.stop();
		removeDataDir(dir);
	});
});
