/* SPDX-License-Identifier: Apache-2.0 */
/* Random telemetry, random questions: two stores must say the same. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "tests/random.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW CONFORMANCE_NOW_NS
#define SECONDS(n) ((uint64_t)(n) * NS_PER_S)

/* ---- random data */

static const char *const tenants[] = {"acme", "globex"};
static const char *const services[] = {
    "cart", "checkout", "'; DROP TABLE meta; --", "\xF0\x9F\x9B\x92"};

static const struct str service_lists[] = {STR_INIT("checkout"), STR_INIT("no such"),
    STR_INIT("'; DROP TABLE meta; --"), STR_INIT("cart")};
static const char *const names[] = {
    "GET /cart", "GET /cart/items", "SELECT", "%", "", "a_b", "a'b\"c\\d"};
static const char *const attribute_maps[] = {
    "{\"http.method\":\"GET\",\"code\":200}",
    "{\"http.method\":\"POST\",\"code\":404,\"ratio\":1.5}",
    "{\"code\":\"200\"}",
    "{\"code\":200.0,\"ok\":true}",
    "{\"nested\":{\"code\":200},\"list\":[\"code\",200]}",
    "{\"a.b\":\"dot\",\"a\\\"b\":\"quote\",\"a\\\\b\":\"backslash\",\"\":\"empty\"}",
    "{\"$$x\":\"dollar\",\"\xC3\xA9\":\"accent\",\"bytes\":{\"$bytes\":\"AAEC\"}}",
    "{\"code\":200,\"code\":300}",
    "{\"code\":-7,\"big\":9007199254740993}",
    "{\"code\":199.5,\"big\":9007199254740992.0}",
    "{\"big\":-9223372036854775808}",
    "{\"nan\":{\"$double\":\"NaN\"},\"none\":null,\"line\":\"a\\nb\\u0000c\"}",
};
static const struct {
	const char *key, *value;
} attribute_filters[] = {
    {"code", "200"},
    {"code", "300"},
    {"code", "200.0"},
    {"http.method", "GET"},
    {"ok", "true"},
    {"a.b", "dot"},
    {"a\"b", "quote"},
    {"a\\b", "backslash"},
    {"$x", "dollar"},
    {"", "empty"},
    {"host", "h1"},
    {"host", "h2"},
    {"nan", "NaN"},
    {"none", "null"},
    {"missing", "x"},
    {"bytes", "{\"$bytes\":\"AAEC\"}"},
    {"bytes", "AAEC"},
    {"list", "[\"code\",200]"},
    {"\xC3\xA9", "accent"},
};
/* What ranges compare with: numbers, and what is none. */
static const char *const numbers[] = {"200", "200.0", "199.5", "-7", "0", "1.5", "2e2",
    "9007199254740992", "9007199254740993", "9007199254740992.5", "-9223372036854775808", "1e400",
    "-1e400", "", "abc", "0x10", "NaN"};
static const char *const number_keys[] = {"code", "big", "ratio", "nan", "host", "ok"};

/* Few enough different ones that rows tie. */
static uint64_t
random_time(struct rng *r)
{
	static const uint64_t odd[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, NS_PER_DAY,
	    NOW + 300 * NS_PER_DAY, NOW - 500 * NS_PER_DAY};
	if (rng_one_in(r, 12))
		return RNG_PICK(r, odd);
	return NOW - rng_below(r, 5) * NS_PER_DAY - rng_below(r, 40) * SECONDS(2160);
}

static struct str
random_attributes(struct rng *r)
{
	return rng_one_in(r, 5) ? STR_EMPTY : str_from(RNG_PICK(r, attribute_maps));
}

/* Six of each per tenant. The id is of the content, as the decoder makes it. */
static uint64_t
add_resource(struct batch *b, struct str tenant, uint64_t k)
{
	static const char *const maps[] = {
	    "{\"host\":\"h1\",\"code\":200}", "{\"host\":\"h2\"}", NULL};
	bool added;
	uint64_t id = (k + 1) * 1000003 + tenant.len;
	size_t row = batch_resource(b, tenant, id, &added);
	assert_true(row != SIZE_MAX);
	if (!added)
		return id;
	struct table *t = &b->tables[TABLE_RESOURCES];
	table_set_str(t, row, RESOURCE_SERVICE, str_from(services[k % ARRAY_LEN(services)]));
	table_set_str(t, row, RESOURCE_ATTRIBUTES, str_from(maps[k % ARRAY_LEN(maps)]));
	table_set_u32(t, row, RESOURCE_DROPPED_ATTRIBUTES, (uint32_t)k);
	table_set_str(t, row, RESOURCE_SCHEMA_URL, STR("https://example/\"1\""));
	return id;
}

