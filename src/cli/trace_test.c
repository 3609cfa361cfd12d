/* SPDX-License-Identifier: Apache-2.0 */
/* One trace in a terminal: spans without an end, log records, attributes, one span whole. */
#include "cli/world_test.h"
#include "tests/test.h"

#define TRACE "trace 5b8aa5a2d2c872e8321cf37308d69df2"
#define AT(ms) "17951875190" #ms "000042"
#define SPAN(id, parent, name, end, ms, more)                                                      \
	"{\"trace_id\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"span_id\":\"00000000000000" id "\"," \
	"\"parent_span_id\":" parent ",\"service\":\"s\",\"operation\":\"" name "\","              \
	"\"start_time_unix_nano\":\"" AT(10) "\",\"end_time_unix_nano\":\"" end                    \
	                                     "\",\"duration_ms\":" ms ",\"status\":\"unset\"" more \
	                                     "}"
#define ANSWER(truncated, spans)                                                                           \
	"{\"trace_id\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"services\":[\"s\"],\"truncated\":" truncated \
	",\"spans\":[" spans "]}"
#define LOG(ms, span, severity, body)                                                              \
	"{\"event_time_unix_nano\":\"" AT(ms) "\",\"span_id\":" span ",\"severity\":\"" severity   \
	                                      "\",\"body\":" body "}"

static void
begin(struct world *w, const char *answer, unsigned width)
{
	world_init(w);
	w->answers[0] = answer;
	w->io.out_is_tty = true;
	w->io.width = width;
	world_env(w, "TERM", "dumb");
}

static void
expect_line(const struct world *w, const char *line)
{
	if (!strstr(w->out, line))
		fail_msg("no \"%s\" in:\n%s", line, w->out);
}

