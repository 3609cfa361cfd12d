/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the sums of stores: shapes, and that it does not matter how many stores there are. */
#include "ops/fake_test.h"

#include "base/timefmt.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW UINT64_C(1795187531000000042)

enum { ROWS_MAX = 4000, PARTS_MAX = 8, P_SPAN = 0, P_LOG, P_POINT };

struct row {
	struct partial_row row;
	int signal;
	unsigned part; /* the store that has it */
};

/* A store of several, which merges what they say. */
static struct {
	struct row rows[ROWS_MAX];
	size_t count;
	unsigned parts;
	struct str tenant;
	unsigned window_count; /* asked for */
} kept;

static void
count_part(struct partial *p, unsigned part)
{
	for (size_t i = 0; i < kept.count; i++) {
		const struct row *r = &kept.rows[i];
		int window = partial_window_of(p, r->row.time_ns);
		if (r->part % kept.parts != part || window < 0 ||
		    (p->scope.service.len > 0 && !str_eq(p->scope.service, r->row.service)))
			continue;
		if (r->signal == P_SPAN)
			partial_add_span(p, (unsigned)window, &r->row);
		else if (r->signal == P_LOG)
			partial_add_log(p, (unsigned)window, &r->row);
		else
			partial_add_point(p, (unsigned)window, &r->row);
	}
}

static enum err_code
analyse_parts(struct store *s, struct str tenant, uint64_t deadline, struct partial *p,
    struct err *err)
{
	(void)s;
	(void)deadline;
	kept.tenant = tenant;
	kept.window_count = p->scope.window_count;
	for (unsigned i = 0; i < kept.parts; i++) {
		struct partial part;
		partial_init(&part, &p->scope, 0);
		count_part(&part, i);
		enum err_code code = partial_merge(p, &part, err);
		partial_fini(&part);
		if (code)
			return code;
	}
	return ERR_OK;
}

static const struct store_ops parts_ops = {.name = "parts", .analyse = analyse_parts};

static void
begin(struct fake *f, unsigned parts)
{
	fake_init(f, TABLE_SPANS);
	f->store.ops = &parts_ops;
	kept.parts = parts;
}

static struct partial_row *
add(int signal, const char *service, const char *name, uint64_t time_ns)
{
	struct row *r = &kept.rows[kept.count];
	assert_true(kept.count < ROWS_MAX);
	*r = (struct row){.row = {.service = str_from(service),
	                      .name = str_from(name),
	                      .time_ns = time_ns,
	                      .hash = kept.count + 1},
	    .signal = signal,
	    .part = (unsigned)kept.count};
	kept.count++;
	return &r->row;
}

static void
add_spans(const char *service, uint64_t time_ns, int n, int errors, int64_t duration_ns)
{
	for (int i = 0; i < n; i++) {
		struct partial_row *r = add(P_SPAN, service, "op", time_ns);
		r->duration_ns = duration_ns;
		r->code = i < errors ? 2 : 0;
	}
}

static void
expect(struct fake *f, const char *op, const char *params, const char *want_text)
{
	json_error_t error;
	json_t *got = fake_get(f, op, params);
	json_t *want = json_loads(want_text, JSON_REJECT_DUPLICATES, &error);
	if (!want)
		fail_msg("the test's JSON: %s", error.text);
	if (!json_equal(got, want))
		fail_msg("got %s\nwant %s", json_dumps(got, JSON_SORT_KEYS | JSON_INDENT(1)),
		    json_dumps(want, JSON_SORT_KEYS | JSON_INDENT(1)));
	json_decref(want);
	json_decref(got);
}

#define WINDOW                                                                                     \
	"\"from\":\"2026-11-20T15:02:11.000000042Z\",\"from_unix_nano\":\"1795186931000000042\","  \
	"\"to\":\"2026-11-20T15:12:11.000000042Z\",\"to_unix_nano\":\"1795187531000000042\""