static uint64_t
add_scope(struct batch *b, struct str tenant, uint64_t k)
{
	bool added;
	uint64_t id = (k + 1) * 7000003 + tenant.len;
	size_t row = batch_scope(b, tenant, id, &added);
	assert_true(row != SIZE_MAX);
	if (!added)
		return id;
	struct table *t = &b->tables[TABLE_SCOPES];
	table_set_str(t, row, SCOPE_NAME, str_from(names[k % ARRAY_LEN(names)]));
	table_set_str(t, row, SCOPE_VERSION, STR("1"));
	return id;
}

static uint64_t
small_or_huge(struct rng *r)
{
	return rng_one_in(r, 8) ? UINT64_MAX - rng_below(r, 3) : rng_below(r, 4);
}

/* No two rows share it. */
static uint64_t
own_id(uint64_t seq, uint32_t ord)
{
	return seq * 4096 + ord + 1;
}

static void
add_span(struct batch *b, struct rng *r, uint64_t seq, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_SPANS];
	struct str tenant = str_from(RNG_PICK(r, tenants));
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, SPAN_TENANT, tenant);
	table_set_u64(t, row, SPAN_SEQ, seq);
	table_set_u32(t, row, SPAN_ORD, ord);
	table_set_u64(t, row, SPAN_TRACE_HI, small_or_huge(r));
	table_set_u64(t, row, SPAN_TRACE_LO, 1 + rng_below(r, 3));
	table_set_u64(t, row, SPAN_SPAN_ID,
	    rng_one_in(r, 8) ? ~own_id(seq, ord) : own_id(seq, ord));
	table_set_u64(t, row, SPAN_PARENT_ID, rng_one_in(r, 3) ? 0 : rng_next(r));
	table_set_u64(t, row, SPAN_START_NS, random_time(r));
	table_set_i64(t, row, SPAN_DURATION_NS,
	    rng_one_in(r, 50) ? INT64_MIN : (int64_t)rng_below(r, 1000) * 1000);
	table_set_str(t, row, SPAN_SERVICE, str_from(RNG_PICK(r, services)));
	table_set_str(t, row, SPAN_NAME, str_from(RNG_PICK(r, names)));
	table_set_i32(t, row, SPAN_KIND, (int32_t)rng_below(r, 6));
	table_set_i32(t, row, SPAN_STATUS_CODE, (int32_t)rng_below(r, 3));
	table_set_u32(t, row, SPAN_FLAGS, (uint32_t)rng_next(r));
	table_set_str(t, row, SPAN_ATTRIBUTES, random_attributes(r));
	table_set_u64(t, row, SPAN_RESOURCE_ID, add_resource(b, tenant, rng_below(r, 6)));
	table_set_u64(t, row, SPAN_SCOPE_ID, add_scope(b, tenant, rng_below(r, 6)));
}

static void
add_log(struct batch *b, struct rng *r, uint64_t seq, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_LOGS];
	struct str tenant = str_from(RNG_PICK(r, tenants));
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, LOG_TENANT, tenant);
	table_set_u64(t, row, LOG_SEQ, seq);
	table_set_u32(t, row, LOG_ORD, ord);
	table_set_u64(t, row, LOG_EVENT_NS, random_time(r));
	table_set_u64(t, row, LOG_TRACE_HI, small_or_huge(r));
	table_set_u64(t, row, LOG_TRACE_LO, 1 + rng_below(r, 3));
	table_set_u64(t, row, LOG_SPAN_ID, rng_below(r, 4));
	table_set_str(t, row, LOG_SERVICE, str_from(RNG_PICK(r, services)));
	table_set_i32(t, row, LOG_SEVERITY_NUMBER, (int32_t)rng_below(r, 26) - 1);
	if (!rng_one_in(r, 4))
		table_set_str(t, row, LOG_BODY, str_from(RNG_PICK(r, names)));
	table_set_i32(t, row, LOG_BODY_KIND, LOG_BODY_STRING);
	table_set_str(t, row, LOG_EVENT_NAME, str_from(RNG_PICK(r, names)));
	table_set_str(t, row, LOG_ATTRIBUTES, random_attributes(r));
	table_set_u64(t, row, LOG_RESOURCE_ID, add_resource(b, tenant, rng_below(r, 6)));
	table_set_u64(t, row, LOG_SCOPE_ID, add_scope(b, tenant, rng_below(r, 6)));
}

