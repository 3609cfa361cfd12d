/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kit_test.h"

#include "tests/test.h"

#include "base/arena.h"
#include "base/bits.h"
#include "wire/pb.h"

#include <stdlib.h>

static uint64_t
span_id_of(struct str id)
{
	assert_int_equal(id.len, 8);
	return get_u64be(id.ptr);
}

static struct str
child(struct str message, uint32_t number)
{
	struct pb_reader r;
	struct pb_field f;
	struct str found = STR_EMPTY;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(number, PB_BYTES))
			found = f.bytes;
	assert_false(pb_failed(&r));
	return found;
}

static void
read_event(struct str message, struct kit_span *s)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(1, PB_FIXED64))
			s->event_ns = f.value;
	assert_false(pb_failed(&r));
	s->events++;
	s->exceptions += str_eq(child(message, 2), STR("exception"));
}

static void
read_span(struct str message, struct kit_span *s)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		switch (f.number) {
		case 1:
			assert_int_equal(f.bytes.len, 16);
			s->trace_hi = get_u64be(f.bytes.ptr);
			s->trace_lo = get_u64be(f.bytes.ptr + 8);
			break;
		case 2: s->span_id = span_id_of(f.bytes); break;
		case 4: s->parent_id = span_id_of(f.bytes); break;
		case 7: s->start_ns = f.value; break;
		case 8: s->end_ns = f.value; break;
		case 9: s->attributes++; break;
		case 11: read_event(f.bytes, s); break;
		case 13:
			s->links++;
			s->link_lo = get_u64be(child(f.bytes, 1).ptr + 8);
			s->link_span = span_id_of(child(f.bytes, 2));
			break;
		default: break;
		}
	}
	assert_false(pb_failed(&r));
}

/* KeyValue { key = 1, value = 2: AnyValue { string_value = 1 } } */
static struct str
read_resource(struct str message, struct kit_request *out)
{
	struct pb_reader r;
	struct pb_field f;
	struct str service = STR_EMPTY;
	out->resources++;
	out->resource_attributes = 0;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		if (f.number != 1)
			continue;
		out->resource_attributes++;
		if (str_eq(child(f.bytes, 1), STR("service.name")))
			service = child(child(f.bytes, 2), 1);
	}
	assert_false(pb_failed(&r));
	return service;
}

typedef void add_item(void *ctx, struct str message, struct str service);

static void
read_scope(struct str message, struct str service, add_item *add, void *ctx)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (f.number == 2)
			add(ctx, f.bytes, service);
	assert_false(pb_failed(&r));
}

/* What a request holds, whichever signal it is of; the numbers of resources and scopes go to *sums. */
static void
read_items(struct str body, struct kit_request *sums, add_item *add, void *ctx)
{
	struct pb_reader r, group;
	struct pb_field f, part;
	pb_reader_init(&r, body);
	while (pb_next(&r, &f)) {
		assert_int_equal(f.number, 1);
		struct str service = read_resource(child(f.bytes, 1), sums);
		pb_reader_init(&group, f.bytes);
		while (pb_next(&group, &part)) {
			if (part.number != 2)
				continue;
			sums->scopes++;
			read_scope(part.bytes, service, add, ctx);
		}
		assert_false(pb_failed(&group));
	}
	assert_false(pb_failed(&r));
}

static void
add_span(void *ctx, struct str message, struct str service)
{
	struct kit_request *out = ctx;
	if (out->count == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 64;
		out->spans = xrealloc(out->spans, out->cap * sizeof(*out->spans));
	}
	out->spans[out->count] = (struct kit_span){.service = service};
	read_span(message, &out->spans[out->count++]);
}

void
kit_read(struct str body, struct kit_request *out)
{
	out->count = 0;
	out->resources = out->scopes = 0;
	read_items(body, out, add_span, out);
}

static void
read_record(struct str message, struct kit_record *x)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		switch (f.number) {
		case 1: x->time_ns = f.value; break;
		case 2: x->severity = f.value; break;
		case 3: x->severity_text = f.bytes; break;
		case 5: x->body = child(f.bytes, 1); break;
		case 6: x->attributes++; break;
		case 9:
			assert_int_equal(f.bytes.len, 16);
			x->trace_hi = get_u64be(f.bytes.ptr);
			x->trace_lo = get_u64be(f.bytes.ptr + 8);
			break;
		case 10: x->span_id = span_id_of(f.bytes); break;
		case 11: x->observed_ns = f.value; break;
		default: break;
		}
	}
	assert_false(pb_failed(&r));
}

static void
add_record(void *ctx, struct str message, struct str service)
{
	struct kit_records *out = ctx;
	if (out->count == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 64;
		out->records = xrealloc(out->records, out->cap * sizeof(*out->records));
	}
	out->records[out->count] = (struct kit_record){.service = service};
	read_record(message, &out->records[out->count++]);
}

void
kit_read_records(struct str body, struct kit_records *out)
{
	struct kit_request sums = {0};
	out->count = 0;
	read_items(body, &sums, add_record, out);
}

void
kit_request_fini(struct kit_request *r)
{
	free(r->spans);
	*r = (struct kit_request){0};
}

/* ---- answers */

void
kit_replace(struct buf *text, const char *from, const char *to)
{
	struct buf out = {0};
	struct str all = buf_view(text);
	size_t at = 0, len = strlen(from);
	while (at + len <= all.len && memcmp(all.ptr + at, from, len) != 0)
		at++;
	if (at + len > all.len)
		fail_msg("there is no %s in %.*s", from, STR_ARG(all));
	buf_str(&out, str_of(all.ptr, at));
	buf_str(&out, str_from(to));
	buf_str(&out, str_skip(all, at + len));
	buf_fini(text);
	*text = out;
}
