// SPDX-License-Identifier: Apache-2.0
//
// The Node SDK sends traces, logs and metrics through each of its exporters (gRPC, HTTP/protobuf,
// HTTP/JSON; plain and gzip); everything is read back through the API and compared, field by field, with
// the objects the SDK held. What the SDK cannot make goes in as OTLP/JSON at the end.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as expected from './lib/expect.mjs';
import { Weir, sdk } from './lib/weir.mjs';

const api = sdk('@opentelemetry/api');
const { resourceFromAttributes } = sdk('@opentelemetry/resources');
const trace = sdk('@opentelemetry/sdk-trace-node');
const logs = sdk('@opentelemetry/sdk-logs');
const metrics = sdk('@opentelemetry/sdk-metrics');

const protocols = {
	grpc: { pkg: 'grpc', url: (w) => `http://${w.grpc}` },
	'http/protobuf': { pkg: 'proto', url: (w, path) => `http://${w.http}${path}` },
	'http/json': { pkg: 'http', url: (w, path) => `http://${w.http}${path}` },
};

function exporter(w, signal, cls, path, protocol, compression) {
	const { pkg, url } = protocols[protocol];
	const mod = sdk(`@opentelemetry/exporter-${signal}-otlp-${pkg}`);
	return new mod[cls]({ url: url(w, path), compression, timeoutMillis: 30000 });
}

// Resolves when the exporter says success, rejects when it says failure.
function send(exp, items) {
	return new Promise((done, fail) => {
		exp.export(items, ({ code, error }) => (code === 0 ? done() : fail(error)));
	});
}

const attributes = {
	'a.string': 'text', 'a.unicode': 'żółć 漢字 🎉', 'a.empty': '', 'a.true': true, 'a.false': false, 'a.zero': 0,
	'a.int': 42, 'a.negative': -7, 'a.safe': Number.MAX_SAFE_INTEGER, 'a.double': 0.1, 'a.tiny': 5e-324,
	'a.huge': 1.7976931348623157e308 / 3.3, 'a.strings': ['x', 'y', ''], 'a.ints': [1, 2, 3], 'a.doubles': [1.5, 2.25],
	'a.bools': [true, false], 'a.none': [], 'a "quoted" key': 'back\\slash', $dollar: 'a key that begins with $',
	'line\nbreak': 'tab\tand\u0001control',
};

const nested = {
	level: { one: { two: [1, 'two', { three: [] }] } }, bytes: new Uint8Array([0, 1, 254, 255]), nothing: null,
	list: [true, 1.5, 'x', [1, [2]], { k: 'v' }], $bytes: 'not bytes', empty: {},
};

const resourceAttributes = (name) => ({
	'service.name': name, 'service.version': '1.2.3', 'host.cpus': 8, 'process.command_args': ['node', '-x'],
});

let weir;
before(async () => (weir = await Weir.start()));
after(() => weir.stop());

function makeSpans(service) {
	const memory = new trace.InMemorySpanExporter();
	const provider = new trace.NodeTracerProvider({
		resource: resourceFromAttributes(resourceAttributes(service), { schemaUrl: 'https://example.com/resource/1.0' }),
		spanLimits: { attributeCountLimit: 25, eventCountLimit: 3, linkCountLimit: 2 },
		spanProcessors: [new trace.SimpleSpanProcessor(memory)],
	});
	const tracer = provider.getTracer('shop', '2.0.0', { schemaUrl: 'https://example.com/scope/1.0' });
	const bare = provider.getTracer('bare');
	const remote = {
		traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1, isRemote: true,
		traceState: api.createTraceState('vendor=abc,other=1'),
	};
	const ctx = api.trace.setSpanContext(api.ROOT_CONTEXT, remote);
	const root = tracer.startSpan('GET /cart', { kind: 1, attributes, startTime: [1795187531, 42] }, ctx);
	const inner = api.trace.setSpan(ctx, root);
	for (let kind = 0; kind < 5; kind++) {
		const s = bare.startSpan(`kind ${kind}`, { kind, links: [{ context: remote, attributes: { n: kind } }] }, inner);
		if (kind === 1) s.setStatus({ code: api.SpanStatusCode.ERROR, message: 'payment refused: ✗' });
		if (kind === 2) s.setStatus({ code: api.SpanStatusCode.OK });
		if (kind === 3) s.recordException(new Error('out of stock'));
		s.end();
	}
	for (let i = 0; i < 5; i++) root.addEvent(`event ${i}`, { i, even: i % 2 === 0 }, [1795187531, 100 + i]);
	for (let i = 0; i < 4; i++) root.addLink({ context: remote, attributes: { i } });
	for (let i = 0; i < 10; i++) root.setAttribute(`more.${i}`, i);
	root.end([1795187532, 999999999]);
	tracer.startSpan('own root', { root: true }).end();
	return memory.getFinishedSpans();
}

