// SPDX-License-Identifier: Apache-2.0
//
// TLS and mutual TLS at every listener, with clients that are not weir's: Node's https and tls, grpc-js, OpenTelemetry's
// exporters; and with weir's own, the command line, demo and bench. The certificates are those of tests/golden/tls.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Weir, ask, newDataDir, patience, removeDataDir, run, sdk, sleep, weirBin } from './lib/weir.mjs';

const grpc = sdk('@grpc/grpc-js');
const file = (name) => fileURLToPath(new URL(`../golden/tls/${name}`, import.meta.url));
const pem = (name) => readFileSync(file(name));
const ca = pem('ca.pem');
const as = (name) => ({ ca, cert: pem(`${name}.pem`), key: pem(`${name}.key`) });
const serverArgs = (name = 'server') => ['--tls-cert', file(`${name}.pem`), '--tls-key', file(`${name}.key`)];

let weir; // TLS
let mutual; // a client certificate too
before(async () => {
	weir = await Weir.start({ args: serverArgs(), tls: { ca } });
	mutual = await Weir.start({ args: [...serverArgs(), '--tls-client-ca', file('ca.pem')], tls: as('client') });
});
after(async () => {
	await weir?.stop();
	await mutual?.stop();
});

const log = (service, body, nano = '1795187531000000042') => ({ resourceLogs: [{
	resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
	scopeLogs: [{ logRecords: [{ timeUnixNano: nano, body: { stringValue: body } }] }] }] });

const post = (w, body, options = {}) => ask(`https://${w.http}/v1/logs`, { method: 'POST', body: JSON.stringify(body),
	...w.tls, ...options, headers: { 'content-type': 'application/json', ...options.headers } });

// An empty ExportTraceServiceRequest: the status of the call.
const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
function client(address, { ca: roots, key, cert } = {}) {
	return new grpc.Client(address, roots ? grpc.credentials.createSsl(roots, key ?? null, cert ?? null) : grpc.credentials.createInsecure());
}
function call(c, headers = {}, ms = patience) {
	return new Promise((done) => {
		const metadata = new grpc.Metadata();
		for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
		c.makeUnaryRequest(path, (b) => b, (b) => b, Buffer.alloc(0), metadata, { deadline: Date.now() + ms },
			(error) => done({ code: error?.code ?? 0, text: error?.details ?? '' }));
	});
}
async function callOnce(address, credentials, headers) {
	const c = client(address, credentials);
	const answer = await call(c, headers, 3000);
	c.close();
	return answer;
}

// The certificate's CN that a new connection is shown; or an error.
function shown(address, options = {}) {
	const [host, port] = address.split(':');
	return new Promise((done) => {
		const socket = tls.connect({ host, port, ca, ...options });
		let name;
		socket.on('secureConnect', () => {
			name = { cn: socket.getPeerCertificate().subject.CN, version: socket.getProtocol(), alpn: socket.alpnProtocol };
			// Of TLS 1.3 a client hears that it was refused when it reads.
			setTimeout(() => socket.end(), 200);
		});
		let error;
		socket.on('error', (e) => (error = e));
		socket.on('close', () => done(error ? { error } : name));
		socket.resume();
	});
}

// What a listener says to bytes in clear text.
function plainly(address, text) {
	const [host, port] = address.split(':');
	return new Promise((done) => {
		const socket = net.connect({ host, port }, () => socket.write(text));
		const parts = [];
		socket.on('data', (part) => parts.push(part));
		socket.on('error', () => {});
		socket.on('close', () => done(Buffer.concat(parts).toString('latin1')));
	});
}

test('every listener speaks TLS to real clients, and says so in its log', async () => {
	for (const what of ['OTLP/gRPC', 'OTLP/HTTP', 'the API'])
		assert.match(weir.log, new RegExp(`listening for ${what} on 127\\.0\\.0\\.1:\\d+ \\(TLS\\)`));
	assert.match(weir.log, /certificate loaded: subject CN=weir test server, issuer CN=weir test ca, not after 2099-01-01/);
	assert.equal((await post(weir, log('one', 'over TLS'))).status, 200);
	assert.equal((await callOnce(weir.grpc, { ca })).code, 0);
	await weir.until('/api/v1/logs?service=one', (b) => b.logs[0]?.body === 'over TLS');
	for (const [listener, alpn] of [['grpc', 'h2'], ['http', 'http/1.1'], ['api', 'http/1.1']]) {
		assert.deepEqual(await shown(weir[listener], { ALPNProtocols: [alpn] }), { cn: 'weir test server', version: 'TLSv1.3', alpn });
		assert.equal((await shown(weir[listener], { maxVersion: 'TLSv1.2' })).version, 'TLSv1.2');
		assert.match((await shown(weir[listener], { ALPNProtocols: ['other'] })).error.message, /no application protocol/);
	}
});

