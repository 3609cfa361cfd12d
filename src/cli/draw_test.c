/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal gets to see: golden files of tables and trees, and rules that hold for any. */
#include "cli/world_test.h"

#include "base/utf8.h"
#include "tests/test.h"

#include <stdlib.h>

static void
load(struct world *w, const char *golden)
{
	w->answers[0] = test_golden_read(golden, &w->answer_lens[0]);
}

static void
on_terminal(struct world *w, unsigned width)
{
	w->io.out_is_tty = true;
	w->io.width = width;
	world_env(w, "TERM", "dumb"); /* no colour */
}

/* Run `line` on the answer in <in>.json and compare with <out>. */
static void
golden(const char *line, const char *in, unsigned width, const char *locale, const char *out)
{
	struct world w;
	world_init(&w);
	load(&w, in);
	on_terminal(&w, width);
	world_env(&w, "LANG", locale);
	world_expect(&w, line, 0, "");
	assert_int_equal(w.err_len, 0);
	test_golden(out, w.out, w.out_len);
	world_fini(&w);
}

#define ID "5b8aa5a2d2c872e8321cf37308d69df2"
#define TRACE "trace " ID
#define UTF8 "en_US.UTF-8"

TEST(cli, span_tables_fit_the_width)
{
	golden("traces", "cli/traces.json", 140, UTF8, "cli/traces-140.txt");
	golden("traces", "cli/traces.json", 100, UTF8, "cli/traces-100.txt");
	golden("traces", "cli/traces.json", 80, UTF8, "cli/traces-80.txt");
	golden("traces", "cli/traces.json", 40, UTF8, "cli/traces-40.txt");
	golden("traces", "cli/traces.json", 20, UTF8, "cli/traces-20.txt");
	golden("traces", "cli/traces.json", 80, "C", "cli/traces-80-ascii.txt");
}

TEST(cli, tables_of_traces_fit_the_width)
{
	golden("search", "cli/search.json", 140, UTF8, "cli/search-140.txt");
	golden("search --text x", "cli/search.json", 90, UTF8, "cli/search-90.txt");
	golden("search", "cli/search.json", 60, "C", "cli/search-60-ascii.txt");
	golden("search", "cli/search.json", 30, UTF8, "cli/search-30.txt");
}

TEST(cli, a_run_is_drawn_step_by_step_and_what_names_it_is_never_cut)
{
	golden("workflow " ID, "cli/workflow.json", 100, UTF8, "cli/workflow-100.txt");
	golden("workflow " ID, "cli/workflow.json", 40, "C", "cli/workflow-40-ascii.txt");
	golden("workflow " ID, "cli/workflow-agent.json", 80, UTF8, "cli/workflow-agent-80.txt");
	golden("workflow " ID " --step 3 -n 1", "cli/workflow-step.json", 60, UTF8,
	    "cli/workflow-step-60.txt");
	golden("workflow " ID, "cli/workflow-unfit.json", 60, UTF8, "cli/workflow-unfit-60.txt");
	golden("compare " ID " " ID, "cli/compare.json", 80, UTF8, "cli/compare-80.txt");
	golden("compare " ID " " ID, "cli/compare.json", 40, UTF8, "cli/compare-40.txt");
}

TEST(cli, lists_of_runs_and_calls_fit_the_width_and_explain_their_marks)
{
	golden("workflows", "cli/workflows.json", 120, UTF8, "cli/workflows-120.txt");
	golden("workflows", "cli/workflows.json", 40, UTF8, "cli/workflows-40.txt");
	golden("llm --by provider", "cli/llm.json", 90, UTF8, "cli/llm-90.txt");
	golden("calls --messages", "cli/calls.json", 60, UTF8, "cli/calls-60.txt");
}

