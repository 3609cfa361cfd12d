/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/world_test.h"

#include "tests/test.h"

#include <stdlib.h>

#define ID "0000000000000007-00000003"
#define LETTER                                                                                     \
	"{\"id\":\"" ID "\",\"state\":\"quarantined\",\"tenant\":\"acme\",\"signal\":\"traces\","  \
	"\"seq\":7,\"item_first\":3,\"item_count\":1,\"identity\":null,\"attempts\":10,"           \
	"\"created\":\"2026-11-20T15:12:01.000000042Z\","                                          \
	"\"created_unix_nano\":\"1795187521000000042\",\"last_attempt\":null,"                     \
	"\"next_attempt\":null,\"bytes\":90,\"error\":\"it \\u001b[2Jdoes not fit\""

TEST(cli, dlq_list_is_a_table_at_a_terminal_and_json_in_a_pipe)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"letters\":[" LETTER "}],\"count\":1}";
	world_expect(&w, "dlq list --state quarantined -n 5", CLI_OK, "");
	assert_string_equal(w.path, "/api/v1/dlq?state=quarantined&limit=5");
	assert_string_equal(w.method, "GET");
	assert_non_null(strstr(w.out, "\"bytes\":90"));
	world_expect(&w, "dlq list -o table", CLI_OK, "");
	assert_non_null(strstr(w.out, ID));
	assert_non_null(strstr(w.out, "10s ago"));
	assert_non_null(strstr(w.out, "it \\x1b[2Jdoes not fit"));
	w.io.out_is_tty = true;
	w.io.width = 60;
	world_expect(&w, "--tenant acme dlq list", CLI_OK, "");
	assert_string_equal(w.tenant, "acme");
	assert_non_null(strstr(w.out, ID)); /* also when it is narrow */
	assert_non_null(strstr(w.out, "does not fit"));
	w.answers[0] = "{\"letters\":[],\"count\":0}";
	world_expect(&w, "dlq list", CLI_OK, "");
	assert_string_equal(w.out, "no dead letters\n");
	world_fini(&w);
}

TEST(cli, dlq_list_all_walks_the_pages)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"letters\":[{\"id\":\"a\"}],\"next_cursor\":\"a\"}";
	w.answers[1] = "{\"letters\":[{\"id\":\"b\"}]}";
	world_expect(&w, "dlq list --all", CLI_OK, "");
	assert_string_equal(w.out, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n");
	assert_string_equal(w.path, "/api/v1/dlq?cursor=a");
	world_fini(&w);
}

TEST(cli, dlq_show_has_the_request_and_is_harmless)
{
	struct world w;
	world_init(&w);
	w.answers[0] = LETTER ",\"request\":{\"resourceSpans\":[{\"x\":\"\\u001b]0;\\u0007\"}]}}";
	world_expect(&w, "dlq show " ID, CLI_OK, "");
	assert_string_equal(w.path, "/api/v1/dlq/" ID);
	assert_non_null(strstr(w.out, "\"request\":{\"resourceSpans\":"));
	world_expect(&w, "dlq show " ID " -o table --request=false", CLI_OK, "");
	assert_string_equal(w.path, "/api/v1/dlq/" ID "?request=false");
	assert_non_null(strstr(w.out, "state         quarantined\n"));
	assert_non_null(strstr(w.out, "\"resourceSpans\": ["));
	assert_null(strchr(w.out, '\x1b'));
	assert_null(strstr(w.out, "null"));
	w.answers[0] = "[]";
	world_expect(&w, "dlq show " ID " -o table", CLI_ERROR, "is no dead letter");
	w.status = 404;
	w.answers[0] =
	    "{\"error\":{\"code\":\"not_found\",\"message\":\"there is no dead letter x\"}}";
	world_expect(&w, "dlq show " ID, CLI_NOT_FOUND, "weir: there is no dead letter x\n");
	world_fini(&w);
}

TEST(cli, dlq_retry_and_drop_send_what_they_say)
{
	struct world w;
	world_init(&w);
	w.answers[0] = LETTER "}";
	world_expect(&w, "dlq retry " ID, CLI_OK, "");
	assert_string_equal(w.path, "/api/v1/dlq/" ID "/retry");
	assert_string_equal(w.method, "POST");
	assert_non_null(strstr(w.out, "\"quarantined\""));
	world_expect(&w, "dlq drop " ID " -o table", CLI_OK, "");
	assert_string_equal(w.path, "/api/v1/dlq/" ID);
	assert_string_equal(w.method, "DELETE");
	assert_string_equal(w.out, "dropped 1\n");
	world_fini(&w);
}

