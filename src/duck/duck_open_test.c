/* SPDX-License-Identifier: Apache-2.0 */
/* The file: who may open it, which tables it gets, what is in its dictionaries. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(duck, newer_schema_is_refused_and_left_alone)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_options(dir);
	struct store *s;
	struct err err = {0};
	store_close(duck_kit_open(&opt));
	duck_kit_sql_on_file(dir,
	    "INSERT INTO meta SELECT 'schema_version', 1000, now()::TIMESTAMP");
	assert_int_equal(duck_open(&opt, &s, &err), ERR_UNAVAILABLE);
	assert_null(s);
	assert_non_null(strstr(err.message, "schema version 1000"));
	duck_kit_sql_on_file(dir, "DELETE FROM meta WHERE value = 1000");
	store_close(duck_kit_open(&opt));
}

TEST(duck, file_open_in_another_process_is_refused_in_words)
{
#ifdef __SANITIZE_THREAD__
	test_skip("the thread sanitizer does not follow threads of a forked process");
#endif
	const char *dir = test_tmp_dir();
	struct duck_options own = duck_kit_options(dir);
	struct store *s = duck_kit_open(&own);
	pid_t pid = fork();
	if (pid == 0) {
		struct duck_options opt = duck_kit_options(dir);
		struct store *second;
		struct err err = {0};
		bool refused = duck_open(&opt, &second, &err) == ERR_UNAVAILABLE &&
		    strstr(err.message, "open in another process");
		if (!refused)
			fprintf(stderr, "%s\n", err.message);
		_exit(refused ? 0 : 1);
	}
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(how, 0);
	store_close(s);
}

/* ---- tables */

static uint64_t
day_tables(struct store *s)
{
	return duck_kit_number(s,
	    "SELECT count(*)::UBIGINT FROM duckdb_tables() WHERE table_name LIKE 'spans\\_%' ESCAPE '\\'");
}

static void
put_spans(struct store *s, const uint64_t *times, uint32_t count)
{
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = store_applied(s) + 1;
	for (uint32_t i = 0; i < count; i++)
		(void)duck_kit_span(&b, b.last_seq, i, b.last_seq << 32 | i, times[i]);
	store_conformance_put(s, &b);
	batch_fini(&b);
}

TEST(duck, times_far_away_make_no_tables)
{
	enum { MANY = 2000 };
	static uint64_t times[MANY];
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.log_bytes_max = 1;
	struct store *s = duck_kit_open(&opt);
	for (uint32_t i = 0; i < MANY; i++)
		times[i] = UINT64_MAX / MANY * i; /* different days over 584 years */
	put_spans(s, times, MANY);
	duck_kit_flush(s);
	store_close(s);
	opt.seal_rows = 1; /* whatever may have a table gets one */
	s = duck_kit_open(&opt);
	duck_kit_wait_quiet(s);
	/* At most those of the last 400 days, four of which the loop meets, and the catch-all. */
	assert_in_range(day_tables(s), 1, 6);
	static const struct {
		uint64_t time_ns;
		uint64_t made;
	} edges[] = {
	    {CONFORMANCE_NOW_NS + NS_PER_DAY, 1},
	    {CONFORMANCE_NOW_NS + 2 * NS_PER_DAY, 0},
	    {CONFORMANCE_NOW_NS - 400 * NS_PER_DAY, 1},
	    {CONFORMANCE_NOW_NS - 401 * NS_PER_DAY, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		uint64_t before = day_tables(s);
		put_spans(s, &edges[i].time_ns, 1);
		duck_kit_flush(s);
		assert_int_equal(day_tables(s) - before, edges[i].made);
	}
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), MANY + ARRAY_LEN(edges));
	store_close(s);
}

TEST(duck, opened_again_it_goes_on_where_it_was)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *reference = store_mem_new();
	for (uint64_t i = 1; i <= 5; i++) {
		struct store *s = duck_kit_open(&opt);
		assert_int_equal(store_applied(s), store_position(s));
		duck_kit_load(s, i * 30, i);
		duck_kit_load(reference, i * 30, i);
		duck_kit_same(s, reference);
		duck_kit_wait_quiet(s);
		duck_kit_same(s, reference);
		store_close(s);
	}
	store_close(reference);
}

/* ---- dictionaries */

static uint64_t
span_with_resource(struct store *s, const char *tenant, const char *attributes, bool flush)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	uint64_t seq = b.last_seq = store_applied(s) + 1;
	size_t row = batch_resource(&b, str_from(tenant), 77, &added);
	table_set_str(&b.tables[TABLE_RESOURCES], row, RESOURCE_ATTRIBUTES, str_from(attributes));
	struct table *t = &b.tables[TABLE_SPANS];
	row = table_add_row(t);
	table_set_str(t, row, SPAN_TENANT, str_from(tenant));
	table_set_u64(t, row, SPAN_SEQ, seq);
	table_set_u64(t, row, SPAN_SPAN_ID, seq);
	table_set_u64(t, row, SPAN_START_NS, CONFORMANCE_NOW_NS);
	table_set_str(t, row, SPAN_NAME, attributes ? str_from(attributes) : STR_EMPTY);
	table_set_u64(t, row, SPAN_RESOURCE_ID, 77);
	store_conformance_put(s, &b);
	batch_fini(&b);
	if (flush)
		duck_kit_flush(s);
	return duck_kit_number(s, "SELECT count(*)::UBIGINT FROM resources");
}

/* Each span names the resource it came with. */
static void
names_its_own(struct store *s, size_t count)
{
	struct arena arena = {0};
	struct store_result r;
	store_conformance_all(s, STORE_SPANS, STR("acme"), &arena, &r);
	assert_int_equal(r.rows.row_count, count);
	for (size_t row = 0; row < count; row++) {
		size_t res = store_find_id(&r.resources, table_u64(&r.rows, row, SPAN_RESOURCE_ID));
		assert_true(res != SIZE_MAX);
		assert_true(str_eq(table_str(&r.resources, res, RESOURCE_ATTRIBUTES),
		    table_str(&r.rows, row, SPAN_NAME)));
	}
	arena_fini(&arena);
}

TEST(duck, resources_whose_ids_collide_are_kept_apart)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	assert_int_equal(span_with_resource(s, "acme", "{\"host\":\"one\"}", false), 0);
	assert_int_equal(span_with_resource(s, "acme", "{\"host\":\"two\"}", false), 0);
	names_its_own(s, 2);
	assert_int_equal(span_with_resource(s, "acme", "{\"host\":\"one\"}", true), 2);
	assert_int_equal(span_with_resource(s, "globex", "{\"host\":\"one\"}", true), 3);
	names_its_own(s, 3);
	store_close(s);
	s = duck_kit_open(&opt); /* without what memory knew */
	assert_int_equal(span_with_resource(s, "acme", "{\"host\":\"two\"}", true), 3);
	assert_int_equal(span_with_resource(s, "acme", "{\"host\":\"three\"}", true), 4);
	assert_int_equal(span_with_resource(s, "acme", NULL, true), 5);
	names_its_own(s, 6);
	store_close(s);
}
