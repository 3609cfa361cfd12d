// SPDX-License-Identifier: Apache-2.0
//
// What was answered with success is there after a restart: kill -9 at random moments while the SDK's
// exporters send all three signals, and SIGTERM in full flight.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Weir, newDataDir, removeDataDir, sdk, sleep, thorough } from './lib/weir.mjs';

const { resourceFromAttributes } = sdk('@opentelemetry/resources');
const trace = sdk('@opentelemetry/sdk-trace-node');
const logs = sdk('@opentelemetry/sdk-logs');
const metrics = sdk('@opentelemetry/sdk-metrics');
const { OTLPTraceExporter } = sdk('@opentelemetry/exporter-trace-otlp-grpc');
const { OTLPLogExporter } = sdk('@opentelemetry/exporter-logs-otlp-http');
const { OTLPMetricExporter } = sdk('@opentelemetry/exporter-metrics-otlp-proto');

const rounds = thorough ? 20 : 8;
const resource = resourceFromAttributes({ 'service.name': 'crash' });
let serial = 0;

function makeSpans(count) {
	const memory = new trace.InMemorySpanExporter();
	const provider = new trace.NodeTracerProvider({ resource, spanProcessors: [new trace.SimpleSpanProcessor(memory)] });
	const tracer = provider.getTracer('crash');
	for (let i = 0; i < count; i++) tracer.startSpan(`span ${serial++}`, { root: true, attributes: { i, pad: 'x'.repeat(200) } }).end();
	return memory.getFinishedSpans();
}

function makeLogs(count) {
	const memory = new logs.InMemoryLogRecordExporter();
	const provider = new logs.LoggerProvider({ resource, processors: [new logs.SimpleLogRecordProcessor({ exporter: memory })] });
	for (let i = 0; i < count; i++) provider.getLogger('crash').emit({ body: `log ${serial++}` });
	return memory.getFinishedLogRecords();
}

class ManualReader extends metrics.MetricReader {
	async onForceFlush() {}
	async onShutdown() {}
}

async function makeMetrics(count) {
	const reader = new ManualReader();
	const provider = new metrics.MeterProvider({ resource, readers: [reader] });
	const gauge = provider.getMeter('crash').createGauge('g');
	for (let i = 0; i < count; i++) gauge.record(1, { id: `point ${serial++}` });
	return (await reader.collect()).resourceMetrics;
}

// Senders run until the server is gone; what was answered with success goes to `acked`.
class Load {
	constructor(weir, acked) {
		this.acked = acked;
		this.stopped = false;
		this.failures = 0;
		this.exporters = [
			new OTLPTraceExporter({ url: `http://${weir.grpc}`, timeoutMillis: 2000 }),
			new OTLPLogExporter({ url: `http://${weir.http}/v1/logs`, timeoutMillis: 2000 }),
			new OTLPMetricExporter({ url: `http://${weir.http}/v1/metrics`, timeoutMillis: 2000 }),
		];
		const [t, l, m] = this.exporters;
		this.loops = [
			this.#loop(t, () => makeSpans(25), (s) => s.map((x) => x.name)),
			this.#loop(t, () => makeSpans(3), (s) => s.map((x) => x.name)),
			this.#loop(l, () => makeLogs(10), (r) => r.map((x) => x.body)),
			this.#loop(m, () => makeMetrics(5), (r) => r.scopeMetrics[0].metrics[0].dataPoints.map((p) => p.attributes.id)),
		];
	}

	async #loop(exporter, make, names) {
		while (!this.stopped) {
			const items = await make();
			const { code } = await new Promise((done) => exporter.export(items, done));
			if (code === 0) for (const name of names(items)) this.acked.add(name);
			else this.failures++;
			await sleep(0);
		}
	}

	async stop() {
		this.stopped = true;
		// Exporters that wait between retries to a dead server are not waited for.
		await Promise.race([Promise.allSettled(this.exporters.map((e) => e.shutdown())), sleep(100)]);
	}
}

// Asked at once after a start: it may say that it is not ready to answer, never leave something out.
async function stored(weir) {
	await weir.until('/api/v1/traces?limit=1', (body, { status }) => status !== 503);
	return [
		...(await weir.all('/api/v1/traces?service=crash&limit=1000', 'spans')).map((s) => s.operation),
		...(await weir.all('/api/v1/logs?service=crash&limit=1000', 'logs')).map((l) => l.body),
		...(await weir.all('/api/v1/metrics?service=crash&limit=1000', 'metrics')).map((p) => p.attributes.id),
	];
}

function check(names, acked, what) {
	const set = new Set(names);
	const lost = [...acked].filter((n) => !set.has(n));
	assert.deepEqual(lost, [], `${what}: acknowledged and lost`);
	assert.equal(set.size, names.length, `${what}: something is there twice`);
}

describe('kill -9 at random moments', () => {
	const dataDir = newDataDir();
	const acked = new Set();
	let weir;
	before(async () => (weir = await Weir.start({ dataDir })));
	after(async () => {
		await weir.kill();
		removeDataDir(dataDir);
	});

	for (let round = 1; round <= rounds; round++) {
		it(`round ${round}: every acknowledged item is there after the restart`, async () => {
			const before = acked.size;
			const load = new Load(weir, acked);
			await sleep(30 + Math.random() * 400);
			while (acked.size === before) await sleep(5);
			await weir.kill();
			await load.stop();
			weir = await Weir.start({ dataDir });
			check(await stored(weir), acked, `round ${round}`);
		});
	}
});

describe('the first questions after a start', () => {
	it('are answered with all that was kept, or not yet: never without a part of it', async () => {
		const dataDir = newDataDir();
		let weir = await Weir.start({ dataDir });
		const requests = 100, each = 1000, now = BigInt(Date.now()) * 1000000n;
		for (let r = 0; r < requests; r++) {
			const spans = Array.from({ length: each }, (_, i) => {
				const id = (r * each + i + 1).toString(16);
				return { traceId: id.padStart(32, '0'), spanId: id.padStart(16, '0'), name: 'op', startTimeUnixNano: String(now), endTimeUnixNano: String(now + 1n) };
			});
			const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
			const res = await fetch(`http://${weir.http}/v1/traces`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
			assert.equal(res.status, 200, await res.text());
		}
		await weir.kill();
		weir = await Weir.start({ dataDir });
		const answers = [];
		while (answers.at(-1) === undefined) {
			const { status, body, headers, text } = await weir.get('/api/v1/services');
			if (status === 503) {
				assert.match(text, /has just started.*catching up: \d+ of \d+ [KM]iB of the log/);
				assert.ok(Number(headers.get('retry-after')) > 0);
			} else assert.equal(status, 200, text);
			answers.push(body?.services?.[0]?.span_count ?? (status === 503 ? undefined : 0));
		}
		assert.equal(answers.at(-1), requests * each);
		await weir.stop();
		removeDataDir(dataDir);
	});
});

describe('SIGTERM and SIGINT in full flight', () => {
	for (const signal of ['SIGTERM', 'SIGINT']) {
		it(`${signal}: drains, exits with 0, loses nothing`, async () => {
			const dataDir = newDataDir();
			const acked = new Set();
			let weir = await Weir.start({ dataDir });
			const load = new Load(weir, acked);
			while (acked.size < 200) await sleep(5);
			const { code } = await weir.terminate(signal);
			await load.stop();
			assert.equal(code, 0, weir.log);
			weir = await Weir.start({ dataDir });
			check(await stored(weir), acked, signal);
			assert.equal((await weir.terminate()).code, 0);
			removeDataDir(dataDir);
		});
	}
});