TEST(ops, a_summary_of_nothing_has_every_member)
{
	struct fake f;
	begin(&f, 1);
	expect(&f, "summary", "last=10m&service=x",
	    "{\"window_seconds\":600," WINDOW ",\"service_filter\":\"x\","
	    "\"traces\":{\"span_count\":0,\"trace_count\":0,\"trace_count_exact\":true,"
	    "\"error_count\":0,\"error_rate\":0.0,\"avg_ms\":null,\"max_ms\":null,\"p50_ms\":null,"
	    "\"p95_ms\":null,\"p99_ms\":null},\"service_count\":0,\"top_services\":[],"
	    "\"top_error_operations\":[],\"slowest_operations\":[],"
	    "\"logs\":{\"total\":0,\"error\":0,\"warn\":0,\"info\":0,\"debug\":0,\"unspecified\":0},"
	    "\"metrics\":{\"point_count\":0,\"unique_names\":0,\"unique_names_exact\":true},"
	    "\"truncated\":false}");
	assert_int_equal(kept.window_count, 1);
	fake_fini(&f);
}

TEST(ops, a_summary_is_the_sum_of_what_all_stores_have)
{
	struct fake f;
	begin(&f, 3);
	add_spans("a", NOW - 5, 4, 1, 10000000);
	add_spans("b", NOW - 5, 6, 0, 10000000);
	add_spans("b", NOW - 5, 1, 0, -1); /* not ended */
	add_spans("b", NOW - 601 * NS_PER_S, 9, 9, 1); /* before */
	add_spans("a", NOW + NS_PER_DAY, 1, 0, 10000000); /* of a clock that is ahead */
	for (int i = 0; i <= 24; i++)
		add(P_LOG, "c", "", NOW)->code = i;
	for (int i = 0; i < 3; i++)
		add(P_POINT, "c", "m", NOW)->hash = 7;
	expect(&f, "summary", "last=600s&limit=1",
	    "{\"window_seconds\":600," WINDOW ",\"service_filter\":null,"
	    "\"traces\":{\"span_count\":12,\"trace_count\":12,\"trace_count_exact\":true,"
	    "\"error_count\":1,\"error_rate\":0.08333333333333333,\"avg_ms\":10.0,\"max_ms\":10.0,"
	    "\"p50_ms\":10.0,\"p95_ms\":10.0,\"p99_ms\":10.0},\"service_count\":3,"
	    "\"top_services\":[{\"service\":\"b\",\"span_count\":7,\"error_count\":0,"
	    "\"error_rate\":0.0,\"p50_ms\":10.0,\"p95_ms\":10.0}],"
	    "\"top_error_operations\":[{\"service\":\"a\",\"operation\":\"op\",\"span_count\":5,"
	    "\"error_count\":1,\"error_rate\":0.2,\"p50_ms\":10.0,\"p95_ms\":10.0}],"
	    "\"slowest_operations\":[{\"service\":\"a\",\"operation\":\"op\",\"span_count\":5,"
	    "\"error_count\":1,\"error_rate\":0.2,\"p50_ms\":10.0,\"p95_ms\":10.0}],"
	    "\"logs\":{\"total\":25,\"error\":8,\"warn\":4,\"info\":4,\"debug\":8,"
	    "\"unspecified\":1},"
	    "\"metrics\":{\"point_count\":3,\"unique_names\":1,\"unique_names_exact\":true},"
	    "\"truncated\":false}");
	assert_true(str_eq(kept.tenant, STR("default")));
	fake_fini(&f);
}

TEST(ops, an_anomaly_has_every_member)
{
	struct fake f;
	begin(&f, 2);
	add_spans("a", NOW - 601 * NS_PER_S, 10, 1, 100000000);
	add_spans("a", NOW - 1, 10, 5, 250000000);
	expect(&f, "anomalies", "last=600s&baseline=1200s",
	    "{\"current_seconds\":600,\"baseline_seconds\":1200," WINDOW
	    ",\"service_filter\":null,\"baseline_from\":\"2026-11-20T14:42:11.000000042Z\","
	    "\"baseline_from_unix_nano\":\"1795185731000000042\",\"anomalies\":["
	    "{\"service\":\"a\",\"kind\":\"error_rate\",\"severity\":\"critical\",\"current\":0.5,"
	    "\"baseline\":0.1,\"delta\":0.4,\"size\":8.0,\"current_spans\":10,\"baseline_spans\":10,"
	    "\"description\":\"error rate rose from 10.0% to 50.0%\"},"
	    "{\"service\":\"a\",\"kind\":\"latency_p95\",\"severity\":\"warning\",\"current\":250.0,"
	    "\"baseline\":100.0,\"delta\":150.0,\"size\":1.6666666666666667,\"current_spans\":10,"
	    "\"baseline_spans\":10,\"description\":"
	    "\"p95 latency rose from 100 ms to 250 ms, 2.5 times the baseline\"}],"
	    "\"count\":2,\"truncated\":false}");
	fake_fini(&f);
}

