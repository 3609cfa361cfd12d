// SPDX-License-Identifier: Apache-2.0
//
// Bad input costs only itself: each kind gets its own clear answer, a good client beside it goes on, and the
// server's memory stays within its limits.
import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Weir, patience, sdk, sleep } from './lib/weir.mjs';

const MiB = 1024 * 1024;
const asan = /asan|tsan/.test(process.env.WEIR_BIN ?? '');

let weir;
before(async () => {
	weir = await Weir.start({
		args: ['--max-connections', '20', '--header-timeout-ms', '1000', '--body-grace-ms', '1000', '--min-body-rate', '1000',
			'--max-wire-bytes', '1m', '--max-body-bytes', '4m', '--max-spans', '1000', '--max-inflight-bytes', '64m'],
	});
});
after(() => weir.stop());
// Whatever a test did: the server lives, takes a span and shows it.
afterEach(async () => {
	assert.ok(weir.alive(), weir.log);
	const res = await post('/v1/traces', JSON.stringify(request('alive')));
	assert.equal(res.status, 200, res.text);
});

const id = (n, bytes) => n.toString(16).padStart(bytes * 2, '0');
let serial = 1;
const span = (extra = {}) => ({ traceId: id(serial++, 16), spanId: id(serial++, 8), name: 'x', startTimeUnixNano: '1', endTimeUnixNano: '2', ...extra });
const request = (service, spans = [span()]) => ({
	resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] }, scopeSpans: [{ spans }] }],
});

async function post(path, body, headers = {}) {
	const res = await fetch(`http://${weir.http}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
	return { status: res.status, headers: res.headers, text: await res.text() };
}

// What a raw connection gets back until it closes (or the answer to `until` matches).
function raw(address, bytes, { until, drip } = {}) {
	return new Promise((done, fail) => {
		const [host, port] = address.split(':');
		const socket = net.connect({ host, port: Number(port) });
		let got = Buffer.alloc(0);
		const timer = setTimeout(() => fail(new Error(`nothing happened; got ${got.toString('latin1')}`)), patience);
		let dripping;
		const end = () => {
			clearTimeout(timer);
			clearInterval(dripping);
			socket.destroy();
			done(got.toString('latin1'));
		};
		socket.on('connect', () => {
			socket.write(bytes);
			if (drip) dripping = setInterval(() => socket.write(drip), 100);
		});
		socket.on('data', (d) => {
			got = Buffer.concat([got, d]);
			if (until?.test(got.toString('latin1'))) end();
		});
		socket.on('close', end);
		socket.on('error', () => {});
	});
}

function rssBytes() {
	return Number(readFileSync(`/proc/${weir.child.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)[1]) * 1024;
}

// Protobuf by hand: enough to be wrong on purpose.
const varint = (n) => {
	const out = [];
	for (let v = BigInt(n); ; v >>= 7n) {
		if (v < 128n) return Buffer.from([...out, Number(v)]);
		out.push(Number(v & 127n) | 128);
	}
};
const field = (n, body) => Buffer.concat([varint((n << 3) | 2), varint(body.length), body]);
const pbSpan = ({ trace = Buffer.alloc(16, 1), spanId = Buffer.alloc(8, 2), name = Buffer.from('x'), extra = Buffer.alloc(0) } = {}) =>
	field(2, Buffer.concat([field(1, trace), field(2, spanId), field(5, name), extra]));
const pbRequest = (...spans) => field(1, field(2, Buffer.concat(spans)));
const protobuf = { 'content-type': 'application/x-protobuf' };

function nestedValue(depth) {
	let v = field(1, Buffer.from('bottom'));
	for (let i = 0; i < depth; i++) v = field(5, field(1, v));
	return field(9, Buffer.concat([field(1, Buffer.from('k')), field(2, v)]));
}

