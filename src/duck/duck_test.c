/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW CONFORMANCE_NOW_NS

static uint64_t
now_ns(void)
{
	return NOW;
}

static struct duck_options
options(const char *dir)
{
	return (struct duck_options){
	    .data_dir = str_from(dir),
	    .threads = 2,
	    .now_unix_ns = now_ns,
	};
}

static struct store *
open_with(const struct duck_options *opt)
{
	struct store *s;
	struct err err = {0};
	if (duck_open(opt, &s, &err) != ERR_OK)
		fail_msg("open: %s", err.message);
	return s;
}

static struct store *
open_in(const char *dir)
{
	struct duck_options opt = options(dir);
	return open_with(&opt);
}

#define X(claim)                                                                                   \
	TEST(duck, claim)                                                                          \
	{                                                                                          \
		struct store *s = open_in(test_tmp_dir());                                         \
		store_conformance_##claim(s);                                                      \
		store_close(s);                                                                    \
	}
STORE_CONFORMANCE(X)
#undef X

TEST(duck, answers_random_questions_as_the_store_in_memory_does)
{
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct store *s = open_in(test_tmp_dir()), *reference = store_mem_new();
		store_conformance_same(s, reference, seed, 10, 150);
		store_close(s);
		store_close(reference);
	}
}

/* ---- all or nothing */

/* What can be seen of a store, to compare. */
struct seen {
	struct arena arena;
	struct store_result spans, logs, points;
	uint64_t position, row_count;
};

static void
look(struct store *s, struct seen *out)
{
	struct store_status status;
	*out = (struct seen){0};
	store_conformance_all(s, STORE_SPANS, STR("acme"), &out->arena, &out->spans);
	store_conformance_all(s, STORE_LOGS, STR("acme"), &out->arena, &out->logs);
	store_conformance_all(s, STORE_POINTS, STR("acme"), &out->arena, &out->points);
	store_status(s, &status);
	out->position = store_position(s);
	out->row_count = status.row_count;
}

static void
assert_same_seen(struct seen *a, struct seen *b)
{
	assert_true(a->position == b->position);
	assert_true(a->row_count == b->row_count);
	store_conformance_same_table(&a->spans.rows, &b->spans.rows);
	store_conformance_same_table(&a->logs.rows, &b->logs.rows);
	store_conformance_same_table(&a->points.rows, &b->points.rows);
	assert_int_equal(a->spans.resources.row_count, b->spans.resources.row_count);
	assert_int_equal(a->logs.scopes.row_count, b->logs.scopes.row_count);
}

static uint64_t
number(struct store *s, const char *sql)
{
	uint64_t n;
	struct err err = {0};
	if (duck_number(duck_of(s), duck_of(s)->writer.con, sql, &n, &err) != ERR_OK)
		fail_msg("%s: %s", sql, err.message);
	return n;
}

static uint64_t
tables_of(struct store *s)
{
	return number(s, "SELECT count(*)::UBIGINT FROM duckdb_tables()");
}

struct step_fault {
	uint64_t calls, fail_at; /* 0: never */
};

static enum err_code
fail_step(void *ctx, enum duck_step step, struct err *err)
{
	struct step_fault *f = ctx;
	if (step == DUCK_STEP_CHECKPOINT || ++f->calls != f->fail_at)
		return ERR_OK;
	return err_set(err, ERR_IO, "step %d fails because a test wants it to", (int)step);
}

