/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"
#include "base/usage.h"
#include "tests/test.h"

TEST(nearest, a_typing_error_finds_the_nearest_name)
{
	static const char *const names[] = {"traces", "trace", "logs", "metrics", "services", NULL};
	assert_string_equal(nearest_name(STR("tarces"), names), "traces");
	assert_string_equal(nearest_name(STR("trcae"), names), "trace");
	assert_string_equal(nearest_name(STR("LOGS"), names), "logs");
	assert_string_equal(nearest_name(STR("log"), names), "logs");
	assert_string_equal(nearest_name(STR("metric"), names), "metrics");
	assert_string_equal(nearest_name(STR("serv"), names), "services");
	assert_null(nearest_name(STR("x"), names));
	assert_null(nearest_name(STR(""), names));
	assert_null(nearest_name(STR("quantiles"), names));
	assert_null(nearest_name(
	    STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), names));
}

static const struct usage_option rows[] = {
    {.name = "data-dir", .letter = 'd', .value = "DIR", .help = "where"},
    {.name = "force", .help = "anyway"},
    {.name = ""},
};

static void
add_more(struct usage_list *list)
{
	usage_add(list,
	    &(struct usage_option){
	        .name = "format", .value = "WORD", .help = "how", .words = "a|b"});
}

static const struct usage usage = {.name = "x", .options = rows, .more = add_more};

TEST(usage, options_are_those_of_all_tables_and_help)
{
	static const char *const names[] = {"data-dir", "force", "format", "help"};
	static const enum usage_kind kinds[] = {
	    USAGE_DIRS, USAGE_SWITCH, USAGE_WORDS, USAGE_SWITCH};
	struct usage_list list;
	usage_collect(&usage, &list);
	assert_int_equal(list.count, ARRAY_LEN(names));
	for (size_t i = 0; i < list.count; i++) {
		assert_string_equal(list.options[i].name, names[i]);
		assert_int_equal(usage_kind_of(&list.options[i]), kinds[i]);
	}
}

TEST(usage, an_option_that_is_not_there_is_named_with_the_one_that_was_meant)
{
	struct err err = {0};
	assert_int_equal(usage_unknown(&usage, STR("fromat"), &err), ERR_INVALID);
	assert_string_equal(err.message, "there is no option --fromat; did you mean --format?");
	assert_int_equal(usage_unknown(&usage, STR("zzzzzz"), &err), ERR_INVALID);
	assert_string_equal(err.message, "there is no option --zzzzzz");
	assert_int_equal(usage_unknown(&usage, STR("z"), &err), ERR_INVALID);
	assert_string_equal(err.message, "there is no option -z");
}

TEST(usage, help_is_asked_for_before_two_dashes)
{
	char a[] = "a", help[] = "--help", h[] = "-h", end[] = "--";
	assert_true(usage_asks_help(2, (char *[]){a, help}));
	assert_true(usage_asks_help(2, (char *[]){h, a}));
	assert_false(usage_asks_help(2, (char *[]){end, h}));
	assert_false(usage_asks_help(1, (char *[]){a}));
}