describe('OTLP/HTTP', () => {
	it('garbage bytes as protobuf: 400 with a google.rpc.Status in protobuf', async () => {
		for (const bytes of [Buffer.from('garbage!'), Buffer.from([0xff, 0xff, 0xff]), Buffer.alloc(1000, 0x07)]) {
			const res = await post('/v1/traces', bytes, protobuf);
			assert.equal(res.status, 400);
			assert.equal(res.headers.get('content-type'), 'application/x-protobuf');
			assert.equal(res.text.charCodeAt(0), 0x08); // Status.code
			assert.equal(res.text.charCodeAt(1), 3); // INVALID_ARGUMENT
		}
	});

	it('a good request cut at any byte: 400, or fewer spans, never more', async () => {
		const whole = pbRequest(pbSpan(), pbSpan({ spanId: Buffer.alloc(8, 3) }));
		for (let n = 1; n < whole.length; n++) assert.equal((await post('/v1/traces', whole.subarray(0, n), protobuf)).status, 400, `cut at ${n}`);
	});

	it('wrong content type: 415', async () => {
		for (const type of ['text/plain', 'application/grpc', 'application/jsonx', '']) {
			const res = await post('/v1/traces', '{}', { 'content-type': type });
			assert.equal(res.status, 415, type);
		}
		assert.equal((await post('/v1/traces', '{}', { 'content-type': 'application/json; charset=utf-8' })).status, 200);
	});

	it('unknown content encoding: 415; a lying one: 400', async () => {
		assert.equal((await post('/v1/traces', '{}', { 'content-encoding': 'br' })).status, 415);
		for (const encoding of ['gzip', 'zstd', 'deflate'])
			assert.equal((await post('/v1/traces', '{}', { 'content-encoding': encoding })).status, 400, encoding);
	});

	it('too large on the wire: 413, with and without a length', async () => {
		const res = await post('/v1/traces', Buffer.alloc(MiB + 1, 32));
		assert.equal(res.status, 413);
		assert.equal(res.headers.get('retry-after'), null);
		const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
		const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
		assert.match(await raw(weir.http, head + chunk.repeat(80), { until: /\r\n\r\n/ }), /^HTTP\/1.1 413 /);
		const claim = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n';
		assert.match(await raw(weir.http, claim, { until: /\r\n\r\n/ }), /^HTTP\/1.1 413 /);
	});

	it('too large after inflating: 413, for gzip, zstd-less clients and bombs', async () => {
		const res = await post('/v1/traces', gzipSync(Buffer.alloc(4 * MiB + 1, 32)), { 'content-encoding': 'gzip' });
		assert.equal(res.status, 413);
	});

	it('a gzip bomb raises memory by no more than the limit', async () => {
		const bomb = gzipSync(Buffer.alloc(600 * MiB), { level: 9 });
		assert.ok(bomb.length < MiB);
		await post('/v1/traces', bomb, { 'content-encoding': 'gzip' });
		const before = rssBytes();
		for (let i = 0; i < 5; i++) assert.equal((await post('/v1/traces', bomb, { 'content-encoding': 'gzip' })).status, 413);
		assert.ok(rssBytes() - before < (asan ? 256 : 32) * MiB, `${before} -> ${rssBytes()}`);
	});

	it('too many spans: 413', async () => {
		assert.equal((await post('/v1/traces', JSON.stringify(request('many', Array.from({ length: 1001 }, () => span()))))).status, 413);
	});

	it('values nested too deep: that span is refused, the rest is taken; 100,000 deep too', async () => {
		for (const depth of [65, 100, 5000, 30000]) {
			const res = await post('/v1/traces', pbRequest(pbSpan({ extra: nestedValue(depth) }), pbSpan({ spanId: Buffer.alloc(8, 9) })), protobuf);
			assert.equal(res.status, 200, `depth ${depth}`);
			assert.match(res.text, /deep|nest/, `depth ${depth}`);
		}
		const json = `${'['.repeat(200000)}${']'.repeat(200000)}`;
		assert.equal((await post('/v1/traces', json)).status, 400);
		assert.equal((await post('/v1/traces', `{"x":${json}}`)).status, 400);
	});

	it('bad UTF-8: that span is refused in protobuf; JSON is refused whole', async () => {
		for (const bad of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
			const res = await post('/v1/traces', pbRequest(pbSpan({ name: Buffer.from(bad) }), pbSpan({ spanId: Buffer.alloc(8, 8) })), protobuf);
			assert.equal(res.status, 200);
			assert.match(res.text, /UTF-8/);
			const json = Buffer.concat([Buffer.from('{"resourceSpans":[{"schemaUrl":"'), Buffer.from(bad), Buffer.from('"}]}')]);
			assert.equal((await post('/v1/traces', json)).status, 400);
		}
	});

	it('ids of the wrong length or all zero: those spans are refused', async () => {
		const bad = [{ trace: Buffer.alloc(15, 1) }, { trace: Buffer.alloc(17, 1) }, { trace: Buffer.alloc(0) }, { trace: Buffer.alloc(16) },
			{ spanId: Buffer.alloc(7, 1) }, { spanId: Buffer.alloc(9, 1) }, { spanId: Buffer.alloc(0) }, { spanId: Buffer.alloc(8) },
			{ extra: field(4, Buffer.alloc(3, 1)) }];
		for (const b of bad) {
			const res = await post('/v1/traces', pbRequest(pbSpan(b), pbSpan({ spanId: Buffer.alloc(8, 7) })), protobuf);
			assert.equal(res.status, 200);
			assert.match(res.text, /id/);
		}
	});

	it('unknown path: 404; wrong method: 405 that says which', async () => {
		assert.equal((await post('/v1/profiles', '{}')).status, 404);
		assert.equal((await post('/', '{}')).status, 404);
		for (const method of ['GET', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'BREW']) {
			const answer = await raw(weir.http, `${method} /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
			assert.match(answer, /^HTTP\/1.1 405 /, method);
			assert.match(answer, /\r\nAllow: POST\r\n/i, method);
		}
	});

	it('bytes that are no HTTP: 400 or an end, at once', async () => {
		for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 'hello\r\n\r\n', '\r\n\r\n\r\n', 'GET\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
			const answer = await raw(weir.http, Buffer.from(bytes, 'latin1'), { until: /\r\n\r\n/ });
			assert.ok(answer === '' || /^HTTP\/1\.[01] [45]/.test(answer), `${JSON.stringify(bytes)}: ${answer}`);
		}
	});

	it('header fields too large: 431 or 413 or an end', async () => {
		const answer = await raw(weir.http, `POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(200000)}\r\n\r\n`, { until: /\r\n\r\n/ });
		assert.ok(answer === '' || /^HTTP\/1\.1 4(31|13|14|00) /.test(answer), answer.slice(0, 100));
	});

	it('both Content-Length and Transfer-Encoding: refused, nothing is smuggled', async () => {
		const answer = await raw(weir.http, 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n', { until: /\r\n\r\n/ });
		assert.match(answer, /^HTTP\/1\.1 400 /);
	});

	it('headers that drip in are ended by the time limit', async () => {
		const start = Date.now();
		await raw(weir.http, 'POST /v1/traces HTTP/1.1\r\nHost: x\r\n', { drip: 'X-A: b\r\n' });
		assert.ok(Date.now() - start >= 900);
		assert.ok((await weir.metric('weir_connections_timed_out_total')) >= 1);
	});

	it('a body that drips in is ended by the rate limit', async () => {
		await raw(weir.http, 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n', { drip: '{' });
	});
});

async function tooMany(address, name) {
	const [host, port] = address.split(':');
	const sockets = [];
	const refusedBefore = await weir.metric('weir_connections_refused_total');
	for (let i = 0; i < 60; i++) {
		const s = net.connect({ host, port: Number(port) });
		s.on('error', () => {});
		sockets.push(s);
	}
	const deadline = Date.now() + patience;
	while ((await weir.metric('weir_connections_refused_total')) - refusedBefore < 40) {
		assert.ok(Date.now() < deadline, `${name}: surplus connections were not refused`);
		await sleep(20);
	}
	for (const s of sockets) s.destroy();
	// And room again afterwards.
	while ((await weir.metric(`weir_connections{transport="${name}"}`)) > 5) {
		assert.ok(Date.now() < deadline, `${name}: connections do not go`);
		await sleep(20);
	}
}

describe('too many connections', () => {
	it('HTTP: the surplus is refused and counted, then there is room again', () => tooMany(weir.http, 'http'));
	it('gRPC: the surplus is refused and counted, then there is room again', () => tooMany(weir.grpc, 'grpc'));
});

// One gRPC call by hand over Node's own HTTP/2.
function call(path, frames, headers = {}) {
	return new Promise((done, fail) => {
		const client = http2.connect(`http://${weir.grpc}`);
		client.on('error', fail);
		const stream = client.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers });
		const result = { body: Buffer.alloc(0) };
		const timer = setTimeout(() => fail(new Error('no answer')), patience);
		stream.on('response', (h) => Object.assign(result, { http: h[':status'], headers: h }));
		stream.on('trailers', (t) => (result.trailers = t));
		stream.on('data', (d) => (result.body = Buffer.concat([result.body, d])));
		stream.on('error', (e) => (result.error = e));
		stream.on('close', () => {
			clearTimeout(timer);
			client.destroy();
			const meta = { ...result.headers, ...result.trailers };
			done({ ...result, status: Number(meta['grpc-status'] ?? -1), message: decodeURIComponent(meta['grpc-message'] ?? ''), meta });
		});
		for (const f of frames) stream.write(f);
		stream.end();
	});
}

