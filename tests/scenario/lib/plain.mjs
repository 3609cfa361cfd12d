// SPDX-License-Identifier: Apache-2.0
//
// Search, the plainest way: what was sent, as plain objects, and for every condition a function of the item. It shares
// nothing with weir but docs/api.md.
import { rfc3339 } from './expect.mjs';

// ---- values of attributes: { int: 3n }, { double: 1.5 }, { bytes: 'AQI=' }, [..], { map: [[k, v]] }, else as they are

export function otlpValue(v) {
	if (v === null) return {};
	if (typeof v === 'string') return { stringValue: v };
	if (typeof v === 'boolean') return { boolValue: v };
	if (Array.isArray(v)) return { arrayValue: { values: v.map(otlpValue) } };
	if ('int' in v) return { intValue: String(v.int) };
	if ('double' in v) return { doubleValue: Number.isFinite(v.double) ? v.double : String(v.double) };
	if ('bytes' in v) return { bytesValue: v.bytes };
	return { kvlistValue: { values: otlpMap(v.map) } };
}

export const otlpMap = (pairs) => pairs.map(([key, v]) => ({ key, value: otlpValue(v) }));

const number = (d) => (Number.isInteger(d) && Math.abs(d) < 1e16 ? `${d}.0` : String(d));

// As JSON without blanks.
function json(v) {
	if (v === null) return 'null';
	if (typeof v === 'string' || typeof v === 'boolean') return JSON.stringify(v);
	if (Array.isArray(v)) return `[${v.map(json).join(',')}]`;
	if ('int' in v) return String(v.int);
	if ('double' in v) return Number.isFinite(v.double) ? number(v.double) : `{"$double":"${v.double}"}`;
	if ('bytes' in v) return `{"$bytes":"${v.bytes}"}`;
	return `{${v.map.map(([k, x]) => `${JSON.stringify(k)}:${json(x)}`).join(',')}}`;
}

// What `=` and `~` compare.
export function text(v) {
	if (typeof v === 'string') return v;
	if (v !== null && typeof v === 'object' && 'double' in v && !Number.isFinite(v.double)) return String(v.double);
	if (v !== null && typeof v === 'object' && 'bytes' in v) return v.bytes;
	return json(v);
}

// Texts that words are looked for in: strings at any depth, not keys, not bytes.
function strings(v) {
	if (typeof v === 'string') return [v];
	if (Array.isArray(v)) return v.flatMap(strings);
	return v !== null && typeof v === 'object' && 'map' in v ? v.map.flatMap(([, x]) => strings(x)) : [];
}

const stringsOf = (pairs) => pairs.flatMap(([, v]) => strings(v));

export const textsOfSpan = (s) => [s.name, s.message, ...stringsOf(s.attributes), ...s.events.flatMap((e) => [e.name, ...stringsOf(e.attributes)])];
const bodyText = (b) => (b === undefined ? '' : typeof b === 'string' ? b : json(b));
export const textsOfLog = (l) => [bodyText(l.body), l.eventName, ...stringsOf(l.attributes)];
export const bodyOf = (l) => bodyText(l.body);

// Small letters, where that is as long.
const fold = (s) => [...s].map((c) => {
	const low = c.toLowerCase();
	if (c === 'ς') return 'σ';
	return Buffer.byteLength(low) === Buffer.byteLength(c) && low.length === c.length ? low : c;
}).join('');

export const hasWord = (texts, word) => texts.some((t) => fold(t).includes(fold(word)));

// ---- conditions

function find(pairs, key) {
	const found = pairs.find(([k]) => k === key);
	return found === undefined ? undefined : { v: found[1] };
}

function valueOf(item, of, key) {
	if (of === 'resource:') return find(item.resource, key);
	if (of === 'scope:') return find(item.scope, key);
	return find(item.attributes, key) ?? (of === '' ? find(item.resource, key) : undefined);
}

// As decimals: both are exact.
function compare(v, op, want) {
	if (v === null || typeof v !== 'object') return false;
	const of = 'int' in v ? Number(v.int) : 'double' in v ? v.double : NaN;
	if (!Number.isFinite(of)) return false;
	return { '>': of > want, '>=': of >= want, '<': of < want, '<=': of <= want }[op];
}

