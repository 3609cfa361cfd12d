/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is asked of the server, exit codes, errors, formats, pages. */
#include "base/timefmt.h"
#include "cli/world_test.h"
#include "tests/test.h"

#include <stdlib.h>

#define TRACE "trace 5b8aa5a2d2c872e8321cf37308d69df2"
#define NONE "{\"spans\":[],\"count\":0}"

static void
expect_path(struct world *w, const char *line, const char *path)
{
	w->asked = 0;
	world_expect(w, line, 0, "");
	assert_int_equal(w->asked, 1);
	assert_string_equal(w->path, path);
}

TEST(cli, flags_become_parameters_of_the_request)
{
	struct world w;
	world_init(&w);
	w.answers[0] = NONE;
	expect_path(&w, "traces", "/api/v1/traces");
	expect_path(&w, "traces --service shop", "/api/v1/traces?service=shop");
	expect_path(&w, "traces --service=a=b", "/api/v1/traces?service=a%3Db");
	expect_path(&w, "traces -s shop -n 5", "/api/v1/traces?service=shop&limit=5");
	expect_path(&w, "traces -sshop -n5", "/api/v1/traces?service=shop&limit=5");
	expect_path(&w, "traces --min-duration-ms 1.5 --roots",
	    "/api/v1/traces?min_duration_ms=1.5&roots=");
	expect_path(&w, "traces --roots=false", "/api/v1/traces?roots=false");
	expect_path(&w, "traces --attribute a=1 --attribute b=x&y",
	    "/api/v1/traces?attribute=a%3D1&attribute=b%3Dx%26y");
	expect_path(&w, "traces --min-duration-ms 1.5s", "/api/v1/traces?min_duration_ms=1.5s");
	expect_path(&w, "--output json traces --last 5m", "/api/v1/traces?last=5m");
	expect_path(&w, "-ojson traces --last 5m", "/api/v1/traces?last=5m");
	expect_path(&w, "trace 5b8aa5a2d2c872e8321cf37308d69df2 --limit 3",
	    "/api/v1/traces/5b8aa5a2d2c872e8321cf37308d69df2?limit=3");
	expect_path(&w, "trace --limit 3 -- 5b8aa5a2d2c872e8321cf37308d69df2",
	    "/api/v1/traces/5b8aa5a2d2c872e8321cf37308d69df2?limit=3");
	world_fini(&w);
}

TEST(cli, the_server_comes_from_flags_before_the_environment)
{
	struct world w;
	world_init(&w);
	w.answers[0] = NONE;
	world_expect(&w, "traces", 0, "");
	assert_string_equal(w.url, "http://127.0.0.1:7700");
	assert_true(w.tenant[0] == '\0' && w.token[0] == '\0');
	assert_true(w.timeout_ns == 30 * NS_PER_S);
	world_env(&w, "WEIR_URL", "https://weir.example/");
	world_env(&w, "WEIR_TENANT", "acme");
	world_env(&w, "WEIR_TOKEN", "s3cret");
	world_expect(&w, "traces", 0, "");
	assert_string_equal(w.url, "https://weir.example");
	assert_string_equal(w.tenant, "acme");
	assert_string_equal(w.token, "s3cret");
	world_expect(&w, "traces --url 127.0.0.1:7700", 0, "");
	assert_string_equal(w.url, "http://127.0.0.1:7700");
	world_expect(&w, "traces --url [::1]:7700/", 0, "");
	assert_string_equal(w.url, "http://[::1]:7700");
	world_env(&w, "WEIR_URL", "weir.example:80");
	world_expect(&w, "traces", 0, "");
	assert_string_equal(w.url, "http://weir.example:80");
	world_expect(&w, "--url http://a:1 traces --tenant t --token=k --timeout 1500ms", 0, "");
	assert_string_equal(w.url, "http://a:1");
	assert_string_equal(w.tenant, "t");
	assert_string_equal(w.token, "k");
	assert_true(w.timeout_ns == 1500 * NS_PER_MS);
	world_fini(&w);
}

