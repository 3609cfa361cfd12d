// SPDX-License-Identifier: Apache-2.0
//
// Metrics in PromQL, of a real weir that was sent OTLP: what a real Prometheus answered to the same series (tests/golden/promql, made by
// tools/promql-golden.mjs), what OTLP's names, units, attributes, histograms and temporalities become, computed again here, and what a
// client like Grafana asks for.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Weir, run } from './lib/weir.mjs';

const golden = (name) => JSON.parse(readFileSync(new URL(`../golden/promql/${name}.json`, import.meta.url), 'utf8'));
const { bounds, families } = golden('data');
const { answers } = golden('answers');

let weir;
before(async () => {
	weir = await Weir.start();
});
after(() => weir.stop());

// ---- OTLP

const nano = (ms) => String(BigInt(Math.round(ms)) * 1000000n);
const any = (v) => (typeof v === 'string' ? { stringValue: v } : typeof v === 'boolean' ? { boolValue: v } : Number.isSafeInteger(v) ? { intValue: String(v) }
	: typeof v === 'number' ? { doubleValue: v } : Array.isArray(v) ? { arrayValue: { values: v.map(any) } } : { bytesValue: Buffer.from(v.bytes).toString('base64') });
const attributes = (o) => Object.entries(o).map(([key, v]) => ({ key, value: any(v) }));
const scopeOf = (scope) => (scope ? { ...scope, attributes: attributes(scope.attributes ?? {}) } : {});

async function send(resource, metrics, { tenant, scope } = {}) {
	const res = await fetch(`http://${weir.http}/v1/metrics`, { method: 'POST', headers: { 'content-type': 'application/json', ...(tenant ? { 'x-scope-orgid': tenant } : {}) },
		body: JSON.stringify({ resourceMetrics: [{ resource: { attributes: attributes(resource) }, scopeMetrics: [{ scope: scopeOf(scope), metrics }] }] }) });
	const text = await res.text();
	assert.equal(res.status, 200, text);
	assert.ok(!JSON.parse(text).partialSuccess?.rejectedDataPoints, text);
}

// All that was sent can be asked: points are visible in the order in which they were answered.
let marks = 0;
async function settled(tenant) {
	const name = `mark_${++marks}`;
	await send({ 'service.name': 'mark' }, [{ name, gauge: { dataPoints: [{ timeUnixNano: nano(Date.now()), asDouble: 1 }] } }], { tenant });
	await weir.until(`/api/v1/metrics?name=${name}`, (b) => b.count === 1, { headers: tenant ? { 'x-scope-orgid': tenant } : {} });
}

// ---- asking

async function prometheus(path, params, { method = 'GET', tenant } = {}) {
	const text = String(params instanceof URLSearchParams ? params : new URLSearchParams(params));
	const url = `http://${weir.api}/prometheus/api/v1/${path}`;
	const headers = tenant ? { 'x-scope-orgid': tenant } : {};
	const res = await fetch(method === 'GET' ? `${url}?${text}` : url, method === 'GET' ? { headers }
		: { method, headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' }, body: text });
	return { ...(await res.json()), status: res.status };
}

async function ask(query, params = {}, options) {
	const { status, data, error } = await prometheus('start' in params ? 'query_range' : 'query', { query, ...params }, options);
	assert.equal(status, 200, `${query}: ${error}`);
	return data;
}

const keyOf = (labels) => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

// { labels: value } of a vector.
async function vector(query, time, options) {
	const { result, resultType } = await ask(query, { time }, options);
	assert.equal(resultType, 'vector', query);
	return Object.fromEntries(result.map((s) => [keyOf(s.metric), Number(s.value?.[1].replace('Inf', 'Infinity'))]));
}
const only = async (...args) => {
	const all = Object.values(await vector(...args));
	assert.equal(all.length, 1, `${args[0]}: ${JSON.stringify(all)}`);
	return all[0];
};

const number = (text) => Number(text.replace('Inf', 'Infinity'));
function close(got, wanted, what) {
	const [a, b] = [number(got), number(wanted)];
	if (Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b))) return;
	assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b), 1e-3), `${what}: ${got}, not ${wanted}`);
}
const near = (got, wanted, what, relative = 1e-9) =>
	assert.ok(Math.abs(got - wanted) <= relative * Math.max(Math.abs(got), Math.abs(wanted), 1e-12), `${what}: ${got}, not ${wanted}`);

// ---- as Prometheus answers

function otlpOf(family, samples, attrs) {
	const points = samples.map(([t, v, sum]) => {
		const at = { timeUnixNano: nano(t), attributes: attributes(attrs) };
		if (family.type === 'histogram') return { ...at, count: String(v.reduce((a, b) => a + b)), sum, explicitBounds: bounds, bucketCounts: v.map(String) };
		const text = { NaN: 'NaN', '+Inf': 'Infinity', '-Inf': '-Infinity' }[v];
		return Number.isInteger(v) && Math.abs(v) < 2 ** 53 && family.type === 'counter' ? { ...at, asInt: String(v) } : { ...at, asDouble: text ?? v };
	});
	const metric = { name: family.name, unit: family.unit };
	if (family.type === 'counter') return { ...metric, sum: { isMonotonic: true, aggregationTemporality: 2, dataPoints: points } };
	return family.type === 'gauge' ? { ...metric, gauge: { dataPoints: points } } : { ...metric, histogram: { aggregationTemporality: 2, dataPoints: points } };
}

