/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole file has no finding; each kind of damage, made by SQL or by a flipped bit on a copy of it, is found and named;
 * what can be mended is whole after it was; a check beside a store that takes rows finds nothing.
 */
#include "duck/duck_check.h"
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "sys/file.h"
#include "sys/thread.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 80, SQL_BYTES = 2000, TEXT_AT_MOST = 3 };

/* ---- what was found */

struct found {
	uint64_t count[FINDING_KINDS];
	uint64_t damages;
	struct buf text; /* all of it, for whoever reads a failure */
	uint64_t rows[SIGNAL_TABLES];
};

static void
note(void *ctx, const struct finding *f)
{
	struct found *found = ctx;
	found->count[f->kind]++;
	found->damages += finding_severity(f->kind) == FINDING_DAMAGE;
	buf_printf(&found->text, "%s  %s: %s\n", finding_word(f->kind), f->place, f->text);
}

static void
note_rows(void *ctx, enum table_id id, uint64_t day, struct str tenant, uint64_t rows)
{
	struct found *found = ctx;
	(void)day;
	assert_true(tenant.len > 0);
	found->rows[id] += rows;
}

static void
check_with(const char *dir, struct store *s, struct found *found, struct duck_checked *out)
{
	struct finding_sink sink = {note, found};
	struct duck_check_options opt = {
	    .sink = &sink, .threads = 2, .count = note_rows, .count_ctx = found};
	struct err err = {0};
	*found = (struct found){0};
	enum err_code code = s ? duck_check_store(s, &opt, out, &err)
	                       : duck_check_file(str_from(dir), &opt, out, &err);
	if (code != ERR_OK)
		fail_msg("check: %s", err.message);
	buf_char(&found->text, '\0');
}

static void
is_whole(const char *dir, const char *when)
{
	struct found found;
	struct duck_checked out;
	check_with(dir, NULL, &found, &out);
	if (found.text.len > 1)
		fail_msg("%s: %s", when, found.text.ptr);
	assert_true(out.readable);
	buf_fini(&found.text);
}

/* ---- a file with all there is: seals of several days, shreds, the catch-all, dictionaries */

/* The fullest day of each signal, and its table. */
static uint64_t days[SIGNAL_TABLES];
static char names[SIGNAL_TABLES][DUCK_TABLE_NAME_BYTES];

static void
note_days(struct store *s)
{
	char sql[200];
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		snprintf(sql, sizeof(sql),
		    "SELECT day::UBIGINT FROM seals WHERE base = '%s' AND day >= 0 GROUP BY day"
		    " ORDER BY sum(rows) DESC LIMIT 1",
		    table_defs[id].name);
		days[id] = duck_kit_number(s, sql);
		duck_schema_table_name(&table_defs[id], (int64_t)days[id], names[id]);
	}
}

static const char *
make_file(void)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct store *s = duck_kit_open(&opt);
	duck_kit_load(s, REQUESTS, 1);
	duck_kit_flush(s);
	assert_true(duck_kit_number(s, "SELECT count(*)::UBIGINT FROM partitions WHERE day >= 0") >
	    2);
	assert_true(duck_kit_number(s, "SELECT count(*)::UBIGINT FROM shreds") > 0);
	note_days(s);
	store_close(s);
	return dir;
}

TEST(duck_check, a_whole_file_has_no_finding_and_is_not_changed)
{
	const char *dir = make_file();
	char path[FILE_PATH_BYTES];
	struct buf before = {0}, after = {0};
	struct found found;
	struct duck_checked out;
	snprintf(path, sizeof(path), "%s/" DUCK_FILE, dir);
	assert_int_equal(file_read_all(path, 1 << 30, &before, NULL), ERR_OK);
	check_with(dir, NULL, &found, &out);
	if (found.text.len > 1)
		fail_msg("%s", found.text.ptr);
	assert_int_equal(file_read_all(path, 1 << 30, &after, NULL), ERR_OK);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.ptr, after.ptr, before.len);
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		assert_true(out.rows[id] > 0);
		assert_int_equal(out.rows[id], found.rows[id]);
	}
	buf_fini(&before);
	buf_fini(&after);
	buf_fini(&found.text);
}