TEST(cli, usage_errors_say_what_is_wrong_and_ask_nothing)
{
	static const char *const rows[][2] = {
	    {"tarces", "no command \"tarces\"; did you mean traces?"},
	    {"xyzzy", "no command \"xyzzy\"; weir --help lists them"},
	    {"srve", "did you mean serve?"},
	    {"traces --servcie x", "traces has no option --servcie; did you mean --service?"},
	    {"traces --quux", "traces has no option --quux"},
	    {"traces -z", "traces has no option -z"},
	    {"traces --service", "--service needs a value: SERVICE"},
	    {"traces -n", "--limit needs a value: N"},
	    {"traces -n ten", "--limit: not an integer: \"ten\""},
	    {"traces --min-duration-ms abc", "--min-duration-ms: neither a number"},
	    {"traces --status bad", "--status: must be one of ok, error, unset: \"bad\""},
	    {"traces --attribute =x", "--attribute: no key before the condition: \"=x\""},
	    {"traces -s a -s b", "--service: given twice"},
	    {"traces extra", "traces takes options only: \"extra\" is none"},
	    {"traces -o xml", "--output: must be json, table or ndjson: \"xml\""},
	    {"traces --color blue", "--color: must be auto, always or never: \"blue\""},
	    {"traces --timeout soon", "--timeout: not a length of time"},
	    {"traces --url ftp://x", "--url: must be like HOST:PORT, http://HOST:PORT"},
	    {"traces --url http://x/?a=b", "--url: must be like HOST:PORT"},
	    {"traces --url x?a=b", "--url: must be like HOST:PORT"},
	    {"traces --statsu error", "no option --statsu; did you mean --status?"},
	    {"traces --verbose", "traces has no option --verbose"},
	    {"traces --min-duration-ms -1", "--min-duration-ms: must not be negative"},
	    {TRACE " --span 12", "--span: a span id is 16 hex digits"},
	    {TRACE " --span 00000000000000a1 -v", "leave out -v and --logs"},
	    {TRACE " -v -o json", "-v and --logs are for the tree"},
	    {TRACE " --logs -o ndjson", "-v and --logs are for the tree"},
	    {"traces --all=1", "--all takes no value"},
	    {"traces --all -o table", "--all writes ndjson only"},
	    {"services --all", "services has no option --all"},
	    {"trace", "trace needs a trace_id: 32 hex digits"},
	    {"trace --limit 5", "trace needs a trace_id"},
	    {"compare 5b8aa5a2d2c872e8321cf37308d69df2", "compare needs B: the trace of the other"},
	    {"trace 5b8aa5a2",
	        "trace_id: a trace id is 32 hex digits, this has 8 characters: \"5b8aa5a2\""},
	    {"trace ../../../etc/passwd/aaaaaaaaaaaaaa", "a trace id is 32 hex digits"},
	    {"trace 5b8aa5a2d2c872e8321cf37308d69df2 5b8aa5a2d2c872e8321cf37308d69df2",
	        "trace_id: given twice"},
	    {"--url http://a serve", "options of serve stand behind it"},
	    {"--url http://a", "no command behind \"http://a\""},
	    {"--frobnicate", "no command behind"},
	};
	struct world w;
	world_init(&w);
	w.answers[0] = NONE;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world_expect(&w, rows[i][0], CLI_USAGE, rows[i][1]);
		assert_int_equal(w.out_len, 0);
		assert_true(str_starts(str_from(w.err), STR("weir: ")));
	}
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, a_header_cannot_be_smuggled_into_the_request)
{
	struct world w;
	world_init(&w);
	char *argv[] = {"weir", "traces", "--tenant", "a\r\nX-Evil: 1", NULL};
	assert_int_equal(world_run_words(&w, argv), CLI_USAGE);
	assert_non_null(strstr(w.err, "--tenant: has a control character in it"));
	world_env(&w, "WEIR_TOKEN", "a\nb");
	world_expect(&w, "traces", CLI_USAGE, "$WEIR_TOKEN: has a control character in it");
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, exit_codes_follow_the_answer_and_its_text_reaches_the_user)
{
	struct world w;
	world_init(&w);
	const char *id = "trace 5b8aa5a2d2c872e8321cf37308d69df2";
	w.status = 404;
	w.answers[0] = "{\"error\":{\"code\":\"not_found\",\"message\":\"no trace with id 5b\"}}";
	world_expect(&w, id, CLI_NOT_FOUND, "weir: no trace with id 5b\n");
	w.status = 400;
	w.answers[0] =
	    "{\"error\":{\"code\":\"invalid\",\"message\":\"parameter limit: must be\"}}";
	world_expect(&w, "traces -n 0", CLI_USAGE, "weir: --limit: must be\n");
	w.answers[0] = "{\"error\":{\"code\":\"invalid\",\"message\":\"parameter "
	               "min_duration_ms: out of range\"}}";
	world_expect(&w, "traces", CLI_USAGE, "weir: --min-duration-ms: out of range\n");
	w.answers[0] = "{\"error\":{\"code\":\"invalid\",\"message\":\"parameter x: y\"}}";
	world_expect(&w, "traces", CLI_USAGE, "weir: parameter x: y\n");
	w.status = 503;
	w.answers[0] =
	    "{\"error\":{\"code\":\"unavailable\",\"message\":\"\x1b[2Jgone\\nfor now\"}}";
	world_expect(&w, "traces", CLI_ERROR, "answered with HTTP status 503"); /* no JSON */
	w.answers[0] =
	    "{\"error\":{\"code\":\"unavailable\",\"message\":\"\\u001b[2Jgone\\nnow\"}}";
	world_expect(&w, "traces", CLI_ERROR, "weir: \\x1b[2Jgone\\nnow\n");
	w.status = 404; /* somebody else's server */
	w.answers[0] = "<html>nothing here</html>";
	world_expect(&w, id, CLI_ERROR, "http://127.0.0.1:7700 answered with HTTP status 404");
	w.status = 200;
	world_expect(&w, "traces -o json", CLI_ERROR, "not the JSON it should be");
	world_expect(&w, "traces -o table", CLI_ERROR, "has no list of spans");
	w.answers[0] = "{\"spans\":{}}";
	world_expect(&w, "traces -o table", CLI_ERROR, "has no list of spans");
	world_expect(&w, "traces -o ndjson", CLI_ERROR, "not the JSON it should be");
	w.failure = ERR_UNAVAILABLE;
	world_expect(&w, "traces", CLI_ERROR, "weir: cannot reach it\nstart one with: weir serve");
	world_fini(&w);
}