static void
add_point(struct batch *b, struct rng *r, uint64_t seq, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_POINTS];
	struct str tenant = str_from(RNG_PICK(r, tenants));
	size_t row = table_add_row(t);
	uint64_t *counts = arena_array(&b->arena, 8, sizeof(*counts));
	double *bounds = arena_array(&b->arena, 8, sizeof(*bounds));
	assert_true(row != SIZE_MAX && counts && bounds);
	for (size_t i = 0; i < 8; i++) {
		counts[i] = rng_next(r);
		bounds[i] = (double)i / 3;
	}
	table_set_str(t, row, POINT_TENANT, tenant);
	table_set_u64(t, row, POINT_SEQ, seq);
	table_set_u32(t, row, POINT_ORD, ord);
	table_set_u64(t, row, POINT_TIME_NS, random_time(r));
	table_set_str(t, row, POINT_SERVICE, str_from(RNG_PICK(r, services)));
	table_set_str(t, row, POINT_NAME, str_from(RNG_PICK(r, names)));
	table_set_i32(t, row, POINT_TYPE, 1 + (int32_t)rng_below(r, 5));
	table_set_str(t, row, POINT_ATTRIBUTES, random_attributes(r));
	if (rng_one_in(r, 2))
		table_set_f64(t, row, POINT_VALUE, -0.0);
	if (rng_one_in(r, 2))
		table_set_i64(t, row, POINT_VALUE_INT, (int64_t)rng_next(r));
	if (rng_one_in(r, 2))
		table_set_u64s(t, row, POINT_BUCKETS, (struct u64s){counts, rng_below(r, 9)});
	if (rng_one_in(r, 2))
		table_set_f64s(t, row, POINT_BOUNDS, (struct f64s){bounds, rng_below(r, 9)});
	table_set_u64(t, row, POINT_RESOURCE_ID, add_resource(b, tenant, rng_below(r, 6)));
	table_set_u64(t, row, POINT_SCOPE_ID, add_scope(b, tenant, rng_below(r, 6)));
}

static const char *const authors[] = {"ada", "bob's", "%", "\xF0\x9F\x9B\x92"};

/* No two rows have the same id, but every one has it in both tenants. */
static struct str
comment_id(struct arena *arena, uint64_t seq, uint32_t ord)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "c-%" PRIu64, own_id(seq, ord));
	struct str id = arena_str(arena, str_of(text, (size_t)n));
	assert_non_null(id.ptr);
	return id;
}

static void
add_comment(struct batch *b, struct rng *r, uint64_t seq, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_COMMENTS];
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, COMMENT_TENANT, str_from(RNG_PICK(r, tenants)));
	table_set_u64(t, row, COMMENT_SEQ, seq);
	table_set_u32(t, row, COMMENT_ORD, ord);
	table_set_u64(t, row, COMMENT_CREATED_NS, random_time(r));
	table_set_u64(t, row, COMMENT_TRACE_HI, small_or_huge(r));
	table_set_u64(t, row, COMMENT_TRACE_LO, 1 + rng_below(r, 3));
	table_set_u64(t, row, COMMENT_SPAN_ID, rng_below(r, 4));
	table_set_str(t, row, COMMENT_ID, comment_id(&b->arena, seq, ord));
	table_set_str(t, row, COMMENT_AUTHOR, str_from(RNG_PICK(r, authors)));
	table_set_str(t, row, COMMENT_BODY, str_from(RNG_PICK(r, names)));
}

