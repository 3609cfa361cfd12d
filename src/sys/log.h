/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/log.h - what the program says about itself, one line an event, on standard error.
 *
 * Text:  2026-11-20T15:12:11.000000042Z info  wal: opened 3 segments
 * JSON:  {"time":"...","level":"info","component":"wal","message":"opened 3 segments"}
 * logfmt: time=... level=info component=wal msg="opened 3 segments"
 *
 * The sink is one of the two mutable globals of the program. Any thread; a line is one write(2),
 * so lines never mix. Control characters in a message are escaped: a line cannot forge another,
 * nor move a terminal's cursor. Messages are cut at 1,024 bytes. Log or return an error, never
 * both.
 */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "base/check.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_TEXT, LOG_JSON, LOG_LOGFMT };

/* Any thread. The default is LOG_INFO, LOG_TEXT. */
void log_setup(enum log_level level, enum log_format format);
bool log_level_parse(struct str name, enum log_level *out); /* debug info warn error off */
bool log_format_parse(struct str name, enum log_format *out); /* text json logfmt */
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *component, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