TEST(duck, batch_that_fails_at_any_step_leaves_no_trace)
{
	struct step_fault fault = {0};
	const char *dir = test_tmp_dir();
	struct duck_options opt = options(dir);
	opt.fault = fail_step;
	opt.fault_ctx = &fault;
	struct store *s = open_with(&opt), *reference = store_mem_new();
	struct batch b;
	batch_init(&b, 0);
	uint64_t seq = 0, failures = 0;
	for (uint64_t at = 1;; at++) {
		/* A day each time, so that there are always tables to make. */
		struct seen before, after;
		look(s, &before);
		uint64_t tables = tables_of(s);
		store_conformance_batch(&b, at / 4, seq + 1, 16);
		table_set_u64(&b.tables[TABLE_SPANS], 0, SPAN_START_NS,
		    NOW - (10 + at) * NS_PER_DAY);
		bool added;
		size_t row = batch_resource(&b, 1000 + at, &added);
		table_set_str(&b.tables[TABLE_RESOURCES], row, RESOURCE_TENANT, STR("acme"));
		fault = (struct step_fault){.fail_at = at};
		struct err err = {0};
		enum err_code code = store_append(s, &b, &err);
		if (code == ERR_OK) { /* there is no step beyond */
			arena_fini(&before.arena);
			break;
		}
		assert_int_equal(code, ERR_IO);
		look(s, &after);
		assert_same_seen(&before, &after);
		assert_int_equal(tables_of(s), tables);
		arena_fini(&before.arena);
		arena_fini(&after.arena);
		failures++;
		/* The same batch may come again, and then it is there. */
		fault = (struct step_fault){0};
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
		seq++;
	}
	assert_true(failures >= 15);
	store_conformance_put(reference, &b);
	struct seen here, there;
	look(s, &here);
	look(reference, &there);
	assert_same_seen(&here, &there);
	arena_fini(&here.arena);
	store_close(s);
	s = open_in(dir);
	look(s, &here);
	assert_same_seen(&here, &there);
	arena_fini(&here.arena);
	arena_fini(&there.arena);
	store_close(s);
	store_close(reference);
	batch_fini(&b);
}

TEST(duck, opened_again_it_is_where_it_was)
{
	const char *dir = test_tmp_dir();
	struct store *reference = store_mem_new();
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t i = 1; i <= 5; i++) {
		struct store *s = open_in(dir);
		assert_int_equal(store_position(s), (i - 1) * 10);
		store_conformance_batch(&b, i, i * 10, 100);
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
		struct seen here, there;
		look(s, &here);
		look(reference, &there);
		assert_same_seen(&here, &there);
		arena_fini(&here.arena);
		arena_fini(&there.arena);
		store_close(s);
	}
	store_close(reference);
	batch_fini(&b);
}

/* The child appends batches 1, 2, 3, .. each of KILL_ROWS spans and logs until it is killed. */
enum { KILL_ROWS = 500 };

static void
kill_batch(struct batch *b, uint64_t seq)
{
	batch_reset(b);
	b->last_seq = seq;
	for (uint32_t i = 0; i < KILL_ROWS; i++) {
		struct table *t = &b->tables[TABLE_SPANS];
		size_t row = table_add_row(t);
		table_set_str(t, row, SPAN_TENANT, STR("acme"));
		table_set_u64(t, row, SPAN_SEQ, seq);
		table_set_u32(t, row, SPAN_ORD, i);
		table_set_u64(t, row, SPAN_START_NS, NOW - (seq + i) % 300 / 10 * NS_PER_DAY);
		table_set_u64(t, row, SPAN_RESOURCE_ID, seq);
		t = &b->tables[TABLE_LOGS];
		row = table_add_row(t);
		table_set_str(t, row, LOG_TENANT, STR("acme"));
		table_set_u64(t, row, LOG_SEQ, seq);
		table_set_u64(t, row, LOG_EVENT_NS, NOW);
	}
	bool added;
	size_t row = batch_resource(b, seq, &added);
	table_set_str(&b->tables[TABLE_RESOURCES], row, RESOURCE_TENANT, STR("acme"));
}

static _Noreturn void
append_until_killed(const char *dir, int ready_fd)
{
	struct duck_options opt = options(dir);
	struct store *s;
	struct err err;
	struct batch b;
	opt.checkpoint_bytes = 200000; /* so that some die in a checkpoint */
	if (duck_open(&opt, &s, &err) != ERR_OK)
		_exit(3);
	batch_init(&b, 0);
	for (uint64_t seq = store_position(s) + 1;; seq++) {
		kill_batch(&b, seq);
		if (store_append(s, &b, &err) != ERR_OK)
			_exit(4);
		if (write(ready_fd, &seq, sizeof(seq)) != sizeof(seq))
			_exit(5);
	}
}

