/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/workflow.h"

#include "tests/random.h"
#include "tests/test.h"

#include <stdio.h>

static const struct patch_limits limits = {.bytes_max = 64 << 20,
    .depth_max = 512,
    .ops_max = 1000};

struct fixture {
	struct arena arena;
	struct table spans;
	struct workflow w;
	struct err err;
};

static void
begin(struct fixture *f)
{
	*f = (struct fixture){0};
	arena_init(&f->arena, 256 << 20, 0);
	table_init(&f->spans, TABLE_SPANS, &f->arena);
}

static void
end(struct fixture *f)
{
	workflow_fini(&f->w);
	arena_fini(&f->arena);
}

/* From `start` for `length` ns; texts are typed JSON, and may be NULL. */
static size_t
add(struct fixture *f, uint64_t id, uint64_t parent, uint64_t start, int64_t length,
    const char *attributes, const char *events)
{
	struct table *t = &f->spans;
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_u64(t, row, SPAN_TRACE_LO, 1);
	table_set_u64(t, row, SPAN_SPAN_ID, id);
	table_set_u64(t, row, SPAN_PARENT_ID, parent);
	table_set_u64(t, row, SPAN_START_NS, start);
	table_set_i64(t, row, SPAN_DURATION_NS, length);
	table_set_str(t, row, SPAN_NAME, STR("span"));
	if (attributes)
		assert_true(table_copy_text(t, row, SPAN_ATTRIBUTES, str_from(attributes)));
	if (events)
		assert_true(table_copy_text(t, row, SPAN_EVENTS, str_from(events)));
	return row;
}

#define WORKFLOW(start, end)                                                                       \
	"{\"junjo.span_type\":\"workflow\",\"junjo.id\":\"w\",\"junjo.workflow.store.id\":\"s\","  \
	"\"junjo.workflow.state.start\":\"" start "\",\"junjo.workflow.state.end\":\"" end "\"}"
#define NODE(id) "{\"junjo.span_type\":\"node\",\"junjo.id\":\"" id "\",\"junjo.parent_id\":\"w\"}"
#define PATCH(t, store, patch)                                                                     \
	"{\"t\":" t ",\"name\":\"set_state\",\"attributes\":{\"junjo.store.id\":\"" store          \
	"\",\"junjo.state_json_patch\":\"" patch "\"}}"
#define SET(value) "[{\\\"op\\\":\\\"replace\\\",\\\"path\\\":\\\"/n\\\",\\\"value\\\":" value "}]"

static void
read(struct fixture *f, size_t root)
{
	assert_int_equal(workflow_read(&f->spans, root, &limits, NULL, &f->arena, &f->w, &f->err),
	    ERR_OK);
}

static void
assert_state(const struct patch_doc *doc, const char *json)
{
	struct buf b = {0};
	assert_non_null(doc);
	patch_doc_write(doc, &b);
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, json);
	buf_fini(&b);
}

TEST(workflow, steps_that_run_at_the_same_time_see_each_others_changes)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":3}"), NULL);
	add(&f, 2, 1, 10, 40, NODE("a"),
	    "[" PATCH("20", "s", SET("1")) "," PATCH("40", "s", SET("3")) "]");
	add(&f, 3, 1, 15, 20, NODE("b"), "[" PATCH("30", "s", SET("2")) "]");
	read(&f, 0);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	assert_int_equal(f.w.step_count, 2);
	assert_state(f.w.steps[0].before, "{\"n\":0}");
	assert_state(f.w.steps[0].after, "{\"n\":3}");
	assert_state(f.w.steps[1].before, "{\"n\":0}");
	assert_state(f.w.steps[1].after, "{\"n\":2}");
	/* By time across spans, not span by span. */
	assert_int_equal(f.w.patches[f.w.stores[0].patches[1]].row, 2);
	end(&f);
}

