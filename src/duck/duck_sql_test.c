/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: deadlines, memory, what errors say; connections for readers. */
#include "duck/duck_kit_test.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "store/conformance.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

TEST(duck, query_that_lacks_memory_is_told_to_ask_for_less)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.memory_bytes_max = 64 * LIMIT_MIB;
	opt.temp_bytes_max = LIMIT_MIB;
	struct store *s = duck_kit_open(&opt);
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
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
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
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.readers_max = 1;
	opt.sql_runs_max = 1;
	struct store *s = duck_kit_open(&opt);
	struct duck *d = duck_of(s);
	duckdb_connection first, second, check, sql;
	struct err err = {0};
	/* One more is for a check of the file, and one for each query of SQL. */
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &check, &err), ERR_OK);
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &sql, &err), ERR_OK);
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &first, &err), ERR_OK);
	assert_int_equal(duck_pool_take(d, clock_mono_ns() + NS_PER_MS, &second, &err),
	    ERR_DEADLINE);
	duck_pool_give(d, first, false);
	assert_int_equal(duck_pool_take(d, clock_mono_ns() + NS_PER_MS, &second, &err), ERR_OK);
	assert_ptr_equal(first, second);
	duck_pool_give(d, second, true);
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &first, &err), ERR_OK);
	duck_pool_give(d, first, false);
	duck_pool_give(d, sql, false);
	duck_pool_give(d, check, false);
	store_close(s);
}

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

TEST(duck, statement_ends_at_its_deadline_and_its_connection_is_good_for_the_next)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	struct duck *d = duck_of(s);
	struct duck_sql sql;
	struct err err = {0};
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
	store_close(s);
}

TEST(duck, disk_that_is_full_is_said_and_breaks_nothing)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	struct err err = {0};
	assert_int_equal(duck_fail(duck_of(s), DUCKDB_ERROR_TRANSACTION,
	                     "Failed to commit: Could not write file: No space left on device",
	                     &err),
	    ERR_BUSY);
	assert_non_null(strstr(err.message, "disk full"));
	/* Nor is any other failure of a COMMIT a reason to put rows aside. */
	assert_int_equal(
	    duck_fail(duck_of(s), DUCKDB_ERROR_TRANSACTION,
	        "Failed to commit: Cannot open file \"weir.duckdb.wal\": Input/output error", &err),
	    ERR_IO);
	assert_int_equal(duck_fail(duck_of(s), DUCKDB_ERROR_TRANSACTION,
	                     "Failed to commit: could not allocate block of size 256.0 KiB", &err),
	    ERR_TOO_LARGE);
	/* But a row may be. */
	assert_int_equal(duck_fail(duck_of(s), DUCKDB_ERROR_TRANSACTION,
	                     "Failed to commit: NOT NULL constraint failed: spans.tenant", &err),
	    ERR_INTERNAL);
	assert_false(atomic_load(&duck_of(s)->broken));
	store_close(s);
}
