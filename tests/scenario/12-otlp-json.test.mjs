// SPDX-License-Identifier: Apache-2.0
//
// OTLP/JSON by hand: the fields no SDK sends, and the freedoms of the JSON mapping.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Weir } from './lib/weir.mjs';

let weir;
before(async () => (weir = await Weir.start()));
after(() => weir.stop());

async function post(path, body, headers = {}) {
	const res = await fetch(`http://${weir.http}${path}`, {
		method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body),
	});
	const text = await res.text();
	return { status: res.status, type: res.headers.get('content-type'), retry: res.headers.get('retry-after'), body: JSON.parse(text) };
}

const any = (key, value) => ({ key, value });
const service = (name) => ({ attributes: [any('service.name', { stringValue: name })] });

it('a span with every field', async () => {
	const span = {
		traceId: '0102030405060708090A0B0C0D0E0F10', spanId: 'A1A2A3A4A5A6A7A8', parentSpanId: 'b1b2b3b4b5b6b7b8', traceState: 'a=1',
		flags: 4294967295, name: 'everything', kind: 99, startTimeUnixNano: '18446744073709551614', endTimeUnixNano: '18446744073709551615',
		attributes: [any('big', { intValue: '9223372036854775807' }), any('small', { intValue: '-9223372036854775808' }), any('n', { intValue: 7 }),
			any('nan', { doubleValue: 'NaN' }), any('inf', { doubleValue: '-Infinity' }), any('d', { doubleValue: 1 }), any('bytes', { bytesValue: '-_8=' }),
			any('unset', {}), any('kv', { kvlistValue: { values: [any('x', { arrayValue: { values: [{ boolValue: true }, {}] } })] } })],
		droppedAttributesCount: 4294967295, unknownMember: { deep: [1, 2, { x: null }] },
		events: [{ timeUnixNano: 5, name: 'e', attributes: [any('k', { stringValue: 'v' })], droppedAttributesCount: 3 }], droppedEventsCount: 2,
		links: [{ traceId: '0102030405060708090a0b0c0d0e0f11', spanId: 'a1a2a3a4a5a6a7a9', traceState: 'b=2', flags: 769, droppedAttributesCount: 1,
			attributes: [any('k', { intValue: '1' })] }], droppedLinksCount: 1, status: { code: 2, message: 'broken' },
	};
	const { status, body } = await post('/v1/traces', {
		resourceSpans: [{
			scopeSpans: [{ spans: [span], scope: { name: 's', version: 'v', attributes: [any('sa', { stringValue: 'x' })], droppedAttributesCount: 6 }, schemaUrl: 'scope-url' }],
			resource: { ...service('all'), droppedAttributesCount: 5, entityRefs: [{ schemaUrl: 'u', type: 'host', idKeys: ['a', 'b'], descriptionKeys: ['c'] }] }, schemaUrl: 'resource-url',
		}],
	});
	assert.equal(status, 200);
	assert.deepEqual(body, {});
	const { spans: [got] } = await weir.until('/api/v1/traces?service=all', (b) => b.count === 1);
	assert.deepEqual(got, {
		trace_id: '0102030405060708090a0b0c0d0e0f10', span_id: 'a1a2a3a4a5a6a7a8', parent_span_id: 'b1b2b3b4b5b6b7b8', service: 'all', operation: 'everything', kind: 99,
		start_time: '2554-07-21T23:34:33.709551614Z', start_time_unix_nano: '18446744073709551614', end_time: '2554-07-21T23:34:33.709551615Z', end_time_unix_nano: '18446744073709551615',
		duration_ms: 0.000001, duration_nano: 1, status: 'error', status_message: 'broken', trace_state: 'a=1', flags: 4294967295,
		attributes: { big: '9223372036854775807', small: '-9223372036854775808', n: 7, nan: 'NaN', inf: '-Infinity', d: 1, bytes: { $bytes: '+/8=' }, unset: null, kv: { x: [true, null] } },
		dropped_attributes_count: 4294967295,
		events: [{ name: 'e', timestamp: '1970-01-01T00:00:00.000000005Z', time_unix_nano: '5', attributes: { k: 'v' }, dropped_attributes_count: 3 }], dropped_events_count: 2,
		links: [{ trace_id: '0102030405060708090a0b0c0d0e0f11', span_id: 'a1a2a3a4a5a6a7a9', trace_state: 'b=2', attributes: { k: 1 }, dropped_attributes_count: 1, flags: 769 }], dropped_links_count: 1,
		resource: { attributes: { 'service.name': 'all' }, dropped_attributes_count: 5, schema_url: 'resource-url', entity_refs: [{ schema_url: 'u', type: 'host', id_keys: ['a', 'b'], description_keys: ['c'] }] },
		scope: { name: 's', version: 'v', attributes: { sa: 'x' }, dropped_attributes_count: 6, schema_url: 'scope-url' },
	});
});

