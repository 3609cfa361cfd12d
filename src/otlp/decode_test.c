/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows hold when a request is unusual: fields out of order, given twice, unknown. */
#include "otlp/dump_test.h"
#include "otlp/encode.h"

#include "base/hash.h"
#include "tests/test.h"
#include "wire/pb.h"

#define ID16 STR("0123456789abcdef")
#define ID8 STR("01234567")

struct request {
	struct buf body;
	struct batch batch;
};

static void
start(struct request *q)
{
	*q = (struct request){0};
	batch_init(&q->batch, 0);
}

static void
finish(struct request *q)
{
	buf_fini(&q->body);
	batch_fini(&q->batch);
}

/* Decode; all items must be good. */
static const struct table *
decode(struct request *q, enum signal_kind signal)
{
	static const enum table_id tables[] = {[SIGNAL_TRACES] = TABLE_SPANS,
	    [SIGNAL_METRICS] = TABLE_POINTS,
	    [SIGNAL_LOGS] = TABLE_LOGS};
	struct limits limits = limits_default();
	struct otlp_counts counts = dump_decode(signal, buf_view(&q->body), &limits, &q->batch);
	assert_string_equal(counts.reason, "");
	return &q->batch.tables[tables[signal]];
}

static void
assert_str(struct str got, const char *want)
{
	if (!str_eq(got, str_from(want)))
		fail_msg("'%.*s' is not '%s'", STR_ARG(got), want);
}

static void
put_attr(struct buf *b, uint32_t number, const char *key, int64_t v)
{
	size_t kv = pb_open(b, number);
	pb_put_bytes(b, 1, str_from(key));
	size_t value = pb_open(b, 2);
	pb_put_u64(b, 3, (uint64_t)v);
	pb_close(b, value);
	pb_close(b, kv);
}

static void
put_text_attr(struct buf *b, uint32_t number, const char *key, const char *text)
{
	size_t kv = pb_open(b, number);
	size_t value = pb_open(b, 2); /* the value before the key */
	pb_put_bytes(b, 1, str_from(text));
	pb_close(b, value);
	pb_put_bytes(b, 1, str_from(key));
	pb_close(b, kv);
}

static void
put_ids(struct buf *b)
{
	pb_put_bytes(b, 1, ID16);
	pb_put_bytes(b, 2, ID8);
}

TEST(otlp, a_resource_and_a_scope_may_stand_behind_what_they_describe)
{
	struct request q;
	start(&q);
	struct buf *b = &q.body;
	size_t resource_spans = pb_open(b, 1);
	size_t scope_spans = pb_open(b, 2);
	size_t span = pb_open(b, 2);
	put_attr(b, 9, "first", 1);
	put_ids(b);
	put_attr(b, 9, "second", 2);
	pb_close(b, span);
	pb_put_bytes(b, 3, STR("scope-url"));
	size_t scope = pb_open(b, 1);
	pb_put_bytes(b, 2, STR("v"));
	pb_put_bytes(b, 1, STR("lib"));
	pb_close(b, scope);
	pb_close(b, scope_spans);
	pb_put_bytes(b, 3, STR("resource-url"));
	size_t resource = pb_open(b, 1);
	put_text_attr(b, 1, "service.name", "late");
	pb_close(b, resource);
	pb_close(b, resource_spans);

	const struct table *t = decode(&q, SIGNAL_TRACES);
	assert_int_equal(t->row_count, 1);
	assert_str(table_str(t, 0, SPAN_SERVICE), "late");
	assert_str(table_str(t, 0, SPAN_ATTRIBUTES), "{\"first\":1,\"second\":2}");
	const struct table *resources = &q.batch.tables[TABLE_RESOURCES];
	const struct table *scopes = &q.batch.tables[TABLE_SCOPES];
	assert_str(table_str(resources, 0, RESOURCE_SCHEMA_URL), "resource-url");
	assert_str(table_str(scopes, 0, SCOPE_SCHEMA_URL), "scope-url");
	assert_str(table_str(scopes, 0, SCOPE_NAME), "lib");
	assert_str(table_str(scopes, 0, SCOPE_VERSION), "v");
	assert_true(table_u64(t, 0, SPAN_RESOURCE_ID) == table_u64(resources, 0, RESOURCE_ID));
	assert_true(table_u64(t, 0, SPAN_SCOPE_ID) == table_u64(scopes, 0, SCOPE_ID));
	finish(&q);
}

