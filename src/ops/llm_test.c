/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of models over a store that has them in pages, and not always as many as are asked for. */
#include "ops/ops.h"

#include "base/buf.h"

#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>

/* Rows 0, 1, 2 ...: the place of one is its number. Every third is a tool. */
struct paged {
	struct store store; /* first: it is one */
	uint32_t row_count;
	size_t rows_fit; /* more at once do not fit */
	int ask_count;
	int late_after; /* questions; 0: never */
	bool dead_when_late;
	size_t any_count;
	/* Spans above the calls: a chain of two, others, and their agent as the last. 0: there are none. */
	uint32_t above_count;
	bool circle; /* the second is below the first */
	uint32_t above_asked; /* questions for them */
};

enum { ABOVE_ID = 10000000 };

static void
add_above(const struct paged *p, struct table *t, uint32_t n)
{
	size_t row = table_add_row(t);
	uint32_t last = p->above_count - 1, parent = n == 0 ? 1 : p->circle ? 0 : last;
	assert_true(row != SIZE_MAX);
	table_set_u64(t, row, SPAN_START_NS, 1000);
	table_set_u32(t, row, SPAN_ORD, n);
	table_set_u64(t, row, SPAN_SPAN_ID, ABOVE_ID + n);
	table_set_u64(t, row, SPAN_PARENT_ID, n < 2 ? ABOVE_ID + parent : 0);
	table_set_u64(t, row, SPAN_TRACE_HI, 1);
	table_set_str(t, row, SPAN_ATTRIBUTES,
	    n == last
	        ? STR("{\"gen_ai.operation.name\":\"invoke_agent\",\"gen_ai.agent.name\":\"planner\"}")
	        : STR("{\"openinference.span.kind\":\"CHAIN\"}"));
}

static void
add_row(const struct paged *p, struct table *t, uint32_t n)
{
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_u64(t, row, SPAN_START_NS, 1000 + n);
	table_set_i64(t, row, SPAN_DURATION_NS, 5000000);
	table_set_u32(t, row, SPAN_ORD, n);
	table_set_u64(t, row, SPAN_SPAN_ID, n + 1);
	table_set_u64(t, row, SPAN_PARENT_ID, p->above_count > 0 ? ABOVE_ID : 0);
	table_set_u64(t, row, SPAN_TRACE_HI, 1);
	table_set_str(t, row, SPAN_ATTRIBUTES,
	    n % 3 == 2 ? STR("{\"gen_ai.operation.name\":\"execute_tool\"}")
	               : STR("{\"gen_ai.operation.name\":\"chat\",\"gen_ai.usage.input_tokens\":3,"
	                     "\"gen_ai.usage.output_tokens\":1,\"gen_ai.usage.cost\":0.5}"));
}

static enum err_code
paged_query(struct store *s, const struct store_query *q, struct store_result *r, struct err *err)
{
	struct paged *p = (struct paged *)s;
	bool above = q->attr_count > 0 &&
	    str_eq(q->attrs[q->attr_count - 1].key, STR("junjo.agent.operation_type"));
	p->ask_count++;
	p->above_asked += above;
	p->any_count = q->any_count;
	assert_true(q->row_max > 0);
	if (p->dead_when_late && p->late_after && p->ask_count > p->late_after)
		return err_set(err, ERR_DEADLINE, "late");
	if (q->row_max > p->rows_fit)
		return err_set(err, ERR_TOO_LARGE, "too large");
	uint32_t n = q->after.set ? q->after.ord + 1 : 0;
	table_init(&r->rows, TABLE_SPANS, r->arena);
	uint32_t count = above ? p->above_count : p->row_count;
	for (; n < count && r->rows.row_count < q->row_max; n++)
		if (above)
			add_above(p, &r->rows, n);
		else
			add_row(p, &r->rows, n);
	r->more = n < count;
	return ERR_OK;
}

static const struct store_ops paged_ops = {.name = "paged", .query = paged_query};

static bool
is_late(const struct op_context *ctx, uint64_t deadline_mono_ns)
{
	struct paged *p = (struct paged *)ctx->store;
	assert_true(deadline_mono_ns > ctx->start_mono_ns);
	assert_true(deadline_mono_ns < ctx->deadline_mono_ns);
	return !p->dead_when_late && p->late_after && p->ask_count >= p->late_after;
}