static void
add_rows(struct batch *b, struct rng *r, uint64_t seq, size_t rows)
{
	for (size_t i = 0; i < rows; i++) {
		uint32_t ord = (uint32_t)i;
		size_t kind = rng_below(r, 9);
		if (kind < 4)
			add_span(b, r, seq, ord);
		else if (kind < 6)
			add_log(b, r, seq, ord);
		else if (kind < 8)
			add_point(b, r, seq, ord);
		else
			add_comment(b, r, seq, ord);
	}
}

void
store_conformance_batch(struct batch *b, uint64_t seed, uint64_t seq, size_t rows)
{
	struct rng r = {seed};
	batch_reset(b);
	b->last_seq = seq;
	add_rows(b, &r, seq, rows);
}

/* The same entries, in any order. */
static void
same_dict(const struct table *a, const struct table *b)
{
	assert_int_equal(a->row_count, b->row_count);
	for (size_t row = 0; row < a->row_count; row++) {
		size_t other = store_find_id(b, table_u64(a, row, 0));
		assert_true(other != SIZE_MAX);
		store_conformance_same_row(a, row, b, other);
	}
}

void
store_conformance_same_answer(struct store *a, struct store *b, const struct store_query *q)
{
	struct arena x = {0}, y = {0};
	struct store_result ra, rb;
	store_conformance_ask(a, q, &x, &ra);
	store_conformance_ask(b, q, &y, &rb);
	store_conformance_same_table(&ra.rows, &rb.rows);
	same_dict(&ra.resources, &rb.resources);
	same_dict(&ra.scopes, &rb.scopes);
	assert_int_equal(ra.more, rb.more);
	assert_int_equal(ra.next.set, rb.next.set);
	assert_true(ra.next.time_ns == rb.next.time_ns && ra.next.seq == rb.next.seq);
	assert_int_equal(ra.next.ord, rb.next.ord);
	arena_fini(&x);
	arena_fini(&y);
}

static struct store_query
random_question(struct rng *r, bool ranges)
{
	struct store_query q = store_conformance_question((enum store_query_kind)rng_below(r, 6),
	    RNG_PICK(r, tenants));
	q.row_max = rng_one_in(r, 2) ? 1 + rng_below(r, 20) : 100000;
	q.has_trace_id = q.kind == STORE_TRACE || rng_one_in(r, 6);
	q.trace_hi = small_or_huge(r);
	q.trace_lo = 1 + rng_below(r, 3);
	if (rng_one_in(r, 3))
		q.from_ns = random_time(r);
	if (rng_one_in(r, 3))
		q.to_ns = random_time(r);
	if (rng_one_in(r, 4))
		q.after = (struct store_cursor){
		    random_time(r), rng_below(r, 20), (uint32_t)rng_below(r, 50), true};
	if (rng_one_in(r, 3))
		q.service = str_from(RNG_PICK(r, services));
	if (rng_one_in(r, 4)) {
		q.services = service_lists + rng_below(r, ARRAY_LEN(service_lists) - 2);
		q.service_count = 1 + rng_below(r, 2);
	}
	if (rng_one_in(r, 5))
		q.name = str_from(RNG_PICK(r, names));
	if (rng_one_in(r, 5))
		q.operation = str_from(RNG_PICK(r, names));
	if (rng_one_in(r, 5))
		q.body_contains = str_from(RNG_PICK(r, names));
	for (size_t n = rng_one_in(r, 2) ? 0 : 1 + rng_below(r, 2); q.attr_count < n;
	    q.attr_count++) {
		size_t i = rng_below(r, ARRAY_LEN(attribute_filters));
		q.attrs[q.attr_count].key = str_from(attribute_filters[i].key);
		q.attrs[q.attr_count].value = str_from(attribute_filters[i].value);
	}
	if (ranges && rng_one_in(r, 3))
		q.attrs[q.attr_count++] = (struct store_attr){
		    .key = str_from(RNG_PICK(r, number_keys)),
		    .value = str_from(RNG_PICK(r, numbers)),
		    .op = (enum store_attr_op)(STORE_ATTR_GE + rng_below(r, 4)),
		};
	if (rng_one_in(r, 8)) /* of a log, or of a span */
		q.span_id = rng_one_in(r, 2)
		    ? 1 + rng_below(r, 2)
		    : own_id(1 + rng_below(r, 20), (uint32_t)rng_below(r, 20));
	q.has_duration_min = rng_one_in(r, 6);
	q.duration_min_ns = rng_one_in(r, 4) ? INT64_MIN : (int64_t)rng_below(r, 1000) * 1000;
	q.has_duration_max = rng_one_in(r, 6);
	q.duration_max_ns = rng_one_in(r, 4) ? INT64_MIN : (int64_t)rng_below(r, 1000) * 1000;
	q.has_status = rng_one_in(r, 6);
	q.status_code = (int32_t)rng_below(r, 3);
	q.has_kind = rng_one_in(r, 6);
	q.span_kind = (int32_t)rng_below(r, 6);
	q.roots_only = rng_one_in(r, 6);
	q.severity_min = rng_one_in(r, 4) ? (int32_t)rng_below(r, 24) : 0;
	q.severity_max = rng_one_in(r, 4) ? (int32_t)rng_below(r, 24) : 0;
	q.severity_unspecified = q.severity_min == 0 && q.severity_max == 0 && rng_one_in(r, 4);
	q.point_type = rng_one_in(r, 4) ? 1 + (int32_t)rng_below(r, 5) : 0;
	if (q.kind == STORE_COMMENTS) {
		q.attr_count = 0; /* they have none */
		q.span_id = rng_one_in(r, 3) ? rng_below(r, 4) : 0;
		q.oldest_first = rng_one_in(r, 2);
		q.author = rng_one_in(r, 3) ? str_from(RNG_PICK(r, authors)) : STR_EMPTY;
	}
	return q;
}