TEST(otlp, single_messages_that_come_twice_are_merged)
{
	struct request q;
	start(&q);
	struct buf *b = &q.body;
	size_t resource_spans = pb_open(b, 1);
	for (int i = 0; i < 2; i++) {
		size_t resource = pb_open(b, 1);
		put_text_attr(b, 1, i ? "service.name" : "a", i ? "merged" : "x");
		pb_put_u64(b, 2, i ? 7 : 5);
		pb_close(b, resource);
	}
	size_t scope_spans = pb_open(b, 2);
	for (int i = 0; i < 2; i++) {
		size_t scope = pb_open(b, 1);
		pb_put_bytes(b, i ? 2 : 1, i ? STR("v2") : STR("lib"));
		put_attr(b, 3, i ? "two" : "one", i);
		pb_close(b, scope);
	}
	size_t span = pb_open(b, 2);
	put_ids(b);
	for (int i = 0; i < 2; i++) {
		size_t status = pb_open(b, 15);
		if (i)
			pb_put_u64(b, 3, 2);
		else
			pb_put_bytes(b, 2, STR("kept"));
		pb_close(b, status);
	}
	pb_close(b, span);
	pb_close(b, scope_spans);
	pb_close(b, resource_spans);

	const struct table *t = decode(&q, SIGNAL_TRACES);
	assert_str(table_str(t, 0, SPAN_SERVICE), "merged");
	assert_str(table_str(t, 0, SPAN_STATUS_MESSAGE), "kept");
	assert_int_equal(table_i32(t, 0, SPAN_STATUS_CODE), 2);
	const struct table *resources = &q.batch.tables[TABLE_RESOURCES];
	assert_str(table_str(resources, 0, RESOURCE_ATTRIBUTES),
	    "{\"a\":\"x\",\"service.name\":\"merged\"}");
	assert_int_equal(table_u32(resources, 0, RESOURCE_DROPPED_ATTRIBUTES), 7);
	const struct table *scopes = &q.batch.tables[TABLE_SCOPES];
	assert_str(table_str(scopes, 0, SCOPE_NAME), "lib");
	assert_str(table_str(scopes, 0, SCOPE_VERSION), "v2");
	assert_str(table_str(scopes, 0, SCOPE_ATTRIBUTES), "{\"one\":0,\"two\":1}");
	finish(&q);
}

TEST(otlp, of_a_value_that_comes_twice_the_last_counts)
{
	struct request q;
	start(&q);
	struct buf *b = &q.body;
	size_t resource_logs = pb_open(b, 1), scope_logs = pb_open(b, 2), log = pb_open(b, 2);
	size_t body = pb_open(b, 5);
	pb_put_bytes(b, 1, STR("\xff never read"));
	pb_put_u64(b, 3, 5);
	pb_close(b, body);
	size_t again = pb_open(b, 5);
	pb_put_u64(b, 3, 6);
	pb_put_bytes(b, 1, STR("last"));
	pb_put_u64(b, 99, 6);
	pb_put_u64(b, 1, 6); /* the number of a string, but no string: unknown */
	pb_close(b, again);
	size_t kv = pb_open(b, 6);
	pb_put_bytes(b, 1, STR("k"));
	for (uint64_t i = 0; i < 2; i++) {
		size_t value = pb_open(b, 2);
		pb_put_u64(b, 2, i);
		pb_close(b, value);
	}
	pb_close(b, kv);
	pb_close(b, log);
	pb_close(b, scope_logs);
	pb_close(b, resource_logs);
	const struct table *t = decode(&q, SIGNAL_LOGS);
	assert_int_equal(table_i32(t, 0, LOG_BODY_KIND), LOG_BODY_STRING);
	assert_str(table_str(t, 0, LOG_BODY), "last");
	assert_str(table_str(t, 0, LOG_ATTRIBUTES), "{\"k\":true}");
	finish(&q);
}

/* A data message of `field` with one point of this time in it. */
static void
put_data(struct buf *b, uint32_t field, uint64_t time_ns)
{
	size_t data = pb_open(b, field);
	size_t point = pb_open(b, 1);
	pb_put_fixed64(b, 3, time_ns);
	pb_close(b, point);
	pb_close(b, data);
}

