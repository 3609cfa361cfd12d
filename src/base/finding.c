/* SPDX-License-Identifier: Apache-2.0 */
#include "base/finding.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *word, *help;
	enum finding_severity severity;
	bool mends;
} rows[FINDING_KINDS] = {
#define X(name, word, severity, mends, help)                                                       \
	[FINDING_##name] = {word, help, FINDING_##severity, mends},
    FINDING_TABLE(X)
#undef X
};

void
finding_say(const struct finding_sink *to, enum finding_kind kind, const char *place,
    const char *fmt, ...)
{
	struct finding f = {.kind = kind};
	va_list args;
	CHECK(kind < FINDING_KINDS);
	snprintf(f.place, sizeof(f.place), "%s", place);
	va_start(args, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, args);
	va_end(args);
	to->report(to->ctx, &f);
}

const char *
finding_word(enum finding_kind kind)
{
	CHECK(kind < FINDING_KINDS);
	return rows[kind].word;
}

const char *
finding_help(enum finding_kind kind)
{
	CHECK(kind < FINDING_KINDS);
	return rows[kind].help;
}

enum finding_severity
finding_severity(enum finding_kind kind)
{
	CHECK(kind < FINDING_KINDS);
	return rows[kind].severity;
}

bool
finding_mends(enum finding_kind kind)
{
	CHECK(kind < FINDING_KINDS);
	return rows[kind].mends;
}
