/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/bits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef ARENA_DEBUG
#define ARENA_DEBUG 0
#endif

enum { ARENA_ALIGN = 16, ARENA_BLOCK_BYTES = 64 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t cap;
	size_t used;
	_Alignas(ARENA_ALIGN) unsigned char data[];
};

void
arena_init(struct arena *a, size_t bytes_max, size_t keep_bytes)
{
	*a = (struct arena){.bytes_max = bytes_max, .keep_bytes = keep_bytes};
}

static void
free_list(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
}

void
arena_fini(struct arena *a)
{
	if (!a)
		return;
	free_list(a->head);
	free_list(a->spare);
	*a = (struct arena){.bytes_max = a->bytes_max, .keep_bytes = a->keep_bytes};
}

void
arena_reset(struct arena *a)
{
	size_t kept = 0;
	struct arena_block *keep = NULL;
	struct arena_block *lists[2] = {a->spare, a->head};
	for (int i = 0; i < 2; i++) {
		for (struct arena_block *b = lists[i], *next; b; b = next) {
			next = b->next;
			if (ARENA_DEBUG || kept + b->cap > a->keep_bytes) {
				free(b);
				continue;
			}
			kept += b->cap;
			b->used = 0;
			b->next = keep;
			keep = b;
		}
	}
	a->head = NULL;
	a->spare = keep;
	a->used_bytes = 0;
}

struct arena_mark
arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->head, a->head ? a->head->used : 0, a->used_bytes};
}

void
arena_rewind(struct arena *a, struct arena_mark mark)
{
	while (a->head != mark.head) {
		CHECK(a->head != NULL);
		struct arena_block *b = a->head;
		a->head = b->next;
		free(b);
	}
	if (a->head)
		a->head->used = mark.head_used;
	a->used_bytes = mark.used_bytes;
}

static struct arena_block *
take_block(struct arena *a, size_t need)
{
	for (struct arena_block **link = &a->spare; *link; link = &(*link)->next) {
		struct arena_block *b = *link;
		if (b->cap < need)
			continue;
		*link = b->next;
		return b;
	}
	size_t cap = ARENA_DEBUG || need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES;
	struct arena_block *b = xcalloc(1, sizeof(*b) + cap);
	b->cap = cap;
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	size_t total;
	if (n == 0)
		n = 1;
	if (!size_add(n, ARENA_ALIGN - 1, &total))
		return NULL;
	size_t rounded = total & ~(size_t)(ARENA_ALIGN - 1);
	if (!size_add(a->used_bytes, rounded, &total) || (a->bytes_max && total > a->bytes_max))
		return NULL;
	size_t take = ARENA_DEBUG ? n : rounded;
	struct arena_block *b = a->head;
	if (ARENA_DEBUG || !b || b->cap - b->used < take) {
		b = take_block(a, take);
		b->next = a->head;
		a->head = b;
	}
	CHECK(b->used <= b->cap && take <= b->cap - b->used);
	void *p = b->data + b->used;
	b->used += take;
	a->used_bytes = total;
	memset(p, 0, n);
	return p;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;
	return size_mul(count, size, &n) ? arena_alloc(a, n) : NULL;
}

struct str
arena_str(struct arena *a, struct str s)
{
	size_t n;
	char *p = size_add(s.len, 1, &n) ? arena_alloc(a, n) : NULL;
	if (!p)
		return STR_EMPTY;
	if (s.len)
		memcpy(p, s.ptr, s.len);
	return (struct str){p, s.len};
}

struct str
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	CHECK(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct str){p, p ? (size_t)n : 0};
}

void *
xcalloc(size_t count, size_t size)
{
	void *p = calloc(count, size);
	CHECK(p != NULL);
	return p;
}

void *
xrealloc(void *ptr, size_t size)
{
	CHECK(size > 0);
	void *p = realloc(ptr, size);
	CHECK(p != NULL);
	return p;
}
