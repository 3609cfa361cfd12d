/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/arena.h - bump allocator with a byte budget: one per request, one per batch.
 *
 * arena_alloc() returns zeroed, 16-byte aligned memory that lives until arena_reset() or
 * arena_fini(), or NULL when the budget is spent: the caller reports ERR_TOO_LARGE. Blocks are
 * kept over a reset, up to `keep_bytes`, so that a steady load stops calling malloc.
 * Built with -DARENA_DEBUG=1 each allocation has its own malloc, so that AddressSanitizer sees
 * overruns and uses after a reset.
 *
 * Threading: one owner. A zeroed struct is a valid empty arena without a budget (no limit).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/check.h"
#include "base/str.h"

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *head; /* newest first */
	struct arena_block *spare; /* kept over a reset */
	size_t used_bytes; /* of the budget, since the last reset */
	size_t bytes_max; /* 0 = no limit */
	size_t keep_bytes;
};

void arena_init(struct arena *a, size_t bytes_max, size_t keep_bytes);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);

/* Give back what was allocated since the mark was taken; no reset may come between the two. */
struct arena_mark {
	struct arena_block *head;
	size_t head_used, used_bytes;
};
MUST_CHECK struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

MUST_CHECK void *arena_alloc(struct arena *a, size_t n);
/* count * size, checked; NULL on overflow too. */
MUST_CHECK void *arena_array(struct arena *a, size_t count, size_t size);
/* Copy of s with a NUL behind it (not counted in len). ptr NULL when the budget is spent. */
MUST_CHECK struct str arena_str(struct arena *a, struct str s);
MUST_CHECK struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Zeroed memory for long-lived objects at startup; aborts when there is none. */
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull));
/* As realloc, but aborts when there is no memory; size 0 is not allowed. */
void *xrealloc(void *ptr, size_t size) __attribute__((returns_nonnull));

#endif