TEST(workflow, changes_in_a_foreign_span_belong_to_the_step_above_it)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":1}"), NULL);
	add(&f, 2, 1, 10, 40, NODE("a"), NULL);
	add(&f, 3, 2, 11, 10, "{\"http.route\":\"/x\"}", NULL);
	add(&f, 4, 3, 12, 5, "{\"gen_ai.operation.name\":\"chat\"}",
	    "[{\"t\":12,\"name\":\"other\"}," PATCH("13", "s", SET("1")) "]");
	read(&f, 0);
	assert_int_equal(f.w.step_count, 1);
	assert_int_equal(f.w.steps[0].patch_count, 1);
	assert_int_equal(f.w.patches[0].of.ordinal, 1);
	assert_int_equal(f.w.steps[0].call_count, 1);
	assert_int_equal(f.w.steps[0].calls[0], 3);
	assert_state(f.w.steps[0].after, "{\"n\":1}");
	end(&f);
}

TEST(workflow, a_store_that_nobody_owns_has_patches_and_no_state)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{}", "{}"), NULL);
	add(&f, 2, 1, 10, 40, NODE("a"), "[" PATCH("20", "elsewhere", SET("1")) "]");
	read(&f, 0);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	assert_int_equal(f.w.patches[0].store, WORKFLOW_NONE);
	assert_int_equal(f.w.patches[0].place, 0);
	assert_false(f.w.patches[0].applied);
	assert_state(f.w.steps[0].after, "{}");
	end(&f);
}

TEST(workflow, what_is_not_below_the_run_is_no_step_of_it)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":0}"), NULL);
	add(&f, 2, 9, 10, 40, NODE("lost parent"), "[" PATCH("20", "another", SET("1")) "]");
	add(&f, 3, 4, 10, 40, NODE("in a circle"), "[" PATCH("21", "another", SET("2")) "]");
	add(&f, 4, 3, 10, 40, NODE("in a circle"), NULL);
	add(&f, 5, 5, 10, 40, NODE("its own parent"), NULL);
	read(&f, 0);
	assert_int_equal(f.w.step_count, 0);
	assert_int_equal(f.w.patch_count, 0);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	end(&f);
}

TEST(workflow, a_change_of_its_store_counts_although_the_span_above_never_came)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":1}"), NULL);
	add(&f, 2, 9, 10, 40, NODE("lost parent"),
	    "[" PATCH("20", "s", SET("1")) "," PATCH("21", "another", SET("2")) "]");
	add(&f, 3, 1, 30, 40, NODE("later"), NULL);
	read(&f, 0);
	assert_int_equal(f.w.step_count, 1);
	assert_int_equal(f.w.patch_count, 1);
	assert_int_equal(f.w.own_patch_count, 1);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	assert_state(f.w.steps[0].before, "{\"n\":1}");
	end(&f);
}

TEST(workflow, a_subflow_shows_the_state_around_it_and_its_nodes_their_own)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":5}"), NULL);
	add(&f, 2, 1, 10, 60,
	    "{\"junjo.span_type\":\"subflow\",\"junjo.id\":\"f\",\"junjo.workflow.store.id\":\"inner\","
	    "\"junjo.workflow.parent_store.id\":\"s\",\"junjo.workflow.state.start\":\"{\\\"n\\\":7}\","
	    "\"junjo.workflow.state.end\":\"{\\\"n\\\":8}\"}",
	    "[" PATCH("65", "s", SET("5")) "]");
	add(&f, 3, 2, 20, 20, NODE("a"), "[" PATCH("30", "inner", SET("8")) "]");
	read(&f, 0);
	assert_int_equal(f.w.store_count, 2);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	assert_state(f.w.steps[0].before, "{\"n\":0}");
	assert_state(f.w.steps[0].after, "{\"n\":5}");
	assert_int_equal(f.w.steps[1].parent, 0);
	assert_int_equal(f.w.steps[1].depth, 1);
	assert_state(f.w.steps[1].before, "{\"n\":7}");
	assert_state(f.w.steps[1].after, "{\"n\":8}");
	workflow_fini(&f.w);
	/* By itself: the patch of the store around it has no owner. */
	read(&f, 1);
	assert_int_equal(f.w.store_count, 1);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	assert_state(f.w.steps[0].after, "{\"n\":8}");
	end(&f);
}