/* Returns the last batch the child said was in. */
static uint64_t
run_and_kill(const char *dir, uint64_t delay_ns)
{
	int fds[2];
	uint64_t acked = 0, seq;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		append_until_killed(dir, fds[1]);
	}
	close(fds[1]);
	if (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
		acked = seq;
	clock_sleep_ns(delay_ns);
	kill(pid, SIGKILL);
	int how;
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how));
	while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
		acked = seq;
	close(fds[0]);
	return acked;
}

TEST(duck, killed_at_any_moment_it_has_whole_batches_and_their_position)
{
	const char *dir = test_tmp_dir();
	for (uint64_t round = 0; round < 10; round++) {
		uint64_t acked = run_and_kill(dir, round * 17 * NS_PER_MS);
		struct store *s = open_in(dir);
		uint64_t position = store_position(s);
		assert_true(position >= acked);
		struct arena arena = {0};
		struct store_query q = {
		    .kind = STORE_SERVICES,
		    .tenant = STR("acme"),
		    .to_ns = UINT64_MAX,
		    .row_max = 10,
		    .deadline_mono_ns = UINT64_MAX,
		};
		struct store_result r;
		struct err err = {0};
		assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_OK);
		assert_int_equal(table_u64(&r.rows, 0, SERVICE_SPANS), position * KILL_ROWS);
		assert_int_equal(table_u64(&r.rows, 0, SERVICE_LOGS), position * KILL_ROWS);
		assert_int_equal(number(s, "SELECT count(*)::UBIGINT FROM resources"), position);
		assert_int_equal(number(s, "SELECT max(seq) FROM positions"), position);
		arena_fini(&arena);
		store_close(s);
	}
}

/* ---- the file */

static void
sql_on_file(const char *dir, const char *sql)
{
	char path[600];
	duckdb_database db;
	duckdb_connection con;
	snprintf(path, sizeof(path), "%s/%s", dir, DUCK_FILE);
	assert_int_equal(duckdb_open(path, &db), DuckDBSuccess);
	assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
	assert_int_equal(duckdb_query(con, sql, NULL), DuckDBSuccess);
	duckdb_disconnect(&con);
	duckdb_close(&db);
}

TEST(duck, newer_schema_is_refused_and_left_alone)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = options(dir);
	struct store *s;
	struct err err = {0};
	store_close(open_in(dir));
	sql_on_file(dir, "INSERT INTO meta SELECT 'schema_version', 1000, now()::TIMESTAMP");
	assert_int_equal(duck_open(&opt, &s, &err), ERR_UNAVAILABLE);
	assert_null(s);
	assert_non_null(strstr(err.message, "schema version 1000"));
	sql_on_file(dir, "DELETE FROM meta WHERE value = 1000");
	store_close(open_in(dir));
}

