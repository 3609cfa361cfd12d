/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of several verbs, `weir keys create`: the verb is found and its command line parsed; the rest is the group's. */
#include "cli/cli_priv.h"

#include "base/nearest.h"

enum { VERBS_MAX = 16 };

const struct cli_group *const cli_groups[] = {&cli_tail, &cli_watch, &cli_sql, &cli_comment,
    &cli_dlq, &cli_keys, &cli_backup, &cli_check, NULL};

const char *
cli_verb_word(const struct cli_verb *verb)
{
	const char *blank = strchr(verb->name, ' ');
	return blank ? blank + 1 : "";
}

static const struct op *
find_row(const char *name)
{
	const struct op *op = ops_find_name(str_from(name));
	CHECK(op != NULL);
	return op;
}

const struct op *
cli_verb_op(const struct cli_verb *verb)
{
	return verb->row ? find_row(verb->row) : &verb->op;
}

const struct op *
cli_verb_other_op(const struct cli_verb *verb)
{
	return verb->row_of_word ? find_row(verb->row_of_word) : verb->all;
}

const struct cli_verb *
cli_find_verb(const struct cli_group *group, struct str word)
{
	for (const struct cli_verb *v = group->verbs; v->name; v++)
		if (str_eq(str_from(cli_verb_word(v)), word))
			return v;
	return NULL;
}

bool
cli_has_verbs(const struct cli_group *group)
{
	return cli_find_verb(group, STR("")) == NULL;
}

int
cli_no_verb(const struct cli_io *io, const struct cli_group *group, const char *word)
{
	struct err e = {0};
	struct buf all = {0};
	const char *names[VERBS_MAX + 1] = {NULL};
	size_t count = 0;
	for (const struct cli_verb *v = group->verbs; v->name; v++) {
		CHECK(count < VERBS_MAX);
		names[count++] = cli_verb_word(v);
	}
	for (size_t i = 0; i < count; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
	const char *near = word ? nearest_name(str_from(word), names) : NULL;
	if (near)
		err_set(&e, ERR_INVALID, "%s has no \"%.40s\"; did you mean %s?", group->name, word,
		    near);
	else if (word)
		err_set(&e, ERR_INVALID, "%s has no \"%.40s\": %.*s", group->name, word,
		    STR_ARG(buf_view(&all)));
	else
		err_set(&e, ERR_INVALID, "%s what: %.*s", group->name, STR_ARG(buf_view(&all)));
	buf_fini(&all);
	int exit_code = cli_fail(io, CLI_USAGE, &e);
	fprintf(io->err, "try: weir %s --help\n", group->name);
	return exit_code;
}

static bool
says_all(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--all") == 0)
			return true;
	return false;
}

static int
run_verb(const struct cli_io *io, const struct cli_group *group, const struct cli_verb *verb,
    int argc, char **argv)
{
	struct cli_request req;
	struct err e = {0};
	const struct op *op = cli_verb_op(verb);
	if ((verb->all && says_all(argc, argv)) ||
	    (verb->row_of_word && cli_has_positional(op, verb, argc, argv)))
		op = cli_verb_other_op(verb);
	enum err_code code = cli_parse(io, op, verb, argc, argv, &req, &e);
	if (code == ERR_OK && !req.help && group->check)
		code = group->check(verb, &req, &e);
	if (code != ERR_OK) {
		int exit_code = cli_fail(io, CLI_USAGE, &e);
		fprintf(io->err, "try: weir %s --help\n", verb->name);
		return exit_code;
	}
	req.method = verb->method;
	if (!req.help)
		return group->run(io, verb, &req);
	cli_help_entry(io->out, &(struct cli_entry){.group = group}, verb);
	return CLI_OK;
}

int
cli_run_group(const struct cli_io *io, const struct cli_group *group, int argc, char **argv)
{
	const struct cli_verb *only = cli_find_verb(group, STR(""));
	if (only)
		return run_verb(io, group, only, argc - 1, argv + 1);
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct cli_verb *verb = word && *word ? cli_find_verb(group, str_from(word)) : NULL;
	if (verb)
		return run_verb(io, group, verb, argc - 2, argv + 2);
	bool help = word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
	if (!help && group->first_is_meant && (!word || word[0] == '-'))
		return run_verb(io, group, group->verbs, argc - 1, argv + 1);
	if (!help)
		return cli_no_verb(io, group, word);
	cli_help_entry(io->out, &(struct cli_entry){.group = group}, NULL);
	return CLI_OK;
}

bool
cli_verb_is_meant(const struct cli_io *io, const struct cli_verb *verb,
    const struct cli_request *req, const char *question)
{
	struct err e = {0};
	if (!verb->asks || cli_is_meant(io, req, question))
		return true;
	cli_fail(io, CLI_ERROR, (err_set(&e, ERR_CANCELLED, "%s", verb->undone), &e));
	return false;
}
