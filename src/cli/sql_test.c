/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sql.h"

#include "cli/world_test.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(cli, statement_ends_at_a_semicolon_outside_of_quotes_and_comments)
{
	static const struct {
		const char *text, *first;
		bool whole;
	} cases[] = {
	    {"SELECT 1; SELECT 2;", "SELECT 1;", true},
	    {"SELECT 1", "SELECT 1", false},
	    {"SELECT ';'; x", "SELECT ';';", true},
	    {"SELECT 'it''s;'; x", "SELECT 'it''s;';", true},
	    {"SELECT 'a\\'; x", "SELECT 'a\\';", true},
	    {"SELECT E'a\\';'; x", "SELECT E'a\\';';", true},
	    {"SELECT \"a;\"\"b\"; x", "SELECT \"a;\"\"b\";", true},
	    {"SELECT 1 -- a; b\n; x", "SELECT 1 -- a; b\n;", true},
	    {"SELECT /* ; */ 1; x", "SELECT /* ; */ 1;", true},
	    {"SELECT $$ ; $$; x", "SELECT $$ ; $$;", true},
	    {"SELECT $a$ ; $$ ; $a$; x", "SELECT $a$ ; $$ ; $a$;", true},
	    {"SELECT $1; x", "SELECT $1;", true},
	    {"SELECT a$b; x", "SELECT a$b;", true},
	    {"SELECT 'open; x", "SELECT 'open; x", false},
	    {"SELECT /* open; x", "SELECT /* open; x", false},
	    {"SELECT $$ open; x", "SELECT $$ open; x", false},
	    {"SELECT 1 - -1; x", "SELECT 1 - -1;", true},
	    {"", "", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool whole;
		size_t end = cli_sql_end(str_from(cases[i].text), &whole);
		if (end != strlen(cases[i].first) || whole != cases[i].whole)
			fail_msg("%s: %zu, %d", cases[i].text, end, whole);
	}
	assert_true(cli_sql_is_empty(STR(" ;\n-- a\n/* b */;")));
	assert_false(cli_sql_is_empty(STR("-- a\n1")));
}

static const char answer[] =
    "{\"columns\":[{\"name\":\"service\",\"type\":\"VARCHAR\"},{\"name\":\"n\",\"type\":\"BIGINT\"},"
    "{\"name\":\"x\",\"type\":\"STRUCT(a INTEGER)\"}],\"rows\":["
    "{\"service\":\"ch\\u001b[31meckout\",\"n\":\"9223372036854775807\",\"x\":{\"a\":[1,null]}},"
    "{\"service\":null,\"n\":7,\"x\":null}],\"count\":2,\"truncated\":false}";

TEST(cli, sql_answer_is_a_table_that_fits_and_is_harmless)
{
	struct world w;
	world_init(&w);
	w.answers[0] = answer;
	w.io.out_is_tty = true;
	w.io.width = 80;
	world_env(&w, "NO_COLOR", "1");
	char *words[] = {"weir", "sql", "SELECT 1", NULL};
	assert_int_equal(world_run_words(&w, words), CLI_OK);
	assert_string_equal(w.out,
	    "service                             n  x\n"
	    "ch\\x1b[31meckout  9223372036854775807  {\"a\":[1,null]}\n"
	    "NULL                                7  NULL\n"
	    "2 rows\n");
	assert_string_equal(w.path, "/api/v1/sql");
	assert_string_equal(w.body, "{\"query\":\"SELECT 1\",\"format\":\"json\"}");
	/* Cut where there is not enough room, a block a row where cutting does not help. */
	w.io.width = 44;
	assert_int_equal(world_run_words(&w, words), CLI_OK);
	assert_non_null(strstr(w.out, "922337203685\xe2\x80\xa6"));
	for (const char *line = w.out; *line; line = strchr(line, '\n') + 1)
		assert_true(text_width(str_of(line, strcspn(line, "\n"))) <= 44);
	w.io.width = 24;
	assert_int_equal(world_run_words(&w, words), CLI_OK);
	assert_non_null(strstr(w.out, "-- row 1\nservice  ch\\x1b[31mecko"));
	assert_non_null(strstr(w.out, "\n-- row 2\n"));
	world_fini(&w);
}

TEST(cli, sql_answer_of_another_shape_is_said_to_be_one)
{
	static const char *const wrong[] = {"", "[]", "{\"columns\":[],\"rows\":[]}",
	    "{\"columns\":1}", "{\"columns\":[{\"name\":\"a\",\"type\":\"B\"}],\"rows\":[{}]}",
	    "{\"columns\":[{\"name\":\"a\",\"type\":\"B\"}],\"rows\":[{\"a\":1,\"b\":2}]}",
	    "{\"columns\":[{\"name\":\"a\",\"type\":\"B\"}],\"rows\":[1]}"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct buf out = {0};
		struct err err = {0};
		struct cli_style style = {.utf8 = true};
		size_t rows;
		bool more;
		assert_int_equal(cli_sql_draw(&out, str_from(wrong[i]), &style, &rows, &more, &err),
		    ERR_CORRUPT);
		buf_fini(&out);
	}
}

TEST(cli, sql_says_when_there_is_more)
{
	struct world w;
	world_init(&w);
	w.answers[0] = "a\r\n1\r\n";
	w.truncated = true;
	world_expect(&w, "sql SELECT -o csv -n 1", CLI_OK, "there are more");
	assert_string_equal(w.out, "a\r\n1\r\n");
	assert_string_equal(w.body, "{\"query\":\"SELECT\",\"format\":\"csv\",\"limit\":\"1\"}");
	world_fini(&w);
}

TEST(cli, sql_options_that_make_no_sense_are_refused)
{
	struct world w;
	world_init(&w);
	w.typed = "";
	world_expect(&w, "sql SELECT -f x", CLI_USAGE, "one of them");
	world_expect(&w, "sql SELECT -o xml", CLI_USAGE,
	    "must be table, json, ndjson, csv or parquet");
	world_expect(&w, "sql SELECT more", CLI_USAGE, "given twice");
	world_expect(&w, "sql", CLI_USAGE, "there is no statement in it");
	world_expect(&w, "sql -f /nowhere/x.sql", CLI_ERROR, "/nowhere/x.sql");
	w.io.out_is_tty = true;
	world_expect(&w, "sql SELECT -o parquet", CLI_USAGE, "not for a terminal");
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, sql_shell_runs_statements_of_several_lines_until_it_is_left)
{
	struct world w;
	world_init(&w);
	w.io.in_is_tty = w.io.out_is_tty = true;
	w.io.width = 80;
	world_env(&w, "NO_COLOR", "1");
	w.answers[0] = answer;
	w.typed = "SELECT\n 1; SELECT ';'\n;\n.help\n.nonsense\n.output json\n.quit\nSELECT 3;\n";
	world_expect(&w, "sql", CLI_OK, "no word \".nonsense\"");
	assert_int_equal(w.asked, 2);
	assert_string_equal(w.first_body, "{\"query\":\"SELECT\\n 1;\",\"format\":\"json\"}");
	assert_non_null(strstr(w.out, ".schema [VIEW]"));
	/* Ctrl-D leaves too, whatever has been typed. */
	w.typed = "SELECT 1\n";
	world_expect(&w, "sql", CLI_OK, "");
	assert_int_equal(w.asked, 2);
	world_fini(&w);
}

/* ---- what was typed before */

static void
collect(void *ctx, const char *entry)
{
	struct buf *out = ctx;
	buf_printf(out, "[%s]", entry);
}

static void
expect_history(const char *path, const char *want)
{
	struct buf got = {0};
	struct err err;
	assert_int_equal(cli_sql_history_read(path, collect, &got, &err), ERR_OK);
	buf_char(&got, '\0');
	assert_string_equal(got.ptr, want);
	buf_fini(&got);
}

static void
add_entry(const char *path, const char *entry)
{
	struct err err;
	assert_int_equal(cli_sql_history_add(path, str_from(entry), &err), ERR_OK);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

TEST(cli, sql_history_gives_back_what_was_added_and_nothing_twice_in_a_row)
{
	char path[FILE_PATH_BYTES];
	struct stat st;
	snprintf(path, sizeof(path), "%s/history", test_tmp_dir());
	expect_history(path, "");
	add_entry(path, "SELECT 1;");
	add_entry(path, "SELECT 1;");
	add_entry(path, "SELECT\n  '\\n' AS \"k\xc3\xa4se\";");
	add_entry(path, "SELECT 1;");
	add_entry(path, "");
	expect_history(path, "[SELECT 1;][SELECT\n  '\\n' AS \"k\xc3\xa4se\";][SELECT 1;]");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* What somebody else has written, or half written, is taken for what it is. */
	write_file(path, "one\n\ntwo\\x\\");
	expect_history(path, "[one][][twox\\]");
	add_entry(path, "three");
	expect_history(path, "[one][][twox\\][three]");
}

TEST(cli, sql_history_is_bounded_in_lines_and_bytes)
{
	char path[FILE_PATH_BYTES], entry[32];
	struct buf many = {0}, want = {0};
	snprintf(path, sizeof(path), "%s/history", test_tmp_dir());
	for (int i = 0; i < SQL_HISTORY_LINES_MAX + 10; i++)
		buf_printf(&many, "%d\n", i);
	buf_char(&many, '\0');
	write_file(path, many.ptr);
	for (int i = 10; i < SQL_HISTORY_LINES_MAX + 10; i++)
		buf_printf(&want, "[%d]", i);
	buf_char(&want, '\0');
	expect_history(path, want.ptr);
	add_entry(path, "last");
	buf_reset(&many);
	struct err err;
	assert_int_equal(file_read_all(path, 1 << 20, &many, &err), ERR_OK);
	size_t lines = 0;
	for (size_t i = 0; i < many.len; i++)
		lines += many.ptr[i] == '\n';
	assert_int_equal(lines, SQL_HISTORY_LINES_MAX);
	assert_memory_equal(many.ptr, "11\n12\n", 6);
	/* Twenty of 60,000 bytes are more than a megabyte. */
	char *large = xcalloc(60001, 1);
	for (int i = 0; i < 20; i++) {
		memset(large, 'a' + i, 60000);
		add_entry(path, large);
	}
	buf_reset(&many);
	assert_int_equal(file_read_all(path, 2 << 20, &many, &err), ERR_OK);
	assert_in_range(many.len, (1 << 20) - 60001, (1 << 20) + 60001);
	assert_int_equal(many.ptr[many.len - 2], 'a' + 19);
	/* What is larger than any of that is not kept. */
	char *huge = xcalloc((64 << 10) + 2, 1);
	memset(huge, 'z', (64 << 10) + 1);
	add_entry(path, huge);
	snprintf(entry, sizeof(entry), "%c", many.ptr[many.len - 2]);
	buf_reset(&many);
	assert_int_equal(file_read_all(path, 2 << 20, &many, &err), ERR_OK);
	assert_int_equal(many.ptr[many.len - 2], entry[0]);
	free(huge);
	free(large);
	buf_fini(&want);
	buf_fini(&many);
}

TEST(cli, sql_history_is_where_the_environment_says_or_nowhere)
{
	struct world w;
	char got[FILE_PATH_BYTES], want[FILE_PATH_BYTES], link[FILE_PATH_BYTES];
	const char *dir = test_tmp_dir();
	world_init(&w);
	assert_false(cli_sql_history_find(&w.io, got));
	world_env(&w, "HOME", dir);
	assert_true(cli_sql_history_find(&w.io, got));
	snprintf(want, sizeof(want), "%s/.local/state/weir/sql_history", dir);
	assert_string_equal(got, want);
	world_env(&w, "XDG_STATE_HOME", "relative"); /* is to be ignored */
	assert_true(cli_sql_history_find(&w.io, got));
	assert_string_equal(got, want);
	world_env(&w, "XDG_STATE_HOME", dir);
	assert_true(cli_sql_history_find(&w.io, got));
	snprintf(want, sizeof(want), "%s/weir/sql_history", dir);
	assert_string_equal(got, want);
	world_env(&w, "WEIR_SQL_HISTORY", "");
	assert_false(cli_sql_history_find(&w.io, got));
	world_env(&w, "WEIR_SQL_HISTORY", "mine");
	assert_true(cli_sql_history_find(&w.io, got));
	assert_string_equal(got, "./mine");
	/* A device is not replaced by a file; a link stays one. */
	world_env(&w, "WEIR_SQL_HISTORY", "/dev/null");
	assert_false(cli_sql_history_find(&w.io, got));
	snprintf(want, sizeof(want), "%s/real", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	write_file(want, "one\n");
	assert_int_equal(symlink("real", link), 0);
	world_env(&w, "WEIR_SQL_HISTORY", link);
	assert_true(cli_sql_history_find(&w.io, got));
	assert_string_equal(strrchr(got, '/'), "/real");
	world_fini(&w);
}