TEST(cli, runs_say_what_they_lack_in_words)
{
	static const struct {
		const char *line, *answer, *has, *lacks;
	} rows[] = {
	    {"workflow " ID,
	        "{\"name\":\"bot\",\"type\":\"agent\",\"outcome\":\"running\",\"duration_ms\":-1.0,"
	        "\"verdict\":\"nothing_to_verify\",\"stores\":[],\"step_count\":0,\"steps\":[]}",
	        ", running, began", "verify"},
	    {"workflow " ID, "{\"name\":\"bot\",\"step_count\":0,\"steps\":[]}", "no steps", "+"},
	    {"workflow " ID " --step 9", "{\"name\":\"bot\",\"step_count\":6,\"steps\":[]}",
	        "no such step, there are 6", "+"},
	    {"compare " ID " " ID,
	        "{\"a\":{\"verdict\":\"nothing_to_verify\"},\"b\":{\"verdict\":\"nothing_to_verify\"},"
	        "\"end_state_same\":null,\"steps\":[]}",
	        "models", "state"},
	    {"workflow " ID,
	        "{\"span_id\":\"b1\",\"step_count\":0,\"steps\":[],\"stores\":[{\"owner_span_id\":\"b1\","
	        "\"state_start\":{\"n\":0},\"state_end\":null,\"state_replayed\":{\"n\":2}}]}",
	        "began with {\"n\": 0}\nas replayed {\"n\": 2}\n", "ended"},
	    {"llm", "{\"groups\":[],\"count\":0}", "no calls in the window", "groups"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		world_init(&w);
		on_terminal(&w, 100);
		w.answers[0] = rows[i].answer;
		w.answer_lens[0] = strlen(rows[i].answer);
		world_expect(&w, rows[i].line, 0, "");
		if (!strstr(w.out, rows[i].has) || strstr(w.out, rows[i].lacks))
			fail_msg("%s: %s", rows[i].line, w.out);
		world_fini(&w);
	}
}

TEST(cli, counts_over_time_are_bars_above_the_table)
{
	golden("search --histogram 120", "cli/search-histogram.json", 120, UTF8,
	    "cli/search-histogram-120.txt");
	golden("search --histogram 120", "cli/search-histogram.json", 50, UTF8,
	    "cli/search-histogram-50.txt");
	golden("search --histogram 120", "cli/search-histogram.json", 30, "C",
	    "cli/search-histogram-30-ascii.txt");
}

TEST(cli, log_metric_and_service_tables_are_as_agreed)
{
	golden("logs", "cli/logs.json", 100, UTF8, "cli/logs-100.txt");
	golden("logs", "cli/logs.json", 60, UTF8, "cli/logs-60.txt");
	golden("metrics", "cli/metrics.json", 120, UTF8, "cli/metrics-120.txt");
	golden("metrics", "cli/metrics.json", 60, UTF8, "cli/metrics-60.txt");
	golden("services", "cli/services.json", 80, UTF8, "cli/services-80.txt");
	golden("services", "cli/services.json", 30, UTF8, "cli/services-30.txt");
}

TEST(cli, a_trace_is_a_tree_with_bars)
{
	golden(TRACE, "cli/trace-shop.json", 120, UTF8, "cli/trace-shop-120.txt");
	golden(TRACE, "cli/trace-shop.json", 80, UTF8, "cli/trace-shop-80.txt");
	golden(TRACE, "cli/trace-shop.json", 80, "POSIX", "cli/trace-shop-80-ascii.txt");
	golden(TRACE, "cli/trace-shop.json", 20, UTF8, "cli/trace-shop-20.txt");
}

TEST(cli, analyses_are_drawn_as_agreed)
{
	golden("summary", "cli/summary.json", 100, UTF8, "cli/summary-100.txt");
	golden("summary", "cli/summary.json", 40, "C", "cli/summary-40-ascii.txt");
	golden("anomalies", "cli/anomalies.json", 140, UTF8, "cli/anomalies-140.txt");
	golden("anomalies -s checkout", "cli/anomalies.json", 60, "C",
	    "cli/anomalies-60-ascii.txt");
	golden("correlate 5b8aa5a2d2c872e8321cf37308d69df2", "cli/correlate.json", 100, UTF8,
	    "cli/correlate-100.txt");
	golden("correlate 5b8aa5a2d2c872e8321cf37308d69df2", "cli/correlate.json", 50, "C",
	    "cli/correlate-50-ascii.txt");
}

TEST(cli, orphans_loops_and_skew_are_drawn_each_span_once)
{
	golden(TRACE, "cli/trace-weird.json", 100, UTF8, "cli/trace-weird-100.txt");
}

TEST(cli, a_deep_trace_stays_within_the_width)
{
	golden(TRACE, "cli/trace-deep.json", 80, UTF8, "cli/trace-deep-80.txt");
}

TEST(cli, hostile_names_are_shown_as_escapes)
{
	golden("traces", "cli/hostile.json", 0, UTF8, "cli/hostile.txt");
	golden("traces -o table", "cli/hostile.json", 60, "C", "cli/hostile-60-ascii.txt");
	golden(TRACE, "cli/trace-hostile.json", 200, UTF8, "cli/trace-hostile.txt");
}

TEST(cli, colour_is_as_agreed)
{
	struct world w;
	world_init(&w);
	w.io.out_is_tty = true;
	w.io.width = 80;
	load(&w, "cli/trace-shop.json");
	world_expect(&w, TRACE, 0, "");
	test_golden("cli/trace-shop-colour.txt", w.out, w.out_len);
	load(&w, "cli/logs.json");
	world_expect(&w, "logs", 0, "");
	test_golden("cli/logs-colour.txt", w.out, w.out_len);
	world_fini(&w);
}

/* ---- rules */

/* No control character but newlines, nothing invisible or reordering, no line wider than `width`
 * (a line that begins with "trace " holds an id and may be). */
static void
check_harmless(struct str text, size_t width)
{
	assert_true(utf8_valid(text));
	while (text.len > 0) {
		struct str line = {text.ptr, str_find(text, '\n')};
		assert_true(line.len < text.len); /* the last line ends too */
		text = str_skip(text, line.len + 1);
		if (width > 0 && !str_starts(line, STR("trace ")))
			assert_true(text_width(line) <= width);
		struct buf again = {0};
		text_clean(&again, line, true);
		assert_true(str_eq(buf_view(&again), line));
		buf_fini(&again);
	}
}

TEST(cli, no_output_of_any_width_is_wider_or_harmful)
{
	static const char *const runs[][2] = {
	    {"traces", "cli/traces.json"},
	    {"traces", "cli/hostile.json"},
	    {"logs", "cli/logs.json"},
	    {"metrics", "cli/metrics.json"},
	    {"services", "cli/services.json"},
	    {TRACE, "cli/trace-shop.json"},
	    {TRACE, "cli/trace-weird.json"},
	    {TRACE, "cli/trace-deep.json"},
	    {TRACE, "cli/trace-hostile.json"},
	    {TRACE " -v", "cli/trace-hostile.json"},
	    {TRACE " -v", "cli/trace-shop.json"},
	    {"summary", "cli/summary.json"},
	    {"anomalies", "cli/anomalies.json"},
	    {"correlate 5b8aa5a2d2c872e8321cf37308d69df2", "cli/correlate.json"},
	};
	struct world w;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		load(&w, runs[i][1]);
		for (unsigned width = 20; width < 180; width += width < 90 ? 1 : 30) {
			on_terminal(&w, width);
			world_expect(&w, runs[i][0], 0, "");
			check_harmless(str_of(w.out, w.out_len), width);
		}
	}
	world_fini(&w);
}