TEST(cli, a_partial_answer_is_shown_and_has_its_own_exit_code)
{
	struct world w;
	world_init(&w);
	w.answers[0] =
	    "{\"spans\":[],\"count\":0,\"partial\":true,\"shards\":{\"total\":2,\"ok\":1,"
	    "\"failed\":[{\"shard\":\"b\",\"error\":\"timed out\"}]}}";
	world_expect(&w, "traces", CLI_PARTIAL,
	    "weir: the answer is partial: shard b: timed out\n");
	assert_true(str_starts(str_from(w.out), STR("{\"spans\":[]")));
	world_expect(&w, "traces -o table", CLI_PARTIAL, "shard b: timed out");
	assert_string_equal(w.out, "no spans\n");
	w.answers[0] = "{\"spans\":[{\"service\":\"\\\"partial\\\"\"}],\"partial\":false}";
	world_expect(&w, "traces", CLI_OK, "");
	world_fini(&w);
}

/* ---- formats */

#define TWO                                                                                        \
	"{\"spans\":[{\"a\":1.10,\"b\":[{\"c\":\"x,]}\"},[]]},{\"a\":1e400}],"                     \
	"\"count\":2,\"next_cursor\":\"C2\"}"

TEST(cli, a_pipe_gets_json_and_ndjson_as_the_server_wrote_it)
{
	struct world w;
	world_init(&w);
	w.answers[0] = TWO;
	world_expect(&w, "traces", 0, "");
	assert_string_equal(w.out, TWO "\n");
	world_expect(&w, "traces -o ndjson", 0, "");
	assert_string_equal(w.out, "{\"a\":1.10,\"b\":[{\"c\":\"x,]}\"},[]]}\n{\"a\":1e400}\n");
	assert_int_equal(w.asked, 2);
	world_fini(&w);
}

