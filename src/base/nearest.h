/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/nearest.h - the name somebody may have meant: for "did you mean".
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/str.h"

/* The entry of `names` (ending with NULL, 40 bytes at most each) nearest to what was typed by edits, or of which it is
 * the beginning; NULL when none is near. Case is ignored. */
const char *nearest_name(struct str typed, const char *const *names);

#endif
