/* SPDX-License-Identifier: Apache-2.0 */
/* Random telemetry and random searches: two stores must say the same. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "tests/random.h"
#include "tests/test.h"

#define NOW CONFORMANCE_NOW_NS

static const char *const tenants[] = {"acme", "other"};

static const char *const services[] = {"shop", "db", "Cart", "", "zürich"};
static const char *const span_names[] = {
    "GET /cart", "get /Cart/42", "query", "", "Zürich bestellen", "x'\"\\%_"};
static const char *const attribute_maps[] = {
    NULL,
    "{\"a\":\"GET /cart\",\"n\":5}",
    "{\"a\":\"get /Cart/42\",\"n\":5.5,\"t\":true}",
    "{\"a\":\"query\",\"n\":\"5\"}",
    "{\"a\":\"GET /cart\",\"n\":-0.0,\"u\":null}",
    "{\"a\":7,\"n\":1e+20,\"deep\":{\"x\":[\"Query\",{\"y\":\"cart\"}]}}",
    "{\"n\":{\"$double\":\"NaN\"},\"b\":{\"$bytes\":\"Y2FydA==\"},\"a\":\"z\\u00fcrich\"}",
    "{\"a\":\"line\\nquery\",\"a\":\"second\",\"$$q\":\"dollar\"}",
    "{\"t\":false,\"only.here\":\"rare\"}",
    "{\"a\":\"x'\\\"\\\\%_\",\"cart\":1}",
};
static const char *const event_lists[] = {NULL, NULL,
    "[{\"t\":5,\"name\":\"Exception\",\"attributes\":{\"message\":\"cart lost\",\"n\":1}}]",
    "[{\"t\":5,\"name\":\"query\"},{\"t\":6,\"name\":\"\"}]"};
static const char *const bodies[] = {NULL, "GET /cart", "Zürich ZÜRICH",
    "{\"query\":\"cart\",\"n\":[5]}", "", "x'\"\\%_ line\nquery"};
static const char *const words[] = {"cart", "CART", "query", "zürich", "ZÜR", "x'\"\\", "%", "e\nq",
    "5", "rare", "t /c", "exception", "nothing like it", "Y2FydA"};
static const char *const keys[] = {
    "a", "n", "t", "u", "b", "deep", "$q", "q", "only.here", "cart", "host", "lib", "none"};
static const char *const values[] = {
    "GET /cart", "5", "5.5", "true", "null", "h1", "L", "", "query", "NaN"};
static const char *const patterns[] = {"^GET", "(?i)cart", "^\\d", "", "^$", "5|true", "q.*y",
    "[^a-z]$", "\\bcart\\b", "'", "z.rich", "^.{3,5}$"};
static const char *const resource_maps[] = {
    NULL, "{\"host\":\"h1\",\"a\":\"query\"}", "{\"host\":\"h2\",\"n\":5,\"none\":1}"};
static const char *const scope_maps[] = {NULL, "{\"lib\":\"L\",\"a\":\"GET /cart\"}"};

static uint64_t
random_time(struct rng *r)
{
	static const uint64_t units[] = {1, NS_PER_S, 600 * NS_PER_S, NS_PER_DAY, 90 * NS_PER_DAY};
	uint64_t off = rng_below(r, 6) * RNG_PICK(r, units);
	return rng_one_in(r, 2) ? NOW - off : NOW + off;
}

static void
set_text(struct table *t, size_t row, int col, const char *text)
{
	if (text)
		table_set_str(t, row, col, str_from(text));
}

/* Ids are of the content, as they must be. */
static uint64_t
random_dict(struct batch *b, struct rng *r, enum table_id id, const char *tenant)
{
	size_t i =
	    rng_below(r, id == TABLE_RESOURCES ? ARRAY_LEN(resource_maps) : ARRAY_LEN(scope_maps));
	uint64_t key = (uint64_t)(tenant[0] * 100 + 1) + i + (id == TABLE_SCOPES ? 50 : 0);
	store_conformance_dict(b, id, key, tenant,
	    id == TABLE_RESOURCES ? resource_maps[i] : scope_maps[i]);
	return key;
}

