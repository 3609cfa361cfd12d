/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, made from the tables of commands (catalog.c). Fit for 80 columns. */
#include "cli/cli_priv.h"

enum { COMMAND_WIDTH = 12, OPTION_WIDTH = 32, SCREEN_WIDTH = 80 };

static void
print_command(FILE *out, const char *name, const char *help)
{
	fprintf(out, "  %-*s%s\n", COMMAND_WIDTH, name, help);
}

/* Those that explain the others stand at the end by themselves. */
static bool
is_of(const struct cli_entry *e, enum op_section section)
{
	return e->section == section && !e->own;
}

static void
print_section(FILE *out, enum op_section section, const char *title, const struct cli_catalog *c)
{
	bool begun = false;
	for (size_t i = 0; i < c->count; i++) {
		const struct cli_entry *e = &c->entries[i];
		if (!is_of(e, section))
			continue;
		if (!begun)
			fprintf(out, "\n%s:\n", title);
		begun = true;
		print_command(out, e->name, e->help);
	}
}

void
cli_help_overview(FILE *out, const struct cli_catalog *c)
{
	static const struct {
		enum op_section section;
		const char *title;
	} sections[] = {{OP_RUN, "Run"}, {OP_ASK, "Ask a server"},
	    {OP_ANALYSE, "Find out what is wrong"}, {OP_CHANGE, "Leave notes"},
	    {OP_ADMINISTRATE, "Administrate"}};
	fprintf(out,
	    "weir: where did the time go? An OpenTelemetry backend in one program.\n\n"
	    "Usage: weir COMMAND [options]\n");
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		print_section(out, sections[i].section, sections[i].title, c);
	fputc('\n', out);
	for (size_t i = 0; i < c->count; i++)
		if (c->entries[i].own)
			print_command(out, c->entries[i].name, c->entries[i].help);
	fprintf(out,
	    "\nExamples:\n"
	    "  weir traces --status error --last 15m\n"
	    "  weir logs -s checkout --min-severity warn -o ndjson | jq .body\n"
	    "\nA terminal gets tables and colour, a pipe JSON; -o table|json|ndjson decides.\n"
	    "Exit codes: 0 yes, 1 error, 2 usage, 3 not found, 4 incomplete, or damage.\n");
}

/* ---- options */

/* Words of text from `column` on, broken at SCREEN_WIDTH with the indentation of options. */
static size_t
print_words(FILE *out, const char *text, const char *separators, size_t column)
{
	while (*text) {
		size_t n = strcspn(text, separators);
		bool first = column == OPTION_WIDTH;
		if (!first && column + 1 + n > SCREEN_WIDTH) {
			fprintf(out, "\n%*s", OPTION_WIDTH, "");
			column = OPTION_WIDTH;
			first = true;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", (int)n, text);
		column += n + !first;
		text += n;
		text += *text != '\0';
	}
	return column;
}

/* What the row says besides the sentence: how often, which words, which numbers, and what holds otherwise. */
static void
print_rest(FILE *out, const struct usage_option *o, size_t column)
{
	char text[96];
	if (o->repeat)
		column = print_words(out, "(repeat for more)", " ", column);
	if (o->words) {
		fputc(':', out);
		column = print_words(out, o->words, "|", column + 1);
	}
	if (o->max != 0) {
		snprintf(text, sizeof text, "(%lld to %lld)", (long long)o->min, (long long)o->max);
		column = print_words(out, text, "", column);
	}
	if (o->fallback[0]) {
		snprintf(text, sizeof text, "[%s]", o->fallback);
		print_words(out, text, " ", column);
	}
}

/* "-s, --service SERVICE" in its column; a longer one gets a line of its own. */
static void
print_option(FILE *out, const struct usage_option *o)
{
	char left[96];
	char letter[8] = "    ";
	if (o->letter)
		snprintf(letter, sizeof letter, "-%c, ", o->letter);
	int n = snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
	    o->value ? o->value : "");
	if (n < OPTION_WIDTH)
		fprintf(out, "%-*s", OPTION_WIDTH, left);
	else
		fprintf(out, "%s\n%*s", left, OPTION_WIDTH, "");
	print_rest(out, o, print_words(out, o->help, " ", OPTION_WIDTH));
	fputc('\n', out);
}

static void
print_options(FILE *out, const char *title, const struct usage_list *list)
{
	if (list->count > 0)
		fprintf(out, "\n%s:\n", title);
	for (size_t i = 0; i < list->count; i++)
		print_option(out, &list->options[i]);
}

static void
print_example(FILE *out, const char *example)
{
	struct str rest = str_from(example);
	if (rest.len > 0)
		fputs("\nExample:\n", out);
	while (rest.len > 0) {
		struct str line = {rest.ptr, str_find(rest, '\n')};
		fprintf(out, "  %.*s\n", STR_ARG(line));
		rest = str_skip(rest, line.len + 1);
	}
}

/* ---- commands */

void
cli_help_page(FILE *out, const struct cli_page *p)
{
	fprintf(out, "weir %s: %s\n\nUsage: weir %s%s%s [options]\n", p->name, p->help, p->name,
	    p->arguments[0] ? " " : "", p->arguments);
	if (p->about)
		fprintf(out, "\n%s", p->about);
	print_options(out, "Options", &p->own);
	print_options(out, "Output and server", &p->common);
	if (p->print_more) {
		fputc('\n', out);
		p->print_more(out);
	}
	print_example(out, p->example);
	if (!p->op)
		return;
	const char *method = p->method ? p->method : "GET";
	bool fits = strlen(method) + strlen(p->op->path) <= 34;
	fprintf(out, "\nAsks %s %s;%sdocs/api.md says what the JSON holds.\n", method, p->op->path,
	    fits ? " " : "\n");
}

static void
print_group(FILE *out, const struct cli_group *group)
{
	struct cli_entry entry = {.group = group};
	fprintf(out, "weir %s: %s\n\nUsage:\n", group->name, group->help);
	for (const struct cli_verb *v = group->verbs; v->name; v++) {
		struct cli_page p;
		cli_page_init(&p, &entry, v);
		fprintf(out, "  weir %s%s%s [options]\n", p.name, p.arguments[0] ? " " : "",
		    p.arguments);
	}
	fprintf(out, "\n%s%s", group->about ? group->about : "", group->about ? "\n" : "");
	for (const struct cli_verb *v = group->verbs; v->name; v++)
		print_command(out, cli_verb_word(v), cli_verb_op(v)->help);
	print_example(out, group->example);
	fprintf(out, "\nOptions: weir help %s %s, and so on.\n", group->name,
	    cli_verb_word(group->verbs));
}

void
cli_help_entry(FILE *out, const struct cli_entry *e, const struct cli_verb *verb)
{
	struct cli_page page;
	if (e->group && !verb && cli_has_verbs(e->group)) {
		print_group(out, e->group);
		return;
	}
	cli_page_init(&page, e, verb);
	cli_help_page(out, &page);
}