TEST(workflow, sequences_say_the_order_where_times_do_not)
{
	static const char *const patches =
	    "[{\"t\":50,\"name\":\"set_state\",\"attributes\":{\"junjo.store.id\":\"s\","
	    "\"junjo.store.transition.sequence\":2,\"junjo.state_json_patch\":\"" SET(
	        "2") "\"}},"
	             "{\"t\":60,\"name\":\"set_state\",\"attributes\":{\"junjo.store.id\":\"s\","
	             "\"junjo.store.transition.sequence\":1,\"junjo.state_json_patch\":\"" SET(
	                 "1") "\"}}]";
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":2}"), NULL);
	add(&f, 2, 1, 40, 40, NODE("a"), patches);
	read(&f, 0);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	assert_int_equal(f.w.patches[0].place, 2);
	assert_state(f.w.steps[0].after, "{\"n\":2}");
	end(&f);
}

TEST(workflow, the_verdict_is_the_worst_and_names_its_step)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":2}"), NULL);
	add(&f, 2, 1, 10, 10, NODE("a"), "[" PATCH("15", "s", SET("1")) "]");
	add(&f, 3, 1, 30, 10, NODE("b"),
	    "[" PATCH("35", "s", "[{\\\"op\\\":\\\"remove\\\",\\\"path\\\":\\\"/x\\\"}]") "]");
	add(&f, 4, 1, 50, 10, NODE("c"), "[" PATCH("55", "s", SET("2")) "]");
	read(&f, 0);
	assert_int_equal(f.w.verdict, REPLAY_MISMATCH);
	assert_int_equal(f.w.verdict_step, 1);
	assert_non_null(f.w.patches[1].why);
	/* What comes behind it is shown on the last good state. */
	assert_state(f.w.steps[2].after, "{\"n\":2}");
	end(&f);
}

TEST(workflow, an_agent_of_another_framework_has_calls_of_models_and_tools_as_steps)
{
	struct fixture f;
	enum workflow_kind kind;
	begin(&f);
	add(&f, 1, 0, 0, 100,
	    "{\"gen_ai.operation.name\":\"invoke_agent\",\"gen_ai.agent.name\":\"helper\"}", NULL);
	add(&f, 2, 1, 10, 10, "{\"gen_ai.operation.name\":\"chat\",\"gen_ai.request.model\":\"m\"}",
	    NULL);
	add(&f, 3, 1, 30, 10,
	    "{\"gen_ai.operation.name\":\"execute_tool\",\"gen_ai.tool.name\":\"t\"}", NULL);
	add(&f, 4, 3, 31, 5, "{\"db.system\":\"x\"}", NULL);
	assert_int_equal(workflow_kind_of(&f.spans, 0, &f.arena, &kind, &f.err), ERR_OK);
	assert_int_equal(kind, WORKFLOW_AGENT);
	assert_int_equal(workflow_kind_of(&f.spans, 1, &f.arena, &kind, &f.err), ERR_OK);
	assert_int_equal(kind, WORKFLOW_KIND_NONE);
	read(&f, 0);
	assert_int_equal(f.w.step_count, 2);
	assert_int_equal(f.w.call_count, 1);
	assert_int_equal(f.w.steps[1].llm.kind, LLM_TOOL);
	assert_int_equal(f.w.verdict, REPLAY_NOTHING);
	end(&f);
}