TEST(cli, dlq_all_goes_on_until_all_is_done)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "{\"retried\":1000,\"skipped\":1,\"next_cursor\":\"c1\"}";
	w.answers[1] = "{\"retried\":7,\"skipped\":0}";
	world_expect(&w, "dlq retry --all", CLI_OK, "");
	assert_string_equal(w.first_path, "/api/v1/dlq/retry?state=quarantined");
	assert_string_equal(w.path, "/api/v1/dlq/retry?state=quarantined&cursor=c1");
	assert_string_equal(w.method, "POST");
	assert_string_equal(w.out, "{\"retried\":1007,\"skipped\":1}\n");
	w.answers[0] = "{\"dropped\":3,\"skipped\":0}";
	w.answers[1] = NULL;
	world_expect(&w, "dlq drop --all --state unreadable -o table", CLI_OK, "");
	assert_string_equal(w.path, "/api/v1/dlq?state=unreadable");
	assert_string_equal(w.method, "DELETE");
	assert_string_equal(w.out, "dropped 3\n");
	w.answers[0] = "{\"dropped\":3,\"skipped\":0,\"next_cursor\":\"c\"}"; /* for ever */
	world_expect(&w, "dlq drop --all", CLI_ERROR, "again and again");
	w.answers[0] = "{}";
	world_expect(&w, "dlq drop --all", CLI_ERROR, "does not say what it did");
	world_fini(&w);
}

TEST(cli, dlq_drop_asks_who_sits_at_a_terminal)
{
	static const char *const no[] = {NULL, "", "n", "N", "yess", "ye"};
	struct world w;
	world_init(&w);
	w.io.in_is_tty = true;
	w.answers[0] = "{\"id\":\"x\",\"dropped\":true}";
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		w.typed = no[i];
		world_expect(&w, "dlq drop " ID, CLI_ERROR, "delete " ID " for good? [y/N] ");
		assert_non_null(strstr(w.err, "nothing was deleted"));
		world_expect(&w, "dlq drop --all", CLI_ERROR,
		    "delete all quarantined dead letters for good? [y/N] ");
	}
	assert_int_equal(w.asked, 0);
	w.typed = "Y";
	world_expect(&w, "dlq drop " ID, CLI_OK, "");
	w.typed = NULL;
	world_expect(&w, "dlq drop " ID " --yes", CLI_OK, "");
	world_expect(&w, "dlq drop " ID " -y", CLI_OK, "");
	assert_int_equal(w.asked, 3);
	/* Nothing is asked before something that takes nothing away. */
	world_expect(&w, "dlq retry " ID, CLI_OK, "");
	world_fini(&w);
}

TEST(cli, dlq_usage_errors_ask_nothing_and_help_fits)
{
	static const char *const lines[][2] = {
	    {"dlq", "dlq what: list, show, retry or drop"},
	    {"dlq lst", "did you mean list?"},
	    {"dlq purge", "list, show, retry or drop"},
	    {"dlq show", "dlq show needs an id"},
	    {"dlq retry", "dlq retry needs an id"},
	    {"dlq drop " ID " " ID, "id: given twice"},
	    {"dlq show ../../metrics", "not the id of a dead letter"},
	    {"dlq show a?b=c", "not the id of a dead letter"},
	    {"dlq list --state gone", "--state: must be one of waiting, running"},
	    {"dlq list x", "takes options only"},
	    {"dlq list --yes", "dlq list has no option --yes"},
	    {"dlq retry " ID " --yes", "has no option --yes"},
	    {"dlq retry --all " ID, "takes options only"},
	    {"dlq drop --al", "has no option --al"},
	    {"dlq list --verbose", "has no option"},
	};
	struct world w;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		world_expect(&w, lines[i][0], CLI_USAGE, lines[i][1]);
	static const char *const same[][3] = {{"dlq --help", "help dlq", "dlq -h"},
	    {"dlq list --help", "help dlq list", "--help dlq list"},
	    {"dlq retry --all -h", "dlq retry --help", "help dlq retry"}};
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		world_expect(&w, same[i][0], CLI_OK, "");
		char *help = strdup(w.out);
		for (size_t k = 1; k < ARRAY_LEN(same[i]); k++) {
			world_expect(&w, same[i][k], CLI_OK, "");
			assert_string_equal(w.out, help);
		}
		free(help);
	}
	world_expect(&w, "help dlq lst", CLI_USAGE, "did you mean list?");
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}
