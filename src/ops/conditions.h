/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/conditions.h - conditions that have a language of their own: on attributes (attr.c says which) and words (words.c).
 *
 * Text is valid UTF-8; what is made of it points into it. Any thread. ERR_INVALID says what is wrong, and shows the text or
 * the place.
 */
#ifndef OPS_CONDITIONS_H
#define OPS_CONDITIONS_H

#include "base/err.h"
#include "store/query.h"

MUST_CHECK enum err_code ops_parse_attr(struct str text, struct store_attr *out, struct err *err);
/* To words[STORE_WORDS_MAX]; both NULL: only check. The arena is for phrases; ERR_TOO_LARGE: it is spent. */
MUST_CHECK enum err_code ops_parse_words(struct str text, struct arena *arena, struct str *words,
    size_t *count_out, struct err *err);

#endif