TEST(otlp, data_of_one_kind_are_merged_and_of_another_kind_replaced)
{
	struct request q;
	start(&q);
	struct buf *b = &q.body;
	size_t resource_metrics = pb_open(b, 1), scope_metrics = pb_open(b, 2);
	size_t metric = pb_open(b, 2);
	put_data(b, 7, 1);
	put_data(b, 5, 2);
	put_data(b, 7, 3); /* from here on it counts */
	size_t temporality = pb_open(b, 7);
	pb_put_u64(b, 2, 2);
	pb_close(b, temporality);
	pb_put_bytes(b, 1, STR("name"));
	put_data(b, 7, 4);
	size_t monotonic = pb_open(b, 7);
	pb_put_u64(b, 3, 1);
	pb_close(b, monotonic);
	pb_close(b, metric);
	pb_close(b, scope_metrics);
	pb_close(b, resource_metrics);
	const struct table *t = decode(&q, SIGNAL_METRICS);
	assert_int_equal(t->row_count, 2);
	for (size_t row = 0; row < 2; row++) {
		assert_int_equal(table_u64(t, row, POINT_TIME_NS), 3 + row);
		assert_int_equal(table_i32(t, row, POINT_TYPE), POINT_SUM_TYPE);
		assert_int_equal(table_i32(t, row, POINT_TEMPORALITY), 2);
		assert_true(table_bool(t, row, POINT_MONOTONIC));
		assert_str(table_str(t, row, POINT_NAME), "name");
	}
	finish(&q);
}

TEST(otlp, repeated_numbers_may_be_packed_or_not_or_both)
{
	struct request q;
	start(&q);
	struct buf *b = &q.body;
	struct otlp_encoder e;
	static const uint64_t counts[] = {1, 300};
	static const double bounds[] = {0.5, 2.5};
	otlp_encode_begin(&e, SIGNAL_METRICS, b);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	otlp_encode_metric(&e, &(struct otlp_metric){.type = POINT_HISTOGRAM});
	otlp_encode_point(&e, &(struct otlp_point){.bounds = {bounds, 2}, .counts = {counts, 2}});
	pb_put_fixed64(b, 6, 7);
	pb_put_double(b, 7, 9.5);
	otlp_encode_metric(&e, &(struct otlp_metric){.type = POINT_EXP_HISTOGRAM});
	otlp_encode_point(&e, &(struct otlp_point){.positive = {-3, {counts, 2}}});
	size_t buckets = pb_open(b, 8);
	pb_put_u64(b, 2, UINT64_MAX);
	pb_put_sint(b, 1, 4);
	pb_close(b, buckets);
	otlp_encode_end(&e);
	const struct table *t = decode(&q, SIGNAL_METRICS);
	struct u64s h = table_u64s(t, 0, POINT_BUCKETS), x = table_u64s(t, 1, POINT_POS_COUNTS);
	struct f64s f = table_f64s(t, 0, POINT_BOUNDS);
	assert_int_equal(h.len, 3);
	assert_int_equal(h.ptr[1], 300);
	assert_int_equal(h.ptr[2], 7);
	assert_int_equal(f.len, 3);
	assert_true(f.ptr[0] == 0.5 && f.ptr[1] == 2.5 && f.ptr[2] == 9.5);
	assert_int_equal(x.len, 3);
	assert_int_equal(x.ptr[0], 1);
	assert_true(x.ptr[2] == UINT64_MAX);
	assert_int_equal(table_i32(t, 1, POINT_POS_OFFSET), 4);
	assert_true(table_is_null(t, 1, POINT_NEG_COUNTS));
	finish(&q);
}

/* Fields weir does not know, in all wire types, and groups within groups. */
static void
put_unknown(struct buf *b)
{
	pb_put_u64(b, 1000, 5);
	pb_put_fixed64(b, 1001, 5);
	pb_put_fixed32(b, 1002, 5);
	pb_put_bytes(b, 1003, STR("\xff\xff\xff"));
	pb_put_varint(b, PB_KEY(1004, PB_GROUP));
	pb_put_varint(b, PB_KEY(1, PB_GROUP));
	pb_put_bytes(b, 1, STR("x"));
	pb_put_varint(b, PB_KEY(1, PB_GROUP_END));
	pb_put_varint(b, PB_KEY(1004, PB_GROUP_END));
}

