/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a client command: one for each parameter of its operation, then the global ones. */
#include "cli/cli_priv.h"

static const struct {
	const char *name;
	char letter;
	enum cli_global global;
	const char *value;
	const char *help;
} globals[] = {
    {"span", 0, GLOBAL_SPAN, "SPAN_ID", "only this span, with all it has"},
    {"verbose", 'v', GLOBAL_VERBOSE, "", "with the attributes and events of each span"},
    {"logs", 0, GLOBAL_LOGS, "", "with the log records of each span"},
    {"yes", 'y', GLOBAL_YES, "", "do not ask whether it is meant"},
    {"output", 'o', GLOBAL_OUTPUT, "FORMAT",
        "json, table or ndjson (a terminal gets tables, a pipe JSON)"},
    {"all", 0, GLOBAL_ALL, "", "all pages, one item a line (ndjson)"},
    {"url", 0, GLOBAL_URL, "URL", "the server ($WEIR_URL, or else http://127.0.0.1:7700)"},
    {"tenant", 0, GLOBAL_TENANT, "NAME", "whose telemetry ($WEIR_TENANT)"},
    {"token", 0, GLOBAL_TOKEN, "KEY", "key for the server (better: $WEIR_TOKEN)"},
    {"ca", 0, GLOBAL_CA, "FILE", "CAs to trust with https:// ($WEIR_CA, or else the system's)"},
    {"client-cert", 0, GLOBAL_CLIENT_CERT, "FILE", "certificate to show there ($WEIR_CLIENT_CERT)"},
    {"client-key", 0, GLOBAL_CLIENT_KEY, "FILE", "and its key ($WEIR_CLIENT_KEY)"},
    {"timeout", 0, GLOBAL_TIMEOUT, "SPAN", "give up after this time (30s)"},
    {"color", 0, GLOBAL_COLOR, "WHEN", "auto, always or never ($NO_COLOR is honoured)"},
    {"help", 'h', GLOBAL_HELP, "", "this text"},
};

static char
letter_of(const char *param_name)
{
	if (strcmp(param_name, "service") == 0)
		return 's';
	return strcmp(param_name, "limit") == 0 ? 'n' : 0;
}

static const char *
value_of(const struct op_param *p)
{
	switch (p->type) {
	case OP_TEXT: return "TEXT";
	case OP_INT: return "N";
	case OP_DURATION_MS: return "SPAN";
	case OP_TIME: return "TIME";
	case OP_SPAN: return "SPAN";
	case OP_TRACE_ID: return "TRACE_ID";
	case OP_SPAN_ID: return "SPAN_ID";
	case OP_ATTR: return "KEY=VALUE";
	case OP_ENUM: return "WORD";
	case OP_CURSOR: return "CURSOR";
	case OP_BOOL: return "";
	}
	return "";
}

static struct cli_flag
flag_of_param(const struct op_param *p)
{
	struct cli_flag f = {.param = p, .letter = letter_of(p->name), .help = p->help};
	size_t n = strlen(p->name);
	CHECK(n < sizeof f.name);
	for (size_t i = 0; i < n; i++)
		f.name[i] = p->name[i] == '_' ? '-' : p->name[i];
	snprintf(f.value, sizeof f.value, "%s", value_of(p));
	return f;
}

const struct op_param *
cli_positional(const struct op *op)
{
	for (const struct op_param *p = op->params; p->name; p++)
		if (p->in_path)
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
is_for(enum cli_global global, const struct op *op)
{
	switch (global) {
	case GLOBAL_SPAN:
	case GLOBAL_VERBOSE:
	case GLOBAL_LOGS: return op && cli_positional(op) && strcmp(op->name, "trace") == 0;
	case GLOBAL_ALL: return !op || cli_has_pages(op);
	case GLOBAL_YES:
		return op &&
		    (cli_dlq_deletes(op) || cli_keys_asks(op) || cli_backup_deletes(op) ||
		        cli_check_mends(op));
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

size_t
cli_flags(const struct op *op, struct cli_flag out[CLI_FLAGS_MAX])
{
	size_t n = 0;
	static const struct op_param none[] = {{.name = NULL}};
	for (const struct op_param *p = op ? op->params : none; p->name; p++) {
		CHECK(n < CLI_FLAGS_MAX - ARRAY_LEN(globals));
		if (!p->in_path)
			out[n++] = flag_of_param(p);
	}
	for (size_t i = 0; i < ARRAY_LEN(globals); i++) {
		if (!is_for(globals[i].global, op))
			continue;
		struct cli_flag *f = &out[n++];
		*f = (struct cli_flag){.letter = globals[i].letter,
		    .global = globals[i].global,
		    .help = globals[i].help};
		snprintf(f->name, sizeof f->name, "%s", globals[i].name);
		snprintf(f->value, sizeof f->value, "%s", globals[i].value);
	}
	return n;
}