void
store_conformance_same(struct store *s, struct store *reference, uint64_t seed, size_t batches,
    size_t questions)
{
	struct rng r = {seed};
	struct batch b;
	uint64_t seq = store_applied(s);
	batch_init(&b, 0);
	for (size_t i = 0; i < batches; i++) {
		seq += 1 + rng_below(&r, 3);
		store_conformance_batch(&b, rng_next(&r), seq, 1 + rng_below(&r, 60));
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
		for (size_t n = 0; n < questions / batches; n++) {
			struct store_query q = random_question(&r, false);
			store_conformance_same_answer(s, reference, &q);
		}
	}
	batch_fini(&b);
}

/* ---- repeats: what was sent is written down in lists, which say what a store must recognise */

enum { LEDGER_SPANS = 20000, LEDGER_REQUESTS = 2000 };

struct ledger {
	struct {
		struct str tenant;
		uint64_t hi, lo, id;
	} spans[LEDGER_SPANS];
	size_t span_count;
	struct {
		struct hash128 identity;
		uint64_t seq;
	} requests[LEDGER_REQUESTS];
	size_t request_count;
	/* Of the batch last made. */
	unsigned char hidden[LEDGER_SPANS];
};

/* False when the list has it. */
static bool
ledger_add(struct ledger *l, const struct table *t, size_t row)
{
	struct str tenant = table_str(t, row, SPAN_TENANT);
	uint64_t hi = table_u64(t, row, SPAN_TRACE_HI), lo = table_u64(t, row, SPAN_TRACE_LO);
	uint64_t id = table_u64(t, row, SPAN_SPAN_ID);
	for (size_t i = 0; i < l->span_count; i++)
		if (str_eq(l->spans[i].tenant, tenant) && l->spans[i].hi == hi &&
		    l->spans[i].lo == lo && l->spans[i].id == id)
			return false;
	assert_true(l->span_count < LEDGER_SPANS);
	size_t at = l->span_count++;
	l->spans[at].tenant = tenant; /* a literal: it outlives the batch */
	l->spans[at].hi = hi;
	l->spans[at].lo = lo;
	l->spans[at].id = id;
	return true;
}