/* ---- damages by SQL */

/* @S @L @P @C: the table of spans, logs, points, comments; @s @l @p @c: its day. */
static const struct damage {
	const char *what;
	const char *sql;
	enum finding_kind kind; /* is found */
	enum finding_kind also[4]; /* what goes with it; the same again: nothing */
	bool mends;
} damages[] = {
#define ALONE(kind)                                                                                \
	FINDING_##kind,                                                                            \
	{                                                                                          \
		FINDING_##kind, FINDING_##kind, FINDING_##kind, FINDING_##kind                     \
	}
#define WITH(kind, other)                                                                          \
	FINDING_##kind,                                                                            \
	{                                                                                          \
		FINDING_##other, FINDING_SEAL_SERVICES, FINDING_SEAL_SUMS, FINDING_##kind          \
	}
    {"a table that is not in the list", "DELETE FROM partitions WHERE base = 'logs' AND day = @l",
        WITH(TABLE_ORPHAN, SEAL_HOMELESS), true},
    {"a table that has gone", "DROP TABLE @P", WITH(PARTITION_EMPTY, SHRED_EMPTY), true},
    {"a table twice in the list", "INSERT INTO partitions SELECT * FROM partitions LIMIT 1",
        ALONE(PARTITION_TWICE), true},
    {"a table of somebody else", "CREATE TABLE notes AS SELECT 1 AS x", ALONE(TABLE_FOREIGN),
        false},
    {"a table of the catalog that has gone", "DROP TABLE requests", ALONE(TABLE_MISSING), false},
    {"a column of the catalog that has gone", "ALTER TABLE positions DROP COLUMN ord",
        ALONE(COLUMN_WRONG), false},
    {"a column of another type", "ALTER TABLE @S ALTER COLUMN kind TYPE BIGINT",
        ALONE(COLUMN_WRONG), false},
    {"an attribute column that has gone", "ALTER TABLE @S DROP COLUMN a0", ALONE(SHRED_EMPTY),
        true},
    {"an attribute column without a key",
        "DELETE FROM shreds WHERE base = 'spans' AND day = @s AND number = (SELECT max(number) FROM"
        " shreds WHERE base = 'spans' AND day = @s)",
        ALONE(SHRED_ORPHAN), false},
    {"keys without order", "UPDATE shreds SET code = code + 7 WHERE base = 'spans' AND day = @s",
        ALONE(SHRED_MALFORMED), false},
    {"a seal that is not in the list",
        "DELETE FROM seals WHERE gen = (SELECT min(seal) FROM @S WHERE seal > 0)",
        WITH(ROWS_ORPHAN, SEAL_LEFTOVERS), true},
    {"rows without a seal", "UPDATE @L SET seal = NULL WHERE seal = (SELECT min(seal) FROM @L)",
        WITH(ROWS_ORPHAN, SEAL_EMPTY), true},
    {"rows of the catch-all without a seal",
        "UPDATE spans_other SET seal = 987654 WHERE seal = (SELECT min(seal) FROM spans_other)",
        ALONE(ROWS_ORPHAN), true},
    {"a seal twice", "INSERT INTO seals SELECT * FROM seals WHERE base <> '' LIMIT 1",
        WITH(SEAL_TWICE, SEAL_COUNT), false},
    {"a seal of a day that is not there",
        "INSERT INTO seals SELECT max(gen) + 1, 'spans', 3, 1, 0, 0, max(floor), NULL, NULL FROM seals",
        ALONE(SEAL_HOMELESS), true},
    {"all rows of a seal deleted", "DELETE FROM @S WHERE seal = (SELECT max(seal) FROM @S)",
        WITH(SEAL_EMPTY, SEAL_EMPTY), true},
    {"some rows of a seal deleted",
        "DELETE FROM @S WHERE seal = (SELECT max(seal) FROM @S) AND trace_lo % 2 = 0",
        WITH(SEAL_COUNT, SEAL_COUNT), true},
    {"times of a seal that are too narrow",
        "UPDATE seals SET time_min = time_max WHERE base = 'logs' AND day = @l", ALONE(SEAL_TIMES),
        true},
    {"services counted wrong",
        "UPDATE seal_services SET errors = errors + 1 WHERE gen = (SELECT min(seal) FROM @S WHERE seal"
        " > 0)",
        ALONE(SEAL_SERVICES), true},
    {"hashes of traces lost",
        "DELETE FROM seal_hashes WHERE gen = (SELECT min(seal) FROM @S WHERE seal > 0)",
        ALONE(SEAL_SUMS), true},
    {"words of sums lost",
        "DELETE FROM seal_words WHERE place = 2 AND gen = (SELECT min(seal) FROM @L WHERE seal > 0)",
        ALONE(SEAL_SUMS), true},
    {"a word of sums changed",
        "UPDATE seal_words SET word = xor(word, 256) WHERE place = 1 AND kind = 2 AND gen ="
        " (SELECT min(seal) FROM @S WHERE seal > 0)",
        ALONE(SEAL_SUMS), true},
    {"times of sums changed",
        "UPDATE seal_parts SET last_ns = last_ns + 1 WHERE gen = (SELECT min(seal) FROM @P WHERE seal > 0)",
        ALONE(SEAL_SUMS), true},
    {"sums of operations lost",
        "DELETE FROM seal_words WHERE kind = 2 AND gen = (SELECT min(seal) FROM @S WHERE seal > 0);"
        "DELETE FROM seal_parts WHERE kind = 2 AND gen = (SELECT min(seal) FROM @S WHERE seal > 0)",
        ALONE(SEAL_SUMS), true},
    {"hashes that belong to nothing",
        "INSERT INTO seal_hashes SELECT min(seal), 77777, 5 FROM @S WHERE seal > 0",
        ALONE(SEAL_SUMS), true},
    {"words of sums twice",
        "INSERT INTO seal_words SELECT * FROM seal_words WHERE gen = (SELECT min(seal) FROM @L WHERE"
        " seal > 0) LIMIT 1",
        ALONE(SEAL_SUMS), true},
    {"hashes without any part",
        "DELETE FROM seal_parts WHERE gen = (SELECT min(seal) FROM @S WHERE seal > 0)",
        ALONE(SEAL_SUMS), true},
    {"services of seals that have gone",
        "INSERT INTO seal_services SELECT 987654, 0, 'acme', 'x', 1, 0, 0, 0, 0, 0, 0",
        ALONE(SEAL_LEFTOVERS), true},
    {"a floor that went back",
        "UPDATE seals SET floor = floor + 100000 WHERE gen = (SELECT min(gen) FROM seals)",
        ALONE(FLOOR_WRONG), false},
    {"a position of no seal",
        "UPDATE positions SET gen = gen + 987654 WHERE base = 'spans' AND day = @s",
        ALONE(POSITION_HOMELESS), false},
    {"a position of a source ahead of its rows",
        "UPDATE pulls SET seq = seq + 1000000 WHERE gen = (SELECT min(gen) FROM pulls)",
        ALONE(PULL_WRONG), false},
    {"a position of a source of no seal", "UPDATE pulls SET gen = gen + 987654", ALONE(PULL_WRONG),
        false},
    {"rows behind their position",
        "UPDATE @L SET seq = seq + 1000000 WHERE (seq, ord) = (SELECT (max(seq), max(ord)) FROM @L"
        " WHERE seq = (SELECT max(seq) FROM @L))",
        ALONE(ROWS_AHEAD), false},
    {"rows in the table of another day",
        "UPDATE @P SET time_ns = time_ns + 86400000000000 WHERE seal = (SELECT max(seal) FROM @P)",
        WITH(ROWS_DAY, SEAL_TIMES), false},
    {"a row twice", "INSERT INTO @L SELECT * FROM @L WHERE seal > 0 LIMIT 1",
        WITH(ROW_TWICE, SEAL_COUNT), true},
    {"a row in the catch-all, too",
        "UPDATE logs_other SET seq = (SELECT min(seq) FROM @L), ord = (SELECT min(ord) FROM @L WHERE seq ="
        " (SELECT min(seq) FROM @L)) WHERE (seq, ord) = (SELECT (seq, ord) FROM logs_other LIMIT 1)",
        ALONE(ROW_TWICE), true},
    {"a span twice",
        "INSERT INTO @S SELECT * REPLACE (ord + 1000 AS ord) FROM @S WHERE seal > 0 AND seq ="
        " (SELECT min(seq) FROM @S) LIMIT 1",
        WITH(SPAN_TWICE, SEAL_COUNT), true},
    {"a comment twice",
        "INSERT INTO @C SELECT * REPLACE (ord + 1000 AS ord) FROM @C WHERE seal > 0 AND seq ="
        " (SELECT min(seq) FROM @C) LIMIT 1",
        WITH(COMMENT_TWICE, SEAL_COUNT), true},
    {"a comment in the catch-all too",
        "UPDATE comments_other SET id = (SELECT min(id) FROM @C WHERE tenant = 'acme'), tenant = 'acme'"
        " WHERE (seq, ord) = (SELECT (seq, ord) FROM comments_other LIMIT 1)",
        ALONE(COMMENT_TWICE), true},
    {"a comment on nothing",
        "UPDATE @C SET trace_hi = 0, trace_lo = 0 WHERE seal = (SELECT max(seal)"
        " FROM @C)",
        ALONE(VALUE_WRONG), false},
    {"a table of comments that is not in the list",
        "DELETE FROM partitions WHERE base = 'comments' AND day = @c",
        WITH(TABLE_ORPHAN, SEAL_HOMELESS), true},
    {"counts of comments wrong",
        "UPDATE seal_services SET rows = rows + 1 WHERE gen = (SELECT min(seal) FROM @C WHERE seal > 0)",
        ALONE(SEAL_SERVICES), true},
    {"a resource that has gone",
        "DELETE FROM resources WHERE id = (SELECT max(resource_id) FROM @S)",
        ALONE(RESOURCE_MISSING), true},
    {"a scope of another tenant",
        "UPDATE scopes SET tenant = 'nobody' WHERE id = (SELECT max(scope_id) FROM @L)",
        ALONE(SCOPE_MISSING), true},
    {"a resource twice", "INSERT INTO resources SELECT * FROM resources LIMIT 1",
        ALONE(DICTIONARY_TWICE), true},
    {"attributes that are no JSON",
        "UPDATE @S SET attributes = '{\"a\":' WHERE (seq, ord) = (SELECT (seq, ord) FROM @S LIMIT 1)",
        ALONE(JSON_MALFORMED), false},
    {"a list that is a map", "UPDATE spans_other SET links = '{}'", ALONE(JSON_MALFORMED), false},
    {"a resource that is no JSON",
        "UPDATE resources SET attributes = 'x' WHERE id = (SELECT max(id) FROM"
        " resources)",
        ALONE(JSON_MALFORMED), false},
    {"a type that cannot be", "UPDATE @P SET type = 77 WHERE seal = (SELECT max(seal) FROM @P)",
        ALONE(VALUE_WRONG), false},
    {"a tenant that cannot be",
        "UPDATE logs_other SET tenant = 'a b' WHERE seal = (SELECT max(seal) FROM"
        " logs_other)",
        WITH(TENANT_WRONG, RESOURCE_MISSING), false},
    {"a file of a newer weir", "INSERT INTO meta SELECT 'schema_version', 99, now()::TIMESTAMP",
        ALONE(STORE_NEWER), false},
};

