/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/world_test.h"

#include "base/timefmt.h"
#include "tests/test.h"

#define COUNTS                                                                                      \
	"\"store\":{\"spans\":10,\"logs\":2,\"points\":7,\"tables\":4,\"seals\":3,\"position\":9}," \
	"\"days\":[{\"day\":\"2026-11-20\",\"tenant\":\"ac\\u001bme\",\"spans\":10,\"logs\":2,"     \
	"\"points\":7}],\"more_days\":0,\"log\":{\"segments\":2,\"records\":40,\"bytes\":65536,"    \
	"\"first\":61,\"last\":100},\"letters\":{\"waiting\":0,\"quarantined\":1,\"done\":0},"      \
	"\"keys\":2,\"seconds\":1.5"
#define HEALTHY                                                                                              \
	"{\"healthy\":true,\"damages\":0,\"notes\":0,\"mendable\":0,\"quick\":false,\"findings\":[]," COUNTS \
	"}"
#define DAMAGED                                                                                     \
	"{\"healthy\":false,\"damages\":1,\"notes\":0,\"mendable\":1,\"quick\":true,\"findings\":[" \
	"{\"kind\":\"row-twice\",\"severity\":\"damage\",\"place\":\"spans_20261120\","             \
	"\"text\":\"the row \\u001b[2J is there 2 times\",\"mendable\":true}]," COUNTS "}"
#define MENDED                                                                                               \
	"{\"healthy\":true,\"damages\":0,\"notes\":0,\"mendable\":0,\"quick\":false,\"findings\":[]," COUNTS \
	",\"mended\":[\"a copy of weir.duckdb is weir.duckdb.1.before-repair\"]}"

TEST(cli, a_check_asks_the_server_for_long_and_its_exit_code_says_whether_there_is_damage)
{
	struct world w;
	world_init(&w);
	w.answers[0] = HEALTHY;
	world_expect(&w, "check", CLI_OK, "");
	assert_string_equal(w.method, "POST");
	assert_string_equal(w.path, "/api/v1/check");
	assert_true(w.timeout_ns >= 3600 * (uint64_t)NS_PER_S);
	assert_non_null(strstr(w.out, "\"healthy\":true"));
	world_expect(&w, "check -o table --timeout 5s", CLI_OK, "");
	assert_int_equal(w.timeout_ns, 5 * (uint64_t)NS_PER_S);
	assert_non_null(strstr(w.out, "healthy: no damage was found in 1.5 s"));
	assert_non_null(strstr(w.out, "ac\\x1bme"));
	w.answers[0] = DAMAGED;
	world_expect(&w, "check --quick -o table", CLI_DAMAGE, "");
	assert_string_equal(w.path, "/api/v1/check?quick=true");
	assert_non_null(strstr(w.out, "damage  row-twice  spans_20261120  (--repair mends it)"));
	assert_non_null(strstr(w.out, "the row \\x1b[2J is there 2 times"));
	assert_non_null(strstr(w.out, "damaged: 1 found in 1.5 s (a quick look"));
	world_expect(&w, "check -o ndjson", CLI_DAMAGE, "");
	assert_non_null(strstr(w.out, "{\"kind\":\"row-twice\""));
	w.answers[0] = "{\"x\":1}";
	world_expect(&w, "check", CLI_ERROR, "no report of a check");
	world_fini(&w);
}

TEST(cli, a_repair_looks_first_asks_and_needs_a_folder)
{
	struct world w;
	world_init(&w);
	w.answers[0] = DAMAGED;
	w.answers[1] = MENDED;
	world_expect(&w, "check --repair", CLI_USAGE, "--repair needs --data-dir DIR");
	assert_int_equal(w.asked, 0);
	world_expect(&w, "check --data-dir d --repair", CLI_ERROR, "nothing was mended");
	assert_int_equal(w.asked, 1);
	w.asked = 0;
	world_expect(&w, "check --data-dir d --repair --yes -o table", CLI_OK, "");
	assert_string_equal(w.first_path, "/api/v1/check");
	assert_string_equal(w.path, "/api/v1/check?repair=true");
	assert_non_null(strstr(w.out, "weir.duckdb.1.before-repair"));
	/* Who sits there sees what it is about. */
	w.asked = 0;
	w.io.in_is_tty = true;
	w.typed = "n";
	world_expect(&w, "check --data-dir d --repair", CLI_ERROR, "mend 1 of this? [y/N]");
	assert_int_equal(w.asked, 1);
	w.asked = 0;
	w.typed = "y";
	world_expect(&w, "check --data-dir d --repair", CLI_OK, "row-twice");
	assert_int_equal(w.asked, 2);
	/* Nothing to be done. */
	w.asked = 0;
	w.answers[0] = HEALTHY;
	world_expect(&w, "check --data-dir d --repair --yes", CLI_OK, "");
	assert_int_equal(w.asked, 1);
	world_fini(&w);
}
