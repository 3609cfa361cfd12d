/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, made from ops_table, the flags and the extra commands. Fit for 80 columns. */
#include "cli/cli_priv.h"

enum { COMMAND_WIDTH = 12, FLAG_WIDTH = 32, SCREEN_WIDTH = 80 };

static void
print_command(FILE *out, const char *name, const char *help)
{
	fprintf(out, "  %-*s%s\n", COMMAND_WIDTH, name, help);
}

static void
print_section(FILE *out, enum op_section section, const char *title,
    const struct cli_command *extra)
{
	fprintf(out, "\n%s:\n", title);
	for (const struct op *op = ops_table; op->name; op++)
		if (!op->no_command && op->section == section)
			print_command(out, op->name, op->help);
	for (const struct cli_group *g = cli_groups; g->name; g++)
		if (g->section == section)
			print_command(out, g->name, g->help);
	for (; extra && extra->name; extra++)
		if (extra->section == section)
			print_command(out, extra->name, extra->help);
}

static bool
has_commands(enum op_section section)
{
	const struct op *op = ops_table;
	while (op->name && (op->no_command || op->section != section))
		op++;
	return op->name != NULL || section == OP_ADMINISTRATE || section == OP_RUN;
}

void
cli_help_overview(FILE *out, const struct cli_command *extra)
{
	static const char *const titles[] = {[OP_RUN] = "Run",
	    [OP_ASK] = "Ask a server",
	    [OP_ANALYSE] = "Find out what is wrong",
	    [OP_CHANGE] = "Leave notes",
	    [OP_ADMINISTRATE] = "Administrate"};
	static const enum op_section order[] = {
	    OP_RUN, OP_ASK, OP_ANALYSE, OP_CHANGE, OP_ADMINISTRATE};
	fprintf(out,
	    "weir: where did the time go? An OpenTelemetry backend in one program.\n\n"
	    "Usage: weir COMMAND [options]\n");
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (has_commands(order[i]))
			print_section(out, order[i], titles[order[i]], extra);
	fputc('\n', out);
	print_command(out, "help", "explain a command: weir help COMMAND (and weir --version)");
	fprintf(out,
	    "\nExamples:\n"
	    "  weir traces --status error --last 15m\n"
	    "  weir logs -s checkout --min-severity warn -o ndjson | jq .body\n"
	    "\nA terminal gets tables and colour, a pipe JSON; -o table|json|ndjson decides.\n"
	    "Exit codes: 0 yes, 1 error, 2 usage, 3 not found, 4 incomplete, or damage.\n");
}

/* Words of text from `column` on, broken at SCREEN_WIDTH with the same indentation. */
static size_t
print_words(FILE *out, const char *text, const char *separators, size_t column)
{
	size_t indent = FLAG_WIDTH;
	while (*text) {
		size_t n = strcspn(text, separators);
		bool first = column == indent;
		if (!first && column + 1 + n > SCREEN_WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", (int)n, text);
		column += n + !first;
		text += n;
		text += *text != '\0';
	}
	return column;
}

/* What the table knows besides the sentence: how often, which words, which numbers, and what holds otherwise. */
static void
print_rest(FILE *out, const struct op_param *p, size_t column)
{
	char text[96];
	if (p->repeat)
		column = print_words(out, "(repeat for more)", " ", column);
	if (p->choices) {
		fputc(':', out);
		column = print_words(out, p->choices, "|", column + 1);
	}
	if (p->type == OP_INT && p->max != 0) {
		snprintf(text, sizeof text, "(%lld to %lld)", (long long)p->min, (long long)p->max);
		column = print_words(out, text, "", column);
	}
	if (p->fallback) {
		snprintf(text, sizeof text, "[%s]", p->fallback);
		print_words(out, text, "", column);
	}
}

/* "-s, --service TEXT" in its column; a longer one gets a line of its own. */
static void
print_flag(FILE *out, const struct cli_flag *f)
{
	char left[96];
	char letter[8] = "    ";
	if (f->letter)
		snprintf(letter, sizeof letter, "-%c, ", f->letter);
	int n = snprintf(left, sizeof left, "  %s--%s%s%s", letter, f->name, f->value[0] ? " " : "",
	    f->value);
	if (n < FLAG_WIDTH)
		fprintf(out, "%-*s", FLAG_WIDTH, left);
	else
		fprintf(out, "%s\n%*s", left, FLAG_WIDTH, "");
	size_t column = print_words(out, f->help, " ", FLAG_WIDTH);
	if (f->param)
		print_rest(out, f->param, column);
	fputc('\n', out);
}

void
cli_help_command(FILE *out, const struct op *op)
{
	const struct op_param *positional = cli_positional(op);
	fprintf(out, "weir %s: %s\n\nUsage: weir %s ", op->name, op->help, op->name);
	for (const char *c = positional ? positional->name : ""; *c; c++)
		fputc(*c >= 'a' && *c <= 'z' ? *c - ('a' - 'A') : *c, out);
	fprintf(out, "%s[options]\n\nOptions:\n", positional ? " " : "");

	struct cli_flag flags[CLI_FLAGS_MAX];
	size_t count = cli_flags(op, flags);
	bool global = false;
	for (size_t i = 0; i < count; i++) {
		bool is_global = !flags[i].param && flags[i].global >= GLOBAL_OUTPUT;
		if (is_global && !global)
			fprintf(out, "\nOutput and server:\n");
		global = is_global;
		print_flag(out, &flags[i]);
	}
	if (op->example)
		fprintf(out, "\nExample:\n  %s\n", op->example);
	fprintf(out, "\nAsks %s %s; docs/api.md says what the JSON holds.\n",
	    op->method == OP_POST ? "POST" : "GET", op->path);
}
