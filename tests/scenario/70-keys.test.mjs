// SPDX-License-Identifier: Apache-2.0
//
// Who may what: every listener and path of a real weir against every kind of key. What is refused tells nothing: no
// row, no name, no count. Keys come from the command line, over REST, and from the SDK's header option.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Weir, newDataDir, patience, removeDataDir, run, sdk, sleep } from './lib/weir.mjs';

const grpc = sdk('@grpc/grpc-js');

let dataDir;
let weir;
const keys = {};
const secret = 'not-for-others'; // a service, an attribute and a body of tenant acme

const payload = (name) => ({
	traces: { resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
		scopeSpans: [{ spans: [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', name,
			startTimeUnixNano: '1795187531000000042', endTimeUnixNano: '1795187531000000043' }] }] }] },
	logs: { resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
		scopeLogs: [{ logRecords: [{ timeUnixNano: '1795187531000000042', body: { stringValue: name } }] }] }] },
	metrics: { resourceMetrics: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
		scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints: [{ timeUnixNano: '1795187531000000042', asInt: '1' }] } }] }] }] },
});

async function cli(...args) {
	const { code, stdout, stderr } = await run(['keys', ...args]);
	assert.equal(code, 0, stderr);
	return JSON.parse(stdout);
}
const make = (tenant, ...rights) => cli('create', '--data-dir', dataDir, '--tenant', tenant, '--name', `${tenant} ${rights}`,
	...rights.flatMap((r) => ['--right', r]));

const bearer = (key) => ({ authorization: `Bearer ${key}` });

