/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config.h"

#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>

static const char *const *test_environ; /* "WEIR_X=value", NULL-terminated */

static const char *
get_env(const char *name)
{
	size_t n = strlen(name);
	for (const char *const *p = test_environ; p && *p; p++)
		if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	return NULL;
}

static enum err_code
parse(struct arena *arena, struct config *c, struct err *err, int argc, const char *const *argv)
{
	return config_parse(argc, (char **)(uintptr_t)argv, get_env, arena, c, err);
}

#define PARSE(...)                                                                                 \
	parse(&arena, &c, &err, (int)ARRAY_LEN(((const char *[]){__VA_ARGS__})),                   \
	    (const char *[]){__VA_ARGS__})

static const char *
write_file(const char *text)
{
	static char path[FILE_PATH_BYTES];
	struct err err;
	struct str part = str_from(text);
	struct str dir = str_from(test_tmp_dir());
	assert_int_equal(file_write_whole(dir, STR("weir.conf"), &part, 1, &err), ERR_OK);
	assert_int_equal(file_join(dir, STR("weir.conf"), path, &err), ERR_OK);
	return path;
}

TEST(app, config_without_anything_is_the_defaults)
{
	struct arena arena = {0};
	struct config c;
	struct err err;
	test_environ = NULL;
	assert_int_equal(parse(&arena, &c, &err, 0, NULL), ERR_OK);
	assert_true(str_eq(c.grpc, STR("127.0.0.1:4317")));
	assert_true(str_eq(c.data_dir, STR("weir-data")));
	struct limits want = limits_default();
	assert_memory_equal(&c.limits, &want, sizeof(want));
	arena_fini(&arena);
}

TEST(app, config_flag_beats_environment_beats_file_beats_default)
{
	struct arena arena = {0};
	struct config c;
	struct err err;
	const char *path = write_file("# a comment\n\nmax-spans = 5\nmax-attributes = 6 # why\n"
	                              "max-depth = 7\ndata-dir = \"a \\\"b\\\" # c\"\r\n");
	const char *env[] = {"WEIR_MAX_SPANS=50", "WEIR_MAX_ATTRIBUTES=60", "WEIR_GRPC=", NULL};
	test_environ = env;
	assert_int_equal(PARSE("--max-spans", "500", "--config", path), ERR_OK);
	assert_int_equal(c.limits.items_max, 500);
	assert_int_equal(c.limits.attributes_max, 60);
	assert_int_equal(c.limits.depth_max, 7);
	assert_int_equal(c.limits.name_bytes_max, 8192);
	assert_true(str_eq(c.data_dir, STR("a \"b\" # c")));
	assert_true(str_eq(c.grpc, STR("127.0.0.1:4317")));
	arena_fini(&arena);
}

TEST(app, config_numbers_take_k_m_g)
{
	struct arena arena = {0};
	struct config c;
	struct err err;
	test_environ = NULL;
	assert_int_equal(PARSE("--max-body-bytes=2m", "--max-wire-bytes=3K", "--insecure"), ERR_OK);
	assert_int_equal(c.limits.body_bytes_max, 2 << 20);
	assert_int_equal(c.limits.wire_bytes_max, 3 << 10);
	assert_int_equal(c.insecure, 1);
	arena_fini(&arena);
}

TEST(app, config_errors_name_what_is_wrong)
{
	static const struct {
		const char *args[3];
		const char *want;
	} rows[] = {
	    {{"--nope"}, "there is no option --nope"},
	    {{"--max-span", "1"}, "there is no option --max-span; did you mean --max-spans?"},
	    {{"--max-spans"}, "--max-spans needs a value"},
	    {{"--max-spans", "many"}, "--max-spans: expected a number, not \"many\""},
	    {{"--max-spans", "0"}, "--max-spans: must be from 1 to 10000000, not 0"},
	    {{"--max-spans", "99999999999999999999"}, "--max-spans: expected a number"},
	    {{"--max-spans=18014398509481985k"}, "--max-spans: expected a number"},
	    {{"--max-spans=1", "--max-spans=1"}, "--max-spans is given twice"},
	    {{"--insecure=maybe"}, "--insecure: expected true or false"},
	    {{"extra"}, "unexpected argument \"extra\""},
	    {{"--"}, "unexpected argument \"--\""},
	    {{"--data-dir="}, "--data-dir: must not be empty"},
	};
	struct arena arena = {0};
	struct config c;
	struct err err;
	test_environ = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int argc = 0;
		while (argc < 3 && rows[i].args[argc])
			argc++;
		assert_int_equal(parse(&arena, &c, &err, argc, rows[i].args), ERR_INVALID);
		assert_non_null(strstr(err.message, rows[i].want));
	}
	const char *env[] = {"WEIR_MAX_DEPTH=101", NULL};
	test_environ = env;
	assert_int_equal(parse(&arena, &c, &err, 0, NULL), ERR_INVALID);
	assert_non_null(strstr(err.message, "WEIR_MAX_DEPTH: must be from 1 to 100"));
	arena_fini(&arena);
}

