/* SPDX-License-Identifier: Apache-2.0 */
/* Watching: what is asked, what a condition means, when it ends. */
#include "cli/world_test.h"

#include "base/timefmt.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>

#define SUMMARY(spans, errors, rate, p95)                                                          \
	"{\"window_seconds\":60,\"to\":\"x\",\"to_unix_nano\":\"1795187531000000042\","            \
	"\"traces\":{\"span_count\":" spans ",\"trace_count\":1,\"error_count\":" errors           \
	",\"error_rate\":" rate ",\"avg_ms\":1.5,\"max_ms\":2,\"p50_ms\":1,\"p95_ms\":" p95        \
	",\"p99_ms\":2},\"logs\":{\"total\":\"9007199254740993\",\"error\":2,\"warn\":0},"         \
	"\"metrics\":{\"point_count\":0,\"unique_names\":0}}"
#define QUIET SUMMARY("100", "2", "0.02", "50.5")
#define NOTHING SUMMARY("0", "0", "0.0", "null")
#define BAD SUMMARY("150", "30", "0.2", "2500")
#define ANOMALIES(list) "{\"anomalies\":[" list "],\"count\":1,\"truncated\":false}"

static json_t *
line_of(const struct world *w, int n)
{
	const char *at = w->out;
	for (; n > 0; n--)
		at = strchr(at, '\n') + 1;
	json_t *line = json_loadb(at, strcspn(at, "\n"), 0, NULL);
	assert_non_null(line);
	return line;
}

static double
number(const json_t *tick, const char *group, const char *member)
{
	const json_t *v = json_object_get(json_object_get(tick, group), member);
	assert_true(json_is_number(v));
	return json_number_value(v);
}

TEST(cli, watch_says_what_changed_since_the_last_look)
{
	struct world w;
	world_init(&w);
	w.answers[0] = QUIET;
	w.answers[1] = BAD;
	w.answers[2] = NOTHING;
	world_expect(&w, "watch --count 3 -s shop --last 5m --interval 7s", 0, "");
	assert_string_equal(w.path, "/api/v1/summary?service=shop&last=5m");
	assert_int_equal(w.asked, 3);
	assert_int_equal(w.waited_ns, 14 * NS_PER_S);
	json_t *first = line_of(&w, 0), *second = line_of(&w, 1), *third = line_of(&w, 2);
	assert_true(number(first, "traces", "span_count") == 100);
	assert_true(number(first, "traces", "delta_span_count") == 0);
	assert_true(number(second, "traces", "delta_span_count") == 50);
	assert_true(number(second, "traces", "delta_error_count") == 28);
	assert_true(number(second, "traces", "delta_p95_ms") == 2449.5);
	assert_true(number(third, "traces", "delta_span_count") == -150);
	assert_true(json_is_null(json_object_get(json_object_get(third, "traces"),
	    "delta_p95_ms")));
	assert_null(json_object_get(first, "anomalies"));
	json_decref(first);
	json_decref(second);
	json_decref(third);
	world_fini(&w);
}

TEST(cli, watch_ends_when_a_condition_is_met)
{
	static const struct {
		const char *condition;
		bool quiet, bad, nothing;
	} rows[] = {
	    {"error_rate>0.02", false, true, false},
	    {"error_rate>=2%", true, true, false},
	    {"traces.error_rate<=0.02", true, false, true},
	    {"error_rate=20%", false, true, false},
	    {"error_rate!=0.2", true, false, true},
	    {"error_count==30", false, true, false},
	    {"span_count<1", false, false, true},
	    {"span_count", true, true, false},
	    {"p95_ms>50.5", false, true, false},
	    {"p95_ms>2s", false, true, false},
	    {"p95_ms<1h", true, true, false}, /* what has no value meets nothing */
	    {"p95_ms!=1", true, true, false},
	    {"p95_ms>=2500ms", false, true, false},
	    {"logs.total>9e15", true, true, true},
	    {"logs.warn", false, false, false},
	    {"delta_span_count>=0", true, true, true}, /* nothing changed at the first look */
	    {"delta_span_count>0", false, false, false},
	};
	static const char *const answers[] = {QUIET, BAD, NOTHING};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const bool want[] = {rows[i].quiet, rows[i].bad, rows[i].nothing};
		for (size_t k = 0; k < ARRAY_LEN(answers); k++) {
			char line[200];
			struct world w;
			world_init(&w);
			w.answers[0] = answers[k];
			snprintf(line, sizeof(line), "watch --count 1 --exit-on %s",
			    rows[i].condition);
			int got = world_run(&w, line);
			if (got != (want[k] ? CLI_OK : CLI_NOT_FOUND))
				fail_msg("%s of answer %zu: %d %s", rows[i].condition, k, got,
				    w.err);
			if (want[k] && !strstr(w.err, rows[i].condition))
				fail_msg("%s: it does not say so: %s", rows[i].condition, w.err);
			world_fini(&w);
		}
	}
}

