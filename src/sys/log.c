/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/log.h"

#include "base/timefmt.h"
#include "sys/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_MESSAGE_BYTES = 1024 };

static _Atomic int sink_level = LOG_INFO;
static _Atomic int sink_format = LOG_TEXT;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

/* Time, level, component and message, the last one escaped as in JSON but for LOG_TEXT. */
static const struct {
	const char *name;
	const char *shape;
} formats[] = {
    [LOG_TEXT] = {"text", "%.*s %-5s %s: %s\n"},
    [LOG_JSON] = {"json",
        "{\"time\":\"%.*s\",\"level\":\"%s\",\"component\":\"%s\",\"message\":\"%s\"}\n"},
    [LOG_LOGFMT] = {"logfmt", "time=%.*s level=%s component=%s msg=\"%s\"\n"},
};

void
log_setup(enum log_level level, enum log_format format)
{
	atomic_store(&sink_level, (int)level);
	atomic_store(&sink_format, (int)format);
}

bool
log_level_parse(struct str name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (str_eq(name, str_from(level_names[i]))) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool
log_format_parse(struct str name, enum log_format *out)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (str_eq(name, str_from(formats[i].name))) {
			*out = (enum log_format)i;
			return true;
		}
	}
	return false;
}

bool
log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

/* Control characters, and where there are quotes around it the quote and the backslash, as \u00XX. Returns the
 * new length; `out` has room for six bytes a character. */
static size_t
escape(const char *text, bool quoted, char *out)
{
	size_t n = 0;
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c >= 0x20 && c != 0x7f && !(quoted && (c == '"' || c == '\\')))
			out[n++] = *p;
		else
			n += (size_t)snprintf(out + n, 7, "\\u%04x", c);
	}
	out[n] = '\0';
	return n;
}

void
log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	if (!log_enabled(level))
		return;
	char message[LOG_MESSAGE_BYTES], safe[LOG_MESSAGE_BYTES * 6 + 1];
	char when[TIME_RFC3339_BYTES], line[sizeof(safe) + 256];
	int format = atomic_load_explicit(&sink_format, memory_order_relaxed);
	va_list args;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	escape(message, format != LOG_TEXT, safe);
	time_rfc3339(clock_unix_ns(), when);
	int n = snprintf(line, sizeof(line), formats[format].shape, TIME_RFC3339_BYTES, when,
	    level_names[level], component, safe);
	if (n > 0) {
		ssize_t written = write(STDERR_FILENO, line, (size_t)n);
		(void)written; /* nobody is left to tell */
	}
}