static json_t *
ask(struct paged *p, const char *op, const char *name, const char *value)
{
	struct limits limits = limits_default();
	struct arena arena = {0};
	struct buf answer = {0};
	struct err err = {0};
	json_error_t error;
	struct op_value v = {str_from(name), str_from(value)};
	struct op_context ctx = {.store = &p->store,
	    .limits = &limits,
	    .tenant = STR("default"),
	    .now_unix_ns = 100000,
	    .start_mono_ns = 1000,
	    .deadline_mono_ns = 2000,
	    .stop = is_late,
	    .arena = &arena};
	p->store.ops = &paged_ops;
	p->ask_count = 0;
	if (ops_run(ops_find_name(str_from(op)), &ctx, &v, name ? 1 : 0, &answer, &err))
		fail_msg("%s", err.message);
	json_t *json = json_loadb(answer.ptr, answer.len, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(json);
	arena_fini(&arena);
	buf_fini(&answer);
	return json;
}

static long long
number(const json_t *of, const char *key)
{
	json_t *v = json_object_get(of, key);
	assert_true(json_is_number(v));
	return (long long)json_number_value(v);
}

TEST(ops, llm_sums_are_of_all_pages)
{
	struct paged p = {.row_count = 3500, .rows_fit = SIZE_MAX};
	json_t *a = ask(&p, "llm", NULL, NULL);
	const json_t *all = json_object_get(a, "totals");
	assert_int_equal(p.ask_count, 4);
	assert_true(p.any_count > 0);
	assert_int_equal(number(a, "spans_read"), 3500);
	assert_int_equal(number(all, "calls"), 3500 - 3500 / 3);
	assert_int_equal(number(all, "input_tokens"), 3 * (3500 - 3500 / 3));
	assert_int_equal(number(all, "cost_usd") * 2, 3500 - 3500 / 3);
	assert_true(json_is_false(json_object_get(a, "partial")));
	json_decref(a);
}

TEST(ops, llm_pages_become_smaller_until_they_fit)
{
	struct paged p = {.row_count = 100, .rows_fit = 1};
	json_t *a = ask(&p, "llm", NULL, NULL);
	assert_int_equal(number(a, "spans_read"), 100);
	json_decref(a);
	a = ask(&p, "calls", "limit", "1000");
	assert_int_equal(json_array_size(json_object_get(a, "calls")), 100 - 33);
	assert_null(json_object_get(a, "next_cursor"));
	json_decref(a);
}

TEST(ops, llm_answers_that_are_not_of_all_say_why)
{
	for (int dead = 0; dead < 2; dead++) {
		struct paged p = {.row_count = 10000,
		    .rows_fit = SIZE_MAX,
		    .late_after = 2,
		    .dead_when_late = dead};
		json_t *a = ask(&p, "llm", NULL, NULL);
		assert_true(json_is_true(json_object_get(a, "partial")));
		assert_non_null(strstr(json_string_value(json_object_get(a, "partial_reason")),
		    "time of a query"));
		assert_int_equal(number(a, "spans_read"), 2000);
		json_decref(a);
	}
}

/* Every call once, however the pages fall. */
TEST(ops, llm_calls_go_on_where_the_page_before_ended)
{
	struct paged p = {.row_count = 50, .rows_fit = 7};
	char cursor[256] = "";
	uint32_t seen = 0, next = 0;
	do {
		json_t *a =
		    ask(&p, "calls", cursor[0] ? "cursor" : "limit", cursor[0] ? cursor : "3");
		const json_t *list = json_object_get(a, "calls");
		for (size_t i = 0; i < json_array_size(list); i++, seen++, next++) {
			char id[17];
			next += next % 3 == 2;
			(void)snprintf(id, sizeof(id), "%016x", next + 1);
			assert_string_equal(json_string_value(json_object_get(json_array_get(list,
			                                                          i),
			                        "span_id")),
			    id);
		}
		json_t *more = json_object_get(a, "next_cursor");
		(void)snprintf(cursor, sizeof(cursor), "%s", more ? json_string_value(more) : "");
		json_decref(a);
	} while (cursor[0]);
	assert_int_equal(seen, 34);
}

/* The only group's name, of calls by agent. */
static const json_t *
only_group(const json_t *answer)
{
	const json_t *groups = json_object_get(answer, "groups");
	assert_int_equal(json_array_size(groups), 1);
	assert_int_equal(number(json_array_get(groups, 0), "calls"),
	    number(json_object_get(answer, "totals"), "calls"));
	return json_object_get(json_array_get(groups, 0), "name");
}

TEST(ops, llm_calls_that_name_no_agent_are_those_of_the_one_above_them)
{
	struct paged p = {.row_count = 2500, .rows_fit = SIZE_MAX, .above_count = 3500};
	json_t *a = ask(&p, "llm", "by", "agent");
	assert_string_equal(json_string_value(only_group(a)), "planner");
	assert_true(json_is_false(json_object_get(a, "partial")));
	assert_int_equal(number(a, "spans_read"), 2500);
	assert_int_equal(p.above_asked, 4); /* each once, whatever the pages of calls */
	json_decref(a);
	/* However little fits at once. */
	p = (struct paged){.row_count = 50, .rows_fit = 3, .above_count = 20};
	a = ask(&p, "llm", "agent", "planner");
	assert_int_equal(number(json_object_get(a, "totals"), "calls"), 50 - 16);
	json_decref(a);
	/* Nobody asks for them when nobody wants to know. */
	p.above_asked = 0;
	json_decref(ask(&p, "llm", NULL, NULL));
	json_decref(ask(&p, "calls", NULL, NULL));
	assert_int_equal(p.above_asked, 0);
	a = ask(&p, "calls", "agent", "planner");
	const json_t *list = json_object_get(a, "calls");
	assert_int_equal(json_array_size(list), 50 - 16);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "agent")),
	    "planner");
	json_decref(a);
	a = ask(&p, "calls", "agent", "writer");
	assert_int_equal(number(a, "count"), 0);
	json_decref(a);
}

TEST(ops, llm_agents_that_cannot_be_known_are_nobody_and_it_is_said)
{
	static const struct {
		struct paged store;
		const char *why; /* NULL: it is whole */
	} cases[] = {
	    {{.above_count = 100500}, "too many spans above calls"},
	    {{.above_count = 9000, .late_after = 5}, "most of the time of a query is over"},
	    {{.above_count = 9000, .late_after = 5, .dead_when_late = true}, "time of a query"},
	    {{.above_count = 9000, .circle = true}, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct paged p = cases[i].store;
		p.row_count = 30;
		p.rows_fit = SIZE_MAX;
		json_t *a = ask(&p, "llm", "by", "agent");
		assert_true(json_is_null(only_group(a)));
		assert_int_equal(number(json_object_get(a, "totals"), "calls"), 20);
		assert_int_equal(json_is_true(json_object_get(a, "partial")), cases[i].why != NULL);
		if (cases[i].why)
			assert_non_null(strstr(json_string_value(json_object_get(a,
			                           "partial_reason")),
			    cases[i].why));
		json_decref(a);
	}
}
