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

static void
read_scope(struct str message, struct str service, struct kit_request *out)
{
	struct pb_reader r;
	struct pb_field f;
	out->scopes++;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		if (f.number != 2)
			continue;
		if (out->count == out->cap) {
			out->cap = out->cap ? 2 * out->cap : 64;
			out->spans = xrealloc(out->spans, out->cap * sizeof(*out->spans));
		}
		out->spans[out->count] = (struct kit_span){.service = service};
		read_span(f.bytes, &out->spans[out->count++]);
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

void
kit_read(struct str body, struct kit_request *out)
{
	struct pb_reader r, group;
	struct pb_field f, part;
	out->count = 0;
	out->resources = out->scopes = 0;
	pb_reader_init(&r, body);
	while (pb_next(&r, &f)) {
		assert_int_equal(f.number, 1);
		struct str service = read_resource(child(f.bytes, 1), out);
		pb_reader_init(&group, f.bytes);
		while (pb_next(&group, &part))
			if (part.number == 2)
				read_scope(part.bytes, service, out);
		assert_false(pb_failed(&group));
	}
	assert_false(pb_failed(&r));
}

void
kit_request_fini(struct kit_request *r)
{
	free(r->spans);
	*r = (struct kit_request){0};
}
