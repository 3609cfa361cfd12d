/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/world_test.h"

#include "tests/test.h"

#include <string.h>

#define SPAN(operation, status)                                                                       \
	"event: span\ndata: {\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"service\":\"shop\"," \
	"\"operation\":\"" operation "\",\"start_time_unix_nano\":\"1795187531000000042\","           \
	"\"end_time_unix_nano\":\"1795187531005000042\",\"duration_ms\":5.0,\"status\":\"" status     \
	"\"}\n\n"
#define LOG(body, severity)                                                                        \
	"event: log\ndata: {\"trace_id\":null,\"service\":\"shop\",\"body\":\"" body               \
	"\",\"severity\":\"" severity "\",\"event_time_unix_nano\":\"1795187531000000042\"}\n\n"
#define END(code) "event: end\ndata: {\"code\":\"" code "\",\"message\":\"so it goes\"}\n\n"

static void
expect_run(struct world *w, const char *line, int exit_code, const char *out, const char *err)
{
	int got = world_run(w, line);
	if (got != exit_code || strcmp(w->out, out) != 0 || strcmp(w->err, err) != 0)
		fail_msg("%s: %d\n[%s]\n[%s]", line, got, w->out, w->err);
}

TEST(cli, tail_shows_a_line_for_each_and_asks_the_live_path)
{
	struct world w;
	world_init(&w);
	w.answers[0] =
	    ": from now on\n\n" SPAN("GET /a\\u001b[2J", "error") SPAN("b", "ok") ":\n\n";
	expect_run(&w, "tail -o table -s shop --status error --color never", CLI_OK,
	    "15:12:11.000  shop                  5ms  \xe2\x9c\x97 GET /a\\x1b[2J  4bf92f3577b34da6a3ce929d0e0e4736\n"
	    "15:12:11.000  shop                  5ms  b  4bf92f3577b34da6a3ce929d0e0e4736\n",
	    "");
	assert_string_equal(w.path, "/api/v1/live/spans?service=shop&status=error");
	world_fini(&w);
}

TEST(cli, tail_of_logs_is_asked_by_its_word)
{
	struct world w;
	world_init(&w);
	w.answers[0] = LOG("one\\ntwo", "warn");
	expect_run(&w, "tail logs -o table --min-severity warn", CLI_OK,
	    "15:12:11.000  warn   shop            one\\ntwo\n", "");
	assert_string_equal(w.path, "/api/v1/live/logs?min_severity=warn");
	world_fini(&w);
	world_init(&w);
	w.answers[0] = LOG("x", "info");
	assert_int_equal(world_run(&w, "tail spans --roots"), CLI_OK);
	assert_string_equal(w.path, "/api/v1/live/spans?roots=");
	world_fini(&w);
}

TEST(cli, tail_for_a_pipe_is_a_line_of_json_each_and_stops_when_it_has_enough)
{
	struct world w;
	world_init(&w);
	w.streams = 9;
	w.answers[0] = SPAN("a", "ok") SPAN("b", "ok") SPAN("c", "ok");
	assert_int_equal(world_run(&w, "tail -n 2"), CLI_OK);
	assert_int_equal(w.asked, 1);
	assert_non_null(strstr(w.out, "\"operation\":\"b\""));
	assert_null(strstr(w.out, "\"operation\":\"c\""));
	const char *first_end = strchr(w.out, '\n');
	assert_non_null(first_end);
	assert_string_equal(strchr(first_end + 1, '\n'), "\n");
	assert_string_equal(w.path, "/api/v1/live/spans");
	world_fini(&w);
}

TEST(cli, tail_says_what_is_missing_where_it_is_missing)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "event: missed\ndata: {\"count\":12,\"exact\":true}\n\n"
	               "event: missed\ndata: {\"count\":7,\"exact\":false}\n\n"
	               "event: news\ndata: nobody knows this\n\n";
	expect_run(&w, "tail", CLI_OK, "",
	    "weir: 12 missed: more came in than is read here\n"
	    "weir: up to 7 missed: more came in than the server could look at\n");
	world_fini(&w);
}

TEST(cli, tail_connects_again_and_says_so_once)
{
	struct world w;
	world_init(&w);
	w.streams = 3;
	w.answers[0] = SPAN("a", "ok") END("unavailable");
	w.answers[1] = "";
	w.answers[2] = SPAN("b", "ok");
	assert_int_equal(world_run(&w, "tail"), CLI_OK);
	assert_int_equal(w.asked, 3);
	assert_string_equal(w.err,
	    "weir: so it goes; trying to connect again\n"
	    "weir: connected again; what came in meanwhile is not shown: weir traces has it\n");
	assert_non_null(strstr(w.out, "\"operation\":\"b\""));
	assert_true(w.waited_ns > 0);
	world_fini(&w);
}

TEST(cli, tail_does_not_try_again_where_it_is_no_use)
{
	struct world w;
	world_init(&w);
	w.streams = 5;
	w.answers[0] = SPAN("a", "ok") END("unauthenticated");
	assert_int_equal(world_run(&w, "tail"), CLI_ERROR);
	assert_int_equal(w.asked, 1);
	assert_string_equal(w.err, "weir: so it goes\n");
	world_fini(&w);
	world_init(&w);
	w.streams = 5;
	w.status = 429;
	w.answers[0] = "{\"error\":{\"code\":\"busy\",\"message\":\"too many\"}}";
	world_expect(&w, "tail", CLI_ERROR, "weir: too many\n");
	assert_int_equal(w.asked, 1);
	world_fini(&w);
	world_init(&w);
	w.streams = 5;
	w.failure = ERR_UNAVAILABLE;
	world_expect(&w, "tail", CLI_ERROR, "start one with: weir serve");
	world_fini(&w);
}

TEST(cli, tail_explains_what_it_does_not_take)
{
	struct world w;
	world_init(&w);
	world_expect(&w, "tail -n 0", CLI_USAGE, "--count: must be 1 to 1000000000");
	world_expect(&w, "tail -n x", CLI_USAGE, "--count");
	world_expect(&w, "tail metrics", CLI_USAGE, "tail has no \"metrics\": spans or logs");
	world_expect(&w, "tail log", CLI_USAGE, "did you mean logs?");
	world_expect(&w, "tail --last 5m", CLI_USAGE, "--last");
	world_expect(&w, "tail logs --roots", CLI_USAGE, "--roots");
	world_expect(&w, "traces --count 3", CLI_USAGE, "--count");
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}