TEST(app, config_file_errors_name_file_and_line)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
	    {"\nmax-spans\n", "weir.conf:2: expected key = value"},
	    {"nope = 1\n", "weir.conf:1: unknown key \"nope\""},
	    {"config = x\n", "weir.conf:1: unknown key \"config\""},
	    {"[section]\n", "weir.conf:1: expected key = value"},
	    {"max-spans = 1\nmax-spans = 2\n", "weir.conf:2: \"max-spans\" is given twice"},
	    {"data-dir = \"open\nmax-spans = 1\n", "weir.conf:1: expected key = value"},
	    {"data-dir = \"a\" b\n", "weir.conf:1: expected key = value"},
	    {"max-spans =  # nothing\n", "weir.conf:1: expected key = value"},
	    {"max-spans = x\n", "weir.conf:1: max-spans: expected a number"},
	};
	struct arena arena = {0};
	struct config c;
	struct err err;
	test_environ = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *path = write_file(rows[i].text);
		assert_int_equal(PARSE("--config", path), ERR_INVALID);
		if (!strstr(err.message, rows[i].want))
			fail_msg("%s: %s", rows[i].text, err.message);
	}
	assert_int_equal(PARSE("--config", "/no/such/file"), ERR_NOT_FOUND);
	assert_non_null(strstr(err.message, "/no/such/file"));
	arena_fini(&arena);
}

TEST(app, config_usage_has_every_limit_and_every_option_of_it_is_accepted)
{
	struct usage_list list;
	struct arena arena = {0};
	struct config c;
	struct err err;
	size_t count = 0;
	usage_collect(&config_usage, &list);
#define X(option, field, dflt, min, max, help)                                                     \
	for (size_t i = 0; i < list.count; i++)                                                    \
		count += strcmp(list.options[i].name, option) == 0;                                \
	assert_int_equal(count, 1);                                                                \
	count = 0;
	LIMIT_TABLE(X)
#undef X
	test_environ = NULL;
	for (size_t i = 0; i + 1 < list.count;
	    i++) { /* but --help, which is not for config_parse() */
		const struct usage_option *o = &list.options[i];
		char arg[128];
		snprintf(arg, sizeof arg, "--%s%s%s", o->name, o->value ? "=" : "",
		    !o->value || o->fallback[0] ? o->fallback : "x");
		enum err_code want =
		    strcmp(o->name, "config") == 0 ? ERR_NOT_FOUND : ERR_OK; /* it is read */
		if (PARSE(arg) != want)
			fail_msg("%s: %s", arg, err.message);
	}
	arena_fini(&arena);
}

/* The list of these options is written by hand: this is what keeps it whole. */
TEST(app, manual_page_has_every_option)
{
	struct buf page = {0};
	struct err err;
	assert_int_equal(file_read_all("doc/weir.1", 1 << 20, &page, &err), ERR_OK);
	buf_char(&page, '\0');
	char *section = strstr(page.ptr, ".Sh OPTIONS OF SERVE");
	assert_non_null(section);
	*strstr(section, ".Sh OPTIONS OF COMMANDS") = '\0';
	struct usage_list list;
	usage_collect(&config_usage, &list);
	for (size_t i = 0; i + 1 < list.count; i++) {
		char flag[64];
		snprintf(flag, sizeof flag, "Fl -%s ", list.options[i].name);
		bool found = strstr(section, flag) != NULL;
		flag[strlen(flag) - 1] = '\n'; /* a switch */
		if (!found && !strstr(section, flag))
			fail_msg("doc/weir.1 lacks --%s", list.options[i].name);
	}
	buf_fini(&page);
}