test('TLS 1.1 is refused, and a client that does not know the CA refuses weir; both are counted', async () => {
	for (const listener of ['grpc', 'http', 'api']) {
		const old = await shown(weir[listener], { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
		assert.match(old.error.message, /protocol version/);
		const other = await shown(weir[listener], { ca: pem('other-ca.pem') });
		assert.match(other.error.code, /UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE/);
		const failures = (reason) => weir.metric(`weir_tls_handshake_failures_total{listener="${listener}",reason="${reason}"}`);
		assert.ok(await failures('protocol') >= 1, listener);
		assert.ok(await failures('server_certificate') + await failures('unfinished') >= 1, listener);
	}
	assert.equal(await weir.metric('weir_tls_certificate_not_after_seconds'), Date.UTC(2099, 0, 1) / 1000);
});

test('who speaks clear text to a TLS port is told so', async () => {
	for (const listener of ['http', 'api', 'grpc']) {
		const said = await plainly(weir[listener], 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n');
		assert.match(said, /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\nthis port speaks TLS \(https\)\n$/);
	}
	assert.equal((await fetch(`http://${weir.api}/healthz`)).status, 400);
	assert.match(await plainly(weir.grpc, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /this port speaks TLS \(https\)$/);
	assert.notEqual((await callOnce(weir.grpc)).code, 0);
	assert.equal(await plainly(weir.api, '\x16\x03\x01\x00\x05hello').then((s) => s.includes('HTTP')), false);
	assert.ok(await weir.metric('weir_tls_handshake_failures_total{listener="api",reason="not_tls"}') >= 2);
});

test('mutual TLS: at every listener only clients with a certificate of the CA get through', async () => {
	for (const [who, credentials] of [['nobody', { ca }], ['a stranger', as('stranger')], ['somebody expired', as('expired')],
		['a server', as('server')]]) {
		for (const [listener, url] of [['http', '/v1/logs'], ['api', '/healthz']])
			await assert.rejects(ask(`https://${mutual[listener]}${url}`, credentials), `${who} at ${listener}`);
		const { code } = await callOnce(mutual.grpc, credentials);
		assert.notEqual(code, 0, `${who} at grpc`);
	}
	assert.equal((await post(mutual, log('mutual', 'known'))).status, 200);
	assert.equal((await callOnce(mutual.grpc, as('client'))).code, 0);
	await mutual.until('/api/v1/logs?service=mutual', (b) => b.count === 1);
	for (const listener of ['grpc', 'http', 'api'])
		assert.ok(await mutual.metric(`weir_tls_handshake_failures_total{listener="${listener}",reason="client_certificate"}`) >= 3, listener);
	assert.match(mutual.log, /a TLS handshake failed: the client has shown no certificate/);
});

test('the exporters of OpenTelemetry send over TLS', async () => {
	const { NodeTracerProvider, SimpleSpanProcessor } = sdk('@opentelemetry/sdk-trace-node');
	const { resourceFromAttributes } = sdk('@opentelemetry/resources');
	const known = as('client');
	const exporters = {
		proto: (w) => new (sdk('@opentelemetry/exporter-trace-otlp-proto').OTLPTraceExporter)({
			url: `https://${w.http}/v1/traces`, httpAgentOptions: known }),
		json: (w) => new (sdk('@opentelemetry/exporter-trace-otlp-http').OTLPTraceExporter)({
			url: `https://${w.http}/v1/traces`, httpAgentOptions: known }),
		grpc: (w) => new (sdk('@opentelemetry/exporter-trace-otlp-grpc').OTLPTraceExporter)({
			url: `https://${w.grpc}`, credentials: grpc.credentials.createSsl(ca, known.key, known.cert) }),
	};
	for (const w of [weir, mutual])
		for (const [name, make] of Object.entries(exporters)) {
			const provider = new NodeTracerProvider({ resource: resourceFromAttributes({ 'service.name': `sdk-${name}` }),
				spanProcessors: [new SimpleSpanProcessor(make(w))] });
			provider.getTracer('t').startSpan('over TLS').end();
			await provider.forceFlush();
			await provider.shutdown();
			await w.until(`/api/v1/traces?service=sdk-${name}`, (b) => b.count === 1);
		}
});

test('10 MB go in, and 10 MB come out', async () => {
	const big = { resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'big' } }] }, scopeLogs: [{
		logRecords: Array.from({ length: 20 }, (_, i) => ({ timeUnixNano: String(1795187531000000000n + BigInt(i)),
			body: { stringValue: String.fromCharCode(97 + i).repeat(512 * 1024) } })) }] }] };
	assert.equal((await post(weir, big)).status, 200);
	const { logs } = await weir.until('/api/v1/logs?service=big&limit=100', (b) => b.count === 20);
	assert.deepEqual(logs.map((l) => `${l.body[0]}${l.body.length}`).sort(),
		big.resourceLogs[0].scopeLogs[0].logRecords.map((l) => `${l.body.stringValue[0]}${512 * 1024}`));
	// And several at once, on connections that are kept.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 4 });
	const lengths = await Promise.all(Array.from({ length: 8 }, async () =>
		(await ask(`https://${weir.api}/api/v1/logs?service=big&limit=100`, { ca, agent })).text.length));
	assert.equal(new Set(lengths).size, 1);
	assert.ok(lengths[0] > 10 << 20);
	agent.destroy();
});

