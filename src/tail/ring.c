/* SPDX-License-Identifier: Apache-2.0 */
#include "tail/ring.h"

#include "base/arena.h"

#include <stdlib.h>

enum { CAP_MIN = 4096, CAP_KEEP = 16384 };

size_t
ring_room(const struct ring *r)
{
	CHECK(r->len <= r->bytes_max);
	return r->bytes_max - r->len;
}

/* The oldest n bytes to out, in one piece. */
static void
copy_out(const struct ring *r, char *out, size_t n)
{
	size_t first = r->cap - r->at < n ? r->cap - r->at : n;
	memcpy(out, r->ptr + r->at, first);
	memcpy(out + first, r->ptr, n - first);
}

static void
grow(struct ring *r, size_t need)
{
	size_t cap = r->cap ? r->cap : CAP_MIN;
	while (cap < need)
		cap *= 2;
	if (cap > r->bytes_max)
		cap = r->bytes_max;
	char *ptr = xrealloc(NULL, cap);
	if (r->len > 0)
		copy_out(r, ptr, r->len);
	free(r->ptr);
	r->ptr = ptr;
	r->cap = cap;
	r->at = 0;
}

void
ring_put(struct ring *r, struct str bytes)
{
	CHECK(bytes.len <= ring_room(r));
	if (bytes.len == 0)
		return;
	if (r->len + bytes.len > r->cap)
		grow(r, r->len + bytes.len);
	size_t end = (r->at + r->len) % r->cap;
	size_t first = r->cap - end < bytes.len ? r->cap - end : bytes.len;
	memcpy(r->ptr + end, bytes.ptr, first);
	memcpy(r->ptr, bytes.ptr + first, bytes.len - first);
	r->len += bytes.len;
}

size_t
ring_take(struct ring *r, char *out, size_t max)
{
	size_t n = r->len < max ? r->len : max;
	if (n == 0)
		return 0;
	copy_out(r, out, n);
	r->at = (r->at + n) % r->cap;
	r->len -= n;
	if (r->len == 0 && r->cap > CAP_KEEP)
		ring_fini(r);
	return n;
}

void
ring_fini(struct ring *r)
{
	free(r->ptr);
	r->ptr = NULL;
	r->cap = r->at = r->len = 0;
}