TEST(ops, the_first_services_ever_are_not_new)
{
	struct fake f;
	begin(&f, 1);
	add_spans("a", NOW - 1, 10, 10, 100000000);
	json_t *answer = fake_get(&f, "anomalies", "last=600s");
	assert_int_equal(json_array_size(json_object_get(answer, "anomalies")), 0);
	json_decref(answer);
	/* With others before it, it is; whichever is asked for. */
	add_spans("b", NOW - 700 * NS_PER_S, 1, 0, 1);
	answer = fake_get(&f, "anomalies", "last=600s&service=a");
	assert_int_equal(json_array_size(json_object_get(answer, "anomalies")), 1);
	json_decref(answer);
	fake_fini(&f);
}

/* ---- S2, S11: parts do not show */

struct rng {
	uint64_t state;
};

static unsigned
below(struct rng *r, unsigned n)
{
	uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (unsigned)((z ^ (z >> 31)) % n);
}

static void
add_random(struct rng *r)
{
	static const char *const services[] = {"a", "b", "c", "d", "", "e\"", "f", "g"};
	static const char *const names[] = {"GET", "PUT", "m1", "m2", "m3"};
	kept.count = 0;
	for (int i = 0; i < 1500; i++) {
		unsigned some = below(r, 8);
		const char *service = services[some & below(r, 8)]; /* the first ones more often */
		uint64_t time = NOW - (uint64_t)below(r, 4200) * NS_PER_S;
		struct partial_row *row =
		    add((int)(below(r, 6) / 2), service, names[below(r, 5)], time);
		row->duration_ns = (int64_t)below(r, 1000000000) << below(r, 4);
		row->code = (int32_t)below(r, 25);
		row->hash = below(r, 300) * UINT64_C(0x9E3779B97F4A7C15) + 1;
	}
}

TEST(ops, answers_of_1_to_8_stores_are_the_same_bytes)
{
	static const char *const asked[][2] = {{"summary", "last=20m"},
	    {"summary", "last=7d&service=a&limit=2"}, {"anomalies", "last=10m"},
	    {"anomalies", "last=10m&baseline=10m&service=b"}, {"anomalies", "last=1m&limit=2"}};
	struct rng r = {1};
	for (int round = 0; round < 10; round++) {
		add_random(&r);
		for (size_t q = 0; q < ARRAY_LEN(asked); q++) {
			struct fake one, many;
			begin(&one, 1);
			assert_int_equal(fake_run(&one, asked[q][0], asked[q][1]), ERR_OK);
			for (unsigned parts = 2; parts <= PARTS_MAX; parts++) {
				for (size_t i = 0; i < kept.count; i++)
					kept.rows[i].part = below(&r, parts);
				begin(&many, parts);
				assert_int_equal(fake_run(&many, asked[q][0], asked[q][1]), ERR_OK);
				if (!str_eq(buf_view(&one.answer), buf_view(&many.answer)))
					fail_msg("%u parts: %.*s\n%.*s", parts,
					    STR_ARG(buf_view(&many.answer)),
					    STR_ARG(buf_view(&one.answer)));
				fake_fini(&many);
			}
			fake_fini(&one);
		}
	}
}

/* ---- more services than are counted each for itself */

static enum err_code
analyse_crowd(struct store *s, struct str tenant, uint64_t deadline, struct partial *p,
    struct err *err)
{
	(void)s;
	(void)tenant;
	(void)deadline;
	(void)err;
	/* All have spans in the baseline; now only the even ones, and twice as many others. */
	for (unsigned i = 0; i < 3 * LIMIT_PARTIAL_SERVICES; i++)
		for (unsigned n = 0; n < 6; n++) {
			char name[24];
			snprintf(name, sizeof(name), "service %u", i);
			struct partial_row row = {.service = str_from(name),
			    .time_ns = p->scope.windows[0].from_ns,
			    .duration_ns = 1};
			if (i < LIMIT_PARTIAL_SERVICES)
				partial_add_span(p, 0, &row);
			if (i % 2 == 0)
				partial_add_span(p, 1, &row);
		}
	return ERR_OK;
}

