/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf.h - growing byte buffer that owns its memory.
 *
 * The error is sticky: when the buffer would pass `bytes_max` it turns `failed`, later calls do
 * nothing, and the writer checks once at the end. bytes_max 0 means no limit. A zeroed struct is
 * a valid empty buffer. Threading: one owner.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/check.h"
#include "base/str.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t bytes_max;
	bool failed;
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_fini(struct buf *b);
/* Empty it, keep the memory, clear the error. */
void buf_reset(struct buf *b);
/* Room for n more bytes behind len: returns where to write them, or NULL (failed). The caller
 * adds what it wrote to len. */
char *buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_u64(struct buf *b, uint64_t v); /* decimal */
void buf_i64(struct buf *b, int64_t v);

static inline struct str
buf_view(const struct buf *b)
{
	return (struct str){b->ptr, b->len};
}

#endif