TEST(otlp, unknown_fields_and_groups_are_skipped_everywhere)
{
	struct request q;
	start(&q);
	struct buf *b = &q.body;
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, b);
	put_unknown(b);
	otlp_encode_resource(&e, STR_EMPTY);
	put_unknown(b);
	otlp_encode_scope(&e, STR("lib"), STR_EMPTY, STR_EMPTY);
	put_unknown(b);
	otlp_encode_span(&e, &(struct otlp_span){.trace_hi = 1, .span_id = 2, .name = STR("n")});
	put_unknown(b);
	pb_put_u64(b, 5, 1); /* the name's number, not its type */
	pb_put_bytes(b, 7, STR("12345678"));
	pb_put_varint(b, PB_KEY(1, PB_GROUP));
	pb_put_varint(b, PB_KEY(1, PB_GROUP_END));
	size_t kv = pb_open(b, 9);
	put_unknown(b);
	pb_put_bytes(b, 1, STR("k"));
	size_t value = pb_open(b, 2);
	put_unknown(b);
	size_t list = pb_open(b, 5);
	put_unknown(b);
	size_t element = pb_open(b, 1);
	put_unknown(b);
	pb_put_u64(b, 3, 8);
	pb_close(b, element);
	pb_close(b, list);
	pb_close(b, value);
	pb_close(b, kv);
	size_t status = pb_open(b, 15);
	put_unknown(b);
	pb_close(b, status);
	otlp_encode_event(&e, 1, STR("e"), 0);
	put_unknown(b);
	otlp_encode_end(&e);
	const struct table *t = decode(&q, SIGNAL_TRACES);
	assert_int_equal(t->row_count, 1);
	assert_str(table_str(t, 0, SPAN_NAME), "n");
	assert_int_equal(table_u64(t, 0, SPAN_START_NS), 0);
	assert_str(table_str(t, 0, SPAN_ATTRIBUTES), "{\"k\":[8]}");
	assert_str(table_str(t, 0, SPAN_EVENTS), "[{\"t\":1,\"name\":\"e\"}]");
	finish(&q);
}

TEST(otlp, ordinals_count_refused_items_too)
{
	struct request q;
	start(&q);
	struct limits limits = limits_default();
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, &q.body);
	for (int i = 0; i < 2; i++) {
		otlp_encode_resource(&e, STR_EMPTY);
		otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
		for (uint64_t k = 0; k < 3; k++)
			otlp_encode_span(&e,
			    &(struct otlp_span){.trace_hi = 1, .span_id = k, .kind = (int32_t)k});
	}
	otlp_encode_end(&e);
	struct otlp_counts counts =
	    dump_decode(SIGNAL_TRACES, buf_view(&q.body), &limits, &q.batch);
	assert_int_equal(counts.accepted, 4);
	static const uint32_t want[] = {1, 2, 4, 5};
	const struct table *t = &q.batch.tables[TABLE_SPANS];
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(table_u32(t, i, SPAN_ORD), want[i]);
	finish(&q);
}

TEST(otlp, texts_point_into_the_body)
{
	struct request q;
	start(&q);
	struct otlp_encoder e;
	struct otlp_value text = otlp_value_str(STR("the text"));
	otlp_encode_begin(&e, SIGNAL_LOGS, &q.body);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	otlp_encode_log(&e, &(struct otlp_log){.body = &text});
	otlp_encode_end(&e);
	const struct table *t = decode(&q, SIGNAL_LOGS);
	struct str body = table_str(t, 0, LOG_BODY);
	assert_true(body.ptr > q.body.ptr && body.ptr < q.body.ptr + q.body.len);
	finish(&q);
}