TEST(cli, json_on_a_terminal_is_harmless_and_the_same_json)
{
	struct world w;
	world_init(&w);
	on_terminal(&w, 80);
	load(&w, "cli/hostile.json");
	world_expect(&w, "traces -o json", 0, "");
	for (const char *c = w.out; *c; c++)
		assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
	test_golden("cli/hostile-pretty.json", w.out, w.out_len);
	char *pretty = strdup(w.out);

	/* The same when the server did not escape them; a character beyond 16 bits becomes two. */
	w.answers[0] = "{\"spans\":[\"\xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81\x7f \xc3\xa9\"]}";
	w.answer_lens[0] = 0;
	world_expect(&w, "traces -o ndjson", 0, "");
	assert_string_equal(w.out, "\"\\u009b\\u202e\\udb40\\udc41\\u007f \xc3\xa9\"\n");

	/* Compact again, it is what the server said, but for how characters are escaped. */
	w.answers[0] = pretty;
	w.answer_lens[0] = 0;
	w.io.out_is_tty = false;
	world_expect(&w, "traces -o json", 0, "");
	size_t len;
	const char *was = test_golden_read("cli/hostile.json", &len);
	char *lower = strdup(w.out);
	assert_int_equal(strlen(lower), len);
	assert_string_equal(lower, was);
	free(lower);
	free(pretty);
	world_fini(&w);
}

TEST(cli, a_nul_in_a_key_does_not_hide_the_answer)
{
	struct world w;
	world_init(&w);
	on_terminal(&w, 100);
	w.answers[0] =
	    "{\"metrics\":[{\"name\":\"a\\u0000b\\\\u0000\",\"attributes\":{\"k\\u0000\":1}}]}";
	world_expect(&w, "metrics", 0, "");
	assert_non_null(strstr(w.out,
	    "a\xe2\x90\x80"
	    "b\\u0000 "));
	assert_non_null(strstr(w.out, "k\xe2\x90\x80=1"));
	world_fini(&w);
}

