/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a client command: one for each parameter of its operation, then the global ones. */
#include "cli/cli_priv.h"

static const struct {
	enum cli_global global;
	struct usage_option o;
} globals[] = {
    {GLOBAL_SPAN, {.name = "span", .value = "SPAN_ID", .help = "only this span, with all it has"}},
    {GLOBAL_VERBOSE,
        {.name = "verbose", .letter = 'v', .help = "with the attributes and events of each span"}},
    {GLOBAL_LOGS, {.name = "logs", .help = "with the log records of each span"}},
    {GLOBAL_COUNT,
        {.name = "count",
            .letter = 'n',
            .value = "N",
            .help = "stop after so many",
            .min = 1,
            .max = CLI_COUNT_MAX}},
    {GLOBAL_EACH, {.name = "all", .help = "all there are, not one of them"}},
    {GLOBAL_YES, {.name = "yes", .letter = 'y', .help = "do not ask whether it is meant"}},
    {GLOBAL_DATA_DIR,
        {.name = "data-dir", .value = "DIR", .help = "this data folder itself, and ask no server"}},
    {GLOBAL_OUTPUT,
        {.name = "output",
            .letter = 'o',
            .value = "FORMAT",
            .help = "how to print; a terminal gets tables, a pipe JSON",
            .words = "json|table|ndjson"}},
    {GLOBAL_ALL, {.name = "all", .help = "all pages, one item a line (ndjson)"}},
    {GLOBAL_URL,
        {.name = "url",
            .value = "URL",
            .help = "the server ($WEIR_URL)",
            .fallback = "http://127.0.0.1:7700"}},
    {GLOBAL_TENANT, {.name = "tenant", .value = "NAME", .help = "whose telemetry ($WEIR_TENANT)"}},
    {GLOBAL_TOKEN,
        {.name = "token", .value = "KEY", .help = "key for the server (better: $WEIR_TOKEN)"}},
    {GLOBAL_CA,
        {.name = "ca",
            .value = "FILE",
            .help = "CAs to trust with https:// ($WEIR_CA)",
            .fallback = "the system's"}},
    {GLOBAL_CLIENT_CERT,
        {.name = "client-cert",
            .value = "FILE",
            .help = "certificate to show there ($WEIR_CLIENT_CERT)"}},
    {GLOBAL_CLIENT_KEY,
        {.name = "client-key", .value = "FILE", .help = "and its key ($WEIR_CLIENT_KEY)"}},
    {GLOBAL_TIMEOUT,
        {.name = "timeout", .value = "SPAN", .help = "give up after this time", .fallback = "30s"}},
    {GLOBAL_COLOR,
        {.name = "color",
            .value = "WHEN",
            .help = "colour, or none ($NO_COLOR is honoured)",
            .words = "auto|always|never",
            .fallback = "auto"}},
    {GLOBAL_HELP, {.name = "help", .letter = 'h', .help = "this text"}},
};

const struct op_param *
cli_positional(const struct op *op)
{
	for (const struct op_param *p = op->params; p->name; p++)
		if (p->in_path)
			return p;
	return NULL;
}

const struct op_param *
cli_argument(const struct op *op, size_t i)
{
	const struct op_param *in_path = cli_positional(op);
	if (in_path && i-- == 0)
		return in_path;
	for (const struct op_param *p = op->params; p->name; p++)
		if ((p->argument || (p->required && !p->in_path)) && i-- == 0)
			return p;
	return NULL;
}

bool
cli_has_pages(const struct op *op)
{
	for (const struct op_param *p = op->params; p->name; p++)
		if (p->type == OP_CURSOR)
			return true;
	return false;
}

static bool
is_for(enum cli_global global, const struct op *op, const struct cli_verb *verb)
{
	switch (global) {
	case GLOBAL_SPAN:
	case GLOBAL_VERBOSE:
	case GLOBAL_LOGS: return op && cli_positional(op) && strcmp(op->name, "trace") == 0;
	case GLOBAL_ALL: return !op || (cli_has_pages(op) && !(verb && verb->all));
	case GLOBAL_COUNT: return op && op->stream;
	case GLOBAL_EACH: return verb && verb->all;
	case GLOBAL_YES: return verb && verb->asks;
	case GLOBAL_DATA_DIR: return verb && verb->folder;
	case GLOBAL_NONE:
	case GLOBAL_OUTPUT:
	case GLOBAL_URL:
	case GLOBAL_TENANT:
	case GLOBAL_TOKEN:
	case GLOBAL_CA:
	case GLOBAL_CLIENT_CERT:
	case GLOBAL_CLIENT_KEY:
	case GLOBAL_TIMEOUT:
	case GLOBAL_COLOR:
	case GLOBAL_HELP: return true;
	}
	return true;
}

static bool
has_flag(const struct cli_flag *flags, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(flags[i].o.name, name) == 0)
			return true;
	return false;
}

static size_t
add_params(const struct op *op, struct cli_flag *out, size_t n)
{
	for (const struct op_param *p = op ? op->params : NULL; p && p->name; p++) {
		struct usage_option o = ops_option(p);
		CHECK(n < CLI_FLAGS_MAX - ARRAY_LEN(globals));
		if (!p->in_path && !has_flag(out, n, o.name))
			out[n++] = (struct cli_flag){.o = o, .param = p};
	}
	return n;
}

/* A parameter may be called as one of these, and then is meant. */
static size_t
add_globals(const struct op *op, const struct cli_verb *verb, struct cli_flag *out, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(globals); i++) {
		const struct usage_option *o = &globals[i].o;
		if (!is_for(globals[i].global, op, verb) || has_flag(out, n, o->name))
			continue;
		out[n] = (struct cli_flag){.o = *o, .global = globals[i].global};
		if (globals[i].global == GLOBAL_TIMEOUT && verb && verb->slow)
			snprintf(out[n].o.fallback, sizeof(out[n].o.fallback), "24h");
		if (globals[i].global == GLOBAL_OUTPUT && verb && verb->formats)
			out[n].o.words = verb->formats;
		n++;
	}
	return n;
}

size_t
cli_flags(const struct op *op, const struct cli_verb *verb, struct cli_flag out[CLI_FLAGS_MAX])
{
	return add_globals(op, verb, out, add_params(op, out, 0));
}

size_t
cli_verb_flags(const struct cli_verb *verb, struct cli_flag out[CLI_FLAGS_MAX])
{
	const struct op *op = cli_verb_op(verb);
	size_t n = add_params(cli_verb_other_op(verb), out, add_params(op, out, 0));
	return add_globals(op, verb, out, n);
}