TEST(cli, watch_looks_for_anomalies_when_they_are_asked_about)
{
	struct world w;
	world_init(&w);
	w.answers[0] = QUIET;
	w.answers[1] = ANOMALIES(
	    "{\"severity\":\"warning\"},{\"severity\":\"critical\"},{\"severity\":\"info\"}");
	world_expect(&w, "watch --count 1 --exit-on anomalies.critical>1 --baseline 2h", 3, "");
	assert_string_equal(w.first_path, "/api/v1/summary?last=1m");
	assert_string_equal(w.path, "/api/v1/anomalies?baseline=2h&last=1m");
	json_t *tick = line_of(&w, 0);
	assert_true(number(tick, "anomalies", "info") == 3);
	assert_true(number(tick, "anomalies", "warning") == 2);
	assert_true(number(tick, "anomalies", "critical") == 1);
	json_decref(tick);
	w.asked = 0;
	world_expect(&w, "watch --count 1 --exit-on anomalies.warning=2", 0, "is 2)");
	w.asked = 0;
	world_expect(&w, "watch --count 1 --exit-on anomalies", 0, "anomalies.info is 3");
	world_fini(&w);
}

TEST(cli, watch_ends_in_time)
{
	struct world w;
	world_init(&w);
	w.answers[0] = QUIET;
	world_expect(&w, "watch --for 25s --interval 10s", 0, "");
	assert_int_equal(w.asked, 4);
	assert_int_equal(w.waited_ns, 25 * NS_PER_S);
	world_fini(&w);
}

TEST(cli, watch_refuses_what_is_no_condition)
{
	struct world w;
	world_init(&w);
	world_expect(&w, "watch --exit-on latency>5", 2, "nothing is called \"latency\"");
	world_expect(&w, "watch --exit-on logs.p95_ms>5", 2, "nothing is called \"logs.p95_ms\"");
	world_expect(&w, "watch --exit-on >5", 2, "nothing is called \"\"");
	world_expect(&w, "watch --exit-on error_rate>x%", 2, "not a rate (0.05, 5%): \"x%\"");
	world_expect(&w, "watch --exit-on error_rate>", 2, "not a rate");
	world_expect(&w, "watch --exit-on span_count>5s", 2, "not a number: \"5s\"");
	world_expect(&w, "watch --exit-on p95_ms>nan", 2, "not a time");
	world_expect(&w, "watch --exit-on p95_ms!5", 2, "compare with >, >=");
	world_expect(&w, "watch --count 0", 2, "--count: must be 1 to");
	world_expect(&w, "watch --interval soon", 2, "--interval: not a length of time");
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, watch_ends_without_a_server_and_goes_on_when_it_comes_back)
{
	struct world w;
	world_init(&w);
	w.failure = ERR_UNAVAILABLE;
	world_expect(&w, "watch --count 3", 1, "cannot reach it");
	assert_int_equal(w.asked, 1);
	w.failure = ERR_OK;
	w.asked = 0;
	w.answers[0] = QUIET;
	w.answers[1] = "{\"other\":1}"; /* a server that is just being replaced */
	w.answers[2] = BAD;
	world_expect(&w, "watch --count 3", 0, "the server's answer is none of summary");
	json_t *second = line_of(&w, 1);
	assert_true(number(second, "traces", "delta_span_count") == 50);
	json_decref(second);
	world_fini(&w);
}

TEST(cli, watch_at_a_terminal_has_rows)
{
	struct world w;
	world_init(&w);
	w.answers[0] = BAD;
	world_expect(&w, "watch --count 1 -o table", 0, "");
	assert_string_equal(w.out,
	    "TIME        SPANS  ERRORS   RATE     P50     P95    LOGS LOG ERR  POINTS\n"
	    "15:12:11      150      30    20%     1ms    2.5s 9007199254740992       2       0\n");
	world_fini(&w);
}