TEST(duck, file_open_in_another_process_is_refused_in_words)
{
#ifdef __SANITIZE_THREAD__
	test_skip("the thread sanitizer does not follow threads of a forked process");
#endif
	const char *dir = test_tmp_dir();
	struct store *s = open_in(dir);
	pid_t pid = fork();
	if (pid == 0) {
		struct duck_options opt = options(dir);
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

TEST(duck, damaged_log_of_the_database_is_named_with_its_place)
{
	const char *dir = test_tmp_dir();
	char path[600];
	run_and_kill(dir, 0);
	snprintf(path, sizeof(path), "%s/%s.wal", dir, DUCK_FILE);
	FILE *f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	long size = ftell(f);
	/* In the first append, which was committed: the last may be torn, and is then dropped. */
	assert_true(size > 16384);
	assert_int_equal(fseek(f, 4096, SEEK_SET), 0);
	for (int i = 0; i < 64; i++)
		fputc('?', f);
	fclose(f);
	struct duck_options opt = options(dir);
	struct store *s;
	struct err err = {0};
	assert_int_equal(duck_open(&opt, &s, &err), ERR_CORRUPT);
	if (!strstr(err.message, ".wal is damaged at byte "))
		fail_msg("%s", err.message);
}

/* ---- tables and dictionaries */

static void
one_span(struct batch *b, uint64_t seq, uint64_t time_ns)
{
	batch_reset(b);
	b->last_seq = seq;
	struct table *t = &b->tables[TABLE_SPANS];
	size_t row = table_add_row(t);
	table_set_str(t, row, SPAN_TENANT, STR("acme"));
	table_set_u64(t, row, SPAN_SEQ, seq);
	table_set_u64(t, row, SPAN_START_NS, time_ns);
}

TEST(duck, times_far_away_make_no_tables)
{
	const char *dir = test_tmp_dir();
	struct store *s = open_in(dir);
	struct batch b;
	batch_init(&b, 0);
	uint64_t before = tables_of(s);
	batch_reset(&b);
	for (uint32_t i = 0; i < 2000; i++) {
		size_t row = table_add_row(&b.tables[TABLE_SPANS]);
		table_set_str(&b.tables[TABLE_SPANS], row, SPAN_TENANT, STR("acme"));
		table_set_u32(&b.tables[TABLE_SPANS], row, SPAN_ORD, i);
		table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_START_NS,
		    UINT64_MAX / 2000 * i); /* 2,000 different days over 584 years */
	}
	b.last_seq = 1;
	store_conformance_put(s, &b);
	/* At most those of the last 400 days, four of which the loop meets, and the catch-all. */
	assert_in_range(tables_of(s) - before, 1, 6);
	static const struct {
		uint64_t time_ns;
		uint64_t made;
	} edges[] = {
	    {NOW + NS_PER_DAY, 1},
	    {NOW + 2 * NS_PER_DAY, 0},
	    {NOW - 400 * NS_PER_DAY, 1},
	    {NOW - 401 * NS_PER_DAY, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		before = tables_of(s);
		one_span(&b, 2 + i, edges[i].time_ns);
		store_conformance_put(s, &b);
		assert_int_equal(tables_of(s) - before, edges[i].made);
	}
	struct seen all;
	look(s, &all);
	assert_int_equal(all.spans.rows.row_count, 2004);
	for (size_t row = 1; row < 2004; row++)
		assert_true(table_u64(&all.spans.rows, row - 1, SPAN_START_NS) >=
		    table_u64(&all.spans.rows, row, SPAN_START_NS));
	arena_fini(&all.arena);
	store_close(s);
	batch_fini(&b);
}

static uint64_t
span_with_resource(struct store *s, struct batch *b, uint64_t seq, const char *tenant,
    const char *attributes)
{
	bool added;
	one_span(b, seq, NOW);
	size_t row = batch_resource(b, 77, &added);
	table_set_str(&b->tables[TABLE_RESOURCES], row, RESOURCE_TENANT, str_from(tenant));
	table_set_str(&b->tables[TABLE_RESOURCES], row, RESOURCE_ATTRIBUTES, str_from(attributes));
	table_set_str(&b->tables[TABLE_SPANS], 0, SPAN_TENANT, str_from(tenant));
	table_set_u64(&b->tables[TABLE_SPANS], 0, SPAN_RESOURCE_ID, 77);
	store_conformance_put(s, b);
	return number(s, "SELECT count(*)::UBIGINT FROM resources");
}

TEST(duck, resources_whose_ids_collide_are_kept_apart)
{
	const char *dir = test_tmp_dir();
	struct store *s = open_in(dir);
	struct batch b;
	batch_init(&b, 0);
	assert_int_equal(span_with_resource(s, &b, 1, "acme", "{\"host\":\"one\"}"), 1);
	assert_int_equal(span_with_resource(s, &b, 2, "acme", "{\"host\":\"two\"}"), 2);
	assert_int_equal(span_with_resource(s, &b, 3, "acme", "{\"host\":\"one\"}"), 2);
	assert_int_equal(span_with_resource(s, &b, 4, "globex", "{\"host\":\"one\"}"), 3);
	store_close(s);
	s = open_in(dir); /* without what memory knew */
	assert_int_equal(span_with_resource(s, &b, 5, "acme", "{\"host\":\"two\"}"), 3);
	assert_int_equal(span_with_resource(s, &b, 6, "acme", "{\"host\":\"three\"}"), 4);
	assert_int_equal(span_with_resource(s, &b, 7, "acme", NULL), 5);
	static const char *const want[] = {NULL, "one", "two", "one", NULL, "two", "three", NULL};
	struct seen all;
	look(s, &all);
	assert_int_equal(all.spans.rows.row_count, 6); /* of acme */
	for (size_t row = 0; row < 6; row++) {
		uint64_t seq = table_u64(&all.spans.rows, row, SPAN_SEQ);
		size_t res = store_find_id(&all.spans.resources,
		    table_u64(&all.spans.rows, row, SPAN_RESOURCE_ID));
		assert_true(res != SIZE_MAX);
		struct str got = table_str(&all.spans.resources, res, RESOURCE_ATTRIBUTES);
		char text[40];
		snprintf(text, sizeof(text), "{\"host\":\"%s\"}", want[seq] ? want[seq] : "");
		assert_true(str_eq(got, want[seq] ? str_from(text) : STR_EMPTY));
	}
	arena_fini(&all.arena);
	store_close(s);
	batch_fini(&b);
}

TEST(duck, text_that_is_no_utf8_does_not_hold_up_a_batch)
{
	struct store *s = open_in(test_tmp_dir());
	struct batch b;
	batch_init(&b, 0);
	one_span(&b, 1, NOW);
	table_set_str(&b.tables[TABLE_SPANS], 0, SPAN_NAME, str_of("a\xFF\xC3(z", 5));
	table_set_str(&b.tables[TABLE_SPANS], 0, SPAN_SERVICE, STR("good"));
	store_conformance_put(s, &b);
	struct seen all;
	look(s, &all);
	assert_int_equal(all.spans.rows.row_count, 1);
	assert_true(str_eq(table_str(&all.spans.rows, 0, SPAN_NAME),
	    STR("a\xEF\xBF\xBD\xEF\xBF\xBD(z")));
	assert_true(str_eq(table_str(&all.spans.rows, 0, SPAN_SERVICE), STR("good")));
	arena_fini(&all.arena);
	store_close(s);
	batch_fini(&b);
}

/* ---- queries */

TEST(duck, query_ends_at_its_deadline)
{
	struct store *s = open_in(test_tmp_dir());
	struct batch b;
	batch_init(&b, 0);
	store_conformance_batch(&b, 1, 1, 100);
	store_conformance_put(s, &b);
	struct store_query q = {
	    .kind = STORE_SPANS,
	    .tenant = STR("acme"),
	    .to_ns = UINT64_MAX,
	    .row_max = 10,
	    .deadline_mono_ns = 1,
	};
	struct arena arena = {0};
	struct store_result r;
	struct err err = {0};
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_DEADLINE);
	/* A long statement is left in the middle, and its connection is good for the next. */
	struct duck *d = duck_of(s);
	struct duck_sql sql;
	duckdb_connection con;
	duckdb_result result;
	duck_sql_init(&sql);
	/* Several pipelines, so that the threads of DuckDB have some of them in hand. */
	for (int i = 0; i < 8; i++)
		buf_printf(&sql.text,
		    "%sSELECT count(*) FROM range(10000000000000) WHERE hash(range) = 1",
		    i > 0 ? " UNION ALL " : "");
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &con, &err), ERR_OK);
	assert_int_equal(duck_run(d, con, &sql, clock_mono_ns() + 20 * NS_PER_MS, &result, &err),
	    ERR_DEADLINE);
	assert_int_equal(duck_exec(d, con, "SELECT 1", &err), ERR_OK);
	duck_pool_give(d, con, false);
	duck_sql_fini(&sql);
	q.deadline_mono_ns = UINT64_MAX;
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_OK);
	assert_int_equal(r.rows.row_count, 10);
	arena_fini(&arena);
	store_close(s);
	batch_fini(&b);
}