function makeLogs(service) {
	const memory = new logs.InMemoryLogRecordExporter();
	const provider = new logs.LoggerProvider({
		resource: resourceFromAttributes(resourceAttributes(service)),
		processors: [new logs.SimpleLogRecordProcessor({ exporter: memory })],
	});
	const logger = provider.getLogger('shop.log', '3.1', { schemaUrl: 'https://example.com/scope/2.0' });
	const ctx = api.trace.setSpanContext(api.ROOT_CONTEXT, {
		traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1,
	});
	const bodies = ['plain text', '', 'żółć 🎉\u0000nul', 12, -1.25, true, false, [1, 'a', [null]], nested,
		new Uint8Array([1, 2, 3]), { message: 'structured' }];
	bodies.forEach((body, i) =>
		logger.emit({
			body, severityNumber: i * 2 + 1, severityText: `S${i}`, attributes: { ...nested, i }, context: ctx,
			timestamp: [1795187531, 1000 + i], observedTimestamp: [1795187531, 2000 + i],
		}));
	logger.emit({ eventName: 'device.opened', attributes: { door: 3 } });
	logger.emit({ body: 'no context, no severity' });
	return memory.getFinishedLogRecords();
}

class ManualReader extends metrics.MetricReader {
	async onForceFlush() {}
	async onShutdown() {}
}

async function makeMetrics(service, temporality) {
	const reader = new ManualReader({ aggregationTemporalitySelector: () => temporality });
	const provider = new metrics.MeterProvider({
		resource: resourceFromAttributes(resourceAttributes(service)),
		readers: [reader],
		views: [{ instrumentName: '*exp', aggregation: { type: metrics.AggregationType.EXPONENTIAL_HISTOGRAM, options: { maxSize: 20 } } }],
	});
	const meter = provider.getMeter('shop.metrics', '0.9', { schemaUrl: 'https://example.com/scope/3.0' });
	const int = { valueType: api.ValueType.INT };
	const counter = meter.createCounter('orders', { ...int, description: 'orders placed', unit: '{order}' });
	counter.add(3, { shop: 'a' });
	counter.add(4, { shop: 'b', express: true });
	meter.createCounter('revenue', { unit: 'EUR' }).add(12.75);
	meter.createUpDownCounter('queue', int).add(-5, { q: 1 });
	meter.createGauge('temperature', { unit: 'Cel' }).record(-273.15, { sensor: 'x' });
	meter.createGauge('whole').record(3);
	meter.createObservableGauge('observed', int).addCallback((r) => r.observe(Number.MAX_SAFE_INTEGER, { o: 1 }));
	const h = meter.createHistogram('latency', { unit: 'ms', advice: { explicitBucketBoundaries: [0.5, 1, 5, 10.25] } });
	for (const v of [0.1, 0.5, 0.7, 3, 7, 100]) h.record(v, { route: '/cart' });
	meter.createHistogram('sizes', int).record(7);
	const e = meter.createHistogram('latency.exp');
	for (let i = 0; i < 200; i++) e.record(1.1 ** (i % 40), { route: '/pay' });
	e.record(0, { route: '/pay' });
	const { resourceMetrics, errors } = await reader.collect();
	assert.deepEqual(errors, []);
	return resourceMetrics;
}

const byKey = (key) => (a, b) => (key(a) < key(b) ? -1 : 1);
const spanKey = byKey((s) => s.span_id);
const logKey = byKey((l) => `${l.event_time_unix_nano} ${JSON.stringify(l.body)}`);
const pointKey = byKey((p) => `${p.name} ${JSON.stringify(p.attributes)} ${p.time_unix_nano}`);