// { of, key, op, value, pattern } as text and as a function.
export function conditionText({ of = '', key, op, value = '', quoted = false }) {
	const k = quoted ? `"${key}"` : key;
	if (op === 'has') return `${of}${k}`;
	if (op === 'absent') return `!${of}${k}`;
	return `${of}${k}${op}${value}`;
}

export function meets({ of = '', key, op, value, pattern }, item) {
	const found = valueOf(item, of, key);
	switch (op) {
	case 'has': return found !== undefined;
	case 'absent': return found === undefined;
	case '=': return found !== undefined && text(found.v) === value;
	case '!=': return found === undefined || text(found.v) !== value;
	case '~': return found !== undefined && pattern.test(text(found.v));
	case '!~': return found === undefined || !pattern.test(text(found.v));
	default: return found !== undefined && compare(found.v, op, Number(value));
	}
}

// ---- answers

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const statuses = ['unset', 'ok', 'error'];
export const kindOf = (s) => kinds[s.kind];
export const statusOf = (s) => statuses[s.status];

const min = (list) => list.reduce((a, b) => (b < a ? b : a));
const max = (list) => list.reduce((a, b) => (b > a ? b : a));

// The TraceSummary of docs/api.md; `all` spans of the trace, `matched` those that meet the conditions.
export function summary(all, matched) {
	const start = min(all.map((s) => s.start));
	const end = max(all.map((s) => (s.end > s.start ? s.end : s.start)));
	const roots = all.filter((s) => s.parentId === null);
	const among = roots.length > 0 ? roots : all;
	const root = among.reduce((a, b) => (b.start < a.start || (b.start === a.start && b.spanId < a.spanId) ? b : a));
	const names = [...new Set(all.map((s) => s.service))].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
	const errors = (list) => list.filter((s) => s.status === 2).length;
	return {
		trace_id: all[0].traceId,
		root: { service: root.service, operation: root.name, span_id: root.spanId, kind: kindOf(root), status: statusOf(root) },
		root_missing: roots.length === 0,
		start_time: rfc3339(start), start_time_unix_nano: String(start), end_time: rfc3339(end), end_time_unix_nano: String(end),
		duration_ms: Number(end - start) / 1e6,
		span_count: all.length, error_count: errors(all), matched_spans: matched.length,
		services: names.map((name) => {
			const own = all.filter((s) => s.service === name);
			return { name, span_count: own.length, error_count: errors(own) };
		}),
	};
}

// Traces by their newest match, newest first: { spans, matched, newest } of each. `wanted` is of the whole trace.
export function traces(spans, meetsAll, wanted) {
	const byTrace = new Map();
	for (const s of spans) byTrace.set(s.traceId, [...(byTrace.get(s.traceId) ?? []), s]);
	return [...byTrace.values()]
		.map((all) => ({ all, matched: all.filter(meetsAll) }))
		.filter(({ all, matched }) => matched.length > 0 && wanted(all))
		.map((t) => ({ ...t, newest: max(t.matched.map((s) => s.start)) }))
		.sort((a, b) => (b.newest > a.newest ? 1 : -1));
}

// Counts over time: of times (bigint), in at most n buckets from `from` to `to` (exclusive), which default to the first
// and the last of them.
export function histogram(times, n, from, to) {
	if (times.length === 0 && (from === undefined || to === undefined)) return null;
	const first = from ?? min(times);
	const length = (to ?? max(times) + 1n) - first;
	const width = (length + BigInt(n) - 1n) / BigInt(n);
	const count = Number((length + width - 1n) / width);
	const buckets = Array.from({ length: count }, () => 0);
	for (const t of times) buckets[Number((t - first) / width)]++;
	const end = first + BigInt(count) * width;
	return { from: rfc3339(first), from_unix_nano: String(first), to: rfc3339(end), to_unix_nano: String(end), interval_ns: Number(width), total: times.length, buckets };
}
