// SPDX-License-Identifier: Apache-2.0
//
// What /otel/ must answer of a span, computed from the SDK's own object (ReadableSpan): the columns of Junjo's server and those
// beside them.
import { hrNano, rfc3339 } from './expect.mjs';

const kinds = ['INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const statuses = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];

// Taken out of attributes_json of spans that are Junjo's: seven have columns of the old server, two of their own.
const columns = ['junjo.workflow_id', 'node.id', 'junjo.id', 'junjo.parent_id', 'junjo.span_type', 'junjo.workflow.state.start', 'junjo.workflow.state.end',
	'junjo.workflow.graph_structure', 'junjo.workflow.store.id'];

const plain = (v) => (typeof v === 'number' && !Number.isFinite(v) ? null : Array.isArray(v) ? v.map(plain) : v);
const object = (a, without = []) => Object.fromEntries(Object.entries(a ?? {}).filter(([k]) => !without.includes(k)).map(([k, v]) => [k, plain(v)]));
const flags = (traceFlags, remote) => (traceFlags & 0xff) | 0x100 | (remote ? 0x200 : 0);

export function isJson(text) {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

export function row(s) {
	const a = s.attributes;
	const ctx = s.spanContext();
	const isJunjo = Object.keys(a).some((k) => k.startsWith('junjo.'));
	const owner = ['workflow', 'subflow'].includes(a['junjo.span_type']);
	const texts = {
		junjo_wf_state_start: a['junjo.workflow.state.start'], junjo_wf_state_end: a['junjo.workflow.state.end'],
		junjo_wf_graph_structure: a['junjo.workflow.execution_graph_snapshot'] ?? a['junjo.workflow.graph_structure'],
	};
	const own = Object.fromEntries(Object.entries(texts).map(([k, text]) => [k, !owner || text === undefined ? {} : isJson(text) ? JSON.parse(text) : text]));
	const start = hrNano(s.startTime);
	const end = hrNano(s.endTime);
	return {
		trace_id: ctx.traceId, span_id: ctx.spanId, parent_span_id: s.parentSpanContext?.spanId ?? null, service_name: s.resource.attributes['service.name'], name: s.name,
		kind: kinds[s.kind], start_time: rfc3339(start), start_time_unix_nano: String(start), end_time: rfc3339(end), end_time_unix_nano: String(end),
		status_code: statuses[s.status.code], status_message: s.status.message ?? '',
		attributes_json: object(a, isJunjo ? columns : []),
		events_json: s.events.map((e) => ({ name: e.name, timeUnixNano: String(hrNano(e.time)), droppedAttributesCount: e.droppedAttributesCount ?? 0, attributes: object(e.attributes) })),
		links_json: s.links.map((l) => ({ traceId: l.context.traceId, spanId: l.context.spanId, traceState: l.context.traceState?.serialize() ?? '', attributes: object(l.attributes), droppedAttributesCount: l.droppedAttributesCount ?? 0, flags: flags(l.context.traceFlags, l.context.isRemote) })),
		trace_flags: flags(ctx.traceFlags, s.parentSpanContext?.isRemote), trace_state: ctx.traceState?.serialize() || null,
		junjo_id: a['junjo.executable_runtime_id'] ?? a['junjo.id'] ?? '', junjo_parent_id: a['junjo.parent_executable_runtime_id'] ?? a['junjo.parent_id'] ?? '',
		junjo_span_type: a['junjo.span_type'] ?? '', ...own, junjo_wf_store_id: (owner && a['junjo.workflow.store.id']) || '',
		legacy_workflow_id: (isJunjo && a['junjo.workflow_id']) || null, legacy_node_id: (isJunjo && a['node.id']) || null,
		invalid_json: Object.keys(texts).filter((k) => owner && texts[k] !== undefined && !isJson(texts[k])),
		dropped_attributes_count: s.droppedAttributesCount, dropped_events_count: s.droppedEventsCount, dropped_links_count: s.droppedLinksCount,
	};
}

// As lists have them: newest first.
export const newestFirst = (rows) => [...rows].sort((a, b) => (BigInt(b.start_time_unix_nano) > BigInt(a.start_time_unix_nano) ? 1 : -1));
