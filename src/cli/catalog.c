/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All commands alike, wherever their rows are: operations, groups, commands of other modules, and those that explain the
 * rest. Help, completions, the manual page and "did you mean" walk this and nothing else, so that a new row is in all of them.
 */
#include "cli/cli_priv.h"

#include "base/nearest.h"

static const struct usage_option help_options[] = {
    {.name = "mdoc", .help = "the options of all commands as a part of the manual page"},
    {.name = ""},
};

static const struct usage own_usages[] = {
    {.name = "help",
        .help = "explain a command",
        .arguments = "[COMMAND [VERB]]",
        .example = "weir help keys create",
        .options = help_options},
    {.name = "completion",
        .help = "print what completes commands in a shell",
        .arguments = "bash|zsh|fish",
        .argument = {.words = "bash|zsh|fish"},
        .about = "Where a package has installed weir it is there already. Elsewhere:\n"
                 "\n"
                 "  bash   source <(weir completion bash)       in ~/.bashrc\n"
                 "  zsh    source <(weir completion zsh)        in ~/.zshrc, behind compinit\n"
                 "  fish   weir completion fish | source        in config.fish\n"
                 "\n"
                 "The shell asks weir itself what may follow, and weir asks the server, as other\n"
                 "commands would, for names of services. Words behind a -- are what has been\n"
                 "typed: the answer is what may stand in the place of the last one.\n",
        .example = "source <(weir completion bash)"},
    {.name = "version", .help = "print the version, as --version does", .example = "weir version"},
};

static struct cli_entry *
add(struct cli_catalog *c, const char *name, const char *help, enum op_section section)
{
	CHECK(c->count < CLI_COMMANDS_MAX);
	c->entries[c->count] = (struct cli_entry){.name = name, .help = help, .section = section};
	return &c->entries[c->count++];
}

void
cli_catalog_init(struct cli_catalog *c, const struct cli_command *extra)
{
	c->count = 0;
	for (const struct op *op = ops_table; op->name; op++)
		if (!op->no_command)
			add(c, op->name, op->help, op->section)->op = op;
	for (size_t i = 0; cli_groups[i]; i++)
		add(c, cli_groups[i]->name, cli_groups[i]->help, cli_groups[i]->section)->group =
		    cli_groups[i];
	for (; extra && extra->usage; extra++)
		add(c, extra->usage->name, extra->usage->help, extra->section)->extra = extra;
	for (size_t i = 0; i < ARRAY_LEN(own_usages); i++)
		add(c, own_usages[i].name, own_usages[i].help, OP_RUN)->own = &own_usages[i];
}

const struct cli_entry *
cli_find(const struct cli_catalog *c, struct str name)
{
	for (size_t i = 0; i < c->count; i++)
		if (str_eq(str_from(c->entries[i].name), name))
			return &c->entries[i];
	return NULL;
}

int
cli_no_command(const struct cli_io *io, const struct cli_catalog *c, struct str name)
{
	const char *names[CLI_COMMANDS_MAX + 1] = {NULL};
	struct err e = {0};
	for (size_t i = 0; i < c->count; i++)
		names[i] = c->entries[i].name;
	const char *near = nearest_name(name, names);
	if (near)
		err_set(&e, ERR_INVALID, "no command \"%.40s\"; did you mean %s?", name.ptr, near);
	else
		err_set(&e, ERR_INVALID, "no command \"%.40s\"; weir --help lists them", name.ptr);
	return cli_fail(io, CLI_USAGE, &e);
}

/* ---- pages */

static void
add_words(struct cli_page *p, const struct op *op)
{
	const struct op_param *param;
	for (size_t i = 0; (param = cli_argument(op, i)); i++) {
		size_t n = strlen(p->arguments);
		bool needed = param->in_path || param->required;
		snprintf(p->arguments + n, sizeof(p->arguments) - n, "%s%s%s%s", n > 0 ? " " : "",
		    needed ? "" : "[", param->name, needed ? "" : "]");
		CHECK(p->word_count < ARRAY_LEN(p->words));
		p->words[p->word_count++] = ops_option(param);
	}
	for (char *c = p->arguments; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - ('a' - 'A'));
}

static void
add_flags(struct cli_page *p, const struct cli_flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool common = !flags[i].param && flags[i].global >= GLOBAL_OUTPUT;
		usage_add(common ? &p->common : &p->own, &flags[i].o);
	}
}

static void
of_op(struct cli_page *p, const struct op *op, const struct cli_verb *verb)
{
	struct cli_flag flags[CLI_FLAGS_MAX];
	CHECK(op != NULL);
	size_t count = verb ? cli_verb_flags(verb, flags) : cli_flags(op, NULL, flags);
	p->name = verb ? verb->name : op->name;
	p->help = op->help;
	p->example = op->example;
	p->op = op;
	p->method = verb && verb->method ? verb->method : op->method == OP_POST ? "POST" : NULL;
	add_words(p, op);
	if (verb && verb->arguments)
		snprintf(p->arguments, sizeof(p->arguments), "%s", verb->arguments);
	add_flags(p, flags, count);
}

static void
of_usage(struct cli_page *p, const struct usage *u)
{
	p->name = u->name;
	p->help = u->help;
	p->about = u->about;
	p->example = u->example;
	p->by_hand = u->by_hand;
	if (u->arguments) {
		snprintf(p->arguments, sizeof(p->arguments), "%s", u->arguments);
		p->words[p->word_count++] = u->argument;
	}
	usage_collect(u, &p->own);
}

void
cli_page_init(struct cli_page *p, const struct cli_entry *e, const struct cli_verb *verb)
{
	*p = (struct cli_page){0};
	if (e->op) {
		of_op(p, e->op, NULL);
	} else if (e->extra || e->own) {
		of_usage(p, e->extra ? e->extra->usage : e->own);
	} else if (!cli_has_verbs(e->group)) { /* it is one command */
		of_op(p, cli_verb_op(e->group->verbs), e->group->verbs);
		p->about = e->group->about;
		p->print_more = e->group->print_more;
	} else if (verb) {
		of_op(p, cli_verb_op(verb), verb);
	} else {
		p->name = e->group->name;
		p->help = e->group->help;
		p->about = e->group->about;
		p->example = e->group->example;
	}
}

void
cli_page_init_empty(struct cli_page *p)
{
	static const struct usage_option version = {
	    .name = "version", .letter = 'V', .help = "print the version"};
	struct cli_flag flags[CLI_FLAGS_MAX];
	*p = (struct cli_page){.name = ""};
	add_flags(p, flags, cli_flags(NULL, NULL, flags));
	usage_add(&p->common, &version);
}
