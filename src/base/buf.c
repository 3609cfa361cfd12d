/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/arena.h"
#include "base/bits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST_BYTES = 256 };

void
buf_init(struct buf *b, size_t bytes_max)
{
	*b = (struct buf){.bytes_max = bytes_max};
}

void
buf_fini(struct buf *b)
{
	if (!b)
		return;
	free(b->ptr);
	*b = (struct buf){.bytes_max = b->bytes_max};
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t need;
	if (b->failed)
		return NULL;
	if (!size_add(b->len, n, &need) || (b->bytes_max && need > b->bytes_max)) {
		b->failed = true;
		return NULL;
	}
	if (need > b->cap || !b->ptr) {
		size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
		while (cap < need)
			cap = cap > SIZE_MAX / 2 ? need : cap * 2;
		b->ptr = xrealloc(b->ptr, cap);
		b->cap = cap;
	}
	return b->ptr + b->len;
}

void
buf_append(struct buf *b, const void *bytes, size_t n)
{
	char *p = buf_reserve(b, n);
	if (!p || n == 0)
		return;
	memcpy(p, bytes, n);
	b->len += n;
}

void
buf_str(struct buf *b, struct str s)
{
	buf_append(b, s.ptr, s.len);
}

void
buf_char(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	CHECK(n >= 0);
	char *p = buf_reserve(b, (size_t)n + 1);
	if (p) {
		vsnprintf(p, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void
buf_u64(struct buf *b, uint64_t v)
{
	char text[20];
	size_t at = sizeof(text);
	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_append(b, text + at, sizeof(text) - at);
}

void
buf_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_char(b, '-');
	buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}