static void
put_sql(const char *text, char out[SQL_BYTES])
{
	static const char letters[] = "SLPCslpc";
	struct buf sql = {0};
	for (; *text; text++) {
		const char *at = *text == '@' ? strchr(letters, text[1]) : NULL;
		if (!at) {
			buf_char(&sql, *text);
			continue;
		}
		size_t i = (size_t)(at - letters);
		if (i < SIGNAL_TABLES)
			buf_str(&sql, str_from(names[i]));
		else
			buf_u64(&sql, days[i - SIGNAL_TABLES]);
		text++;
	}
	assert_true(sql.len < SQL_BYTES);
	memcpy(out, sql.ptr, sql.len);
	out[sql.len] = '\0';
	buf_fini(&sql);
}

static bool
goes_with(const struct damage *d, int kind)
{
	bool goes = kind == (int)d->kind;
	for (size_t i = 0; i < ARRAY_LEN(d->also); i++)
		goes = goes || kind == (int)d->also[i];
	/* A scope, too, is gone for rows of a tenant that is another one. */
	return goes || (d->kind == FINDING_TENANT_WRONG && kind == FINDING_SCOPE_MISSING) ||
	    (d->kind == FINDING_ROWS_AHEAD && kind == FINDING_SCOPE_MISSING);
}

