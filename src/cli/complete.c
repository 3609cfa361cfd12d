/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weir completion SHELL` prints a script (cli/shells/), and the script asks `weir completion SHELL -- WORD...` what may
 * stand in the place of the last word. The answer is a line for each candidate, of zsh and fish with a tab and what it
 * means behind it; or one line, ":files" or ":dirs". Nothing is ever said to standard error: somebody is typing there.
 */
#include "cli/cli_priv.h"

#include "base/nearest.h"

#include <jansson.h>

enum { ASK_WORDS_MAX = 16, SERVICES_MAX = 500, SERVICES_BYTES_MAX = 1 << 20 };

struct completing {
	const struct cli_io *io;
	const struct cli_catalog *catalog;
	struct str typed; /* the beginning of what is wanted */
	struct str before; /* of the same word, before that: "--output=" */
	bool meanings;
	/* What has been said of the server, for who asks it. */
	char *server[ASK_WORDS_MAX];
	int server_count;
	struct cli_page page;
	bool given[2 * USAGE_OPTIONS_MAX]; /* of page.own, then of page.common */
	size_t words; /* how many arguments there are */
	const struct usage_option *pending; /* its value is the next word */
	bool ended; /* by "--" */
};

static void
offer(struct completing *c, struct str word, const char *meaning)
{
	if (!str_starts(word, c->typed))
		return;
	fprintf(c->io->out, "%.*s%.*s", STR_ARG(c->before), STR_ARG(word));
	if (c->meanings)
		fprintf(c->io->out, "\t%s", meaning);
	fputc('\n', c->io->out);
}

/* ---- options of the page */

static const struct usage_option *
option_at(const struct completing *c, size_t i)
{
	if (i < c->page.own.count)
		return &c->page.own.options[i];
	i -= c->page.own.count;
	return i < c->page.common.count ? &c->page.common.options[i] : NULL;
}

static const struct usage_option *
find_option(const struct completing *c, struct str name, bool letter, size_t *index_out)
{
	const struct usage_option *o;
	for (*index_out = 0; (o = option_at(c, *index_out)); ++*index_out)
		if (letter ? o->letter == name.ptr[0] : str_eq(str_from(o->name), name))
			return o;
	return NULL;
}

static void
offer_options(struct completing *c)
{
	const struct usage_option *o;
	for (size_t i = 0; (o = option_at(c, i)); i++) {
		char text[sizeof(o->name) + 2];
		snprintf(text, sizeof(text), "--%s", o->name);
		if (!c->given[i] || o->repeat)
			offer(c, str_from(text), o->help);
	}
}

/* ---- values */

static void
offer_words(struct completing *c, const char *words)
{
	for (struct str rest = str_from(words); rest.len > 0;) {
		struct str word = {rest.ptr, str_find(rest, '|')};
		offer(c, word, "");
		rest = str_skip(rest, word.len + 1);
	}
}

/* What a terminal or a shell could take for something else is left out. */
static bool
is_harmless(struct str name)
{
	struct buf clean = {0};
	text_clean(&clean, name, true);
	bool same = name.len > 0 && name.ptr[0] != ':' && str_eq(buf_view(&clean), name);
	buf_fini(&clean);
	return same;
}

static void
offer_services(struct completing *c)
{
	static char timeout[] = "--timeout=1s";
	struct cli_request req;
	struct err ignored = {0};
	struct buf body;
	const struct op *op = ops_find_name(STR("services"));
	int status = 0;
	CHECK(op != NULL && c->server_count < ASK_WORDS_MAX);
	c->server[c->server_count++] = timeout;
	if (cli_parse(c->io, op, NULL, c->server_count, c->server, &req, &ignored))
		return;
	buf_init(&body, SERVICES_BYTES_MAX);
	enum err_code code =
	    c->io->get(c->io->ctx, &req.server, str_from(op->path), &status, &body, &ignored);
	json_t *answer = code == ERR_OK && status == 200 ? cli_json_load(&body) : NULL;
	const json_t *services = json_object_get(answer, "services");
	for (size_t i = 0; i < json_array_size(services) && i < SERVICES_MAX; i++) {
		struct str name = cli_item_str(json_array_get(services, i), "name");
		if (is_harmless(name))
			offer(c, name, "service");
	}
	json_decref(answer);
	buf_fini(&body);
}

static void
offer_values(struct completing *c, const struct usage_option *o)
{
	switch (usage_kind_of(o)) {
	case USAGE_SWITCH:
	case USAGE_TEXT: break;
	case USAGE_WORDS: offer_words(c, o->words); break;
	case USAGE_FILES: fputs(":files\n", c->io->out); break;
	case USAGE_DIRS: fputs(":dirs\n", c->io->out); break;
	case USAGE_SERVICES: offer_services(c); break;
	}
}

static void
offer_commands(struct completing *c)
{
	for (size_t i = 0; i < c->catalog->count; i++)
		offer(c, str_from(c->catalog->entries[i].name), c->catalog->entries[i].help);
}

static void
offer_verbs(struct completing *c, const struct cli_group *group)
{
	for (const struct cli_verb *v = group->verbs; v->name; v++)
		offer(c, str_from(cli_verb_word(v)), cli_verb_op(v)->help);
}

/* ---- what has been typed */

/* Which server it is, as whom: kept, for names of services. */
static void
keep_server(struct completing *c, const struct usage_option *o, char *word)
{
	static const char *const names[] = {
	    "url", "tenant", "token", "ca", "client-cert", "client-key"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(o->name, names[i]) == 0 && c->server_count < ASK_WORDS_MAX - 2)
			c->server[c->server_count++] = word;
}

static void
take_option(struct completing *c, char *word)
{
	bool is_long = word[1] == '-';
	struct str text = str_from(word + (is_long ? 2 : 1));
	struct str name = {text.ptr, is_long ? str_find(text, '=') : 1};
	size_t i;
	const struct usage_option *o = find_option(c, name, !is_long, &i);
	if (!o)
		return;
	c->given[i] = true;
	keep_server(c, o, word);
	if (o->value && name.len == text.len)
		c->pending = o;
}

static void
take_word(struct completing *c, char *word)
{
	if (c->pending) {
		keep_server(c, c->pending, word);
		c->pending = NULL;
	} else if (!c->ended && strcmp(word, "--") == 0) {
		c->ended = true;
	} else if (!c->ended && word[0] == '-' && word[1]) {
		take_option(c, word);
	} else {
		c->words++;
	}
}

static void
offer_for_option(struct completing *c)
{
	size_t eq = str_find(c->typed, '='), i;
	if (!str_starts(c->typed, STR("--")) || eq == c->typed.len) {
		offer_options(c);
		return;
	}
	struct str name = str_skip((struct str){c->typed.ptr, eq}, 2);
	const struct usage_option *o = find_option(c, name, false, &i);
	c->before = (struct str){c->typed.ptr, eq + 1};
	c->typed = str_skip(c->typed, eq + 1);
	if (o)
		offer_values(c, o);
}

/* argv: the words before the one that is wanted. */
static void
offer_next(struct completing *c, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		take_word(c, argv[i]);
	const struct cli_page *p = &c->page;
	size_t at = c->words;
	if (p->word_count > 0 && at >= p->word_count && p->words[p->word_count - 1].repeat)
		at = p->word_count - 1;
	if (c->pending)
		offer_values(c, c->pending);
	else if (!c->ended && str_starts(c->typed, STR("-")))
		offer_for_option(c);
	else if (at < p->word_count && usage_kind_of(&p->words[at]) != USAGE_TEXT)
		offer_values(c, &p->words[at]);
	else if (!c->ended && c->typed.len == 0)
		offer_options(c);
}

static void
complete_help(struct completing *c, int argc, char **argv)
{
	const struct cli_entry *e = argc > 0 ? cli_find(c->catalog, str_from(argv[0])) : NULL;
	if (argc == 0)
		offer_commands(c);
	else if (argc == 1 && e && e->group && cli_has_verbs(e->group))
		offer_verbs(c, e->group);
}

/* argv: the words behind the command. */
static void
complete_command(struct completing *c, const struct cli_entry *e, int argc, char **argv)
{
	const struct cli_verb *verb = NULL;
	if (e->own && strcmp(e->name, "help") == 0 && !str_starts(c->typed, STR("-"))) {
		complete_help(c, argc, argv);
		return;
	}
	struct str first_word = argc > 0 ? str_from(argv[0]) : c->typed;
	if (e->group && e->group->first_is_meant && str_starts(first_word, STR("-"))) {
		verb = e->group->verbs;
	} else if (e->group && cli_has_verbs(e->group)) {
		if (argc == 0) {
			offer_verbs(c, e->group);
			return;
		}
		verb = cli_find_verb(e->group, str_from(argv[0]));
		if (!verb || !argv[0][0])
			return;
		argc--;
		argv++;
	}
	cli_page_init(&c->page, e, verb);
	offer_next(c, argc, argv);
}

/* argv[0] is weir, the last of argv the word that is wanted. */
static void
complete(struct completing *c, int argc, char **argv)
{
	int last = argc - 1, at = cli_find_command(last, argv);
	c->typed = str_from(argv[last]);
	cli_page_init_empty(&c->page);
	for (int i = 1; i < at; i++)
		take_word(c, argv[i]);
	if (at == last && (c->pending || c->typed.ptr[0] == '-')) {
		offer_next(c, 0, NULL);
		return;
	}
	const struct cli_entry *e = at < last ? cli_find(c->catalog, str_from(argv[at])) : NULL;
	memset(c->given, 0, sizeof(c->given));
	c->words = 0;
	if (at == last)
		offer_commands(c);
	else if (e)
		complete_command(c, e, last - at - 1, argv + at + 1);
}

static int
wrong_shell(const struct cli_io *io, const char *shell)
{
	const char *names[] = {"bash", "fish", "zsh", NULL};
	const char *near = shell ? nearest_name(str_from(shell), names) : NULL;
	struct err e = {0};
	if (near)
		err_set(&e, ERR_INVALID, "completion has no \"%.40s\"; did you mean %s?", shell,
		    near);
	else if (shell)
		err_set(&e, ERR_INVALID, "completion has no \"%.40s\": bash, zsh or fish", shell);
	else
		err_set(&e, ERR_INVALID, "completion for what: bash, zsh or fish");
	cli_fail(io, CLI_USAGE, &e);
	fprintf(io->err, "try: weir completion --help\n");
	return CLI_USAGE;
}

int
cli_completion(const struct cli_io *io, int argc, char **argv, const struct cli_catalog *catalog)
{
	const struct embedded_text *shell = cli_shells;
	while (argc > 1 && shell->name && strcmp(shell->name, argv[1]) != 0)
		shell++;
	if (argc < 2 || !shell->name)
		return wrong_shell(io, argc < 2 ? NULL : argv[1]);
	if (argc == 2) {
		fputs(shell->text, io->out);
		return CLI_OK;
	}
	if (argc < 5 || strcmp(argv[2], "--") != 0) {
		struct err e = {0};
		err_set(&e, ERR_INVALID, "behind the shell stands nothing, or -- weir WORD...");
		return cli_fail(io, CLI_USAGE, &e);
	}
	struct completing *c = xcalloc(1, sizeof(*c));
	c->io = io;
	c->catalog = catalog;
	c->meanings = strcmp(shell->name, "bash") != 0;
	complete(c, argc - 3, argv + 3);
	free(c);
	return CLI_OK;
}