it('metrics of every kind with exemplars, metadata and large counts', async () => {
	const exemplar = { timeUnixNano: '9', asInt: '-3', spanId: 'a1a2a3a4a5a6a7a8', traceId: '0102030405060708090a0b0c0d0e0f10', filteredAttributes: [any('f', { boolValue: true })] };
	const point = { timeUnixNano: '1795187531000000001', startTimeUnixNano: '1795187530000000001', attributes: [any('k', { stringValue: 'v' })] };
	const { status } = await post('/v1/metrics', {
		resourceMetrics: [{
			resource: service('metrics'),
			scopeMetrics: [{
				scope: { name: 'm' },
				metrics: [
					{ name: 'g', unit: '1', description: 'd', metadata: [any('meta', { intValue: 1 })], gauge: { dataPoints: [{ ...point, asDouble: 'Infinity', exemplars: [exemplar] }] } },
					{ name: 's', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...point, asInt: '9223372036854775807' }, { ...point, flags: 1, startTimeUnixNano: '0' }] } },
					{ name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [{ ...point, count: '18446744073709551615', bucketCounts: ['1', '18446744073709551614'], explicitBounds: [-0.5] }] } },
					{ name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ ...point, count: 6, sum: 0, min: -1, max: 1.5, scale: -4, zeroCount: 2, zeroThreshold: 0.25,
						positive: { offset: -3, bucketCounts: [1, '2'] }, negative: { offset: 7, bucketCounts: ['1'] } }] } },
					{ name: 'q', summary: { dataPoints: [{ ...point, count: '4', sum: 10.5, quantileValues: [{ quantile: 0, value: 1 }, { quantile: 0.99, value: 'NaN' }] }] } },
				],
			}],
		}],
	});
	assert.equal(status, 200);
	const { metrics } = await weir.until('/api/v1/metrics?service=metrics', (b) => b.count === 6);
	const of = (name) => metrics.filter((m) => m.name === name);
	const [g] = of('g');
	assert.deepEqual([g.value, g.value_type, g.metadata, g.unit, g.description], ['Infinity', 'double', { meta: 1 }, '1', 'd']);
	assert.deepEqual(g.exemplars, [{ timestamp: '1970-01-01T00:00:00.000000009Z', time_unix_nano: '9', value: -3, trace_id: '0102030405060708090a0b0c0d0e0f10', span_id: 'a1a2a3a4a5a6a7a8', attributes: { f: true } }]);
	const withValue = of('s').find((p) => p.flags === 0);
	const without = of('s').find((p) => p.flags === 1);
	assert.deepEqual([withValue.value, withValue.value_type, withValue.temporality, withValue.is_monotonic], ['9223372036854775807', 'int', 'delta', true]);
	assert.deepEqual([without.value, without.start_time_unix_nano], [null, '0']);
	const [h] = of('h');
	assert.deepEqual([h.count, h.bucket_counts, h.explicit_bounds, h.sum, h.min, h.max], ['18446744073709551615', [1, '18446744073709551614'], [-0.5], null, null, null]);
	const [e] = of('e');
	assert.deepEqual([e.count, e.sum, e.min, e.max, e.scale, e.zero_count, e.zero_threshold, e.positive, e.negative],
		[6, 0, -1, 1.5, -4, 2, 0.25, { offset: -3, bucket_counts: [1, 2] }, { offset: 7, bucket_counts: [1] }]);
	const [q] = of('q');
	assert.deepEqual([q.count, q.sum, q.temporality, q.quantile_values], [4, 10.5, null, [{ quantile: 0, value: 1 }, { quantile: 0.99, value: 'NaN' }]]);
});

it('a bad item is refused alone, counted, and the reason is given', async () => {
	const span = (traceId, name) => ({ traceId, spanId: 'a1a2a3a4a5a6a7a8', name, startTimeUnixNano: '1', endTimeUnixNano: '2' });
	const { status, body } = await post('/v1/traces', {
		resourceSpans: [{ resource: service('partial'), scopeSpans: [{ spans: [
			span('0102030405060708090a0b0c0d0e0f11', 'good'), span('0102', 'short'), span('00000000000000000000000000000000', 'zero'),
			span('not hex', 'words'), span('0102030405060708090a0b0c0d0e0f12', 'good too')] }] }],
	});
	assert.equal(status, 200);
	assert.equal(body.partialSuccess.rejectedSpans, '3');
	assert.match(body.partialSuccess.errorMessage, /trace id/);
	const { spans } = await weir.until('/api/v1/traces?service=partial', (b) => b.count === 2);
	assert.deepEqual(spans.map((s) => s.operation).sort(), ['good', 'good too']);
	assert.equal(await weir.metric('weir_items_rejected_total{signal="traces"}'), 3);
});

it('an empty request is a success', async () => {
	for (const path of ['/v1/traces', '/v1/logs', '/v1/metrics']) {
		const { status, body, type } = await post(path, {});
		assert.deepEqual([status, body, type], [200, {}, 'application/json']);
	}
});

it('malformed JSON is a 400 that says where', async () => {
	for (const bad of ['', '{', '{"resourceSpans":[{}', '[]', '{"resourceSpans":{}}', '{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"x"}]}]}]}',
		'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_SERVER"}]}]}]}', '{"a":"\ud800"}'.replace('\ud800', '\\ud800')]) {
		const { status, body, type } = await post('/v1/traces', bad);
		assert.equal(status, 400, bad);
		assert.equal(type, 'application/json');
		assert.equal(body.code, 3, bad);
		assert.ok(body.message.length > 5, bad);
	}
});

it('two tenants do not see each other', async () => {
	const body = { resourceLogs: [{ resource: service('tenants'), scopeLogs: [{ logRecords: [{ body: { stringValue: 'secret' } }] }] }] };
	assert.equal((await post('/v1/logs', body, { 'x-scope-orgid': 'acme' })).status, 200);
	await weir.until('/api/v1/logs?service=tenants', (b) => b.count === 1, { headers: { 'x-scope-orgid': 'acme' } });
	assert.equal((await weir.get('/api/v1/logs?service=tenants')).body.count, 0);
	assert.equal((await weir.get('/api/v1/services', { headers: { 'x-tenant-id': 'acme' } })).body.count, 1);
	assert.equal((await post('/v1/logs', body, { 'x-scope-orgid': '../x' })).status, 400);
});