TEST(ops, what_may_be_among_the_rest_is_neither_new_nor_gone)
{
	static const struct store_ops ops = {.name = "crowd", .analyse = analyse_crowd};
	struct fake f;
	begin(&f, 1);
	f.store.ops = &ops;
	json_t *answer = fake_get(&f, "anomalies", "last=10m&limit=10000");
	assert_true(json_is_true(json_object_get(answer, "truncated")));
	const json_t *list = json_object_get(answer, "anomalies");
	size_t gone = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(a, "service"));
		const char *kind = json_string_value(json_object_get(a, "kind"));
		unsigned n = (unsigned)strtoul(name + 8, NULL, 10);
		bool was = n < LIMIT_PARTIAL_SERVICES, is = n % 2 == 0;
		assert_string_equal(kind, was ? "vanished_service" : "new_service");
		assert_true(was != is);
		gone += was;
	}
	/* Those with small hashes are known in both. */
	assert_true(gone > LIMIT_PARTIAL_SERVICES / 10);
	json_decref(answer);
	fake_fini(&f);
}

/* ---- correlate: what it asks */

static struct store_query asked[16];
static size_t asked_count;
static struct fake *trace_rows;

static enum err_code
note_query(struct store *s, const struct store_query *q, struct store_result *r, struct err *err)
{
	(void)s;
	(void)err;
	assert_true(asked_count < ARRAY_LEN(asked));
	asked[asked_count++] = *q;
	table_init(&r->rows,
	    q->kind == STORE_LOGS         ? TABLE_LOGS
	        : q->kind == STORE_POINTS ? TABLE_POINTS
	                                  : TABLE_SPANS,
	    r->arena);
	if (q->kind == STORE_TRACE) {
		r->rows = trace_rows->rows;
		r->resources = trace_rows->resources;
		r->scopes = trace_rows->scopes;
	}
	return ERR_OK;
}

TEST(ops, correlate_asks_for_no_more_services_than_a_question_takes)
{
	static const struct store_ops ops = {.name = "note", .query = note_query};
	static char names[STORE_SERVICES_MAX + 6][16];
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	f.store.ops = &ops;
	trace_rows = &f;
	asked_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t row = fake_row(&f);
		snprintf(names[i], sizeof(names[i]), "s%03zu", i);
		table_set_str(&f.rows, row, SPAN_SERVICE, str_from(names[i]));
		table_set_u64(&f.rows, row, SPAN_START_NS, NOW + i);
		table_set_u64(&f.rows, row, SPAN_RESOURCE_ID, 7);
		table_set_u64(&f.rows, row, SPAN_SCOPE_ID, 9);
	}
	json_t *answer = fake_get(&f, "correlate",
	    "trace=00000000000000070000000000000009&padding=1s&link_window=2s&limit=3");
	const json_t *parts = json_object_get(answer, "truncated_parts");
	assert_int_equal(json_array_size(parts), 1);
	assert_string_equal(json_string_value(json_array_get(parts, 0)), "metrics");
	assert_int_equal(json_array_size(json_object_get(answer, "services")), ARRAY_LEN(names));
	assert_int_equal(asked_count, 4);
	assert_int_equal(asked[0].kind, STORE_TRACE);
	assert_int_equal(asked[0].row_max, f.limits.results_max);
	assert_int_equal(asked[1].kind, STORE_LOGS);
	assert_true(asked[1].has_trace_id && asked[1].trace_hi == 7 && asked[1].trace_lo == 9);
	assert_true(asked[1].from_ns == 0 && asked[1].to_ns == UINT64_MAX);
	assert_int_equal(asked[1].row_max, 3);
	assert_int_equal(asked[2].kind, STORE_POINTS);
	assert_int_equal(asked[2].service_count, STORE_SERVICES_MAX);
	assert_true(asked[2].from_ns == NOW - NS_PER_S);
	assert_true(asked[2].to_ns == NOW + ARRAY_LEN(names) - 1 + NS_PER_S + 1);
	assert_int_equal(asked[3].kind, STORE_SPANS);
	assert_true(asked[3].has_link && asked[3].link_hi == 7 && asked[3].link_lo == 9);
	assert_true(asked[3].from_ns == NOW - 2 * NS_PER_S);
	json_decref(answer);
	fake_fini(&f);
}