test('keys decide under TLS as they do without', async () => {
	const dataDir = newDataDir();
	const make = async (tenant, ...rights) => JSON.parse((await run(['keys', 'create', '--data-dir', dataDir, '--tenant', tenant,
		...rights.flatMap((r) => ['--right', r])])).stdout).key;
	const acme = await make('acme', 'ingest', 'read');
	const zeta = await make('zeta', 'ingest', 'read');
	const w = await Weir.start({ dataDir, args: serverArgs(), tls: { ca } });
	const bearer = (key) => ({ headers: { authorization: `Bearer ${key}` } });
	assert.equal((await post(w, log('a', 'x'))).status, 401);
	assert.equal((await callOnce(w.grpc, { ca })).code, grpc.status.UNAUTHENTICATED);
	assert.equal((await w.get('/api/v1/logs')).status, 401);
	assert.equal((await post(w, log('acmes', 'x'), bearer(acme))).status, 200);
	assert.equal((await callOnce(w.grpc, { ca }, { 'x-api-key': zeta })).code, 0);
	await w.until('/api/v1/logs', (b) => b.count === 1, bearer(acme));
	assert.equal((await w.get('/api/v1/logs', bearer(zeta))).body.count, 0);
	const env = { WEIR_URL: `https://${w.api}`, WEIR_CA: file('ca.pem') };
	assert.equal(JSON.parse((await run(['logs'], { env: { ...env, WEIR_TOKEN: acme } })).stdout).count, 1);
	assert.equal(JSON.parse((await run(['logs'], { env: { ...env, WEIR_TOKEN: zeta } })).stdout).count, 0);
	assert.match((await run(['logs'], { env })).stderr, /a key is needed/);
	await w.stop();
	removeDataDir(dataDir);
});

test('the command line over TLS, and its sentences', async () => {
	const url = `https://${weir.api}`;
	const ok = await run(['services', '--url', url, '--ca', file('ca.pem')]);
	assert.equal(ok.code, 0, ok.stderr);
	const sentences = [
		[['--url', url], /the certificate of https:\S+ is of a CA that is not known here: name its file with --ca/, 1],
		[['--url', url, '--ca', file('nowhere.pem')], /the file of CAs \(--ca\) cannot be used/, 1],
		[['--url', url, '--client-cert', file('client.pem')], /--client-cert and --client-key go together/, 2],
		[['--url', `http://${weir.api}`], /400/, 1],
		[['--url', `https://${mutual.api}`, '--ca', file('ca.pem')],
			/wants a client certificate: name one with --client-cert and --client-key/, 1],
		[['--url', `https://${mutual.api}`, '--ca', file('ca.pem'), '--client-cert', file('stranger.pem'), '--client-key', file('stranger.key')],
			/does not take the client certificate/, 1],
		[['--url', `https://${mutual.api}`, '--ca', file('ca.pem'), '--client-cert', file('client.pem'), '--client-key', file('stranger.key')],
			/the client certificate or its key cannot be used/, 1],
	];
	for (const [args, pattern, code] of sentences) {
		const no = await run(['services', ...args]);
		assert.match(no.stderr, pattern, args.join(' '));
		assert.equal(no.code, code, no.stderr);
	}
	const known = await run(['services'], { env: { WEIR_URL: `https://${mutual.api}`, WEIR_CA: file('ca.pem'),
		WEIR_CLIENT_CERT: file('client.pem'), WEIR_CLIENT_KEY: file('client.key') } });
	assert.equal(known.code, 0, known.stderr);
	const wrongHost = await Weir.start({ args: serverArgs('other-host'), tls: { ca, checkServerIdentity: () => undefined } });
	assert.match((await run(['services', '--url', `https://${wrongHost.api}`, '--ca', file('ca.pem')])).stderr, /is not for that host/);
	assert.match((await run(['demo', '--grpc', `https://${wrongHost.grpc}`, '--ca', file('ca.pem')])).stderr, /is not for that host/);
	await wrongHost.stop();
	const clear = await Weir.start();
	assert.match((await run(['services', '--url', `https://${clear.api}`])).stderr, /does not speak TLS, or ended the connection: try http:/);
	await clear.stop();
});