for (const protocol of Object.keys(protocols)) {
	for (const compression of ['none', 'gzip']) {
		describe(`${protocol}, compression ${compression}`, () => {
			const service = `svc ${protocol} ${compression}`;
			const q = `service=${encodeURIComponent(service)}`;

			it('traces come back field by field', async () => {
				const spans = makeSpans(service);
				assert.equal(spans.length, 7);
				const exp = exporter(weir, 'trace', 'OTLPTraceExporter', '/v1/traces', protocol, compression);
				await send(exp, spans);
				await exp.shutdown();
				await weir.until(`/api/v1/traces?${q}`, (b) => b.count === spans.length);
				const got = await weir.all(`/api/v1/traces?${q}&limit=3`, 'spans');
				assert.deepEqual([...got].sort(spanKey), spans.map(expected.span).sort(spanKey));
				const byTime = got.map((s) => BigInt(s.start_time_unix_nano));
				assert.deepEqual(byTime, [...byTime].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0)));
			});

			it('one trace comes back whole, oldest first', async () => {
				const id = '0af7651916cd43dd8448eb211c80319c';
				const t = (await weir.get(`/api/v1/traces/${id}`)).body;
				assert.equal(t.trace_id, id);
				assert.equal(t.span_count, t.spans.length);
				assert.equal(t.spans.filter((s) => s.service === service).length, 6);
				assert.ok(t.services.includes(service));
				for (let i = 1; i < t.spans.length; i++)
					assert.ok(BigInt(t.spans[i - 1].start_time_unix_nano) <= BigInt(t.spans[i].start_time_unix_nano));
			});

			it('logs come back field by field', async () => {
				const records = makeLogs(service);
				assert.equal(records.length, 13);
				const exp = exporter(weir, 'logs', 'OTLPLogExporter', '/v1/logs', protocol, compression);
				await send(exp, records);
				await exp.shutdown();
				await weir.until(`/api/v1/logs?${q}`, (b) => b.count === records.length);
				const got = await weir.all(`/api/v1/logs?${q}&limit=5`, 'logs');
				assert.deepEqual(got.sort(logKey), records.map(expected.logRecord).sort(logKey));
			});

			for (const [name, temporality] of [['cumulative', 1], ['delta', 0]]) {
				it(`metrics come back field by field (${name})`, async () => {
					const mine = `${service} ${name}`;
					const data = await makeMetrics(mine, temporality);
					const want = expected.points(data);
					assert.ok(want.length >= 10);
					const exp = exporter(weir, 'metrics', 'OTLPMetricExporter', '/v1/metrics', protocol, compression);
					await send(exp, data);
					await exp.shutdown();
					const url = `/api/v1/metrics?service=${encodeURIComponent(mine)}`;
					await weir.until(url, (b) => b.count === want.length);
					const got = await weir.all(`${url}&limit=4`, 'metrics');
					assert.deepEqual(got.sort(pointKey), want.sort(pointKey));
				});
			}
		});
	}
}

describe('NodeSDK, set up by environment variables alone', () => {
	for (const protocol of Object.keys(protocols)) {
		it(`${protocol}: spans of a short program arrive`, async () => {
			const { spawnSync } = await import('node:child_process');
			const service = `program ${protocol}`;
			const endpoint = protocol === 'grpc' ? weir.grpc : weir.http;
			const code = `
				const { NodeSDK } = require('@opentelemetry/sdk-node');
				const { trace } = require('@opentelemetry/api');
				const sdk = new NodeSDK();
				sdk.start();
				trace.getTracer('t').startActiveSpan('main', (s) => s.end());
				sdk.shutdown();`;
			const child = spawnSync(process.execPath, ['-e', code], {
				cwd: new URL('../sdk/', import.meta.url), encoding: 'utf8', timeout: 60000,
				env: {
					...process.env, OTEL_SERVICE_NAME: service, OTEL_EXPORTER_OTLP_ENDPOINT: `http://${endpoint}`,
					OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none',
					OTEL_NODE_RESOURCE_DETECTORS: 'env',
				},
			});
			assert.equal(child.status, 0, child.stderr);
			const found = await weir.until(`/api/v1/traces?service=${encodeURIComponent(service)}`, (b) => b.count === 1);
			assert.equal(found.spans[0].operation, 'main');
		});
	}
});

describe('services', () => {
	it('counts agree with what was sent', async () => {
		const { services } = (await weir.get('/api/v1/services')).body;
		const s = services.find((x) => x.name === 'svc grpc none');
		assert.deepEqual(
			[s.span_count, s.trace_count, s.error_count, s.log_count, s.point_count], [7, 2, 1, 13, 0]);
		assert.equal(s.error_rate, 1 / 7);
	});
});
