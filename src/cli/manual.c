/* SPDX-License-Identifier: Apache-2.0 */
/* The options of commands as a part of the manual page (tools/manual.sh puts it there), in mdoc(7). */
#include "cli/cli_priv.h"

/* Text that begins a line, and of which nothing must be taken for a request or an escape. */
static void
put_text(FILE *out, struct str text)
{
	if (text.len > 0 && (text.ptr[0] == '.' || text.ptr[0] == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '\\')
			fputs("\\e", out);
		else
			fputc(text.ptr[i], out);
}

/* Help texts begin in lower case; here they are sentences. */
static void
put_sentence(FILE *out, const char *help)
{
	bool lower = *help >= 'a' && *help <= 'z';
	if (lower)
		fputc(*help - ('a' - 'A'), out);
	put_text(out, str_from(help + lower));
}

/* "KEY=VALUE" is Ar key Ns = Ns Ar value. */
static void
put_value(FILE *out, const char *value)
{
	fputs(" Ar ", out);
	for (; *value; value++)
		if (*value == '=')
			fputs(" Ns = Ns Ar ", out);
		else
			fputc(*value >= 'A' && *value <= 'Z' ? *value + ('a' - 'A') : *value, out);
}

static void
put_option(FILE *out, const struct usage_option *o)
{
	fputs(".It ", out);
	if (o->letter)
		fprintf(out, "Fl %c , ", o->letter);
	fprintf(out, "Fl -%s", o->name);
	if (o->value)
		put_value(out, o->value);
	fputc('\n', out);
	put_sentence(out, o->help);
	if (o->repeat)
		fputs(" (repeat for more)", out);
	for (const char *c = o->words; c && *c; c += *c == '|') {
		size_t n = strcspn(c, "|");
		fprintf(out, "%s%.*s", c == o->words ? ": " : ", ", (int)n, c);
		c += n;
	}
	if (o->max != 0)
		fprintf(out, " (%lld to %lld)", (long long)o->min, (long long)o->max);
	if (o->fallback[0])
		fprintf(out, " [%s]", o->fallback);
	fputs(".\n", out);
}

static void
put_example(FILE *out, const char *example)
{
	fputs(".Bd -literal -offset indent\n", out);
	for (struct str rest = str_from(example); rest.len > 0;) {
		struct str line = {rest.ptr, str_find(rest, '\n')};
		put_text(out, line);
		fputc('\n', out);
		rest = str_skip(rest, line.len + 1);
	}
	fputs(".Ed\n", out);
}

static void
put_page(FILE *out, const struct cli_page *p)
{
	bool begun = false;
	fprintf(out, ".Ss weir %s%s%s\n", p->name, p->arguments[0] ? " " : "", p->arguments);
	put_sentence(out, p->help);
	fputs(".\n", out);
	for (size_t i = 0; i < p->own.count; i++) {
		if (strcmp(p->own.options[i].name, "help") == 0)
			continue;
		if (!begun)
			fputs(".Bl -tag -width Ds\n", out);
		begun = true;
		put_option(out, &p->own.options[i]);
	}
	if (begun)
		fputs(".El\n", out);
	if (p->example)
		put_example(out, p->example);
}

void
cli_manual(FILE *out, const struct cli_catalog *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct cli_entry *e = &c->entries[i];
		struct cli_page p;
		if (e->group && cli_has_verbs(e->group)) {
			for (const struct cli_verb *v = e->group->verbs; v->name; v++) {
				cli_page_init(&p, e, v);
				put_page(out, &p);
			}
			continue;
		}
		cli_page_init(&p, e, NULL);
		if (!p.by_hand)
			put_page(out, &p);
	}
}
