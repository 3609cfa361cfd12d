/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/pack.h - numbers and texts as few bytes, each value in exactly one way.
 *
 *     u64    LEB128: seven bits a byte, the lowest first, the high bit says that there is more; no longer than it
 *            has to be
 *     word   eight bytes, little-endian: what is random anyway
 *     text   u64 length, then the bytes
 *
 * As every value has one form, two packings of the same values are the same bytes, and what is
 * written otherwise is refused. Bytes may come from outside.
 *
 * Errors are sticky on both sides: buf's own when writing; a reader that has failed gives zeros and empty texts,
 * and is asked once at the end. Texts point into the bytes that are read.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

void pack_u64(struct buf *out, uint64_t v);
void pack_word(struct buf *out, uint64_t v);
void pack_text(struct buf *out, struct str s);

struct pack_reader {
	const char *at, *end;
	bool failed;
};

struct pack_reader pack_read_begin(struct str bytes);
uint64_t pack_read_u64(struct pack_reader *r);
/* The same, and it fails when there is more than `max`. */
uint64_t pack_read_max(struct pack_reader *r, uint64_t max);
uint64_t pack_read_word(struct pack_reader *r);
struct str pack_read_text(struct pack_reader *r, size_t len_max);
/* The next n bytes. */
struct str pack_read_bytes(struct pack_reader *r, size_t n);
/* What is left is nothing, and all was well. */
bool pack_read_end(const struct pack_reader *r);

#endif