const traces = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const frame = (body, { compressed = 0, length = body.length } = {}) => {
	const head = Buffer.alloc(5);
	head[0] = compressed;
	head.writeUInt32BE(length >>> 0, 1);
	return Buffer.concat([head, body]);
};

describe('OTLP/gRPC', () => {
	it('a good call, plain and gzip', async () => {
		const body = pbRequest(pbSpan());
		const plain = await call(traces, [frame(body)]);
		assert.deepEqual([plain.http, plain.status], [200, 0]);
		const zipped = await call(traces, [frame(gzipSync(body), { compressed: 1 })], { 'grpc-encoding': 'gzip' });
		assert.equal(zipped.status, 0, zipped.message);
	});

	it('garbage, cut messages and lying lengths: INVALID_ARGUMENT or INTERNAL', async () => {
		const whole = pbRequest(pbSpan());
		assert.equal((await call(traces, [frame(Buffer.from('garbage!'))])).status, 3);
		assert.equal((await call(traces, [frame(whole.subarray(0, 20))])).status, 3);
		for (const frames of [[frame(whole, { length: whole.length + 10 })], [frame(whole, { length: whole.length - 10 })], [Buffer.from([0, 0])], [], [frame(whole), frame(whole)],
			[frame(whole, { compressed: 7 })]])
			assert.ok([3, 12, 13].includes((await call(traces, frames)).status), `${frames.length} frames`);
	});

	it('unknown compression: UNIMPLEMENTED that names what is accepted', async () => {
		const res = await call(traces, [frame(Buffer.from('x'), { compressed: 1 })], { 'grpc-encoding': 'snappy' });
		assert.equal(res.status, 12);
		assert.match(res.meta['grpc-accept-encoding'], /^identity,gzip(,[a-z]+)*$/); // a blank would turn grpc-js's gzip off
	});

	it('too large, before and after inflating: RESOURCE_EXHAUSTED without RetryInfo', async () => {
		const wire = await call(traces, [frame(Buffer.alloc(100), { length: MiB + 1 })]);
		assert.equal(wire.status, 8);
		const huge = await call(traces, [frame(Buffer.alloc(100), { length: 0xffffffff })]);
		assert.equal(huge.status, 8);
		const bomb = gzipSync(Buffer.alloc(600 * MiB), { level: 9 });
		const before = rssBytes();
		const inflated = await call(traces, [frame(bomb, { compressed: 1 })], { 'grpc-encoding': 'gzip' });
		assert.equal(inflated.status, 8);
		assert.ok(rssBytes() - before < (asan ? 256 : 32) * MiB);
		for (const r of [wire, huge, inflated]) assert.ok(!Buffer.from(r.meta['grpc-status-details-bin'] ?? '', 'base64').includes('RetryInfo'));
	});

	it('unknown service: UNIMPLEMENTED; wrong content type: 415; wrong method: 405', async () => {
		assert.equal((await call('/no.Such/Method', [frame(Buffer.alloc(0))])).status, 12);
		assert.equal((await call(traces, [], { 'content-type': 'application/json' })).http, 415);
		assert.equal((await call(traces, [], { ':method': 'PUT' })).http, 405);
	});

	it('bad spans are refused one by one', async () => {
		const res = await call(traces, [frame(pbRequest(pbSpan({ trace: Buffer.alloc(3) }), pbSpan({ name: Buffer.from([0xff]) }), pbSpan()))]);
		assert.equal(res.status, 0);
		assert.ok(res.body.length > 5, 'a partial_success is there');
	});

	it('bytes that are no HTTP/2, and prefaces that never come, are ended', async () => {
		await raw(weir.grpc, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
		await raw(weir.grpc, Buffer.alloc(100, 0xff));
		await raw(weir.grpc, 'PRI * HTT', { drip: '' });
		await raw(weir.grpc, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { drip: '\0' });
	});

	it('the SDK gets an error it understands', async () => {
		const { OTLPTraceExporter } = sdk('@opentelemetry/exporter-trace-otlp-grpc');
		const trace = sdk('@opentelemetry/sdk-trace-node');
		const memory = new trace.InMemorySpanExporter();
		const tracer = new trace.NodeTracerProvider({ spanProcessors: [new trace.SimpleSpanProcessor(memory)] }).getTracer('t');
		for (let i = 0; i < 1001; i++) tracer.startSpan('x').end();
		const exp = new OTLPTraceExporter({ url: `http://${weir.grpc}` });
		const { code, error } = await new Promise((done) => exp.export(memory.getFinishedSpans(), done));
		await exp.shutdown();
		assert.equal(code, 1);
		assert.equal(error.code, 8);
	});
});

describe('API', () => {
	it('unknown and malformed parameters are named', async () => {
		for (const [path, name] of [['/api/v1/traces?servce=a', 'servce'], ['/api/v1/traces?limit=0', 'limit'], ['/api/v1/traces?limit=x', 'limit'], ['/api/v1/traces?min_duration_ms=abc', 'min_duration_ms'],
			['/api/v1/logs?severity=loud', 'severity'], ['/api/v1/traces?last=1h&from=1', 'last'], ['/api/v1/metrics?metric_type=x', 'metric_type'], ['/api/v1/traces?cursor=AAAA', 'cursor'],
			['/api/v1/traces?limit=5&limit=6', 'limit'], ['/api/v1/traces/xyz', 'trace_id'], ['/api/v1/logs?trace_id=1', 'trace_id'], ['/api/v1/traces?from=yesterday', 'from']]) {
			const { status, body } = await weir.get(path);
			assert.equal(status, 400, path);
			assert.equal(body.error.code, 'invalid', path);
			assert.match(body.error.message, new RegExp(name), path);
		}
	});

	it('unknown paths and methods', async () => {
		for (const path of ['/nope', '/api', '/api/v1/', '/api/v1/traces/', '/api/v1/../../etc/passwd', '/%00', '/api/v1/traces/a/b']) {
			const { status } = await weir.get(path);
			assert.ok([400, 404].includes(status), path);
		}
		const { status, headers } = await weir.get('/api/v1/traces', { method: 'DELETE' });
		assert.equal(status, 405);
		assert.match(headers.get('allow'), /GET/);
		assert.equal((await weir.get(`/api/v1/traces/${'f'.repeat(32)}`)).status, 404);
	});

	it('questions that try to be SQL are only text', async () => {
		for (const evil of ["'; DROP TABLE spans; --", '" OR 1=1', '%_\\', '\u0000', '$.a', "a'b=c'd"]) {
			const e = encodeURIComponent(evil);
			for (const path of [`/api/v1/traces?service=${e}`, `/api/v1/traces?operation=${e}`, `/api/v1/traces?attribute=${encodeURIComponent(`${evil}=x`)}`, `/api/v1/logs?body_contains=${e}`, `/api/v1/metrics?name=${e}`]) {
				const { status, body } = await weir.get(path);
				assert.ok(status === 400 || (status === 200 && body.count === 0), `${path}: ${status}`);
			}
		}
	});

	it('a pipelined and a half-closed client are answered', async () => {
		const two = await raw(weir.api, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
		assert.equal(two.match(/HTTP\/1.1 200/g).length, 2);
	});
});
