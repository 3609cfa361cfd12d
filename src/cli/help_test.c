/* SPDX-License-Identifier: Apache-2.0 */
/* Of every command and verb: its help fits, has an example, and names exactly what is accepted. */
#include "cli/world_test.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdlib.h>

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"

/* Calls it for every command of the tables, and every verb. */
static void
each_page(void (*check)(const struct cli_entry *e, const struct cli_verb *verb))
{
	struct cli_catalog c;
	cli_catalog_init(&c, NULL);
	assert_true(c.count > 8);
	for (size_t i = 0; i < c.count; i++) {
		const struct cli_group *g = c.entries[i].group;
		check(&c.entries[i], NULL);
		for (const struct cli_verb *v = g && cli_has_verbs(g) ? g->verbs : NULL;
		    v && v->name; v++)
			check(&c.entries[i], v);
	}
}

static void
check_text(const struct cli_entry *e, const struct cli_verb *verb)
{
	struct world w;
	char line[100], wanted[100];
	const char *word = verb ? cli_verb_word(verb) : "";
	world_init(&w);
	snprintf(line, sizeof line, "help %s %s", e->name, word);
	world_expect(&w, line, 0, "");
	snprintf(wanted, sizeof wanted, "weir %s%s%s: ", e->name, verb ? " " : "", word);
	if (!str_starts(str_from(w.out), str_from(wanted)))
		fail_msg("%s does not begin with \"%s\": %s", line, wanted, w.out);
	if (!strstr(w.out, "\nExample:\n"))
		fail_msg("%s has no example", line);
	for (char *at = w.out, *end; (end = strchr(at, '\n')); at = end + 1)
		if (end - at > 80 || (end > at && end[-1] == ' '))
			fail_msg("%s: a line is too long, or ends in a blank: %.*s", line,
			    (int)(end - at), at);
	char *help = strdup(w.out);
	snprintf(line, sizeof line, "%s %s --help", e->name, word);
	world_expect(&w, line, 0, "");
	if (strcmp(e->name, "help") != 0)
		assert_string_equal(w.out, help);
	assert_int_equal(w.asked, 0);
	free(help);
	world_fini(&w);
}

TEST(cli, every_help_fits_has_an_example_and_is_the_same_both_ways)
{
	each_page(check_text);
}

static bool
is_in(const struct usage_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->options[i].name, name) == 0)
			return true;
	return false;
}

/* Whatever else is wrong: nothing is asked, for there is an option that is not known. */
static bool
is_known(struct world *w, const char *command, const char *before, const struct usage_option *o)
{
	char line[160], refusal[80];
	snprintf(line, sizeof line, "%s %s --%s%s --nowhere", command, before, o->name,
	    o->value ? " x" : "");
	assert_int_equal(world_run(w, line), CLI_USAGE);
	snprintf(refusal, sizeof refusal, "no option --%s", o->name);
	return strstr(w->err, refusal) == NULL;
}

static void
check_accepted(const struct cli_entry *e, const struct cli_verb *verb)
{
	struct cli_page p;
	struct cli_flag flags[CLI_FLAGS_MAX];
	struct world w;
	if (e->own || (e->group && !verb && cli_has_verbs(e->group)))
		return;
	const struct cli_verb *v = verb ? verb : e->group ? e->group->verbs : NULL;
	const struct op *ops[] = {v ? cli_verb_op(v) : e->op, v ? cli_verb_other_op(v) : NULL};
	cli_page_init(&p, e, verb);
	world_init(&w);
	for (size_t k = 0; k < ARRAY_LEN(ops) && ops[k]; k++) {
		size_t count = cli_flags(ops[k], v, flags);
		for (size_t i = 0; i < count; i++)
			if (!is_in(&p.own, flags[i].o.name) && !is_in(&p.common, flags[i].o.name))
				fail_msg("help of %s lacks --%s", p.name, flags[i].o.name);
	}
	for (size_t i = 0; i < p.own.count + p.common.count; i++) {
		const struct usage_option *o =
		    i < p.own.count ? &p.own.options[i] : &p.common.options[i - p.own.count];
		if (!is_known(&w, p.name, "", o) &&
		    !(v && v->all && is_known(&w, p.name, "--all", o)))
			fail_msg("help of %s has --%s, which it does not take", p.name, o->name);
	}
	assert_int_equal(w.asked, 0);
	world_fini(&w);
}

TEST(cli, help_names_every_option_that_is_accepted_and_no_other)
{
	each_page(check_accepted);
}

TEST(cli, the_overview_has_every_command_and_no_name_is_there_twice)
{
	struct cli_catalog c;
	struct world w;
	cli_catalog_init(&c, NULL);
	world_init(&w);
	world_expect(&w, "--help", 0, "");
	for (size_t i = 0; i < c.count; i++) {
		char line[128];
		snprintf(line, sizeof line, "\n  %-11s %s\n", c.entries[i].name, c.entries[i].help);
		if (!strstr(w.out, line))
			fail_msg("the overview lacks \"%s\"", line);
		assert_true(&c.entries[i] == cli_find(&c, str_from(c.entries[i].name)));
	}
	world_fini(&w);
}

/* Its lists of options are made from the tables, but of what all commands have. */
TEST(cli, manual_page_has_the_options_of_all_commands)
{
	struct buf page = {0};
	struct err err;
	struct cli_page p;
	assert_int_equal(file_read_all("doc/weir.1", 1 << 20, &page, &err), ERR_OK);
	buf_char(&page, '\0');
	char *section = strstr(page.ptr, ".Ss all of them");
	assert_non_null(section);
	*strstr(section, "\n.Sh ") = '\0';
	cli_page_init_empty(&p);
	for (size_t i = 0; i < p.common.count; i++) {
		const struct usage_option *o = &p.common.options[i];
		char flag[64];
		snprintf(flag, sizeof flag, "Fl -%s", o->name);
		if (strcmp(o->name, "version") != 0 && !strstr(section, flag))
			fail_msg("doc/weir.1 lacks --%s", o->name);
	}
	buf_fini(&page);
}

TEST(cli, sections_of_the_manual_page_are_made_of_the_tables)
{
	struct cli_catalog c;
	struct world w;
	cli_catalog_init(&c, NULL);
	world_init(&w);
	world_expect(&w, "help --mdoc", 0, "");
	for (size_t i = 0; i < c.count; i++) {
		const struct cli_entry *e = &c.entries[i];
		const struct cli_verb *v =
		    e->group && cli_has_verbs(e->group) ? e->group->verbs : NULL;
		struct cli_page p;
		cli_page_init(&p, e, v);
		char title[160];
		snprintf(title, sizeof title, ".Ss weir %s%s%s\n", p.name,
		    p.arguments[0] ? " " : "", p.arguments);
		const char *at = strstr(w.out, title);
		if (!at)
			fail_msg("there is no \"%s\"", title);
		const char *end = strstr(at + 1, "\n.Ss ");
		for (size_t k = 0; k < p.own.count; k++) {
			char flag[64];
			snprintf(flag, sizeof flag, "Fl -%s", p.own.options[k].name);
			const char *found = strstr(at, flag);
			bool here = found && (!end || found < end);
			if (here == (strcmp(p.own.options[k].name, "help") == 0))
				fail_msg("%s: --%s", title, p.own.options[k].name);
		}
	}
	world_fini(&w);
}