TEST(duck, query_that_lacks_memory_is_told_to_ask_for_less)
{
	struct duck_options opt = options(test_tmp_dir());
	opt.memory_bytes_max = 64 * LIMIT_MIB;
	opt.temp_bytes_max = LIMIT_MIB;
	struct store *s = open_with(&opt);
	struct duck *d = duck_of(s);
	struct duck_sql sql;
	duckdb_connection con;
	struct err err = {0};
	struct buf words = {0};
	duck_sql_init(&sql);
	buf_str(&sql.text,
	    STR("SELECT range::UBIGINT FROM range(3000000) ORDER BY repeat('x', 100) || hash(range)"));
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &con, &err), ERR_OK);
	if (duck_read_words(d, con, &sql, UINT64_MAX, &words, &err) != ERR_TOO_LARGE)
		fail_msg("%s", err.message);
	assert_non_null(strstr(err.message, "more memory than the 64 MiB"));
	assert_non_null(strstr(err.message, "smaller limit"));
	/* However DuckDB says it. */
	static const char *const texts[] = {"Out of Memory Error: failed to pin block",
	    "Invalid Input Error: Attempting to execute a closed one\nError: Out of Memory Error: x",
	    "std::bad_alloc"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(duck_fail_query(d, DUCKDB_ERROR_INVALID, texts[i], &err),
		    ERR_TOO_LARGE);
	assert_int_equal(duck_fail_query(d, DUCKDB_ERROR_INVALID_INPUT,
	                     "Invalid Input Error: x\nError: INTERRUPT Error: Interrupted!", &err),
	    ERR_DEADLINE);
	/* The connection and the store are as good as before. */
	assert_int_equal(duck_exec(d, con, "SELECT 1", &err), ERR_OK);
	assert_false(atomic_load(&d->broken));
	duck_pool_give(d, con, false);
	duck_sql_fini(&sql);
	buf_fini(&words);
	store_close(s);
}