TEST(workflow, what_is_a_run_in_each_dialect)
{
	static const struct {
		const char *attributes;
		enum workflow_kind kind;
		uint64_t parent;
	} cases[] = {
	    {"{\"traceloop.span.kind\":\"workflow\"}", WORKFLOW_WORKFLOW, 0},
	    {"{\"traceloop.span.kind\":\"agent\"}", WORKFLOW_AGENT, 0},
	    {"{\"traceloop.span.kind\":\"task\"}", WORKFLOW_KIND_NONE, 0},
	    {"{\"gen_ai.operation.name\":\"invoke_workflow\"}", WORKFLOW_WORKFLOW, 0},
	    {"{\"gen_ai.operation.name\":\"invoke_agent\"}", WORKFLOW_AGENT, 0},
	    {"{\"gen_ai.operation.name\":\"create_agent\"}", WORKFLOW_KIND_NONE, 0},
	    {"{\"gen_ai.operation.name\":\"workflow\"}", WORKFLOW_KIND_NONE, 0},
	    {"{\"openinference.span.kind\":\"AGENT\"}", WORKFLOW_AGENT, 0},
	    {"{\"openinference.span.kind\":\"CHAIN\"}", WORKFLOW_CHAIN, 0},
	    {"{\"openinference.span.kind\":\"CHAIN\"}", WORKFLOW_KIND_NONE, 1},
	    {"{\"openinference.span.kind\":\"AGENT\"}", WORKFLOW_AGENT, 1},
	    {"{\"openinference.span.kind\":\"CHAIN\",\"traceloop.span.kind\":\"workflow\"}",
	        WORKFLOW_WORKFLOW, 0},
	    {"{\"junjo.span_type\":\"subflow\"}", WORKFLOW_SUBFLOW, 0},
	    {"{\"junjo.span_type\":\"node\",\"gen_ai.operation.name\":\"invoke_agent\"}",
	        WORKFLOW_KIND_NONE, 0},
	};
	struct fixture f;
	begin(&f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum workflow_kind kind;
		size_t row = add(&f, i + 1, cases[i].parent, 0, 1, cases[i].attributes, NULL);
		assert_int_equal(workflow_kind_of(&f.spans, row, &f.arena, &kind, &f.err), ERR_OK);
		if (kind != cases[i].kind)
			fail_msg("%s is of kind %d", cases[i].attributes, kind);
	}
	end(&f);
}

/* A tree of random shape, its patches at random times: what each step saw, counted patch by patch. */
static void
check_random(uint64_t seed)
{
	enum { SPANS = 60 };
	struct rng r = {seed};
	struct fixture f;
	uint64_t start[SPANS], stop[SPANS], times[SPANS], sorted[SPANS];
	size_t count = 0;
	begin(&f);
	add(&f, 1, 0, 0, 100000, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":0}"), NULL);
	for (size_t i = 1; i < SPANS; i++) {
		char events[400];
		start[i] = i * 100;
		stop[i] = start[i] + 50 + rng_below(&r, 800);
		times[i] = start[i] + rng_below(&r, stop[i] - start[i] + 1);
		/* No two at the same time. */
		times[i] = times[i] * 100 + i;
		snprintf(events, sizeof(events),
		    "[{\"t\":%llu,\"name\":\"set_state\",\"attributes\":{\"junjo.store.id\":\"s\","
		    "\"junjo.state_json_patch\":\"[{\\\"op\\\":\\\"replace\\\",\\\"path\\\":\\\"/n\\\","
		    "\\\"value\\\":%zu}]\"}}]",
		    (unsigned long long)times[i], i);
		add(&f, i + 1, 1 + rng_below(&r, i), start[i] * 100,
		    (int64_t)((stop[i] - start[i]) * 100 + 99), NODE("x"), events);
		sorted[count++] = i;
	}
	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k > 0 && times[sorted[k - 1]] > times[sorted[k]]; k--) {
			uint64_t swap = sorted[k];
			sorted[k] = sorted[k - 1];
			sorted[k - 1] = swap;
		}
	read(&f, 0);
	assert_int_equal(f.w.step_count, SPANS - 1);
	for (size_t i = 1; i < SPANS; i++) {
		char want[40];
		uint64_t before = 0, after = 0;
		for (size_t k = 0; k < count; k++) {
			before = times[sorted[k]] < start[i] * 100 ? sorted[k] : before;
			after = times[sorted[k]] <= stop[i] * 100 + 99 ? sorted[k] : after;
		}
		snprintf(want, sizeof(want), "{\"n\":%llu}", (unsigned long long)before);
		assert_state(f.w.steps[i - 1].before, want);
		snprintf(want, sizeof(want), "{\"n\":%llu}", (unsigned long long)after);
		assert_state(f.w.steps[i - 1].after, want);
	}
	end(&f);
}

TEST(workflow, states_are_those_that_counting_patches_gives)
{
	for (uint64_t seed = 1; seed <= 200; seed++)
		check_random(seed);
}

