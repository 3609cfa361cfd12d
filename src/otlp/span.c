/* SPDX-License-Identifier: Apache-2.0 */
/* opentelemetry.proto.trace.v1.Span */
#include "otlp/walk.h"

#include "model/typed.h"

struct span {
	struct str trace_id_bytes, span_id_bytes, parent_id_bytes;
	uint64_t trace_hi, trace_lo, span_id, parent_id;
	struct str trace_state, name, status_message;
	uint64_t start_ns, end_ns;
	int32_t kind, status_code;
	uint32_t flags;
	uint32_t dropped_attributes, dropped_events, dropped_links;
	struct attr_list attributes;
	struct buf *events, *links;
	uint64_t event_count, link_count;
};

struct event {
	uint64_t time_ns;
	struct str name;
	struct attr_list attributes;
	uint32_t dropped;
};

struct link {
	struct str trace_id_bytes, span_id_bytes, trace_state;
	uint64_t trace_hi, trace_lo, span_id;
	struct attr_list attributes;
	uint32_t dropped, flags;
};

/* As put_event() and put_link() write them, text apart. */
static void
weigh_event(struct walk *w, const struct event *e)
{
	walk_weigh(w, 20); /* {"t":0,"name":""}, */
	walk_weigh(w, e->time_ns ? 19 : 0);
	walk_weigh(w, e->attributes.count ? sizeof(",\"attributes\":") : 0);
	walk_weigh(w, e->dropped ? sizeof(",\"dropped\":4294967295") : 0);
	walk_weigh_text(w, e->name);
}

static void
weigh_link(struct walk *w, const struct link *l)
{
	walk_weigh(w, 4); /* {}, */
	walk_weigh(w, l->trace_id_bytes.len ? sizeof("\"trace_id\":\"\",") + 32 : 0);
	walk_weigh(w, l->span_id_bytes.len ? sizeof("\"span_id\":\"\",") + 16 : 0);
	walk_weigh(w, l->trace_state.len ? sizeof("\"trace_state\":\"\",") : 0);
	walk_weigh(w, l->attributes.count ? sizeof("\"attributes\":,") : 0);
	walk_weigh(w, l->dropped ? sizeof("\"dropped\":4294967295,") : 0);
	walk_weigh(w, l->flags ? sizeof("\"flags\":4294967295,") : 0);
	walk_weigh_text(w, l->trace_state);
}

static void
put_event(struct buf *out, const struct event *e)
{
	walk_put_element(out);
	walk_put_member(out, STR("t"));
	buf_u64(out, e->time_ns);
	walk_put_member(out, STR("name"));
	typed_put_string(out, e->name);
	walk_put_member_attributes(out, &e->attributes);
	walk_put_member_u64(out, STR("dropped"), e->dropped);
	buf_char(out, '}');
}

static void
walk_event(struct walk *w, struct str message, struct buf *out)
{
	struct pb_reader r;
	struct pb_field f;
	struct event e = {.attributes = walk_attributes(w, BUF_INNER_ATTRIBUTES)};
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_FIXED64): e.time_ns = f.value; break;
		case PB_KEY(2, PB_BYTES): walk_name(w, "event name", f.bytes, &e.name); break;
		case PB_KEY(3, PB_BYTES): walk_attribute(w, &e.attributes, f.bytes); break;
		case PB_KEY(4, PB_VARINT): e.dropped = (uint32_t)f.value; break;
		default: break;
		}
	}
	walk_attributes_end(&e.attributes);
	weigh_event(w, &e);
	if (walk_keeps(w))
		put_event(out, &e);
}

static void
put_link(struct buf *out, const struct link *l)
{
	walk_put_element(out);
	walk_put_member_ids(out, l->trace_hi, l->trace_lo, l->span_id);
	walk_put_member_text(out, STR("trace_state"), l->trace_state);
	walk_put_member_attributes(out, &l->attributes);
	walk_put_member_u64(out, STR("dropped"), l->dropped);
	walk_put_member_u64(out, STR("flags"), l->flags);
	buf_char(out, '}');
}

static void
walk_link(struct walk *w, struct str message, struct buf *out)
{
	struct pb_reader r;
	struct pb_field f;
	struct link l = {.attributes = walk_attributes(w, BUF_INNER_ATTRIBUTES)};
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): l.trace_id_bytes = f.bytes; break;
		case PB_KEY(2, PB_BYTES): l.span_id_bytes = f.bytes; break;
		case PB_KEY(3, PB_BYTES):
			walk_string(w, "link trace state", f.bytes, &l.trace_state);
			break;
		case PB_KEY(4, PB_BYTES): walk_attribute(w, &l.attributes, f.bytes); break;
		case PB_KEY(5, PB_VARINT): l.dropped = (uint32_t)f.value; break;
		case PB_KEY(6, PB_FIXED32): l.flags = (uint32_t)f.value; break;
		default: break;
		}
	}
	walk_attributes_end(&l.attributes);
	weigh_link(w, &l);
	walk_trace_id(w, "link trace id", l.trace_id_bytes, false, &l.trace_hi, &l.trace_lo);
	walk_span_id(w, "link span id", l.span_id_bytes, false, &l.span_id);
	if (walk_keeps(w))
		put_link(out, &l);
}