TEST(cli, a_terminal_gets_a_table_unless_o_decides)
{
	struct world w;
	world_init(&w);
	w.io.out_is_tty = true;
	w.answers[0] = NONE;
	world_expect(&w, "traces", 0, "");
	assert_string_equal(w.out, "no spans\n");
	world_expect(&w, "traces -o json", 0, "");
	assert_string_equal(w.out,
	    "{\n  \x1b[36m\"spans\"\x1b[0m: [],\n  \x1b[36m\"count\"\x1b[0m: \x1b[33m0\x1b[0m\n}\n");
	w.io.out_is_tty = false;
	world_expect(&w, "traces -o table", 0, "");
	assert_string_equal(w.out, "no spans\n");
	world_fini(&w);
}

TEST(cli, colour_is_for_terminals_that_want_it)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"spans\":[{\"service\":\"a\"}]}";
	world_expect(&w, "traces -o table", 0, "");
	assert_null(strchr(w.out, '\x1b'));
	world_expect(&w, "traces -o table --color always", 0, "");
	assert_non_null(strchr(w.out, '\x1b'));
	w.io.out_is_tty = true;
	world_expect(&w, "traces", 0, "");
	assert_non_null(strchr(w.out, '\x1b'));
	world_expect(&w, "traces --color=never", 0, "");
	assert_null(strchr(w.out, '\x1b'));
	world_env(&w, "NO_COLOR", "");
	world_expect(&w, "traces", 0, "");
	assert_non_null(strchr(w.out, '\x1b'));
	world_env(&w, "NO_COLOR", "1");
	world_expect(&w, "traces", 0, "");
	assert_null(strchr(w.out, '\x1b'));
	world_fini(&w);
}

TEST(cli, all_walks_the_pages_to_the_end)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"spans\":[1,2],\"next_cursor\":\"C-2_\"}";
	w.answers[1] = "{\"next_cursor\":\"C3\",\"spans\":[3]}";
	w.answers[2] = "{\"spans\":[4]}";
	world_expect(&w, "traces --all -s shop -n 2", 0, "");
	assert_string_equal(w.out, "1\n2\n3\n4\n");
	assert_int_equal(w.asked, 3);
	assert_string_equal(w.first_path, "/api/v1/traces?service=shop&limit=2");
	assert_string_equal(w.path, "/api/v1/traces?service=shop&limit=2&cursor=C3");
	world_fini(&w);
}

TEST(cli, all_stops_at_an_error_and_at_a_server_that_goes_round)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"spans\":[1],\"next_cursor\":\"C2\"}";
	world_expect(&w, "traces --all", CLI_ERROR, "the same page again and again");
	w.asked = 0;
	w.answers[1] = "{\"spans\":[2,";
	world_expect(&w, "traces --all", CLI_ERROR, "not the JSON it should be");
	world_fini(&w);
}

TEST(cli, output_that_cannot_be_written_is_an_error)
{
	struct world w;
	world_init(&w);
	w.answers[0] = NONE;
	char *argv[] = {"weir", "traces", NULL};
	w.io.out = fopen("/dev/full", "w");
	w.io.err = open_memstream(&w.err, &w.err_len);
	assert_non_null(w.io.out);
	assert_int_equal(cli_main(&w.io, 2, argv, NULL, "1"), CLI_ERROR);
	fclose(w.io.err);
	fclose(w.io.out);
	assert_non_null(strstr(w.err, "cannot write the output"));
	world_fini(&w);
}

/* ---- hints */

