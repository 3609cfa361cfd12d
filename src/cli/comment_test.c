/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/world_test.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define TRACE_ID "5b8aa5a2d2c872e8321cf37308d69df2"
#define PATH "/api/v1/traces/" TRACE_ID "/comments"
#define ONE                                                                                        \
	"{\"id\":\"c1\",\"trace_id\":\"" TRACE_ID "\",\"span_id\":null,\"author\":\"ada\","        \
	"\"body\":\"slow\\u001b[2J\",\"created_at\":\"2026-11-20T15:12:00.000000000Z\","           \
	"\"created_unix_nano\":\"1795187520000000000\"}"

TEST(cli, comment_add_sends_what_is_said_as_json)
{
	struct world w;
	char *words[] = {"weir", "comment", "add", TRACE_ID, "it's \"slow\"\nagain", "--span",
	    "00000000000000a1", NULL};
	world_init(&w);
	w.status = 201;
	w.answers[0] = "{\"comment\":" ONE "}";
	assert_int_equal(world_run_words(&w, words), 0);
	assert_string_equal(w.method, "POST");
	assert_string_equal(w.path, PATH);
	assert_string_equal(w.body,
	    "{\"body\":\"it's \\\"slow\\\"\\nagain\",\"span_id\":\"00000000000000a1\"}");
	assert_string_equal(w.out, "{\"comment\":" ONE "}\n");
	world_env(&w, "WEIR_AUTHOR", "bot 7");
	w.io.out_is_tty = true;
	assert_int_equal(world_run_words(&w, words), 0);
	assert_non_null(strstr(w.body, "\"author\":\"bot 7\""));
	assert_string_equal(w.out, "comment c1 by ada on trace " TRACE_ID "\n");
	world_expect(&w, "comment add " TRACE_ID " x --author me --id k1", 0, "");
	assert_string_equal(w.body, "{\"body\":\"x\",\"author\":\"me\",\"id\":\"k1\"}");
	world_fini(&w);
}

TEST(cli, comment_list_is_of_a_trace_or_of_all)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"comments\":[" ONE "],\"count\":1}";
	world_expect(&w, "comment list " TRACE_ID, 0, "");
	assert_string_equal(w.path, PATH);
	world_expect(&w, "comment list --author ada --last 7d -n 5", 0, "");
	assert_string_equal(w.path, "/api/v1/comments?author=ada&last=7d&limit=5");
	world_expect(&w, "comment list --author ada " TRACE_ID " --span 00000000000000a1", 0, "");
	assert_string_equal(w.path, PATH "?author=ada&span_id=00000000000000a1");
	w.io.out_is_tty = true;
	w.io.width = 120;
	world_env(&w, "NO_COLOR", "1");
	world_expect(&w, "comment list", 0, "");
	assert_non_null(strstr(w.out, "slow\\x1b[2J"));
	assert_null(strchr(w.out, '\x1b'));
	assert_non_null(strstr(w.out, TRACE_ID));
	world_expect(&w, "comment list " TRACE_ID, 0, "");
	assert_non_null(strstr(w.out, "slow\\x1b[2J"));
	w.answers[0] = "{\"comments\":[],\"count\":0}";
	world_expect(&w, "comment list", 0, "");
	assert_string_equal(w.out, "no comments\n");
	world_fini(&w);
}

TEST(cli, comment_says_what_it_needs)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
	    {"comment", "comment what: add or list"},
	    {"comment lsit", "did you mean list?"},
	    {"comment add", "comment add needs a trace_id"},
	    {"comment add " TRACE_ID, "comment add needs a body"},
	    {"comment add nonsense text", "trace_id: a trace id is 32 hex digits"},
	    {"comment add " TRACE_ID " a b", "body: given twice"},
	    {"comment add " TRACE_ID " a --span x", "--span: a span id is 16 hex digits"},
	    {"comment list " TRACE_ID " --last 1d", "comment list has no option --last"},
	    {"comment list --all -o table", "--all writes ndjson only"},
	};
	struct world w;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		world_expect(&w, cases[i].line, CLI_USAGE, cases[i].says);
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}