TEST(workflow, deep_trees_and_memory_that_ends_are_no_danger)
{
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, WORKFLOW("{}", "{}"), NULL);
	for (uint64_t i = 2; i < 20000; i++)
		add(&f, i, i - 1, i, 10, i % 2 ? NODE("n") : NULL, NULL);
	read(&f, 0);
	assert_int_equal(f.w.step_count, 9999);
	assert_int_equal(f.w.steps[9998].depth, 9998);
	workflow_fini(&f.w);
	for (size_t bytes = 1024; bytes < 40 << 20; bytes *= 3) {
		struct arena small;
		struct workflow w;
		arena_init(&small, bytes, 0);
		enum err_code code = workflow_read(&f.spans, 0, &limits, NULL, &small, &w, &f.err);
		assert_true(code == ERR_OK || code == ERR_TOO_LARGE);
		if (code == ERR_OK)
			workflow_fini(&w);
		arena_fini(&small);
	}
	f.w = (struct workflow){0};
	end(&f);
}

TEST(workflow, stores_share_the_memory_of_their_run)
{
	enum { STORES = 8, DOUBLINGS = 8 };
	static const struct patch_limits small = {.bytes_max = 1 << 20, .depth_max = 64};
	struct fixture f;
	struct buf patch = {0};
	char attributes[400];
	size_t all = 0, replayed = 0;
	begin(&f);
	add(&f, 1, 0, 0, 1000, WORKFLOW("{}", "{}"), NULL);
	for (uint64_t i = 0; i < STORES; i++) {
		buf_reset(&patch);
		buf_printf(&patch,
		    "[{\"t\":5,\"name\":\"set_state\",\"attributes\":{\"junjo.store.id\":\"s%d\","
		    "\"junjo.state_json_patch\":\"[",
		    (int)i);
		for (int k = 0; k < DOUBLINGS; k++)
			buf_printf(&patch,
			    "%s{\\\"op\\\":\\\"copy\\\",\\\"from\\\":\\\"\\\",\\\"path\\\":\\\"/"
			    "c%d\\\"}",
			    k > 0 ? "," : "", k);
		buf_str(&patch, STR("]\"}}]"));
		buf_char(&patch, '\0');
		snprintf(attributes, sizeof(attributes),
		    "{\"junjo.span_type\":\"subflow\",\"junjo.id\":\"f%d\","
		    "\"junjo.workflow.store.id\":\"s%d\",\"junjo.workflow.state.start\":"
		    "\"{\\\"a\\\":[1,2,3,4,5,6,7,8]}\"}",
		    (int)i, (int)i);
		add(&f, 2 + i, 1, 2 + i, 10, attributes, patch.ptr);
	}
	assert_int_equal(workflow_read(&f.spans, 0, &small, NULL, &f.arena, &f.w, &f.err), ERR_OK);
	assert_int_equal(f.w.store_count, 1 + STORES);
	for (size_t i = 0; i < f.w.store_count; i++) {
		const struct replay_result *r = &f.w.stores[i].result;
		all += r->state ? patch_doc_bytes(r->state) : 0;
		replayed += r->state != NULL && f.w.stores[i].patch_count > 0 &&
		    f.w.patches[f.w.stores[i].patches[0]].applied;
	}
	assert_true(replayed > 0 && replayed < STORES);
	assert_true(all <= small.bytes_max);
	const struct workflow_store *last = &f.w.stores[STORES];
	assert_int_equal(last->result.verdict, REPLAY_IMPOSSIBLE);
	assert_false(f.w.patches[last->patches[0]].applied);
	assert_non_null(f.w.patches[last->patches[0]].why);
	buf_fini(&patch);
	end(&f);
}

TEST(workflow, a_change_that_fails_is_told_though_the_end_was_withheld)
{
	static const char bad[] = "[{\\\"op\\\":\\\"remove\\\",\\\"path\\\":\\\"/x\\\"}]";
	static const char withheld[] =
	    "{\"junjo.span_type\":\"workflow\",\"junjo.id\":\"w\",\"junjo.workflow.store.id\":\"s\","
	    "\"junjo.workflow.state.start\":\"{\\\"n\\\":0}\",\"junjo.workflow.state.end\":\"-\","
	    "\"junjo.workflow.state.end.mode\":\"redacted\"}";
	char events[300];
	struct fixture f;
	begin(&f);
	add(&f, 1, 0, 0, 100, withheld, NULL);
	add(&f, 2, 1, 10, 5, NODE("a"), "[" PATCH("11", "s", SET("1")) "]");
	read(&f, 0);
	assert_int_equal(f.w.verdict, REPLAY_IMPOSSIBLE);
	assert_int_equal(f.w.verdict_step, WORKFLOW_NONE);
	assert_string_equal(f.w.stores[0].result.why, "the state at the end is redacted");
	workflow_fini(&f.w);
	snprintf(events, sizeof(events),
	    "[{\"t\":21,\"name\":\"set_state\",\"attributes\":{\"junjo.store.id\":\"s\","
	    "\"junjo.state_json_patch\":\"%s\"}}]",
	    bad);
	add(&f, 3, 1, 20, 5, NODE("b"), events);
	read(&f, 0);
	assert_int_equal(f.w.verdict, REPLAY_MISMATCH);
	assert_int_equal(f.w.verdict_step, 1);
	end(&f);
}