test('demo and bench over TLS and mutual TLS', async () => {
	const files = ['--ca', file('ca.pem'), '--client-cert', file('client.pem'), '--client-key', file('client.key')];
	const demo = await run(['demo', '--grpc', `https://${mutual.grpc}`, '--history', '30s', '--duration', '1s', '--quiet', ...files]);
	assert.equal(demo.code, 0, demo.stderr);
	await mutual.until('/api/v1/services', (b) => b.services.some((s) => s.name === 'checkout'));
	const no = await run(['demo', '--grpc', `https://${mutual.grpc}`, '--history', '0', '--quiet', '--ca', file('ca.pem')]);
	assert.equal(no.code, 1);
	assert.match(no.stderr, /certificate required/);
	const bench = await run(['bench', '--grpc', `https://${mutual.grpc}`, '--api', `https://${mutual.api}`, '--requests', '40',
		'--warm-up', '0', '--settle', '0', '-o', 'json', ...files]);
	assert.equal(bench.code, 0, bench.stderr);
	assert.ok(await mutual.metric('weir_items_acked_total{signal="traces"}') >= 40 * 512);
});

test('SIGHUP: new connections get the new certificate, the others go on; a bad file changes nothing', async () => {
	const dataDir = newDataDir();
	const cert = join(dataDir, 'cert.pem');
	const key = join(dataDir, 'key.pem');
	const put = (name) => {
		copyFileSync(file(`${name}.pem`), cert);
		copyFileSync(file(`${name}.key`), key);
	};
	put('server');
	const w = await Weir.start({ dataDir, args: ['--tls-cert', cert, '--tls-key', key], tls: { ca } });
	const hup = async (pattern) => {
		const from = w.log.length;
		const deadline = Date.now() + patience;
		w.child.kill('SIGHUP');
		while (!pattern.test(w.log.slice(from))) {
			assert.ok(Date.now() < deadline, `${pattern}: ${w.log}`);
			await sleep(10);
		}
	};
	// Data flows on connections that are never closed, one of each kind.
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const channel = client(w.grpc, { ca });
	let sent = 0;
	let ports = new Set();
	let over = false;
	const flow = (async () => {
		while (!over) {
			const answer = await post(w, log('flow', String(sent)), { agent });
			assert.equal(answer.status, 200);
			ports.add(Object.values(agent.sockets).concat(Object.values(agent.freeSockets)).flat()[0]?.localPort);
			assert.equal(answer.peer.subject.CN, 'weir test server');
			assert.equal((await call(channel)).code, 0);
			sent++;
		}
	})();
	const begun = async () => {
		const at = sent;
		while (sent < at + 3) await Promise.race([sleep(5), flow]);
	};
	await begun();
	put('second');
	await hup(/certificate loaded again: subject CN=weir test second/);
	for (const listener of ['grpc', 'http', 'api']) assert.equal((await shown(w[listener])).cn, 'weir test second');
	await begun();
	writeFileSync(cert, 'nonsense');
	await hup(/the certificate stays as it was: there is no certificate in \S+cert\.pem/);
	put('second');
	copyFileSync(file('server.key'), key);
	await hup(/the certificate stays as it was: the key does not belong to the certificate/);
	for (const listener of ['grpc', 'http', 'api']) assert.equal((await shown(w[listener])).cn, 'weir test second');
	await begun();
	put('expired');
	await hup(/the certificate of CN=weir test expired has expired, \d+ days ago: clients refuse it/);
	await begun();
	put('server');
	await hup(/certificate loaded again: subject CN=weir test server/);
	over = true;
	await flow;
	assert.equal(ports.size, 1, 'it was one connection all the time');
	assert.equal((await w.until('/api/v1/logs?service=flow&limit=10000', (b) => b.count === sent)).count, sent);
	agent.destroy();
	channel.close();
	await w.stop();
	removeDataDir(dataDir);
});

