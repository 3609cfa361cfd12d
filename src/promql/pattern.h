/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promql/pattern.h - regular expressions from outside, matched against the whole of a text.
 *
 * The syntax is that of RE2 (which Prometheus and Go have): no back references, no look-around, nothing that needs
 * backtracking, repetitions up to 1,000. What PCRE2 knows beyond that is refused, with the place in the expression. A `.`
 * matches a line end too, `$` is the end of the text, and \d \w \s are of ASCII, as Prometheus has it.
 *
 * Time. promql_regex_matches() follows all ways through the expression at once (PCRE2's DFA matcher): time grows with the length
 * of the text times that of the expression, never more. promql_regex_captures() backtracks, up to a fixed number of steps.
 *
 * Memory. Everything is in the arena given at the compilation: there is nothing to free, and its budget holds.
 * Threading: one owner; a regex is not for two threads at once.
 */
#ifndef PROMQL_PATTERN_H
#define PROMQL_PATTERN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct promql_regex;

enum { PROMQL_REGEX_BYTES_MAX = 16384, PROMQL_REGEX_REPEAT_MAX = 1000 };

/* ERR_INVALID says what is wrong with the expression; it must be UTF-8. */
MUST_CHECK enum err_code promql_regex_compile(struct arena *arena, struct str pattern,
    struct promql_regex **out, struct err *err);
/* Does the expression match all of the text? Text that is not UTF-8 does not match. ERR_TOO_LARGE: the expression has too
 * many ways for its memory. */
MUST_CHECK enum err_code promql_regex_matches(struct promql_regex *re, struct str text,
    bool *matches_out, struct err *err);
/* The same, and the template with $1, ${1}, $name, ${name} replaced by what the groups matched ($$ is a dollar sign; a group
 * that there is not is empty), in the arena. */
MUST_CHECK enum err_code promql_regex_expand(struct promql_regex *re, struct str text,
    struct str template, bool *matches_out, struct str *expanded_out, struct err *err);

#endif