static const char *
copy_with(const char *dir, const struct damage *d)
{
	char sql[SQL_BYTES];
	const char *copy = duck_kit_copy(dir);
	put_sql(d->sql, sql);
	duck_kit_sql_on_file(copy, sql);
	return copy;
}

static void
find_damages(size_t from, size_t to)
{
	const char *dir = make_file();
	for (size_t i = from; i < to && i < ARRAY_LEN(damages); i++) {
		const struct damage *d = &damages[i];
		struct found found;
		struct duck_checked out;
		check_with(copy_with(dir, d), NULL, &found, &out);
		if (found.count[d->kind] == 0)
			fail_msg("%s: no %s: %s", d->what, finding_word(d->kind), found.text.ptr);
		for (int kind = 0; kind < FINDING_KINDS; kind++)
			if (found.count[kind] > 0 && !goes_with(d, kind))
				fail_msg("%s: %s: %s", d->what,
				    finding_word((enum finding_kind)kind), found.text.ptr);
		buf_fini(&found.text);
	}
	is_whole(dir, "after all");
}

/* In parts, for one takes half a second. */
TEST(duck_check, damages_of_the_schema_are_found_and_named_and_no_others)
{
	find_damages(0, 11);
}

TEST(duck_check, damages_of_seals_are_found_and_named_and_no_others)
{
	find_damages(11, 18);
}

