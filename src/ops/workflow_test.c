/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of agents: what does not need a whole weir. What they look like is in tests/scenario/36-workflow.test.mjs. */
#include "ops/fake_test.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>

#define TRACE "0000000000000000000000000000000a"

/* A run of a workflow with so many nodes, each with a patch. */
static void
start_run(struct fake *f, int nodes)
{
	fake_init(f, TABLE_SPANS);
	for (int i = 0; i <= nodes; i++) {
		size_t row = fake_row(f);
		table_set_u64(&f->rows, row, SPAN_RESOURCE_ID, 7);
		table_set_u64(&f->rows, row, SPAN_SCOPE_ID, 9);
		table_set_u64(&f->rows, row, SPAN_TRACE_LO, 10);
		table_set_u64(&f->rows, row, SPAN_SPAN_ID, (uint64_t)i + 1);
		table_set_u64(&f->rows, row, SPAN_PARENT_ID, i > 0);
		table_set_u64(&f->rows, row, SPAN_START_NS, (uint64_t)i + 1);
		table_set_i64(&f->rows, row, SPAN_DURATION_NS, i > 0 ? 1 : nodes);
		table_set_str(&f->rows, row, SPAN_NAME, STR("step"));
		table_set_str(&f->rows, row, SPAN_ATTRIBUTES,
		    i > 0 ? STR("{\"junjo.span_type\":\"node\",\"junjo.id\":\"n\"}")
		          : STR("{\"junjo.span_type\":\"workflow\",\"junjo.id\":\"w\","
		                "\"junjo.workflow.store.id\":\"s\","
		                "\"junjo.workflow.state.start\":\"{}\"}"));
		table_set_str(&f->rows, row, SPAN_EVENTS,
		    i > 0 ? STR("[{\"t\":5,\"name\":\"set_state\",\"attributes\":{"
		                "\"junjo.store.id\":\"s\",\"junjo.state_json_patch\":"
		                "\"[{\\\"op\\\":\\\"add\\\",\\\"path\\\":\\\"/n\\\","
		                "\\\"value\\\":1}]\"}}]")
		          : STR("[]"));
	}
}

/* Asked the n-th time whether it should stop, it stops: for every n, until it is done before it is asked so often. */
static int
stops_wherever_it_is(struct fake *f, const char *op, const char *params)
{
	enum err_code code = ERR_DEADLINE;
	for (f->stop_at = 1; code == ERR_DEADLINE; f->stop_at++) {
		code = fake_run(f, op, params);
		assert_int_equal(code, f->stop_count >= f->stop_at ? ERR_DEADLINE : ERR_OK);
		assert_true(f->stop_count <= f->stop_at);
	}
	assert_int_equal(code, ERR_OK);
	return f->stop_count;
}

TEST(ops, questions_about_runs_end_when_their_time_is_over)
{
	struct fake f;
	start_run(&f, 600);
	/* Finding the run, its rows, their patches, the replay, and 600 steps that are written. */
	int one = stops_wherever_it_is(&f, "workflow", "trace_id=" TRACE);
	assert_true(one > 1 + 3 + 3 + 8 + 600 / 16);
	/* Two of them are read, and pairs compared. */
	int both = stops_wherever_it_is(&f, "compare", "a=" TRACE "&b=" TRACE);
	assert_true(both > 2 * (1 + 3 + 3 + 8) + 600 / 64);
	int list = stops_wherever_it_is(&f, "workflows", "limit=3");
	assert_true(list > 3);
	fake_fini(&f);
}
