/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/ops.h"

#include "base/check.h"

#include <stdio.h>

static char
letter_of(const char *param_name)
{
	if (strcmp(param_name, "service") == 0)
		return 's';
	if (strcmp(param_name, "file") == 0)
		return 'f';
	return strcmp(param_name, "limit") == 0 ? 'n' : 0;
}

/* What stands for its value; NULL: it may be left out. */
static const char *
value_of(const struct op_param *p)
{
	switch (p->type) {
	case OP_TEXT:
		return strcmp(p->name, "service") == 0 ? "SERVICE"
		    : strcmp(p->name, "file") == 0     ? "FILE"
		                                       : "TEXT";
	case OP_INT: return "N";
	case OP_DURATION_MS: return "SPAN";
	case OP_TIME:
	case OP_UNIX_TIME: return "TIME";
	case OP_SPAN:
	case OP_PROM_SPAN: return "SPAN";
	case OP_TRACE_ID: return "TRACE_ID";
	case OP_SPAN_ID: return "SPAN_ID";
	case OP_ATTR: return "CONDITION";
	case OP_WORDS: return "WORDS";
	case OP_ENUM: return "WORD";
	case OP_CURSOR: return "CURSOR";
	case OP_BOOL: return NULL;
	}
	return NULL;
}

struct usage_option
ops_option(const struct op_param *p)
{
	struct usage_option o = {.letter = letter_of(p->name),
	    .repeat = p->repeat,
	    .value = value_of(p),
	    .help = p->help,
	    .words = p->choices};
	const char *name = p->flag ? p->flag : p->name;
	size_t n = strlen(name);
	CHECK(n < sizeof(o.name));
	for (size_t i = 0; i < n; i++)
		o.name[i] = name[i] == '_' ? '-' : name[i];
	if (p->type == OP_INT) {
		o.min = p->min;
		o.max = p->max;
	}
	snprintf(o.fallback, sizeof(o.fallback), "%s", p->fallback ? p->fallback : "");
	return o;
}