TEST(duck, errors_do_not_name_the_folder)
{
	struct store *s = open_in(test_tmp_dir());
	struct duck *d = duck_of(s);
	struct err err = {0};
	char text[512];
	snprintf(text, sizeof(text), "IO Error: Could not read from file \"%s/" DUCK_FILE "\"",
	    d->dir);
	assert_int_equal(duck_fail(d, DUCKDB_ERROR_IO, text, &err), ERR_IO);
	assert_null(strstr(err.message, d->dir));
	assert_non_null(strstr(err.message, "\"" DUCK_FILE "\""));
	store_close(s);
}

TEST(duck, more_readers_than_connections_wait_for_one)
{
	struct duck_options opt = options(test_tmp_dir());
	opt.readers_max = 1;
	struct store *s = open_with(&opt);
	struct duck *d = duck_of(s);
	duckdb_connection first, second;
	struct err err = {0};
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &first, &err), ERR_OK);
	assert_int_equal(duck_pool_take(d, clock_mono_ns() + NS_PER_MS, &second, &err),
	    ERR_DEADLINE);
	duck_pool_give(d, first, false);
	assert_int_equal(duck_pool_take(d, clock_mono_ns() + NS_PER_MS, &second, &err), ERR_OK);
	assert_ptr_equal(first, second);
	duck_pool_give(d, second, true);
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &first, &err), ERR_OK);
	duck_pool_give(d, first, false);
	store_close(s);
}

TEST(duck, filter_that_is_no_utf8_is_invalid)
{
	struct store *s = open_in(test_tmp_dir());
	struct batch b;
	batch_init(&b, 0);
	one_span(&b, 1, NOW);
	store_conformance_put(s, &b);
	struct store_query q = {
	    .kind = STORE_SPANS,
	    .tenant = STR("acme"),
	    .to_ns = UINT64_MAX,
	    .row_max = 10,
	    .deadline_mono_ns = UINT64_MAX,
	    .service = STR("\xFF"),
	};
	struct arena arena = {0};
	struct store_result r;
	struct err err = {0};
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_INVALID);
	arena_fini(&arena);
	store_close(s);
	batch_fini(&b);
}

TEST(duck, all_filters_at_once_are_one_statement)
{
	struct store *s = open_in(test_tmp_dir()), *reference = store_mem_new();
	struct batch b;
	batch_init(&b, 0);
	store_conformance_batch(&b, 1, 1, 100);
	store_conformance_put(s, &b);
	struct store_query q = {
	    .kind = STORE_SPANS,
	    .tenant = STR("acme"),
	    .to_ns = UINT64_MAX,
	    .row_max = 10,
	    .deadline_mono_ns = UINT64_MAX,
	    .service = STR("a"),
	    .operation = STR("b"),
	    .attr_count = STORE_ATTRS_MAX,
	};
	char keys[STORE_ATTRS_MAX][8], values[STORE_ATTRS_MAX][8];
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		snprintf(values[i], sizeof(values[i]), "v%zu", i);
		q.attrs[i] =
		    (struct store_attr){.key = str_from(keys[i]), .value = str_from(values[i])};
	}
	struct arena arena = {0};
	struct store_result r;
	struct err err = {0};
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_OK);
	assert_int_equal(r.rows.row_count, 0);
	arena_fini(&arena);
	store_close(s);
	store_close(reference);
	batch_fini(&b);
}

