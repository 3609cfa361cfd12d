// SPDX-License-Identifier: Apache-2.0
//
// What the API must answer, computed from the SDK's own objects (ReadableSpan, ReadableLogRecord,
// ResourceMetrics): an account of what was sent that does not go through weir.

export const hrNano = ([s, ns]) => BigInt(s) * 1000000000n + BigInt(ns);

// 2026-11-20T15:12:11.000000042Z
export function rfc3339(nano) {
	const seconds = new Date(Number(nano / 1000000000n) * 1000).toISOString().slice(0, 19);
	return `${seconds}.${String(nano % 1000000000n).padStart(9, '0')}Z`;
}

const base64 = (bytes) => Buffer.from(bytes).toString('base64');

// An attribute value or log body in the API's form.
export function value(v) {
	if (v === undefined || v === null) return null;
	if (v instanceof Uint8Array) return { $bytes: base64(v) };
	if (Array.isArray(v)) return v.map(value);
	if (typeof v === 'object')
		return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, value(x)]));
	if (typeof v === 'number' && !Number.isFinite(v)) return String(v);
	return v;
}

export const attributes = (a) => value(a ?? {});

export function resource(r) {
	return {
		attributes: attributes(r.attributes),
		dropped_attributes_count: 0,
		schema_url: r.schemaUrl ?? '',
	};
}

export function scope(s) {
	return {
		name: s.name,
		version: s.version ?? '',
		attributes: attributes(s.attributes),
		dropped_attributes_count: 0,
		schema_url: s.schemaUrl ?? '',
	};
}

const kinds = ['internal', 'server', 'client', 'producer', 'consumer'];
const statuses = ['unset', 'ok', 'error'];

// SpanFlags: W3C flags in the low byte, CONTEXT_HAS_IS_REMOTE 0x100, CONTEXT_IS_REMOTE 0x200.
const flags = (traceFlags, remote) => (traceFlags & 0xff) | 0x100 | (remote ? 0x200 : 0);

export function span(s) {
	const ctx = s.spanContext();
	const start = hrNano(s.startTime);
	const end = hrNano(s.endTime);
	return {
		trace_id: ctx.traceId,
		span_id: ctx.spanId,
		parent_span_id: s.parentSpanContext?.spanId ?? null,
		service: s.resource.attributes['service.name'],
		operation: s.name,
		kind: kinds[s.kind],
		start_time: rfc3339(start),
		start_time_unix_nano: String(start),
		end_time: rfc3339(end),
		end_time_unix_nano: String(end),
		duration_ms: Number(end - start) / 1e6,
		duration_nano: Number(end - start),
		status: statuses[s.status.code],
		status_message: s.status.message ?? '',
		trace_state: ctx.traceState?.serialize() ?? '',
		flags: flags(ctx.traceFlags, s.parentSpanContext?.isRemote),
		attributes: attributes(s.attributes),
		dropped_attributes_count: s.droppedAttributesCount,
		events: s.events.map((e) => ({
			name: e.name,
			timestamp: rfc3339(hrNano(e.time)),
			time_unix_nano: String(hrNano(e.time)),
			attributes: attributes(e.attributes),
			dropped_attributes_count: e.droppedAttributesCount ?? 0,
		})),
		dropped_events_count: s.droppedEventsCount,
		links: s.links.map((l) => ({
			trace_id: l.context.traceId,
			span_id: l.context.spanId,
			trace_state: l.context.traceState?.serialize() ?? '',
			attributes: attributes(l.attributes),
			dropped_attributes_count: l.droppedAttributesCount ?? 0,
			flags: flags(l.context.traceFlags, l.context.isRemote),
		})),
		dropped_links_count: s.droppedLinksCount,
		resource: resource(s.resource),
		scope: scope(s.instrumentationScope),
	};
}

function severity(n) {
	if (!(n >= 1 && n <= 24)) return 'unspecified';
	return ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][Math.floor((n - 1) / 4)];
}

export function logRecord(l) {
	const time = hrNano(l.hrTime);
	const observed = hrNano(l.hrTimeObserved);
	const event = time || observed;
	return {
		timestamp: rfc3339(event),
		time_unix_nano: String(time),
		observed_timestamp: rfc3339(observed),
		observed_time_unix_nano: String(observed),
		event_time_unix_nano: String(event),
		trace_id: l.spanContext?.traceId ?? null,
		span_id: l.spanContext?.spanId ?? null,
		severity: severity(l.severityNumber),
		severity_number: l.severityNumber ?? 0,
		severity_text: l.severityText ?? '',
		body: value(l.body),
		event_name: l.eventName ?? '',
		service: l.resource.attributes['service.name'],
		attributes: attributes(l.attributes),
		dropped_attributes_count: l.droppedAttributesCount,
		flags: l.spanContext?.traceFlags ?? 0,
		resource: resource(l.resource),
		scope: scope(l.instrumentationScope),
	};
}

// DataPointType: 0 histogram, 1 exponential histogram, 2 gauge, 3 sum. AggregationTemporality: 0 delta,
// 1 cumulative. ValueType: 0 int, 1 double.
const types = ['histogram', 'exponential_histogram', 'gauge', 'sum'];

export function points(resourceMetrics) {
	const out = [];
	for (const { scope: s, metrics } of resourceMetrics.scopeMetrics)
		for (const m of metrics)
			for (const p of m.dataPoints) out.push(point(resourceMetrics.resource, s, m, p));
	return out;
}

function point(r, s, m, p) {
	const time = hrNano(p.endTime);
	const type = types[m.dataPointType];
	const base = {
		timestamp: rfc3339(time),
		time_unix_nano: String(time),
		start_time_unix_nano: String(hrNano(p.startTime)),
		service: r.attributes['service.name'],
		name: m.descriptor.name,
		description: m.descriptor.description,
		unit: m.descriptor.unit,
		metric_type: type,
		temporality: type === 'gauge' ? null : ['delta', 'cumulative'][m.aggregationTemporality],
		is_monotonic: type === 'sum' ? m.isMonotonic : false,
		flags: 0,
		attributes: attributes(p.attributes),
		metadata: {},
		exemplars: [],
		resource: resource(r),
		scope: scope(s),
	};
	const v = p.value;
	if (type === 'histogram')
		return {
			...base, value: v.sum ?? null, count: v.count, sum: v.sum ?? null, min: v.min ?? null,
			max: v.max ?? null, explicit_bounds: v.buckets.boundaries, bucket_counts: v.buckets.counts,
		};
	if (type === 'exponential_histogram')
		return {
			...base, value: v.sum ?? null, count: v.count, sum: v.sum ?? null, min: v.min ?? null,
			max: v.max ?? null, scale: v.scale, zero_count: v.zeroCount, zero_threshold: 0,
			positive: { offset: v.positive.offset, bucket_counts: v.positive.bucketCounts },
			negative: { offset: v.negative.offset, bucket_counts: v.negative.bucketCounts },
		};
	return { ...base, value: v, value_type: m.descriptor.valueType === 0 ? 'int' : 'double' };
}