describe('the same series in weir and in Prometheus', () => {
	before(async () => {
		for (const family of families)
			for (const { labels: { job, instance, ...rest }, samples } of family.series)
				await send({ 'service.name': job, 'service.instance.id': instance }, [otlpOf(family, samples, rest)], { tenant: 'golden' });
		await settled('golden');
	});

	const compare = (got, wanted, what) => {
		assert.equal(got.resultType, wanted.type, what);
		if (wanted.type === 'scalar' || wanted.type === 'string') {
			assert.equal(got.result[0], wanted.result[0], what);
			return wanted.type === 'string' ? assert.equal(got.result[1], wanted.result[1]) : close(got.result[1], wanted.result[1], what);
		}
		const ordered = /^(topk|bottomk|sort)/.test(wanted.query) && wanted.kind === 'instant';
		const list = (r) => (ordered ? r : r.toSorted((a, b) => (keyOf(a.metric) < keyOf(b.metric) ? -1 : 1)));
		const a = list(got.result), b = list(wanted.result);
		assert.deepEqual(a.map((s) => keyOf(s.metric)), b.map((s) => keyOf(s.metric)), what);
		b.forEach((s, i) => {
			const points = (x) => x.values ?? [x.value];
			assert.deepEqual(points(a[i]).map(([t]) => t), points(s).map(([t]) => t), `${what}: times of ${keyOf(s.metric)}`);
			points(s).forEach(([t, v], k) => close(points(a[i])[k][1], v, `${what}: ${keyOf(s.metric)} at ${t}`));
		});
	};

	const byQuery = Map.groupBy ? Map.groupBy(answers, (a) => a.query) : answers.reduce((m, a) => m.set(a.query, [...(m.get(a.query) ?? []), a]), new Map());
	for (const [query, list] of byQuery)
		it(query, async () => {
			for (const wanted of list) {
				const { kind, time, start, end, step } = wanted;
				const got = await prometheus(kind === 'range' ? 'query_range' : 'query', kind === 'range' ? { query, start, end, step } : { query, time }, { tenant: 'golden' });
				if (wanted.error) {
					assert.deepEqual([got.status, got.errorType], [wanted.error === 'bad_data' ? 400 : 422, wanted.error], `${query}: ${got.error}`);
					assert.match(got.error, /column \d+/, query);
					continue;
				}
				assert.equal(got.status, 200, `${query}: ${got.error}`);
				compare(got.data, wanted, `${query} (${kind} ${time ?? ''})`);
			}
		});
});

// ---- what OTLP becomes

const now = Math.floor(Date.now() / 1000) * 1000;
const at = now / 1000;
const gauge = (name, points, more) => ({ name, gauge: { dataPoints: points }, ...more });
const point = (value, attrs = {}, t = now, more = {}) => ({ timeUnixNano: nano(t), attributes: attributes(attrs), asDouble: value, ...more });