TEST(duck_check, damages_of_rows_are_found_and_named_and_no_others)
{
	find_damages(29, SIZE_MAX);
}

TEST(duck_check, damages_of_sums_are_found_and_named_and_no_others)
{
	find_damages(18, 29);
}

/* ---- mending */

static void
note_done(void *ctx, const char *text)
{
	struct buf *done = ctx;
	buf_printf(done, "%s\n", text);
}

static void
mend_damages(size_t from, size_t to)
{
	const char *dir = make_file();
	for (size_t i = from; i < to && i < ARRAY_LEN(damages); i++) {
		struct buf done = {0};
		struct err err = {0};
		struct found ignored = {0};
		struct finding_sink sink = {note, &ignored};
		struct duck_check_options opt = {.sink = &sink, .threads = 2};
		if (!damages[i].mends)
			continue;
		const char *copy = copy_with(dir, &damages[i]);
		if (duck_mend_file(str_from(copy), &opt, note_done, &done, &err) != ERR_OK)
			fail_msg("%s: %s", damages[i].what, err.message);
		assert_true(done.len > 0);
		is_whole(copy, damages[i].what);
		/* And weir takes it. */
		struct duck_options eager = duck_kit_eager(copy);
		struct store *s = duck_kit_open(&eager);
		duck_kit_wait_quiet(s);
		(void)duck_kit_count(s, STORE_SPANS, "acme");
		store_close(s);
		buf_fini(&done);
		buf_fini(&ignored.text);
	}
}