static void
random_span(struct batch *b, struct rng *r, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_SPANS];
	const char *tenant = RNG_PICK(r, tenants);
	uint64_t resource = random_dict(b, r, TABLE_RESOURCES, tenant);
	uint64_t scope = random_dict(b, r, TABLE_SCOPES, tenant);
	size_t row = store_conformance_row(b, TABLE_SPANS, tenant, ord, random_time(r));
	table_set_u64(t, row, SPAN_TRACE_HI, rng_below(r, 2) * UINT64_C(0x8000000000000000));
	table_set_u64(t, row, SPAN_TRACE_LO, 1 + rng_below(r, 12));
	table_set_u64(t, row, SPAN_SPAN_ID, (rng_next(r) << 20 | b->last_seq << 8 | ord) + 1);
	table_set_u64(t, row, SPAN_PARENT_ID, rng_one_in(r, 4) ? 0 : 1 + rng_below(r, 5));
	table_set_i64(t, row, SPAN_DURATION_NS,
	    rng_one_in(r, 8) ? INT64_MIN + (int64_t)rng_below(r, 9)
	                     : (int64_t)(rng_below(r, 40) * NS_PER_S) - 1);
	table_set_i32(t, row, SPAN_STATUS_CODE, rng_one_in(r, 4) ? 2 : (int32_t)rng_below(r, 2));
	table_set_i32(t, row, SPAN_KIND, (int32_t)rng_below(r, 6));
	set_text(t, row, SPAN_SERVICE, RNG_PICK(r, services));
	set_text(t, row, SPAN_NAME, RNG_PICK(r, span_names));
	set_text(t, row, SPAN_STATUS_MESSAGE, rng_one_in(r, 3) ? RNG_PICK(r, span_names) : "");
	set_text(t, row, SPAN_ATTRIBUTES, RNG_PICK(r, attribute_maps));
	set_text(t, row, SPAN_EVENTS, RNG_PICK(r, event_lists));
	table_set_u64(t, row, SPAN_RESOURCE_ID, resource);
	table_set_u64(t, row, SPAN_SCOPE_ID, scope);
}

static void
random_log(struct batch *b, struct rng *r, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_LOGS];
	const char *tenant = RNG_PICK(r, tenants);
	uint64_t resource = random_dict(b, r, TABLE_RESOURCES, tenant);
	uint64_t scope = random_dict(b, r, TABLE_SCOPES, tenant);
	size_t row = store_conformance_row(b, TABLE_LOGS, tenant, ord, random_time(r));
	set_text(t, row, LOG_SERVICE, RNG_PICK(r, services));
	set_text(t, row, LOG_BODY, RNG_PICK(r, bodies));
	set_text(t, row, LOG_EVENT_NAME, rng_one_in(r, 3) ? RNG_PICK(r, span_names) : "");
	set_text(t, row, LOG_ATTRIBUTES, RNG_PICK(r, attribute_maps));
	table_set_u64(t, row, LOG_RESOURCE_ID, resource);
	table_set_u64(t, row, LOG_SCOPE_ID, scope);
}

static void
random_attrs(struct store_query *q, struct rng *r)
{
	for (size_t n = rng_one_in(r, 2) ? 0 : 1 + rng_below(r, 3); q->attr_count < n;
	    q->attr_count++) {
		struct store_attr *a = &q->attrs[q->attr_count];
		a->key = str_from(RNG_PICK(r, keys));
		a->op = rng_one_in(r, 3) ? STORE_ATTR_EQ
		                         : (enum store_attr_op)rng_below(r, STORE_ATTR_HAS + 1);
		a->value = str_from(a->op == STORE_ATTR_MATCH ? RNG_PICK(r, patterns)
		        : a->op == STORE_ATTR_EQ              ? RNG_PICK(r, values)
		                                              : "5");
		a->of = rng_one_in(r, 2)
		    ? STORE_ATTR_OF_ANY
		    : (enum store_attr_of)rng_below(r, STORE_ATTR_OF_SCOPE + 1);
		a->negated = rng_one_in(r, 3);
	}
	q->any_count = rng_one_in(r, 3) ? rng_below(r, q->attr_count + 1) : 0;
}

