/* SPDX-License-Identifier: Apache-2.0 */
/* What came in can come out: requests are decoded, written again from the rows and decoded again. */
#include "otlp/from_rows.h"

#include "otlp/dump_test.h"
#include "otlp/encode.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static enum table_id
table_of(enum signal_kind signal)
{
	switch (signal) {
	case SIGNAL_TRACES: return TABLE_SPANS;
	case SIGNAL_LOGS: return TABLE_LOGS;
	case SIGNAL_COMMENTS: break;
	case SIGNAL_METRICS: return TABLE_POINTS;
	}
	return TABLE_SPANS;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The rows of a signal as sorted lines: every column but seq and ord. Ids of resources, scopes and series are hashes
 * of their whole content. */
static char **
lines_of(const struct batch *b, enum table_id id, size_t *count_out)
{
	const struct table *t = &b->tables[id];
	char **lines = calloc(t->row_count + 1, sizeof(*lines));
	for (size_t row = 0; row < t->row_count; row++) {
		struct buf line = {0};
		for (size_t c = 0; c < t->def->col_count; c++) {
			const char *name = t->def->cols[c].name;
			if (strcmp(name, "seq") == 0 || strcmp(name, "ord") == 0)
				continue;
			buf_printf(&line, "%s=", name);
			dump_value(t, row, (int)c, &line);
			buf_char(&line, '\t');
		}
		buf_char(&line, '\0');
		lines[row] = line.ptr;
	}
	qsort(lines, t->row_count, sizeof(*lines), by_text);
	*count_out = t->row_count;
	return lines;
}

static void
free_lines(char **lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	free(lines);
}

static void
comes_back(enum signal_kind signal, struct str body)
{
	struct limits limits = limits_default();
	struct batch first, second;
	struct buf out = {0};
	struct err err = {0};
	enum table_id id = table_of(signal);
	batch_init(&first, 0);
	batch_init(&second, 0);
	struct otlp_counts counts = dump_decode(signal, body, &limits, &first);
	struct otlp_rows rows = {
	    &first.tables[id], &first.tables[TABLE_RESOURCES], &first.tables[TABLE_SCOPES]};
	if (otlp_from_rows(&rows, &out, &err) != ERR_OK)
		fail_msg("%s", err.message);
	struct otlp_counts again = dump_decode(signal, buf_view(&out), &limits, &second);
	assert_int_equal(again.rejected, 0);
	assert_int_equal(again.accepted, counts.accepted);
	size_t n, m;
	char **a = lines_of(&first, id, &n), **b = lines_of(&second, id, &m);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(a[i], b[i]);
	free_lines(a, n);
	free_lines(b, m);
	buf_fini(&out);
	batch_fini(&first);
	batch_fini(&second);
}

static void
golden_comes_back(enum signal_kind signal, const char *name)
{
	size_t len;
	const char *body = test_golden_read(name, &len);
	assert_true(len > 0);
	comes_back(signal, str_of(body, len));
}

TEST(otlp, what_another_implementation_wrote_comes_back_from_its_rows)
{
	golden_comes_back(SIGNAL_TRACES, "otlp/traces.pb");
	golden_comes_back(SIGNAL_LOGS, "otlp/logs.pb");
	golden_comes_back(SIGNAL_METRICS, "otlp/metrics.pb");
	golden_comes_back(SIGNAL_TRACES, "otlp/encoded_traces.pb");
	golden_comes_back(SIGNAL_LOGS, "otlp/encoded_logs.pb");
	golden_comes_back(SIGNAL_METRICS, "otlp/encoded_metrics.pb");
}

TEST(otlp, every_example_and_every_field_comes_back_from_its_rows)
{
	golden_comes_back(SIGNAL_TRACES, "otlp-json/all-traces.pb");
	golden_comes_back(SIGNAL_LOGS, "otlp-json/all-logs.pb");
	golden_comes_back(SIGNAL_METRICS, "otlp-json/all-metrics.pb");
	golden_comes_back(SIGNAL_TRACES, "otlp-json/example-trace.pb");
	golden_comes_back(SIGNAL_LOGS, "otlp-json/example-logs.pb");
	golden_comes_back(SIGNAL_LOGS, "otlp-json/example-events.pb");
	golden_comes_back(SIGNAL_METRICS, "otlp-json/example-metrics.pb");
}

/* Values that JSON has no word for, keys that look like ours, nesting. */
TEST(otlp, values_of_every_kind_come_back_from_their_rows)
{
	struct otlp_value list[] = {otlp_value_int(INT64_MIN), otlp_value_double(1e300 * 1e300),
	    otlp_value_double(-0.0), {.kind = OTLP_UNSET}, otlp_value_bytes(str_of("\0\xff", 2)),
	    otlp_value_array(NULL, 0)};
	struct otlp_attr members[] = {{STR("$bytes"), otlp_value_str(STR("no bytes"))},
	    {STR("$double"), otlp_value_str(STR("NaN"))}, {STR("$$"), otlp_value_bool(true)},
	    {STR(""), otlp_value_kvlist(NULL, 0)}, {STR("twice"), otlp_value_int(1)},
	    {STR("twice"), otlp_value_int(2)}};
	struct otlp_encoder e;
	struct buf body = {0};
	otlp_encode_begin(&e, SIGNAL_LOGS, &body);
	otlp_encode_resource(&e, STR("https://example/1"));
	otlp_encode_attr(&e, STR("$service"), otlp_value_double(12));
	otlp_encode_scope(&e, STR("lib"), STR_EMPTY, STR_EMPTY);
	struct otlp_value whole = otlp_value_kvlist(members, ARRAY_LEN(members));
	otlp_encode_log(&e, &(struct otlp_log){.time_ns = UINT64_MAX, .body = &whole});
	otlp_encode_attr(&e, STR("l\"i\\s\nt\x01"), otlp_value_array(list, ARRAY_LEN(list)));
	otlp_encode_attr(&e, STR("k"), whole);
	struct otlp_value empty = {.kind = OTLP_UNSET}, text = otlp_value_str(STR_EMPTY);
	otlp_encode_log(&e, &(struct otlp_log){.time_ns = 5, .body = &empty});
	otlp_encode_log(&e, &(struct otlp_log){.time_ns = 5, .body = &text});
	otlp_encode_log(&e, &(struct otlp_log){.observed_ns = 7});
	otlp_encode_end(&e);
	comes_back(SIGNAL_LOGS, buf_view(&body));
	buf_fini(&body);
}

TEST(otlp, rows_that_are_damaged_are_refused)
{
	static const char *const bad[] = {"{", "[]", "{\"a\":}", "{\"a\":{\"$bytes\":1}}",
	    "{\"a\":{\"$double\":\"x\"}}", "{\"a\":1} {}", "{\"a\":99999999999999999999}", "x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct batch b;
		struct buf out = {0};
		struct err err = {0};
		bool added;
		batch_init(&b, 0);
		size_t row = table_add_row(&b.tables[TABLE_SPANS]);
		table_set_str(&b.tables[TABLE_SPANS], row, SPAN_ATTRIBUTES, str_from(bad[i]));
		struct otlp_rows rows = {
		    &b.tables[TABLE_SPANS], &b.tables[TABLE_RESOURCES], &b.tables[TABLE_SCOPES]};
		assert_int_equal(otlp_from_rows(&rows, &out, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.message, "its resource is not there"));
		assert_int_equal(batch_resource(&b, STR(""), 0, &added), 0);
		assert_int_equal(batch_scope(&b, STR(""), 0, &added), 0);
		if (otlp_from_rows(&rows, &out, &err) != ERR_CORRUPT)
			fail_msg("%s was taken", bad[i]);
		buf_fini(&out);
		batch_fini(&b);
	}
}
