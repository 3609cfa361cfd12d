/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/regex.h - regular expressions as RE2 has them, without what needs tables of Unicode.
 *
 *     x y   x|y   (x)  (?:x)  (?P<name>x)  (?<name>x)   x* x+ x? x{n} x{n,} x{n,m}, and lazy: x*?
 *     .  [a-z]  [^a-z]  [[:alpha:]]  \d \D \s \S \w \W   ^ $ \A \z \b \B
 *     \n \t \r \f \v \a \x7F \x{10FFFF} \. (any punctuation)  \Q...\E   flags: (?ims-U) (?i:x)
 *
 * Text is UTF-8, and matched by characters; '.' is not a newline unless (?s); ^ and $ are the ends of the text unless
 * (?m). (?i) is by base/fold.h. No \pL, \C, octal numbers, no references back.
 *
 * A pattern is checked before it is given to whoever runs it; an error says where. Its length and its size, once
 * repetitions are written out, have bounds, so that the time for a text is bounded by its length.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/err.h"
#include "base/str.h"

enum { REGEX_BYTES_MAX = 512, REGEX_STEPS_MAX = 500, REGEX_REPEAT_MAX = 500 };

struct regex;

/* ERR_INVALID: what is wrong, at which character. `out` NULL: only check. */
MUST_CHECK enum err_code regex_compile(struct str pattern, struct regex **out, struct err *err);
void regex_free(struct regex *r); /* NULL allowed */
/* Is there a match anywhere in the text, which is valid UTF-8? */
bool regex_matches(const struct regex *r, struct str text);

#endif