test('a stop answers what is in flight, over TLS too', async () => {
	const w = await Weir.start({ args: serverArgs(), tls: { ca } });
	const agent = new https.Agent({ keepAlive: true });
	const channel = client(w.grpc, { ca });
	assert.equal((await post(w, log('s', 'x'), { agent })).status, 200);
	assert.equal((await call(channel)).code, 0);
	const idle = await new Promise((done) => {
		const s = net.connect({ host: '127.0.0.1', port: w.http.split(':')[1] }, () => done(s)); // never says hello
		s.on('error', () => {});
	});
	const begin = Date.now();
	await w.stop();
	assert.ok(Date.now() - begin < 20000);
	idle.destroy();
	agent.destroy();
	channel.close();
});

test('options that do not go together, and files that cannot be used, end the start with a sentence', async () => {
	const dataDir = newDataDir();
	const start = (...args) => run(['serve', '--data-dir', dataDir, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--api', '127.0.0.1:0', ...args]);
	for (const [args, pattern, code] of [
		[['--tls-cert', file('server.pem')], /--tls-cert needs --tls-key/, 2],
		[['--tls-key', file('server.key')], /--tls-key needs --tls-cert/, 2],
		[['--tls-client-ca', file('ca.pem')], /--tls-client-ca needs --tls-cert and --tls-key/, 2],
		[['--tls-cert', file('server.pem'), '--tls-key', file('second.key')], /the key does not belong to the certificate/, 1],
		[['--tls-cert', '/nowhere.pem', '--tls-key', file('second.key')], /cannot open \/nowhere\.pem: No such file/, 1],
	]) {
		const { code: got, stderr } = await start(...args);
		assert.match(stderr, pattern);
		assert.equal(got, code, stderr);
	}
	const env = await run(['serve', '--data-dir', dataDir], { env: { WEIR_TLS_CERT: file('server.pem') } });
	assert.match(env.stderr, /--tls-cert needs --tls-key/);
	removeDataDir(dataDir);
});

test('keys in the clear, for others to read, are worth one warning', async () => {
	const dataDir = newDataDir();
	await run(['keys', 'create', '--data-dir', dataDir, '--right', 'read']);
	const count = (w) => w.log.match(/keys and telemetry travel in the clear/g)?.length ?? 0;
	const clear = await Weir.start({ dataDir, http: '0.0.0.0:0' });
	assert.equal((await clear.get('/healthz')).status, 200);
	assert.equal(count(clear), 1);
	await clear.stop();
	const secure = await Weir.start({ dataDir, http: '0.0.0.0:0', args: serverArgs(), tls: { ca } });
	assert.equal((await secure.get('/healthz')).status, 200);
	assert.equal(count(secure), 0);
	await secure.stop();
	removeDataDir(dataDir);
});

test('sockets that were handed over speak TLS too', async () => {
	const dataDir = newDataDir();
	const servers = await Promise.all([0, 1, 2].map(() => new Promise((done) => {
		const server = net.createServer();
		server.listen(0, '127.0.0.1', () => done(server));
	})));
	const child = spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', weirBin, 'serve', '--data-dir', dataDir, ...serverArgs()], {
		stdio: ['ignore', 'inherit', 'pipe', ...servers.map((s) => s._handle.fd)],
		env: { ...process.env, LISTEN_FDS: '3', LISTEN_FDNAMES: 'api:grpc:http' } });
	const ended = new Promise((done) => child.on('exit', (code) => done(code)));
	let text = '';
	child.stderr.setEncoding('utf8').on('data', (t) => (text += t));
	const deadline = Date.now() + patience;
	while (!/is ready/.test(text)) {
		assert.ok(Date.now() < deadline, text);
		await sleep(10);
	}
	assert.match(text, /OTLP\/gRPC on a socket that was handed over, port \d+ \(TLS\)/);
	const ports = servers.map((s) => s.address().port);
	for (const s of servers) s.close(); // the listener lives on in weir
	for (const port of ports) assert.equal((await shown(`127.0.0.1:${port}`)).cn, 'weir test server');
	child.kill('SIGTERM');
	assert.equal(await ended, 0);
	removeDataDir(dataDir);
});
