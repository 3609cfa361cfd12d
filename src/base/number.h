/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/number.h - doubles as text, the same in every locale.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>

#define NUMBER_DOUBLE_BYTES 32

/* Shortest decimal text that reads back to the same double; always has a '.' or an 'e', so that it
 * is no integer: 1.0  -0.0  0.1  12.5  2.5e-07  1e+15. Or "NaN", "Infinity", "-Infinity".
 * Returns the length; no NUL. */
size_t number_double_text(double v, char out[NUMBER_DOUBLE_BYTES]);

#endif