describe('names, units and labels', () => {
	const tenant = 'names';
	const cases = [
		['http.server.request.duration', 's', 'gauge', 'http_server_request_duration_seconds'], ['requests', '{request}', 'counter', 'requests_total'], ['requests_total', '1', 'counter', 'requests_total'],
		['total.requests', '', 'counter', 'requests_total'], ['cpu.utilization', '1', 'gauge', 'cpu_utilization_ratio'], ['memory.usage', 'By', 'updown', 'memory_usage_bytes'],
		['disk.io', 'By/s', 'gauge', 'disk_io_bytes_per_second'], ['disk.io.bytes', 'By', 'counter', 'disk_io_bytes_total'], ['queue time ms', 'ms', 'gauge', 'queue_time_ms_milliseconds'],
		['2xx', '', 'gauge', '_2xx'], ['a--b..c', '', 'gauge', 'a_b_c'], ['job:rate:sum', '', 'gauge', 'job:rate:sum'], ['flow', 'm/min', 'gauge', 'flow_meters_per_min'],
		['speed', 'km/h', 'gauge', 'speed_km_per_hour'], ['things', '{thing}/s', 'gauge', 'things_per_second'], ['温度', 'Cel', 'gauge', '温度'],
	];
	before(async () => {
		await send({ 'service.name': 'shop', 'service.namespace': 'eu', 'service.instance.id': 'i-1', 'host.name': 'h1', 'k8s.pod.ip': [1, 2], '2nd': true },
			cases.map(([name, unit, kind], i) => (kind === 'gauge' ? { name, unit, description: `number ${i}`, gauge: { dataPoints: [point(i)] } }
				: { name, unit, description: `number ${i}`, sum: { isMonotonic: kind === 'counter', aggregationTemporality: 2, dataPoints: [point(i)] } })),
			{ tenant, scope: { name: 'lib', version: '1.2', attributes: { 'build.id': 7 } } });
		await send({ 'service.name': 'plain' }, [gauge('labels', [point(1, { 'http.route': '/a', 'http_route': '/b', '2xx': 1.5, _private: true, list: ['a', 1], bytes: { bytes: 'hi' }, whole: 3, __reserved__: 'r', job: 'mine', 'a b': 'x', big: 1e22 })])], { tenant });
		await settled(tenant);
	});

	for (const [name, unit, kind, wanted] of cases)
		it(`${name} in "${unit}", a ${kind}, is ${wanted}`, async () => {
			const i = cases.findIndex((c) => c[3] === wanted && c[0] === name);
			const query = /^[\w:]+$/.test(wanted) ? wanted : `{"${wanted}"}`;
			const all = await vector(query, at, { tenant });
			const labels = { __name__: wanted, job: 'eu/shop', instance: 'i-1', otel_scope_name: 'lib', otel_scope_version: '1.2', otel_scope_build_id: '7' };
			// Two of them have the same name in PromQL and are the same series: the one that came last.
			const same = cases.findLastIndex((c) => c[3] === wanted);
			assert.deepEqual(all, { [keyOf(labels)]: same }, `${name} (${i})`);
		});

	it('attributes are labels: cleaned, joined where they clash, values as text', async () => {
		const { result } = await ask('labels', { time: at }, { tenant });
		assert.deepEqual(result[0].metric, { __name__: 'labels', job: 'plain', http_route: '/a;/b', key_2xx: '1.5', key_private: 'true', list: '["a",1]', bytes: Buffer.from('hi').toString('base64'),
			whole: '3', __reserved__: 'r', a_b: 'x', big: '1e+22' });
	});

	it('a query may say names as OTLP has them, in quotes', async () => {
		assert.equal(await only('{"http.server.request.duration"}', at, { tenant }), 0);
		assert.equal(await only('labels{"http.route"=~"/a.*"}', at, { tenant }), 1);
		assert.deepEqual(Object.keys(await vector('sum by ("http.route") (labels)', at, { tenant })), [keyOf({ http_route: '/a;/b' })]);
		assert.deepEqual(await vector('{"no.such.name"}', at, { tenant }), {});
	});

	it('target_info has the rest of a resource, and joins', async () => {
		const { result } = await ask('target_info', { time: at }, { tenant });
		assert.deepEqual(result.map((s) => [s.metric, s.value[1]]), [[{ __name__: 'target_info', job: 'eu/shop', instance: 'i-1', host_name: 'h1', k8s_pod_ip: '[1,2]', key_2nd: 'true' }, '1']]);
		assert.deepEqual(await vector('sum by (job, instance) (cpu_utilization_ratio) * on (job, instance) group_left (host_name) target_info', at, { tenant }),
			{ [keyOf({ job: 'eu/shop', instance: 'i-1', host_name: 'h1' })]: cases.findIndex((c) => c[3] === 'cpu_utilization_ratio') });
	});

	it('what there is: names, labels, values, series, metadata', async () => {
		const names = (await prometheus('label/__name__/values', {}, { tenant })).data;
		assert.deepEqual(names, [...new Set([...cases.map((c) => c[3]), 'labels', 'target_info', ...names.filter((n) => n.startsWith('mark'))])].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
		assert.deepEqual((await prometheus('label/job/values', { 'match[]': '{job=~".+",job!="mark"}' }, { tenant })).data, ['eu/shop', 'plain']);
		assert.deepEqual((await prometheus('label/http_route/values', {}, { tenant })).data, ['/a;/b']);
		assert.deepEqual((await prometheus('label/nothing/values', {}, { tenant })).data, []);
		assert.deepEqual((await prometheus('labels', { 'match[]': 'requests_total' }, { tenant })).data, ['__name__', 'instance', 'job', 'otel_scope_build_id', 'otel_scope_name', 'otel_scope_version']);
		const two = new URLSearchParams([['match[]', '_2xx'], ['match[]', 'a_b_c{job="eu/shop"}'], ['match[]', 'a_b_c{job="x"}']]);
		for (const method of ['GET', 'POST']) assert.deepEqual((await prometheus('series', two, { tenant, method })).data.map((s) => s.__name__), ['_2xx', 'a_b_c']);
		const cut = await prometheus('series', { 'match[]': '{job="eu/shop"}', limit: 2 }, { tenant });
		assert.deepEqual([cut.data.length, cut.warnings], [2, ['results truncated due to limit']]);
		assert.deepEqual((await prometheus('series', { 'match[]': '_2xx', end: at - 60 }, { tenant })).data, []);
		assert.deepEqual((await prometheus('series', { 'match[]': '_2xx', start: at + 1 }, { tenant })).data, []);
		assert.equal((await prometheus('series', { 'match[]': '_2xx', start: at, end: at }, { tenant })).data.length, 1);
		const { data } = await prometheus('metadata', {}, { tenant });
		assert.deepEqual(data.memory_usage_bytes, [{ type: 'gauge', help: 'number 5', unit: 'By' }]);
		assert.deepEqual(data.requests_total.map((m) => m.type), ['counter', 'counter', 'counter']);
		assert.deepEqual(Object.keys((await prometheus('metadata', { metric: 'requests_total' }, { tenant })).data), ['requests_total']);
		assert.deepEqual((await prometheus('metadata', { metric: 'requests_total', limit_per_metric: 1 }, { tenant })).data.requests_total.length, 1);
	});

	it('weir names them in its own way too', async () => {
		const { body } = await weir.get('/api/v1/metric_names?contains=disk', { headers: { 'x-scope-orgid': tenant } });
		assert.deepEqual(body.metrics.map((m) => [m.name, m.names, m.otlp_name, m.type, m.metric_type, m.temporality, m.unit, m.series_count, m.point_count]),
			[['disk_io_bytes_per_second', ['disk_io_bytes_per_second'], 'disk.io', 'gauge', 'gauge', null, 'By/s', 1, 1], ['disk_io_bytes_total', ['disk_io_bytes_total'], 'disk.io.bytes', 'counter', 'sum', 'cumulative', 'By', 1, 1]]);
		assert.equal((await weir.get('/api/v1/metric_names?limit=2', { headers: { 'x-scope-orgid': tenant } })).body.truncated, true);
	});

	it('nothing of another tenant', async () => {
		assert.deepEqual(await vector('labels', at, { tenant: 'somebody' }), {});
		assert.deepEqual((await prometheus('label/__name__/values', {}, { tenant: 'somebody' })).data, []);
	});
});

// ---- distributions

let state = 7n;
const random = () => {
	state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
	return Number(state >> 11n) / 2 ** 53;
};

// What an exponential histogram of these values is, by the definition of the data model.
function exponential(values, scale) {
	const index = (v) => Math.ceil(Math.log2(v) * 2 ** scale) - 1;
	const side = (list) => {
		if (list.length === 0) return { offset: 0, bucketCounts: [] };
		const all = list.map(index), offset = Math.min(...all);
		const counts = Array(Math.max(...all) - offset + 1).fill(0);
		for (const i of all) counts[i - offset]++;
		return { offset, bucketCounts: counts.map(String) };
	};
	return { count: String(values.length), sum: values.reduce((a, b) => a + b, 0), scale, zeroCount: String(values.filter((v) => v === 0).length),
		positive: side(values.filter((v) => v > 0)), negative: side(values.filter((v) => v < 0).map((v) => -v)) };
}

describe('exponential histograms', () => {
	const tenant = 'native', step = 15000, count = 20;
	const scales = { a: 3, b: 5 };
	const seen = { a: [], b: [] }; // values so far, a list a point
	before(async () => {
		for (const instance of ['a', 'b']) {
			const values = [], points = [];
			for (let i = 0; i < count; i++) {
				for (let k = 0; k < 30; k++) values.push(random() < 0.05 ? 0 : Math.exp(random() * 8 - 4) * (random() < 0.1 ? -1 : 1));
				seen[instance].push([...values]);
				points.push({ timeUnixNano: nano(now - (count - 1 - i) * step), startTimeUnixNano: nano(now - 600000), attributes: [], ...exponential(values, scales[instance]) });
			}
			await send({ 'service.name': 'n', 'service.instance.id': instance }, [{ name: 'latency', unit: 's', exponentialHistogram: { aggregationTemporality: 2, dataPoints: points } }], { tenant });
		}
		await settled(tenant);
	});

	// A quantile is right when it is in the bucket that has the value of that rank.
	const inBucket = (got, values, q, scale) => {
		const sorted = values.toSorted((a, b) => a - b), v = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
		const width = 2 ** (2 ** -scale);
		if (v === 0) return assert.ok(Math.abs(got) < 1e-9, `${got} for 0`);
		assert.ok(Math.sign(got) === Math.sign(v) && Math.abs(got) <= Math.abs(v) * width && Math.abs(got) >= Math.abs(v) / width, `quantile ${q}: ${got} for ${v}`);
	};

	it('count, sum, average, and quantiles within a bucket', async () => {
		for (const instance of ['a', 'b']) {
			const values = seen[instance].at(-1), selector = `latency_seconds{instance="${instance}"}`;
			near(await only(`histogram_count(${selector})`, at, { tenant }), values.length, 'count');
			near(await only(`histogram_sum(${selector})`, at, { tenant }), values.reduce((a, b) => a + b), 'sum');
			near(await only(`histogram_avg(${selector})`, at, { tenant }), values.reduce((a, b) => a + b) / values.length, 'average');
			for (const q of [0.01, 0.25, 0.5, 0.9, 0.99, 1]) inBucket(await only(`histogram_quantile(${q}, ${selector})`, at, { tenant }), values, q, scales[instance]);
			const part = values.filter((v) => v > 0).length / values.length;
			near(await only(`histogram_fraction(0, +Inf, ${selector})`, at, { tenant }), part + values.filter((v) => v === 0).length / values.length, 'fraction', 1e-6);
		}
	});

	it('the sum of two has the values of both, at the lower scale', async () => {
		const values = [...seen.a.at(-1), ...seen.b.at(-1)];
		near(await only('histogram_count(sum(latency_seconds))', at, { tenant }), values.length, 'count');
		for (const q of [0.1, 0.5, 0.95]) inBucket(await only(`histogram_quantile(${q}, sum(latency_seconds))`, at, { tenant }), values, q, 3);
	});

	it('increase is of what came in between', async () => {
		// A window with whole steps between first and last sample, which end where it does: 4 of 5 samples' distance.
		const first = seen.a.at(-5), last = seen.a.at(-1);
		const raw = last.length - first.length, factor = (4 * 15 + 14) / (4 * 15);
		near(await only('histogram_count(increase(latency_seconds{instance="a"}[74s]))', at, { tenant }), raw * factor, 'increase');
		inBucket(await only('histogram_quantile(0.5, rate(latency_seconds{instance="a"}[74s]))', at, { tenant }), last.slice(first.length), 0.5, 3);
	});

	it('buckets as they were sent', async () => {
		const { result } = await ask('latency_seconds{instance="a"}', { time: at }, { tenant });
		const sent = exponential(seen.a.at(-1), 3);
		const [, h] = result[0].histogram;
		const positive = h.buckets.filter(([open]) => open === 0);
		assert.deepEqual(positive.map((b) => b[3]), sent.positive.bucketCounts.filter((c) => c !== '0'));
		assert.deepEqual(h.buckets.filter(([open]) => open === 1).map((b) => b[3]), sent.negative.bucketCounts.filter((c) => c !== '0').reverse());
		assert.deepEqual(h.buckets.filter(([open]) => open === 3).map((b) => b[3]), [sent.zeroCount]);
		const firstIndex = sent.positive.offset + sent.positive.bucketCounts.findIndex((c) => c !== '0');
		near(Number(positive[0][1]), 2 ** (firstIndex / 8), 'lower bound');
		near(Number(positive[0][2]), 2 ** ((firstIndex + 1) / 8), 'upper bound');
	});
});

describe('histograms, summaries, temporality, staleness', () => {
	const tenant = 'kinds', step = 10000, count = 30;
	const t = (i) => now - (count - 1 - i) * step;
	const deltas = Array.from({ length: count }, () => Math.floor(random() * 50));
	const buckets = deltas.map((n) => [Math.floor(n / 2), n - Math.floor(n / 2), 0]);
	before(async () => {
		const sum = (name, temporality, points, isMonotonic = true) => ({ name, sum: { isMonotonic, aggregationTemporality: temporality, dataPoints: points } });
		const at1 = (i, more) => ({ timeUnixNano: nano(t(i)), startTimeUnixNano: nano(t(i) - step), attributes: [], ...more });
		await send({ 'service.name': 'k' }, [
			sum('delta', 1, deltas.map((n, i) => at1(i, { asInt: String(n) }))),
			sum('gap', 1, deltas.map((n, i) => at1(i, { asInt: String(n) })).filter((_, i) => i < 10 || i >= 20)),
			sum('updown', 1, deltas.map((n, i) => at1(i, { asInt: String(n - 25) })), false),
			{ name: 'sizes', unit: 'By', histogram: { aggregationTemporality: 1, dataPoints: deltas.map((n, i) => at1(i, { count: String(n), sum: n * 3, explicitBounds: [10, 100], bucketCounts: buckets[i].map(String) })) } },
			{ name: 'bare', histogram: { aggregationTemporality: 2, dataPoints: [at1(count - 1, { count: '7' })] } },
			{ name: 'rpc', unit: 'ms', summary: { dataPoints: [at1(count - 1, { count: '10', sum: 25.5, quantileValues: [{ quantile: 0.5, value: 2 }, { quantile: 0.99, value: 9.5 }] })] } },
			// It counts on, though the process began anew: only its start says so.
			sum('anew', 2, Array.from({ length: count }, (_, i) => ({ timeUnixNano: nano(t(i)), startTimeUnixNano: nano(i < 15 ? t(0) - 1000 : t(15) - 1000), asInt: String(i < 15 ? 100 + i : 200 + i) }))),
			gauge('ended', [...Array.from({ length: 20 }, (_, i) => point(i, {}, t(i))), { timeUnixNano: nano(t(20)), flags: 1 }]),
			sum('both', 1, deltas.slice(0, 15).map((n, i) => at1(i, { asInt: String(n) }))),
		], { tenant });
		let total = 0;
		await send({ 'service.name': 'k' }, [sum('both', 2, deltas.slice(15).map((n, i) => ({ timeUnixNano: nano(t(15 + i)), startTimeUnixNano: nano(t(15) - step + 1), asInt: String((total += n)) })))], { tenant });
		// The same moment again: the last one counts.
		await send({ 'service.name': 'k' }, [gauge('twice', [point(1)])], { tenant });
		await send({ 'service.name': 'k' }, [gauge('twice', [point(2)])], { tenant });
		await settled(tenant);
	});
	const total = (a, b) => deltas.slice(a, b).reduce((x, y) => x + y, 0);

	it('delta points are added up by rate() and increase(), and are as they came elsewhere', async () => {
		assert.equal(await only('delta_total', at, { tenant }), deltas.at(-1));
		assert.equal(await only('sum_over_time(delta_total[100s])', at, { tenant }), total(count - 10));
		// Ten points, the first of which says when it began to count: 100 s of 100 s, nothing to extrapolate.
		near(await only('increase(delta_total[100s])', at, { tenant }), total(count - 10) * (1 + 0), 'increase', 0.15);
		const window = `${(count * step) / 1000 + 60}s`;
		near(await only(`increase(delta_total[${window}])`, at, { tenant }), total(0), 'all of it', 0.04);
		near(await only(`increase(gap_total[${window}])`, at, { tenant }), total(0, 10) + total(20), 'with a gap', 0.04);
		assert.equal(await only('updown', at, { tenant }), deltas.at(-1) - 25);
		assert.equal(await only('sum_over_time(updown[100s])', at, { tenant }), total(count - 10) - 250);
	});

	it('a delta histogram: buckets, sum, count, quantiles of its increase', async () => {
		const le = await vector('sizes_bytes_bucket', at, { tenant });
		const label = (x) => keyOf({ __name__: 'sizes_bytes_bucket', job: 'k', le: x });
		assert.deepEqual(le, { [label('10')]: buckets.at(-1)[0], [label('100')]: deltas.at(-1), [label('+Inf')]: deltas.at(-1) });
		const first = buckets.slice(-12).reduce((n, b) => n + b[0], 0), all = total(count - 12);
		const got = await only('histogram_quantile(0.9, increase(sizes_bytes_bucket[2m]))', at, { tenant });
		near(got, 10 + 90 * ((0.9 * all - first) / (all - first)), 'quantile', 0.1);
		near(await only('increase(sizes_bytes_sum[2m]) / increase(sizes_bytes_count[2m])', at, { tenant }), 3, 'average');
	});

	it('a histogram without buckets has one, and a summary its quantiles', async () => {
		assert.deepEqual(await vector('bare_bucket', at, { tenant }), { [keyOf({ __name__: 'bare_bucket', job: 'k', le: '+Inf' })]: 7 });
		assert.deepEqual(await vector('bare_sum', at, { tenant }), {});
		assert.deepEqual(await vector('{__name__=~"rpc.*"}', at, { tenant }), { [keyOf({ __name__: 'rpc_milliseconds', job: 'k', quantile: '0.5' })]: 2, [keyOf({ __name__: 'rpc_milliseconds', job: 'k', quantile: '0.99' })]: 9.5,
			[keyOf({ __name__: 'rpc_milliseconds_sum', job: 'k' })]: 25.5, [keyOf({ __name__: 'rpc_milliseconds_count', job: 'k' })]: 10 });
		assert.equal(await only('rpc_milliseconds{quantile="0.99"}', at, { tenant }), 9.5);
		assert.deepEqual((await prometheus('label/le/values', {}, { tenant })).data, ['+Inf', '10', '100']);
		assert.deepEqual((await prometheus('series', { 'match[]': 'sizes_bytes_bucket{le!="10"}' }, { tenant })).data.map((s) => s.le), ['+Inf', '100']);
		assert.ok((await prometheus('labels', {}, { tenant })).data.includes('quantile'));
	});

	it('a start time behind the sample before is a reset', async () => {
		// 14 up to it, then 215 from nothing, then 14 more.
		assert.equal(await only('resets(anew_total[10m])', at, { tenant }), 1);
		near(await only('increase(anew_total[289s])', at, { tenant }), (13 + 215 + 14) * 1, 'increase', 0.05);
	});

	it('a point without a recorded value ends a series at once', async () => {
		const asked = (i) => vector('ended', t(i) / 1000, { tenant });
		assert.deepEqual(Object.values(await asked(19)), [19]);
		assert.deepEqual(await asked(20), {});
		assert.deepEqual(await asked(22), {});
		assert.deepEqual(Object.values(await vector('count_over_time(ended[5m])', at, { tenant })), [20]);
	});

	it('a series that changed its temporality is one counter', async () => {
		assert.equal(Object.keys(await vector('both_total', at, { tenant })).length, 1);
		near(await only(`increase(both_total[${count * 10 - 1}s])`, at, { tenant }), total(1), 'increase', 0.05);
	});

	it('of two points of one moment the last one counts', async () => assert.equal(await only('twice', at, { tenant }), 2));
});

// ---- as a client asks

describe('the API', () => {
	before(async () => {
		await send({ 'service.name': 'api' }, [gauge('up', Array.from({ length: 10 }, (_, i) => point(i, { n: `${i % 3}` }, now - (9 - i) * 10000)))]);
		await settled();
	});

	it('GET and a form are the same, also across sites', async () => {
		const params = { query: 'sum by (n) (up)', time: at };
		const get = await prometheus('query', params), post = await prometheus('query', params, { method: 'POST' });
		assert.deepEqual(post, get);
		assert.equal(get.data.result.length, 3);
		const range = { query: 'up', start: at - 60, end: at, step: '15s' };
		assert.deepEqual(await prometheus('query_range', range, { method: 'POST' }), await prometheus('query_range', range));
		const res = await fetch(`http://${weir.api}/prometheus/api/v1/query`, { method: 'POST', headers: { origin: 'https://grafana.example', 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }, body: 'query=1' });
		assert.equal(res.status, 200);
	});

	it('times and steps as Prometheus takes them; what it does not know it ignores', async () => {
		const iso = new Date(now).toISOString();
		for (const [start, end, step] of [[at - 20, at, 10], [`${at - 20}.000`, iso, '10s'], [new Date(now - 20000).toISOString(), at, '10.0']]) {
			const { data, error } = await prometheus('query_range', { query: 'vector(1)', start, end, step, max_source_resolution: 'x', dedup: 'true' });
			assert.deepEqual(data?.result[0].values.map(([t]) => t), [at - 20, at - 10, at], error);
		}
		assert.equal((await prometheus('query', { query: 'time()', time: '1435781451.781' })).data.result[1], '1435781451.781');
		assert.deepEqual((await prometheus('query_range', { query: 'vector(1)', start: at, end: at, step: 15 })).data, { resultType: 'matrix', result: [{ metric: {}, values: [[at, '1']] }] });
		assert.deepEqual((await prometheus('query_range', { query: 'pi()', start: at, end: at, step: 15 })).data, { resultType: 'matrix', result: [{ metric: {}, values: [[at, '3.141592653589793']] }] });
		assert.equal((await prometheus('query', { query: 'up', time: at, lookback_delta: '1ms' })).data.result.length, 1);
		assert.equal((await prometheus('query', { query: 'up', time: at, stats: 'all' })).data.stats.samples.totalQueryableSamples, 10);
		assert.deepEqual((await prometheus('query', { query: 'up', time: at, limit: 1 })).warnings, ['results truncated due to limit']);
	});

	it('errors name the column, in the shape of the API that was asked', async () => {
		const bad = await prometheus('query', { query: 'sum(up) +\n  rate(up)' });
		assert.deepEqual([bad.status, bad.errorType], [400, 'bad_data']);
		assert.match(bad.error, /line 2, column 8/);
		const own = await weir.get(`/api/v1/query?query=${encodeURIComponent('up{n=}')}`);
		assert.deepEqual([own.status, own.body.error.code], [400, 'invalid']);
		assert.match(own.body.error.message, /^parameter query: parse error at column 6/);
		const many = await prometheus('query', { query: 'up + on () up', time: at });
		assert.deepEqual([many.status, many.errorType], [422, 'execution']);
		assert.match(many.error, /at column 4/);
		for (const [path, params, message] of [['query_range', { query: 'up', start: at, end: at - 1, step: 1 }, /start and end: the end is before the start/], ['query_range', { query: 'up', start: at, end: at, step: 0 }, /parameter step/],
			['query_range', { query: 'up[5m]', start: at, end: at, step: 1 }, /range vector/], ['query_range', { query: 'up', start: 'x', end: at, step: 1 }, /parameter start/],
			['query_range', { query: 'up', start: at - 12000, end: at, step: 1 }, /12001 steps are more than 11000 \(--max-query-steps\)/], ['series', {}, /parameter match\[\]/], ['series', { 'match[]': '{' }, /parameter match\[\]: parse error/],
			['query', {}, /parameter query: missing/], ['query', { query: 'up', time: 'NaN' }, /parameter time/], ['query', { query: 'up', timeout: '-1s' }, /parameter timeout/]]) {
			const { status, error, errorType } = await prometheus(path, params);
			assert.deepEqual([status, errorType], [400, 'bad_data'], `${path} ${JSON.stringify(params)}: ${error}`);
			assert.match(error, message);
		}
		const json = await fetch(`http://${weir.api}/prometheus/api/v1/query`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"1"}' });
		assert.equal(json.status, 415);
	});

	it('buildinfo and format_query', async () => {
		assert.match((await prometheus('status/buildinfo', {})).data.version, /^3\.\d+\.\d+$/);
		assert.equal((await prometheus('format_query', { query: 'sum(  up{n="1"} )by(n)' })).data, 'sum by (n) (up{n="1"})');
	});

	it('weir has its own shape', async () => {
		const asked = async (path) => (await weir.get(path)).body;
		const instant = await asked(`/api/v1/query?query=${encodeURIComponent('max by (n) (up)')}&time=${now}`);
		assert.deepEqual(instant.series.map((s) => [s.labels, s.points[0][1]]), [[{ n: '0' }, 9.0], [{ n: '1' }, 7.0], [{ n: '2' }, 8.0]]);
		assert.equal(instant.series[0].points[0][0], new Date(now).toISOString().replace('Z', '000000Z'));
		const range = await asked(`/api/v1/query_range?query=up&from=${now - 90000}&to=${now}&step=30s`);
		assert.deepEqual([range.type, range.count, range.series.map((s) => s.points.length)], ['matrix', 3, [4, 3, 3]]);
		assert.equal((await asked('/api/v1/query_range?query=vector(1)&last=1h')).series[0].points.length, 121);
		assert.deepEqual(await asked('/api/v1/query?query=%22text%22').then((b) => [b.type, b.text]), ['string', 'text']);
		assert.equal((await asked(`/api/v1/query?query=up&lookback=1ns&time=${now}`)).count, 1);
		assert.equal((await weir.get(`/api/v1/query_range?query=up&from=${now}&last=1h`)).status, 400);
	});

	it('and commands', async () => {
		const env = { WEIR_URL: `http://${weir.api}` };
		const weirRun = (args) => run(args, { env });
		const json = await weirRun(['query', 'sum(up)', '--time', String(now)]);
		assert.equal(JSON.parse(json.stdout).series[0].points[0][1], 24);
		const table = await weirRun(['query', 'max by (n) (up)', '--time', String(now), '-o', 'table']);
		assert.match(table.stdout, /SERIES +VALUE\n\{n="0"\} +9\n/);
		const range = await weirRun(['range', '--query=sum(up)', '--from', String(now - 90000), '--to', String(now), '--step', '30s', '-o', 'table']);
		assert.match(range.stdout, /OVER TIME/);
		const names = await weirRun(['names', '--contains', 'up', '-o', 'ndjson']);
		assert.equal(JSON.parse(names.stdout.split('\n')[0]).otlp_name, 'up');
		const bad = await weirRun(['query', 'sum(']);
		assert.deepEqual([bad.code, /--query: parse error at column 5/.test(bad.stderr)], [2, true], bad.stderr);
		assert.equal((await weirRun(['query'])).code, 2);
	});
});

describe('limits', () => {
	let small;
	before(async () => {
		small = await Weir.start({ args: ['--max-query-series', '10', '--max-query-samples', '100', '--max-query-steps', '50'] });
		const points = Array.from({ length: 12 }, (_, i) => point(i, { n: `n${String(i).padStart(2, '0')}` }));
		const res = await fetch(`http://${small.http}/v1/metrics`, { method: 'POST', headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ resourceMetrics: [{ resource: { attributes: attributes({ 'service.name': 's' }) }, scopeMetrics: [{ metrics: [gauge('many', points), gauge('long', Array.from({ length: 150 }, (_, i) => point(i, {}, now - i * 1000)))] }] }] }) });
		assert.equal(res.status, 200, await res.text());
		await small.until('/api/v1/metrics?name=long&limit=1', (b) => b.count === 1);
	});
	after(() => small.stop());
	const asked = async (query, path = 'query', more = '') => {
		const { body, status } = await small.get(`/prometheus/api/v1/${path}?query=${encodeURIComponent(query)}&time=${at}${more}`);
		return { status, error: body.error, count: body.data?.result.length };
	};

	it('series, samples and steps, each named', async () => {
		assert.deepEqual(await asked('many{n=~"n0.*"}'), { status: 200, error: undefined, count: 10 });
		const series = await asked('many');
		assert.equal(series.status, 422);
		assert.match(series.error, /more than 10 series \(--max-query-series\)/);
		const samples = await asked('count_over_time(long[1h])');
		assert.equal(samples.status, 422);
		assert.match(samples.error, /100 \(--max-query-samples\)/);
		assert.equal((await asked('count_over_time(long[90s])')).status, 200);
		assert.match((await asked('count_over_time(long[90s]) + count_over_time(long[80s])')).error, /--max-query-samples/);
		const steps = await small.get(`/prometheus/api/v1/query_range?query=1&start=${at - 51}&end=${at}&step=1`);
		assert.match(steps.body.error, /52 steps are more than 50 \(--max-query-steps\)/);
		const listed = await small.get('/prometheus/api/v1/series?match[]=many');
		assert.deepEqual([listed.status, /--max-query-series/.test(listed.body.error)], [422, true]);
	});

	it('length, depth and regular expressions', async () => {
		assert.match((await asked(`${'('.repeat(300)}1${')'.repeat(300)}`)).error, /nested more than 250 deep/);
		assert.equal((await asked(`${'-'.repeat(240)}1`)).status, 200);
		const long = await prometheus('query', { query: `1${'+1'.repeat(6000)}` }, { method: 'POST' });
		assert.match(long.error, /nested more than 250 deep/);
		assert.match((await prometheus('query', { query: ' '.repeat(70000) }, { method: 'POST' })).error, /longer than 65536 bytes/);
		assert.equal((await asked(`many{n=~"(${'n?'.repeat(40)}${'n'.repeat(40)})*x"}`)).status, 200);
	});

	it('time', async () => {
		const started = Date.now();
		const slow = await prometheus('query', { query: 'sum_over_time(quantile_over_time(0.5, vector(1)[49999s:1s])[49999s:1s])', timeout: '50ms' });
		assert.deepEqual([slow.status, slow.errorType], [503, 'timeout'], JSON.stringify(slow));
		assert.ok(Date.now() - started < 10000);
	});
});