TEST(otlp, the_service_is_the_first_text_named_so_or_unknown)
{
	static const struct {
		const char *first, *second, *want; /* NULL: an integer; "": none */
	} cases[] = {
	    {"a", "b", "a"},
	    {NULL, "b", "b"},
	    {"", "b", "b"},
	    {NULL, NULL, "unknown"},
	    {"", "", "unknown"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request q;
		start(&q);
		struct otlp_encoder e;
		otlp_encode_begin(&e, SIGNAL_LOGS, &q.body);
		otlp_encode_resource(&e, STR_EMPTY);
		otlp_encode_attr(&e, STR("service.namespace"), otlp_value_str(STR("no")));
		for (int k = 0; k < 2; k++) {
			const char *text = k ? cases[i].second : cases[i].first;
			otlp_encode_attr(&e, STR("service.name"),
			    text ? otlp_value_str(str_from(text)) : otlp_value_int(1));
		}
		otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
		otlp_encode_log(&e, &(struct otlp_log){0});
		otlp_encode_end(&e);
		const struct table *t = decode(&q, SIGNAL_LOGS);
		assert_str(table_str(t, 0, LOG_SERVICE), cases[i].want);
		assert_str(table_str(&q.batch.tables[TABLE_RESOURCES], 0, RESOURCE_SERVICE),
		    cases[i].want);
		finish(&q);
	}
}

/* ---- ids */

struct ids {
	uint64_t resource, scope, series;
};

/* What may differ between two requests of one point. */
struct variant {
	const char *tenant, *resource_url, *resource_value, *scope_name, *scope_version, *scope_url,
	    *scope_value, *metric, *unit, *point_value, *description;
	bool swap; /* the order of attributes, everywhere */
	enum point_type type;
	int32_t temporality;
	bool monotonic;
	uint64_t time_ns;
};

static const struct variant plain = {.tenant = "t",
    .resource_url = "ru",
    .resource_value = "rv",
    .scope_name = "sn",
    .scope_version = "sv",
    .scope_url = "su",
    .scope_value = "sa",
    .metric = "m",
    .unit = "u",
    .point_value = "pv",
    .description = "d",
    .type = POINT_SUM_TYPE,
    .temporality = 1};

static void
put_pair(struct otlp_encoder *e, const char *value, bool swap)
{
	if (swap)
		otlp_encode_attr(e, STR("b"), otlp_value_int(2));
	otlp_encode_attr(e, STR("a"), otlp_value_str(str_from(value)));
	if (!swap)
		otlp_encode_attr(e, STR("b"), otlp_value_int(2));
}

static struct ids
ids_of(const struct variant *v)
{
	struct request q;
	start(&q);
	struct otlp_encoder e;
	struct limits limits = limits_default();
	struct otlp_origin origin = {str_from(v->tenant), 1, 1};
	otlp_encode_begin(&e, SIGNAL_METRICS, &q.body);
	otlp_encode_resource(&e, str_from(v->resource_url));
	put_pair(&e, v->resource_value, v->swap);
	otlp_encode_scope(&e, str_from(v->scope_name), str_from(v->scope_version),
	    str_from(v->scope_url));
	put_pair(&e, v->scope_value, v->swap);
	otlp_encode_metric(&e,
	    &(struct otlp_metric){.name = str_from(v->metric),
	        .unit = str_from(v->unit),
	        .description = str_from(v->description),
	        .type = v->type,
	        .temporality = v->temporality,
	        .monotonic = v->monotonic});
	otlp_encode_point(&e, &(struct otlp_point){.has_int = true, .time_ns = v->time_ns});
	put_pair(&e, v->point_value, v->swap);
	otlp_encode_end(&e);
	assert_int_equal(otlp_decode(SIGNAL_METRICS, buf_view(&q.body), &limits, &origin, &q.batch,
	                     NULL),
	    ERR_OK);
	const struct table *t = &q.batch.tables[TABLE_POINTS];
	struct ids ids = {table_u64(t, 0, POINT_RESOURCE_ID), table_u64(t, 0, POINT_SCOPE_ID),
	    table_u64(t, 0, POINT_SERIES_ID)};
	finish(&q);
	return ids;
}

static void
assert_differs(struct variant v, bool resource, bool scope, bool series)
{
	struct ids a = ids_of(&plain), b = ids_of(&v);
	assert_int_equal(a.resource != b.resource, resource);
	assert_int_equal(a.scope != b.scope, scope);
	assert_int_equal(a.series != b.series, series);
}

#define WITH(member, value) (v = plain, v.member = (value), v)

TEST(otlp, ids_are_of_the_content_and_a_series_has_no_order_of_attributes)
{
	struct variant v;
	assert_differs(plain, false, false, false);
	assert_differs(WITH(tenant, "T"), true, true, true);
	assert_differs(WITH(resource_url, "x"), true, false, false);
	assert_differs(WITH(resource_value, "x"), true, false, true);
	assert_differs(WITH(scope_name, "x"), false, true, true);
	assert_differs(WITH(scope_version, "x"), false, true, true);
	assert_differs(WITH(scope_url, "x"), false, true, true);
	assert_differs(WITH(scope_value, "x"), false, true, true);
	assert_differs(WITH(metric, "x"), false, false, true);
	assert_differs(WITH(unit, "x"), false, false, true);
	assert_differs(WITH(point_value, "x"), false, false, true);
	assert_differs(WITH(type, POINT_HISTOGRAM), false, false, true);
	assert_differs(WITH(temporality, 2), false, false, true);
	assert_differs(WITH(monotonic, true), false, false, true);
	assert_differs(WITH(description, "x"), false, false, false);
	assert_differs(WITH(time_ns, 99), false, false, false);
	assert_differs(WITH(swap, true), true, true, false);
	/* Parts do not run into one another. */
	v = WITH(scope_name, "snsv");
	v.scope_version = "";
	assert_differs(v, false, true, true);
}

/* Ids are on disk: they may not change from one version to the next. Computed with python-xxhash. */
TEST(otlp, ids_are_the_same_in_every_process_and_version)
{
	struct ids ids = ids_of(&plain);
	assert_true(ids.resource == UINT64_C(2223535729751105528));
	assert_true(ids.scope == UINT64_C(11596057660022036794));
	assert_true(ids.series == UINT64_C(5203938358329078927));
}

TEST(otlp, equal_resources_and_scopes_of_several_requests_are_one_row)
{
	struct request q;
	start(&q);
	struct otlp_encoder e;
	struct limits limits = limits_default();
	otlp_encode_begin(&e, SIGNAL_LOGS, &q.body);
	for (int i = 0; i < 6; i++) {
		otlp_encode_resource(&e, STR_EMPTY);
		otlp_encode_attr(&e, STR("n"), otlp_value_int(i % 2));
		otlp_encode_scope(&e, i % 3 ? STR("lib") : STR("other"), STR_EMPTY, STR_EMPTY);
		otlp_encode_log(&e, &(struct otlp_log){0});
	}
	otlp_encode_resource(&e, STR("without items"));
	otlp_encode_scope(&e, STR("empty"), STR_EMPTY, STR_EMPTY);
	otlp_encode_end(&e);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct otlp_origin origin = {STR("t"), seq, 1};
		assert_int_equal(otlp_decode(SIGNAL_LOGS, buf_view(&q.body), &limits, &origin,
		                     &q.batch, NULL),
		    ERR_OK);
	}
	assert_int_equal(q.batch.tables[TABLE_LOGS].row_count, 18);
	assert_int_equal(q.batch.tables[TABLE_RESOURCES].row_count, 2);
	assert_int_equal(q.batch.tables[TABLE_SCOPES].row_count, 2);
	finish(&q);
}

