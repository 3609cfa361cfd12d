/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. NUL is a valid character.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

bool utf8_valid(struct str s);
/* Length of the valid prefix: s.len when all of it is valid. */
size_t utf8_valid_len(struct str s);
/* Encode one scalar value; returns 1 to 4. The value must be valid. */
size_t utf8_put(uint32_t cp, char out[4]);
/* Decode the character at the start of a valid, non-empty string; returns its length. */
size_t utf8_get(struct str s, uint32_t *cp_out);

#endif
