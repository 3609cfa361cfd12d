/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of /otel/: names and pages. What spans look like is in tests/scenario/32-junjo.test.mjs. */
#include "ops/fake_test.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>

static void
start_spans(struct fake *f, int count)
{
	fake_init(f, TABLE_SPANS);
	for (int i = 0; i < count; i++) {
		size_t row = fake_row(f);
		table_set_u64(&f->rows, row, SPAN_RESOURCE_ID, 7);
		table_set_u64(&f->rows, row, SPAN_SCOPE_ID, 9);
	}
}

TEST(ops, names_of_services_are_sorted_and_without_those_that_sent_no_span)
{
	static const char *const names[] = {"web", "api", "only logs", "a/b", "Z"};
	struct fake f;
	fake_init(&f, TABLE_SERVICES);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t row = fake_row(&f);
		table_set_str(&f.rows, row, SERVICE_NAME, str_from(names[i]));
		table_set_u64(&f.rows, row, SERVICE_SPANS, i == 2 ? 0 : 10 - i);
	}
	assert_int_equal(fake_run(&f, "otel_services", ""), ERR_OK);
	assert_true(str_eq(buf_view(&f.answer), STR("[\"Z\",\"a/b\",\"api\",\"web\"]")));
	assert_false(f.reply.truncated);
	f.limits.results_max = 4;
	assert_int_equal(fake_run(&f, "otel_services", ""), ERR_OK);
	assert_true(f.reply.truncated);
	fake_fini(&f);
}

TEST(ops, a_page_behind_an_offset_goes_on_by_its_cursor_alone)
{
	struct fake f;
	char params[512];
	start_spans(&f, 3);
	assert_int_equal(fake_run(&f, "otel_roots", "service=a&offset=2&limit=2"), ERR_OK);
	assert_true(f.reply.next_cursor[0] != '\0');
	snprintf(params, sizeof params, "service=a&limit=2&cursor=%s", f.reply.next_cursor);
	char again[600];
	snprintf(again, sizeof again, "%s&offset=2", params);
	assert_int_equal(fake_run(&f, "otel_roots", params), ERR_OK);
	assert_true(f.asked.after.set);
	assert_int_equal(fake_run(&f, "otel_roots", again), ERR_INVALID);
	assert_non_null(strstr(f.err.message, "parameter offset: not together with cursor"));
	fake_fini(&f);
}

TEST(ops, a_cursor_of_another_list_is_refused)
{
	struct fake f;
	char params[512];
	start_spans(&f, 3);
	assert_int_equal(fake_run(&f, "otel_roots", "service=a&limit=2"), ERR_OK);
	snprintf(params, sizeof params, "service=a&limit=2&cursor=%s", f.reply.next_cursor);
	assert_int_equal(fake_run(&f, "otel_workflows", params), ERR_INVALID);
	assert_int_equal(fake_run(&f, "otel_llm_roots", params), ERR_INVALID);
	assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
	assert_int_equal(fake_run(&f, "otel_roots", params), ERR_OK);
	fake_fini(&f);
}