static size_t
count_of(const char *text, const char *part)
{
	size_t n = 0;
	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

TEST(cli, a_span_that_did_not_end_is_a_mark_and_not_a_bar)
{
	struct world w;
	begin(&w,
	    ANSWER("false",
	        SPAN("a1", "null", "whole", AT(90), "80", "") "," SPAN("a2", "\"00000000000000a1\"",
	            "open", "0", "-1795187519010.0",
	            "") "," SPAN("a3", "\"00000000000000a1\"", "back", AT(07), "-3", "")),
	    80);
	world_expect(&w, TRACE, 0, "");
	expect_line(&w, "3 spans of 1 service in 80ms, 0 errors, 1 not ended, began");
	expect_line(&w, "not ended  \u258f\n");
	expect_line(&w, " -3ms  \u258f\n");
	assert_int_equal(count_of(w.out, "\u2588"), 24); /* the whole one's */
	world_env(&w, "LANG", "C");
	world_expect(&w, TRACE, 0, "");
	expect_line(&w, "not ended  |\n");
	expect_line(&w, " -3ms  |\n");
	world_fini(&w);
}

TEST(cli, a_table_says_that_a_span_did_not_end)
{
	struct world w;
	begin(&w, ANSWER("false", SPAN("a2", "null", "open", "0", "-1795187519010.0", "")), 100);
	world_expect(&w, "traces", 0, "");
	expect_line(&w, " not ended ");
	world_fini(&w);
}

TEST(cli, a_part_of_a_trace_is_called_one)
{
	struct world w;
	begin(&w, ANSWER("true", SPAN("a2", "\"00000000000000a1\"", "child", AT(90), "80", "")),
	    80);
	world_expect(&w, TRACE " -n 1", 0, "");
	expect_line(&w, "only the first 1 span is shown; parents may be missing: raise -n\n");
	expect_line(&w, "spans whose parent is not among those shown:\n");
	assert_null(strstr(w.out, "not here"));
	world_fini(&w);
}

#define EXCEPTION                                                                                  \
	",\"events\":[{\"name\":\"exception\",\"time_unix_nano\":\"" AT(                           \
	    20) "\",\"attributes\":{"                                                              \
	        "\"exception.type\":\"java.lang.IllegalStateException.OfALongName\","              \
	        "\"exception.message\":\"declined by the bank\"}}]"

TEST(cli, the_message_of_an_exception_is_there_at_forty_columns)
{
	struct world w;
	begin(&w, ANSWER("false", SPAN("a1", "null", "x", AT(90), "80", EXCEPTION)), 40);
	world_expect(&w, TRACE, 0, "");
	expect_line(&w, "     declined by the bank\n");
	w.io.width = 120;
	world_expect(&w, TRACE, 0, "");
	expect_line(&w, "OfALongName: declined by the bank (at 10ms)\n");
	world_fini(&w);
}

#define MORE                                                                                       \
	",\"attributes\":{\"http.route\":\"/cart\",\"n\":3,\"evil\":\"\\u001b[2J\"},"              \
	"\"events\":[{\"name\":\"retry\",\"time_unix_nano\":\"" AT(20) "\"}]"

TEST(cli, verbose_shows_attributes_and_events_below_their_span)
{
	struct world w;
	begin(&w, ANSWER("false", SPAN("a1", "null", "x", AT(90), "80", MORE)), 80);
	world_expect(&w, TRACE, 0, "");
	assert_null(strstr(w.out, "http.route"));
	world_expect(&w, TRACE " -v", 0, "");
	expect_line(&w,
	    "\n   http.route=/cart\n   n=3\n   evil=\\x1b[2J\n   \u2022 retry (at 10ms)\n");
	w.io.out_is_tty = false; /* -v asks for the tree, in a pipe too */
	world_expect(&w, TRACE " --verbose", 0, "");
	expect_line(&w, "\n   http.route=/cart\n");
	assert_int_equal(w.asked, 6); /* for comments too */
	world_fini(&w);
}

TEST(cli, log_records_stand_below_their_spans_in_the_order_of_time)
{
	struct world w;
	begin(&w,
	    ANSWER("false",
	        SPAN("a1", "null", "one", AT(90), "80", "") "," SPAN("a2", "\"00000000000000a1\"",
	            "two", AT(90), "80",
	            "") "," SPAN("a2", "\"00000000000000a1\"", "twin", AT(90), "80", "")),
	    80);
	w.answers[1] = "{\"logs\":[" LOG(50, "\"00000000000000a2\"", "error",
	    "\"third\\u001b[2J\"") "," LOG(40, "\"00000000000000ff\"", "warn",
	    "{\"a\":1}") "," LOG(30, "\"00000000000000a2\"", "info", "\"second\"") "," LOG(20,
	    "null", "info", "\"first\"") "],\"next_cursor\":\"C\"}";
	world_expect(&w, TRACE " --logs", 0, "");
	assert_string_equal(w.previous_path,
	    "/api/v1/logs?trace_id=5b8aa5a2d2c872e8321cf37308d69df2&limit=1000");
	expect_line(&w, "only the newest 4 log records are shown\n");
	expect_line(&w, "   \u203a info second (at 20ms)\n");
	expect_line(&w, " (at 20ms)\n\u2502     \u203a error third\\x1b[2J (at 40ms)\n");
	assert_int_equal(count_of(w.out, "second"), 1);
	expect_line(&w,
	    "log records of no span shown here:\n15:11:59.020 info first\n"
	    "15:11:59.040 warn {\"a\":1}\n");
	w.asked = 0;
	w.answers[1] = "{\"logs\":[],\"partial\":true}";
	world_expect(&w, TRACE " --logs", CLI_PARTIAL, "the answer is partial");
	world_fini(&w);
}

#define COMMENT(ns, span, author, body)                                                            \
	"{\"id\":\"c\",\"trace_id\":\"x\",\"span_id\":" span ",\"author\":\"" author               \
	"\",\"body\":\"" body "\",\"created_at\":\"\",\"created_unix_nano\":\"" AT(ns) "\"}"

TEST(cli, comments_stand_below_their_span_or_at_the_end)
{
	struct world w;
	begin(&w,
	    ANSWER("false",
	        SPAN("a1", "null", "one", AT(90), "80", "") "," SPAN("a2", "\"00000000000000a1\"",
	            "two", AT(90), "80", "")),
	    80);
	w.answers[1] = "{\"comments\":[" COMMENT(50, "\"00000000000000a2\"", "ada",
	    "look\\u001b[2J here") "," COMMENT(51, "null", "bob", "all\\nfine") "," COMMENT(52,
	    "\"00000000000000ff\"", "eve", "gone") "],\"count\":3,\"next_cursor\":\"x\"}";
	world_expect(&w, TRACE, 0, "");
	assert_string_equal(w.path, "/api/v1/traces/5b8aa5a2d2c872e8321cf37308d69df2/comments");
	expect_line(&w, "      # ada: look\\x1b[2J here (11s ago)\n\n# bob: all");
	expect_line(&w, "# eve: gone (11s ago)\n");
	expect_line(&w, "only the oldest 3 comments are shown\n");
	assert_int_equal(count_of(w.out, "ada"), 1);
	w.asked = 0;
	w.answers[1] = "not of this server"; /* the trace is shown all the same */
	world_expect(&w, TRACE, 0, "");
	assert_int_equal(count_of(w.out, "two"), 1);
	world_fini(&w);
}

#define WHOLE                                                                                         \
	",\"kind\":\"client\",\"attributes\":{\"a\":1.50,\"db.statement\":\"SELECT\\n1\"},"           \
	"\"dropped_attributes_count\":2,\"links\":[{\"trace_id\":\"ff\",\"span_id\":\"ee\","          \
	"\"attributes\":{\"why\":\"batch\"}}],\"resource\":{\"attributes\":{\"host\":\"h\\u001b\"}}," \
	"\"scope\":{\"name\":\"lib\",\"version\":\"2\",\"attributes\":{}}"

TEST(cli, one_span_is_shown_whole)
{
	struct world w;
	begin(&w,
	    ANSWER("false",
	        SPAN("a1", "null", "one", AT(90), "80", "") "," SPAN("a2", "\"00000000000000a1\"",
	            "two", "0", "-9", WHOLE EXCEPTION)),
	    40);
	world_expect(&w, TRACE " --span 00000000000000A2", 0, "");
	expect_line(&w,
	    "span 00000000000000a2\n  trace        5b8aa5a2d2c872e8321cf37308d69df2\n"
	    "  parent       00000000000000a1\n  service      s\n");
	expect_line(&w, "\n  kind         client\n");
	expect_line(&w, "\n  duration     not ended\n  status       unset\n");
	expect_line(&w,
	    "\nattributes\n  a             1.5\n  db.statement  SELECT\n"
	    "                1\n  (2 dropped by the sender)\n");
	expect_line(&w, "\nevent exception (at 10ms)\n");
	expect_line(&w, "\n  exception.message  declined by the bank\n");
	expect_line(&w, "\nlink to span ee of trace ff\n  why  batch\n");
	expect_line(&w, "\nscope lib 2\nresource\n  host  h\\x1b\n");
	assert_null(strchr(w.out, '\x1b'));
	w.io.out_is_tty = false; /* as it came */
	world_expect(&w, TRACE " --span 00000000000000a2", 0, "");
	assert_true(str_starts(str_from(w.out), STR("{\"trace_id\":")));
	assert_int_equal(count_of(w.out, "\n"), 1);
	expect_line(&w, "\"operation\":\"two\"");
	expect_line(&w, "\"a\":1.50,");
	assert_null(strstr(w.out, "\"one\""));
	world_expect(&w, TRACE " --span 00000000000000a3", CLI_NOT_FOUND,
	    "no span with id 00000000000000a3 in trace 5b8aa5a2d2c872e8321cf37308d69df2");
	world_fini(&w);
}
