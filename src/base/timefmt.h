/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/timefmt.h - unix nanoseconds <-> text. No clock here: time is an argument.
 *
 * RFC 3339 in UTC with nine digits: 2026-11-20T15:12:11.000000042Z (30 characters). Every u64 can
 * be printed: the last is 2554-07-21T23:34:33.709551615Z.
 */
#ifndef BASE_TIMEFMT_H
#define BASE_TIMEFMT_H

#include "base/str.h"

#define TIME_RFC3339_BYTES 30
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_DAY (UINT64_C(86400) * NS_PER_S)

/* Writes exactly TIME_RFC3339_BYTES characters, no NUL. */
void time_rfc3339(uint64_t unix_ns, char out[TIME_RFC3339_BYTES]);
/* "20261120" of the UTC day (days since 1970-01-01); no NUL. */
void time_day_text(uint32_t unix_day, char out[8]);
bool time_day_parse(struct str s, uint32_t *unix_day_out);
/* RFC 3339 with any number of fraction digits (beyond nine are cut) and Z or an offset, in which the
 * offset (then UTC), the seconds and the whole time of day (then midnight) may be left out; or plain
 * digits: unix seconds (up to 11 digits), milliseconds (12-14), microseconds (15-17) or
 * nanoseconds (18-20). False when it is neither or does not fit. */
bool time_parse(struct str s, uint64_t *unix_ns_out);
/* A span of time: a number with unit ns, us, ms, s, m, h, d, w ("90s", "1h30m", "1.5h"; what is below
 * a nanosecond is cut), or plain digits: seconds. False when malformed, zero or out of range. */
bool time_parse_span(struct str s, uint64_t *ns_out);
/* The same, and zero is one. */
bool time_parse_length(struct str s, uint64_t *ns_out);
/* For people: "950ns", "1.25ms", "3.4s", "2m05s", "1h02m". Returns the length written. */
size_t time_span_text(uint64_t ns, char *out, size_t size);

#endif
