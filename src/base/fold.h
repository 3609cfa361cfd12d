/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/fold.h - looking for text without regard to upper and lower case.
 *
 * Each character is folded to the one that stands for all its cases. Only pairs that take equally many bytes of
 * UTF-8 are folded, so that folding keeps every length and place: the letters of Latin (ASCII, with marks, Vietnamese,
 * full width), Greek (without polytonic), Cyrillic and Armenian. ß, İ, ı, ſ and the Kelvin sign are only equal to
 * themselves; the two small sigmas are equal. No character outside of ASCII folds to one in it.
 *
 * Texts are valid UTF-8. Nothing is allocated; any thread.
 */
#ifndef BASE_FOLD_H
#define BASE_FOLD_H

#include "base/str.h"

enum { FOLD_NEEDLE_BYTES_MAX = 1024 };

uint32_t fold_char(uint32_t cp);
/* Another character that folds to this one, or this one. */
uint32_t fold_other(uint32_t cp);
/* To `out`, which has s.len bytes. */
void fold_text(struct str s, char *out);
/* Does the text, folded, contain these bytes, which are folded and at most FOLD_NEEDLE_BYTES_MAX? All contain the
 * empty one. */
bool fold_contains(struct str text, struct str folded);

#endif
