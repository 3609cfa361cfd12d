/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in the place of the last word. */
#include "base/timefmt.h"
#include "cli/world_test.h"
#include "tests/test.h"

#include <stdlib.h>

/* `typed` is what stands behind "weir": words, and _ for the empty word. */
static void
complete(struct world *w, const char *shell, const char *typed)
{
	char line[300];
	snprintf(line, sizeof line, "completion %s -- weir %s", shell, typed);
	char *argv[40] = {(char[]){"weir"}}, *save = NULL;
	size_t n = 1;
	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n < 39);
		if (strcmp(word, "_") == 0)
			*word = '\0';
		argv[n++] = word;
	}
	assert_int_equal(world_run_words(w, argv), CLI_OK);
	assert_int_equal(w->err_len, 0);
}

static void
expect(struct world *w, const char *typed, const char *lines)
{
	complete(w, "bash", typed);
	if (strcmp(w->out, lines) != 0)
		fail_msg("weir %s: \"%s\", not \"%s\"", typed, w->out, lines);
}

static bool
offers(struct world *w, const char *word)
{
	char line[100];
	snprintf(line, sizeof line, "%s\n", word);
	for (const char *at = w->out; (at = strstr(at, line)); at++)
		if (at == w->out || at[-1] == '\n')
			return true;
	return false;
}

TEST(cli, completion_offers_every_command_and_verb)
{
	struct world w;
	struct cli_catalog c;
	world_init(&w);
	cli_catalog_init(&c, NULL);
	complete(&w, "bash", "_");
	for (size_t i = 0; i < c.count; i++)
		assert_true(offers(&w, c.entries[i].name));
	assert_true(offers(&w, "serve")); /* of the extra commands */
	expect(&w, "tra", "traces\ntrace\n");
	expect(&w, "--url http://a:1 serv", "services\nserve\n");
	expect(&w, "help serv", "services\nserve\n");
	expect(&w, "keys r", "rotate\nrevoke\n");
	expect(&w, "help keys r", "rotate\nrevoke\n");
	expect(&w, "help help _", "");
	expect(&w, "nothing _", "");
	expect(&w, "keys nothing --", "");
	expect(&w, "xyz", "");
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, completion_offers_the_options_that_are_accepted_and_not_given_yet)
{
	struct world w;
	world_init(&w);
	expect(&w, "traces --stat", "--status\n");
	expect(&w, "traces --status error --s", "--service\n");
	expect(&w, "traces -s shop --s", "--status\n");
	expect(&w, "traces --attribute a=b --attr", "--attribute\n"); /* it may come again */
	expect(&w, "keys create --ri", "--right\n");
	expect(&w, "dlq retry --st", "--state\n"); /* of --all */
	expect(&w, "backup delete --y", "--yes\n");
	expect(&w, "check --re", "--repair\n");
	expect(&w, "serve --", "--data-dir\n--config\n--format\n--help\n");
	expect(&w, "--v", "--version\n");
	expect(&w, "traces -- --stat", "");
	expect(&w, "traces --nothing --stat", "--status\n");
	complete(&w, "bash", "traces _"); /* there is nothing else to say */
	assert_true(offers(&w, "--status") && offers(&w, "--url") && offers(&w, "--help"));
	for (const struct op *op = ops_table; op->name; op++) {
		struct cli_flag flags[CLI_FLAGS_MAX];
		char line[80], flag[80];
		snprintf(line, sizeof line, "%s --", op->name);
		complete(&w, "bash", line);
		size_t count = op->no_command ? 0 : cli_flags(op, NULL, flags);
		for (size_t i = 0; i < count; i++) {
			snprintf(flag, sizeof flag, "--%s", flags[i].o.name);
			assert_true(offers(&w, flag));
		}
	}
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, completion_offers_values_and_says_where_files_stand)
{
	struct world w;
	world_init(&w);
	expect(&w, "traces --status _", "ok\nerror\nunset\n");
	expect(&w, "traces --status e", "error\n");
	expect(&w, "traces --status=e", "--status=error\n");
	expect(&w, "traces -o _", "json\ntable\nndjson\n");
	expect(&w, "-o t", "table\n");
	expect(&w, "keys create --right in", "ingest\n");
	expect(&w, "serve --format=", "--format=text\n--format=json\n");
	expect(&w, "serve --data-dir _", ":dirs\n");
	expect(&w, "serve --config=x", ":files\n");
	expect(&w, "check --data-dir x", ":dirs\n");
	expect(&w, "traces --ca _", ":files\n");
	expect(&w, "load _", ":files\n");
	expect(&w, "load a b", ":files\n");
	expect(&w, "load -- -x", ":files\n");
	expect(&w, "completion z", "zsh\n");
	expect(&w, "completion zsh z", "");
	expect(&w, "traces --operation _", "");
	assert_int_equal(w.asked, 0);
	complete(&w, "fish", "traces --status o");
	assert_string_equal(w.out, "ok\t\n");
	complete(&w, "zsh", "keys rev");
	assert_string_equal(w.out, "revoke\trevoke a key for good\n");
	world_fini(&w);
}

TEST(cli, completion_asks_the_server_that_is_named_for_services)
{
	struct world w;
	world_init(&w);
	w.answers[0] =
	    "{\"services\":[{\"name\":\"web\"},{\"name\":\"web:2\"},{\"name\":\"shop\"},"
	    "{\"name\":\":files\"},{\"name\":\"a\\u001b[2J\"},{\"name\":\"a\\nb\"},{\"name\":\"\"}]}";
	expect(&w, "traces -s _", "web\nweb:2\nshop\n");
	assert_string_equal(w.path, "/api/v1/services");
	assert_string_equal(w.url, "http://127.0.0.1:7700");
	assert_int_equal(w.timeout_ns, NS_PER_S); /* somebody waits */
	expect(&w, "--url http://a:1 traces --tenant t --token=k --service=we",
	    "--service=web\n--service=web:2\n");
	assert_string_equal(w.url, "http://a:1");
	assert_string_equal(w.tenant, "t");
	assert_string_equal(w.token, "k");
	expect(&w, "traces --url ftp://x -s _", "");
	w.answers[0] = "{}";
	expect(&w, "traces -s _", "");
	w.answers[0] = "";
	expect(&w, "traces -s _", "");
	w.failure = ERR_UNAVAILABLE;
	expect(&w, "traces -s _", "");
	world_fini(&w);
}

TEST(cli, completion_prints_a_script_for_each_shell_and_refuses_others)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};
	struct world w;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		char line[60], call[60];
		snprintf(line, sizeof line, "completion %s", shells[i]);
		snprintf(call, sizeof call, "completion %s -- ", shells[i]);
		world_expect(&w, line, CLI_OK, "");
		assert_non_null(strstr(w.out, call));
	}
	world_expect(&w, "completion", CLI_USAGE, "completion for what: bash, zsh or fish");
	world_expect(&w, "completion bsh", CLI_USAGE, "did you mean bash?");
	world_expect(&w, "completion powershell", CLI_USAGE, "bash, zsh or fish");
	world_expect(&w, "completion bash weir", CLI_USAGE, "-- weir WORD...");
	world_expect(&w, "completion bash --", CLI_USAGE, "-- weir WORD...");
	world_fini(&w);
}