struct patience {
	int asked, most;
};

static bool
is_over(void *ctx)
{
	struct patience *p = ctx;
	return ++p->asked > p->most;
}

TEST(workflow, run_whose_time_is_over_ends_with_that_wherever_it_is)
{
	struct fixture f;
	enum err_code code = ERR_DEADLINE;
	struct patience p = {0};
	const struct replay_stop stop = {is_over, &p};
	begin(&f);
	add(&f, 1, 0, 0, 100000, WORKFLOW("{\\\"n\\\":0}", "{\\\"n\\\":1}"), NULL);
	for (uint64_t i = 2; i < 2000; i++)
		add(&f, i, 1, i, 10, NODE("n"), "[" PATCH("11", "s", SET("1")) "]");
	struct arena_mark mark = arena_mark(&f.arena);
	for (; code == ERR_DEADLINE; p.most++) {
		p.asked = 0;
		arena_rewind(&f.arena, mark);
		code = workflow_read(&f.spans, 0, &limits, &stop, &f.arena, &f.w, &f.err);
		assert_int_equal(code, p.asked > p.most ? ERR_DEADLINE : ERR_OK);
	}
	assert_int_equal(code, ERR_OK);
	/* 2000 rows, twice, and as many patches: not once, and not for each. */
	assert_in_range(p.asked, 20, 200);
	assert_int_equal(f.w.verdict, REPLAY_VERIFIED);
	end(&f);
}

TEST(workflow, calls_of_a_run_that_name_no_agent_are_those_of_the_nearest_above)
{
	static const char call[] = "{\"openinference.span.kind\":\"LLM\"}";
	static const struct {
		uint64_t parent;
		const char *attributes, *agent; /* of a call: whose it is then */
	} spans[] = {
	    {0, "{\"openinference.span.kind\":\"AGENT\"}", NULL}, /* it is called "span" */
	    {1, "{\"openinference.span.kind\":\"CHAIN\"}", NULL},
	    {2, call, "span"},
	    {2, "{\"gen_ai.operation.name\":\"invoke_agent\",\"gen_ai.agent.name\":\"planner\"}",
	        NULL},
	    {4, "{\"http.route\":\"/\"}", NULL}, /* what says nothing is on the way all the same */
	    {5, call, "planner"},
	    {6, call, "planner"}, /* below a call */
	    {4, "{\"openinference.span.kind\":\"LLM\",\"agent.name\":\"itself\"}", "itself"},
	    {4, "{\"gen_ai.operation.name\":\"invoke_agent\"}", NULL},
	    {9, call, ""}, /* of an agent without a name, and not of the one above that */
	    {4, "{\"junjo.span_type\":\"agent\",\"junjo.agent.name\":\"writer\"}", NULL},
	    {11, call, "writer"},
	};
	struct fixture f;
	begin(&f);
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		add(&f, i + 1, spans[i].parent, i, 100, spans[i].attributes, NULL);
	read(&f, 0);
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		if (spans[i].agent && !str_eq(f.w.llm_of[i].agent, str_from(spans[i].agent)))
			fail_msg("span %zu is of %.*s", i + 1, STR_ARG(f.w.llm_of[i].agent));
	workflow_fini(&f.w);
	/* What is above the run is not of it. */
	read(&f, 8);
	assert_int_equal(f.w.call_count, 1);
	assert_int_equal(f.w.llm_of[9].agent.len, 0);
	end(&f);
}
