/* SPDX-License-Identifier: Apache-2.0 */
#include "store/match.h"

#include "store/mem.h"

static const struct store_shape shapes[] = {
    [TABLE_SPANS] = {SPAN_TENANT, SPAN_SEQ, SPAN_ORD, SPAN_START_NS, SPAN_SERVICE, SPAN_ATTRIBUTES,
        SPAN_RESOURCE_ID, SPAN_SCOPE_ID},
    [TABLE_LOGS] = {LOG_TENANT, LOG_SEQ, LOG_ORD, LOG_EVENT_NS, LOG_SERVICE, LOG_ATTRIBUTES,
        LOG_RESOURCE_ID, LOG_SCOPE_ID},
    [TABLE_POINTS] = {POINT_TENANT, POINT_SEQ, POINT_ORD, POINT_TIME_NS, POINT_SERVICE,
        POINT_ATTRIBUTES, POINT_RESOURCE_ID, POINT_SCOPE_ID},
    [TABLE_COMMENTS] = {COMMENT_TENANT, COMMENT_SEQ, COMMENT_ORD, COMMENT_CREATED_NS, -1, -1, -1,
        -1},
};

const struct store_shape *
store_shape_of(const struct table *t)
{
	size_t id = (size_t)(t->def - table_defs);
	CHECK(id < ARRAY_LEN(shapes));
	return &shapes[id];
}

static bool
test_text(struct str attributes, const struct store_attr *a)
{
	bool matches = false;
	return attributes.ptr && store_mem_attr_test(attributes, a, &matches) && matches;
}

/* The condition as if it were not negated. */
static bool
meets(const struct store_query *q, const struct table *t, size_t row, const struct store_attr *a,
    const struct store_resources *r)
{
	const struct store_shape *s = store_shape_of(t);
	bool matches = false;
	if (a->of == STORE_ATTR_OF_SCOPE)
		return r->scope_attributes &&
		    test_text(r->scope_attributes(r->ctx, q->tenant,
		                  table_u64(t, row, s->scope_id)),
		        a);
	if (a->of != STORE_ATTR_OF_RESOURCE) {
		bool own = store_mem_attr_test(table_str(t, row, s->attributes), a, &matches);
		if (own || a->of == STORE_ATTR_OF_ITEM)
			return matches;
	}
	return test_text(r->attributes(r->ctx, q->tenant, table_u64(t, row, s->resource_id)), a);
}

static bool
match_attrs(const struct store_query *q, const struct table *t, size_t row,
    const struct store_resources *resources)
{
	size_t all = q->attr_count - q->any_count;
	for (size_t i = 0; i < all; i++)
		if (meets(q, t, row, &q->attrs[i], resources) == q->attrs[i].negated)
			return false;
	for (size_t i = all; i < q->attr_count; i++)
		if (meets(q, t, row, &q->attrs[i], resources) != q->attrs[i].negated)
			return true;
	return q->any_count == 0;
}

static bool
contains(struct str s, struct str part)
{
	for (size_t i = 0; i + part.len <= s.len; i++)
		if (part.len == 0 || memcmp(s.ptr + i, part.ptr, part.len) == 0)
			return true;
	return false;
}

static bool
any_or_equal(struct str want, struct str have)
{
	return want.len == 0 || str_eq(want, have);
}

static bool
match_ids(const struct store_query *q, uint64_t hi, uint64_t lo, uint64_t span_id)
{
	if (q->has_trace_id && (hi != q->trace_hi || lo != q->trace_lo))
		return false;
	return q->span_id == 0 || q->span_id == span_id;
}

static bool
may_link(const struct store_query *q, struct str links)
{
	char text[STORE_LINK_BYTES];
	return !q->has_link || contains(links, store_link_text(q->link_hi, q->link_lo, text));
}