async function post(signal, headers, body = payload('other')[signal]) {
	const res = await fetch(`http://${weir.http}/v1/${signal}`, {
		method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
	return { status: res.status, headers: res.headers, text: await res.text() };
}

// An empty ExportTraceServiceRequest: the status of the call.
function call(headers, path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export') {
	const client = new grpc.Client(weir.grpc, grpc.credentials.createInsecure());
	const metadata = new grpc.Metadata();
	for (const [k, v] of Object.entries(headers)) metadata.set(k, v);
	return new Promise((done) => client.makeUnaryRequest(path, (b) => b, (b) => b, Buffer.alloc(0), metadata,
		{ deadline: Date.now() + patience }, (error) => {
			client.close();
			done({ code: error?.code ?? 0, text: error?.details ?? '' });
		}));
}

before(async () => {
	dataDir = newDataDir();
	weir = await Weir.start({ dataDir });
	// While there are none, nobody needs one.
	for (const [signal, body] of Object.entries(payload(secret)))
		assert.equal((await post(signal, { 'x-scope-orgid': 'acme' }, body)).status, 200);
	await weir.until('/api/v1/services', (b) => b.count === 1, { headers: { 'x-scope-orgid': 'acme' } });
	Object.assign(keys, {
		ingest: (await make('acme', 'ingest')).key, read: (await make('acme', 'read')).key, admin: (await make('acme', 'admin')).key,
		other: (await make('zeta', 'ingest', 'read', 'admin')).key, root: (await make('*', 'ingest', 'read', 'admin')).key,
		wrong: `weir_${'A'.repeat(43)}`,
	});
	const revoked = await make('acme', 'ingest', 'read', 'admin');
	await cli('revoke', '--data-dir', dataDir, revoked.id);
	keys.revoked = revoked.key;
	const old = await make('acme', 'ingest', 'read', 'admin');
	await cli('rotate', '--data-dir', dataDir, old.id);
	keys.rotated = old.key;
	const short = await cli('create', '--data-dir', dataDir, '--tenant', 'acme', '--right', 'read', '--right', 'ingest', '--right', 'admin', '--expires', '1ms');
	keys.expired = short.key;
	// In force without a restart.
	const deadline = Date.now() + patience;
	while ((await weir.get('/api/v1/keys', { headers: bearer(keys.root) })).body?.count !== 8) {
		assert.ok(Date.now() < deadline, 'the keys are not noticed');
		await sleep(20);
	}
});
after(async () => {
	await weir.stop();
	removeDataDir(dataDir);
});

const harmless = (text) => {
	for (const word of [secret, 'acme', 'zeta', keys.read]) assert.ok(!text.includes(word), `${word} in ${text}`);
};

// Which right a path needs; tenantless: a key for all tenants.
const api = [
	['GET', '/api/v1/traces', 'read'], ['GET', '/api/v1/traces/0af7651916cd43dd8448eb211c80319c', 'read'],
	['GET', '/api/v1/logs', 'read'], ['GET', '/api/v1/metrics', 'read'], ['GET', '/api/v1/services', 'read'],
	['GET', '/api/v1/live/spans?nonsense=1', 'read'], ['GET', '/api/v1/live/logs?nonsense=1', 'read'],
	['GET', '/api/v1/dlq', 'admin'], ['GET', '/api/v1/dlq/0000000000000001-00000000', 'admin'], ['POST', '/api/v1/dlq/retry?state=quarantined', 'admin'],
	['DELETE', '/api/v1/dlq?state=quarantined', 'admin'],
	['GET', '/api/v1/keys', 'admin'], ['POST', '/api/v1/keys?right=nothing', 'admin'], ['POST', '/api/v1/keys/nobody/rotate', 'admin'], ['DELETE', '/api/v1/keys/nobody', 'admin'],
	['DELETE', '/api/v1/keys/nobody/record', 'admin'],
	['POST', '/api/v1/check?quick=true', 'admin', 'tenantless'],
	['GET', '/api/v1/backups', 'admin', 'tenantless'], ['POST', '/api/v1/backups?name=..', 'admin', 'tenantless'], ['DELETE', '/api/v1/backups/nothing', 'admin', 'tenantless'],
	['GET', '/metrics', 'read', 'tenantless'], ['GET', '/nothing', 'read'], ['GET', '/api/v1/nothing', 'read'], ['POST', '/api/v1/traces', 'read'],
];
const bad = ['none', 'wrong', 'revoked', 'rotated', 'expired'];
const rights = { ingest: ['ingest'], read: ['read'], admin: ['admin'], other: ['ingest', 'read', 'admin'], root: ['ingest', 'read', 'admin'] };

test('every path of the API against every key', async () => {
	for (const [method, path, right, tenantless] of api) {
		for (const name of bad) {
			const { status, headers, text } = await weir.get(path, { method, headers: name === 'none' ? {} : bearer(keys[name]) });
			assert.equal(status, 401, `${method} ${path} with ${name}: ${text}`);
			assert.match(headers.get('www-authenticate'), /^Bearer realm="weir"$/);
			assert.equal(JSON.parse(text).error.code, 'unauthenticated');
			harmless(text);
		}
		for (const [name, has] of Object.entries(rights)) {
			const { status, text } = await weir.get(path, { method, headers: bearer(keys[name]) });
			const allowed = has.includes(right) && (!tenantless || name === 'root');
			assert.equal(status === 401 || status === 403, !allowed, `${method} ${path} with ${name}: ${status} ${text}`);
			if (!allowed) harmless(text);
			if (name === 'other' && path !== '/api/v1/keys') harmless(text);
		}
	}
});

test('what is everybody\'s tells nobody anything', async () => {
	for (const path of ['/', '/healthz', '/readyz', '/readyz?format=text']) {
		for (const name of ['none', 'wrong', 'read', 'root']) {
			const { status, text } = await weir.get(path, { headers: name === 'none' ? {} : bearer(keys[name]) });
			assert.equal(status, 200);
			harmless(text);
			if (path.startsWith('/readyz')) assert.equal(/record \d/.test(text), name === 'root', text);
		}
	}
});

test('OTLP/HTTP against every key', async () => {
	for (const signal of ['traces', 'logs', 'metrics']) {
		for (const name of bad) {
			const { status, headers, text } = await post(signal, name === 'none' ? {} : bearer(keys[name]));
			assert.equal(status, 401, `${signal} with ${name}`);
			assert.match(headers.get('www-authenticate'), /Bearer/);
			assert.equal(JSON.parse(text).code, 16);
			harmless(text);
		}
		for (const [name, has] of Object.entries(rights)) {
			const { status, text } = await post(signal, { 'x-api-key': keys[name] }, {});
			assert.equal(status, has.includes('ingest') ? 200 : 403, `${signal} with ${name}: ${text}`);
		}
	}
	assert.equal((await fetch(`http://${weir.http}/v1/nothing`)).status, 401);
	assert.equal((await fetch(`http://${weir.http}/v1/nothing`, { headers: bearer(keys.ingest) })).status, 404);
});

test('OTLP/gRPC against every key', async () => {
	for (const name of bad) {
		const { code, text } = await call(name === 'none' ? {} : bearer(keys[name]));
		assert.equal(code, grpc.status.UNAUTHENTICATED, `with ${name}: ${text}`);
		harmless(text);
	}
	for (const [name, has] of Object.entries(rights))
		for (const header of ['x-api-key', 'x-junjo-api-key'])
			assert.equal((await call({ [header]: keys[name] })).code, has.includes('ingest') ? grpc.status.OK : grpc.status.PERMISSION_DENIED, name);
	assert.equal((await call({ 'x-api-key': keys.ingest }, '/a.B/C')).code, grpc.status.UNIMPLEMENTED);
});

test('a body that nobody wants is not received', async () => {
	// 401 while most of the body has not been sent; 400 where nothing is to be sent at all.
	for (const [method, url, wanted] of [['POST', `http://${weir.http}/v1/traces`, 401], ['GET', `http://${weir.api}/api/v1/traces`, 401],
		['POST', `http://${weir.api}/api/v1/keys?right=read`, 401], ['POST', `http://${weir.api}/healthz`, 400]])
		assert.equal(await announced(method, url), wanted, `${method} ${url}`);
});

function announced(method, url) {
	return new Promise((done, failed) => {
		const req = http.request(url, { method,
			headers: { 'content-type': 'application/json', 'content-length': 8 << 20, expect: '100-continue' } },
		(res) => { done(res.statusCode); req.destroy(); });
		req.on('continue', () => failed(new Error('it was asked to go on')));
		req.on('error', failed);
		req.setTimeout(patience);
		req.flushHeaders();
	});
}

test('a tenant sees its own and nothing else', async () => {
	const own = await weir.get('/api/v1/traces', { headers: bearer(keys.read) });
	assert.equal(own.body.count, 1);
	assert.equal(own.body.spans[0].service, secret);
	for (const named of ['zeta', 'default', '*', 'a b', 'ACME']) {
		const { status, text } = await weir.get('/api/v1/traces', { headers: { ...bearer(keys.read), 'x-scope-orgid': named } });
		assert.ok(status === 403 || status === 400, `${named}: ${status}`);
		harmless(text);
	}
	assert.equal((await weir.get('/api/v1/traces', { headers: { ...bearer(keys.read), 'x-tenant-id': 'acme' } })).body.count, 1);
	assert.equal((await weir.get('/api/v1/traces', { headers: bearer(keys.other) })).body.count, 0);
	assert.equal((await weir.get('/api/v1/traces/0af7651916cd43dd8448eb211c80319c', { headers: bearer(keys.other) })).status, 404);
	// A key for all: the header chooses.
	assert.equal((await weir.get('/api/v1/traces', { headers: { ...bearer(keys.root), 'x-scope-orgid': 'acme' } })).body.count, 1);
	assert.equal((await weir.get('/api/v1/traces', { headers: bearer(keys.root) })).body.count, 0);
	// And the same ids can be written under another tenant, and stay apart.
	assert.equal((await post('traces', bearer(keys.other), payload('zetas own').traces)).status, 200);
	const zeta = await weir.until('/api/v1/traces', (b) => b.count === 1, { headers: bearer(keys.other) });
	assert.equal(zeta.spans[0].service, 'zetas own');
	assert.equal((await weir.get('/api/v1/traces', { headers: bearer(keys.read) })).body.spans[0].service, secret);
	assert.equal((await post('traces', { ...bearer(keys.ingest), 'x-scope-orgid': 'zeta' })).status, 403);
});

test('an administrator of one tenant stays there', async () => {
	const mine = await weir.get('/api/v1/keys', { headers: bearer(keys.admin) });
	assert.ok(mine.body.count >= 5 && mine.body.keys.every((k) => k.tenant === 'acme'));
	for (const { key, sha256 } of mine.body.keys) assert.deepEqual([key, sha256], [undefined, undefined]);
	const all = (await weir.get('/api/v1/keys', { headers: bearer(keys.root) })).body.keys;
	const theirs = all.find((k) => k.tenant === 'zeta');
	for (const [method, path, status] of [
		['DELETE', `/api/v1/keys/${theirs.id}`, 404], ['DELETE', `/api/v1/keys/${theirs.id}/record`, 404], ['POST', `/api/v1/keys/${theirs.id}/rotate`, 404],
		['POST', '/api/v1/keys?right=read&tenant=zeta', 403], ['POST', '/api/v1/keys?right=read&tenant=*', 403],
		['GET', '/api/v1/keys?tenant=zeta', 403], ['GET', '/api/v1/keys?tenant=*', 403], ['GET', '/api/v1/dlq?tenant=*', 403], ['GET', '/api/v1/dlq?tenant=zeta', 403],
	]) {
		const { status: got, text } = await weir.get(path, { method, headers: bearer(keys.admin) });
		assert.equal(got, status, `${method} ${path}: ${text}`);
	}
	const made = await weir.get('/api/v1/keys?right=read&name=by%20rest', { method: 'POST', headers: bearer(keys.admin) });
	assert.equal(made.body.tenant, 'acme');
	assert.equal((await weir.get('/api/v1/traces', { headers: bearer(made.body.key) })).body.count, 1);
	// In force at once.
	const renewed = await weir.get(`/api/v1/keys/${made.body.id}/rotate?grace=1h`, { method: 'POST', headers: bearer(keys.admin) });
	assert.equal((await weir.get('/api/v1/traces', { headers: bearer(made.body.key) })).status, 200);
	assert.equal((await weir.get('/api/v1/traces', { headers: bearer(renewed.body.key) })).status, 200);
	assert.equal((await weir.get(`/api/v1/keys/${made.body.id}`, { method: 'DELETE', headers: bearer(keys.admin) })).body.state, 'revoked');
	for (const k of [made.body.key, renewed.body.key])
		assert.equal((await weir.get('/api/v1/traces', { headers: bearer(k) })).status, 401);
	// What is not in force may be forgotten, and nothing else.
	const record = (k, admin = keys.admin) => weir.get(`/api/v1/keys/${k.id}/record`, { method: 'DELETE', headers: bearer(admin) });
	const own = mine.body.keys.find((k) => k.name === 'acme admin');
	const inForce = await record(own);
	assert.deepEqual([inForce.status, inForce.body.error.code], [409, 'conflict']);
	assert.match(inForce.body.error.message, /is in force: revoke it first/);
	const gone = await record(made.body);
	assert.deepEqual([gone.status, gone.body.id, gone.body.state, gone.body.deleted], [200, made.body.id, 'revoked', true]);
	assert.equal((await record(made.body)).status, 404);
	const left = (await weir.get('/api/v1/keys', { headers: bearer(keys.admin) })).body.keys;
	assert.ok(!left.some((k) => k.id === made.body.id) && left.some((k) => k.id === own.id));
	const foreign = await weir.get('/api/v1/keys?right=read&tenant=zeta', { method: 'POST', headers: bearer(keys.root) });
	await weir.get(`/api/v1/keys/${foreign.body.id}`, { method: 'DELETE', headers: bearer(keys.root) });
	assert.equal((await record(foreign.body)).status, 404);
	assert.equal((await record(foreign.body, keys.root)).status, 200);
	// Not for a page of another site.
	assert.equal((await weir.get('/api/v1/keys?right=read', { method: 'POST', headers: { ...bearer(keys.admin), origin: 'http://evil.example' } })).status, 403);
});

test('the command line uses $WEIR_TOKEN, and says what is wrong', async () => {
	const env = { WEIR_URL: `http://${weir.api}` };
	const none = await run(['services'], { env });
	assert.equal(none.code, 1);
	assert.match(none.stderr, /a key is needed/);
	const ok = await run(['services'], { env: { ...env, WEIR_TOKEN: keys.read } });
	assert.equal(JSON.parse(ok.stdout).services[0].name, secret);
	const list = await run(['keys', 'list', '-o', 'table'], { env: { ...env, WEIR_TOKEN: keys.root } });
	assert.match(list.stdout, /revoked/);
	const no = await run(['keys', 'list'], { env: { ...env, WEIR_TOKEN: keys.read } });
	assert.match(no.stderr, /has not the right/);
	// A revocation by another process, while this one runs.
	const made = await make('acme', 'read');
	const early = await run(['keys', 'delete', '--data-dir', dataDir, made.id]);
	assert.equal(early.code, 1);
	assert.match(early.stderr, /is in force: revoke it first/);
	await cli('revoke', '--data-dir', dataDir, made.id);
	await weir.until('/api/v1/keys', (b) => b.keys.some((k) => k.id === made.id), { headers: bearer(keys.root) });
	const deleted = await run(['keys', 'delete', '-o', 'table', made.id], { env: { ...env, WEIR_TOKEN: keys.root } });
	assert.equal(deleted.code, 0, deleted.stderr);
	assert.match(deleted.stdout, /of tenant acme: read; revoked, and deleted/);
	assert.match((await run(['keys', 'delete', '--data-dir', dataDir, made.id])).stderr, /there is no key with the id/);
	assert.ok(!(await cli('list', '--data-dir', dataDir)).keys.some((k) => k.id === made.id));
	assert.match((await run(['keys', 'list', '--data-dir', `${dataDir}/nowhere`])).stderr, /there is no data folder/);
	assert.match((await run(['keys', 'list', '--data-dir', '/etc/passwd'])).stderr, /is a file, not a folder/);
});

test('the demo plays with a key, as the tenant of it', async () => {
	const args = ['demo', '--grpc', weir.grpc, '--history', '30s', '--duration', '1s', '--quiet'];
	const none = await run(args);
	assert.equal(none.code, 1);
	assert.match(none.stderr, /a key is needed/);
	assert.equal((await run(args, { env: { WEIR_TOKEN: keys.other } })).code, 0);
	await weir.until('/api/v1/services', (b) => b.services.some((s) => s.name === 'checkout'), { headers: bearer(keys.other) });
	assert.ok(!(await weir.get('/api/v1/services', { headers: bearer(keys.read) })).text.includes('checkout'));
});

test('a weir that others can reach wants keys', async () => {
	const empty = newDataDir();
	const refused = await run(['serve', '--data-dir', empty, '--grpc', '127.0.0.1:0', '--http', '0.0.0.0:0', '--api', '127.0.0.1:0']);
	assert.equal(refused.code, 2);
	assert.match(refused.stderr, /--http can be reached by other machines, and there are no keys/);
	const made = await run(['keys', 'create', '--data-dir', empty, '--right', 'read']);
	assert.equal(made.code, 0);
	// Nor does the last one go, which would let everybody in.
	const only = JSON.parse(made.stdout).id;
	await cli('revoke', '--data-dir', empty, only);
	assert.match((await run(['keys', 'delete', '--data-dir', empty, only])).stderr, /is the only one/);
	const other = await Weir.start({ dataDir: empty, http: '0.0.0.0:0' });
	assert.equal((await other.get('/api/v1/services')).status, 401);
	await other.stop();
	removeDataDir(empty);
});