TEST(otlp, a_request_that_does_not_fit_in_the_batch_is_too_large_and_can_be_taken_back)
{
	struct request small;
	start(&small);
	struct otlp_encoder e;
	struct limits limits = limits_default();
	struct otlp_origin origin = {STR("t"), 1, 1};
	otlp_encode_begin(&e, SIGNAL_TRACES, &small.body);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	for (uint64_t i = 1; i <= 200; i++) {
		otlp_encode_span(&e, &(struct otlp_span){.trace_hi = 1, .span_id = i});
		otlp_encode_attr(&e, STR("a"), otlp_value_str(STR("some text \x01\x02\x03")));
	}
	otlp_encode_end(&e);
	/* Every budget, up to the first that is enough: each place that allocates fails once. */
	size_t budget = 16;
	for (;; budget += 208) {
		struct batch b;
		struct err err = {0};
		batch_init(&b, budget);
		struct batch_mark mark = batch_mark(&b);
		enum err_code code =
		    otlp_decode(SIGNAL_TRACES, buf_view(&small.body), &limits, &origin, &b, &err);
		if (code != ERR_OK) {
			assert_int_equal(code, ERR_TOO_LARGE);
			assert_non_null(strstr(err.message, "does not fit"));
			batch_rewind(&b, mark);
			assert_int_equal(batch_row_count(&b), 0);
		} else {
			assert_int_equal(batch_row_count(&b), 200);
		}
		batch_fini(&b);
		if (code == ERR_OK)
			break;
	}
	assert_true(budget > 200 * 100);
	finish(&small);
}
