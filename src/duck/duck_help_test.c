/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_help.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "tests/test.h"

enum { HELPERS = 2, ASKERS = 4, ROUNDS = 60 };

static duckdb_database
open_without_threads(void)
{
	duckdb_database db;
	duckdb_config config;
	char *why = NULL;
	assert_int_equal(duckdb_create_config(&config), DuckDBSuccess);
	assert_int_equal(duckdb_set_config(config, "threads", "3"), DuckDBSuccess);
	assert_int_equal(duckdb_set_config(config, "external_threads", "3"), DuckDBSuccess);
	assert_int_equal(duckdb_open_ext(NULL, &db, config, &why), DuckDBSuccess);
	duckdb_destroy_config(&config);
	return db;
}

/* Nobody works on the statement but who helps. */
TEST(duck, who_helps_works_only_while_that_is_wanted)
{
	struct duck_help help;
	struct err err;
	duckdb_database db = open_without_threads();
	duckdb_connection con;
	duckdb_prepared_statement st;
	duckdb_pending_result pending;
	duck_help_init(&help);
	assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
	assert_int_equal(duck_help_start(&help, db, HELPERS, &err), ERR_OK);
	assert_int_equal(duckdb_prepare(con, "SELECT sum(i) FROM range(3000000) t(i)", &st),
	    DuckDBSuccess);
	duck_help_begin(&help);
	duck_help_end(&help);
	assert_int_equal(duckdb_pending_prepared(st, &pending), DuckDBSuccess);
	for (int i = 0; i < 20; i++) {
		clock_sleep_ns(2 * NS_PER_MS);
		assert_false(duckdb_pending_execution_is_finished(
		    duckdb_pending_execute_check_state(pending)));
	}
	duck_help_begin(&help);
	while (!duckdb_pending_execution_is_finished(duckdb_pending_execute_check_state(pending)))
		clock_sleep_ns(NS_PER_MS);
	duck_help_end(&help);
	duckdb_destroy_pending(&pending);
	duckdb_destroy_prepare(&st);
	duckdb_disconnect(&con);
	duck_help_stop(&help);
	duckdb_close(&db);
	duck_help_fini(&help);
}

struct asker {
	struct thread thread;
	struct duck_help *help;
	duckdb_database db;
	bool large;
	uint64_t wrong;
};

static void
ask(void *ctx)
{
	struct asker *a = ctx;
	duckdb_connection con;
	CHECK(duckdb_connect(a->db, &con) == DuckDBSuccess);
	for (int i = 0; i < ROUNDS; i++) {
		duckdb_result r;
		if (a->large)
			duck_help_begin(a->help);
		if (duckdb_query(con, "SELECT count(DISTINCT i % 977) FROM range(200000) t(i)",
		        &r) != DuckDBSuccess ||
		    duckdb_value_int64(&r, 0, 0) != 977)
			a->wrong++;
		duckdb_destroy_result(&r);
		if (a->large)
			duck_help_end(a->help);
	}
	duckdb_disconnect(&con);
}

TEST(duck, shifts_begin_and_end_beside_one_another)
{
	struct duck_help help;
	struct err err;
	duckdb_database db = open_without_threads();
	duck_help_init(&help);
	for (int again = 0; again < 2; again++) {
		struct asker askers[ASKERS];
		assert_int_equal(duck_help_start(&help, db, HELPERS, &err), ERR_OK);
		for (int i = 0; i < ASKERS; i++) {
			askers[i] = (struct asker){.help = &help, .db = db, .large = i % 2};
			assert_int_equal(thread_start(&askers[i].thread, "asker", ask, &askers[i],
			                     &err),
			    ERR_OK);
		}
		for (int i = 0; i < ASKERS; i++) {
			thread_join(&askers[i].thread);
			assert_int_equal(askers[i].wrong, 0);
		}
		duck_help_stop(&help);
	}
	/* With nobody to help it is all the same. */
	duck_help_begin(&help);
	duck_help_end(&help);
	duckdb_close(&db);
	duck_help_fini(&help);
}
