/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/server.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "bench/kit_server_test.h"
#include "sys/clock.h"

#include <string.h>
#include <unistd.h>

TEST(bench_server, it_waits_until_all_is_loaded)
{
	struct kit_server *s = kit_server_start(1);
	struct server server;
	struct server_snapshot look;
	struct err err = {0};
	struct server_idle idle;
	uint64_t begin = clock_mono_ns();
	assert_int_equal(server_open(&server, str_from(s->url), NULL, (uint64_t)getpid(), NULL,
	                     &err),
	    ERR_OK);
	assert_int_equal(server_look(&server, &look, &err), ERR_OK);
	assert_true(look.has_metrics && look.has_process && !look.has_disk);
	assert_float_equal(look.lag_bytes, 3, 0);
	assert_float_equal(look.wal_bytes, 1000, 0);
	assert_float_equal(look.wal_commits, 5, 0);
	/* No time at all: it is asked once, and has not loaded. */
	assert_int_equal(server_wait_idle(&server, 0, 0, &idle, &err), ERR_DEADLINE);
	assert_non_null(strstr(err.message, "2 bytes"));
	assert_int_equal(server_wait_idle(&server, 60 * NS_PER_S, 0, &idle, &err), ERR_OK);
	assert_int_equal(s->metrics_polls, 4);
	assert_true(idle.loaded_mono_ns > begin);
	assert_false(idle.settled);
	server_close(&server);
	kit_server_stop(s);
}

TEST(bench_server, it_waits_while_rows_are_being_sealed)
{
	struct kit_server *s = kit_server_start(1);
	struct server server;
	struct server_snapshot look;
	struct err err = {0};
	double rows = 0;
	assert_int_equal(server_open(&server, str_from(s->url), NULL, 0, NULL, &err), ERR_OK);
	/* One that does not tell is not waited for. */
	assert_int_equal(server_wait_sealed(&server, NS_PER_S, 60 * NS_PER_S, &rows, &err), ERR_OK);
	assert_int_equal(s->metrics_polls, 1);
	assert_float_equal(rows, -1, 0);
	/* 7 and 2, 6 and 2, 5 and 2, and then no fewer. */
	s->hot_rows = 7;
	s->hot_rows_min = 5;
	assert_int_equal(server_wait_sealed(&server, NS_PER_S / 2, 60 * NS_PER_S, &rows, &err),
	    ERR_OK);
	assert_float_equal(rows, 7, 0);
	assert_true(s->metrics_polls >= 4);
	assert_int_equal(server_look(&server, &look, &err), ERR_OK);
	assert_true(look.has_hot_rows);
	assert_float_equal(look.hot_rows, 7, 0);
	/* No time: one look. */
	s->hot_rows = 900;
	assert_int_equal(server_wait_sealed(&server, NS_PER_S, 0, &rows, &err), ERR_OK);
	assert_float_equal(rows, 902, 0);
	server_close(&server);
	kit_server_stop(s);
}

TEST(bench_server, samples_of_one_name_are_added_up)
{
	double v = 0;
	struct str text =
	    STR("# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3.5 99\na 10\nab 7\na_b{x=\"1\"} 8\n");
	assert_true(server_metric_sum(text, STR("a"), &v));
	assert_float_equal(v, 15.5, 0);
	assert_true(server_metric_sum(STR("z{q=\"\"} 0"), STR("z"), &v));
	assert_float_equal(v, 0, 0);
	assert_false(server_metric_sum(STR("z{q=\"\"\nz{\nz\nz{} x\n"), STR("z"), &v));
	assert_false(server_metric_sum(STR_EMPTY, STR("z"), &v));
}

TEST(bench_server, a_process_that_is_not_there_is_an_error)
{
	struct server server;
	struct server_snapshot look;
	struct err err = {0};
	assert_int_equal(server_open(&server, STR_EMPTY, NULL, INT32_MAX, NULL, &err), ERR_OK);
	assert_int_equal(server_look(&server, &look, &err), ERR_NOT_FOUND);
	server_close(&server);
}

TEST(bench_server, metrics_are_found_by_their_whole_name)
{
	double v = 0;
	struct str text = STR("# TYPE a counter\na_b 1\na{x=\"1\"} 2\na 3.5\nz 1e2 99\nq\n");
	assert_true(server_metric(text, STR("a"), &v));
	assert_float_equal(v, 3.5, 0);
	assert_true(server_metric(text, STR("a{x=\"1\"}"), &v));
	assert_float_equal(v, 2, 0);
	assert_true(server_metric(text, STR("z"), &v));
	assert_float_equal(v, 100, 0);
	assert_false(server_metric(text, STR("q"), &v));
	assert_false(server_metric(text, STR("b"), &v));
	assert_false(server_metric(STR_EMPTY, STR("a"), &v));
}