TEST(duck, attribute_of_very_many_resources_is_still_found)
{
	struct store *s = open_in(test_tmp_dir());
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = 1;
	enum { MANY = 1500 };
	for (uint32_t i = 0; i < MANY; i++) {
		bool added;
		size_t row = batch_resource(&b, i + 1, &added);
		struct table *t = &b.tables[TABLE_RESOURCES];
		table_set_str(t, row, RESOURCE_TENANT, STR("acme"));
		table_set_u32(t, row, RESOURCE_DROPPED_ATTRIBUTES, i);
		table_set_str(t, row, RESOURCE_ATTRIBUTES,
		    i % 10 == 0 ? STR("{\"env\":\"dev\"}") : STR("{\"env\":\"prod\"}"));
		t = &b.tables[TABLE_SPANS];
		row = table_add_row(t);
		table_set_str(t, row, SPAN_TENANT, STR("acme"));
		table_set_u32(t, row, SPAN_ORD, i);
		table_set_u64(t, row, SPAN_START_NS, NOW);
		table_set_u64(t, row, SPAN_RESOURCE_ID, i + 1);
	}
	store_conformance_put(s, &b);
	static const char *const values[] = {"dev", "prod"};
	static const size_t counts[] = {MANY / 10, MANY - MANY / 10};
	for (size_t i = 0; i < 2; i++) {
		struct store_query q = {
		    .kind = STORE_SPANS,
		    .tenant = STR("acme"),
		    .to_ns = UINT64_MAX,
		    .row_max = 10000,
		    .deadline_mono_ns = UINT64_MAX,
		    .attrs = {{STR("env"), str_from(values[i])}},
		    .attr_count = 1,
		};
		struct arena arena = {0};
		struct store_result r;
		struct err err = {0};
		assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_OK);
		assert_int_equal(r.rows.row_count, counts[i]);
		assert_int_equal(r.resources.row_count, counts[i]);
		arena_fini(&arena);
	}
	store_close(s);
	batch_fini(&b);
}

/* ---- attribute matching */

TEST(duck, attribute_match_reads_no_byte_beyond_the_text)
{
	static const char *const texts[] = {
	    "{\"k\":\"v\",\"n\":[1,{\"a\":\"]}\"}],\"e\":\"\\u00e9\\\"\\ud83d\\ude00\",\"z\":1}",
	    "{\"k\":\"\\\\\"}",
	    "{}",
	    "{\"k\":{\"$double\":\"NaN\"}}",
	    "[1]",
	    "{\"k\" :1}",
	    "nonsense",
	    "{\"k\":]]]]}",
	    "{\"k\":\"\\",
	    "{\"k\":\"\\u12",
	    "{\"\\ud83d\":1}",
	};
	static const char *const keys[] = {"k", "z", "e", "missing", ""};
	/* Every prefix, in memory that ends with it: the sanitizer sees a byte too many. */
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t len = 0; len <= strlen(texts[i]); len++) {
			char *copy = malloc(len + 1);
			assert_non_null(copy);
			char *end_aligned = realloc(copy, len > 0 ? len : 1);
			assert_non_null(end_aligned);
			memcpy(end_aligned, texts[i], len);
			for (size_t k = 0; k < ARRAY_LEN(keys); k++)
				duck_attr_is(str_of(end_aligned, len), str_from(keys[k]), STR("v"));
			free(end_aligned);
		}
	assert_int_equal(duck_attr_is(str_from(texts[0]), STR("k"), STR("v")), DUCK_ATTR_EQUAL);
	assert_int_equal(duck_attr_is(str_from(texts[0]), STR("z"), STR("1")), DUCK_ATTR_EQUAL);
	assert_int_equal(duck_attr_is(str_from(texts[0]), STR("z"), STR("11")),
	    DUCK_ATTR_DIFFERENT);
	assert_int_equal(duck_attr_is(str_from(texts[0]), STR("e"),
	                     STR("\xC3\xA9\"\xF0\x9F\x98\x80")),
	    DUCK_ATTR_EQUAL);
	assert_int_equal(duck_attr_is(str_from(texts[0]), STR("a"), STR("]}")), DUCK_ATTR_ABSENT);
	assert_int_equal(duck_attr_is(str_from(texts[1]), STR("k"), STR("\\")), DUCK_ATTR_EQUAL);
	assert_int_equal(duck_attr_is(str_from(texts[3]), STR("k"), STR("NaN")), DUCK_ATTR_EQUAL);
	assert_int_equal(duck_attr_is(str_from(texts[3]), STR("k"), STR("Na")),
	    DUCK_ATTR_DIFFERENT);
	assert_int_equal(duck_attr_is(str_from(texts[4]), STR("k"), STR("1")), DUCK_ATTR_ABSENT);
}