static void
walk_status(struct walk *w, struct str message, struct span *s)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f)) {
		if (pb_key(&f) == PB_KEY(2, PB_BYTES))
			walk_string(w, "status message", f.bytes, &s->status_message);
		else if (pb_key(&f) == PB_KEY(3, PB_VARINT))
			s->status_code = (int32_t)(uint32_t)f.value;
	}
}

/* A flat switch over the fields of a Span. */
static void
walk_span_field(struct walk *w, const struct pb_field *f, struct span *s)
{
	switch (pb_key(f)) {
	case PB_KEY(1, PB_BYTES): s->trace_id_bytes = f->bytes; return;
	case PB_KEY(2, PB_BYTES): s->span_id_bytes = f->bytes; return;
	case PB_KEY(3, PB_BYTES): walk_string(w, "trace state", f->bytes, &s->trace_state); return;
	case PB_KEY(4, PB_BYTES): s->parent_id_bytes = f->bytes; return;
	case PB_KEY(5, PB_BYTES): walk_name(w, "span name", f->bytes, &s->name); return;
	case PB_KEY(6, PB_VARINT): s->kind = (int32_t)(uint32_t)f->value; return;
	case PB_KEY(7, PB_FIXED64): s->start_ns = f->value; return;
	case PB_KEY(8, PB_FIXED64): s->end_ns = f->value; return;
	case PB_KEY(9, PB_BYTES): walk_attribute(w, &s->attributes, f->bytes); return;
	case PB_KEY(10, PB_VARINT): s->dropped_attributes = (uint32_t)f->value; return;
	case PB_KEY(11, PB_BYTES):
		walk_count(w, "events", &s->event_count);
		walk_event(w, f->bytes, s->events);
		return;
	case PB_KEY(12, PB_VARINT): s->dropped_events = (uint32_t)f->value; return;
	case PB_KEY(13, PB_BYTES):
		walk_count(w, "links", &s->link_count);
		walk_link(w, f->bytes, s->links);
		return;
	case PB_KEY(14, PB_VARINT): s->dropped_links = (uint32_t)f->value; return;
	case PB_KEY(15, PB_BYTES): walk_status(w, f->bytes, s); return;
	case PB_KEY(16, PB_FIXED32): s->flags = (uint32_t)f->value; return;
	default: return;
	}
}

static void
put_span(struct walk *w, const struct span *s)
{
	struct table *t = &w->sink->batch->tables[TABLE_SPANS];
	size_t row = walk_row(w, TABLE_SPANS);
	if (row == SIZE_MAX)
		return;
	table_set_str(t, row, SPAN_TENANT, w->sink->tenant);
	table_set_u64(t, row, SPAN_SEQ, w->sink->origin->seq);
	table_set_u32(t, row, SPAN_ORD, walk_ord(w));
	table_set_u64(t, row, SPAN_TRACE_HI, s->trace_hi);
	table_set_u64(t, row, SPAN_TRACE_LO, s->trace_lo);
	table_set_u64(t, row, SPAN_SPAN_ID, s->span_id);
	table_set_u64(t, row, SPAN_PARENT_ID, s->parent_id);
	table_set_u64(t, row, SPAN_START_NS, s->start_ns);
	table_set_i64(t, row, SPAN_DURATION_NS, (int64_t)(s->end_ns - s->start_ns));
	table_set_str(t, row, SPAN_SERVICE, walk_service(w));
	table_set_str(t, row, SPAN_NAME, s->name);
	table_set_i32(t, row, SPAN_KIND, s->kind);
	table_set_i32(t, row, SPAN_STATUS_CODE, s->status_code);
	table_set_str(t, row, SPAN_STATUS_MESSAGE, s->status_message);
	table_set_str(t, row, SPAN_TRACE_STATE, s->trace_state);
	table_set_u32(t, row, SPAN_FLAGS, s->flags);
	table_set_str(t, row, SPAN_ATTRIBUTES, walk_text(w, BUF_ATTRIBUTES));
	table_set_u32(t, row, SPAN_DROPPED_ATTRIBUTES, s->dropped_attributes);
	table_set_str(t, row, SPAN_EVENTS, walk_text(w, BUF_EVENTS));
	table_set_u32(t, row, SPAN_DROPPED_EVENTS, s->dropped_events);
	table_set_str(t, row, SPAN_LINKS, walk_text(w, BUF_LINKS));
	table_set_u32(t, row, SPAN_DROPPED_LINKS, s->dropped_links);
	table_set_u64(t, row, SPAN_RESOURCE_ID, walk_resource_id(w));
	table_set_u64(t, row, SPAN_SCOPE_ID, walk_scope_id(w));
}

void
walk_span(struct walk *w, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	if (!walk_item_begin(w))
		return;
	struct span s = {
	    .attributes = walk_attributes(w, BUF_ATTRIBUTES),
	    .events = walk_buf(w, BUF_EVENTS),
	    .links = walk_buf(w, BUF_LINKS),
	};
	pb_reader_init(&r, message);
	while (walk_next(w, &r, &f))
		walk_span_field(w, &f, &s);
	walk_trace_id(w, "trace id", s.trace_id_bytes, true, &s.trace_hi, &s.trace_lo);
	walk_span_id(w, "span id", s.span_id_bytes, true, &s.span_id);
	walk_span_id(w, "parent span id", s.parent_id_bytes, false, &s.parent_id);
	if (walk_keeps(w)) {
		walk_attributes_end(&s.attributes);
		walk_put_list_end(s.events);
		walk_put_list_end(s.links);
		put_span(w, &s);
	}
	walk_item_end(w);
}