TEST(duck_check, what_can_be_mended_of_the_schema_is_whole_afterwards)
{
	mend_damages(0, 11);
}

TEST(duck_check, what_can_be_mended_of_seals_is_whole_afterwards)
{
	mend_damages(11, 19);
}

TEST(duck_check, what_can_be_mended_of_sums_is_whole_afterwards)
{
	mend_damages(19, 28);
}

TEST(duck_check, what_can_be_mended_of_rows_is_whole_afterwards)
{
	mend_damages(28, SIZE_MAX);
}

/* ---- beside a store that takes rows */

struct filling {
	struct store *s;
	_Atomic bool done;
};

static void
fill(void *ctx)
{
	struct filling *f = ctx;
	duck_kit_load(f->s, REQUESTS, 5);
	atomic_store(&f->done, true);
}

TEST(duck_check, a_store_that_seals_meanwhile_has_no_finding_and_a_damaged_one_has)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct store *s = duck_kit_open(&opt);
	struct filling f = {.s = s};
	struct thread thread = {0};
	struct found found;
	struct duck_checked out;
	struct err err = {0};
	char sql[SQL_BYTES];
	assert_int_equal(thread_start(&thread, "fill", fill, &f, &err), ERR_OK);
	for (bool last = false; !last;) {
		last = atomic_load(&f.done);
		check_with(NULL, s, &found, &out);
		if (found.text.len > 1)
			fail_msg("%s", found.text.ptr);
		buf_fini(&found.text);
	}
	thread_join(&thread);
	duck_kit_flush(s);
	note_days(s);
	store_close(s);
	put_sql("DELETE FROM @S WHERE seal = (SELECT max(seal) FROM @S)", sql);
	duck_kit_sql_on_file(dir, sql);
	s = duck_kit_open(&opt);
	check_with(NULL, s, &found, &out);
	assert_int_equal(found.count[FINDING_SEAL_EMPTY], 1);
	store_close(s);
	buf_fini(&found.text);
}

TEST(duck_check, what_is_kept_no_longer_is_no_damage_while_it_goes_and_afterwards)
{
	const char *dir = make_file();
	struct duck_options opt = duck_kit_eager(dir);
	struct retain rules;
	struct arena arena = {0};
	struct found found;
	struct duck_checked out;
	struct store_status status;
	struct err err = {0};
	if (retain_parse(STR("traces=20d, logs=5d"), STR("globex: traces=1d, metrics=1d"), &arena,
	        &rules, &err) != ERR_OK)
		fail_msg("%s", err.message);
	opt.retain = &rules;
	opt.retain_look_ms = 1;
	struct store *s = duck_kit_open(&opt);
	for (uint64_t rows = 0, before = 1; rows != before;) {
		before = rows;
		check_with(NULL, s, &found, &out);
		for (int kind = 0; kind < FINDING_KINDS; kind++)
			if (found.count[kind] > 0 && kind != FINDING_SEAL_LEFTOVERS)
				fail_msg("%s", found.text.ptr);
		buf_fini(&found.text);
		duck_kit_wait_quiet(s);
		store_status(s, &status);
		rows = status.removed_rows[TABLE_SPANS] + status.removed_rows[TABLE_LOGS] +
		    status.removed_rows[TABLE_POINTS];
	}
	assert_true(status.removed_rows[TABLE_SPANS] > 0);
	assert_true(status.removed_rows[TABLE_POINTS] > 0);
	store_close(s);
	is_whole(dir, "afterwards");
	arena_fini(&arena);
}