static void
random_beside(struct store_query *q, struct store_query *beside, struct rng *r)
{
	*beside = store_conformance_question(STORE_SPANS, "");
	random_attrs(beside, r);
	if (rng_one_in(r, 3))
		beside->from_ns = random_time(r);
	if (rng_one_in(r, 3))
		beside->to_ns = random_time(r);
	beside->has_status = rng_one_in(r, 3);
	beside->status_code = (int32_t)rng_below(r, 3);
	if (rng_one_in(r, 3))
		beside->service = str_from(RNG_PICK(r, services));
	if (q->kind == STORE_SPANS && rng_one_in(r, 2))
		q->beside = beside;
}

/* `beside` is room for what it may point to. */
static struct store_query
random_search(struct rng *r, struct store_query *beside)
{
	static const enum store_query_kind kinds[] = {
	    STORE_SPANS, STORE_LOGS, STORE_TRACES, STORE_TRACES, STORE_COUNTS};
	static const enum store_query_kind counted[] = {
	    STORE_SPANS, STORE_LOGS, STORE_POINTS, STORE_TRACES};
	struct store_query q = store_conformance_question(RNG_PICK(r, kinds), RNG_PICK(r, tenants));
	if (q.kind == STORE_COUNTS) {
		q.counted = RNG_PICK(r, counted);
		q.bucket_count = 1 + rng_below(r, 12);
		q.until_ns = rng_one_in(r, 3) ? random_time(r) : 0;
	} else {
		q.row_max = rng_one_in(r, 2) ? 1 + rng_below(r, 8) : 100000;
		if (rng_one_in(r, 3))
			q.after = (struct store_cursor){
			    random_time(r), rng_below(r, 30), (uint32_t)rng_below(r, 60), true};
	}
	if (rng_one_in(r, 4))
		q.from_ns = random_time(r);
	if (rng_one_in(r, 4))
		q.to_ns = random_time(r);
	if (rng_one_in(r, 4))
		q.service = str_from(RNG_PICK(r, services));
	if (rng_one_in(r, 6))
		q.name = str_from(RNG_PICK(r, span_names));
	q.has_status = rng_one_in(r, 6);
	q.status_code = (int32_t)rng_below(r, 3);
	q.roots_only = rng_one_in(r, 6);
	random_attrs(&q, r);
	random_beside(&q, beside, r);
	for (size_t n = rng_one_in(r, 2) ? 0 : 1 + rng_below(r, 2); q.word_count < n;
	    q.word_count++)
		q.words[q.word_count] = str_from(RNG_PICK(r, words));
	q.has_trace_duration_min = rng_one_in(r, 5);
	q.trace_duration_min_ns = rng_below(r, 4) * 10 * NS_PER_S;
	q.has_trace_duration_max = rng_one_in(r, 5);
	q.trace_duration_max_ns = rng_below(r, 4) * NS_PER_DAY;
	q.trace_spans_min = rng_one_in(r, 4) ? rng_below(r, 8) : 0;
	q.has_trace_errors = rng_one_in(r, 5);
	q.trace_errors = rng_one_in(r, 2);
	return q;
}

void
store_conformance_same_search(struct store *s, struct store *reference, uint64_t seed,
    size_t batches, size_t questions)
{
	struct rng r = {seed};
	struct batch b;
	uint64_t seq = store_applied(s);
	batch_init(&b, 0);
	for (size_t i = 0; i < batches; i++) {
		size_t rows = 1 + rng_below(&r, 60);
		batch_reset(&b);
		b.last_seq = seq += 1 + rng_below(&r, 3);
		for (uint32_t ord = 0; ord < rows; ord++) {
			if (rng_one_in(&r, 3))
				random_log(&b, &r, ord);
			else
				random_span(&b, &r, ord);
		}
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
		for (size_t n = 0; n < questions / batches; n++) {
			struct store_query beside, q = random_search(&r, &beside);
			store_conformance_same_answer(s, reference, &q);
		}
	}
	batch_fini(&b);
}
