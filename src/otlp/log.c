/* SPDX-License-Identifier: Apache-2.0 */
/* opentelemetry.proto.logs.v1.LogRecord */
#include "otlp/walk.h"

struct log {
	uint64_t time_ns, observed_ns;
	int32_t severity;
	struct str severity_text, event_name;
	struct str body; /* the AnyValue's bytes; NULL ptr: none */
	struct str text; /* of a body that is text */
	bool body_is_text;
	struct attr_list attributes;
	uint32_t dropped, flags;
	struct str trace_id_bytes, span_id_bytes;
	uint64_t trace_hi, trace_lo, span_id;
};

static void
walk_log_field(struct walk *w, const struct pb_field *f, struct log *l)
{
	switch (pb_key(f)) {
	case PB_KEY(1, PB_FIXED64): l->time_ns = f->value; return;
	case PB_KEY(2, PB_VARINT): l->severity = (int32_t)(uint32_t)f->value; return;
	case PB_KEY(3, PB_BYTES):
		walk_string(w, "severity text", f->bytes, &l->severity_text);
		return;
	case PB_KEY(5, PB_BYTES): l->body = f->bytes; return;
	case PB_KEY(6, PB_BYTES): walk_attribute(w, &l->attributes, f->bytes); return;
	case PB_KEY(7, PB_VARINT): l->dropped = (uint32_t)f->value; return;
	case PB_KEY(8, PB_FIXED32): l->flags = (uint32_t)f->value; return;
	case PB_KEY(9, PB_BYTES): l->trace_id_bytes = f->bytes; return;
	case PB_KEY(10, PB_BYTES): l->span_id_bytes = f->bytes; return;
	case PB_KEY(11, PB_FIXED64): l->observed_ns = f->value; return;
	case PB_KEY(12, PB_BYTES): walk_name(w, "event name", f->bytes, &l->event_name); return;
	default: return;
	}
}

/* A text goes to its column as it is, anything else as typed JSON. An unset value is kept apart
 * from no body: it is the typed JSON null. */
static void
put_body(struct walk *w, size_t row, const struct log *l)
{
	struct table *t = &w->sink->batch->tables[TABLE_LOGS];
	if (!l->body.ptr)
		return;
	table_set_i32(t, row, LOG_BODY_KIND, l->body_is_text ? LOG_BODY_STRING : LOG_BODY_TYPED);
	table_set_str(t, row, LOG_BODY, l->body_is_text ? l->text : walk_text(w, BUF_BODY));
}

static uint64_t
event_time(const struct walk *w, const struct log *l)
{
	if (l->time_ns)
		return l->time_ns;
	return l->observed_ns ? l->observed_ns : w->sink->origin->received_ns;
}

static void
put_log(struct walk *w, const struct log *l)
{
	struct table *t = &w->sink->batch->tables[TABLE_LOGS];
	size_t row = walk_row(w, TABLE_LOGS);
	if (row == SIZE_MAX)
		return;
	table_set_str(t, row, LOG_TENANT, w->sink->tenant);
	table_set_u64(t, row, LOG_SEQ, w->sink->origin->seq);
	table_set_u32(t, row, LOG_ORD, walk_ord(w));
	table_set_u64(t, row, LOG_EVENT_NS, event_time(w, l));
	table_set_u64(t, row, LOG_TIME_NS, l->time_ns);
	table_set_u64(t, row, LOG_OBSERVED_NS, l->observed_ns);
	table_set_u64(t, row, LOG_TRACE_HI, l->trace_hi);
	table_set_u64(t, row, LOG_TRACE_LO, l->trace_lo);
	table_set_u64(t, row, LOG_SPAN_ID, l->span_id);
	table_set_str(t, row, LOG_SERVICE, walk_service(w));
	table_set_i32(t, row, LOG_SEVERITY_NUMBER, l->severity);
	table_set_str(t, row, LOG_SEVERITY_TEXT, l->severity_text);
	put_body(w, row, l);
	table_set_str(t, row, LOG_EVENT_NAME, l->event_name);
	table_set_u32(t, row, LOG_FLAGS, l->flags);
	table_set_str(t, row, LOG_ATTRIBUTES, walk_text(w, BUF_ATTRIBUTES));
	table_set_u32(t, row, LOG_DROPPED_ATTRIBUTES, l->dropped);
	table_set_u64(t, row, LOG_RESOURCE_ID, walk_resource_id(w));
	table_set_u64(t, row, LOG_SCOPE_ID, walk_scope_id(w));
}

static void
walk_body(struct walk *w, struct log *l)
{
	uint64_t weight = w->weight, json_bytes = w->json_bytes;
	w->value_name = "body";
	l->body_is_text = w->sink && walk_value_text(w, l->body, &l->text);
	/* Text stays where it is. */
	if (walk_value(w, l->body, 1, l->body_is_text ? NULL : walk_buf(w, BUF_BODY))) {
		w->weight = weight;
		w->json_bytes = json_bytes;
	}
	w->value_name = "attribute value";
}

void
walk_log(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	if (!walk_item_begin(w))
		return;
	struct log l = {.attributes = walk_attributes(w, BUF_ATTRIBUTES)};
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f))
		walk_log_field(w, &f, &l);
	walk_trace_id(w, "trace id", l.trace_id_bytes, false, &l.trace_hi, &l.trace_lo);
	walk_span_id(w, "span id", l.span_id_bytes, false, &l.span_id);
	if (l.body.ptr)
		walk_body(w, &l);
	if (walk_keeps(w)) {
		walk_attributes_end(&l.attributes);
		put_log(w, &l);
	}
	walk_item_end(w);
}