static bool
match_span(const struct store_query *q, const struct table *t, size_t row)
{
	int64_t duration = table_i64(t, row, SPAN_DURATION_NS);
	return match_ids(q, table_u64(t, row, SPAN_TRACE_HI), table_u64(t, row, SPAN_TRACE_LO),
	           table_u64(t, row, SPAN_SPAN_ID)) &&
	    any_or_equal(q->name, table_str(t, row, SPAN_NAME)) && store_mem_has_words(q, t, row) &&
	    contains(table_str(t, row, SPAN_NAME), q->operation) &&
	    (!q->has_duration_min || duration >= q->duration_min_ns) &&
	    (!q->has_duration_max || duration <= q->duration_max_ns) &&
	    (!q->has_status || table_i32(t, row, SPAN_STATUS_CODE) == q->status_code) &&
	    (!q->has_kind || table_i32(t, row, SPAN_KIND) == q->span_kind) &&
	    (!q->roots_only || table_u64(t, row, SPAN_PARENT_ID) == 0) &&
	    may_link(q, table_str(t, row, SPAN_LINKS));
}

static bool
match_log(const struct store_query *q, const struct table *t, size_t row)
{
	int32_t severity = table_i32(t, row, LOG_SEVERITY_NUMBER);
	return match_ids(q, table_u64(t, row, LOG_TRACE_HI), table_u64(t, row, LOG_TRACE_LO),
	           table_u64(t, row, LOG_SPAN_ID)) &&
	    any_or_equal(q->name, table_str(t, row, LOG_EVENT_NAME)) &&
	    store_mem_has_words(q, t, row) &&
	    (q->severity_min == 0 || severity >= q->severity_min) &&
	    (q->severity_max == 0 || severity <= q->severity_max) &&
	    (!q->severity_unspecified || severity < 1 || severity > 24) &&
	    (q->body_contains.len == 0 || contains(table_str(t, row, LOG_BODY), q->body_contains));
}

static bool
match_point(const struct store_query *q, const struct table *t, size_t row)
{
	return any_or_equal(q->name, table_str(t, row, POINT_NAME)) &&
	    (q->point_type == 0 || table_i32(t, row, POINT_TYPE) == q->point_type);
}

static bool
match_comment(const struct store_query *q, const struct table *t, size_t row)
{
	return match_ids(q, table_u64(t, row, COMMENT_TRACE_HI),
	           table_u64(t, row, COMMENT_TRACE_LO), table_u64(t, row, COMMENT_SPAN_ID)) &&
	    any_or_equal(q->comment_id, table_str(t, row, COMMENT_ID)) &&
	    any_or_equal(q->author, table_str(t, row, COMMENT_AUTHOR)) &&
	    contains(table_str(t, row, COMMENT_BODY), q->body_contains);
}

bool
store_match_common(const struct store_query *q, const struct table *t, size_t row)
{
	const struct store_shape *s = store_shape_of(t);
	uint64_t time_ns = table_u64(t, row, s->time);
	return str_eq(table_str(t, row, s->tenant), q->tenant) && time_ns >= q->from_ns &&
	    (q->to_ns == UINT64_MAX || time_ns < q->to_ns) &&
	    (s->service < 0 || any_or_equal(q->service, table_str(t, row, s->service)));
}

static bool
any_or_one_of(const struct store_query *q, const struct table *t, size_t row)
{
	int column = store_shape_of(t)->service;
	if (q->service_count == 0 || column < 0)
		return true;
	struct str service = table_str(t, row, column);
	size_t i = 0;
	while (i < q->service_count && !str_eq(q->services[i], service))
		i++;
	return i < q->service_count;
}

bool
store_match(const struct store_query *q, const struct table *t, size_t row,
    const struct store_resources *resources)
{
	enum table_id id = (enum table_id)(t->def - table_defs);
	if (!store_match_common(q, t, row) || !any_or_one_of(q, t, row))
		return false;
	if (id == TABLE_SPANS && !match_span(q, t, row))
		return false;
	if (id == TABLE_LOGS && !match_log(q, t, row))
		return false;
	if (id == TABLE_POINTS && !match_point(q, t, row))
		return false;
	if (id == TABLE_COMMENTS)
		return match_comment(q, t, row);
	return match_attrs(q, t, row, resources);
}