TEST(cli, an_unknown_service_is_answered_with_those_there_are)
{
	struct world w;
	world_init(&w);
	w.answers[0] = NONE;
	w.answers[1] = "{\"services\":[{\"name\":\"checkout\"},{\"name\":\"\\u001b[2Jx\"}]}";
	world_expect(&w, "traces -s chekout -o table", 0, "");
	assert_string_equal(w.out,
	    "no spans\nno service is called \"chekout\"; did you mean checkout?\n"
	    "services: checkout, \\x1b[2Jx\n");
	assert_string_equal(w.path, "/api/v1/services");
	w.asked = 0;
	world_expect(&w, "traces -s checkout -o table", 0, "");
	assert_string_equal(w.out, "no spans\n");
	w.asked = 0;
	world_expect(&w, "traces -s chekout", 0, ""); /* JSON: for programs */
	assert_int_equal(w.asked, 1);
	w.asked = 0;
	world_expect(&w, "traces -o table", 0, "");
	assert_int_equal(w.asked, 1);
	w.asked = 0;
	w.answers[1] = "<html>";
	world_expect(&w, "traces -s chekout -o table", 0, "");
	assert_string_equal(w.out, "no spans\n");
	world_fini(&w);
}

/* ---- help */

TEST(cli, help_lists_every_command_once)
{
	struct world w;
	world_init(&w);
	world_expect(&w, "--help", 0, "");
	for (char *line = w.out, *end; (end = strchr(line, '\n')); line = end + 1)
		assert_true(end - line <= 80);
	assert_non_null(strstr(w.out, "\n  serve       run the server\n"));
	for (const struct op *op = ops_table; op->name; op++) {
		char line[128];
		snprintf(line, sizeof line, "\n  %-11s %s\n", op->name, op->help);
		char *at = strstr(w.out, line);
		assert_int_equal(at != NULL, !op->no_command);
		assert_true(!at || !strstr(at + 1, line));
	}
	char *overview = strdup(w.out);
	world_expect(&w, "help", 0, "");
	assert_string_equal(w.out, overview);
	world_expect(&w, "-h", 0, "");
	assert_string_equal(w.out, overview);
	world_expect(&w, "", CLI_USAGE, overview); /* nothing was asked: to standard error */
	free(overview);
	world_fini(&w);
}

TEST(cli, help_of_a_command_names_every_parameter)
{
	struct world w;
	world_init(&w);
	for (const struct op *op = ops_table; op->name; op++) {
		char line[64], flag[64];
		if (op->no_command)
			continue; /* another face has its help */
		snprintf(line, sizeof line, "help %s", op->name);
		world_expect(&w, line, 0, "");
		char *help = strdup(w.out);
		for (const struct op_param *p = op->params; p->name; p++) {
			snprintf(flag, sizeof flag, "--%s", p->name);
			for (char *c = flag; *c; c++)
				*c = *c == '_' ? '-' : *c;
			assert_true(p->in_path || strstr(help, flag));
		}
		for (char *at = help, *end; (end = strchr(at, '\n')); at = end + 1)
			assert_true(end - at <= 80);
		snprintf(line, sizeof line, "%s --help", op->name);
		world_expect(&w, line, 0, "");
		assert_string_equal(w.out, help);
		snprintf(line, sizeof line, "--help %s", op->name);
		world_expect(&w, line, 0, "");
		assert_string_equal(w.out, help);
		free(help);
	}
	assert_int_equal(w.asked, 0);
	world_expect(&w, "help traces", 0, "");
	test_golden("cli/help-traces.txt", w.out, w.out_len);
	world_expect(&w, "help nothing", CLI_USAGE, "no command \"nothing\"");
	world_fini(&w);
}

TEST(cli, extra_commands_get_their_arguments_and_their_own_help)
{
	struct world w;
	world_init(&w);
	world_expect(&w, "serve --api 127.0.0.1:0", 7, "");
	assert_int_equal(w.out_len, 0);
	world_expect(&w, "serve --api 127.0.0.1:0 --help", 0, "");
	assert_non_null(strstr(w.out, "--data-dir DIR"));
	char *help = strdup(w.out);
	world_expect(&w, "help serve", 0, "");
	assert_string_equal(w.out, help);
	world_expect(&w, "--help serve", 0, "");
	assert_string_equal(w.out, help);
	free(help);
	world_expect(&w, "--version", 0, "");
	assert_string_equal(w.out, "weir 1.2.3\n");
	world_expect(&w, "version", 0, "");
	assert_string_equal(w.out, "weir 1.2.3\n");
	world_expect(&w, "help --help", 0, "");
	assert_non_null(strstr(w.out, "as --version does"));
	world_expect(&w, "help version", 0, "");
	world_fini(&w);
}