/* ---- checkpoints */

static enum err_code
fail_checkpoint(void *ctx, enum duck_step step, struct err *err)
{
	_Atomic uint64_t *calls = ctx;
	if (step != DUCK_STEP_CHECKPOINT)
		return ERR_OK;
	return atomic_fetch_add(calls, 1) == 0 ? err_set(err, ERR_IO, "a test wants it") : ERR_OK;
}

static uint64_t
dirty_bytes(struct duck *d)
{
	mutex_lock(&d->keeper.lock);
	uint64_t bytes = d->keeper.dirty_bytes;
	mutex_unlock(&d->keeper.lock);
	return bytes;
}

TEST(duck, idle_store_is_checkpointed_even_if_a_try_fails)
{
	_Atomic uint64_t calls = 0;
	struct duck_options opt = options(test_tmp_dir());
	opt.checkpoint_idle_ms = 1;
	opt.fault = fail_checkpoint;
	opt.fault_ctx = &calls;
	struct store *s = open_with(&opt);
	struct batch b;
	batch_init(&b, 0);
	store_conformance_batch(&b, 1, 1, 100);
	store_conformance_put(s, &b);
	while (atomic_load(&calls) < 2 || dirty_bytes(duck_of(s)) > 0)
		clock_sleep_ns(10 * NS_PER_MS);
	struct store_status status;
	store_status(s, &status);
	assert_true(status.ok);
	assert_true(status.disk_bytes > 0);
	store_close(s);
	batch_fini(&b);
}

TEST(duck, busy_store_is_checkpointed_by_size)
{
	struct duck_options opt = options(test_tmp_dir());
	opt.checkpoint_bytes = 1;
	struct store *s = open_with(&opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		store_conformance_batch(&b, seq, seq, 100);
		store_conformance_put(s, &b);
		assert_int_equal(dirty_bytes(duck_of(s)), 0);
	}
	store_close(s);
	batch_fini(&b);
}

TEST(duck, fatal_error_shuts_the_store_and_is_said)
{
	struct store *s = open_in(test_tmp_dir());
	struct duck *d = duck_of(s);
	struct err err = {0};
	struct store_status status;
	assert_int_equal(duck_fail(d, DUCKDB_ERROR_FATAL, "FATAL Error: it broke\nmore", &err),
	    ERR_UNAVAILABLE);
	store_status(s, &status);
	assert_false(status.ok);
	assert_non_null(strstr(status.text, "it broke"));
	assert_null(strchr(status.text, '\n'));
	struct batch b;
	batch_init(&b, 0);
	one_span(&b, 1, NOW);
	assert_int_equal(store_append(s, &b, &err), ERR_UNAVAILABLE);
	assert_int_equal(store_position(s), 0);
	assert_int_equal(duck_fail(d, DUCKDB_ERROR_TRANSACTION,
	                     "Failed to commit: Could not write file: No space left on device",
	                     &err),
	    ERR_BUSY);
	assert_non_null(strstr(err.message, "disk full"));
	store_close(s);
	batch_fini(&b);
}