TEST(cli, what_tells_rows_apart_is_there_at_every_width)
{
	static const struct {
		unsigned width_min;
		const char *line, *golden, *text;
	} rows[] = {
	    {34, "traces", "cli/traces.json", "5b8aa5a2d2c872e8321cf37308d69df2"},
	    {34, "traces", "cli/traces.json", "2025-10-16 15:12:11"},
	    {34, "logs", "cli/logs.json", "5b8aa5a2d2c872e8321cf37308d69df2"},
	    {34, "metrics", "cli/metrics.json", "http.route=/cart"},
	    {34, "metrics", "cli/metrics.json", "http.server.duration"},
	    {34, "metrics", "cli/metrics.json", "9223372036854775807"},
	    {34, "metrics", "cli/metrics.json", " n 100 avg 12.35 max 99.5"},
	};
	struct world w;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		load(&w, rows[i].golden);
		for (unsigned width = rows[i].width_min; width < 140; width++) {
			on_terminal(&w, width);
			world_expect(&w, rows[i].line, 0, "");
			if (!strstr(w.out, rows[i].text))
				fail_msg("%s at %u: no %s", rows[i].line, width, rows[i].text);
		}
	}
	world_fini(&w);
}

TEST(cli, a_column_that_an_option_made_the_same_is_not_shown)
{
	struct world w;
	world_init(&w);
	load(&w, "cli/metrics.json");
	on_terminal(&w, 200);
	world_expect(&w, "metrics", 0, "");
	assert_non_null(strstr(w.out, " NAME "));
	assert_non_null(strstr(w.out, " SERVICE "));
	world_expect(&w, "metrics --name http.server.duration -s shop", 0, "");
	assert_null(strstr(w.out, "NAME"));
	assert_null(strstr(w.out, "SERVICE"));
	assert_non_null(strstr(w.out, " TYPE "));
	world_fini(&w);
}

TEST(cli, the_type_of_a_metric_is_shown_as_its_filter_takes_it)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"metrics\":[{\"name\":\"a\",\"metric_type\":\"exponential_histogram\"}]}";
	on_terminal(&w, 100);
	world_expect(&w, "metrics --metric-type EXPONENTIAL_histogram", 0, "");
	world_expect(&w, "metrics", 0, "");
	assert_non_null(strstr(w.out, " exponential_histogram"));
	world_fini(&w);
}

/* ---- a large trace */

static void
add_span(struct buf *b, unsigned id, unsigned parent)
{
	buf_printf(b,
	    "%s{\"span_id\":\"%016x\",\"parent_span_id\":\"%016x\",\"service\":\"s\",\"operation\":"
	    "\"op-%u\",\"start_time_unix_nano\":\"%u\",\"end_time_unix_nano\":\"100000\","
	    "\"duration_ms\":0.1,\"status\":\"ok\"}",
	    b->ptr[b->len - 1] == '[' ? "" : ",", id, parent, id, id);
}

static size_t
count_lines(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* In one chain, or each below one of the 10 before it. */
static void
draw_large(unsigned count, bool chain)
{
	struct world w;
	struct buf b = {0};
	world_init(&w);
	buf_str(&b, STR("{\"trace_id\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"spans\":["));
	for (unsigned i = 1; i <= count; i++)
		add_span(&b, i, chain || i < 12 ? i - 1 : i - 1 - i % 10);
	buf_str(&b, STR("]}"));
	buf_char(&b, '\0');
	w.answers[0] = b.ptr;
	on_terminal(&w, 100);
	world_expect(&w, TRACE, 0, "");
	assert_int_equal(count_lines(w.out), 3 + count); /* two lines of head, a blank one */
	check_harmless(str_of(w.out, w.out_len), 100);
	for (unsigned i = 1; i <= count; i += count / 7) {
		char name[24];
		snprintf(name, sizeof name, " op-%u ", i);
		const char *first = strstr(w.out, name);
		assert_non_null(first);
		assert_null(strstr(first + 1, name));
	}
	buf_fini(&b);
	world_fini(&w);
}

TEST(cli, ten_thousand_spans_are_drawn_once_each)
{
	draw_large(10000, false);
	draw_large(10000, true);
}

TEST(cli, one_loop_of_ten_thousand_spans_ends)
{
	struct world w;
	struct buf b = {0};
	world_init(&w);
	buf_str(&b, STR("{\"spans\":["));
	for (unsigned i = 1; i <= 10000; i++)
		add_span(&b, i, i % 10000 + 1);
	buf_str(&b, STR("]}"));
	buf_char(&b, '\0');
	w.answers[0] = b.ptr;
	on_terminal(&w, 60);
	world_expect(&w, TRACE, 0, "");
	assert_non_null(strstr(w.out, "spans whose parents form a loop:"));
	assert_int_equal(count_lines(w.out), 3 + 2 + 10000);
	buf_fini(&b);
	world_fini(&w);
}