/* Some spans get the ids of another one: sent before, in this batch, of this or another tenant. */
static void
repeat_spans(struct ledger *l, struct rng *r, struct batch *b)
{
	struct table *t = &b->tables[TABLE_SPANS];
	for (size_t row = 0; row < t->row_count; row++) {
		if (l->span_count > 0 && rng_one_in(r, 3)) {
			size_t other = rng_below(r, l->span_count);
			table_set_u64(t, row, SPAN_TRACE_HI, l->spans[other].hi);
			table_set_u64(t, row, SPAN_TRACE_LO, l->spans[other].lo);
			table_set_u64(t, row, SPAN_SPAN_ID, l->spans[other].id);
		}
		l->hidden[row] = !ledger_add(l, t, row);
	}
}

/* A request that is new, or one sent before, which has no rows. */
static void
add_request(struct ledger *l, struct rng *r, struct batch *b, struct store *s,
    struct store *reference)
{
	struct batch_request *request = batch_request_add(b);
	assert_non_null(request);
	request->seq = b->last_seq;
	request->identity = (struct hash128){rng_next(r), rng_next(r)};
	request->tenant = str_from(tenants[0]);
	request->signal = SIGNAL_TRACES;
	request->received_ns = NOW;
	uint64_t known = 0;
	if (l->request_count > 0 && rng_one_in(r, 4)) {
		size_t other = rng_below(r, l->request_count);
		request->identity = l->requests[other].identity;
		request->repeat = true;
		/* A repeat of one of the same batch is the loader's to see. */
		known = l->requests[other].seq <= store_applied(s) ? l->requests[other].seq : 0;
	}
	assert_int_equal(store_knows(s, request->identity), known);
	assert_int_equal(store_knows(reference, request->identity), known);
	if (request->repeat)
		return;
	size_t before = batch_row_count(b);
	add_rows(b, r, b->last_seq, rng_below(r, 40));
	request->rows = (uint32_t)(batch_row_count(b) - before);
	assert_true(l->request_count < LEDGER_REQUESTS);
	l->requests[l->request_count].identity = request->identity;
	l->requests[l->request_count++].seq = request->seq;
}

static void
check_hidden(const struct ledger *l, const struct batch *b)
{
	const struct table *t = &b->tables[TABLE_SPANS];
	size_t hidden_count = 0;
	for (size_t row = 0; row < t->row_count; row++) {
		bool hidden = b->hidden[TABLE_SPANS] && b->hidden[TABLE_SPANS][row];
		assert_int_equal(hidden, l->hidden[row]);
		hidden_count += hidden;
	}
	assert_null(b->hidden[TABLE_LOGS]);
	assert_null(b->hidden[TABLE_POINTS]);
	for (size_t i = 0; i < b->request_count; i++) {
		size_t duplicates = 0;
		for (size_t row = 0; row < t->row_count; row++)
			duplicates +=
			    l->hidden[row] && table_u64(t, row, SPAN_SEQ) == b->requests[i].seq;
		assert_int_equal(b->requests[i].duplicates, duplicates);
		hidden_count -= duplicates;
	}
	assert_int_equal(hidden_count, 0);
}

static void
put_and_check(struct store *s, struct batch *b, const struct ledger *l)
{
	uint64_t before = store_position(s);
	store_conformance_put(s, b);
	check_hidden(l, b);
	for (size_t i = 0; i < b->request_count; i++)
		assert_true(store_knows(s, b->requests[i].identity) != 0);
	assert_int_equal(store_applied(s), b->last_seq);
	assert_in_range(store_position(s), before, b->last_seq);
}

void
store_conformance_same_identity(struct store *s, struct store *reference, uint64_t seed,
    size_t batches, size_t questions)
{
	struct rng r = {seed};
	struct ledger *l = xcalloc(1, sizeof(*l));
	struct batch b;
	uint64_t seq = store_applied(s);
	batch_init(&b, 0);
	for (size_t i = 0; i < batches; i++) {
		batch_reset(&b);
		for (size_t n = 1 + rng_below(&r, 4); n > 0; n--) {
			b.last_seq = seq += 1 + rng_below(&r, 3);
			add_request(l, &r, &b, s, reference);
		}
		repeat_spans(l, &r, &b);
		put_and_check(s, &b, l);
		put_and_check(reference, &b, l);
		for (size_t n = 0; n < questions / batches; n++) {
			struct store_query q = random_question(&r, true);
			store_conformance_same_answer(s, reference, &q);
		}
	}
	batch_fini(&b);
	free(l);
}
